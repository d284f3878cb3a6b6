// SPDX-License-Identifier: GPL-2.0-only
/* vtpmd: what it makes, starts, refuses and survives. */
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vtpmd_run.h"

static void test_new_tpm(void **state)
{
	struct vtpm_accept accept;
	struct stat st;
	uint64_t id;
	int guest = attach_used(1, &first, &id);

	(void)state;
	assert_false(pcr_is_zero(guest));
	accept = fake_kernel_accepted_with(kernel, id);
	assert_int_equal(accept.mode, VTPM_MODE_NATIVE);
	assert_int_equal(accept.localities, 1);
	assert_true(there("state/" FIRST ".vtpm"));
	assert_true(there("state/made/" FIRST));
	assert_false(there("state/" FIRST ".new"));
	assert_int_equal(stat(path("state"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(path("run/vtpmd.sock"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(has_state(FIRST, "running", NULL));
}

/* Is this line, or the beginning of it, in a file of /proc/PID? */
static bool process_says(pid_t pid, const char *file, const char *line)
{
	char name[64], text[256];
	bool found = false;
	FILE *stream;

	snprintf(name, sizeof(name), "/proc/%d/%s", pid, file);
	stream = fopen(name, "r");
	assert_non_null(stream);
	while (!found && fgets(text, sizeof(text), stream))
		found = !strncmp(text, line, strlen(line));
	fclose(stream);
	return found;
}

/* Neither swap nor a core dump gets to see what an engine has in memory. */
static void test_nothing_leaks(void **state)
{
	uint64_t id;
	pid_t engine;

	(void)state;
	attach_used(1, &first, &id);
	engine = engine_of(FIRST);
	assert_true(process_says(engine, "status", "VmLck:"));
	assert_false(process_says(engine, "status", "VmLck:\t       0 kB"));
	assert_true(process_says(engine, "limits",
				 "Max core file size        0                    0 "));
	assert_true(process_says(engine, "status", "NoNewPrivs:\t1"));
}

/* However few descriptors it was started with: there is one for each engine. */
static void test_many_descriptors(void **state)
{
	struct rlimit limit, few;
	char line[80];
	uint64_t id;

	(void)state;
	end_vtpmd(SIGKILL);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	start_vtpmd();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	attach(1, &first, &id);
	snprintf(line, sizeof(line), "Max open files            %-20llu %-20llu",
		 (unsigned long long)limit.rlim_max, (unsigned long long)limit.rlim_max);
	assert_true(process_says(vtpmd, "limits", line));
}

/* How often it has gone to sleep. */
static unsigned long sleeps(pid_t pid)
{
	char name[64], text[256];
	unsigned long count = 0;
	FILE *stream;

	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	stream = fopen(name, "r");
	assert_non_null(stream);
	while (fgets(text, sizeof(text), stream))
		if (sscanf(text, "voluntary_ctxt_switches: %lu", &count) == 1)
			break;
	fclose(stream);
	assert_true(count > 0);
	return count;
}

/* With nothing to do it does not wake up. */
static void test_idle(void **state)
{
	unsigned long before, now = 0;
	uint64_t id;

	(void)state;
	attach_used(1, &first, &id);
	for (int seconds = 0; seconds < 30; seconds += 5) {
		before = sleeps(vtpmd);
		pause_ms(5000);
		now = sleeps(vtpmd);
		if (now == before)
			break;
	}
	assert_int_equal(now, before);
}

static void test_module_reload(void **state)
{
	uint64_t id;
	int guest;
	pid_t engine;

	(void)state;
	attach_used(1, &first, &id);
	engine = engine_of(FIRST);
	fake_kernel_gone(kernel, id);
	guest = attach(1, &first, &id);
	assert_false(pcr_is_zero(guest));
	assert_int_equal(engine_of(FIRST), engine);
	/* Also after a while without a frontend. */
	fake_kernel_gone(kernel, id);
	pause_ms(3000);
	guest = attach(1, &first, &id);
	assert_false(pcr_is_zero(guest));
	assert_int_equal(engine_of(FIRST), engine);
}

static void test_power_cycle(void **state)
{
	uint64_t id;
	int guest;
	pid_t engine;

	(void)state;
	attach_used(1, &first, &id);
	engine = engine_of(FIRST);
	fake_kernel_destroy(kernel, 1);
	guest = attach(2, &first, &id);
	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
	assert_true(pcr_is_zero(guest));
	assert_true(guest_nv_holds(guest, INDEX, "kept"));
	assert_int_not_equal(engine_of(FIRST), engine);
}

/* Another host has the state: vtpmd says so, and goes on when it is given back. */
static void test_store_in_use(void **state)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	uint64_t id;
	int guest, fd;

	(void)state;
	attach_used(1, &first, &id);
	fd = open(path("state/" FIRST ".vtpm"), O_RDWR);
	fake_kernel_destroy(kernel, 1);
	for (int ms = 0; fcntl(fd, F_OFD_SETLK, &lock); ms += 20) {
		assert_true(ms < PATIENCE_MS);
		pause_ms(20);
	}
	fake_kernel_add(kernel, 2, &first);
	wait_for_state(FIRST, "restarting", "another process uses this vTPM");
	close(fd);
	wait_for_state(FIRST, "running", NULL);
	guest = attach(2, &first, &id);
	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
	assert_true(guest_nv_holds(guest, INDEX, "kept"));
}

static void test_domain_vanishes(void **state)
{
	uint64_t id;

	(void)state;
	attach_used(1, &first, &id);
	fake_kernel_destroy(kernel, 1);
	for (int ms = 0; ms < PATIENCE_MS && engine_of(FIRST); ms += 50)
		pause_ms(50);
	assert_int_equal(engine_of(FIRST), 0);
}

static void test_second_domain_waits(void **state)
{
	uint64_t id, id2;
	int guest = attach_used(1, &first, &id);

	(void)state;
	id2 = fake_kernel_add(kernel, 2, &first);
	assert_false(fake_kernel_wait_accepted(kernel, id2, 300));
	assert_int_equal(guest_do(guest, tpm2_get_random(8)), 0);
	/* When the first one has gone, the second one gets it, power-cycled. */
	fake_kernel_destroy(kernel, 1);
	assert_true(fake_kernel_wait_accepted(kernel, id2, PATIENCE_MS));
	guest = fake_kernel_guest(kernel, id2);
	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
	assert_true(pcr_is_zero(guest));
}

static void test_engine_dies(void **state)
{
	uint64_t id;
	int guest;
	pid_t engine;

	(void)state;
	attach_used(1, &first, &id);
	engine = engine_of(FIRST);
	kill(engine, SIGKILL);
	for (int ms = 0; ms < PATIENCE_MS && engine_of(FIRST) == engine; ms += 20)
		pause_ms(20);
	assert_true(fake_kernel_wait_accepted(kernel, id, PATIENCE_MS));
	guest = fake_kernel_guest(kernel, id);
	assert_false(pcr_is_zero(guest));
	assert_true(guest_nv_holds(guest, INDEX, "kept"));
}

static void test_engine_dies_always(void **state)
{
	uint64_t id;
	int guest = attach_used(1, &second, &id);

	(void)state;
	write_file("engine", "#!/bin/sh\nexit 1\n");
	fake_kernel_add(kernel, 2, &first);
	wait_for_state(FIRST, "restarting", "ended with code 1");
	wait_for_state(FIRST, "failed", "ended with code 1");
	assert_int_equal(guest_do(guest, tpm2_get_random(8)), 0);
}

static void test_state_missing(void **state)
{
	uint64_t id, id2;
	int guest = attach_used(1, &second, &id2);

	(void)state;
	attach_used(2, &first, &id);
	fake_kernel_destroy(kernel, 2);
	assert_int_equal(unlink(path("state/" FIRST ".vtpm")), 0);
	id = fake_kernel_add(kernel, 3, &first);
	wait_for_state(FIRST, "refused", FIRST ".vtpm is missing");
	assert_false(fake_kernel_is_accepted(kernel, id));
	assert_false(there("state/" FIRST ".vtpm"));
	/* The other vTPM does not notice. */
	assert_int_equal(guest_do(guest, tpm2_get_random(8)), 0);
	/* Only the administrator can begin anew. */
	assert_int_equal(unlink(path("state/made/" FIRST)), 0);
	fake_kernel_destroy(kernel, 3);
	guest = attach(4, &first, &id);
	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
	assert_false(guest_nv_holds(guest, INDEX, "kept"));
}

static void test_state_damaged(void **state)
{
	uint64_t id;
	int fd;

	(void)state;
	attach_used(1, &first, &id);
	fake_kernel_destroy(kernel, 1);
	pause_ms(100);
	fd = open(path("state/" FIRST ".vtpm"), O_RDWR);
	assert_int_equal(pwrite(fd, "damage", 6, 100), 6);
	close(fd);
	id = fake_kernel_add(kernel, 2, &first);
	wait_for_state(FIRST, "refused", "checksum of its header is wrong");
	assert_false(fake_kernel_is_accepted(kernel, id));
}

static void test_policy(void **state)
{
	struct vtpm_accept accept;
	uint64_t id;
	int guest;

	(void)state;
	write_file("vtpm.d/" FIRST ".conf", "create = no\n");
	id = fake_kernel_add(kernel, 1, &first);
	wait_for_state(FIRST, "refused", "create=no");
	fake_kernel_destroy(kernel, 1);
	write_file("vtpm.d/" FIRST ".conf", "tpm-version = 2\n");
	fake_kernel_add(kernel, 2, &first);
	wait_for_state(FIRST, "refused", "conf:1: tpm-version cannot be '2'");
	fake_kernel_destroy(kernel, 2);
	write_file("vtpm.d/" FIRST ".conf", "tpm-version = 1.2\nlocalities = 0,2\n");
	guest = attach(3, &first, &id);
	accept = fake_kernel_accepted_with(kernel, id);
	assert_int_equal(accept.localities, 5);
	assert_int_equal(guest_do(guest, tpm12_startup()), 0);
	assert_int_equal(guest_do(guest, tpm12_read_pubek()), 0);
}

static void test_clean_end(void **state)
{
	uint64_t id;
	pid_t engine;

	(void)state;
	attach_used(1, &first, &id);
	engine = engine_of(FIRST);
	assert_int_equal(end_vtpmd(SIGTERM), 0);
	assert_int_equal(kill(engine, 0), -1);
	assert_false(there("run/vtpmd.sock"));
}

/* Engines finish by themselves, and the next vtpmd serves what is there. */
static void test_vtpmd_killed(void **state)
{
	uint64_t id, id2;
	int guest;

	(void)state;
	attach_used(1, &first, &id);
	attach_used(2, &second, &id2);
	assert_int_equal(end_vtpmd(SIGKILL), 128 + SIGKILL);
	start_vtpmd();
	wait_for_state(FIRST, "running", NULL);
	wait_for_state(SECOND, "running", NULL);
	assert_true(fake_kernel_wait_accepted(kernel, id, PATIENCE_MS));
	guest = fake_kernel_guest(kernel, id);
	assert_false(pcr_is_zero(guest));
	assert_true(guest_nv_holds(guest, INDEX, "kept"));
}

/* An engine that hangs does not keep vtpmd from ending. */
static void test_hanging_engine(void **state)
{
	uint64_t id;
	pid_t engine;

	(void)state;
	attach_used(1, &first, &id);
	engine = engine_of(FIRST);
	kill(engine, SIGSTOP);
	assert_int_equal(end_vtpmd(SIGTERM), 0);
	assert_int_equal(kill(engine, 0), -1);
}

/* Engines run as the configured user, who cannot even get into the state directory. */
static void test_unprivileged(void **state)
{
	char line[256] = "", status[64];
	FILE *stream;
	uint64_t id;

	(void)state;
	if (geteuid())
		skip();
	end_vtpmd(SIGTERM);
	assert_int_equal(chmod(dir, 0755), 0);
	write_config("nobody");
	start_vtpmd();
	attach_used(1, &first, &id);
	snprintf(status, sizeof(status), "/proc/%d/status", engine_of(FIRST));
	stream = fopen(status, "r");
	assert_non_null(stream);
	while (fgets(line, sizeof(line), stream) && strncmp(line, "Uid:", 4)) {
		/* Not this line. */
	}
	fclose(stream);
	assert_int_equal(strtoul(line + 4, NULL, 10), getpwnam("nobody")->pw_uid);
}

static void test_swtpm(void **state)
{
	struct packet packet = tpm2_startup();
	uint8_t response[4096];
	uint64_t id;
	int guest;

	(void)state;
	write_file("vtpm.d/" FIRST ".conf", "engine = swtpm\n");
	guest = attach(1, &first, &id);
	assert_int_equal(fake_kernel_accepted_with(kernel, id).mode, VTPM_MODE_RAW);
	assert_int_equal(write(guest, packet.bytes, packet.size), packet.size);
	assert_int_equal(read(guest, response, sizeof(response)), 10);
	assert_int_equal(be32(response + 6), 0);
	assert_true(there("state/" FIRST ".swtpm/tpm2-00.permall"));
	fake_kernel_destroy(kernel, 1);
	guest = attach(2, &first, &id);
	assert_int_equal(write(guest, packet.bytes, packet.size), packet.size);
	assert_int_equal(read(guest, response, sizeof(response)), 10);
	fake_kernel_destroy(kernel, 2);
	pause_ms(300);
	assert_int_equal(unlink(path("state/" FIRST ".swtpm/tpm2-00.permall")), 0);
	id = fake_kernel_add(kernel, 3, &first);
	wait_for_state(FIRST, "refused", "tpm2-00.permall is missing");
}

static void test_vtpmctl(void **state)
{
	char output[8192];
	uint64_t id;

	(void)state;
	attach_used(5, &first, &id);
	assert_int_equal(vtpmctl("list", output, sizeof(output)), 0);
	assert_non_null(strstr(output, "UUID"));
	assert_non_null(strstr(output, FIRST " 2.0 running"));
	assert_int_equal(vtpmctl("", output, sizeof(output)), 2);
	assert_int_equal(vtpmctl("nonsense", output, sizeof(output)), 2);
	assert_int_equal(vtpmctl("list nonsense", output, sizeof(output)), 2);
	assert_int_equal(vtpmctl("list --nonsense", output, sizeof(output)), 2);
	assert_int_equal(vtpmctl("--help", output, sizeof(output)), 0);
	assert_int_equal(vtpmctl("--version", output, sizeof(output)), 0);
	end_vtpmd(SIGTERM);
	assert_int_equal(vtpmctl("list", output, sizeof(output)), 1);
	assert_non_null(strstr(output, "vtpmd is not running"));
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_new_tpm),
		TEST(test_nothing_leaks),
		TEST(test_many_descriptors),
		TEST(test_idle),
		TEST(test_module_reload),
		TEST(test_power_cycle),
		TEST(test_store_in_use),
		TEST(test_domain_vanishes),
		TEST(test_second_domain_waits),
		TEST(test_engine_dies),
		TEST(test_engine_dies_always),
		TEST(test_state_missing),
		TEST(test_state_damaged),
		TEST(test_policy),
		TEST(test_clean_end),
		TEST(test_vtpmd_killed),
		TEST(test_hanging_engine),
		TEST(test_unprivileged),
		TEST(test_swtpm),
		TEST(test_vtpmctl),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("vtpmd", tests, NULL, NULL);
}
