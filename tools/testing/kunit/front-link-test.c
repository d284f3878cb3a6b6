// SPDX-License-Identifier: GPL-2.0-only
/*
 * The link: what the frontend does when the backend changes its state, as the table in
 * Documentation/protocol.md says; what it negotiates; how it ends (F11, F18, F20).
 */
#include "front-fixture.h"

enum situation {
	INITIALISING,		/* just probed */
	INITIALISED,		/* the page is offered */
	CONNECTED,
	CLOSED,
	SITUATIONS,
};

static const char * const situation_names[SITUATIONS] = {
	"initialising", "initialised", "connected", "closed",
};

struct outcome {
	enum xenbus_state state;
	bool link;
};

#define IS(s, link)	{ XenbusState##s, link }
#define NOTHING		{ IS(Initialising, false), IS(Initialised, true), \
			  IS(Connected, true), IS(Closed, false) }

/* By the backend's state, then by our situation. */
static const struct outcome table[][SITUATIONS] = {
	[XenbusStateUnknown] = NOTHING,
	[XenbusStateInitialising] = NOTHING,
	[XenbusStateInitWait] = { IS(Initialised, true), IS(Initialised, true),
				  IS(Connected, true), IS(Initialised, true) },
	[XenbusStateInitialised] = NOTHING,
	[XenbusStateConnected] = { IS(Initialising, false),
				   IS(Connected, true), IS(Connected, true),
				   IS(Closed, false) },
	[XenbusStateClosing] = { IS(Initialising, false), IS(Closed, false),
				 IS(Closed, false), IS(Closed, false) },
	[XenbusStateClosed] = { IS(Initialising, false), IS(Closed, false),
				IS(Closed, false), IS(Closed, false) },
	[XenbusStateReconfiguring] = NOTHING,
	[XenbusStateReconfigured] = NOTHING,
};

static void arrange(struct kunit *test, enum situation situation)
{
	switch (situation) {
	case INITIALISING:
		KUNIT_ASSERT_EQ(test, front_probe(), 0);
		store_set(FRONT_BACK_DIR, "feature-protocol-v2", "1");
		break;
	case INITIALISED:
		front_initialise(test, false);
		break;
	default:
		front_connect(test, false);
		if (situation == CLOSED)
			front_backend(XenbusStateClosed);
	}
}

static const struct state_case {
	const char *name;
	enum situation situation;
} state_cases[] = {
	{ "initialising", INITIALISING }, { "initialised", INITIALISED },
	{ "connected", CONNECTED }, { "closed", CLOSED },
};

static void state_name(const struct state_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(state, state_cases, state_name);

static void backend_state(struct kunit *test)
{
	const struct state_case *c = test->param_value;
	const struct outcome *expected;
	int state;

	for (state = 0; state < ARRAY_SIZE(table); state++) {
		expected = &table[state][c->situation];
		arrange(test, c->situation);
		front_backend(state);
		front_settle();
		KUNIT_EXPECT_EQ_MSG(test, front.xdev.state, expected->state,
				    "frontend %s, backend %d",
				    situation_names[c->situation], state);
		KUNIT_EXPECT_EQ(test, double_rings(), expected->link);
		KUNIT_EXPECT_EQ(test, double_lines(), expected->link);
		KUNIT_EXPECT_TRUE(test, front_fits_together());
		front_exit(test);
		front_init(test);
	}
}

static void states_that_do_not_exist(struct kunit *test)
{
	static const int states[] = { -1, 9, 255, INT_MAX };
	int i;

	front_connect(test, false);
	for (i = 0; i < ARRAY_SIZE(states); i++)
		front_backend(states[i]);
	KUNIT_EXPECT_EQ(test, front.xdev.state, XenbusStateConnected);
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
}

/* All nodes or none: the backend must not see the page of one link, and the port of another. */
static void nodes_come_together(struct kunit *test)
{
	store_conflict(3);
	front_connect(test, true);
	KUNIT_EXPECT_EQ(test, store_untransacted(), 0);
	KUNIT_EXPECT_EQ(test, store_get(FRONT_DIR, "ring-ref"),
			front_device()->grefs[0]);
	KUNIT_EXPECT_EQ(test, store_get(FRONT_DIR, "event-channel"),
			front_device()->port);
	KUNIT_EXPECT_EQ(test, store_get(FRONT_DIR, "feature-protocol-v2"), 1);
	KUNIT_EXPECT_EQ(test, store_get(FRONT_DIR, "request-exactly-once"), 1);
}

static void the_module_does_not_want_it(struct kunit *test)
{
	*double_exactly_once = false;
	front_connect(test, true);
	KUNIT_EXPECT_EQ(test, front.nr_pages, 1);
	KUNIT_EXPECT_EQ(test, store_get(FRONT_DIR, "request-exactly-once"), 0);
	KUNIT_EXPECT_FALSE(test, tpmfront_is_extended(front_device()));
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
}

static void a_backend_of_version_1(struct kunit *test)
{
	front_initialise(test, false);
	store_set(FRONT_BACK_DIR, "feature-protocol-v2", "0");
	front_backend(XenbusStateConnected);
	KUNIT_EXPECT_EQ(test, front.xdev.state, XenbusStateClosing);
	KUNIT_EXPECT_EQ(test, double_fatal(), -EPROTONOSUPPORT);
	KUNIT_EXPECT_EQ(test, double_rings(), 0);
	KUNIT_EXPECT_EQ(test, double_chips(), 0);
}

/* Another backend, on another link. */
static void reconnect(struct kunit *test, bool offers)
{
	front_backend(XenbusStateClosed);
	front_unmap();
	front_backend(XenbusStateInitWait);
	KUNIT_ASSERT_EQ(test, front.xdev.state, XenbusStateInitialised);
	KUNIT_ASSERT_TRUE(test, front_map());
	front.offers = offers;
	front_begin();
	front_backend(XenbusStateConnected);
	front_settle();
}

/* What was found at the first connection holds as long as the chip. */
static void the_extension_is_lost(struct kunit *test)
{
	front_connect(test, true);
	reconnect(test, false);
	KUNIT_EXPECT_EQ(test, front.xdev.state, XenbusStateClosing);
	KUNIT_EXPECT_EQ(test, double_fatal(), -EPROTONOSUPPORT);
	KUNIT_EXPECT_EQ(test, double_rings(), 0);
}

static void the_extension_is_never_gained(struct kunit *test)
{
	front_connect(test, false);
	reconnect(test, true);
	KUNIT_EXPECT_EQ(test, front.xdev.state, XenbusStateConnected);
	KUNIT_EXPECT_EQ(test, front.nr_pages, 1);
	KUNIT_EXPECT_EQ(test, store_get(FRONT_DIR, "request-exactly-once"), 0);
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
}

static void the_chip_outlives_the_link(struct kunit *test)
{
	struct tpm_chip *chip;
	int i;

	front_connect(test, true);
	chip = double_chip();
	for (i = 0; i < 5; i++) {
		reconnect(test, true);
		KUNIT_EXPECT_PTR_EQ(test, double_chip(), chip);
		KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
		KUNIT_EXPECT_EQ(test, front_receive(100), 10);
	}
	/* Startup was the first one. */
	KUNIT_EXPECT_EQ(test, front.sequence, 506);
}

/* What it presents at a new link: its session, and what it has no answer to. */
static void the_past_is_presented(struct kunit *test)
{
	front_connect(test, true);
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	front_backend(XenbusStateClosed);
	front_unmap();
	front_backend(XenbusStateInitWait);
	KUNIT_ASSERT_TRUE(test, front_map());
	KUNIT_EXPECT_EQ(test, front_trailer()->sequence, 502);
	KUNIT_EXPECT_EQ(test, front_trailer()->session[0], 0x5e);
	KUNIT_EXPECT_EQ(test, front_trailer()->session[15], 0x5e);
	/* The peer answers with the sequence in place, so the TPM has answered. */
	KUNIT_EXPECT_EQ(test, front_trailer()->answer, 0);
}

/* A command under way over the end of the link. */

static void without_the_extension_it_is_lost(struct kunit *test)
{
	struct front_sender sender;

	front_connect(test, false);
	front.peer = PEER_SILENT;
	front_start_sender(test, &sender);
	KUNIT_EXPECT_TRUE(test, front_await(front_has_submitted));
	front_backend(XenbusStateClosing);
	KUNIT_EXPECT_EQ(test, front_finish_sender(&sender), -EPIPE);
}

static void with_the_extension_it_is_handed_in_again(struct kunit *test)
{
	struct front_sender sender;
	u64 sequence;
	u8 first[12];

	front_connect(test, true);
	front.peer = PEER_SILENT;
	front_start_sender(test, &sender);
	KUNIT_EXPECT_TRUE(test, front_await(front_has_submitted));
	sequence = front.sequence;
	memcpy(first, front.sent, sizeof(first));
	front.peer = PEER_ANSWERS;
	reconnect(test, true);
	KUNIT_EXPECT_EQ(test, front_finish_sender(&sender), 0);
	KUNIT_EXPECT_EQ(test, front.sequence, sequence);
	KUNIT_EXPECT_EQ(test, front.sent_length, sizeof(first));
	KUNIT_EXPECT_EQ(test, memcmp(front.sent, first, sizeof(first)), 0);
	KUNIT_EXPECT_EQ(test, front_receive(100), 10);
}

/* An earlier backend may have executed what this one has dropped. */
static void dropped_after_it_was_handed_in_again(struct kunit *test)
{
	struct front_sender sender;

	front_connect(test, true);
	front.peer = PEER_SILENT;
	front_start_sender(test, &sender);
	KUNIT_EXPECT_TRUE(test, front_await(front_has_submitted));
	front.peer = PEER_DROPS;
	reconnect(test, true);
	KUNIT_EXPECT_EQ(test, front_finish_sender(&sender), -EPIPE);
}

/* Removing. */

static void remove_in_any_situation(struct kunit *test)
{
	const struct state_case *c = test->param_value;

	arrange(test, c->situation);
	front_remove();
	KUNIT_EXPECT_EQ(test, double_rings(), 0);
	KUNIT_EXPECT_EQ(test, double_chips(), 0);
	KUNIT_EXPECT_EQ(test, double_memory_held(), 0);
	front_remove();
}

static void remove_under_a_command(struct kunit *test)
{
	struct front_sender sender;

	front_connect(test, true);
	front.peer = PEER_SILENT;
	front_start_sender(test, &sender);
	KUNIT_EXPECT_TRUE(test, front_await(front_has_submitted));
	/* As the TPM core does it: the chip goes when its users have left it. */
	spin_lock_irq(&front_device()->lock);
	front_device()->removed = true;
	tpmfront_settle(front_device(), ANSWER_LOST);
	spin_unlock_irq(&front_device()->lock);
	KUNIT_EXPECT_EQ(test, front_finish_sender(&sender), -EPIPE);
	front_remove();
	KUNIT_EXPECT_EQ(test, double_chips(), 0);
}

/* F12: who keeps the pages mapped finds neither the command nor the session in them. */
static void nothing_is_left_in_the_pages(struct kunit *test)
{
	const size_t size = VTPM_EXTENSION_PAGES * VTPM_SHARED_PAGE_SIZE;
	struct front_sender sender;
	const u8 *pages;

	front_connect(test, true);
	front.peer = PEER_SILENT;
	front_start_sender(test, &sender);
	KUNIT_EXPECT_TRUE(test, front_await(front_has_submitted));
	pages = (const u8 *)front.page;
	KUNIT_EXPECT_PTR_NE(test, memchr_inv(pages, 0, size), NULL);
	front_backend(XenbusStateClosing);
	KUNIT_EXPECT_EQ(test, double_rings(), 0);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(pages, 0, size), NULL);
	front.peer = PEER_ANSWERS;
	reconnect(test, true);
	KUNIT_EXPECT_EQ(test, front_finish_sender(&sender), 0);
}

static void suspend_hooks_without_a_device(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, front_probe(), 0);
	front_remove();
	front_complete();
	KUNIT_EXPECT_TRUE(test, double_is_clean());
}

/* The TPM does not answer as it should: later it may. */
static void registration_is_tried_again(struct kunit *test)
{
	front_initialise(test, false);
	front.peer = PEER_DROPS;
	front_backend(XenbusStateConnected);
	front_settle();
	KUNIT_EXPECT_PTR_EQ(test, double_chip(), NULL);
	KUNIT_EXPECT_EQ(test, double_chips(), 0);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&front_device()->register_work));
	front.peer = PEER_ANSWERS;
	front_settle();
	KUNIT_EXPECT_NOT_NULL(test, double_chip());
}

static struct kunit_case link_cases[] = {
	KUNIT_CASE_PARAM(backend_state, state_gen_params),
	KUNIT_CASE(states_that_do_not_exist),
	KUNIT_CASE(nodes_come_together),
	KUNIT_CASE(the_module_does_not_want_it),
	KUNIT_CASE(a_backend_of_version_1),
	KUNIT_CASE(the_extension_is_lost),
	KUNIT_CASE(the_extension_is_never_gained),
	KUNIT_CASE(the_chip_outlives_the_link),
	KUNIT_CASE(the_past_is_presented),
	KUNIT_CASE(without_the_extension_it_is_lost),
	KUNIT_CASE(with_the_extension_it_is_handed_in_again),
	KUNIT_CASE(dropped_after_it_was_handed_in_again),
	KUNIT_CASE_PARAM(remove_in_any_situation, state_gen_params),
	KUNIT_CASE(remove_under_a_command),
	KUNIT_CASE(nothing_is_left_in_the_pages),
	KUNIT_CASE(suspend_hooks_without_a_device),
	KUNIT_CASE(registration_is_tried_again),
	{}
};

static struct kunit_suite link_suite = {
	.name = "front-link",
	.init = front_init,
	.exit = front_exit,
	.test_cases = link_cases,
};
kunit_test_suite(link_suite);
