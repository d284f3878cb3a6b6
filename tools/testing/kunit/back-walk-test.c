// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random walks: whatever comes in whatever order, what is held fits together after each
 * step, and nothing is left in the end (B5, B10, B15, B17). Then the same things at the
 * same time, by as many threads as there are actors.
 */
#include <linux/kthread.h>
#include <linux/poll.h>
#include <linux/sched/task.h>

#include "back-fixture.h"

/* Steps of the walk; each may be impossible at the moment, and then does nothing. */

static void step_frontend(void)
{
	back_frontend(double_random(XenbusStateReconfigured + 1));
}

static void step_probe(void)
{
	store_set(BACK_DIR, "online", "1");
	if (!back_device())
		back_probe();
}

static void step_accept(void)
{
	if (double_file(back.fd))
		return;
	back.policy.features = double_random(2) ? BACK_EXTENDED : 0;
	back.policy.mode = double_random(3) ? VTPM_MODE_NATIVE : VTPM_MODE_RAW;
	if (back.policy.mode == VTPM_MODE_RAW)
		back.policy.features = 0;
	back.policy.localities = BIT(0) | double_random(TPM_LOCALITY_MASK);
	back_accept();
}

/* The next thing that a toolstack, an engine and a guest do that mean well. */
static void step_towards_connected(void)
{
	if (!back_device()) {
		step_probe();
	} else if (!back_conn()) {
		back_frontend(XenbusStateInitialising);
	} else if (!tpmback_conn_is_accepted(back_conn())) {
		back_close();
		step_accept();
	} else {
		double_grant(BACK_GREF, back.pages);
		back_write_nodes(back.policy.features);
		back_frontend(XenbusStateInitialised);
		back_settle();
		if (back.policy.features)
			back_answer_begin();
		back_settle();
	}
}

static void step_nodes(void)
{
	back_write_nodes(double_random(2));
	if (!double_random(4))
		store_rm(BACK_FRONT_DIR, "ring-ref");
	if (!double_random(4))
		store_set(BACK_FRONT_DIR, "event-channel", "%u",
			  double_random(30));
	if (!double_random(8))
		back.page->nr_extra_pages = double_random(4);
}

/* A read that fails forgets what the last one was, which then has no answer. */
static void step_read(void)
{
	if (double_file(back.fd) &&
	    (back_poll() & EPOLLIN || !double_random(16)))
		back_read();
}

static void step_begin(void)
{
	if (double_file(back.fd) && back.policy.features)
		back_answer_begin();
}

static void step_write(void)
{
	if (double_file(back.fd))
		back_respond(double_random(8) ? 10 + double_random(4080) : 0);
}

static void step_poll(void)
{
	if (double_file(back.fd))
		back_poll();
}

static void step_command(void)
{
	back_command(double_random(4) ? 10 + double_random(100) :
					double_random(5000));
	back.page->locality = double_random(8) ? 0 : double_random(256);
	back_state(VTPM_STATE_SUBMIT);
	back_event();
}

static void step_page(void)
{
	u8 *page = (u8 *)back.page;
	int i;

	for (i = 0; i < 8; i++)
		page[double_random(24)] = double_random(256);
	back_trailer()->control = double_random(4);
	back_state(double_random(16) ? double_random(4) : double_random(256));
	back_event();
}

static void step_remove(void)
{
	back_remove();
	if (!double_random(2))
		back_remove();
}

static void step_offline(void)
{
	back_online(double_random(2));
}

static void step_event(void)
{
	struct vtpm_event event;
	loff_t pos = 0;

	back.controller->f_op->read(back.controller, (char __user *)&event,
				    sizeof(event), &pos);
}

static void step_controller(void)
{
	double_release(back.controller);
	back.controller = double_open(double_misc()->fops, O_NONBLOCK);
}

static void step_stall(void)
{
	if (back_conn())
		mod_delayed_work(system_wq, &back_conn()->stall, 0);
}

static void step_grant(void)
{
	if (double_random(2))
		double_revoke(BACK_GREF);
	else
		double_grant(BACK_GREF, back.pages);
}

/* How often a step is taken, out of the sum of all. */
static const struct {
	void (*take)(void);
	unsigned int weight;
} steps[] = {
	{ step_frontend, 2 }, { step_towards_connected, 30 }, { step_nodes, 3 },
	{ step_accept, 4 }, { back_close, 3 }, { step_read, 16 },
	{ step_begin, 4 }, { step_write, 14 }, { step_poll, 4 },
	{ step_command, 20 }, { step_page, 2 }, { step_remove, 1 },
	{ step_probe, 2 }, { step_offline, 1 }, { step_event, 5 },
	{ step_controller, 1 }, { step_stall, 1 }, { step_grant, 1 },
	{ back_settle, 4 },
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

/* How far a walk came: one that never connects tries nothing. */
static struct {
	unsigned int connected;
	unsigned int read;
	unsigned int removed;
} reached;

static void note_progress(bool was_bound)
{
	reached.connected += back.xdev.state == XenbusStateConnected;
	reached.read += back.got > 0;
	reached.removed += was_bound && !back_device();
	back.got = 0;
}

static void random_walk(struct kunit *test)
{
	unsigned int i;
	bool bound;

	memset(&reached, 0, sizeof(reached));
	for (i = 0; i < double_rounds(); i++) {
		bound = back_device();
		take_step();
		note_progress(bound);
		KUNIT_ASSERT_TRUE_MSG(test, back_fits_together(), "step %u", i);
	}
	kunit_info(test, "%u steps: %u connected, %u packets read, %u removals",
		   i, reached.connected, reached.read, reached.removed);
	KUNIT_EXPECT_GT(test, reached.connected, 0);
	KUNIT_EXPECT_GT(test, reached.read, 0);
	KUNIT_EXPECT_GT(test, reached.removed, 0);
}

/* All actors at once. The device is removed by xenwatch only, as on the real bus. */

static struct completion finished;
static atomic_t running;

static void actor_done(void)
{
	if (atomic_dec_and_test(&running))
		complete(&finished);
}

static int xenwatch(void *unused)
{
	unsigned int i;

	for (i = 0; i < double_rounds() / 8; i++) {
		switch (double_random(8)) {
		case 0:
			step_remove();
			break;
		case 1:
			step_offline();
			break;
		case 2:
			step_frontend();
			break;
		default:
			step_probe();
			back_frontend(XenbusStateInitialised);
			back_settle();
		}
	}
	actor_done();
	return 0;
}

/* Accepts by the number of an event: the device is not its to look at. */
static int engine(void *unused)
{
	struct vtpm_event event = {};
	loff_t pos = 0;
	unsigned int i;

	for (i = 0; i < double_rounds() / 2; i++) {
		back.controller->f_op->read(back.controller,
					    (char __user *)&event,
					    sizeof(event), &pos);
		back.policy.id = event.id;
		if (!double_file(back.fd))
			back.fd = back_ioctl(VTPM_IOC_ACCEPT, &back.policy);
		if (!double_file(back.fd))
			continue;
		if (back.policy.features)
			back_answer_begin();
		if (back_read() > 0)
			back_respond(10 + i % 4000);
		if (back_poll() & EPOLLHUP || !(i % 64))
			back_close();
	}
	actor_done();
	return 0;
}

static int guest(void *unused)
{
	unsigned int i;

	for (i = 0; i < double_rounds(); i++) {
		back_command(10 + i % 100);
		back_state(i % 4 ? VTPM_STATE_SUBMIT : VTPM_STATE_CANCEL);
		double_fire(double_irq());
		back_trailer()->control = i & 3;
		if (!(i % 16))
			schedule();
	}
	actor_done();
	return 0;
}

static void at_once(struct kunit *test, u32 features)
{
	static int (* const actors[])(void *) = { xenwatch, engine, guest };
	struct task_struct *tasks[ARRAY_SIZE(actors)];
	int i;

	back.policy.features = features;
	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	back_write_nodes(features);
	init_completion(&finished);
	atomic_set(&running, ARRAY_SIZE(actors));
	for (i = 0; i < ARRAY_SIZE(actors); i++) {
		tasks[i] = kthread_create(actors[i], NULL, "vtpm-kunit-actor");
		KUNIT_ASSERT_FALSE(test, IS_ERR(tasks[i]));
		get_task_struct(tasks[i]);
		wake_up_process(tasks[i]);
	}
	wait_for_completion(&finished);
	/* Their code must not go away before they have left it. */
	for (i = 0; i < ARRAY_SIZE(actors); i++) {
		kthread_stop(tasks[i]);
		put_task_struct(tasks[i]);
	}
}

static void actors_at_once(struct kunit *test)
{
	at_once(test, 0);
}

static void actors_at_once_with_extension(struct kunit *test)
{
	at_once(test, BACK_EXTENDED);
}

static struct kunit_case walk_cases[] = {
	KUNIT_CASE(random_walk),
	KUNIT_CASE(actors_at_once),
	KUNIT_CASE(actors_at_once_with_extension),
	{}
};

static struct kunit_suite walk_suite = {
	.name = "back-walk",
	.init = back_init,
	.exit = back_exit,
	.test_cases = walk_cases,
};
kunit_test_suite(walk_suite);
