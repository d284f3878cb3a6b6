// SPDX-License-Identifier: GPL-2.0-only
/*
 * In this process: commands that do not pay for a copy of the volatile state do not change
 * it; the state memory leaves a whole pair to whoever is killed; and what all that costs.
 */
#include "cmocka_all.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../engine/memory.h"
#include "../engine/record.h"
#include "../engine/tpm.h"
#include "../engine/volatile.h"
#include "guest.h"

#define STATE_MAX	16384

static struct log log_to;
static struct vnvram *nvram;
static int store_fd;

static void start_tpm(enum vnvram_tpm version)
{
	struct tpm_setup setup = {
		.version = version, .buffer_size = 4096, .create = true, .log = &log_to,
	};
	const struct vnvram_identity identity = { .uuid = { { 1 } }, .tpm = version };
	struct error err;

	log_init(&log_to, STDERR_FILENO, "test");
	store_fd = memfd_create("store", 0);
	nvram = vnvram_new(&identity, &vnvram_system_io);
	assert_int_equal(entries_register(nvram), 0);
	vnvram_attach(nvram, store_fd, "store");
	assert_int_equal(vnvram_format(nvram, &err), 0);
	setup.store = nvram;
	if (tpm_start(&setup, &err))
		fail_msg("%s", err.text);
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
static size_t changed(struct packet packet, const uint8_t *mask, size_t *span)
{
	static uint8_t a[STATE_MAX], b[STATE_MAX];
	size_t size = get_state(a), count = 0, first = 0, last = 0;

	run(packet);
	if (get_state(b) != size)
		return STATE_MAX;
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

static uint32_t make_key(void)
{
	struct packet packet = tpm2_create_primary_ecc();
	const uint8_t *response;

	tpm_execute(0, packet.bytes, packet.size, &response);
	assert_int_equal(be32(response + 6), 0);
	return be32(response + 10);
}

static uint32_t read_only_codes(void)
{
	uint32_t count = 0;

	for (uint32_t code = 0; code < 0x1000; code++)
		count += command_is_read_only(VNVRAM_TPM_20,
					      command("8001 00000000 %08x", code).bytes);
	return count;
}

static void test_read_only_commands(void **state)
{
	struct packet packets[10];
	static uint8_t mask[STATE_MAX];
	size_t n = 0, span;
	uint32_t key;

	(void)state;
	start_tpm(VNVRAM_TPM_20);
	assert_int_equal(run(tpm2_startup()), 0);
	assert_int_equal(run(tpm2_nv_define(0x01500001, 8)), 0);
	key = make_key();
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
	assert_int_equal(read_only_codes(), n + 1);
	for (size_t i = 0; i < n; i++)
		if (run(packets[i]))
			fail_msg("command %x fails", be32(packets[i].bytes + 6));
	learn_time(mask);
	for (size_t i = 0; i < n; i++) {
		assert_true(command_is_read_only(VNVRAM_TPM_20, packets[i].bytes));
		if (changed(packets[i], mask, NULL))
			fail_msg("command %x changes the state", be32(packets[i].bytes + 6));
	}
	/* Only the generator, whose state is in one piece. */
	assert_true(command_is_read_only(VNVRAM_TPM_20, tpm2_get_random(8).bytes));
	assert_int_not_equal(changed(tpm2_get_random(8), mask, &span), 0);
	print_message("# TPM2_GetRandom changes %zu bytes in one piece\n", span);
	assert_in_range(span, 1, 64);
	stop_tpm();
}

static void test_others_pay(void **state)
{
	static uint8_t mask[STATE_MAX];
	struct packet packet;

	(void)state;
	start_tpm(VNVRAM_TPM_20);
	assert_int_equal(run(tpm2_startup()), 0);
	learn_time(mask);
	assert_false(command_is_read_only(VNVRAM_TPM_20, tpm2_pcr_extend(8).bytes));
	assert_int_not_equal(changed(tpm2_pcr_extend(8), mask, NULL), 0);
	assert_false(command_is_read_only(VNVRAM_TPM_20, tpm2_flush(0x80000000).bytes));
	assert_false(command_is_read_only(VNVRAM_TPM_20, command("8001 00000000 20000000").bytes));
	/* With a session, even what only reads. */
	packet = tpm2_get_random(8);
	packet.bytes[1] = 2;
	assert_false(command_is_read_only(VNVRAM_TPM_20, packet.bytes));
	assert_false(command_is_read_only(VNVRAM_TPM_12, tpm12_pcr_read(8).bytes));
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
	double start, extend_us, read_us, keep_us, record_us;
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
	print_message("# TPM %s: extend %.1f us, PCR read %.1f us, keep the volatile state "
		      "(%zu bytes) %.1f us, keep the record only %.2f us\n",
		      version == VNVRAM_TPM_20 ? "2.0" : "1.2", extend_us, read_us, size, keep_us,
		      record_us);
	memory_close(memory);
	stop_tpm();
}

static void test_cost(void **state)
{
	(void)state;
	measure(VNVRAM_TPM_20, tpm2_startup(), tpm2_pcr_extend(8), tpm2_pcr_read(8));
	measure(VNVRAM_TPM_12, tpm12_startup(), tpm12_extend(8), tpm12_pcr_read(8));
}

/* Writes pairs that belong together until it is killed; each third keeps its state. */
static void write_pairs(int fd, const struct uuid *uuid)
{
	static uint8_t bytes[9000];
	struct error err;
	struct memory *memory = memory_open(fd, uuid, VNVRAM_TPM_20, &err);

	for (unsigned int i = 0;; i++) {
		uint8_t record[2] = { i, i - (i % 3 == 2) };

		memset(bytes, record[1], sizeof(bytes));
		memory_write(memory, record, 2, i % 3 == 2 ? NULL : bytes, sizeof(bytes));
	}
}

static void test_memory_killed(void **state)
{
	struct uuid uuid = { { 2 } };
	int fd = memfd_create("memory", 0);
	int whole = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		const uint8_t *record, *bytes;
		size_t record_size, size;
		struct memory *memory;
		struct error err;
		pid_t pid = fork();

		if (pid == 0)
			write_pairs(fd, &uuid);
		usleep(500 + rand() % 2000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
		assert_non_null(memory);
		assert_string_equal(err.text, "");
		if (memory_read(memory, &record, &record_size, &bytes, &size)) {
			assert_int_equal(record_size, 2);
			assert_int_equal(size, 9000);
			for (size_t n = 0; n < size; n++)
				assert_int_equal(bytes[n], record[1]);
			whole++;
		}
		memory_close(memory);
	}
	print_message("# killed 300 times while it wrote, %d whole pairs, no other\n", whole);
	assert_in_range(whole, 250, 300);
	close(fd);
}

static void test_memory(void **state)
{
	struct uuid uuid = { { 2 } }, other = { { 3 } };
	int fd = memfd_create("memory", 0);
	const uint8_t *record, *bytes;
	size_t record_size, size;
	struct memory *memory;
	struct error err;

	(void)state;
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	assert_string_equal(err.text, "");
	assert_false(memory_read(memory, &record, &record_size, &bytes, &size));
	memory_write(memory, (const uint8_t *)"r", 1, (const uint8_t *)"state", 5);
	memory_write(memory, (const uint8_t *)"rr", 2, NULL, 0);
	memory_close(memory);
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	assert_true(memory_read(memory, &record, &record_size, &bytes, &size));
	assert_int_equal(record_size, 2);
	assert_int_equal(size, 5);
	assert_memory_equal(bytes, "state", 5);
	memory_clear(memory);
	assert_false(memory_read(memory, &record, &record_size, &bytes, &size));
	memory_write(memory, (const uint8_t *)"r", 1, (const uint8_t *)"state", 5);
	memory_close(memory);
	memory = memory_open(fd, &other, VNVRAM_TPM_20, &err);
	assert_non_null(strstr(err.text, "another vTPM"));
	assert_false(memory_read(memory, &record, &record_size, &bytes, &size));
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
		cmocka_unit_test(test_memory_killed),
		cmocka_unit_test(test_read_only_commands),
		cmocka_unit_test(test_others_pay),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests_name("volatile state", tests, NULL, NULL);
}
