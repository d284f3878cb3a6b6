// SPDX-License-Identifier: GPL-2.0-only
/*
 * Suspend, resume, and the suspend that is cancelled: with a backend that follows, and
 * with one that does not, which must not hold it up for longer than it may (F10).
 */
#include <linux/kthread.h>

#include "front-fixture.h"

/* How long a suspend may wait in these tests, in ms. */
#define PATIENCE	60

static void suspended(struct kunit *test, unsigned int at_least)
{
	unsigned long begun = jiffies;

	KUNIT_EXPECT_EQ(test, front_suspend(), 0);
	KUNIT_EXPECT_GE(test, jiffies_to_msecs(jiffies - begun), at_least);
	KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - begun), 10000);
	KUNIT_EXPECT_TRUE(test, front_device()->suspended);
	flush_work(&front.look);
}

/* The page of a resumed domain is another one. */
static void resumed(struct kunit *test, bool offers)
{
	front_unmap();
	KUNIT_ASSERT_EQ(test, front_resume(), 0);
	KUNIT_EXPECT_EQ(test, front.xdev.state, XenbusStateInitialised);
	KUNIT_ASSERT_TRUE(test, front_map());
	front.offers = offers;
	front_begin();
	front_complete();
	front_backend(XenbusStateConnected);
	KUNIT_EXPECT_EQ(test, front.xdev.state, XenbusStateConnected);
}

static void works(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	KUNIT_EXPECT_EQ(test, front_receive(100), 10);
}

static void without_the_extension(struct kunit *test)
{
	front_connect(test, false);
	works(test);
	suspended(test, 0);
	KUNIT_EXPECT_EQ(test, front.quiesces, 0);
	resumed(test, false);
	works(test);
}

static void with_the_extension(struct kunit *test)
{
	u64 sequence;

	front_connect(test, true);
	*double_quiesce_timeout_ms = 20000;
	works(test);
	sequence = front.sequence;
	suspended(test, 0);
	KUNIT_EXPECT_EQ(test, front.quiesces, 1);
	KUNIT_EXPECT_FALSE(test, front_device()->quiescing);
	resumed(test, true);
	works(test);
	KUNIT_EXPECT_EQ(test, front.sequence, sequence + 1);
	KUNIT_EXPECT_EQ(test, front.continues, 0);
}

/* The backend still serves the page: it is told to go on. */
static void cancelled(struct kunit *test)
{
	front_connect(test, true);
	*double_quiesce_timeout_ms = 20000;
	suspended(test, 0);
	front_complete();
	flush_work(&front.look);
	KUNIT_EXPECT_EQ(test, front.continues, 1);
	works(test);
}

static void several_times(struct kunit *test)
{
	int i;

	front_connect(test, true);
	for (i = 0; i < 5; i++) {
		suspended(test, 0);
		if (i % 2)
			front_complete();
		else
			resumed(test, true);
		works(test);
	}
	KUNIT_EXPECT_EQ(test, front.quiesces, 5);
}

/* Hooks in an order that no PM core has. */
static void resume_without_suspend(struct kunit *test)
{
	front_connect(test, true);
	resumed(test, true);
	works(test);
	front_complete();
	works(test);
}

static void resume_twice(struct kunit *test)
{
	front_connect(test, true);
	suspended(test, 0);
	front_unmap();
	KUNIT_EXPECT_EQ(test, front_resume(), 0);
	KUNIT_EXPECT_EQ(test, double_rings(), 1);
	resumed(test, true);
	works(test);
}

static void suspend_without_a_link(struct kunit *test)
{
	front_connect(test, true);
	front_backend(XenbusStateClosed);
	suspended(test, 0);
	resumed(test, true);
	works(test);
}

static void suspend_before_it_connects(struct kunit *test)
{
	front_initialise(test, true);
	suspended(test, 0);
	resumed(test, true);
	front_settle();
	works(test);
}

/* A backend that does not follow. */

static void the_backend_does_not_quiesce(struct kunit *test)
{
	front_connect(test, true);
	*double_quiesce_timeout_ms = PATIENCE;
	front.ignores_control = true;
	suspended(test, PATIENCE);
	KUNIT_EXPECT_EQ(test, front.quiesces, 1);
	resumed(test, true);
	front.ignores_control = false;
	works(test);
}

/* A word that nobody asked for does not end the wait, nor does one of another kind. */
static void the_backend_answers_something_else(struct kunit *test)
{
	front_connect(test, true);
	front_trailer()->answer = VTPM_CONTROL_CONTINUE;
	double_fire(double_irq());
	*double_quiesce_timeout_ms = PATIENCE;
	front.ignores_control = true;
	suspended(test, PATIENCE);
	KUNIT_EXPECT_TRUE(test, front_device()->quiescing);
}

static void a_command_is_under_way(struct kunit *test)
{
	struct front_sender sender;

	front_connect(test, true);
	*double_drain_timeout_ms = PATIENCE;
	front.peer = PEER_SILENT;
	front_start_sender(test, &sender);
	KUNIT_EXPECT_TRUE(test, front_await(front_has_submitted));
	suspended(test, PATIENCE);
	/* What could not be drained is not quiesced: the command has no end yet. */
	KUNIT_EXPECT_EQ(test, front.quiesces, 0);
	front.peer = PEER_ANSWERS;
	resumed(test, true);
	KUNIT_EXPECT_EQ(test, front_finish_sender(&sender), 0);
	KUNIT_EXPECT_EQ(test, front_receive(100), 10);
}

static void a_command_is_lost(struct kunit *test)
{
	struct front_sender sender;

	front_connect(test, false);
	*double_drain_timeout_ms = PATIENCE;
	front.peer = PEER_SILENT;
	front_start_sender(test, &sender);
	KUNIT_EXPECT_TRUE(test, front_await(front_has_submitted));
	suspended(test, PATIENCE);
	resumed(test, false);
	KUNIT_EXPECT_EQ(test, front_finish_sender(&sender), -EPIPE);
	front.peer = PEER_ANSWERS;
	works(test);
}

/* The gate: nothing is handed in from the suspend on until the page is a new one. */
static void nothing_passes_the_gate(struct kunit *test)
{
	struct front_sender sender;

	front_connect(test, true);
	suspended(test, 0);
	front_start_sender(test, &sender);
	schedule_timeout_uninterruptible(msecs_to_jiffies(PATIENCE));
	KUNIT_EXPECT_FALSE(test, front_has_submitted());
	KUNIT_EXPECT_EQ(test, sender.err, 1);
	front_complete();
	KUNIT_EXPECT_EQ(test, front_finish_sender(&sender), 0);
	KUNIT_EXPECT_TRUE(test, front_has_submitted());
}

static void the_gate_is_bounded_too(struct kunit *test)
{
	front_connect(test, true);
	*double_connect_timeout_ms = PATIENCE;
	suspended(test, 0);
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), -ETIME);
	front_complete();
}

static void removed_while_suspended(struct kunit *test)
{
	front_connect(test, true);
	suspended(test, 0);
	front_remove();
	KUNIT_EXPECT_EQ(test, double_rings(), 0);
	KUNIT_EXPECT_EQ(test, double_chips(), 0);
	front_complete();
}

static struct kunit_case suspend_cases[] = {
	KUNIT_CASE(without_the_extension),
	KUNIT_CASE(with_the_extension),
	KUNIT_CASE(cancelled),
	KUNIT_CASE(several_times),
	KUNIT_CASE(resume_without_suspend),
	KUNIT_CASE(resume_twice),
	KUNIT_CASE(suspend_without_a_link),
	KUNIT_CASE(suspend_before_it_connects),
	KUNIT_CASE(the_backend_does_not_quiesce),
	KUNIT_CASE(the_backend_answers_something_else),
	KUNIT_CASE(a_command_is_under_way),
	KUNIT_CASE(a_command_is_lost),
	KUNIT_CASE(nothing_passes_the_gate),
	KUNIT_CASE(the_gate_is_bounded_too),
	KUNIT_CASE(removed_while_suspended),
	{}
};

static struct kunit_suite suspend_suite = {
	.name = "front-suspend",
	.init = front_init,
	.exit = front_exit,
	.test_cases = suspend_cases,
};
kunit_test_suite(suspend_suite);
