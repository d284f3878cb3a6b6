// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the TPM core sees: send, receive, cancel. Every wait for the backend is bounded
 * (F10), and there is one command under way at a time.
 */
#include <linux/delay.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/unaligned.h>

#include "front-fixture.h"

/* How long a backend may be silent in these tests, in ms. */
#define PATIENCE	60

static void lengths_of_commands(struct kunit *test)
{
	static u8 command[VTPM_PACKET_MAX + 1];

	front_connect(test, false);
	put_unaligned_be16(0x8001, command);
	KUNIT_EXPECT_EQ(test, front_send(command, 9), -E2BIG);
	KUNIT_EXPECT_EQ(test, front_send(command, VTPM_PACKET_MAX_SINGLE + 1),
			-E2BIG);
	KUNIT_EXPECT_EQ(test, front_send(command, VTPM_PACKET_MAX), -E2BIG);
	KUNIT_EXPECT_EQ(test, front_send(command, VTPM_PACKET_MAX + 1), -E2BIG);
	KUNIT_EXPECT_FALSE(test, front_has_submitted());
	KUNIT_EXPECT_EQ(test, front_send(command, VTPM_PACKET_MAX_SINGLE), 0);
	KUNIT_EXPECT_EQ(test, front.sent_length, VTPM_PACKET_MAX_SINGLE);
}

static void the_largest_with_extension(struct kunit *test)
{
	static u8 command[VTPM_PACKET_MAX];

	front_connect(test, true);
	memset(command, 0x33, sizeof(command));
	KUNIT_EXPECT_EQ(test, front_send(command, sizeof(command)), 0);
	KUNIT_EXPECT_EQ(test, front.sent_length, sizeof(command));
	KUNIT_EXPECT_EQ(test, memcmp(front.sent, command, sizeof(command)), 0);
}

static void sequences_rise(struct kunit *test)
{
	u64 first;
	int i;

	front_connect(test, true);
	first = front.sequence;
	for (i = 1; i <= 10; i++) {
		KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
		KUNIT_EXPECT_EQ(test, front.sequence, first + i);
	}
}

/* A silent backend. */

static void expect_bounded(struct kunit *test, int expected,
			   unsigned int at_least)
{
	unsigned long begun = jiffies;

	KUNIT_EXPECT_EQ(test, front_send_ordinary(), expected);
	KUNIT_EXPECT_GE(test, jiffies_to_msecs(jiffies - begun), at_least);
	KUNIT_EXPECT_LT(test, jiffies_to_msecs(jiffies - begun), 10000);
}

static void a_silent_backend(struct kunit *test)
{
	front_connect(test, false);
	*double_command_timeout_ms = PATIENCE;
	*double_cancel_timeout_ms = PATIENCE;
	*double_connect_timeout_ms = PATIENCE;
	front.peer = PEER_SILENT;
	expect_bounded(test, -ETIME, 2 * PATIENCE);
	KUNIT_EXPECT_EQ(test, front.page->state, VTPM_STATE_CANCEL);
	flush_work(&front.look);
	KUNIT_EXPECT_EQ(test, front.cancels, 1);
	/* The page stays taken, until the backend has ended the first one. */
	expect_bounded(test, -ETIME, PATIENCE);
	KUNIT_EXPECT_EQ(test, front.submits, 2);
}

/* Who comes after a command whose time was over does not wait as for a link. */
static void behind_a_dead_command(struct kunit *test)
{
	front_connect(test, false);
	*double_command_timeout_ms = PATIENCE;
	*double_cancel_timeout_ms = PATIENCE;
	*double_connect_timeout_ms = 20000;
	front.peer = PEER_SILENT;
	expect_bounded(test, -ETIME, 2 * PATIENCE);
	expect_bounded(test, -ETIME, PATIENCE);
}

/* What the TPM core says of a command, in ms, and whether we wait that long. */
static const struct duration_case {
	const char *name;
	unsigned int core;
	bool tpm2;
	bool longer;
} duration_cases[] = {
	{ "known", 2000, true, false },
	{ "unknown", 120000, true, false },
	{ "creates-keys", 300000, true, true },
	{ "tpm-1.2", 300000, false, false },
};

static void duration_name(const struct duration_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(duration, duration_cases, duration_name);

static void the_time_for_a_response(struct kunit *test)
{
	const struct duration_case *c = test->param_value;
	struct front_sender sender;

	front_connect(test, false);
	if (c->tpm2)
		double_chip()->flags |= TPM_CHIP_FLAG_TPM2;
	double_hooks.duration_ms = c->core;
	*double_command_timeout_ms = PATIENCE;
	*double_cancel_timeout_ms = PATIENCE;
	front.peer = PEER_SILENT;
	if (!c->longer) {
		expect_bounded(test, -ETIME, 2 * PATIENCE);
		return;
	}
	front_start_sender(test, &sender);
	msleep(4 * PATIENCE);
	KUNIT_EXPECT_FALSE(test, completion_done(&sender.done));
	front_publish(VTPM_STATE_FINISH, 40);
	KUNIT_EXPECT_EQ(test, front_finish_sender(&sender), 0);
}

static void a_late_response_is_thrown_away(struct kunit *test)
{
	front_connect(test, false);
	*double_command_timeout_ms = PATIENCE;
	*double_cancel_timeout_ms = PATIENCE;
	front.peer = PEER_SILENT;
	expect_bounded(test, -ETIME, PATIENCE);
	front.answer = 77;
	memset(front_packet(), 0x66, 77);
	front_publish(VTPM_STATE_FINISH, 77);
	KUNIT_EXPECT_EQ(test, front_packet()[0], 0);
	front.peer = PEER_ANSWERS;
	front.answer = 20;
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	KUNIT_EXPECT_EQ(test, front_receive(100), 20);
	KUNIT_EXPECT_EQ(test, front.received[12], 0x42);
}

static void a_cancel_that_is_heard(struct kunit *test)
{
	front_connect(test, false);
	*double_command_timeout_ms = PATIENCE;
	*double_cancel_timeout_ms = 20000;
	front.peer = PEER_SILENT;
	front.on_cancel = PEER_DROPS;
	expect_bounded(test, -ECANCELED, PATIENCE);
	front.on_cancel = PEER_ANSWERS;
	expect_bounded(test, 0, PATIENCE);
	KUNIT_EXPECT_EQ(test, front_receive(100), 10);
}

/* CANCEL never takes the place of anything but SUBMIT. */
static void cancel_does_not_overwrite_finish(struct kunit *test)
{
	front_connect(test, false);
	front_device()->in_flight = true;
	front_device()->command_length = 0;
	front.page->state = VTPM_STATE_FINISH;
	double_chip()->ops->cancel(double_chip());
	KUNIT_EXPECT_EQ(test, front.page->state, VTPM_STATE_FINISH);
	front_device()->in_flight = false;
}

static void cancel_without_a_command(struct kunit *test)
{
	front_connect(test, false);
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	front.page->state = VTPM_STATE_SUBMIT;
	double_chip()->ops->cancel(double_chip());
	KUNIT_EXPECT_EQ(test, front.page->state, VTPM_STATE_SUBMIT);
}

static void dropped_by_the_backend(struct kunit *test)
{
	struct tpm_chip *chip;
	u8 status;

	front_connect(test, false);
	front.peer = PEER_DROPS;
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), -ECANCELED);
	chip = double_chip();
	status = chip->ops->status(chip);
	KUNIT_EXPECT_TRUE(test, chip->ops->req_canceled(chip, status));
	front.peer = PEER_ANSWERS;
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	status = chip->ops->status(chip);
	KUNIT_EXPECT_FALSE(test, chip->ops->req_canceled(chip, status));
	KUNIT_EXPECT_EQ(test, status & chip->ops->req_complete_mask,
			chip->ops->req_complete_val);
}

/* Nobody is there to connect to. */
static void no_backend(struct kunit *test)
{
	front_connect(test, false);
	front_backend(XenbusStateClosed);
	*double_connect_timeout_ms = PATIENCE;
	expect_bounded(test, -ETIME, PATIENCE);
}

/* A task that is killed, and one that is to be frozen. */

static void killed_while_it_waits(struct kunit *test)
{
	struct front_sender sender;

	front_connect(test, false);
	*double_cancel_timeout_ms = PATIENCE;
	front.peer = PEER_SILENT;
	front_start_sender(test, &sender);
	KUNIT_EXPECT_TRUE(test, front_await(front_has_submitted));
	/* A kernel thread is never given a signal; this is what one is. */
	spin_lock_irq(&sender.task->sighand->siglock);
	sigaddset(&sender.task->pending.signal, SIGKILL);
	set_tsk_thread_flag(sender.task, TIF_SIGPENDING);
	spin_unlock_irq(&sender.task->sighand->siglock);
	wake_up_process(sender.task);
	KUNIT_EXPECT_EQ(test, front_finish_sender(&sender), -EINTR);
	flush_work(&front.look);
	KUNIT_EXPECT_EQ(test, front.cancels, 1);
}

static struct front_sender freezer;

static bool may_be_frozen(void)
{
	return READ_ONCE(freezer.task->__state) & TASK_FREEZABLE;
}

static void frozen_after_a_while(struct kunit *test)
{
	front_connect(test, false);
	*double_freeze_timeout_ms = PATIENCE;
	front.peer = PEER_SILENT;
	front_start_sender(test, &freezer);
	KUNIT_EXPECT_TRUE(test, front_await(front_has_submitted));
	KUNIT_EXPECT_FALSE(test, may_be_frozen());
	WRITE_ONCE(double_hooks.wants_freeze, true);
	KUNIT_EXPECT_TRUE(test, front_await(may_be_frozen));
	/* The response is taken by the interrupt meanwhile. */
	front_publish(VTPM_STATE_FINISH, 40);
	KUNIT_EXPECT_EQ(test, front_finish_sender(&freezer), 0);
	KUNIT_EXPECT_EQ(test, front_receive(100), 40);
}

static struct kunit_case command_cases[] = {
	KUNIT_CASE(lengths_of_commands),
	KUNIT_CASE(the_largest_with_extension),
	KUNIT_CASE(sequences_rise),
	KUNIT_CASE(a_silent_backend),
	KUNIT_CASE(behind_a_dead_command),
	KUNIT_CASE_PARAM(the_time_for_a_response, duration_gen_params),
	KUNIT_CASE(a_late_response_is_thrown_away),
	KUNIT_CASE(a_cancel_that_is_heard),
	KUNIT_CASE(cancel_does_not_overwrite_finish),
	KUNIT_CASE(cancel_without_a_command),
	KUNIT_CASE(dropped_by_the_backend),
	KUNIT_CASE(no_backend),
	KUNIT_CASE(killed_while_it_waits),
	KUNIT_CASE(frozen_after_a_while),
	{}
};

static struct kunit_suite command_suite = {
	.name = "front-command",
	.init = front_init,
	.exit = front_exit,
	.test_cases = command_cases,
};
kunit_test_suite(command_suite);
