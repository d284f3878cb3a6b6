// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which commands the backend passes on, and what it answers to the others: the table of
 * "What the backend checks" in Documentation/protocol.md (B11, B13, B26).
 */
#include <linux/unaligned.h>

#include "back-fixture.h"

#define TPM1_RESPONSE	0x00c4
#define TPM2_RESPONSE	0x8001

/* What comes through must be what was put in, and all of it. */
static void expect_passed(struct kunit *test, u32 length)
{
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(back.request.header) + length);
	KUNIT_EXPECT_EQ(test, back.request.header.length, length);
	KUNIT_EXPECT_EQ(test, back.request.header.kind, VTPM_REQUEST_COMMAND);
	KUNIT_EXPECT_EQ(test, memcmp(back.body, back_packet(), length), 0);
	KUNIT_EXPECT_EQ(test, back_respond(TPM_COMMAND_HEADER),
			sizeof(back.out.header) + TPM_COMMAND_HEADER);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_FINISH);
}

static void expect_refused(struct kunit *test, u16 tag, u32 code)
{
	KUNIT_EXPECT_TRUE_MSG(test, back_is_refused(tag, code),
			      "length %u, tag %04x, code %08x",
			      back.page->length,
			      get_unaligned_be16(back_packet()),
			      get_unaligned_be32(back_packet() + 6));
	KUNIT_EXPECT_EQ(test, back_read(), -EAGAIN);
}

static const struct length_case {
	const char *name;
	u32 length;
	bool single;		/* good in one page */
	bool extended;		/* good with the extension */
} length_cases[] = {
	{ "0", 0, false, false },
	{ "1", 1, false, false },
	{ "9", 9, false, false },
	{ "10", 10, true, true },
	{ "11", 11, true, true },
	{ "4087", 4087, true, true },
	{ "4088", 4088, true, true },
	{ "4089", 4089, false, true },
	{ "4095", 4095, false, true },
	{ "4096", 4096, false, true },
	{ "4097", 4097, false, false },
	{ "2^31", 1U << 31, false, false },
	{ "2^32-1", U32_MAX, false, false },
};

static void length_name(const struct length_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(length, length_cases, length_name);

/* Of fewer than two bytes nobody can say which family they are of. */
static void try_length(struct kunit *test, u32 length, bool good)
{
	back_submit(length);
	if (good)
		expect_passed(test, length);
	else if (length < 2)
		expect_refused(test, TPM1_RESPONSE, 0x19);
	else
		expect_refused(test, TPM2_RESPONSE, 0x142);
}

static void length_in_one_page(struct kunit *test)
{
	const struct length_case *c = test->param_value;

	back_connect(test);
	try_length(test, c->length, c->single);
}

static void length_with_extension(struct kunit *test)
{
	const struct length_case *c = test->param_value;

	back_connect_extended(test);
	try_length(test, c->length, c->extended);
}

static void every_length(struct kunit *test)
{
	u32 length;

	back_connect(test);
	for (length = 0; length <= 4096 && double_is_clean(); length++) {
		/* What was there before must not help. */
		memset(back_packet(), 0x80, VTPM_PACKET_MAX_SINGLE);
		try_length(test, length, length >= 10 && length <= 4088);
	}
}

static const struct header_case {
	const char *name;
	u16 tag;
	int off_by;		/* the length in the header minus the true one */
	u32 ordinal;
	u16 answer;		/* tag of the response; 0: the command is passed on */
	u32 code;
} header_cases[] = {
	{ "tpm1", 0x00c1, 0, 0x65, 0, 0 },
	{ "tpm1-auth1", 0x00c2, 0, 0x65, 0, 0 },
	{ "tpm1-auth2", 0x00c3, 0, 0x65, 0, 0 },
	{ "tpm1-response", 0x00c4, 0, 0x65, TPM1_RESPONSE, 0x1e },
	{ "below-tpm1", 0x00c0, 0, 0x65, TPM1_RESPONSE, 0x1e },
	{ "tpm2", 0x8001, 0, BACK_ORDINAL, 0, 0 },
	{ "tpm2-sessions", 0x8002, 0, BACK_ORDINAL, 0, 0 },
	{ "below-tpm2", 0x8000, 0, BACK_ORDINAL, TPM1_RESPONSE, 0x1e },
	{ "above-tpm2", 0x8003, 0, BACK_ORDINAL, TPM1_RESPONSE, 0x1e },
	{ "swtpm-prefix", 0x0000, 0, BACK_ORDINAL, TPM1_RESPONSE, 0x1e },
	{ "tag-swapped", 0x0180, 0, BACK_ORDINAL, TPM1_RESPONSE, 0x1e },
	{ "tag-ffff", 0xffff, 0, BACK_ORDINAL, TPM1_RESPONSE, 0x1e },
	{ "header-longer", 0x8001, 1, BACK_ORDINAL, TPM2_RESPONSE, 0x142 },
	{ "header-shorter", 0x8001, -1, BACK_ORDINAL, TPM2_RESPONSE, 0x142 },
	{ "header-zero", 0x8001, -64, BACK_ORDINAL, TPM2_RESPONSE, 0x142 },
	{ "header-negative", 0x8001, -65, BACK_ORDINAL, TPM2_RESPONSE, 0x142 },
	{ "header-longer-tpm1", 0x00c1, 1, 0x65, TPM1_RESPONSE, 0x19 },
	{ "control-tpm1", 0x00c1, 0, 0x20001000, TPM1_RESPONSE, 0x0a },
	{ "control-tpm2", 0x8001, 0, 0x20001000, TPM2_RESPONSE, 0x143 },
	{ "control-sessions", 0x8002, 0, 0x20001000, TPM2_RESPONSE, 0x143 },
	{ "control-neighbour", 0x8001, 0, 0x20001001, 0, 0 },
};

static void header_name(const struct header_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(header, header_cases, header_name);

static void header(struct kunit *test)
{
	const struct header_case *c = test->param_value;
	u8 bytes[TPM_COMMAND_HEADER];

	back_connect(test);
	back_command(64);
	back_put_header(bytes, c->tag, 64 + c->off_by, c->ordinal);
	memcpy(back_packet(), bytes, sizeof(bytes));
	back_state(VTPM_STATE_SUBMIT);
	back_event();
	if (c->answer)
		expect_refused(test, c->answer, c->code);
	else
		expect_passed(test, 64);
}

static void submit_at_locality(u8 locality)
{
	back_command(32);
	back.page->locality = locality;
	back_state(VTPM_STATE_SUBMIT);
	back_event();
}

static void localities(struct kunit *test)
{
	static const u8 tried[] = { 0, 1, 2, 3, 4, 5, 31, 32, 255 };
	u32 mask;
	int i;

	back_connect(test);
	for (mask = 1; mask <= TPM_LOCALITY_MASK; mask++) {
		back_close();
		back.policy.localities = mask;
		KUNIT_ASSERT_GE(test, back_accept(), 0);
		for (i = 0; i < ARRAY_SIZE(tried); i++) {
			submit_at_locality(tried[i]);
			if (tried[i] > 4 || !(mask & (1 << tried[i]))) {
				expect_refused(test, TPM2_RESPONSE, 0x907);
				continue;
			}
			expect_passed(test, 32);
			KUNIT_EXPECT_EQ(test, back.request.header.locality,
					tried[i]);
		}
	}
}

/* A request that waits for an engine must fit the policy of the next one too. */
static void locality_of_a_new_policy(struct kunit *test)
{
	back.policy.localities = BIT(0) | BIT(3);
	back_connect(test);
	back_close();
	submit_at_locality(3);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_SUBMIT);
	back.policy.localities = BIT(0);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	expect_refused(test, TPM2_RESPONSE, 0x907);
}

static void tpm1_locality(struct kunit *test)
{
	u8 bytes[TPM_COMMAND_HEADER];

	back_connect(test);
	back_command(32);
	back_put_header(bytes, 0x00c1, 32, 0x65);
	memcpy(back_packet(), bytes, sizeof(bytes));
	back.page->locality = 1;
	back_state(VTPM_STATE_SUBMIT);
	back_event();
	expect_refused(test, TPM1_RESPONSE, 0x3d);
}

/* In raw mode the kernel sets the locality; the guest sees nothing of it. */
static void raw_sets_the_locality(struct kunit *test)
{
	static const u8 set[] = { 0x80, 2, 0, 0, 0, 11, 0x20, 0, 0x10, 0, 2 };

	back.policy.localities = TPM_LOCALITY_MASK;
	back_connect_raw(test);
	submit_at_locality(2);
	KUNIT_EXPECT_EQ(test, back_read(), sizeof(set));
	KUNIT_EXPECT_EQ(test, memcmp(back.body, set, sizeof(set)), 0);
	KUNIT_EXPECT_EQ(test, back_respond(10), 10);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_SUBMIT);
	KUNIT_EXPECT_EQ(test, back_read(), 32);
	KUNIT_EXPECT_EQ(test, back_respond(77), 77);
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_FINISH);
	KUNIT_EXPECT_EQ(test, back.page->length, 77);
	/* The engine is where it is: the next one needs no setting. */
	submit_at_locality(2);
	KUNIT_EXPECT_EQ(test, back_read(), 32);
	KUNIT_EXPECT_EQ(test, back_respond(10), 10);
}

/* An engine that does not take the locality must not get the command. */
static void raw_locality_refused(struct kunit *test)
{
	back.policy.localities = TPM_LOCALITY_MASK;
	back_connect_raw(test);
	submit_at_locality(2);
	KUNIT_EXPECT_EQ(test, back_read(), 11);
	back_put_header(back.out.body, 0x8001, 10, 0x101);
	KUNIT_EXPECT_EQ(test, back_write_raw(back.out.body, 10), 10);
	expect_refused(test, TPM2_RESPONSE, 0x907);
}

static struct kunit_case commands_cases[] = {
	KUNIT_CASE_PARAM(length_in_one_page, length_gen_params),
	KUNIT_CASE_PARAM(length_with_extension, length_gen_params),
	KUNIT_CASE(every_length),
	KUNIT_CASE_PARAM(header, header_gen_params),
	KUNIT_CASE(localities),
	KUNIT_CASE(locality_of_a_new_policy),
	KUNIT_CASE(tpm1_locality),
	KUNIT_CASE(raw_sets_the_locality),
	KUNIT_CASE(raw_locality_refused),
	{}
};

static struct kunit_suite commands_suite = {
	.name = "back-commands",
	.init = back_init,
	.exit = back_exit,
	.test_cases = commands_cases,
};
kunit_test_suite(commands_suite);
