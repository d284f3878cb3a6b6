// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cuts the power at points of what a real engine writes while a guest counts up in its TPM. An
 * engine that is started on what is left has the last count that the guest was told, or the
 * one that was in flight.
 */
#include "engine_test.h"

#include <endian.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "power_cut.h"

/* Where a TPM stands: made, with a counter, or 2 more than the counter. */
#define MADE		1
#define DEFINED		2

/* Of which key the TPM's seeds make: size and contents of its public area. */
#define PUBLIC_AT	18
#define PUBLIC_SIZE	90
#define RC_NO_INDEX	0x18b
#define RC_UNWRITTEN	0x14a

/* Each so many cuts the engine counts on and is started once more. */
#define GO_ON		8

static struct {
	int fd;
	struct io_log *io;
	uint8_t key[PUBLIC_SIZE];
	unsigned int cuts, refused;
	unsigned int seen[64];	/* how often the TPM stood where */
} run;

static struct engine_run start_engine(bool create, bool recorded)
{
	const struct engine_how how = {
		.store = store, .tpm = "2.0", .create = create, .log = recorded ? run.fd : 0,
	};

	return engine_start(&how);
}

static void read_key(int guest, uint8_t *key)
{
	struct packet packet = tpm2_create_primary_ecc(), response;

	assert_int_equal(guest_run(guest, &packet, &response), 0);
	assert_true(response.size > PUBLIC_AT + PUBLIC_SIZE);
	memcpy(key, response.bytes + PUBLIC_AT, PUBLIC_SIZE);
	assert_int_equal(guest_do(guest, tpm2_flush(be32(response.bytes + 10))), 0);
}

static unsigned int where(int guest)
{
	struct packet response;
	uint32_t rc = guest_retry(guest, tpm2_nv_read(INDEX, 8), &response);

	if (rc == RC_NO_INDEX)
		return MADE;
	if (rc == RC_UNWRITTEN)
		return DEFINED;
	assert_int_equal(rc, 0);
	assert_int_equal(be32(response.bytes + 16), 0);
	return DEFINED + be32(response.bytes + 20);
}

/* One step, noted before it begins and after it was answered. */
static void step(int guest, struct packet packet)
{
	struct packet response;

	run.io->begun++;
	assert_int_equal(guest_retry(guest, packet, &response), 0);
	run.io->acked = run.io->begun;
	assert_int_equal(where(guest), run.io->acked);
}

static void count(int guest, unsigned int steps)
{
	while (steps--) {
		step(guest, tpm2_nv_increment(INDEX));
		assert_int_equal(guest_do(guest, tpm2_pcr_extend(steps % 16)), 0);
	}
}

/* In memory: what the engines flush need not reach a real disk. */
static int set_up_store(void **state)
{
	int fd = memfd_create("store", MFD_CLOEXEC);

	(void)state;
	snprintf(store, sizeof(store), "/proc/self/fd/%d", fd);
	return fd < 0 ? -1 : 0;
}

static int tear_down_store(void **state)
{
	int fd, fields;

	(void)state;
	fields = sscanf(store, "/proc/self/fd/%d", &fd);
	assert_int_equal(fields, 1);
	return close(fd);
}

#define CUT_TEST(name)	cmocka_unit_test_setup_teardown(name, set_up_store, tear_down_store)

static void set_up_log(void)
{
	memset(&run, 0, sizeof(run));
	run.fd = memfd_create("log", MFD_CLOEXEC);
	assert_int_equal(ftruncate(run.fd, sizeof(*run.io)), 0);
	run.io = mmap(NULL, sizeof(*run.io), PROT_READ | PROT_WRITE, MAP_SHARED, run.fd, 0);
	assert_ptr_not_equal(run.io, MAP_FAILED);
}

static struct engine_run make_tpm(void)
{
	struct engine_run engine;

	run.io->begun = MADE;
	engine = start_engine(true, true);
	assert_true(engine_is_up(&engine));
	run.io->acked = MADE;
	assert_int_equal(guest_do(engine.guest, tpm2_startup()), 0);
	read_key(engine.guest, run.key);
	step(engine.guest, tpm2_nv_define_counter(INDEX));
	return engine;
}

static void load_record(struct cut_log *log, const struct io_record *record, const uint8_t *bytes)
{
	log->marks.begun = record->begun;
	log->marks.acked = record->acked;
	if (record->kind == CUT_WRITE)
		cut_log_write(log, bytes, record->size, record->offset);
	else
		cut_log_flush(log, record->kind == CUT_FAILED_FLUSH);
}

/* What was flushed before the power can be cut. */
static void load_before(struct cut_log *log, const struct io_record *record, const uint8_t *bytes)
{
	size_t end = record->offset + record->size;
	uint8_t *grown;

	if (record->kind != CUT_WRITE)
		return;
	if (end > log->before_size) {
		grown = realloc(log->before, end);
		if (!grown)
			abort();
		log->before = grown;
		log->before_size = end;
	}
	memcpy(log->before + record->offset, bytes, record->size);
}

/* What the engines have noted, as a log of a file that was empty; cuts are from @from on. */
static void load_log(struct cut_log *log, size_t from)
{
	const uint8_t *begin = run.io->records, *at = begin, *end = begin + run.io->size;
	struct io_record record;

	memset(log, 0, sizeof(*log));
	log->before = calloc(1, 1);
	for (; at < end; at += sizeof(record) + record.size) {
		memcpy(&record, at, sizeof(record));
		if ((size_t)(at - begin) < from)
			load_before(log, &record, at + sizeof(record));
		else
			load_record(log, &record, at + sizeof(record));
	}
	log->marks.begun = run.io->begun;
	log->marks.acked = run.io->acked;
}

static void write_disk(const struct cut *cut)
{
	int fd = open(store, O_WRONLY | O_TRUNC);

	assert_int_equal(pwrite(fd, cut->bytes, cut->size, 0), cut->size);
	close(fd);
}

/* It counts on from there, and that is durable at once. */
static void go_on(struct engine_run *engine, unsigned int from)
{
	uint8_t key[PUBLIC_SIZE];

	assert_int_equal(guest_do(engine->guest, tpm2_nv_increment(INDEX)), 0);
	engine_kill(engine);
	*engine = start_engine(false, false);
	assert_true(engine_is_up(engine));
	assert_int_equal(guest_do(engine->guest, tpm2_startup()), 0);
	assert_int_equal(where(engine->guest), from + 1);
	read_key(engine->guest, key);
	assert_memory_equal(key, run.key, PUBLIC_SIZE);
}

static void check_tpm(const struct cut *cut, struct engine_run *engine)
{
	uint8_t key[PUBLIC_SIZE];
	unsigned int number;

	assert_int_equal(guest_do(engine->guest, tpm2_startup()), 0);
	number = where(engine->guest);
	if (number < cut->oldest || number > cut->newest)
		fail_msg("cut %u after event %u: the TPM is at %u instead of %u to %u",
			 cut->number, cut->at, number, cut->oldest, cut->newest);
	/* Which TPM it is was not told to anybody before it was made. */
	if (cut->oldest) {
		read_key(engine->guest, key);
		assert_memory_equal(key, run.key, PUBLIC_SIZE);
	}
	assert_true(number < 64);
	run.seen[number]++;
	if (number >= DEFINED && run.cuts % GO_ON == 0)
		go_on(engine, number);
}

static void check_cut(const struct cut *cut, void *opaque)
{
	struct control_message msg;
	struct engine_run engine;

	(void)opaque;
	write_disk(cut);
	engine = start_engine(false, false);
	assert_true(engine_wait(&engine, CONTROL_STATE, &msg));
	run.cuts++;
	if (msg.value == CONTROL_READY)
		check_tpm(cut, &engine);
	else if (cut->oldest)
		fail_msg("cut %u after event %u: refused: %s", cut->number, cut->at, msg.text);
	else
		run.refused++;
	engine_kill(&engine);
}

/* At most about @cuts of all that are possible after the first @from bytes of the log. */
static void cut_all(const char *name, size_t from, unsigned int cuts)
{
	unsigned int possible, every;
	struct cut_log log;
	int quiet, old;

	load_log(&log, from);
	possible = cut_count(&log, 8);
	every = possible / cuts + !(possible / cuts);
	/* Each refusal is logged, as it should be, but not here. */
	fflush(stderr);
	old = dup(STDERR_FILENO);
	quiet = open("/dev/null", O_WRONLY);
	dup2(quiet, STDERR_FILENO);
	cut_replay(&log, 8, every, check_cut, NULL);
	dup2(old, STDERR_FILENO);
	close(quiet);
	close(old);
	printf("# %s: %u power cuts, %u before there was a TPM\n", name, run.cuts, run.refused);
	cut_log_end(&log);
	munmap(run.io, sizeof(*run.io));
	close(run.fd);
}

/* From the first byte on: what is refused is not acknowledged yet. */
static void test_new_tpm(void **state)
{
	struct engine_run engine;

	(void)state;
	set_up_log();
	engine = make_tpm();
	engine_kill(&engine);
	cut_all("a new TPM", 0, 80);
	assert_true(run.cuts >= 60);
	assert_true(run.refused && run.seen[MADE]);
}

/* Ends in order and is started again in between. */
static void test_counter(void **state)
{
	struct engine_run engine;
	uint32_t made;

	(void)state;
	set_up_log();
	engine = make_tpm();
	made = run.io->size;
	count(engine.guest, 6);
	engine_shutdown(&engine);
	engine = start_engine(false, true);
	assert_true(engine_is_up(&engine));
	assert_int_equal(guest_do(engine.guest, tpm2_startup()), 0);
	count(engine.guest, 5);
	engine_kill(&engine);
	cut_all("a guest that counts", made, 200);
	assert_true(run.cuts >= 150 && !run.refused);
	for (unsigned int i = DEFINED; i < DEFINED + 11; i++)
		assert_true(run.seen[i]);
}

/* Killed between write and flush: the next engine sees what is not on the disk yet. */
static void test_killed(void **state)
{
	struct engine_run engine;
	struct packet packet = tpm2_nv_increment(INDEX);
	uint32_t made;

	(void)state;
	set_up_log();
	engine = make_tpm();
	made = run.io->size;
	count(engine.guest, 2);
	run.io->begun++;
	engine.faults->die_at = FAULT_WRITTEN;
	guest_send(engine.guest, &packet, 0);
	assert_int_equal(engine_end(&engine), 128 + SIGKILL);
	engine = start_engine(false, true);
	assert_true(engine_is_up(&engine));
	assert_int_equal(guest_do(engine.guest, tpm2_startup()), 0);
	assert_int_equal(where(engine.guest), run.io->begun);
	run.io->acked = run.io->begun;
	count(engine.guest, 2);
	engine_kill(&engine);
	cut_all("an engine that is killed", made, 200);
	assert_true(run.cuts >= 150 && !run.refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CUT_TEST(test_new_tpm),
		CUT_TEST(test_counter),
		CUT_TEST(test_killed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("engine and power cuts", tests, NULL, NULL);
}
