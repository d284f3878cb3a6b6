// SPDX-License-Identifier: GPL-2.0-only
/*
 * vtpmd as a process, with real engines, and a fake kernel on the other side. The tests
 * hold the guests' ends of the connections.
 */
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "fake_kernel.h"
#include "guest.h"

#define INDEX		0x01500001
#define PATIENCE_MS	20000

static const struct uuid first = { { 0xab, 1 } }, second = { { 0xab, 2 } };
#define FIRST	"ab010000-0000-0000-0000-000000000000"
#define SECOND	"ab020000-0000-0000-0000-000000000000"

static char dir[64];
static struct fake_kernel *kernel;
static pid_t vtpmd;

static char *path(const char *name)
{
	static char text[4][256];
	static unsigned int next;
	char *result = text[next++ % 4];

	snprintf(result, 256, "%s/%s", dir, name);
	return result;
}

static void write_file(const char *name, const char *text)
{
	FILE *stream = fopen(path(name), "w");

	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
}

static bool there(const char *name)
{
	return access(path(name), F_OK) == 0;
}

static void pause_ms(int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

static void start_vtpmd(void)
{
	vtpmd = fork();
	if (vtpmd == 0) {
		execl(TESTS_DIR "/vtpmd", "vtpmd", "--verbose", "--config",
		      path("vtpmd.conf"), NULL);
		_exit(99);
	}
}

/* Returns its exit code, 128 + signal, or -1 if it did not end. */
static int end_vtpmd(int sig)
{
	pid_t pid = vtpmd;
	int status;

	vtpmd = 0;
	kill(pid, sig);
	for (int ms = 0; ms < PATIENCE_MS; ms += 5) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		pause_ms(5);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

static void write_config(const char *user)
{
	char text[1024];

	snprintf(text, sizeof(text), "[vtpmd]\nstate-dir = %s\nrun-dir = %s\ndevice = %s\n"
		 "engine = %s\nuser = %s\n", path("state"), path("run"), path("dev"),
		 path("engine"), user);
	write_file("vtpmd.conf", text);
}

/*
 * A copy in the test's own directory, because the user that engines run as may not
 * get into that of the build.
 */
static int install_engine(void)
{
	char line[512];

	/* A sanitizer makes system calls of its own. */
#ifdef VTPM_SANITIZE
	snprintf(line, sizeof(line), "#!/bin/sh\nexec %s --no-sandbox \"$@\"\n",
		 path("vtpm-engine"));
#else
	snprintf(line, sizeof(line), "#!/bin/sh\nexec %s \"$@\"\n", path("vtpm-engine"));
#endif
	write_file("engine", line);
	snprintf(line, sizeof(line), "cp %s %s", TESTS_DIR "/vtpm-engine", path("vtpm-engine"));
	return chmod(path("engine"), 0755) || system(line);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/vtpm-test-XXXXXX");
	if (!mkdtemp(dir) || mkdir(path("vtpm.d"), 0700))
		return -1;
	if (install_engine())
		return -1;
	write_config(getpwuid(geteuid())->pw_name);
	kernel = fake_kernel_new(path("dev"));
	start_vtpmd();
	return 0;
}

static int tear_down(void **state)
{
	char line[128];

	(void)state;
	if (vtpmd)
		end_vtpmd(SIGTERM);
	fake_kernel_free(kernel);
	snprintf(line, sizeof(line), "rm -r %s", dir);
	return system(line);
}

/* Runs vtpmctl; returns its exit code. */
static int vtpmctl(const char *arguments, char *output, size_t size)
{
	char line[512];
	FILE *stream;
	size_t n;

	snprintf(line, sizeof(line), VTPMCTL " --socket %s %s 2>&1", path("run/vtpmd.sock"),
		 arguments);
	stream = popen(line, "r");
	n = fread(output, 1, size - 1, stream);
	output[n] = '\0';
	return WEXITSTATUS(pclose(stream));
}

/* What vtpmd says about a vTPM; a new reference, or NULL. */
static json_t *describe(const char *uuid)
{
	char output[65536];
	json_t *all, *vtpm, *result = NULL;
	size_t i;

	if (vtpmctl("list --json", output, sizeof(output)))
		return NULL;
	all = json_loads(output, 0, NULL);
	assert_non_null(all);
	json_array_foreach(json_object_get(all, "vtpms"), i, vtpm)
		if (!strcmp(json_string_value(json_object_get(vtpm, "uuid")), uuid))
			result = json_incref(vtpm);
	json_decref(all);
	return result;
}

static bool has_state(const char *uuid, const char *wanted, const char *reason)
{
	json_t *vtpm = describe(uuid);
	const char *state = json_string_value(json_object_get(vtpm, "state"));
	const char *text = json_string_value(json_object_get(vtpm, "reason"));
	bool is = state && !strcmp(state, wanted) && (!reason || (text && strstr(text, reason)));

	json_decref(vtpm);
	return is;
}

static void wait_for_state(const char *uuid, const char *wanted, const char *reason)
{
	for (int ms = 0; ms < PATIENCE_MS; ms += 20) {
		if (has_state(uuid, wanted, reason))
			return;
		pause_ms(20);
	}
	fail_msg("vTPM %s never was %s", uuid, wanted);
}

static pid_t engine_of(const char *uuid)
{
	json_t *vtpm = describe(uuid);
	pid_t pid = json_integer_value(json_object_get(vtpm, "pid"));

	json_decref(vtpm);
	return pid;
}

/* A frontend appears and is served; returns the guest's end. */
static int attach(uint32_t domid, const struct uuid *uuid, uint64_t *id)
{
	*id = fake_kernel_add(kernel, domid, uuid);
	assert_true(fake_kernel_wait_accepted(kernel, *id, PATIENCE_MS));
	return fake_kernel_guest(kernel, *id);
}

static void define_and_write(int guest, const char *text)
{
	struct packet response;

	assert_int_equal(guest_do(guest, tpm2_nv_define(INDEX, strlen(text))), 0);
	assert_int_equal(guest_retry(guest, tpm2_nv_write(INDEX, text), &response), 0);
}

static bool pcr_is_zero(int guest)
{
	static const uint8_t zeroes[32];
	struct packet response, read = tpm2_pcr_read(16);

	assert_int_equal(guest_run(guest, &read, &response), 0);
	return !memcmp(response.bytes + 30, zeroes, sizeof(zeroes));
}

/* Makes a vTPM with something in a PCR and in its NV. */
static int attach_used(uint32_t domid, const struct uuid *uuid, uint64_t *id)
{
	int guest = attach(domid, uuid, id);

	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
	assert_int_equal(guest_do(guest, tpm2_pcr_extend(16)), 0);
	define_and_write(guest, "kept");
	return guest;
}

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
	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
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
	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
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
		TEST(test_module_reload),
		TEST(test_power_cycle),
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
