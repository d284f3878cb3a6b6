// SPDX-License-Identifier: GPL-2.0-only
/*
 * In this process: commands that do not pay for a copy of the volatile state do not change
 * it, or change it once more in the same way; the state memory leaves a whole set to
 * whoever is killed; and what all that costs.
 */
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../engine/journal.h"
#include "../engine/memory.h"
#include "../engine/record.h"
#include "../engine/tpm.h"
#include "../engine/volatile.h"
#include "guest.h"

#define STATE_MAX	16384
#define TPM2_RC_RETRY	0x922

static struct log log_to;
static struct vnvram *nvram;
static int store_fd;

/* The store of the TPM goes along with a copy of its volatile state. */
static struct tpm_setup setup;

static void power_on(void)
{
	struct error err;

	if (tpm_start(&setup, &err))
		fail_msg("%s", err.text);
}

static void start_tpm(enum vnvram_tpm version)
{
	const struct vnvram_identity identity = { .uuid = { { 1 } }, .tpm = version };
	struct error err;

	log_init(&log_to, STDERR_FILENO, "test");
	store_fd = memfd_create("store", 0);
	nvram = vnvram_new(&identity, &vnvram_system_io);
	assert_int_equal(entries_register(nvram), 0);
	vnvram_attach(nvram, store_fd, "store");
	assert_int_equal(vnvram_format(nvram, &err), 0);
	setup = (struct tpm_setup){
		.version = version, .buffer_size = 4096, .create = true, .log = &log_to,
		.store = nvram,
	};
	power_on();
}

static void stop_tpm(void)
{
	tpm_stop();
	vnvram_free(nvram);
	close(store_fd);
}

static uint32_t run(struct packet packet)
{
	const uint8_t *response;
	size_t size = tpm_execute(0, packet.bytes, packet.size, &response);

	assert_true(size >= TPM_HEADER_SIZE);
	return be32(response + 6);
}

/* Its effect, once it has been executed. */
static enum effect effect_of(struct packet packet)
{
	const uint8_t *response;

	tpm_execute(0, packet.bytes, packet.size, &response);
	return command_effect(setup.version, packet.bytes, packet.size, response);
}

static size_t get_state(uint8_t *bytes)
{
	uint8_t *state;
	size_t size;

	assert_int_equal(tpm_get_state(&state, &size), 0);
	assert_true(size <= STATE_MAX);
	memcpy(bytes, state, size);
	tpm_free_state(state, size);
	return size;
}

static void add_differences(uint8_t *mask, const uint8_t *a, const uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		mask[i] |= a[i] != b[i];
}

/* Marks what changes while nothing happens: the clock, in many places. */
static void learn_time(uint8_t *mask)
{
	static uint8_t a[STATE_MAX], b[STATE_MAX];
	static const struct timespec pause = { .tv_nsec = 17 * 1000 * 1000 };

	memset(mask, 0, STATE_MAX);
	get_state(a);
	for (int i = 0; i < 40; i++) {
		nanosleep(&pause, NULL);
		assert_int_equal(run(tpm2_pcr_read(1)), 0);
		add_differences(mask, a, b, get_state(b));
	}
}

/* Counts what differs and is not masked; from the first place to the last. */
static size_t differences(const uint8_t *a, const uint8_t *b, size_t size, const uint8_t *mask,
			  size_t *span)
{
	size_t count = 0, first = 0, last = 0;

	for (size_t i = 0; i < size; i++) {
		/* The upper bytes of a time carry now and then: eight belong together. */
		if (a[i] == b[i] || mask[i] || (i >= 8 && mask[i - 8]) ||
		    (i + 8 < size && mask[i + 8]))
			continue;
		first = count ? first : i;
		last = i;
		count++;
	}
	if (span)
		*span = count ? last - first + 1 : 0;
	return count;
}

static size_t changed(struct packet packet, const uint8_t *mask, size_t *span)
{
	static uint8_t a[STATE_MAX], b[STATE_MAX];
	size_t size = get_state(a);

	run(packet);
	return get_state(b) == size ? differences(a, b, size, mask, span) : STATE_MAX;
}

static uint32_t make_key(void)
{
	struct packet packet = tpm2_create_primary_ecc();
	const uint8_t *response;

	tpm_execute(0, packet.bytes, packet.size, &response);
	assert_int_equal(be32(response + 6), 0);
	return be32(response + 10);
}

/* TPM2_Sign of 32 bytes by the key's own scheme. */
static struct packet sign(uint32_t key)
{
	return command("8002 00000000 0000015d %08x 00000009 40000009 0000 00 0000 0020 %032x%032x"
		       " 0010 8024 40000007 0000", key, 1, 2);
}

static uint32_t make_signing_key(void)
{
	struct packet packet = command("8002 00000000 00000131 40000001 00000009 40000009 0000 00 0000"
				       " 0004 0000 0000 0018 0023 000b 00040072 0000 0010 0018 000b"
				       " 0003 0010 0000 0000 0000 00000000");
	const uint8_t *response;
	uint32_t key;

	tpm_execute(0, packet.bytes, packet.size, &response);
	assert_int_equal(be32(response + 6), 0);
	key = be32(response + 10);
	/* The first use of what is protected against guessing is to be repeated. */
	while (run(sign(key)) == TPM2_RC_RETRY)
		;
	return key;
}

static uint32_t codes_with(enum effect effect, const char *tag)
{
	static const uint8_t success[TPM_HEADER_SIZE];
	uint32_t count = 0;

	for (uint32_t code = 0; code < 0x1000; code++) {
		/* One or two handles before the password. */
		for (int handles = 1; handles <= 2; handles++) {
			struct packet packet =
				command("%s 00000000 %08x %s 01500001 00000009 40000009 0000 00"
					" 0000 0000", tag, code, handles == 2 ? "01500001" : "");

			if (command_effect(VNVRAM_TPM_20, packet.bytes, packet.size, success) !=
			    effect)
				continue;
			count++;
			break;
		}
	}
	return count;
}

static void test_read_only_commands(void **state)
{
	struct packet packets[11];
	static uint8_t mask[STATE_MAX];
	size_t n = 0, span;
	uint32_t key, signer;

	(void)state;
	start_tpm(VNVRAM_TPM_20);
	assert_int_equal(run(tpm2_startup()), 0);
	assert_int_equal(run(tpm2_nv_define(0x01500001, 8)), 0);
	while (run(tpm2_nv_write(0x01500001, "12345678")) == TPM2_RC_RETRY)
		;
	key = make_key();
	signer = make_signing_key();
	packets[n++] = tpm2_pcr_read(1);
	packets[n++] = tpm2_get_lockout_counter();
	packets[n++] = command("8001 00000000 00000181");
	packets[n++] = command("8001 00000000 00000173 %08x", key);
	packets[n++] = command("8001 00000000 00000169 01500001");
	packets[n++] = command("8001 00000000 0000017c");
	packets[n++] = command("8001 00000000 0000018a 0023 0010 0018 000b 0003 0010");
	packets[n++] = command("8001 00000000 00000178 0003");
	packets[n++] = command("8001 00000000 0000017d 0004 61626364 000b 40000001");
	/* One more, GetRandom. */
	assert_int_equal(codes_with(EFFECT_NONE, "8001"), n + 1);
	packets[n++] = tpm2_nv_read(0x01500001, 8);
	/* And here TPM2_Sign, and four that write to NV indices. */
	assert_int_equal(codes_with(EFFECT_NONE, "8002"), 2 + 4);
	for (size_t i = 0; i < n; i++)
		if (run(packets[i]))
			fail_msg("command %x fails", be32(packets[i].bytes + 6));
	assert_int_equal(run(sign(signer)), 0);
	tpm_mark_saved();
	learn_time(mask);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(effect_of(packets[i]), EFFECT_NONE);
		if (changed(packets[i], mask, NULL))
			fail_msg("command %x changes the state", be32(packets[i].bytes + 6));
	}
	/* Only the generator, whose state is in one piece. */
	assert_int_equal(effect_of(tpm2_get_random(8)), EFFECT_NONE);
	assert_int_not_equal(changed(tpm2_get_random(8), mask, &span), 0);
	print_message("# TPM2_GetRandom changes %zu bytes in one piece\n", span);
	assert_in_range(span, 1, 64);
	assert_int_equal(effect_of(sign(signer)), EFFECT_NONE);
	/* Likewise, if libcrypto has none of its own for that. */
	assert_in_range(changed(sign(signer), mask, &span), 0, 64);
	assert_in_range(span, 0, 64);
	assert_false(tpm_changed());
	stop_tpm();
}

/* TPM2_NV_DefineSpace with these attributes. */
static struct packet nv_define(uint32_t index, uint32_t attributes)
{
	return command("8002 00000000 0000012a 40000001 00000009 40000009 0000 00 0000"
		       " 0000 000e %08x 000b %08x 0000 %04x", index, attributes,
		       attributes & 0x40 ? 32 : 8);
}

/* A command about an NV index, with its parameters. */
static struct packet nv_command(uint32_t code, uint32_t index, const char *parameters)
{
	return command("8002 00000000 %08x %08x %08x 00000009 40000009 0000 00 0000 %s", code,
		       index, index, parameters);
}

/* What is written to an NV index is permanent, unless it is an orderly one. */
static void test_nv(void **state)
{
	static const struct {
		uint32_t code, attributes;
		const char *parameters;
	} writes[] = {
		{ 0x137, 0x00040004, "0008 0102030405060708 0000" },
		{ 0x137, 0x00040004, "0001 09 0003" },
		{ 0x134, 0x00040014, "" },
		{ 0x135, 0x00040024, "0000000000000700" },
		{ 0x136, 0x00040044, "0004 01020304" },
	};
	static uint8_t mask[STATE_MAX];

	(void)state;
	start_tpm(VNVRAM_TPM_20);
	assert_int_equal(run(tpm2_startup()), 0);
	learn_time(mask);
	for (uint32_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		for (uint32_t orderly = 0; orderly < 2; orderly++) {
			uint32_t index = 0x01500010 + 2 * i + orderly;
			struct packet packet = nv_command(writes[i].code, index,
							  writes[i].parameters);
			size_t span;

			assert_int_equal(run(nv_define(index, writes[i].attributes |
						       (orderly ? 0x04000000 : 0))), 0);
			assert_int_equal(tpm_nv_is_orderly(index), orderly);
			while (run(packet) == TPM2_RC_RETRY)
				;
			/* What is there already changes nothing. */
			if (writes[i].code == 0x137)
				packet.bytes[packet.size - 3] ^= 1;
			if (writes[i].code == 0x135)
				packet.bytes[packet.size - 1] ^= 1;
			tpm_mark_saved();
			assert_int_equal(orderly || !changed(packet, mask, &span), 1);
			assert_true(orderly || tpm_changed());
			assert_int_equal(effect_of(packet), orderly ? EFFECT_UNKNOWN : EFFECT_NONE);
		}
	}
	assert_true(tpm_nv_is_orderly(0x01500009));
	stop_tpm();
}

/* A signature may use up what TPM2_Commit has left. It need not succeed to count. */
static void test_commits(void **state)
{
	uint32_t signer;

	(void)state;
	start_tpm(VNVRAM_TPM_20);
	assert_int_equal(run(tpm2_startup()), 0);
	signer = make_signing_key();
	assert_int_equal(effect_of(sign(signer)), EFFECT_NONE);
	assert_int_not_equal(run(command("8001 00000000 0000018b %08x", signer)), 0);
	assert_int_equal(effect_of(sign(signer)), EFFECT_UNKNOWN);
	stop_tpm();
	start_tpm(VNVRAM_TPM_20);
	assert_int_equal(run(tpm2_startup()), 0);
	assert_false(tpm_commits());
	assert_int_not_equal(run(command("8001 00000000 0000018e 0003")), 0xffffffff);
	assert_true(tpm_commits());
	stop_tpm();
}

#define PASSWORD	"00000009 40000009 0000 00 0000"

/* All kinds that are executed again, on all of their registers; values differ by @seed. */
static size_t repeatable(struct packet *packets, uint32_t seed)
{
	size_t n = 0;

	for (uint32_t pcr = 0; pcr < 24; pcr++)
		if (pcr < 17 || pcr > 22)
			packets[n++] = command("8002 00000000 00000182 %08x " PASSWORD
					       " 00000001 000b %064x", pcr, seed + pcr);
	packets[n++] = command("8002 00000000 0000013c 00000010 " PASSWORD " 0004 %08x", seed);
	packets[n++] = command("8002 00000000 0000013c 40000007 " PASSWORD " 0004 %08x", seed);
	packets[n++] = command("8002 00000000 0000013d 00000017 " PASSWORD);
	packets[n++] = command("8002 00000000 00000182 00000017 " PASSWORD
			       " 00000002 0004 %040x 000b %064x", seed, seed);
	return n;
}

/* Loads a copy of the volatile state; the permanent one stays as it is. */
static void load(const uint8_t *state, size_t size)
{
	tpm_stop();
	setup.create = false;
	setup.state = state;
	setup.state_size = size;
	power_on();
}

/*
 * The state after commands of the journal is that of before with them executed once more. Both
 * are loaded, since loading itself changes some things.
 */
static void test_repeatable(void **state)
{
	static uint8_t before[STATE_MAX], after[STATE_MAX], again[STATE_MAX], loaded[STATE_MAX];
	static uint8_t journal[JOURNAL_MAX], mask[STATE_MAX];
	struct packet packets[24];
	size_t n, size, used = 0, at = 0;
	struct journal_entry entry;

	(void)state;
	start_tpm(VNVRAM_TPM_20);
	assert_int_equal(run(tpm2_startup()), 0);
	make_key();
	n = repeatable(packets, 1);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(run(packets[i]), 0);
	tpm_mark_saved();
	size = get_state(before);
	n = repeatable(packets, 0x100);
	for (size_t i = 0; i < n; i++) {
		entry = (struct journal_entry){ 0, packets[i].size, packets[i].bytes };
		assert_int_equal(effect_of(packets[i]), EFFECT_REPEATABLE);
		used = journal_append(journal, used, &entry);
		assert_int_not_equal(used, 0);
	}
	assert_false(tpm_changed());
	assert_int_equal(codes_with(EFFECT_REPEATABLE, "8002"), 3);
	assert_int_equal(get_state(after), size);
	load(after, size);
	learn_time(mask);
	get_state(loaded);
	load(before, size);
	get_state(again);
	assert_int_not_equal(differences(again, loaded, size, mask, NULL), 0);
	while (journal_next(journal, used, &at, &entry)) {
		const uint8_t *response;

		tpm_execute(entry.locality, entry.command, entry.size, &response);
		assert_int_equal(be32(response + 6), 0);
		n--;
	}
	assert_int_equal(at, used);
	assert_int_equal(n, 0);
	assert_int_equal(get_state(again), size);
	assert_int_equal(differences(again, loaded, size, mask, NULL), 0);
	stop_tpm();
}

static void test_journal(void **state)
{
	uint8_t journal[JOURNAL_MAX], bytes[JOURNAL_MAX] = { 1, 2, 3 };
	struct journal_entry entry = { 3, 1000, bytes }, read;
	size_t used = 0, at = 0, n, count = 0;

	(void)state;
	while ((n = journal_append(journal, used, &entry))) {
		used = n;
		count++;
	}
	assert_int_equal(count, 4);
	for (size_t i = 0; i < count; i++) {
		assert_true(journal_next(journal, used, &at, &read));
		assert_int_equal(read.locality, 3);
		assert_int_equal(read.size, 1000);
		assert_memory_equal(read.command, bytes, 1000);
	}
	assert_false(journal_next(journal, used, &at, &read));
	assert_int_equal(at, used);
	/* It fits to the last byte, and one more does not. */
	entry.size = JOURNAL_MAX - 8;
	assert_int_equal(journal_append(journal, 0, &entry), JOURNAL_MAX);
	entry.size++;
	assert_int_equal(journal_append(journal, 0, &entry), 0);
	/* Cut off anywhere, or with a length or locality that cannot be. */
	for (size_t cut = 1; cut < 1008; cut++) {
		at = 0;
		assert_false(journal_next(journal, cut, &at, &read));
		assert_int_equal(at, 0);
	}
	journal[0] = 5;
	assert_false(journal_next(journal, used, &at, &read));
	journal[0] = 0;
	memset(journal + 4, 0xff, 4);
	assert_false(journal_next(journal, used, &at, &read));
	memset(journal + 4, 0, 4);
	assert_false(journal_next(journal, used, &at, &read));
}

/* Had it succeeded. */
static enum effect effect_of_success(struct packet packet)
{
	static const uint8_t success[TPM_HEADER_SIZE];

	return command_effect(VNVRAM_TPM_20, packet.bytes, packet.size, success);
}

static void test_others_pay(void **state)
{
	static uint8_t mask[STATE_MAX];
	struct packet packet;

	(void)state;
	start_tpm(VNVRAM_TPM_20);
	assert_int_equal(run(tpm2_startup()), 0);
	learn_time(mask);
	assert_int_not_equal(changed(tpm2_pcr_extend(8), mask, NULL), 0);
	assert_int_equal(effect_of(tpm2_flush(0x80000000)), EFFECT_UNKNOWN);
	assert_int_equal(effect_of(command("8001 00000000 20000000")), EFFECT_UNKNOWN);
	/* With a session, even what only reads. */
	packet = tpm2_get_random(8);
	packet.bytes[1] = 2;
	assert_int_equal(effect_of(packet), EFFECT_UNKNOWN);
	/* What fails, or has not just one password. */
	assert_int_equal(effect_of(tpm2_pcr_extend(8)), EFFECT_REPEATABLE);
	assert_int_equal(effect_of(tpm2_pcr_extend(24)), EFFECT_UNKNOWN);
	assert_int_equal(effect_of_success(command("8002 00000000 00000182 00000008 00000009 02000000"
						   " 0000 00 0000 00000000")), EFFECT_UNKNOWN);
	assert_int_equal(effect_of_success(command("8002 00000000 00000182 00000008 00000012 40000009"
						   " 0000 00 0000 40000009 0000 00 0000 00000000")),
			 EFFECT_UNKNOWN);
	assert_int_equal(effect_of_success(command("8002 00000000 00000182 00000008 0000000a 40000009"
						   " 0001 00 00 0000 00000000")), EFFECT_UNKNOWN);
	assert_int_equal(effect_of_success(command("8002 00000000 00000182 00000008 00000009")),
			 EFFECT_UNKNOWN);
	stop_tpm();
	start_tpm(VNVRAM_TPM_12);
	assert_int_equal(run(tpm12_startup()), 0);
	assert_int_equal(effect_of(tpm12_pcr_read(8)), EFFECT_UNKNOWN);
	assert_int_equal(effect_of(tpm12_extend(8)), EFFECT_UNKNOWN);
	stop_tpm();
}

/* TPM2_SetCommandCodeAuditStatus(SHA-256 or none, GetRandom and GetCapability set or cleared) */
static struct packet audit(bool set)
{
	return command("8002 00000000 00000140 40000001 00000009 40000009 0000 00 0000 0010"
		       " %s", set ? "00000002 0000017b 0000017a 00000000" :
		       "00000000 00000002 0000017b 0000017a");
}

/* TPM2_GetCommandAuditDigest without a key: two digests, a null signature, two sessions. */
static void get_audit_digests(uint8_t *digests)
{
	struct packet packet = command("8002 00000000 00000133 4000000b 40000007 00000012"
				       " 40000009 0000 00 0000 40000009 0000 00 0000 0000 0010");
	const uint8_t *response;
	size_t size = tpm_execute(0, packet.bytes, packet.size, &response);

	assert_int_equal(be32(response + 6), 0);
	assert_true(size > 100);
	memcpy(digests, response + size - 10 - 2 - 68, 68);
}

/* An audited command changes the state, and asking whether there is one must not show. */
static void test_audit(void **state)
{
	uint8_t none[68], before[68], after[68];

	(void)state;
	start_tpm(VNVRAM_TPM_20);
	/* Not started up: nobody knows. */
	assert_true(tpm_audits());
	assert_int_equal(run(tpm2_startup()), 0);
	assert_false(tpm_audits());
	assert_int_equal(run(audit(true)), 0);
	get_audit_digests(none);
	assert_int_equal(run(tpm2_get_random(8)), 0);
	get_audit_digests(before);
	assert_memory_not_equal(none, before, 34);
	assert_true(tpm_audits());
	get_audit_digests(after);
	assert_memory_equal(before, after, 68);
	assert_int_equal(run(audit(false)), 0);
	assert_false(tpm_audits());
	stop_tpm();
}

static double us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void measure(enum vnvram_tpm version, struct packet startup, struct packet extend,
		    struct packet read)
{
	static const int rounds = 5000;
	double start, extend_us, read_us, keep_us, record_us, append_us;
	const struct journal_entry entry = { 0, extend.size, extend.bytes };
	uint8_t record[RECORD_MAX] = { 0 };
	struct uuid uuid = { { 1 } };
	struct memory *memory;
	struct error err;
	size_t size = 0;

	start_tpm(version);
	assert_int_equal(run(startup), 0);
	memory = memory_open(-1, &uuid, version, &err);
	assert_non_null(memory);
	start = us();
	for (int i = 0; i < rounds; i++)
		run(extend);
	extend_us = (us() - start) / rounds;
	start = us();
	for (int i = 0; i < rounds; i++)
		run(read);
	read_us = (us() - start) / rounds;
	start = us();
	for (int i = 0; i < rounds; i++) {
		uint8_t *state;

		assert_int_equal(tpm_get_state(&state, &size), 0);
		memory_write(memory, record, 128, state, size);
		tpm_free_state(state, size);
	}
	keep_us = (us() - start) / rounds;
	start = us();
	for (int i = 0; i < rounds; i++)
		memory_write(memory, record, 128, NULL, 0);
	record_us = (us() - start) / rounds;
	start = us();
	for (int i = 0; i < rounds; i++)
		if (memory_append(memory, record, 128, &entry))
			memory_write(memory, record, 128, record, 1);
	append_us = (us() - start) / rounds;
	print_message("# TPM %s: extend %.1f us, PCR read %.1f us, keep the volatile state "
		      "(%zu bytes) %.1f us, the command %.2f us, keep the record only %.2f us\n",
		      version == VNVRAM_TPM_20 ? "2.0" : "1.2", extend_us, read_us, size, keep_us,
		      append_us, record_us);
	memory_close(memory);
	stop_tpm();
}

static void test_cost(void **state)
{
	(void)state;
	measure(VNVRAM_TPM_20, tpm2_startup(), tpm2_pcr_extend(8), tpm2_pcr_read(8));
	measure(VNVRAM_TPM_12, tpm12_startup(), tpm12_extend(8), tpm12_pcr_read(8));
}

/*
 * Writes sets that belong together until it is killed. The record has a number, what the state is
 * full of, and how many commands follow it, which have that byte and their own number.
 */
static void write_sets(int fd, const struct uuid *uuid)
{
	static uint8_t bytes[9000];
	uint8_t record[3] = { 0 }, line[TPM_HEADER_SIZE + 50] = { 0 };
	const struct journal_entry entry = { 0, sizeof(line), line };
	struct error err;
	struct memory *memory = memory_open(fd, uuid, VNVRAM_TPM_20, &err);

	for (unsigned int i = 0;; i++) {
		record[0] = i;
		record[2]++;
		line[0] = record[1];
		line[1] = record[2];
		/* Now and then just the record, and a state before the journal is full. */
		if (i % 5 == 4) {
			record[2]--;
			memory_write(memory, record, 3, NULL, 0);
		} else if (i % 200 == 0 || memory_append(memory, record, 3, &entry)) {
			record[1] = i;
			record[2] = 0;
			memset(bytes, i, sizeof(bytes));
			memory_write(memory, record, 3, bytes, sizeof(bytes));
		}
	}
}

static void check_set(const struct memory_contents *kept)
{
	struct journal_entry entry;
	size_t at = 0;

	assert_int_equal(kept->record_size, 3);
	assert_int_equal(kept->state_size, 9000);
	for (size_t n = 0; n < kept->state_size; n++)
		assert_int_equal(kept->state[n], kept->record[1]);
	for (unsigned int i = 1; i <= kept->record[2]; i++) {
		assert_true(journal_next(kept->journal, kept->journal_size, &at, &entry));
		assert_int_equal(entry.command[0], kept->record[1]);
		assert_int_equal(entry.command[1], i);
	}
	assert_int_equal(at, kept->journal_size);
}

static void test_memory_killed(void **state)
{
	struct uuid uuid = { { 2 } };
	int fd = memfd_create("memory", 0);
	int whole = 0, longest = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		struct memory_contents kept;
		struct memory *memory;
		struct error err;
		pid_t pid = fork();

		if (pid == 0)
			write_sets(fd, &uuid);
		usleep(500 + rand() % 2000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
		assert_non_null(memory);
		assert_string_equal(err.text, "");
		if (memory_read(memory, &kept)) {
			check_set(&kept);
			whole++;
			longest = kept.record[2] > longest ? kept.record[2] : longest;
		}
		memory_close(memory);
	}
	print_message("# killed 300 times while it wrote, %d whole sets, no other; up to %d commands in "
		      "a journal\n", whole, longest);
	assert_in_range(whole, 250, 300);
	assert_in_range(longest, 20, 100);
	close(fd);
}

/* How many bytes of a file are not 0. */
static size_t not_zero(int fd)
{
	struct stat st;
	uint8_t *bytes;
	size_t count = 0;

	assert_int_equal(fstat(fd, &st), 0);
	bytes = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	for (off_t i = 0; i < st.st_size; i++)
		count += bytes[i] != 0;
	munmap(bytes, st.st_size);
	return count;
}

static void test_memory(void **state)
{
	struct uuid uuid = { { 2 } }, other = { { 3 } };
	static uint8_t large[VOLATILE_MAX];
	int fd = memfd_create("memory", 0);
	struct memory_contents kept;
	struct memory *memory;
	struct error err;
	size_t empty;

	(void)state;
	memset(large, 7, sizeof(large));
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	assert_string_equal(err.text, "");
	empty = not_zero(fd);
	assert_false(memory_read(memory, &kept));
	assert_int_equal(memory_write(memory, (const uint8_t *)"r", 1, (const uint8_t *)"state", 5), 0);
	assert_int_equal(memory_write(memory, (const uint8_t *)"rr", 2, NULL, 0), 0);
	memory_close(memory);
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	assert_true(memory_read(memory, &kept));
	assert_int_equal(kept.record_size, 2);
	assert_int_equal(kept.state_size, 5);
	assert_memory_equal(kept.state, "state", 5);
	/* Nothing is left of what was longer, or wiped. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(memory_write(memory, large, RECORD_MAX, large, VOLATILE_MAX), 0);
	assert_true(not_zero(fd) > 2 * (size_t)VOLATILE_MAX);
	for (int i = 0; i < 2; i++)
		assert_int_equal(memory_write(memory, (const uint8_t *)"r", 1,
					      (const uint8_t *)"state", 5), 0);
	assert_true(not_zero(fd) < empty + 30);
	memory_clear(memory);
	assert_int_equal(not_zero(fd), empty);
	assert_false(memory_read(memory, &kept));
	assert_int_equal(memory_write(memory, (const uint8_t *)"r", 1, (const uint8_t *)"state", 5), 0);
	memory_close(memory);
	memory = memory_open(fd, &other, VNVRAM_TPM_20, &err);
	assert_non_null(strstr(err.text, "another vTPM"));
	assert_false(memory_read(memory, &kept));
	assert_int_equal(not_zero(fd), empty);
	memory_close(memory);
	close(fd);
}

static int fallocate_errno;

int __real_fallocate64(int fd, int mode, off_t from, off_t size);
int __wrap_fallocate64(int fd, int mode, off_t from, off_t size);

int __wrap_fallocate64(int fd, int mode, off_t from, off_t size)
{
	errno = fallocate_errno;
	return errno ? -1 : __real_fallocate64(fd, mode, from, size);
}

/* Room for large states is had when they come. */
static void test_memory_room(void **state)
{
	struct uuid uuid = { { 2 } };
	static uint8_t large[VOLATILE_MAX];
	int fd = memfd_create("memory", 0);
	struct memory_contents kept;
	struct memory *memory;
	struct error err;
	struct stat st;

	(void)state;
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	assert_int_equal(fstat(fd, &st), 0);
	print_message("# a new state memory has %lld KB of %lld\n", (long long)st.st_blocks / 2,
		      (long long)st.st_size / 1024);
	assert_true(st.st_blocks < st.st_size / 512 / 2);
	fallocate_errno = ENOSPC;
	assert_int_equal(memory_write(memory, (const uint8_t *)"r", 1, large, 16 * 1024), 0);
	assert_int_equal(memory_write(memory, (const uint8_t *)"rr", 2, large, 16 * 1024 + 1), -ENOSPC);
	assert_true(memory_read(memory, &kept));
	assert_int_equal(kept.record_size, 1);
	assert_int_equal(kept.state_size, 16 * 1024);
	fallocate_errno = 0;
	assert_int_equal(memory_write(memory, (const uint8_t *)"rr", 2, large, VOLATILE_MAX), 0);
	assert_true(memory_read(memory, &kept));
	assert_int_equal(kept.state_size, VOLATILE_MAX);
	memory_close(memory);
	close(fd);
	fd = memfd_create("memory", 0);
	fallocate_errno = ENOSPC;
	assert_null(memory_open(fd, &uuid, VNVRAM_TPM_20, &err));
	assert_non_null(strstr(err.text, "no room"));
	fallocate_errno = 0;
	close(fd);
}

/* One of version 2 is the same but for its version, and ends before the journals. */
static void test_memory_without_journal(void **state)
{
	struct uuid uuid = { { 2 } };
	int fd = memfd_create("memory", 0);
	const struct journal_entry entry = { 0, 20, (const uint8_t *)"0123456789012345678" };
	struct memory_contents kept;
	struct memory *memory;
	struct error err;
	struct stat st;
	uint32_t two = 2;

	(void)state;
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	assert_int_equal(memory_write(memory, (const uint8_t *)"r", 1, (const uint8_t *)"state", 5), 0);
	memory_note_generation(memory, 5, 6);
	memory_close(memory);
	assert_int_equal(pwrite(fd, &two, sizeof(two), 8), sizeof(two));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(fd, st.st_size - 2 * JOURNAL_MAX - 8), 0);
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	assert_string_equal(err.text, "");
	assert_true(memory_read(memory, &kept));
	assert_memory_equal(kept.state, "state", 5);
	assert_int_equal(kept.journal_size, 0);
	assert_int_equal(memory_generation(memory, 5), 6);
	assert_int_equal(memory_append(memory, (const uint8_t *)"rr", 2, &entry), 0);
	memory_close(memory);
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	assert_string_equal(err.text, "");
	assert_true(memory_read(memory, &kept));
	assert_int_equal(kept.record_size, 2);
	assert_int_equal(kept.journal_size, 28);
	memory_close(memory);
	close(fd);
}

static void test_record(void **state)
{
	static struct record record, again;
	uint8_t bytes[RECORD_MAX];
	size_t size;

	(void)state;
	record = (struct record){
		.flags = RECORD_SUSPENDED | RECORD_RESPONSE, .features = 3, .buffer_size = 4096,
		.response_size = 4096, .session = "0123456789abcde", .steps = 5, .sequence = 6,
	};
	memset(record.response, 7, sizeof(record.response));
	size = record_encode(&record, bytes);
	assert_int_equal(size, RECORD_MAX);
	assert_memory_equal(bytes, "\1\0\0\0\3\0\0\0" "0123456789abcde\0\5\0\0\0\0\0\0\0"
			    "\6\0\0\0\0\0\0\0\3\0\0\0\0\x10\0\0\0\x10\0\0\0\0\0\0\7", 57);
	assert_int_equal(record_decode(&again, bytes, size), 0);
	assert_memory_equal(&record, &again, sizeof(record));
	assert_int_not_equal(record_decode(&again, bytes, size - 1), 0);
	assert_int_not_equal(record_decode(&again, bytes, 55), 0);
	bytes[4] = 4;
	assert_int_not_equal(record_decode(&again, bytes, size), 0);
	bytes[4] = 0;
	bytes[0] = 2;
	assert_int_not_equal(record_decode(&again, bytes, size), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_room),
		cmocka_unit_test(test_memory_without_journal),
		cmocka_unit_test(test_memory_killed),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_repeatable),
		cmocka_unit_test(test_commits),
		cmocka_unit_test(test_nv),
		cmocka_unit_test(test_read_only_commands),
		cmocka_unit_test(test_others_pay),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests_name("volatile state", tests, NULL, NULL);
}
