// SPDX-License-Identifier: GPL-2.0-only
/* Who goes on with a TPM, and who does not: the table of BEGIN, the mark, the ends. */
#include "session_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A TPM whose PCR 8 was extended once, and then its engine ended with the domain suspended. */
static void make_suspended(struct frontend *frontend)
{
	struct engine_run run = begin_tpm2(frontend);

	assert_int_equal(frontend_do(frontend, tpm2_pcr_extend(8)), 0);
	suspend(&run);
	assert_int_equal(engine_finish(&run, CONTROL_SUSPENDED), ENGINE_EXIT_OK);
}

static void copy_file(const char *from, const char *to)
{
	static uint8_t bytes[1 << 20];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n = read(in, bytes, sizeof(bytes));

	assert_int_equal(write(out, bytes, n), n);
	close(in);
	close(out);
}

/*
 * The guest gets failure for everything and a session that nobody has, and vtpmd the
 * reason. With its old session it could count up until it fits.
 */
static void assert_apart(struct engine_run *run, struct frontend frontend, const char *why)
{
	struct frontend before = frontend;
	struct control_message msg;

	assert_true(frontend_begin(&frontend, run->guest));
	assert_memory_not_equal(frontend.session, before.session, sizeof(before.session));
	while ((msg = next_session(run)).value != CONTROL_SESSION_APART) {
		/* What it was before. */
	}
	if (!strstr(msg.text, why))
		fail_msg("'%s' does not say '%s'", msg.text, why);
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), FAILURE);
	assert_int_equal(frontend_do(&frontend, tpm2_startup()), FAILURE);
	assert_true(frontend_ask(&frontend, VTPM_REQUEST_QUIESCE));
	assert_true(frontend_ask(&frontend, VTPM_REQUEST_CONTINUE));
}

static void assert_goes_on(struct engine_run *run, struct frontend frontend)
{
	assert_true(frontend_begin(&frontend, run->guest));
	assert_true(extended(&frontend, 8, 1));
}

static void test_new_domain_without_mark(void **state)
{
	struct frontend frontend, fresh = { .features = FRONTEND_FEATURES };
	struct engine_run run = begin_tpm2(&frontend);
	int second;

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	engine_kill(&run);
	run = next_engine(false, memory);
	assert_int_equal(next_session(&run).value, CONTROL_SESSION_RUNNING);
	second = engine_connect(&run, 2);
	assert_apart(&run, frontend, "another session");
	assert_true(frontend_begin(&fresh, second));
	assert_memory_not_equal(fresh.session, frontend.session, sizeof(fresh.session));
	assert_int_equal(fresh.sequence, 0);
	assert_int_equal(frontend_do(&fresh, tpm2_pcr_extend(8)), INITIALIZE);
	assert_int_equal(frontend_do(&fresh, tpm2_startup()), 0);
	assert_true(extended(&fresh, 8, 0));
	close(second);
	engine_shutdown(&run);
}

/* On another host, which has the store and nothing else. */
static void test_restored(void **state)
{
	struct frontend frontend;
	struct engine_run run;

	(void)state;
	make_suspended(&frontend);
	run = next_engine(false, elsewhere);
	assert_int_equal(next_session(&run).value, CONTROL_SESSION_AWAITED);
	assert_true(frontend_begin(&frontend, run.guest));
	assert_true(marked(&run, 0));
	assert_int_equal(next_session(&run).value, CONTROL_SESSION_RUNNING);
	assert_true(extended(&frontend, 8, 1));
	/* The mark has gone: who comes next without one has lost the power meanwhile. */
	engine_kill(&run);
	run = next_engine(false, elsewhere);
	assert_int_equal(next_session(&run).value, CONTROL_SESSION_RUNNING);
	engine_shutdown(&run);
}

/* Suspended with a command under way, which the store does not know. */
static void test_restored_with_command(void **state)
{
	struct frontend frontend;
	struct packet response;
	struct engine_run run;

	(void)state;
	make_suspended(&frontend);
	frontend.sequence++;
	run = next_engine(false, elsewhere);
	assert_true(frontend_begin(&frontend, run.guest));
	assert_int_equal(frontend_again(&frontend, tpm2_pcr_extend(8), &response), 0);
	assert_true(extended(&frontend, 8, 2));
	engine_shutdown(&run);
}

/* What does not fit touches neither the state nor the mark, and what fits goes on after it. */
static void test_restored_does_not_fit(void **state)
{
	struct frontend frontend, other;
	struct engine_run run;

	(void)state;
	make_suspended(&frontend);
	for (int i = 0; i < 3; i++) {
		other = frontend;
		if (i == 0)
			other.sequence -= 1;
		else if (i == 1)
			other.sequence += 2;
		else
			other.session[3] ^= 1;
		run = next_engine(false, elsewhere);
		assert_apart(&run, other, i == 0 ? "older than the TPM" : i == 1 ?
			     "older than the guest" : "another session");
		assert_int_equal(engine_finish(&run, i ? CONTROL_KEEP : CONTROL_SUSPENDED),
				 ENGINE_EXIT_OK);
	}
	run = next_engine(false, elsewhere);
	assert_goes_on(&run, frontend);
	engine_shutdown(&run);
}

/* The backend has answered some commands in the TPM's place: the guest is ahead of the TPM. */
static void test_restored_with_a_gap(void **state)
{
	struct frontend frontend, other;
	struct engine_run run;

	(void)state;
	make_suspended(&frontend);
	other = frontend;
	other.sequence += 3;
	other.refused = 3;
	run = next_engine(false, elsewhere);
	assert_goes_on(&run, other);
	engine_shutdown(&run);
}

/* The guest has an answer that the TPM does not know of giving. */
static void test_restored_store_is_one_behind(void **state)
{
	struct frontend frontend, other;
	struct engine_run run;

	(void)state;
	make_suspended(&frontend);
	other = frontend;
	other.sequence += 1;
	other.sure = true;
	run = next_engine(false, elsewhere);
	assert_apart(&run, other, "older than the guest");
	engine_kill(&run);
	other.sure = false;
	run = next_engine(false, elsewhere);
	assert_goes_on(&run, other);
	engine_shutdown(&run);
}

/* What a guest told its TPM to keep over a loss of power does not get over its reboot. */
static void reboot_after(const char *version, const char *save, const char *startup, bool kill)
{
	const struct engine_how how = {
		.store = store, .tpm = version, .memory = memory, .features = true,
		.create = true,
	};
	struct frontend frontend = { .features = FRONTEND_FEATURES };
	struct engine_run run = engine_start(&how);
	bool tpm12 = !strcmp(version, "1.2");
	struct engine_how again = how;
	struct packet first, response;

	assert_true(engine_is_up(&run));
	assert_true(frontend_begin(&frontend, run.guest));
	assert_int_equal(frontend_do(&frontend, tpm12 ? tpm12_startup() : tpm2_startup()), 0);
	assert_int_equal(frontend_run(&frontend, tpm12 ? tpm12_pcr_read(8) : tpm2_pcr_read(8),
				      &first), 0);
	assert_int_equal(frontend_do(&frontend, tpm12 ? tpm12_extend(8) : tpm2_pcr_extend(8)), 0);
	assert_int_equal(frontend_do(&frontend, command("%s", save)), 0);
	if (kill)
		engine_kill(&run);
	else
		engine_shutdown(&run);
	again.create = false;
	run = engine_start(&again);
	assert_true(engine_is_up(&run));
	frontend = (struct frontend){ .features = FRONTEND_FEATURES };
	assert_true(frontend_begin(&frontend, run.guest));
	if (!frontend_do(&frontend, command("%s", startup))) {
		assert_int_equal(frontend_run(&frontend, tpm12 ? tpm12_pcr_read(8) :
					      tpm2_pcr_read(8), &response), 0);
		/* The digest comes last. */
		assert_int_equal(response.size, first.size);
		assert_memory_equal(response.bytes + first.size - 20, first.bytes + first.size - 20,
				    20);
	}
	engine_kill(&run);
}

static void test_saved_state_is_lost(void **state)
{
	(void)state;
	for (int kill = 0; kill < 2; kill++) {
		reboot_after("2.0", "80010000000c000001450001", "80010000000c000001440001", kill);
		assert_int_equal(truncate(store, 0), 0);
		reboot_after("1.2", "00c10000000a00000098", "00c10000000c000000990002", kill);
		assert_int_equal(truncate(store, 0), 0);
	}
}

static void test_restored_store_boots(void **state)
{
	struct frontend frontend, fresh = { .features = FRONTEND_FEATURES };
	struct engine_run run;

	(void)state;
	make_suspended(&frontend);
	run = next_engine(false, elsewhere);
	assert_true(frontend_begin(&fresh, run.guest));
	assert_memory_not_equal(fresh.session, frontend.session, sizeof(fresh.session));
	assert_int_equal(fresh.sequence, 0);
	assert_true(marked(&run, 0));
	assert_int_equal(frontend_do(&fresh, tpm2_pcr_extend(8)), INITIALIZE);
	assert_int_equal(frontend_do(&fresh, tpm2_startup()), 0);
	assert_true(extended(&fresh, 8, 0));
	engine_shutdown(&run);
}

/* The same with a frontend that does not know the extension, and without any BEGIN. */
static void test_restored_store_boots_plain(void **state)
{
	struct frontend frontend, fresh = { 0 };
	struct engine_run run;

	(void)state;
	for (int begins = 0; begins < 2; begins++) {
		make_suspended(&frontend);
		run = next_engine(false, elsewhere);
		fresh.fd = run.guest;
		if (begins)
			assert_true(frontend_begin(&fresh, run.guest));
		assert_int_equal(frontend_do(&fresh, tpm2_pcr_extend(8)), INITIALIZE);
		engine_shutdown(&run);
		assert_int_equal(truncate(store, 0), 0);
	}
}

/* A frontend without the extension has nothing to present; the policy may offer it. */
static void test_restored_plain(void **state)
{
	const struct engine_how how = {
		.store = store, .tpm = "2.0", .memory = memory, .features = true, .create = true,
	};
	struct frontend frontend = { 0 };
	struct engine_run run = engine_start(&how);

	(void)state;
	assert_true(engine_is_up(&run));
	assert_true(frontend_begin(&frontend, run.guest));
	assert_int_equal(frontend_do(&frontend, tpm2_startup()), 0);
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	suspend(&run);
	engine_finish(&run, CONTROL_SUSPENDED);
	run = next_engine(false, elsewhere);
	assert_int_equal(next_session(&run).value, CONTROL_SESSION_AWAITED);
	assert_goes_on(&run, frontend);
	assert_true(marked(&run, 0));
	engine_shutdown(&run);
}

static void test_same_domain(void **state)
{
	struct frontend frontend, other;
	struct engine_run run = begin_tpm2(&frontend);

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	engine_kill(&run);
	for (int i = 0; i < 3; i++) {
		other = frontend;
		if (i == 0)
			other.sequence -= 1;
		else if (i == 1)
			other.sequence += 2;
		else
			other.session[3] ^= 1;
		run = next_engine(true, memory);
		assert_int_equal(next_session(&run).value, CONTROL_SESSION_RUNNING);
		assert_apart(&run, other, i < 2 ? "older than" : "another session");
		engine_kill(&run);
	}
	/* Loaded anew: the state goes on under another name, and counts from 1. */
	run = next_engine(true, memory);
	other = (struct frontend){ .features = FRONTEND_FEATURES };
	assert_true(frontend_begin(&other, run.guest));
	assert_memory_not_equal(other.session, frontend.session, sizeof(other.session));
	assert_int_equal(other.sequence, 0);
	assert_true(extended(&other, 8, 1));
	/* An image of the old driver has no part in that. */
	engine_kill(&run);
	run = next_engine(true, memory);
	assert_int_equal(next_session(&run).value, CONTROL_SESSION_RUNNING);
	assert_apart(&run, frontend, "another session");
	engine_kill(&run);
}

/* SIGTERM, and a vtpmd that goes, leave all as it is. */
static void test_ends_that_keep(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	for (int i = 0; i < 3; i++) {
		if (i == 0) {
			kill(run.pid, SIGTERM);
		} else if (i == 1) {
			close(run.control);
			run.control = -1;
		}
		assert_int_equal(i < 2 ? engine_end(&run) : engine_finish(&run, CONTROL_KEEP),
				 ENGINE_EXIT_OK);
		run = next_engine(true, memory);
		assert_true(frontend_begin(&frontend, run.guest));
		assert_true(extended(&frontend, 8, 1));
	}
	/* And this one does not. */
	assert_int_equal(engine_shutdown(&run), ENGINE_EXIT_OK);
	run = next_engine(true, memory);
	assert_apart(&run, frontend, "another session");
	engine_shutdown(&run);
}

static void test_mark(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);
	uint32_t writes;

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	assert_true(frontend_ask(&frontend, VTPM_REQUEST_QUIESCE));
	suspend(&run);
	writes = run.faults->pwrites;
	suspend(&run);
	assert_int_equal(run.faults->pwrites, writes);
	assert_true(frontend_ask(&frontend, VTPM_REQUEST_CONTINUE));
	assert_true(marked(&run, 0));
	assert_int_equal(run.faults->pwrites, writes + 1);
	assert_true(frontend_ask(&frontend, VTPM_REQUEST_CONTINUE));
	assert_int_equal(run.faults->pwrites, writes + 1);
	suspend(&run);
	/* Even one that changes nothing: the guest runs. */
	assert_int_equal(frontend_do(&frontend, tpm2_get_random(8)), 0);
	assert_true(marked(&run, 0));
	assert_int_equal(run.faults->pwrites, writes + 3);
	engine_kill(&run);
	run = next_engine(false, memory);
	assert_apart(&run, frontend, "another session");
	engine_shutdown(&run);
}

/* The engine dies while its domain is suspended, and the suspend is cancelled. */
static void test_dies_suspended(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	suspend(&run);
	engine_kill(&run);
	/* Not even the state memory is needed then. */
	run = next_engine(true, elsewhere);
	assert_goes_on(&run, frontend);
	assert_true(marked(&run, 0));
	engine_shutdown(&run);
}

/* A file that is somebody else's, or broken, is as good as none. */
static void with_spoilt_memory(struct frontend frontend, off_t offset, uint8_t value, bool same)
{
	struct engine_run run;
	int fd = open(memory, O_RDWR);

	assert_int_equal(pwrite(fd, &value, 1, offset), 1);
	close(fd);
	run = next_engine(same, memory);
	assert_apart(&run, frontend, "another session");
	engine_kill(&run);
	run = next_engine(true, memory);
	engine_shutdown(&run);
}

static void test_spoilt_memory(void **state)
{
	static const struct {
		off_t offset;
		uint8_t value;
	} spoilt[] = { { 0, 'y' }, { 8, 9 }, { 12, 12 }, { 16, 1 }, { 24, 7 }, { 40, 3 },
		       { 44 + 3, 0xff } };
	struct frontend frontend;

	(void)state;
	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		struct engine_run run = begin_tpm2(&frontend);

		assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
		engine_kill(&run);
		if (spoilt[i].offset >= 44) {
			int fd = open(memory, O_RDWR);

			assert_int_equal(pwrite(fd, &spoilt[i].value, 1, 44 + 3), 1);
			assert_int_equal(pwrite(fd, &spoilt[i].value, 1, 44 + 8 + 4152 + 3), 1);
			close(fd);
		}
		with_spoilt_memory(frontend, spoilt[i].offset, spoilt[i].value, true);
		assert_int_equal(truncate(store, 0), 0);
	}
}

/* Of an earlier session, newer by its steps: the store's session counts. */
static void test_stale_memory(void **state)
{
	struct frontend frontend, old;
	struct engine_run run = begin_tpm2(&old);

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(frontend_do(&old, tpm2_pcr_extend(8)), 0);
	engine_kill(&run);
	copy_file(memory, elsewhere);
	run = next_engine(false, memory);
	engine_kill(&run);
	run = next_engine(true, elsewhere);
	assert_apart(&run, old, "another session");
	engine_kill(&run);
	run = next_engine(true, elsewhere);
	frontend = (struct frontend){ .features = FRONTEND_FEATURES };
	assert_true(frontend_begin(&frontend, run.guest));
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), INITIALIZE);
	engine_shutdown(&run);
}

/* Killed between the commit and the state memory: the store is newer. */
static void test_store_newer(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(9)), 0);
	copy_file(memory, elsewhere);
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	assert_true(frontend_ask(&frontend, VTPM_REQUEST_QUIESCE));
	engine_kill(&run);
	run = next_engine(true, elsewhere);
	assert_goes_on(&run, frontend);
	engine_shutdown(&run);
}

static void reset(struct engine_run *run)
{
	struct control_message msg = { .type = CONTROL_RESET };

	assert_int_equal(control_send(run->control, &msg, -1), 0);
	while ((msg = next_session(run)).value != CONTROL_SESSION_RUNNING) {
		/* What it was before. */
	}
}

static void test_reset(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);
	uint8_t session[VTPM_SESSION_SIZE];

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	engine_kill(&run);
	run = next_engine(false, memory);
	assert_true(frontend_begin(&frontend, run.guest));
	memcpy(session, frontend.session, sizeof(session));
	assert_int_equal(next_session(&run).value, CONTROL_SESSION_RUNNING);
	assert_int_equal(next_session(&run).value, CONTROL_SESSION_APART);
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), FAILURE);
	reset(&run);
	assert_true(extended(&frontend, 8, 0));
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	/* From now on it is the session, whatever dies. */
	engine_kill(&run);
	run = next_engine(true, memory);
	assert_true(frontend_begin(&frontend, run.guest));
	assert_memory_equal(session, frontend.session, sizeof(session));
	assert_true(extended(&frontend, 8, 1));
	engine_shutdown(&run);
}

/* Killed between the commit of a reset and the state memory, which is of the same session. */
static void test_reset_killed(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	next_session(&run);
	copy_file(memory, elsewhere);
	reset(&run);
	engine_kill(&run);
	run = next_engine(true, elsewhere);
	assert_true(frontend_begin(&frontend, run.guest));
	assert_true(extended(&frontend, 8, 0));
	engine_shutdown(&run);
}

/* Of a guest that is not apart: it keeps its session. */
static void test_reset_running(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_pcr_extend(8)), 0);
	next_session(&run);
	reset(&run);
	assert_true(extended(&frontend, 8, 0));
	engine_kill(&run);
	run = next_engine(true, memory);
	assert_true(frontend_begin(&frontend, run.guest));
	assert_true(extended(&frontend, 8, 0));
	engine_shutdown(&run);
}

static void test_second_frontend(void **state)
{
	struct frontend frontend, second = { .features = FRONTEND_FEATURES }, plain = { 0 };
	struct engine_run run = begin_tpm2(&frontend);
	int fd = engine_connect(&run, 2);
	struct control_message msg;

	(void)state;
	next_session(&run);
	assert_true(frontend_begin(&second, fd));
	assert_memory_not_equal(second.session, frontend.session, sizeof(second.session));
	assert_int_equal(frontend_do(&second, tpm2_pcr_extend(8)), FAILURE);
	msg = next_session(&run);
	assert_int_equal(msg.value, CONTROL_SESSION_APART);
	assert_non_null(strstr(msg.text, "is served already"));
	close(fd);
	assert_int_equal(next_session(&run).value, CONTROL_SESSION_RUNNING);
	/* A device model's is another matter. */
	fd = engine_connect(&run, 3);
	assert_true(frontend_begin(&plain, fd));
	assert_int_equal(frontend_do(&plain, tpm2_pcr_extend(8)), 0);
	assert_true(extended(&frontend, 8, 1));
	suspend(&run);
	engine_finish(&run, CONTROL_SUSPENDED);
	close(fd);
	run = next_engine(false, elsewhere);
	assert_goes_on(&run, frontend);
	engine_shutdown(&run);
}

/* Two who go on from one copy of a state do not get the same random numbers. */
static void test_random_does_not_repeat(void **state)
{
	struct packet first, second;
	struct frontend frontend, twin;
	struct engine_run run;

	(void)state;
	make_suspended(&frontend);
	twin = frontend;
	copy_file(store, elsewhere);
	run = next_engine(false, NULL);
	assert_true(frontend_begin(&frontend, run.guest));
	assert_int_equal(frontend_run(&frontend, tpm2_get_random(16), &first), 0);
	engine_kill(&run);
	copy_file(elsewhere, store);
	run = next_engine(false, NULL);
	assert_true(frontend_begin(&twin, run.guest));
	assert_int_equal(frontend_run(&twin, tpm2_get_random(16), &second), 0);
	assert_memory_not_equal(first.bytes + 12, second.bytes + 12, 16);
	engine_shutdown(&run);
}

/* The index is protected: each unannounced loss of power counts. */
static void test_no_lockout(void **state)
{
	struct frontend frontend;
	struct engine_run run = begin_tpm2(&frontend);
	struct packet response;

	(void)state;
	assert_int_equal(frontend_do(&frontend, tpm2_nv_define(INDEX, 1)), 0);
	while (frontend_do(&frontend, tpm2_nv_write(INDEX, "x")) == 0x922)
		usleep(1000);
	for (int i = 0; i < 3; i++) {
		frontend = (struct frontend){ .features = FRONTEND_FEATURES };
		engine_kill(&run);
		run = next_engine(false, memory);
		assert_true(frontend_begin(&frontend, run.guest));
		assert_int_equal(frontend_do(&frontend, tpm2_startup()), 0);
		assert_int_equal(frontend_run(&frontend, tpm2_get_lockout_counter(), &response),
				 0);
		assert_int_equal(be32(response.bytes + response.size - 4), 0);
		while (frontend_do(&frontend, tpm2_nv_write(INDEX, i % 2 ? "a" : "b")) == 0x922)
			usleep(1000);
	}
	engine_shutdown(&run);
}

static void test_buffer_size(void **state)
{
	struct packet packet = command("8001 00000000 0000017a 00000006 0000011f 00000001");
	struct packet response;
	struct frontend frontend;
	struct engine_run run;

	(void)state;
	make_suspended(&frontend);
	run = engine_start(&(struct engine_how){ .store = store, .tpm = "2.0" });
	assert_true(engine_is_up(&run));
	assert_true(frontend_begin(&frontend, run.guest));
	assert_int_equal(frontend_run(&frontend, packet, &response), 0);
	assert_int_equal(be32(response.bytes + response.size - 4), 4096);
	engine_shutdown(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SESSION_TEST(test_new_domain_without_mark),
		SESSION_TEST(test_restored),
		SESSION_TEST(test_restored_with_command),
		SESSION_TEST(test_restored_does_not_fit),
		SESSION_TEST(test_restored_with_a_gap),
		SESSION_TEST(test_restored_store_is_one_behind),
		SESSION_TEST(test_saved_state_is_lost),
		SESSION_TEST(test_restored_store_boots),
		SESSION_TEST(test_restored_store_boots_plain),
		SESSION_TEST(test_restored_plain),
		SESSION_TEST(test_same_domain),
		SESSION_TEST(test_ends_that_keep),
		SESSION_TEST(test_mark),
		SESSION_TEST(test_dies_suspended),
		SESSION_TEST(test_spoilt_memory),
		SESSION_TEST(test_stale_memory),
		SESSION_TEST(test_store_newer),
		SESSION_TEST(test_reset),
		SESSION_TEST(test_reset_running),
		SESSION_TEST(test_reset_killed),
		SESSION_TEST(test_second_frontend),
		SESSION_TEST(test_random_does_not_repeat),
		SESSION_TEST(test_no_lockout),
		SESSION_TEST(test_buffer_size),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
