// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the frontend takes from a page that the backend can write at any time (F1, F13,
 * F15, F21), and what it leaves there (F12).
 */
#include <linux/kthread.h>
#include <linux/unaligned.h>

#include "front-fixture.h"

static const struct length_case {
	const char *name;
	u32 length;
} length_cases[] = {
	{ "0", 0 }, { "1", 1 }, { "9", 9 }, { "10", 10 }, { "11", 11 },
	{ "4087", 4087 }, { "4088", 4088 }, { "4089", 4089 },
	{ "4095", 4095 }, { "4096", 4096 }, { "4097", 4097 },
	{ "2^31", 1U << 31 }, { "2^32-1", U32_MAX },
};

static void length_name(const struct length_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(length, length_cases, length_name);

/* What is returned is what was copied, and nothing else is in the buffer. */
static void expect_response(struct kunit *test, u32 claimed)
{
	u32 copied = min(claimed, front_capacity());

	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	KUNIT_EXPECT_EQ(test, front_receive(sizeof(front.received)), copied);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(front.received + copied, 0,
					     sizeof(front.received) - copied),
			    NULL);
	if (copied > 10)
		KUNIT_EXPECT_EQ(test, front.received[copied - 1], 0x42);
}

static void length_in_one_page(struct kunit *test)
{
	const struct length_case *c = test->param_value;

	front_connect(test, false);
	front.answer = c->length;
	expect_response(test, c->length);
}

static void length_with_extension(struct kunit *test)
{
	const struct length_case *c = test->param_value;

	front_connect(test, true);
	front.answer = c->length;
	expect_response(test, c->length);
}

/* The caller's buffer is not written where the response does not fit. */
static void a_small_buffer(struct kunit *test)
{
	front_connect(test, false);
	front.answer = 100;
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	KUNIT_EXPECT_EQ(test, front_receive(99), -EIO);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(front.received, 0, 99), NULL);
	KUNIT_EXPECT_EQ(test, front_receive(sizeof(front.received)), -EIO);
}

static void a_response_is_there_once(struct kunit *test)
{
	front_connect(test, false);
	front.answer = 50;
	KUNIT_EXPECT_EQ(test, front_receive(100), -EIO);
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	KUNIT_EXPECT_EQ(test, front_receive(100), 50);
	KUNIT_EXPECT_EQ(test, front_receive(100), -EIO);
}

/* Commands and responses hold secrets: they stay nowhere. */

static void expect_wiped(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(front_packet(), 0,
					     front_capacity()), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(front_device()->command, 0,
					     VTPM_PACKET_MAX), NULL);
}

static void wiped(struct kunit *test, bool offers)
{
	static const u8 long_command[2000] = {
		0x80, 1, 0, 0, 2000 >> 8, 2000 & 0xff, 0, 0, 0x01, 0x7b, 0x5a, 0x5a,
	};

	front_connect(test, offers);
	front.answer = 3000;
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	KUNIT_EXPECT_EQ(test, front.sent_length, 12);
	expect_wiped(test);
	KUNIT_EXPECT_EQ(test, front_receive(sizeof(front.received)), 3000);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(front_device()->response, 0,
					     VTPM_PACKET_MAX), NULL);
	/* A command that is longer than its response. */
	front.answer = 10;
	KUNIT_EXPECT_EQ(test, front_send(long_command, sizeof(long_command)), 0);
	expect_wiped(test);
	/* A response that nobody has received, and a shorter one after it. */
	front.answer = 3000;
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	front.answer = 20;
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	expect_wiped(test);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(front_device()->response + 20, 0,
					     VTPM_PACKET_MAX - 20), NULL);
	KUNIT_EXPECT_EQ(test, front_receive(sizeof(front.received)), 20);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(front_device()->response, 0,
					     VTPM_PACKET_MAX), NULL);
	front.peer = PEER_DROPS;
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), -ECANCELED);
	expect_wiped(test);
}

static void wiped_in_one_page(struct kunit *test)
{
	wiped(test, false);
}

static void wiped_with_extension(struct kunit *test)
{
	wiped(test, true);
}

/* A new page holds what the protocol puts there, and zeroes. */
static void a_new_page(struct kunit *test)
{
	u8 *page;

	front_initialise(test, false);
	page = (u8 *)front.page;
	KUNIT_EXPECT_EQ(test, front.nr_pages, VTPM_EXTENSION_PAGES);
	KUNIT_EXPECT_EQ(test, front.page->nr_extra_pages, 1);
	KUNIT_EXPECT_EQ(test, front.page->extra_pages[0],
			front_device()->grefs[1]);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(page, 0, 7), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(page + 12, 0, 8192 - 12), NULL);
	front_backend(XenbusStateConnected);
	KUNIT_EXPECT_EQ(test, front.page->nr_extra_pages, 0);
}

/* Each look at the page is one look. */

static unsigned int reads_seen;
static u32 then_length;

static bool is_of_page(const void *from)
{
	const u8 *page = (u8 *)front_device()->page;

	return page && (const u8 *)from >= page &&
	       (const u8 *)from <
	       page + front_device()->nr_pages * VTPM_SHARED_PAGE_SIZE;
}

static void length_changes(const void *from, size_t size)
{
	if (from == &front_device()->page->length)
		WRITE_ONCE(front.page->length, then_length);
}

static void count_reads(const void *from, size_t size)
{
	reads_seen += is_of_page(from);
}

static void the_length_changes_after_it_was_read(struct kunit *test)
{
	front_connect(test, false);
	front.answer = 100;
	then_length = U32_MAX;
	double_hooks.after_read = length_changes;
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	double_hooks.after_read = NULL;
	KUNIT_EXPECT_EQ(test, front_receive(sizeof(front.received)), 100);
}

/* State, length, packet. */
static void each_field_is_read_once(struct kunit *test)
{
	front_connect(test, false);
	front.peer = PEER_SILENT;
	front_device()->in_flight = true;
	front_device()->command_length = 0;
	memset(front_packet(), 0x11, 100);
	front.page->length = 100;
	front.page->state = VTPM_STATE_FINISH;
	reads_seen = 0;
	double_hooks.after_read = count_reads;
	KUNIT_EXPECT_TRUE(test, double_fire(double_irq()));
	double_hooks.after_read = NULL;
	KUNIT_EXPECT_EQ(test, reads_seen, 3);
	KUNIT_EXPECT_EQ(test, front_receive(sizeof(front.received)), 100);
}

/* A backend that writes at the same time. */

static int flip(void *unused)
{
	unsigned int n;

	for (n = 0; !kthread_should_stop(); n++) {
		WRITE_ONCE(front.page->length, n & 1 ? 20 : U32_MAX);
		WRITE_ONCE(front.page->nr_extra_pages, n);
		WRITE_ONCE(front.page->extra_pages[0], n);
		if (!(n % 64))
			cond_resched();
	}
	return 0;
}

static void changed_by_another_processor(struct kunit *test)
{
	struct task_struct *task;
	int i, length;

	front_connect(test, false);
	task = kthread_run(flip, NULL, "vtpm-kunit-flip");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	for (i = 0; i < 1000; i++) {
		KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
		length = front_receive(sizeof(front.received));
		KUNIT_EXPECT_TRUE(test, length == 10 || length == 20 ||
					length == VTPM_PACKET_MAX_SINGLE);
	}
	kthread_stop(task);
}

/* Nothing that was put into the page is believed when it is read back. */
static void a_page_full_of_lies(struct kunit *test)
{
	front_connect(test, true);
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	memset(front.page, 0xff, VTPM_TRAILER_OFFSET + VTPM_TRAILER_SIZE);
	double_fire(double_irq());
	front_backend(XenbusStateClosing);
	KUNIT_EXPECT_EQ(test, double_rings(), 0);
	KUNIT_EXPECT_EQ(test, double_lines(), 0);
}

/* States and events without a cause (F6, F9). */

static const struct state_case {
	const char *name;
	u8 state;
} state_cases[] = {
	{ "0", 0 }, { "1", 1 }, { "2", 2 }, { "3", 3 }, { "4", 4 },
	{ "128", 128 }, { "255", 255 },
};

static void state_name(const struct state_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(state, state_cases, state_name);

static void state_without_command(struct kunit *test)
{
	const struct state_case *c = test->param_value;
	struct double_line before, after;
	int i;

	front_connect(test, false);
	before = double_line(double_irq());
	for (i = 0; i < 5; i++)
		front_publish(c->state, 100);
	after = double_line(double_irq());
	KUNIT_EXPECT_EQ(test, after.eois, before.eois + 5);
	KUNIT_EXPECT_EQ(test, after.spurious, before.spurious + 5);
	KUNIT_EXPECT_EQ(test, front_receive(100), -EIO);
}

static void a_response_is_no_spurious_event(struct kunit *test)
{
	struct double_line before, after;

	front_connect(test, false);
	before = double_line(double_irq());
	KUNIT_EXPECT_EQ(test, front_send_ordinary(), 0);
	flush_work(&front.look);
	after = double_line(double_irq());
	KUNIT_EXPECT_EQ(test, after.eois, before.eois + 1);
	KUNIT_EXPECT_EQ(test, after.spurious, before.spurious);
}

static struct kunit_case page_cases[] = {
	KUNIT_CASE_PARAM(length_in_one_page, length_gen_params),
	KUNIT_CASE_PARAM(length_with_extension, length_gen_params),
	KUNIT_CASE(a_small_buffer),
	KUNIT_CASE(a_response_is_there_once),
	KUNIT_CASE(wiped_in_one_page),
	KUNIT_CASE(wiped_with_extension),
	KUNIT_CASE(a_new_page),
	KUNIT_CASE(the_length_changes_after_it_was_read),
	KUNIT_CASE(each_field_is_read_once),
	KUNIT_CASE(changed_by_another_processor),
	KUNIT_CASE(a_page_full_of_lies),
	KUNIT_CASE_PARAM(state_without_command, state_gen_params),
	KUNIT_CASE(a_response_is_no_spurious_event),
	{}
};

static struct kunit_suite page_suite = {
	.name = "front-page",
	.init = front_init,
	.exit = front_exit,
	.test_cases = page_cases,
};
kunit_test_suite(page_suite);
