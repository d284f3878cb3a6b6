// SPDX-License-Identifier: GPL-2.0-only
/* vtpmd with keys and freshness: a whole host, with swtpm as its TPM. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host_tpm.h"
#include "vtpmd_run.h"

static struct host_tpm host;

static void set_policy(const char *policy)
{
	char text[2048], output[4096];

	snprintf(text, sizeof(text), "[vtpmd]\nstate-dir = %s\nrun-dir = %s\ndevice = %s\n"
		 "engine = %s\nuser = root\nhosttpm = %s\nhost-tpm = %s\n[policy]\n%s\n",
		 path("state"), path("run"), path("dev"), path("engine"), HOSTTPM, host.tcti,
		 policy);
	write_file("vtpmd.conf", text);
	for (int ms = 0; vtpmctl("list", output, sizeof(output)); ms += 20) {
		assert_true(ms < PATIENCE_MS);
		pause_ms(20);
	}
	assert_int_equal(end_vtpmd(SIGTERM), 0);
	start_vtpmd();
}

static int set_up_host(void **state)
{
	host_tpm_make(&host);
	return !host_tpm_on(&host) || set_up(state);
}

static int tear_down_host(void **state)
{
	int ret = tear_down(state);

	host_tpm_throw_away(&host);
	return ret;
}

static bool state_file_has(const char *text)
{
	static uint8_t bytes[1 << 20];
	int fd = open(path("state/" FIRST ".vtpm"), O_RDONLY);
	ssize_t size = read(fd, bytes, sizeof(bytes));

	close(fd);
	assert_true(size > 100000);
	return memmem(bytes, size, text, strlen(text));
}

/* Until vtpmd has forgotten it, and its engine has ended. */
static void power_off(uint32_t domid)
{
	json_t *vtpm;

	fake_kernel_destroy(kernel, domid);
	for (int ms = 0; (vtpm = describe(FIRST)); ms += 20) {
		json_decref(vtpm);
		assert_true(ms < PATIENCE_MS);
		pause_ms(20);
	}
}

/* Another domain, after the first one has gone. */
static int next_domain(uint32_t domid, uint64_t *id)
{
	int guest;

	fake_kernel_destroy(kernel, domid - 1);
	guest = attach(domid, &first, id);
	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
	return guest;
}

static void make_key(const char *name)
{
	char command[256];

	snprintf(command, sizeof(command), "head -c 32 /dev/urandom >%s && chmod 600 %s",
		 path(name), path(name));
	assert_int_equal(system(command), 0);
}

static void test_key_file(void **state)
{
	char policy[512];
	uint64_t id;
	int guest;

	(void)state;
	make_key("key");
	snprintf(policy, sizeof(policy), "key = file:%s", path("key"));
	set_policy(policy);
	attach_used(1, &first, &id);
	guest = next_domain(2, &id);
	assert_true(guest_nv_holds(guest, INDEX, "kept"));
	assert_true(state_file_has("xen-vtpm store"));
	assert_false(state_file_has("permall"));

	fake_kernel_destroy(kernel, 2);
	make_key("key");
	fake_kernel_add(kernel, 3, &first);
	wait_for_state(FIRST, "refused", "is encrypted with another key");
	set_policy("key = none");
	wait_for_state(FIRST, "refused", "no key was given");
}

static void test_sealed_key(void **state)
{
	struct hosttpm_run run;
	char policy[512];
	uint64_t id;
	int guest;

	(void)state;
	assert_int_equal(hosttpm(&run, "seal", "--tcti", host.tcti, path("sealed"), NULL), 0);
	snprintf(policy, sizeof(policy), "key = tpm:%s", path("sealed"));
	set_policy(policy);
	attach_used(1, &first, &id);
	guest = next_domain(2, &id);
	assert_true(guest_nv_holds(guest, INDEX, "kept"));
	assert_false(state_file_has("permall"));
}

static void copy(const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp %s %s", path(from), path(to));
	assert_int_equal(system(command), 0);
}

/* Yesterday's disk, all of it, is not today's TPM. */
static void test_rollback(void **state)
{
	uint64_t id;
	int guest;

	(void)state;
	set_policy("freshness = tpm");
	attach_used(1, &first, &id);
	guest = next_domain(2, &id);
	assert_true(guest_nv_holds(guest, INDEX, "kept"));
	power_off(2);
	copy("state/" FIRST ".vtpm", "yesterday");
	guest = attach(3, &first, &id);
	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
	power_off(3);
	copy("state/" FIRST ".vtpm", "today");

	copy("yesterday", "state/" FIRST ".vtpm");
	fake_kernel_add(kernel, 4, &first);
	wait_for_state(FIRST, "refused", "is an old copy");
	power_off(4);
	copy("today", "state/" FIRST ".vtpm");
	guest = attach(5, &first, &id);
	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
	assert_true(guest_nv_holds(guest, INDEX, "kept"));
}

static void assert_ctl(int status, const char *command, const char *rest, const char *says)
{
	char line[512], output[4096];

	snprintf(line, sizeof(line), "store %s " FIRST " %s --config %s", command, rest,
		 path("vtpmd.conf"));
	if (vtpmctl(line, output, sizeof(output)) != status || !strstr(output, says))
		fail_msg("vtpmctl %s: %s", line, output);
}

static void assert_served(uint32_t domid)
{
	uint64_t id;
	int guest = attach(domid, &first, &id);

	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
	assert_true(guest_nv_holds(guest, INDEX, "kept"));
	power_off(domid);
}

/* What vtpmctl changes the host's TPM gets to know, and it does not bless an old copy. */
static void test_commands(void **state)
{
	struct hosttpm_run run;
	char rest[128];
	uint64_t id;

	(void)state;
	set_policy("freshness = tpm");
	assert_ctl(0, "create", "", "a TPM 2.0 was made");
	attach_used(1, &first, &id);
	power_off(1);
	assert_ctl(0, "snapshot", path("snapshot"), "was copied");
	copy("state/" FIRST ".vtpm", "yesterday");
	assert_served(2);
	snprintf(rest, sizeof(rest), "%s --yes", path("snapshot"));
	assert_ctl(0, "restore", rest, "holds what");
	assert_served(3);

	make_key("key");
	snprintf(rest, sizeof(rest), "--key file:%s", path("key"));
	copy("state/" FIRST ".vtpm", "today");
	copy("yesterday", "state/" FIRST ".vtpm");
	assert_ctl(1, "rekey", rest, "is an old copy");
	copy("today", "state/" FIRST ".vtpm");
	assert_ctl(0, "rekey", rest, "is encrypted with the new key now");
	snprintf(rest, sizeof(rest), "freshness = tpm\nkey = file:%s", path("key"));
	set_policy(rest);
	assert_served(4);

	assert_ctl(0, "delete", "--yes", "was deleted");
	assert_int_equal(hosttpm(&run, "--tcti", host.tcti, "generation", "read", FIRST, NULL), 3);
	assert_ctl(0, "create", "", "a TPM 2.0 was made");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_host, tear_down_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_key_file),
		TEST(test_sealed_key),
		TEST(test_rollback),
		TEST(test_commands),
	};

	return cmocka_run_group_tests_name("guards", tests, NULL, NULL);
}
