// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exactly-once extension as the kernel sees it: sessions and sequences, requests that
 * survive their engine, control words. Documentation/exactly-once.md has the rules.
 */
#include <linux/poll.h>

#include "back-fixture.h"

static struct vtpm_begin *begin(void)
{
	return (struct vtpm_begin *)back.body;
}

/* Probe, accept and map; BEGIN is still to be answered. */
static void map(struct kunit *test)
{
	back.policy.features = BACK_EXTENDED;
	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_write_nodes(true);
	back_frontend(XenbusStateInitialised);
	back_settle();
	KUNIT_ASSERT_EQ(test, double_mappings(), 1);
}

static void replace_engine(struct kunit *test)
{
	back_close();
	KUNIT_ASSERT_GE(test, back_accept(), 0);
}

static void a_fresh_frontend_gets_a_session(struct kunit *test)
{
	map(test);
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateInitWait);
	KUNIT_ASSERT_GT(test, back_answer_begin(), 0);
	KUNIT_EXPECT_EQ(test, begin()->features, BACK_EXTENDED);
	KUNIT_EXPECT_EQ(test, begin()->resume, VTPM_RESUME_FRESH);
	KUNIT_EXPECT_EQ(test, begin()->sequence, 0);
	back_settle();
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateConnected);
	KUNIT_EXPECT_EQ(test, back_trailer()->sequence, 100);
	KUNIT_EXPECT_EQ(test, back_trailer()->session[0], 0x5e);
	KUNIT_EXPECT_EQ(test, back_trailer()->session[15], 0x5e);
}

static void a_session_is_presented(struct kunit *test)
{
	memset(back_trailer()->session, 0x77, 16);
	back_trailer()->sequence = 50;
	back_trailer()->answer = 3;
	map(test);
	KUNIT_ASSERT_GT(test, back_answer_begin(), 0);
	KUNIT_EXPECT_EQ(test, begin()->resume, VTPM_RESUME_SESSION);
	KUNIT_EXPECT_EQ(test, begin()->sequence, 50);
	KUNIT_EXPECT_EQ(test, begin()->answered, 47);
	KUNIT_EXPECT_EQ(test, begin()->session[7], 0x77);
	/* It counts on by itself. */
	KUNIT_EXPECT_EQ(test, back_trailer()->sequence, 50);
}

/* What it says of its past must not wrap around. */
static void more_unanswered_than_sent(struct kunit *test)
{
	memset(back_trailer()->session, 0x77, 16);
	back_trailer()->sequence = 5;
	back_trailer()->answer = U32_MAX;
	map(test);
	back_read();
	KUNIT_EXPECT_EQ(test, begin()->sequence, 5);
	KUNIT_EXPECT_EQ(test, begin()->answered, 0);
}

static const struct begin_case {
	const char *name;
	int length;		/* added to the right one */
	u32 features;		/* xor */
	u32 resume;		/* xor */
	u64 answered;
} begin_cases[] = {
	{ "shorter", -1, 0, 0, 0 },
	{ "longer", 1, 0, 0, 0 },
	{ "features", 0, 1, 0, 0 },
	{ "resume", 0, 0, 1, 0 },
	{ "answered", 0, 0, 0, 1 },
};

static void begin_name(const struct begin_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(begin, begin_cases, begin_name);

static void begin_answered_badly(struct kunit *test)
{
	const struct begin_case *c = test->param_value;
	struct vtpm_begin answer[2] = {};

	map(test);
	back_read();
	answer[0] = *begin();
	answer[0].features ^= c->features;
	answer[0].resume ^= c->resume;
	answer[0].answered = c->answered;
	KUNIT_EXPECT_EQ(test, back_write(0, answer, sizeof(*answer) + c->length),
			-EBADMSG);
	back_settle();
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateInitWait);
}

/* Nobody is let in by an engine that has not answered, nor by the next one's accept. */
static void begin_comes_again(struct kunit *test)
{
	map(test);
	back_read();
	replace_engine(test);
	back_settle();
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateInitWait);
	KUNIT_ASSERT_GT(test, back_answer_begin(), 0);
	back_settle();
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateConnected);
}

/* A second engine is told where session and sequence are, and changes neither. */
static void a_second_engine_begins_too(struct kunit *test)
{
	back_connect_extended(test);
	back_submit(20);
	back_read();
	back_respond(20);
	replace_engine(test);
	back_read();
	KUNIT_EXPECT_EQ(test, back.request.header.kind, VTPM_REQUEST_BEGIN);
	KUNIT_EXPECT_EQ(test, begin()->resume, VTPM_RESUME_SESSION);
	KUNIT_EXPECT_EQ(test, begin()->sequence, 101);
	KUNIT_EXPECT_EQ(test, begin()->answered, 101);
	KUNIT_EXPECT_EQ(test, begin()->session[0], 0x5e);
}

static void a_command_survives_its_engine(struct kunit *test)
{
	back_connect_extended(test);
	back_submit(20);
	KUNIT_EXPECT_GT(test, back_read(), 0);
	KUNIT_EXPECT_EQ(test, back.request.header.sequence, 101);
	replace_engine(test);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_SUBMIT);
	KUNIT_ASSERT_GT(test, back_answer_begin(), 0);
	KUNIT_EXPECT_EQ(test, begin()->sequence, 101);
	KUNIT_EXPECT_EQ(test, begin()->answered, 100);
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header) + 20);
	KUNIT_EXPECT_EQ(test, back.request.header.sequence, 101);
	KUNIT_EXPECT_GT(test, back_respond(20), 0);
	KUNIT_EXPECT_EQ(test, back_trailer()->sequence, 101);
}

/* One that an engine has had may be done: the next one has to say. */
static void cancel_of_what_an_engine_had(struct kunit *test)
{
	back_connect_extended(test);
	back_submit(20);
	back_read();
	back_close();
	back_state(VTPM_STATE_CANCEL);
	back_event();
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_CANCEL);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	KUNIT_ASSERT_GT(test, back_answer_begin(), 0);
	KUNIT_EXPECT_GT(test, back_read(), 0);
	KUNIT_EXPECT_EQ(test, back_poll(), EPOLLOUT | EPOLLWRNORM | EPOLLPRI);
	KUNIT_EXPECT_GT(test, back_respond(20), 0);
}

/* A response that is not the TPM's says so. */
static void a_refusal_is_disowned(struct kunit *test)
{
	back_connect_extended(test);
	back_command(20);
	back.page->locality = 1;
	back_state(VTPM_STATE_SUBMIT);
	back_event();
	KUNIT_EXPECT_TRUE(test, back_is_refused(0x8001, 0x907));
	KUNIT_EXPECT_EQ(test, back_trailer()->sequence, 0);
}

/* The answer to a request without a packet. */
static ssize_t answer_control(void)
{
	return back_write(back.request.header.sequence, "", 0);
}

static void control(struct kunit *test, u32 word, u8 kind)
{
	back_trailer()->control = word;
	KUNIT_ASSERT_TRUE(test, back_event());
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header));
	KUNIT_EXPECT_EQ(test, back.request.header.kind, kind);
	KUNIT_EXPECT_EQ(test, back.request.header.length, 0);
}

static void control_words(struct kunit *test)
{
	back_connect_extended(test);
	control(test, VTPM_CONTROL_QUIESCE, VTPM_REQUEST_QUIESCE);
	/* Its answer has no body. */
	KUNIT_EXPECT_EQ(test, back_respond(10), -EBADMSG);
	KUNIT_EXPECT_EQ(test, back_trailer()->answer, VTPM_CONTROL_NONE);
	KUNIT_EXPECT_GT(test, answer_control(), 0);
	KUNIT_EXPECT_EQ(test, back_trailer()->answer, VTPM_CONTROL_QUIESCE);
	/* The same word is not carried out twice. */
	back_event();
	KUNIT_EXPECT_EQ(test, back_read(), -EAGAIN);
	control(test, VTPM_CONTROL_CONTINUE, VTPM_REQUEST_CONTINUE);
	KUNIT_EXPECT_GT(test, answer_control(), 0);
	KUNIT_EXPECT_EQ(test, back_trailer()->answer, VTPM_CONTROL_CONTINUE);
}

static void unknown_control_words(struct kunit *test)
{
	static const u32 words[] = { 0, 3, 255, 256, U32_MAX };
	int i;

	back_connect_extended(test);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		back_trailer()->control = words[i];
		KUNIT_EXPECT_TRUE(test, back_event());
		KUNIT_EXPECT_EQ(test, back_read(), -EAGAIN);
		KUNIT_EXPECT_EQ(test, back_trailer()->answer, 0);
	}
}

/* A control word waits for the command, a command for the control word. */
static void one_request_at_a_time(struct kunit *test)
{
	back_connect_extended(test);
	back_submit(20);
	back_read();
	back_trailer()->control = VTPM_CONTROL_QUIESCE;
	back_event();
	KUNIT_EXPECT_EQ(test, back_read(), -EAGAIN);
	back.request.header.sequence = 101;
	KUNIT_EXPECT_GT(test, back_respond(20), 0);
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header));
	KUNIT_EXPECT_EQ(test, back.request.header.kind, VTPM_REQUEST_QUIESCE);
	back_submit(30);
	KUNIT_EXPECT_EQ(test, back_read(), -EAGAIN);
	back.request.header.sequence = 101;
	KUNIT_EXPECT_GT(test, answer_control(), 0);
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header) + 30);
}

/* A control word has no packet that could be cancelled. */
static void cancel_of_a_control_word(struct kunit *test)
{
	back_connect_extended(test);
	control(test, VTPM_CONTROL_QUIESCE, VTPM_REQUEST_QUIESCE);
	back_state(VTPM_STATE_CANCEL);
	back_event();
	KUNIT_EXPECT_EQ(test, back_poll(), EPOLLOUT | EPOLLWRNORM);
	KUNIT_EXPECT_GT(test, answer_control(), 0);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_IDLE);
}

static void a_control_word_fails_in_time(struct kunit *test)
{
	*double_handover_timeout_ms = 20;
	back_connect_extended(test);
	back_close();
	back_trailer()->control = VTPM_CONTROL_QUIESCE;
	back_event();
	flush_delayed_work(&back_conn()->stall);
	KUNIT_EXPECT_EQ(test, back_trailer()->answer, 0);
	back_submit(20);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	KUNIT_ASSERT_GT(test, back_answer_begin(), 0);
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header) + 20);
}

/* Under a frontend that uses it no engine may come without it. */
static void the_extension_cannot_be_taken_away(struct kunit *test)
{
	back_connect_extended(test);
	back_close();
	back.policy.features = 0;
	KUNIT_EXPECT_EQ(test, back_accept(), -EINVAL);
	back.policy.features = BACK_EXTENDED;
	KUNIT_EXPECT_GE(test, back_accept(), 0);
}

static struct kunit_case once_cases[] = {
	KUNIT_CASE(a_fresh_frontend_gets_a_session),
	KUNIT_CASE(a_session_is_presented),
	KUNIT_CASE(more_unanswered_than_sent),
	KUNIT_CASE_PARAM(begin_answered_badly, begin_gen_params),
	KUNIT_CASE(begin_comes_again),
	KUNIT_CASE(a_second_engine_begins_too),
	KUNIT_CASE(a_command_survives_its_engine),
	KUNIT_CASE(cancel_of_what_an_engine_had),
	KUNIT_CASE(a_refusal_is_disowned),
	KUNIT_CASE(control_words),
	KUNIT_CASE(unknown_control_words),
	KUNIT_CASE(one_request_at_a_time),
	KUNIT_CASE(cancel_of_a_control_word),
	KUNIT_CASE(a_control_word_fails_in_time),
	KUNIT_CASE(the_extension_cannot_be_taken_away),
	{}
};

static struct kunit_suite once_suite = {
	.name = "back-once",
	.init = back_init,
	.exit = back_exit,
	.test_cases = once_cases,
};
kunit_test_suite(once_suite);
