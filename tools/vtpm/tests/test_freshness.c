// SPDX-License-Identifier: GPL-2.0-only
/* The engine, and who else knows how new its store is. */
#include "engine_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib/freshness.h"
#include "guest.h"

static int recorder;		/* our end of the socket */

static struct engine_run start_with(bool create, uint64_t recorded, uint64_t flags)
{
	struct freshness_packet packet = { recorded, flags };
	int pair[2];

	if (recorder > 0)
		close(recorder);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	recorder = pair[0];
	assert_int_equal(send(recorder, &packet, sizeof(packet), 0), sizeof(packet));
	{
		struct engine_how how = {
			.store = store, .tpm = "2.0", .create = create, .recorder = pair[1],
		};
		struct engine_run run = engine_start(&how);

		close(pair[1]);
		return run;
	}
}

/* The generation that the engine wants to have recorded next. */
static uint64_t wanted(void)
{
	struct pollfd pollfd = { .fd = recorder, .events = POLLIN };
	struct freshness_packet packet = { 0 };

	assert_int_equal(poll(&pollfd, 1, 30000), 1);
	assert_int_equal(recv(recorder, &packet, sizeof(packet), 0), sizeof(packet));
	assert_int_equal(packet.flags, 0);
	return packet.generation;
}

static void record(uint64_t generation)
{
	struct freshness_packet packet = { generation, 0 };

	assert_int_equal(send(recorder, &packet, sizeof(packet), MSG_NOSIGNAL), sizeof(packet));
}

/* Records what is wanted until the engine has ended; returns the last one. */
static uint64_t record_to_end(struct engine_run *run, uint64_t last)
{
	struct control_message msg = { .type = CONTROL_SHUTDOWN, .value = CONTROL_POWER_OFF };
	struct freshness_packet packet;

	assert_int_equal(control_send(run->control, &msg, -1), 0);
	while (recv(recorder, &packet, sizeof(packet), 0) == sizeof(packet)) {
		last = packet.generation;
		send(recorder, &packet, sizeof(packet), MSG_NOSIGNAL);
	}
	assert_int_equal(engine_end(run), 0);
	return last;
}

static uint64_t make_store(void)
{
	struct engine_run run = start_with(true, 0, FRESHNESS_NOTHING);

	assert_int_equal(wanted(), 1);
	record(1);
	assert_true(engine_is_up(&run));
	return record_to_end(&run, 1);
}

static void assert_refused(uint64_t recorded, uint64_t flags, const char *why)
{
	struct engine_run run = start_with(false, recorded, flags);
	struct control_message msg;

	assert_true(engine_wait(&run, CONTROL_STATE, &msg));
	assert_int_equal(msg.value, CONTROL_REFUSED);
	if (!strstr(msg.text, why))
		fail_msg("'%s' is not in '%s'", why, msg.text);
	assert_int_equal(engine_end(&run), ENGINE_EXIT_REFUSED);
}

static void test_what_is_accepted(void **state)
{
	uint64_t generation = make_store();
	struct engine_run run;

	(void)state;
	assert_refused(0, FRESHNESS_NOTHING, "has no generation of it");
	assert_refused(generation + 1, 0, "is an old copy");
	assert_refused(generation - 2, 0, "do not belong together");
	/* A power cut came between the commit and its record. */
	run = start_with(false, generation - 1, 0);
	assert_int_equal(wanted(), generation);
	record(generation);
	assert_true(engine_is_up(&run));
	generation = record_to_end(&run, generation);
	run = start_with(false, generation, 0);
	assert_true(record_to_end(&run, generation) >= generation);
}

static void test_deleted_store(void **state)
{
	struct engine_run run = start_with(true, 7, 0);
	struct control_message msg;

	(void)state;
	assert_true(engine_wait(&run, CONTROL_STATE, &msg));
	assert_int_equal(msg.value, CONTROL_REFUSED);
	assert_non_null(strstr(msg.text, "vtpm-hosttpm generation remove"));
	assert_int_equal(engine_end(&run), ENGINE_EXIT_REFUSED);
}

/* Whatever the recorder still has to do, the command is answered; the next one waits for it. */
static void test_off_the_path(void **state)
{
	uint64_t generation = make_store(), last;
	struct engine_run run = start_with(false, generation, 0);
	struct packet packet = tpm2_nv_define(INDEX, 8), response;
	struct control_message msg;
	uint64_t sequence;

	(void)state;
	assert_true(engine_is_up(&run));
	last = wanted();
	record(last);
	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	assert_int_equal(wanted(), last + 1);
	last++;

	sequence = guest_send(run.guest, &packet, 0);
	assert_true(engine_wait(&run, CONTROL_STATE, &msg));
	assert_int_equal(msg.value, CONTROL_STORE_WAITS);
	assert_non_null(strstr(msg.text, "has not recorded generation"));
	assert_false(guest_receive(run.guest, sequence, &response, 300));
	record(last);
	assert_true(guest_receive(run.guest, sequence, &response, 30000));
	assert_int_equal(wanted(), last + 1);
	record(last + 1);
	record_to_end(&run, last + 1);
}

static void test_recorder_dies(void **state)
{
	uint64_t generation = make_store();
	struct engine_run run = start_with(false, generation, 0);
	struct packet packet = tpm2_startup(), response;
	uint64_t sequence;

	(void)state;
	assert_true(engine_is_up(&run));
	wanted();
	close(recorder);
	recorder = -1;
	sequence = guest_send(run.guest, &packet, 0);
	assert_false(guest_receive(run.guest, sequence, &response, 30000));
	assert_int_equal(engine_end(&run), ENGINE_EXIT_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_accepted),
		TEST(test_deleted_store),
		TEST(test_off_the_path),
		TEST(test_recorder_dies),
	};

	return cmocka_run_group_tests_name("freshness", tests, NULL, NULL);
}
