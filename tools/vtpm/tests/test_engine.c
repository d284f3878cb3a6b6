// SPDX-License-Identifier: GPL-2.0-only
/* The engine, as a process, served by a socket pair in the kernel's place. */
#include "engine_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xen/vtpm.h>

#include "guest.h"

#define RC_CANCELED	0x909
#define RC_LOCALITY	0x907
#define RC_FAILURE	0x101

static void test_tpm2(void **state)
{
	struct engine_run run = start_tpm2(true);
	struct packet response, read = tpm2_pcr_read(16);

	(void)state;
	assert_int_equal(guest_do(run.guest, tpm2_get_random(16)), 0);
	assert_int_equal(guest_do(run.guest, tpm2_pcr_extend(16)), 0);
	assert_int_equal(guest_run(run.guest, &read, &response), 0);
	assert_int_equal(response.size, 62);
	define_and_write(run.guest, "kept");
	assert_int_equal(engine_kill(&run), 128 + SIGKILL);

	run = start_tpm2(false);
	assert_true(guest_nv_holds(run.guest, INDEX, "kept"));
	assert_int_equal(engine_shutdown(&run), ENGINE_EXIT_OK);
	run = start_tpm2(false);
	assert_true(guest_nv_holds(run.guest, INDEX, "kept"));
	assert_int_equal(engine_shutdown(&run), ENGINE_EXIT_OK);
}

/* A restart without the volatile state is a TPM reset. */
static void test_restart_clears_pcrs(void **state)
{
	static const uint8_t zeroes[32];
	struct packet response, read = tpm2_pcr_read(16);
	struct engine_run run = start_tpm2(true);

	(void)state;
	assert_int_equal(guest_do(run.guest, tpm2_pcr_extend(16)), 0);
	assert_int_equal(guest_run(run.guest, &read, &response), 0);
	assert_memory_not_equal(response.bytes + 30, zeroes, 32);
	engine_shutdown(&run);
	run = start_tpm2(false);
	assert_int_equal(guest_run(run.guest, &read, &response), 0);
	assert_memory_equal(response.bytes + 30, zeroes, 32);
	engine_shutdown(&run);
}

static void test_tpm12(void **state)
{
	struct packet response, flags = tpm12_get_permanent_flags(), ek = tpm12_read_pubek(), ek2;
	struct engine_run run = start("1.2", true);

	(void)state;
	/* The guest is the one who starts it up. */
	assert_int_equal(guest_do(run.guest, tpm12_get_random(8)), 38);
	assert_int_equal(guest_do(run.guest, tpm12_startup()), 0);
	assert_int_equal(guest_do(run.guest, tpm12_get_random(8)), 0);
	assert_int_equal(guest_do(run.guest, tpm12_extend(10)), 0);
	assert_int_equal(guest_run(run.guest, &ek, &response), 0);
	assert_int_equal(guest_run(run.guest, &flags, &ek2), 0);
	/* After header, size and tag: disable, ownership, deactivated. */
	assert_int_equal(ek2.bytes[16], 0);
	assert_int_equal(ek2.bytes[17], 1);
	assert_int_equal(ek2.bytes[18], 0);
	assert_int_equal(engine_kill(&run), 128 + SIGKILL);

	run = start("1.2", false);
	assert_int_equal(guest_do(run.guest, tpm12_startup()), 0);
	assert_int_equal(guest_run(run.guest, &ek, &ek2), 0);
	assert_int_equal(ek2.size, response.size);
	assert_memory_equal(ek2.bytes, response.bytes, response.size);
	assert_int_equal(engine_shutdown(&run), ENGINE_EXIT_OK);
}

/* Each command of one guest takes long; another guest waits for one of them, not for all. */
static void test_fairness(void **state)
{
	struct engine_run run = start_tpm2(true);
	int second = engine_connect(&run, 2);
	struct packet packet, response;
	uint64_t sequence;
	int answered = 0;

	(void)state;
	define_and_write(run.guest, "0");
	run.faults->sync_delay_ms = 50;
	for (int i = 0; i < 20; i++) {
		packet = tpm2_nv_write(INDEX, i % 2 ? "1" : "2");
		guest_send(run.guest, &packet, 0);
	}
	packet = tpm2_get_random(8);
	for (int i = 0; i < 3; i++) {
		sequence = guest_send(second, &packet, 0);
		assert_true(guest_receive(second, sequence, &response, 10000));
	}
	while (recv(run.guest, &response, sizeof(response), MSG_DONTWAIT) > 0)
		answered++;
	assert_in_range(answered, 0, 5);
	run.faults->sync_delay_ms = 0;
	close(second);
	engine_shutdown(&run);
}

static void send_malformed(struct engine_run *run, uint64_t id, struct vtpm_request header,
			   size_t size)
{
	uint8_t buffer[sizeof(header) + 5000] = { 0 };
	int fd = engine_connect(run, id);
	struct control_message msg;

	memcpy(buffer, &header, sizeof(header));
	memcpy(buffer + sizeof(header), tpm2_startup().bytes, 12);
	assert_int_equal(send(fd, buffer, size, MSG_NOSIGNAL), size);
	assert_true(engine_wait(run, CONTROL_CLOSED, &msg));
	assert_int_equal(msg.id, id);
	assert_string_equal(msg.text, "malformed request");
	assert_int_equal(recv(fd, buffer, sizeof(buffer), 0), 0);
	close(fd);
}

static void test_malformed(void **state)
{
	const struct vtpm_request good = { .sequence = 1, .length = 12 };
	const size_t head = sizeof(good);
	struct engine_run run = start_tpm2(true);
	struct vtpm_request bad;

	(void)state;
	send_malformed(&run, 2, good, 1);
	send_malformed(&run, 3, good, head);
	send_malformed(&run, 4, good, head + 11);
	send_malformed(&run, 5, good, head + 13);
	bad = good;
	bad.length = 9;
	send_malformed(&run, 6, bad, head + 9);
	bad.length = 4097;
	send_malformed(&run, 7, bad, head + 4097);
	bad.length = UINT32_MAX;
	send_malformed(&run, 8, bad, head + 12);
	bad = good;
	bad.locality = 5;
	send_malformed(&run, 9, bad, head + 12);
	bad = good;
	bad.reserved = 1;
	send_malformed(&run, 10, bad, head + 12);
	bad = good;
	bad.kind = VTPM_REQUEST_QUIESCE;
	send_malformed(&run, 11, bad, head + 12);
	bad.kind = VTPM_REQUEST_BEGIN;
	send_malformed(&run, 12, bad, head + 12);
	assert_int_equal(guest_do(run.guest, tpm2_get_random(8)), 0);
	engine_shutdown(&run);
}

static void test_unknown_kind(void **state)
{
	struct vtpm_request header = {
		.sequence = 77, .length = 12, .kind = VTPM_REQUEST_BEGIN + 1,
	};
	struct engine_run run = start_tpm2(true);
	uint8_t buffer[sizeof(header) + 12];
	struct packet response;

	(void)state;
	memcpy(buffer, &header, sizeof(header));
	memcpy(buffer + sizeof(header), tpm2_startup().bytes, 12);
	send(run.guest, buffer, sizeof(buffer), 0);
	assert_true(guest_receive(run.guest, 77, &response, 10000));
	assert_int_equal(be32(response.bytes + 6), RC_FAILURE);
	engine_shutdown(&run);
}

/* Lengths inside the command are the TPM's business; it answers every one. */
static void test_wrong_inner_length(void **state)
{
	struct engine_run run = start_tpm2(true);
	struct packet packet = tpm2_get_random(8), response;

	(void)state;
	for (uint32_t length = 0; length < 20; length++) {
		packet.bytes[5] = length;
		if (length != 12)
			assert_int_not_equal(guest_run(run.guest, &packet, &response), 0);
		assert_in_range(response.size, 10, 4088);
	}
	engine_shutdown(&run);
}

static void test_localities(void **state)
{
	struct engine_run run = start_tpm2(true);
	struct packet packet = tpm2_pcr_extend(18), response;
	uint64_t sequence;

	(void)state;
	assert_int_equal(guest_run(run.guest, &packet, &response), RC_LOCALITY);
	sequence = guest_send(run.guest, &packet, 3);
	assert_true(guest_receive(run.guest, sequence, &response, 10000));
	assert_int_equal(be32(response.bytes + 6), 0);
	assert_int_equal(guest_run(run.guest, &packet, &response), RC_LOCALITY);
	engine_shutdown(&run);
}

static void test_buffer_size(void **state)
{
	/* TPM_PT_MAX_RESPONSE_SIZE */
	struct packet packet = command("8001 00000000 0000017a 00000006 0000011f 00000001");
	struct engine_run run = start_tpm2(true);
	struct packet response;

	(void)state;
	assert_int_equal(guest_run(run.guest, &packet, &response), 0);
	assert_int_equal(be32(response.bytes + response.size - 4), 4088);
	engine_shutdown(&run);
}

/* A parent for RSA keys, used once: the first use of a protected key costs a commit. */
static uint32_t create_parent(int fd)
{
	struct packet response, packet = tpm2_create_primary_rsa();
	uint32_t handle;

	assert_int_equal(guest_run(fd, &packet, &response), 0);
	handle = be32(response.bytes + 10);
	assert_int_equal(guest_retry(fd, tpm2_create_rsa(handle), &response), 0);
	return handle;
}

/* Returns whether the command was cancelled; if it was too fast for that, undoes it. */
static bool cancel(int fd, const struct packet *packet)
{
	uint64_t sequence = guest_send(fd, packet, 0);
	struct packet response;

	assert_int_equal(send(fd, "!", 1, MSG_OOB), 1);
	assert_true(guest_receive(fd, sequence, &response, 10000));
	if (be32(response.bytes + 6) == RC_CANCELED)
		return true;
	assert_int_equal(be32(response.bytes + 6), 0);
	assert_int_equal(guest_do(fd, tpm2_flush(be32(response.bytes + 10))), 0);
	return false;
}

/*
 * TCP's urgent data stands for the kernel's POLLPRI. libtpms 0.9 looks for a cancel while it
 * makes a primary RSA key, but not in TPM2_Create. On a busy machine some of the
 * commands end before the thread gets to cancel them.
 */
static void test_cancel(void **state)
{
	const struct engine_how how = {
		.store = store, .tpm = "2.0", .create = true, .tcp = true,
	};
	struct engine_run run = engine_start(&how);
	struct packet packet = tpm2_create_primary_rsa(), response;
	int cancelled = 0;

	(void)state;
	assert_true(engine_is_up(&run));
	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	for (int i = 0; i < 20; i++)
		cancelled += cancel(run.guest, &packet);
	assert_in_range(cancelled, 10, 20);
	/* A cancel is for one command only. */
	assert_int_equal(guest_run(run.guest, &packet, &response), 0);
	assert_int_equal(guest_do(run.guest, tpm2_get_random(8)), 0);
	engine_shutdown(&run);
}

static uint32_t lockout_counter(int fd)
{
	struct packet response, packet = tpm2_get_lockout_counter();

	assert_int_equal(guest_run(fd, &packet, &response), 0);
	return be32(response.bytes + response.size - 4);
}

/*
 * Use of a protected index and then no shutdown is a try at guessing, for a TPM. The next
 * engine makes up for a shutdown that did not come.
 */
static void test_shutdown_is_told(void **state)
{
	struct engine_run run = start_tpm2(true);
	struct packet response;

	(void)state;
	define_and_write(run.guest, "x");
	assert_int_equal(engine_shutdown(&run), ENGINE_EXIT_OK);
	run = start_tpm2(false);
	assert_int_equal(lockout_counter(run.guest), 0);
	assert_int_equal(guest_retry(run.guest, tpm2_nv_write(INDEX, "y"), &response), 0);
	engine_kill(&run);
	run = start_tpm2(false);
	assert_int_equal(lockout_counter(run.guest), 0);
	engine_shutdown(&run);
}

static void test_ways_to_end(void **state)
{
	struct engine_run run = start_tpm2(true);

	(void)state;
	kill(run.pid, SIGTERM);
	assert_int_equal(engine_end(&run), ENGINE_EXIT_OK);
	run = start_tpm2(false);
	close(run.control);
	run.control = -1;
	assert_int_equal(engine_end(&run), ENGINE_EXIT_OK);
	run = start_tpm2(false);
	engine_shutdown(&run);
}

static void test_shutdown_answers_first(void **state)
{
	static const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	struct control_message msg = { .type = CONTROL_SHUTDOWN };
	struct packet packet = tpm2_nv_write(INDEX, "b"), response;
	struct engine_run run = start_tpm2(true);
	uint64_t sequence;
	uint32_t writes;

	(void)state;
	define_and_write(run.guest, "a");
	run.faults->sync_delay_ms = 300;
	writes = run.faults->pwrites;
	sequence = guest_send(run.guest, &packet, 0);
	while (run.faults->pwrites == writes)
		nanosleep(&pause, NULL);
	control_send(run.control, &msg, -1);
	assert_true(guest_receive(run.guest, sequence, &response, 10000));
	assert_int_equal(be32(response.bytes + 6), 0);
	assert_int_equal(engine_end(&run), ENGINE_EXIT_OK);
}

static void test_frontend_goes(void **state)
{
	struct engine_run run = start_tpm2(true);
	int second = engine_connect(&run, 2);
	struct control_message msg;

	(void)state;
	assert_int_equal(guest_do(second, tpm2_get_random(8)), 0);
	close(second);
	assert_true(engine_wait(&run, CONTROL_CLOSED, &msg));
	assert_int_equal(msg.id, 2);
	assert_int_equal(guest_do(run.guest, tpm2_get_random(8)), 0);
	engine_shutdown(&run);
}

static void test_counters(void **state)
{
	struct control_message msg = { .type = CONTROL_STATUS };
	struct engine_run run = start_tpm2(true);

	(void)state;
	control_send(run.control, &msg, -1);
	assert_true(engine_wait(&run, CONTROL_COUNTERS, &msg));
	assert_int_equal(msg.counters.commands, 1);
	assert_int_equal(msg.counters.commits, 1);
	assert_int_equal(msg.counters.generation, 2);
	assert_int_equal(msg.counters.connections, 1);
	engine_shutdown(&run);
}

static void test_too_many_connections(void **state)
{
	struct engine_run run = start_tpm2(true);
	struct control_message msg;
	int fds[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		fds[i] = engine_connect(&run, 100 + i);
	assert_true(engine_wait(&run, CONTROL_CLOSED, &msg));
	assert_int_equal(msg.id, 115);
	for (int i = 0; i < 15; i++)
		assert_int_equal(guest_do(fds[i], tpm2_get_random(8)), 0);
	for (int i = 0; i < 16; i++)
		close(fds[i]);
	engine_shutdown(&run);
}

/* All kinds of work, in the sandbox, as a user who may do nothing. */
static void test_load(void **state)
{
	const struct engine_how how = {
		.store = store, .tpm = "2.0", .create = true,
		.user = geteuid() ? 0 : 65534,
	};
	struct engine_run run = engine_start(&how);
	struct packet response;

	(void)state;
	assert_true(engine_is_up(&run));
	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	define_and_write(run.guest, "load");
	for (int i = 0; i < 3; i++) {
		uint32_t parent = create_parent(run.guest);

		assert_int_equal(guest_do(run.guest, tpm2_create_rsa(parent)), 0);
		assert_int_equal(guest_do(run.guest, tpm2_flush(parent)), 0);
		assert_int_equal(guest_do(run.guest, tpm2_create_primary_ecc()), 0);
		assert_int_equal(guest_do(run.guest, tpm2_flush(0x80000000)), 0);
		for (int n = 0; n < 200; n++) {
			assert_int_equal(guest_do(run.guest, tpm2_get_random(32)), 0);
			assert_int_equal(guest_do(run.guest, tpm2_pcr_extend(n % 16)), 0);
			assert_int_equal(guest_retry(run.guest, tpm2_nv_write(INDEX, n % 2 ?
						     "1234" : "abcd"), &response), 0);
		}
	}
	assert_int_equal(guest_do(run.guest, tpm2_clear()), 0);
	assert_int_equal(engine_shutdown(&run), ENGINE_EXIT_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tpm2),
		TEST(test_restart_clears_pcrs),
		TEST(test_tpm12),
		TEST(test_fairness),
		TEST(test_malformed),
		TEST(test_unknown_kind),
		TEST(test_wrong_inner_length),
		TEST(test_localities),
		TEST(test_buffer_size),
		TEST(test_cancel),
		TEST(test_shutdown_is_told),
		TEST(test_ways_to_end),
		TEST(test_shutdown_answers_first),
		TEST(test_frontend_goes),
		TEST(test_counters),
		TEST(test_too_many_connections),
		TEST(test_load),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
