// SPDX-License-Identifier: GPL-2.0-only
/*
 * Double fetches (B1): the guest changes the page while it is being read. What the engine
 * gets must be a command that passed the checks, whichever of its bytes were read when.
 */
#include <linux/kthread.h>
#include <linux/unaligned.h>

#include "back-fixture.h"

#define GOOD_LENGTH	40
#define BAD_LENGTH	4000
#define CONTROL		0x20001000

/* Two commands that differ in each field; only the first one may be passed on. */
static void put_command(bool good)
{
	static const u8 headers[2][TPM_COMMAND_HEADER] = {
		{ 0x00, 0x01, 0, 0, 0xff, 0xff, 0x20, 0x00, 0x10, 0x00 },
		{ 0x80, 0x01, 0, 0, 0, GOOD_LENGTH, 0x00, 0x00, 0x01, 0x7a },
	};
	int i;

	WRITE_ONCE(back.page->length, good ? GOOD_LENGTH : BAD_LENGTH);
	WRITE_ONCE(back.page->locality, good ? 0 : 3);
	for (i = 0; i < TPM_COMMAND_HEADER; i++)
		WRITE_ONCE(back_packet()[i], headers[good][i]);
}

/* Whether what the engine has read may have passed the checks. */
static void expect_checked(struct kunit *test)
{
	struct vtpm_request *header = &back.request.header;
	u32 length = header->length;
	u16 tag = get_unaligned_be16(back.body);

	KUNIT_EXPECT_EQ(test, back.got, sizeof(*header) + length);
	KUNIT_EXPECT_GE(test, length, TPM_COMMAND_HEADER);
	KUNIT_EXPECT_LE(test, length, VTPM_PACKET_MAX_SINGLE);
	KUNIT_EXPECT_EQ(test, get_unaligned_be32(back.body + 2), length);
	KUNIT_EXPECT_TRUE(test, tag == 0x8001 || tag == 0x8002);
	KUNIT_EXPECT_NE(test, get_unaligned_be32(back.body + 6), CONTROL);
	KUNIT_EXPECT_EQ(test, header->locality, 0);
}

/* Everything changes as soon as anything has been read. */

static unsigned int reads_until_change;

static void change_after_read(const void *from, size_t size)
{
	if (!double_is_mapped(from) || !reads_until_change ||
	    --reads_until_change)
		return;
	put_command(false);
}

/* Returns whether the command came through. */
static bool try_command(struct kunit *test, unsigned int reads)
{
	back_command(GOOD_LENGTH);
	put_command(true);
	back_state(VTPM_STATE_SUBMIT);
	reads_until_change = reads;
	back_event();
	reads_until_change = 0;
	if (back_read() == -EAGAIN)
		return false;
	expect_checked(test);
	KUNIT_EXPECT_GT(test, back_respond(10), 0);
	return true;
}

/*
 * A command is read by one look each at state, length and locality, and one copy. After
 * these a change is too late; so a fifth look would be one too many.
 */
static void changed_after_each_read(struct kunit *test)
{
	unsigned int reads;

	back_connect(test);
	double_hooks.after_read = change_after_read;
	for (reads = 1; reads <= 8; reads++)
		KUNIT_EXPECT_EQ(test, try_command(test, reads), reads >= 4);
	double_hooks.after_read = NULL;
	KUNIT_EXPECT_TRUE(test, try_command(test, 0));
}

static unsigned int reads_seen;

static void count_reads(const void *from, size_t size)
{
	if (double_is_mapped(from))
		reads_seen++;
}

static void each_field_is_read_once(struct kunit *test)
{
	back_connect(test);
	back_command(GOOD_LENGTH);
	back_state(VTPM_STATE_SUBMIT);
	double_hooks.after_read = count_reads;
	reads_seen = 0;
	back_event();
	KUNIT_EXPECT_EQ(test, reads_seen, 4);
	/* Neither handing out nor answering looks at the page. */
	back_read();
	back_respond(20);
	KUNIT_EXPECT_EQ(test, reads_seen, 4);
}

/* A length that changes must not make the copy longer than the buffer. */
static void length_grows(const void *from, size_t size)
{
	if (from == &back_conn()->page->length)
		WRITE_ONCE(back.page->length, U32_MAX);
}

static void length_grows_after_it_was_read(struct kunit *test)
{
	back_connect(test);
	double_hooks.after_read = length_grows;
	back_submit(100);
	double_hooks.after_read = NULL;
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header) + 100);
}

/* The same with a guest that really writes at the same time. */

/* It stays good for a while, or hardly a command would come through. */
static int flip(void *unused)
{
	unsigned int n, i;

	for (n = 0; !kthread_should_stop(); n++) {
		put_command(true);
		for (i = 0; i < n % 512; i++)
			cpu_relax();
		put_command(false);
		if (!(n % 64))
			cond_resched();
	}
	return 0;
}

static void changed_by_another_processor(struct kunit *test)
{
	unsigned int taken = 0, refused = 0, i;
	struct task_struct *task;

	back_connect(test);
	task = kthread_run(flip, NULL, "vtpm-kunit-flip");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	for (i = 0; i < 5000; i++) {
		put_command(i & 1);
		back_state(VTPM_STATE_SUBMIT);
		back_event();
		if (back_read() == -EAGAIN) {
			refused++;
			continue;
		}
		taken++;
		expect_checked(test);
		back_respond(10);
	}
	kthread_stop(task);
	kunit_info(test, "%u taken, %u refused, %u processors", taken, refused,
		   num_online_cpus());
	/* Both must have happened, or nothing was tried. */
	KUNIT_EXPECT_GT(test, taken, 0);
	KUNIT_EXPECT_GT(test, refused, 0);
}

static struct kunit_case fetch_cases[] = {
	KUNIT_CASE(changed_after_each_read),
	KUNIT_CASE(each_field_is_read_once),
	KUNIT_CASE(length_grows_after_it_was_read),
	KUNIT_CASE(changed_by_another_processor),
	{}
};

static struct kunit_suite fetch_suite = {
	.name = "back-fetch",
	.init = back_init,
	.exit = back_exit,
	.test_cases = fetch_cases,
};
kunit_test_suite(fetch_suite);
