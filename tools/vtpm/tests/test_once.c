// SPDX-License-Identifier: GPL-2.0-only
/* Each command is executed once, wherever the engine dies. */
#include "session_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COUNTER		0x01500002
#define PASSWORD	"00000009 40000009 0000 00 0000"

static struct packet counter_define(void)
{
	return command("8002 00000000 0000012a 40000001 " PASSWORD
		       " 0000 000e %08x 000b 02040014 0000 0008", COUNTER);
}

static struct packet counter_increment(void)
{
	return command("8002 00000000 00000134 %08x %08x " PASSWORD, COUNTER, COUNTER);
}

static uint32_t counter_value(struct frontend *frontend)
{
	struct packet response;

	assert_int_equal(frontend_run(frontend, tpm2_nv_read(COUNTER, 8), &response), 0);
	return be32(response.bytes + 20);
}

/*
 * Hands a command in, lets the engine die on the way, and hands it in again to the next
 * one, twice. All responses have to be the same one.
 */
static void die_and_go_on(struct engine_run *run, struct frontend *frontend,
			  struct packet packet, enum fault_point point)
{
	struct packet first = { 0 }, second, third;
	bool answered;

	run->faults->die_at = point;
	frontend->sequence++;
	frontend_send(frontend, frontend->sequence, &packet);
	answered = guest_receive(frontend->fd, frontend->sequence, &first, 30000);
	assert_int_equal(answered, point == FAULT_ANSWERED);
	assert_int_equal(engine_end(run), 128 + SIGKILL);
	*run = next_engine(true, memory);
	assert_true(frontend_begin(frontend, run->guest));
	assert_int_equal(frontend_again(frontend, packet, &second), 0);
	assert_int_equal(frontend_again(frontend, packet, &third), 0);
	assert_int_equal(second.size, third.size);
	assert_memory_equal(second.bytes, third.bytes, third.size);
	if (answered)
		assert_memory_equal(first.bytes, second.bytes, second.size);
}

static void test_extend(void **state)
{
	static const enum fault_point points[] = {
		FAULT_READ, FAULT_EXECUTED, FAULT_KEPT, FAULT_ANSWERED,
	};
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);

	(void)state;
	/* The first one after a Startup changes the permanent state as well. */
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(23)), 0);
	for (unsigned int i = 0; i < 4; i++) {
		die_and_go_on(&run, &frontend, tpm2_pcr_extend(8 + i), points[i]);
		assert_true(extended(&frontend, 8 + i, 1));
	}
	for (unsigned int i = 0; i < 4; i++)
		assert_true(extended(&frontend, 8 + i, 1));
	engine_shutdown(&run);
}

/*
 * A journal of commands grows, is replaced by a copy of the state when it is full, or by any command that is not
 * executed again, and whoever comes after a death has all of it, a second time too.
 */
static void test_journal(void **state)
{
	static const unsigned int times[] = { 1, 5, 70, 150 };
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);
	unsigned int all = 0, nv = 0;

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(23)), 0);
	assert_int_equal(frontend_do(&frontend, counter_define()), 0);
	assert_int_equal(frontend_do(&frontend, counter_increment()), 0);
	nv = counter_value(&frontend);
	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int n = 0; n < times[i]; n++, all++)
			assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
		/* The last one is in a journal, behind a commit, or behind a copy. */
		if (i == 1)
			assert_int_equal(frontend_do(&frontend, counter_increment()), 0);
		if (i == 2)
			assert_int_equal(frontend_do(&frontend, tpm2_create_primary_ecc()), 0);
		for (int deaths = 0; deaths < 2; deaths++) {
			engine_kill(&run);
			run = next_engine(true, memory);
			assert_true(frontend_begin(&frontend, run.guest));
		}
		assert_true(extended(&frontend, 8, all));
		assert_int_equal(counter_value(&frontend), nv + (i >= 1));
	}
	/* The store alone has it when it is quiet. */
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	suspend(&run);
	engine_kill(&run);
	run = next_engine(false, elsewhere);
	assert_true(frontend_begin(&frontend, run.guest));
	assert_true(extended(&frontend, 8, all + 1));
	engine_shutdown(&run);
}

/* Where an engine dies while it executes a journal, the next one does it. */
static void test_journal_death(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);
	static const enum fault_point points[] = { FAULT_READ, FAULT_EXECUTED, FAULT_KEPT };
	struct engine_how how = {
		.store = store, .tpm = "2.0", .memory = memory, .features = true, .same = true,
	};
	unsigned int all;

	(void)state;
	for (all = 0; all < 10; all++)
		assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	for (unsigned int i = 0; i < 3; i++) {
		engine_kill(&run);
		how.die_at = points[i];
		run = engine_start(&how);
		assert_int_equal(engine_end(&run), 128 + SIGKILL);
		run = next_engine(true, memory);
		assert_true(frontend_begin(&frontend, run.guest));
		assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
		assert_true(extended(&frontend, 8, ++all));
	}
	engine_shutdown(&run);
}

static uint32_t do_at(int fd, uint8_t locality, struct packet packet)
{
	struct packet response;
	uint64_t sequence = guest_send(fd, &packet, locality);

	assert_true(guest_receive(fd, sequence, &response, 30000));
	return be32(response.bytes + 6);
}

/* PCR 20 can only be extended at localities 1 to 3; so it is when a journal is executed. */
static void test_locality(void **state)
{
	const struct engine_how how = {
		.store = store, .tpm = "2.0", .memory = memory, .create = true,
	};
	struct engine_run run = engine_start(&how);
	struct packet packet = tpm2_pcr_read(20), before, after;

	(void)state;
	assert_true(engine_is_up(&run));
	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	assert_int_equal(guest_do(run.guest, tpm2_pcr_extend(8)), 0);
	assert_int_not_equal(do_at(run.guest, 0, tpm2_pcr_extend(20)), 0);
	assert_int_equal(do_at(run.guest, 3, tpm2_pcr_extend(20)), 0);
	assert_int_equal(guest_run(run.guest, &packet, &before), 0);
	engine_kill(&run);
	run = next_engine(true, memory);
	assert_int_equal(guest_run(run.guest, &packet, &after), 0);
	/* The counter of updates included. */
	assert_int_equal(before.size, after.size);
	assert_memory_equal(before.bytes, after.bytes, before.size);
	engine_shutdown(&run);
}

/* Without room for a state in the state memory each change is a commit; nothing is lost. */
static void test_memory_full(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);
	uint32_t writes;

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	run.faults->memory_errno = ENOSPC;
	writes = run.faults->pwrites;
	/* The journal still has room, a copy does not. */
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	assert_int_equal(run.faults->pwrites, writes);
	assert_int_equal(frontend_do(&frontend, tpm2_create_primary_ecc()), 0);
	assert_int_equal(run.faults->pwrites, writes + 1);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	assert_int_equal(frontend_do(&frontend, tpm2_get_random(8)), 0);
	assert_int_equal(run.faults->pwrites, writes + 5);
	engine_kill(&run);
	run = next_engine(true, memory);
	assert_true(frontend_begin(&frontend, run.guest));
	assert_true(extended(&frontend, 8, 7));
	/* And back. */
	run.faults->memory_errno = ENOSPC;
	assert_int_equal(frontend_do(&frontend, tpm2_create_primary_ecc()), 0);
	run.faults->memory_errno = 0;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	writes = run.faults->pwrites;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	assert_int_equal(run.faults->pwrites, writes);
	engine_kill(&run);
	run = next_engine(true, memory);
	assert_true(frontend_begin(&frontend, run.guest));
	assert_true(extended(&frontend, 8, 9));
	engine_shutdown(&run);
}

static void test_increment(void **state)
{
	static const enum fault_point points[] = {
		FAULT_READ, FAULT_EXECUTED, FAULT_STORED, FAULT_KEPT, FAULT_ANSWERED,
	};
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);
	uint32_t value;

	(void)state;
	assert_int_equal(frontend_do(&frontend, counter_define()), 0);
	assert_int_equal(frontend_do(&frontend, counter_increment()), 0);
	value = counter_value(&frontend);
	for (unsigned int i = 0; i < 5; i++) {
		die_and_go_on(&run, &frontend, counter_increment(), points[i]);
		assert_int_equal(counter_value(&frontend), ++value);
	}
	engine_shutdown(&run);
}

/* A random number is not handed out twice under two names, nor two under one. */
static void test_read_only(void **state)
{
	struct packet first, again, next;
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);

	(void)state;
	die_and_go_on(&run, &frontend, tpm2_get_random(16), FAULT_EXECUTED);
	die_and_go_on(&run, &frontend, tpm2_get_random(16), FAULT_KEPT);
	die_and_go_on(&run, &frontend, tpm2_get_random(16), FAULT_ANSWERED);
	assert_int_equal(frontend_run(&frontend, tpm2_get_random(16), &first), 0);
	engine_kill(&run);
	run = next_engine(true, memory);
	assert_true(frontend_begin(&frontend, run.guest));
	assert_int_equal(frontend_again(&frontend, tpm2_get_random(16), &again), 0);
	assert_memory_equal(first.bytes, again.bytes, first.size);
	assert_int_equal(frontend_run(&frontend, tpm2_get_random(16), &next), 0);
	assert_memory_not_equal(first.bytes + 12, next.bytes + 12, 16);
	engine_shutdown(&run);
}

static struct engine_run start_tpm12(bool create, bool same)
{
	const struct engine_how how = {
		.store = store, .tpm = "1.2", .memory = memory, .features = true,
		.create = create, .same = same,
	};
	struct engine_run run = engine_start(&how);

	assert_true(engine_is_up(&run));
	return run;
}

/* The response of TPM_Extend is the new value. */
static void test_tpm12(void **state)
{
	struct frontend frontend = { .features = FRONTEND_FEATURES };
	struct engine_run run = start_tpm12(true, false);
	struct packet expected, response;

	(void)state;
	assert_true(frontend_begin(&frontend, run.guest));
	assert_int_equal(frontend_do(&frontend, tpm12_startup()), 0);
	assert_int_equal(frontend_run(&frontend, tpm12_extend(7), &expected), 0);
	for (unsigned int point = FAULT_READ; point <= FAULT_ANSWERED; point++) {
		struct packet packet = tpm12_extend(8 + point);

		if (point == FAULT_STORED)
			continue;
		run.faults->die_at = point;
		frontend_send(&frontend, ++frontend.sequence, &packet);
		assert_int_equal(engine_end(&run), 128 + SIGKILL);
		run = start_tpm12(false, true);
		assert_true(frontend_begin(&frontend, run.guest));
		assert_int_equal(frontend_again(&frontend, packet, &response), 0);
		assert_memory_equal(response.bytes, expected.bytes, expected.size);
		assert_int_equal(frontend_run(&frontend, tpm12_pcr_read(8 + point), &response), 0);
		assert_memory_equal(response.bytes + 10, expected.bytes + 10, 20);
	}
	engine_shutdown(&run);
}

static void test_old_sequence(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);
	struct packet response;

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	frontend.sequence--;
	assert_int_equal(frontend_again(&frontend, tpm2_pcr_extend(8), &response), FAILURE);
	frontend.sequence = 0;
	assert_int_equal(frontend_again(&frontend, tpm2_pcr_extend(8), &response), FAILURE);
	/* A gap is one that the backend had to fail. */
	frontend.sequence = 10;
	assert_int_equal(frontend_do(&frontend, tpm2_get_random(8)), 0);
	assert_true(extended(&frontend, 8, 1));
	engine_shutdown(&run);
}

/* Sequences of a frontend without the extension are the kernel's; state is kept as well. */
static void test_plain(void **state)
{
	const struct engine_how how = {
		.store = store, .tpm = "2.0", .memory = memory, .create = true,
	};
	struct engine_run run = engine_start(&how);
	struct frontend frontend = { .fd = run.guest };
	struct packet response;

	(void)state;
	assert_true(engine_is_up(&run));
	assert_int_equal(frontend_do(&frontend, tpm2_startup()), 0);
	frontend.sequence = 0;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	assert_int_equal(frontend_again(&frontend, tpm2_pcr_extend(8), &response), 0);
	engine_kill(&run);
	run = next_engine(true, memory);
	frontend.fd = run.guest;
	frontend.sequence = 0;
	assert_true(extended(&frontend, 8, 2));
	engine_shutdown(&run);
}

/* Nothing is answered, and the mark not taken away, while the store cannot be written. */
static void test_store_fails(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);
	struct packet packet = tpm2_pcr_extend(8), response;
	struct control_message msg;

	(void)state;
	suspend(&run);
	run.faults->sync_errno = EIO;
	frontend_send(&frontend, ++frontend.sequence, &packet);
	assert_true(engine_wait(&run, CONTROL_STATE, &msg));
	assert_int_equal(msg.value, CONTROL_STORE_WAITS);
	assert_false(guest_receive(frontend.fd, frontend.sequence, &response, 200));
	run.faults->sync_errno = 0;
	assert_true(guest_receive(frontend.fd, frontend.sequence, &response, 30000));
	assert_true(marked(&run, 0));
	assert_true(extended(&frontend, 8, 1));
	engine_shutdown(&run);
}

/* What is only in the state memory goes to the store when it is quiet, once. */
static void test_idle(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);
	uint32_t writes;

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	writes = run.faults->pwrites;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	assert_true(frontend_ask(&frontend, VTPM_REQUEST_QUIESCE));
	assert_int_equal(run.faults->pwrites, writes + 1);
	assert_true(frontend_ask(&frontend, VTPM_REQUEST_QUIESCE));
	assert_int_equal(run.faults->pwrites, writes + 1);
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	usleep(1500 * 1000);
	assert_int_equal(run.faults->pwrites, writes + 2);
	assert_true(frontend_ask(&frontend, VTPM_REQUEST_QUIESCE));
	assert_int_equal(run.faults->pwrites, writes + 2);
	/* What changes nothing does not wake the disk, and is there when it has to be. */
	assert_int_equal(frontend_do(&frontend, tpm2_get_random(8)), 0);
	usleep(1500 * 1000);
	assert_int_equal(run.faults->pwrites, writes + 2);
	assert_true(frontend_ask(&frontend, VTPM_REQUEST_QUIESCE));
	assert_int_equal(run.faults->pwrites, writes + 3);
	/* A store that cannot be written when it is quiet keeps nobody waiting. */
	run.faults->sync_errno = EIO;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	usleep(800 * 1000);
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	run.faults->sync_errno = 0;
	assert_true(extended(&frontend, 8, 5));
	engine_shutdown(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SESSION_TEST(test_extend),
		SESSION_TEST(test_journal),
		SESSION_TEST(test_journal_death),
		SESSION_TEST(test_locality),
		SESSION_TEST(test_memory_full),
		SESSION_TEST(test_increment),
		SESSION_TEST(test_read_only),
		SESSION_TEST(test_tpm12),
		SESSION_TEST(test_old_sequence),
		SESSION_TEST(test_plain),
		SESSION_TEST(test_store_fails),
		SESSION_TEST(test_idle),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("exactly once", tests, NULL, NULL);
}
