// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the backend leaves in the guest's pages: nothing of an older packet, nothing of
 * the kernel's memory, and nothing where it has no business (B2); extra pages (B13).
 */
#include <linux/mm.h>

#include "back-fixture.h"

#define DIRT	0xa5

static u8 before[VTPM_EXTENSION_PAGES * VTPM_SHARED_PAGE_SIZE];

static u32 capacity(void)
{
	return back.policy.features ? VTPM_PACKET_MAX : VTPM_PACKET_MAX_SINGLE;
}

static void remember_pages(void)
{
	memcpy(before, back.page, sizeof(before));
}

/* Only @length, @state, the packet's area and @sequence may have changed. */
static void expect_nothing_else_changed(struct kunit *test)
{
	u8 *page = (u8 *)back.page;
	u32 packet = back_packet() - page;
	u32 rest = packet + capacity();

	KUNIT_EXPECT_EQ(test, memcmp(page + 5, before + 5, packet - 5), 0);
	if (back.policy.features) {
		KUNIT_EXPECT_EQ(test, memcmp(page + rest, before + rest,
					     VTPM_TRAILER_OFFSET - rest), 0);
		KUNIT_EXPECT_EQ(test, memcmp(page + VTPM_TRAILER_OFFSET + 8,
					     before + VTPM_TRAILER_OFFSET + 8,
					     VTPM_TRAILER_SIZE - 8), 0);
	} else {
		KUNIT_EXPECT_EQ(test, memcmp(page + rest, before + rest,
					     sizeof(before) - rest), 0);
	}
}

static void expect_response(struct kunit *test, u32 length)
{
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_FINISH);
	KUNIT_EXPECT_EQ(test, back.page->length, length);
	KUNIT_EXPECT_EQ(test, memcmp(back_packet(), back.out.body, length), 0);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(back_packet() + length, 0,
					     capacity() - length), NULL);
	expect_nothing_else_changed(test);
}

static void exchange(struct kunit *test, u32 command, u32 response)
{
	memset(back_packet(), DIRT, capacity());
	back_command(command);
	remember_pages();
	back_state(VTPM_STATE_SUBMIT);
	back_event();
	KUNIT_ASSERT_GT(test, back_read(), 0);
	KUNIT_EXPECT_EQ(test, memcmp(back.page, before, 4), 0);
	KUNIT_ASSERT_GT(test, back_respond(response), 0);
	expect_response(test, response);
}

static void exchanges(struct kunit *test)
{
	static const u32 lengths[] = { 10, 4088, 11, 300, 10, 4087, 299 };
	int i, j;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		for (j = 0; j < ARRAY_SIZE(lengths); j++)
			exchange(test, lengths[i], lengths[j]);
}

static void nothing_stays_in_one_page(struct kunit *test)
{
	memset((u8 *)back.page + VTPM_SHARED_PAGE_SIZE, DIRT,
	       VTPM_SHARED_PAGE_SIZE);
	back_connect(test);
	exchanges(test);
}

static void nothing_stays_with_extension(struct kunit *test)
{
	memset((u8 *)back.page + 16, DIRT, VTPM_TRAILER_OFFSET - 16);
	back_connect_extended(test);
	exchanges(test);
	exchange(test, 4096, 4096);
	exchange(test, 10, 10);
}

/* A refusal is no longer than 10 bytes, whatever lay there. */
static void nothing_stays_of_what_is_refused(struct kunit *test)
{
	back_connect(test);
	exchange(test, 4088, 4088);
	memset(back_packet(), DIRT, capacity());
	back.page->length = 4000;
	back_state(VTPM_STATE_SUBMIT);
	back_event();
	KUNIT_EXPECT_TRUE(test, back_is_refused(0x00c4, 0x1e));
}

/* Connecting writes nothing: a frontend may have submitted before. */
static void connecting_leaves_the_page(struct kunit *test)
{
	back_command(200);
	back_state(VTPM_STATE_SUBMIT);
	remember_pages();
	back_connect(test);
	KUNIT_EXPECT_EQ(test, memcmp(back.page, before, sizeof(before)), 0);
	KUNIT_EXPECT_TRUE(test, back_event());
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header) + 200);
}

static void first_command_of_the_second_descriptor(struct kunit *test)
{
	back_connect(test);
	exchange(test, 100, 200);
	back_close();
	back_submit(64);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_SUBMIT);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header) + 64);
}

static const struct extra_case {
	const char *name;
	u8 extra;
	bool requested;
	bool offered;
	bool connects;
} extra_cases[] = {
	{ "none", 0, false, false, true },
	{ "one", 1, false, false, false },
	{ "two", 2, false, false, false },
	{ "255", 255, false, false, false },
	{ "none-requested", 0, true, false, false },
	{ "one-requested", 1, true, false, true },
	{ "two-requested", 2, true, false, false },
	{ "255-requested", 255, true, false, false },
	{ "none-offered", 0, false, true, true },
	{ "one-offered", 1, false, true, false },
	{ "none-both", 0, true, true, false },
	{ "one-both", 1, true, true, true },
	{ "two-both", 2, true, true, false },
	{ "255-both", 255, true, true, false },
};

static void extra_name(const struct extra_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(extra, extra_cases, extra_name);

static void extra_pages(struct kunit *test)
{
	const struct extra_case *c = test->param_value;

	back.policy.features = c->offered ? BACK_EXTENDED : 0;
	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_write_nodes(c->requested);
	back.page->nr_extra_pages = c->extra;
	back.page->extra_pages[0] = BACK_GREF + 1;
	back_frontend(XenbusStateInitialised);
	back_settle();
	KUNIT_EXPECT_EQ(test, double_mappings(), c->connects);
	KUNIT_EXPECT_EQ(test, double_lines(), c->connects);
	if (c->connects)
		return;
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateClosing);
	KUNIT_EXPECT_EQ(test, double_fatal(), -EPROTO);
}

static struct kunit_case page_cases[] = {
	KUNIT_CASE(nothing_stays_in_one_page),
	KUNIT_CASE(nothing_stays_with_extension),
	KUNIT_CASE(nothing_stays_of_what_is_refused),
	KUNIT_CASE(connecting_leaves_the_page),
	KUNIT_CASE(first_command_of_the_second_descriptor),
	KUNIT_CASE_PARAM(extra_pages, extra_gen_params),
	{}
};

static struct kunit_suite page_suite = {
	.name = "back-page",
	.init = back_init,
	.exit = back_exit,
	.test_cases = page_cases,
};
kunit_test_suite(page_suite);
