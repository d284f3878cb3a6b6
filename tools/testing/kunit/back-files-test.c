// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system calls on /dev/vtpm and on a connection: the errno tables of
 * Documentation/dev-vtpm.md, and what happens in the middle of a copy (B12, B19).
 */
#include <linux/poll.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>

#include "back-fixture.h"

static ssize_t read_event(struct vtpm_event *event, size_t size)
{
	loff_t pos = 0;

	return back.controller->f_op->read(back.controller,
					   (char __user *)event, size, &pos);
}

static __poll_t poll_events(void)
{
	return back.controller->f_op->poll(back.controller, NULL);
}

static void expect_event(struct kunit *test, u32 type)
{
	struct vtpm_event event;

	KUNIT_EXPECT_EQ(test, poll_events(), EPOLLIN | EPOLLRDNORM);
	KUNIT_ASSERT_EQ(test, read_event(&event, sizeof(event)), sizeof(event));
	KUNIT_EXPECT_EQ(test, event.type, type);
	KUNIT_EXPECT_EQ(test, event.domid, 1);
	KUNIT_EXPECT_EQ(test, event.uuid[0], 0x01);
	KUNIT_EXPECT_EQ(test, event.uuid[15], 0xef);
	KUNIT_EXPECT_EQ(test, event.capacity, type == VTPM_EVENT_READY ?
					      VTPM_PACKET_MAX_SINGLE : 0);
}

static void expect_no_event(struct kunit *test)
{
	struct vtpm_event event;

	KUNIT_EXPECT_EQ(test, poll_events(), 0);
	KUNIT_EXPECT_EQ(test, read_event(&event, sizeof(event)), -EAGAIN);
}

static void one_controller(struct kunit *test)
{
	struct file *second = double_open(double_misc()->fops, 0);

	KUNIT_EXPECT_TRUE(test, IS_ERR(second));
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(second), -EBUSY);
}

static void events(struct kunit *test)
{
	expect_no_event(test);
	back_connect(test);
	expect_event(test, VTPM_EVENT_ADDED);
	expect_event(test, VTPM_EVENT_READY);
	expect_no_event(test);
	back_frontend(XenbusStateClosed);
	expect_event(test, VTPM_EVENT_GONE);
	expect_no_event(test);
}

/* What came and went before anybody looked is not reported; nor does it pile up. */
static void events_are_not_queued(struct kunit *test)
{
	int i;

	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	for (i = 0; i < 100; i++) {
		back_frontend(XenbusStateClosed);
		back_frontend(XenbusStateInitialising);
	}
	expect_event(test, VTPM_EVENT_ADDED);
	expect_no_event(test);
	/* Device, connection and its three buffers, the watch. */
	KUNIT_EXPECT_EQ(test, double_memory_held(), 6);
}

static void events_for_the_next_controller(struct kunit *test)
{
	back_connect(test);
	expect_event(test, VTPM_EVENT_ADDED);
	double_release(back.controller);
	back.controller = double_open(double_misc()->fops, O_NONBLOCK);
	KUNIT_ASSERT_FALSE(test, IS_ERR(back.controller));
	expect_event(test, VTPM_EVENT_ADDED);
	expect_event(test, VTPM_EVENT_READY);
	expect_no_event(test);
}

static void no_event_is_lost(struct kunit *test)
{
	struct vtpm_event event;

	back_connect(test);
	KUNIT_EXPECT_EQ(test, read_event(&event, sizeof(event) - 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, read_event(DOUBLE_BAD_ADDRESS, sizeof(event)),
			-EFAULT);
	expect_event(test, VTPM_EVENT_ADDED);
	KUNIT_EXPECT_EQ(test, read_event(DOUBLE_BAD_ADDRESS, sizeof(event)),
			-EFAULT);
	expect_event(test, VTPM_EVENT_READY);
	back_frontend(XenbusStateClosed);
	KUNIT_EXPECT_EQ(test, read_event(DOUBLE_BAD_ADDRESS, sizeof(event)),
			-EFAULT);
	expect_event(test, VTPM_EVENT_GONE);
}

static const struct accept_case {
	const char *name;
	u32 mode;
	u32 features;
	u32 localities;
	u32 reserved;
	u64 other_id;		/* added to the right one */
	long err;		/* 0: it is accepted */
} accept_cases[] = {
	{ "native", VTPM_MODE_NATIVE, 0, 1, 0, 0, 0 },
	{ "raw", VTPM_MODE_RAW, 0, 31, 0, 0, 0 },
	{ "extended", VTPM_MODE_NATIVE, BACK_EXTENDED, 1, 0, 0, 0 },
	{ "mode-2", 2, 0, 1, 0, 0, -EINVAL },
	{ "mode-max", U32_MAX, 0, 1, 0, 0, -EINVAL },
	{ "no-locality", 0, 0, 0, 0, 0, -EINVAL },
	{ "locality-5", 0, 0, 1 << 5, 0, 0, -EINVAL },
	{ "localities-max", 0, 0, U32_MAX, 0, 0, -EINVAL },
	{ "feature-unknown", 0, BACK_EXTENDED | 4, 1, 0, 0, -EINVAL },
	{ "feature-once-alone", 0, 1, 1, 0, 0, -EOPNOTSUPP },
	{ "feature-pages-alone", 0, 2, 1, 0, 0, -EOPNOTSUPP },
	{ "raw-extended", 1, BACK_EXTENDED, 1, 0, 0, -EOPNOTSUPP },
	{ "reserved", 0, 0, 1, 1, 0, -EINVAL },
	{ "no-such-id", 0, 0, 1, 0, 1, -ENOENT },
	{ "id-max", 0, 0, 1, 0, U64_MAX / 2, -ENOENT },
};

static void accept_name(const struct accept_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(accept, accept_cases, accept_name);

static void accept(struct kunit *test)
{
	const struct accept_case *c = test->param_value;
	struct vtpm_accept policy = {
		.mode = c->mode,
		.features = c->features,
		.localities = c->localities,
	};
	long ret;

	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	policy.id = back_conn()->id + c->other_id;
	policy.reserved[0] = c->reserved;
	ret = back_ioctl(VTPM_IOC_ACCEPT, &policy);
	if (c->err) {
		KUNIT_EXPECT_EQ(test, ret, c->err);
		KUNIT_EXPECT_FALSE(test, tpmback_conn_is_accepted(back_conn()));
		return;
	}
	KUNIT_ASSERT_GE(test, ret, 0);
	back.fd = ret;
	KUNIT_EXPECT_EQ(test, back_ioctl(VTPM_IOC_ACCEPT, &policy), -EBUSY);
}

static void other_ioctls(struct kunit *test)
{
	struct vtpm_info info = {};
	u32 abi = 0;

	back_connect(test);
	KUNIT_EXPECT_EQ(test, back_ioctl(VTPM_IOC_GET_ABI, &abi), 0);
	KUNIT_EXPECT_EQ(test, abi, VTPM_ABI_VERSION);
	KUNIT_EXPECT_EQ(test, back_ioctl(VTPM_IOC_GET_ABI, DOUBLE_BAD_ADDRESS),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, back_ioctl(VTPM_IOC_ACCEPT, DOUBLE_BAD_ADDRESS),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, back_ioctl(VTPM_IOC_NEXT, DOUBLE_BAD_ADDRESS),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, back_ioctl(_IO(VTPM_IOC_MAGIC, 9), &abi), -ENOTTY);
	KUNIT_EXPECT_EQ(test, back_ioctl(VTPM_IOC_NEXT, &info), 0);
	KUNIT_EXPECT_EQ(test, info.id, back_conn()->id);
	KUNIT_EXPECT_EQ(test, info.accepted, 1);
	KUNIT_EXPECT_EQ(test, info.localities, 1);
	KUNIT_EXPECT_EQ(test, info.state, VTPM_CONNECTION_CONNECTED);
	KUNIT_EXPECT_EQ(test, back_ioctl(VTPM_IOC_NEXT, &info), -ENOENT);
}

static void counters(struct kunit *test)
{
	struct vtpm_info info = {};

	back_connect(test);
	back_submit(20);
	back_read();
	back_respond(20);
	back_submit(9);
	back_submit(20);
	back_state(VTPM_STATE_CANCEL);
	back_event();
	back_submit(20);
	back_read();
	back_close();
	KUNIT_ASSERT_EQ(test, back_ioctl(VTPM_IOC_NEXT, &info), 0);
	KUNIT_EXPECT_EQ(test, info.commands, 3);
	KUNIT_EXPECT_EQ(test, info.responses, 1);
	KUNIT_EXPECT_EQ(test, info.refused, 1);
	KUNIT_EXPECT_EQ(test, info.cancelled, 1);
	KUNIT_EXPECT_EQ(test, info.failed, 1);
	KUNIT_EXPECT_EQ(test, info.accepted, 0);
	KUNIT_EXPECT_EQ(test, info.localities, 0);
}

/* read() on a connection. */

static ssize_t read_into(void *buf, size_t size)
{
	struct file *file = double_file(back.fd);
	loff_t pos = 0;

	return file->f_op->read(file, (char __user *)buf, size, &pos);
}

static void read_errors(struct kunit *test)
{
	const size_t size = sizeof(back.request.header) + 20;

	back_connect(test);
	KUNIT_EXPECT_EQ(test, read_into(&back.request, size), -EAGAIN);
	KUNIT_EXPECT_EQ(test, back_poll(), 0);
	back_submit(20);
	KUNIT_EXPECT_EQ(test, back_poll(), EPOLLIN | EPOLLRDNORM);
	KUNIT_EXPECT_EQ(test, read_into(&back.request, size - 1), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, read_into(DOUBLE_BAD_ADDRESS, size), -EFAULT);
	/* In all these cases it stays. */
	KUNIT_EXPECT_EQ(test, read_into(&back.request, size), size);
	KUNIT_EXPECT_EQ(test, back_poll(), EPOLLOUT | EPOLLWRNORM);
	back_frontend(XenbusStateClosed);
	KUNIT_EXPECT_EQ(test, back_poll(), EPOLLHUP);
	KUNIT_EXPECT_EQ(test, read_into(&back.request, size), 0);
}

/* write() on a connection, in the order of the document. */

static ssize_t write_from(const void *buf, size_t size)
{
	struct file *file = double_file(back.fd);
	loff_t pos = 0;

	return file->f_op->write(file, (const char __user *)buf, size, &pos);
}

static void write_errors(struct kunit *test)
{
	const size_t header = sizeof(back.out.header);

	back_connect(test);
	memset(&back.out, 0, sizeof(back.out));
	back.out.header.length = 20;
	KUNIT_EXPECT_EQ(test, write_from(&back.out, header - 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, write_from(DOUBLE_BAD_ADDRESS, header), -EFAULT);
	back.out.header.reserved = 1;
	KUNIT_EXPECT_EQ(test, write_from(&back.out, header + 20), -EINVAL);
	back.out.header.reserved = 0;
	KUNIT_EXPECT_EQ(test, write_from(&back.out, header + 19), -EBADMSG);
	back.out.header.length = VTPM_MAX_TRANSFER + 1;
	KUNIT_EXPECT_EQ(test, write_from(&back.out, sizeof(back.out)), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, back_write(1, "123456789", 9), -EBADMSG);
	KUNIT_EXPECT_EQ(test, back_write(1, "1234567890", 10), -EBADMSG);
	KUNIT_EXPECT_EQ(test, back_respond(20), -ESTALE);
	back_submit(20);
	KUNIT_EXPECT_EQ(test, back_respond(20), -ESTALE);
	back_read();
	KUNIT_EXPECT_EQ(test, back_respond(VTPM_PACKET_MAX_SINGLE + 1), -EMSGSIZE);
	back.request.header.sequence++;
	KUNIT_EXPECT_EQ(test, back_respond(20), -ESTALE);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_SUBMIT);
	back.request.header.sequence--;
	KUNIT_EXPECT_EQ(test, back_respond(20), header + 20);
	KUNIT_EXPECT_EQ(test, back_respond(20), -ESTALE);
	back_frontend(XenbusStateClosed);
	KUNIT_EXPECT_EQ(test, back_respond(20), -EPIPE);
}

static void raw_write_errors(struct kunit *test)
{
	back_connect_raw(test);
	KUNIT_EXPECT_EQ(test, back_write_raw(back.out.body,
					     VTPM_MAX_TRANSFER + 1), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, back_write_raw(DOUBLE_BAD_ADDRESS, 20), -EFAULT);
	KUNIT_EXPECT_EQ(test, back_write_raw("123456789", 9), -EBADMSG);
	KUNIT_EXPECT_EQ(test, back_write_raw("1234567890", 10), -EBADMSG);
	KUNIT_EXPECT_EQ(test, back_respond(20), -ESTALE);
	back_submit(20);
	KUNIT_EXPECT_EQ(test, back_respond(20), -ESTALE);
	KUNIT_EXPECT_EQ(test, back_read(), 20);
	KUNIT_EXPECT_EQ(test, back_respond(VTPM_PACKET_MAX_SINGLE + 1), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, back_respond(20), 20);
	back_frontend(XenbusStateClosed);
	KUNIT_EXPECT_EQ(test, back_respond(20), -EPIPE);
}

/* In the middle of a copy anything can happen: no lock is held there. */

static void close_frontend(void)
{
	double_hooks.during_copy = NULL;
	back_frontend(XenbusStateClosed);
}

static void remove_device(void)
{
	double_hooks.during_copy = NULL;
	back_remove();
}

static void cancel_and_submit(void)
{
	double_hooks.during_copy = NULL;
	back_state(VTPM_STATE_CANCEL);
	back_event();
	back_submit(40);
}

static void during_a_read(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	double_hooks.during_copy = close_frontend;
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header) + 20);
	KUNIT_EXPECT_EQ(test, back_respond(20), -EPIPE);
}

static void removed_during_a_read(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	double_hooks.during_copy = remove_device;
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header) + 20);
	KUNIT_EXPECT_EQ(test, back_poll(), EPOLLHUP);
}

/* The bytes stay what they are while somebody copies them. */
static void another_command_during_a_read(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	double_hooks.during_copy = cancel_and_submit;
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header) + 20);
	KUNIT_EXPECT_EQ(test, back.request.header.length, 20);
	KUNIT_EXPECT_EQ(test, back.body[19], (u8)((19 + 20) * 7));
	KUNIT_EXPECT_EQ(test, back_poll(), EPOLLOUT | EPOLLWRNORM | EPOLLPRI);
	KUNIT_EXPECT_GT(test, back_respond(20), 0);
}

static void removed_during_a_write(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	back_read();
	double_hooks.during_copy = remove_device;
	KUNIT_EXPECT_EQ(test, back_respond(20), -EPIPE);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_SUBMIT);
}

/* A reader that sleeps. */

static int sleeping_reader(void *result)
{
	allow_signal(SIGINT);
	*(ssize_t *)result = back_read();
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

static struct task_struct *start_reader(struct kunit *test, ssize_t *result)
{
	struct task_struct *task;

	*result = 0x7fff;
	double_file(back.fd)->f_flags &= ~O_NONBLOCK;
	task = kthread_run(sleeping_reader, result, "vtpm-kunit-reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	while (!wq_has_sleeper(&back_conn()->wait))
		schedule_timeout_uninterruptible(1);
	return task;
}

static ssize_t finish_reader(struct task_struct *task, ssize_t *result)
{
	int tries;

	for (tries = 0; tries < 2500 && READ_ONCE(*result) == 0x7fff; tries++)
		schedule_timeout_uninterruptible(1);
	kthread_stop(task);
	return *result;
}

static void a_sleeper_is_woken(struct kunit *test)
{
	struct task_struct *task;
	ssize_t result;

	back_connect(test);
	task = start_reader(test, &result);
	back_submit(20);
	KUNIT_EXPECT_EQ(test, finish_reader(task, &result),
			sizeof(back.request.header) + 20);
	task = start_reader(test, &result);
	back_frontend(XenbusStateClosing);
	KUNIT_EXPECT_EQ(test, finish_reader(task, &result), 0);
}

static void a_sleeper_gets_a_signal(struct kunit *test)
{
	struct task_struct *task;
	ssize_t result;

	back_connect(test);
	task = start_reader(test, &result);
	send_sig(SIGINT, task, 1);
	KUNIT_EXPECT_EQ(test, finish_reader(task, &result), -ERESTARTSYS);
}

static struct kunit_case files_cases[] = {
	KUNIT_CASE(one_controller),
	KUNIT_CASE(events),
	KUNIT_CASE(events_are_not_queued),
	KUNIT_CASE(events_for_the_next_controller),
	KUNIT_CASE(no_event_is_lost),
	KUNIT_CASE_PARAM(accept, accept_gen_params),
	KUNIT_CASE(other_ioctls),
	KUNIT_CASE(counters),
	KUNIT_CASE(read_errors),
	KUNIT_CASE(write_errors),
	KUNIT_CASE(raw_write_errors),
	KUNIT_CASE(during_a_read),
	KUNIT_CASE(removed_during_a_read),
	KUNIT_CASE(another_command_during_a_read),
	KUNIT_CASE(removed_during_a_write),
	KUNIT_CASE(a_sleeper_is_woken),
	KUNIT_CASE(a_sleeper_gets_a_signal),
	{}
};

static struct kunit_suite files_suite = {
	.name = "back-files",
	.init = back_init,
	.exit = back_exit,
	.test_cases = files_cases,
};
kunit_test_suite(files_suite);
