// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random walks of the backend's states, of suspends and of lies, while a task sends all
 * the time: what is held fits together after each step (F7, F17, F18).
 */
#include <linux/kthread.h>
#include <linux/sched/task.h>

#include "front-fixture.h"

/* How far a walk came; one that never gets an answer tries nothing. */
static struct {
	unsigned int connected;
	unsigned int answered;
	unsigned int failed;
} reached;

static void step_backend(void)
{
	if (front_device())
		front_backend(double_random(XenbusStateReconfigured + 1));
}

/* The next thing that a backend does that wants to serve. */
static void step_towards_connected(void)
{
	if (!front_device())
		return;
	if (front.xdev.state == XenbusStateInitialised) {
		front_unmap();
		if (front_map())
			front_begin();
		front_backend(XenbusStateConnected);
	} else if (front.xdev.state != XenbusStateConnected) {
		front_backend(XenbusStateClosed);
		front_backend(XenbusStateInitWait);
	}
}

static void step_suspend(void)
{
	if (!front_device())
		return;
	front_suspend();
	if (double_random(2))
		front_resume();
	front_complete();
}

static void step_resume(void)
{
	if (front_device())
		front_resume();
}

static void step_peer(void)
{
	front.peer = double_random(8) ? PEER_ANSWERS : double_random(3);
	front.on_cancel = double_random(3);
	front.ignores_control = !double_random(3);
	front.answer = double_random(8) ? 10 + double_random(200) :
					  double_random(6000);
	front.offers = double_random(8);
}

static void step_lie(void)
{
	u8 *page = (u8 *)front.page;
	int i;

	if (!page)
		return;
	for (i = 0; i < 8; i++)
		page[double_random(24)] = double_random(256);
	WRITE_ONCE(front.page->state, double_random(8) ? double_random(4) :
							 double_random(256));
	double_fire(double_irq());
}

static void step_event(void)
{
	double_fire(double_irq());
}

static void step_registration(void)
{
	if (front_device())
		front_settle();
}

/* How often a step is taken, out of the sum of all. */
static const struct {
	void (*take)(void);
	unsigned int weight;
} steps[] = {
	{ step_backend, 3 }, { step_towards_connected, 14 },
	{ step_suspend, 2 }, { step_resume, 1 }, { step_peer, 3 },
	{ step_lie, 3 }, { step_event, 4 }, { step_registration, 4 },
};

static void take_step(void)
{
	unsigned int total = 0, chosen, i;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		total += steps[i].weight;
	chosen = double_random(total);
	for (i = 0; chosen >= steps[i].weight; i++)
		chosen -= steps[i].weight;
	steps[i].take();
}

/* A user of the chip; the TPM core lets one at a time in. */
static int user(void *unused)
{
	while (!kthread_should_stop()) {
		if (!double_chip()) {
			schedule_timeout_uninterruptible(1);
		} else if (!front_send_ordinary()) {
			front_receive(sizeof(front.received));
			reached.answered++;
		} else {
			reached.failed++;
		}
	}
	return 0;
}

static void impatient(void)
{
	*double_command_timeout_ms = 2;
	*double_cancel_timeout_ms = 2;
	*double_connect_timeout_ms = 2;
	*double_drain_timeout_ms = 2;
	*double_quiesce_timeout_ms = 2;
	front.offers = true;
}

/* Registration asks the TPM too: it is done when the user begins. */
static void random_walk(struct kunit *test)
{
	struct task_struct *task;
	unsigned int i;

	memset(&reached, 0, sizeof(reached));
	front_connect(test, true);
	impatient();
	task = kthread_run(user, NULL, "vtpm-kunit-user");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	for (i = 0; i < double_rounds() / 4 && double_is_clean(); i++) {
		take_step();
		reached.connected += front.xdev.state == XenbusStateConnected;
		KUNIT_EXPECT_TRUE_MSG(test, front_fits_together(), "step %u", i);
	}
	kthread_stop(task);
	kunit_info(test, "%u steps: %u connected, %u answered, %u failed", i,
		   reached.connected, reached.answered, reached.failed);
	KUNIT_EXPECT_GT(test, reached.connected, 0);
	KUNIT_EXPECT_GT(test, reached.answered, 0);
	KUNIT_EXPECT_GT(test, reached.failed, 0);
}

/* Probe and remove, with as much in between as there is time for. */
static void lives(struct kunit *test)
{
	unsigned int i, steps_of_life;

	impatient();
	for (i = 0; i < double_rounds() / 50; i++) {
		KUNIT_ASSERT_EQ(test, front_probe(), 0);
		for (steps_of_life = double_random(20); steps_of_life;
		     steps_of_life--)
			take_step();
		KUNIT_EXPECT_TRUE(test, front_fits_together());
		front_remove();
		front_unmap();
		KUNIT_ASSERT_EQ(test, double_memory_held(), 0);
		KUNIT_ASSERT_EQ(test, double_rings(), 0);
		KUNIT_ASSERT_EQ(test, double_ports(), 0);
		KUNIT_ASSERT_EQ(test, double_chips(), 0);
	}
}

static struct kunit_case walk_cases[] = {
	KUNIT_CASE(random_walk),
	KUNIT_CASE(lives),
	{}
};

static struct kunit_suite walk_suite = {
	.name = "front-walk",
	.init = front_init,
	.exit = front_exit,
	.test_cases = walk_cases,
};
kunit_test_suite(walk_suite);
