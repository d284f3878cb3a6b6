// SPDX-License-Identifier: GPL-2.0-only
/* The engine and its store: what is refused, and when a command is answered. */
#include "engine_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "vnvram.h"

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* The engine refuses, says why, and leaves the file alone. */
static void assert_refused(const struct engine_how *how, const char *why)
{
	struct engine_run run = engine_start(how);
	struct control_message msg;

	assert_true(engine_wait(&run, CONTROL_STATE, &msg));
	assert_int_equal(msg.value, CONTROL_REFUSED);
	if (!strstr(msg.text, why) || !strstr(msg.text, store))
		fail_msg("'%s' does not name '%s' and the store", msg.text, why);
	assert_int_equal(engine_end(&run), ENGINE_EXIT_REFUSED);
}

static size_t read_store(uint8_t *bytes, size_t size)
{
	int fd = open(store, O_RDONLY);
	ssize_t n = read(fd, bytes, size);

	close(fd);
	return n;
}

static void write_store(const uint8_t *bytes, size_t size)
{
	int fd = open(store, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void test_missing_state(void **state)
{
	const struct engine_how how = { .store = store, .tpm = "2.0" };
	struct stat st;

	(void)state;
	assert_refused(&how, "is empty");
	assert_int_equal(stat(store, &st), 0);
	assert_int_equal(st.st_size, 0);
}

static void test_damaged_state(void **state)
{
	struct engine_how how = { .store = store, .tpm = "2.0" };
	static uint8_t good[1 << 20], bad[1 << 20];
	struct engine_run run = start_tpm2(true);
	size_t size;

	(void)state;
	engine_shutdown(&run);
	size = read_store(good, sizeof(good));
	memcpy(bad, good, size);
	bad[20] ^= 1;
	write_store(bad, size);
	assert_refused(&how, "checksum of its header");
	memcpy(bad, good, size);
	bad[4096 + 200] ^= 1;
	bad[4096 + (size - 4096) / 2 + 200] ^= 1;
	write_store(bad, size);
	assert_refused(&how, "none of its two copies");
	assert_int_equal(read_store(good, sizeof(good)), size);
	assert_memory_equal(good, bad, size);
	write_store(bad, size / 2);
	assert_refused(&how, "truncated");
}

/* Puts other bytes in the place of the permanent state, with good checksums. */
static void replace_state(enum vnvram_tpm tpm, const char *what)
{
	static uint8_t bytes[65536];
	struct vnvram_identity identity = { .tpm = tpm };
	int fd = open(store, O_RDWR);
	struct vnvram_info info;
	struct vnvram *nvram;
	struct error err;
	const void *data;
	size_t size;

	assert_int_equal(vnvram_inspect(fd, store, &vnvram_system_io, &info, &err), 0);
	assert_true(uuid_parse(ENGINE_UUID, &identity.uuid));
	identity.engine = info.writer;
	nvram = vnvram_new(&identity, &vnvram_system_io);
	assert_int_equal(vnvram_register(nvram, "permall", sizeof(bytes), NULL, NULL), 0);
	vnvram_attach(nvram, fd, store);
	assert_int_equal(vnvram_start(nvram, &err), 0);
	assert_int_equal(vnvram_read(nvram, "permall", &data, &size), 0);
	memcpy(bytes, data, size);
	if (!strcmp(what, "missing"))
		assert_int_equal(vnvram_clear_async(nvram, "permall"), 0);
	else if (!strcmp(what, "empty"))
		assert_int_equal(vnvram_write_async(nvram, "permall", "", 0), 0);
	else if (!strcmp(what, "truncated"))
		assert_int_equal(vnvram_write_async(nvram, "permall", bytes, size / 2), 0);
	else
		assert_int_equal(vnvram_write_async(nvram, "permall", "garbage, just garbage", 21), 0);
	assert_int_equal(vnvram_process(nvram, &err), 0);
	vnvram_free(nvram);
	close(fd);
}

/* What libtpms does not take must not become a new TPM either. */
static void refuses_state(const char *tpm, enum vnvram_tpm version, const char *what)
{
	const struct engine_how how = { .store = store, .tpm = tpm };
	struct engine_run run = start(tpm, true);
	static uint8_t before[1 << 20], after[1 << 20];
	size_t size;

	engine_shutdown(&run);
	replace_state(version, what);
	size = read_store(before, sizeof(before));
	assert_refused(&how, !strcmp(what, "missing") ? "is missing from the store" :
		       "libtpms does not accept");
	assert_int_equal(read_store(after, sizeof(after)), size);
	assert_memory_equal(before, after, size);
	assert_int_equal(truncate(store, 0), 0);
}

static void test_unacceptable_state(void **state)
{
	static const char *const what[] = { "missing", "empty", "truncated", "garbage" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		refuses_state("2.0", VNVRAM_TPM_20, what[i]);
		refuses_state("1.2", VNVRAM_TPM_12, what[i]);
	}
}

static void test_wrong_state(void **state)
{
	struct engine_how how = { .store = store, .tpm = "1.2" };
	struct engine_run run = start_tpm2(true);

	(void)state;
	engine_shutdown(&run);
	assert_refused(&how, "holds a TPM 2.0");
	how.tpm = "2.0";
	how.uuid = "ab020000-0000-0000-0000-000000000000";
	assert_refused(&how, "another vTPM, " ENGINE_UUID);
	how.uuid = NULL;
	how.create = true;
	assert_refused(&how, "not empty");
	run = start_tpm2(false);
	engine_shutdown(&run);
}

static void test_second_engine(void **state)
{
	const struct engine_how how = { .store = store, .tpm = "2.0" };
	struct engine_run run = start_tpm2(true), second = engine_start(&how);

	(void)state;
	assert_int_equal(engine_end(&second), ENGINE_EXIT_LOCKED);
	assert_int_equal(guest_do(run.guest, tpm2_get_random(8)), 0);
	engine_kill(&run);
	run = start_tpm2(false);
	engine_shutdown(&run);
}

static void test_commit_before_response(void **state)
{
	struct engine_run run = start_tpm2(true);
	uint32_t writes, syncs;
	double begin;

	(void)state;
	define_and_write(run.guest, "a");
	run.faults->sync_delay_ms = 400;
	writes = run.faults->pwrites;
	syncs = run.faults->syncs;
	begin = seconds();
	assert_int_equal(guest_do(run.guest, tpm2_nv_write(INDEX, "b")), 0);
	assert_true(seconds() - begin >= 0.4);
	assert_int_equal(run.faults->pwrites, writes + 1);
	assert_int_equal(run.faults->syncs, syncs + 1);
	/* What changes nothing permanent costs no write. */
	for (unsigned int pcr = 10; pcr < 16; pcr++)
		assert_int_equal(guest_do(run.guest, tpm2_pcr_extend(pcr)), 0);
	assert_int_equal(guest_do(run.guest, tpm2_get_random(8)), 0);
	assert_int_equal(guest_do(run.guest, tpm2_create_primary_ecc()), 0);
	assert_int_equal(run.faults->pwrites, writes + 1);
	run.faults->sync_delay_ms = 0;
	engine_shutdown(&run);
}

/* The flush never ends: the guest is not answered, and a kill leaves the old contents. */
static void test_killed_in_commit(void **state)
{
	struct engine_run run = start_tpm2(true);
	struct packet packet = tpm2_nv_write(INDEX, "new"), response;
	uint64_t sequence;

	(void)state;
	define_and_write(run.guest, "old");
	run.faults->pwrite_errno = ENOSPC;
	sequence = guest_send(run.guest, &packet, 0);
	assert_false(guest_receive(run.guest, sequence, &response, 300));
	engine_kill(&run);
	run = start_tpm2(false);
	assert_true(guest_nv_holds(run.guest, INDEX, "old"));
	engine_shutdown(&run);
}

static void fail_and_recover(_Atomic int *fault, struct engine_run *run, int code,
			     const char *text)
{
	struct packet packet = tpm2_nv_write(INDEX, text), response;
	struct control_message msg;
	uint64_t sequence;

	*fault = code;
	sequence = guest_send(run->guest, &packet, 0);
	assert_true(engine_wait(run, CONTROL_STATE, &msg));
	assert_int_equal(msg.value, CONTROL_STORE_WAITS);
	assert_non_null(strstr(msg.text, store));
	assert_non_null(strstr(msg.text, strerror(code)));
	assert_false(guest_receive(run->guest, sequence, &response, 300));
	*fault = 0;
	assert_true(guest_receive(run->guest, sequence, &response, 10000));
	assert_int_equal(be32(response.bytes + 6), 0);
	assert_true(engine_wait(run, CONTROL_STATE, &msg));
	assert_int_equal(msg.value, CONTROL_READY);
}

static void test_passing_faults(void **state)
{
	/* A file system that met an error may be mounted read-only until somebody repairs it. */
	static const int codes[] = { ENOSPC, EIO, EROFS, EDQUOT };
	struct engine_run run = start_tpm2(true);
	char text[] = "a";

	(void)state;
	define_and_write(run.guest, text);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		*text = 'b' + i;
		fail_and_recover(&run.faults->pwrite_errno, &run, codes[i], text);
		*text = 'B' + i;
		fail_and_recover(&run.faults->sync_errno, &run, codes[i], text);
		/* libtpms has not noticed. */
		assert_int_equal(guest_do(run.guest, tpm2_get_random(8)), 0);
		assert_true(guest_nv_holds(run.guest, INDEX, text));
	}
	engine_kill(&run);
	run = start_tpm2(false);
	assert_true(guest_nv_holds(run.guest, INDEX, text));
	engine_shutdown(&run);
}

static void test_hanging_disk(void **state)
{
	struct engine_run run = start_tpm2(true);
	struct packet packet, response;
	struct control_message msg;
	uint64_t sequence;

	(void)state;
	define_and_write(run.guest, "a");
	packet = tpm2_nv_write(INDEX, "b");
	run.faults->sync_delay_ms = 60000;
	sequence = guest_send(run.guest, &packet, 0);
	assert_true(engine_wait(&run, CONTROL_STATE, &msg));
	assert_int_equal(msg.value, CONTROL_STORE_WAITS);
	assert_non_null(strstr(msg.text, "has not answered"));
	assert_false(guest_receive(run.guest, sequence, &response, 300));
	/* It answers, but with an error: that is the reason now. */
	run.faults->sync_errno = EIO;
	run.faults->sync_delay_ms = 0;
	assert_true(engine_wait(&run, CONTROL_STATE, &msg));
	assert_int_equal(msg.value, CONTROL_STORE_WAITS);
	assert_non_null(strstr(msg.text, strerror(EIO)));
	run.faults->sync_errno = 0;
	assert_true(guest_receive(run.guest, sequence, &response, 10000));
	assert_int_equal(be32(response.bytes + 6), 0);
	assert_true(engine_wait(&run, CONTROL_STATE, &msg));
	assert_int_equal(msg.value, CONTROL_READY);
	engine_shutdown(&run);
}

/* The disk may lose what it had before, but not while this host is up. */
static void test_damage_seen_by_memory(void **state)
{
	char memory[] = "/tmp/vtpm-test-memory-XXXXXX";
	struct engine_how how = {
		.store = store, .tpm = "2.0", .create = true, .memory = memory, .same = true,
	};
	struct engine_run run;
	struct vnvram_info info;
	struct error err;
	int fd;

	(void)state;
	close(mkstemp(memory));
	run = engine_start(&how);
	assert_true(engine_is_up(&run));
	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	define_and_write(run.guest, "a");
	engine_kill(&run);
	fd = open(store, O_RDWR);
	assert_int_equal(vnvram_inspect(fd, store, &vnvram_system_io, &info, &err), 0);
	assert_int_equal(pwrite(fd, "damage", 6, 4096 + 100 +
				(info.slots[1] > info.slots[0] ? info.slot_size : 0)), 6);
	close(fd);
	how.create = false;
	assert_refused(&how, "is older than it was");
	unlink(memory);
}

/* Told to end while the store fails: no answer, no success, the old contents. */
static void test_shutdown_while_store_fails(void **state)
{
	struct engine_run run = start_tpm2(true);
	struct packet packet = tpm2_nv_write(INDEX, "b"), response;
	struct control_message msg = { .type = CONTROL_SHUTDOWN };
	uint64_t sequence;

	(void)state;
	define_and_write(run.guest, "a");
	run.faults->sync_errno = EIO;
	run.faults->pwrite_errno = EIO;
	sequence = guest_send(run.guest, &packet, 0);
	assert_true(engine_wait(&run, CONTROL_STATE, &msg));
	msg = (struct control_message){ .type = CONTROL_SHUTDOWN };
	control_send(run.control, &msg, -1);
	assert_false(guest_receive(run.guest, sequence, &response, 10000));
	assert_int_equal(engine_end(&run), ENGINE_EXIT_FAILED);
	run = start_tpm2(false);
	assert_true(guest_nv_holds(run.guest, INDEX, "a"));
	engine_shutdown(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_missing_state),
		TEST(test_damaged_state),
		TEST(test_unacceptable_state),
		TEST(test_wrong_state),
		TEST(test_second_engine),
		TEST(test_commit_before_response),
		TEST(test_killed_in_commit),
		TEST(test_passing_faults),
		TEST(test_hanging_disk),
		TEST(test_damage_seen_by_memory),
		TEST(test_shutdown_while_store_fails),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("engine and store", tests, NULL, NULL);
}
