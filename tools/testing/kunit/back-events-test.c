// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: one EOI for each, spurious unless there was work, none once the frontend broke
 * the protocol (B3); page states and CANCEL; the time that a command waits for (B9).
 */
#include <linux/poll.h>
#include <linux/jiffies.h>

#include "back-fixture.h"

enum eoi {
	EOI_NONE,
	EOI_NEWS,
	EOI_SPURIOUS,
};

static void expect_event(struct kunit *test, enum eoi expected)
{
	unsigned int irq = double_irq();
	struct double_line before = double_line(irq), after;

	KUNIT_ASSERT_TRUE(test, double_fire(irq));
	after = double_line(irq);
	KUNIT_EXPECT_EQ(test, after.fired, before.fired + 1);
	KUNIT_EXPECT_EQ(test, after.eois, before.eois + (expected != EOI_NONE));
	KUNIT_EXPECT_EQ(test, after.spurious,
			before.spurious + (expected == EOI_SPURIOUS));
}

static unsigned int notified(void)
{
	return double_line(double_irq()).notified;
}

static void an_event_without_cause(struct kunit *test)
{
	int i;

	back_connect(test);
	for (i = 0; i < 3; i++)
		expect_event(test, EOI_SPURIOUS);
	KUNIT_EXPECT_EQ(test, notified(), 0);
}

static void a_command_is_news_once(struct kunit *test)
{
	back_connect(test);
	back_command(20);
	back_state(VTPM_STATE_SUBMIT);
	expect_event(test, EOI_NEWS);
	expect_event(test, EOI_SPURIOUS);
	back_read();
	expect_event(test, EOI_SPURIOUS);
	back_respond(20);
	KUNIT_EXPECT_EQ(test, notified(), 1);
	expect_event(test, EOI_SPURIOUS);
	KUNIT_EXPECT_EQ(test, notified(), 1);
}

static void a_refused_command_is_spurious(struct kunit *test)
{
	back_connect(test);
	back_command(20);
	back.page->length = 9;
	back_state(VTPM_STATE_SUBMIT);
	expect_event(test, EOI_SPURIOUS);
	KUNIT_EXPECT_EQ(test, notified(), 1);
	KUNIT_EXPECT_TRUE(test, back_is_refused(0x8001, 0x142));
}

/* What state the page may be in, and whether the frontend is parked for it. */
static const struct state_case {
	const char *name;
	u8 state;
	bool parks;
} state_cases[] = {
	{ "idle", 0, false },
	{ "submit", 1, false },
	{ "finish", 2, false },
	{ "cancel", 3, false },
	{ "4", 4, true },
	{ "128", 128, true },
	{ "255", 255, true },
};

static void state_name(const struct state_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(state, state_cases, state_name);

static void page_state(struct kunit *test)
{
	const struct state_case *c = test->param_value;

	back_connect(test);
	back_command(20);
	back_state(c->state);
	expect_event(test, c->parks ? EOI_NONE :
			   c->state == 1 ? EOI_NEWS : EOI_SPURIOUS);
	KUNIT_EXPECT_EQ(test, back_connection_state(),
			c->parks ? VTPM_CONNECTION_PARKED :
				   VTPM_CONNECTION_CONNECTED);
	/* Without an EOI no other event arrives. */
	KUNIT_EXPECT_EQ(test, back_event(), !c->parks);
}

static void parked_with_a_command_under_way(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	back_read();
	back_state(200);
	expect_event(test, EOI_NONE);
	/* What the engine says still has a place, and changes nothing. */
	KUNIT_EXPECT_GT(test, back_respond(20), 0);
	back_submit(20);
	KUNIT_EXPECT_EQ(test, back_read(), -EAGAIN);
}

static void parked_until_it_starts_anew(struct kunit *test)
{
	back_connect(test);
	back_state(4);
	back_event();
	back_close();
	back_frontend(XenbusStateInitialising);
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateInitWait);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_state(VTPM_STATE_IDLE);
	back_frontend(XenbusStateInitialised);
	back_settle();
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateConnected);
	back_command(20);
	back_state(VTPM_STATE_SUBMIT);
	expect_event(test, EOI_NEWS);
	KUNIT_EXPECT_GT(test, back_read(), 0);
}

/* CANCEL, wherever the command is. */

static void cancel(struct kunit *test, enum eoi expected)
{
	back_state(VTPM_STATE_CANCEL);
	expect_event(test, expected);
}

static void cancel_before_anybody_read_it(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	cancel(test, EOI_NEWS);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_IDLE);
	KUNIT_EXPECT_EQ(test, notified(), 1);
	KUNIT_EXPECT_EQ(test, back_read(), -EAGAIN);
}

static void cancel_of_what_was_read(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	back_read();
	KUNIT_EXPECT_EQ(test, back_poll(), EPOLLOUT | EPOLLWRNORM);
	cancel(test, EOI_NEWS);
	KUNIT_EXPECT_EQ(test, back_poll(), EPOLLOUT | EPOLLWRNORM | EPOLLPRI);
	cancel(test, EOI_SPURIOUS);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_CANCEL);
	KUNIT_EXPECT_GT(test, back_respond(33), 0);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_FINISH);
	KUNIT_EXPECT_EQ(test, back.page->length, 33);
	back_submit(20);
	back_read();
	KUNIT_EXPECT_EQ(test, back_poll(), EPOLLOUT | EPOLLWRNORM);
}

/* CANCEL has overwritten a FINISH that the frontend has never seen. */
static void cancel_over_finish(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	back_read();
	back_respond(50);
	cancel(test, EOI_SPURIOUS);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_FINISH);
	KUNIT_EXPECT_EQ(test, back.page->length, 50);
	KUNIT_EXPECT_EQ(test, memcmp(back_packet(), back.out.body, 50), 0);
	KUNIT_EXPECT_EQ(test, notified(), 2);
}

/* And here it has overwritten a SUBMIT that the backend has never seen. */
static void cancel_over_submit(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	back_read();
	back_respond(50);
	back_command(50);
	cancel(test, EOI_SPURIOUS);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_IDLE);
	KUNIT_EXPECT_EQ(test, back_read(), -EAGAIN);
}

static void cancel_without_anything(struct kunit *test)
{
	back_connect(test);
	cancel(test, EOI_SPURIOUS);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_IDLE);
	cancel(test, EOI_SPURIOUS);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_IDLE);
}

/* The engine is never asked to cancel what somebody else has to answer. */
static void cancel_without_engine(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	back_read();
	cancel(test, EOI_NEWS);
	back_close();
	KUNIT_EXPECT_TRUE(test, back_is_refused(0x8001, 0x101));
	back_submit(20);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_read();
	KUNIT_EXPECT_EQ(test, back_poll(), EPOLLOUT | EPOLLWRNORM);
}

/* The command that is taken is the one that was checked, whatever comes later. */
static void submit_under_way_is_ignored(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	back_command(40);
	back_state(VTPM_STATE_SUBMIT);
	expect_event(test, EOI_SPURIOUS);
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header) + 20);
}

/* The time that a command waits for an engine. */

static unsigned long stall_expires(void)
{
	return back_conn()->stall.timer.expires;
}

static void nothing_puts_the_stall_off(struct kunit *test)
{
	unsigned long expires;
	int i;

	back_connect(test);
	back_close();
	back_submit(20);
	KUNIT_ASSERT_TRUE(test, delayed_work_pending(&back_conn()->stall));
	expires = stall_expires();
	for (i = 0; i < 20; i++) {
		*double_engine_timeout_ms += 1000;
		back_command(30);
		back_state(i % 2 ? VTPM_STATE_SUBMIT : VTPM_STATE_IDLE);
		back_event();
		KUNIT_EXPECT_EQ(test, stall_expires(), expires);
	}
}

static void an_unserved_command_fails_in_time(struct kunit *test)
{
	*double_engine_timeout_ms = 20;
	back_connect(test);
	back_close();
	back_submit(20);
	flush_delayed_work(&back_conn()->stall);
	KUNIT_EXPECT_TRUE(test, back_is_refused(0x8001, 0x101));
	/* The next engine must not get what the guest was told has failed. */
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	KUNIT_EXPECT_EQ(test, back_read(), -EAGAIN);
}

static void a_served_command_does_not_fail(struct kunit *test)
{
	back_connect(test);
	back_close();
	back_submit(20);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	flush_delayed_work(&back_conn()->stall);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_SUBMIT);
	KUNIT_EXPECT_GT(test, back_read(), 0);
	flush_delayed_work(&back_conn()->stall);
	KUNIT_EXPECT_GT(test, back_respond(20), 0);
}

static struct kunit_case events_cases[] = {
	KUNIT_CASE(an_event_without_cause),
	KUNIT_CASE(a_command_is_news_once),
	KUNIT_CASE(a_refused_command_is_spurious),
	KUNIT_CASE_PARAM(page_state, state_gen_params),
	KUNIT_CASE(parked_with_a_command_under_way),
	KUNIT_CASE(parked_until_it_starts_anew),
	KUNIT_CASE(cancel_before_anybody_read_it),
	KUNIT_CASE(cancel_of_what_was_read),
	KUNIT_CASE(cancel_over_finish),
	KUNIT_CASE(cancel_over_submit),
	KUNIT_CASE(cancel_without_anything),
	KUNIT_CASE(cancel_without_engine),
	KUNIT_CASE(submit_under_way_is_ignored),
	KUNIT_CASE(nothing_puts_the_stall_off),
	KUNIT_CASE(an_unserved_command_fails_in_time),
	KUNIT_CASE(a_served_command_does_not_fail),
	{}
};

static struct kunit_suite events_suite = {
	.name = "back-events",
	.init = back_init,
	.exit = back_exit,
	.test_cases = events_cases,
};
kunit_test_suite(events_suite);
