// SPDX-License-Identifier: GPL-2.0-only
#include "cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

static char dir[] = "/tmp/vtpm-test-XXXXXX";
static char file[64], policy_dir[64], policy_file[128];
static const struct uuid uuid = { { 0xab, 1 } };

static void write_file(const char *path, const char *text)
{
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/vtpmd.conf", dir);
	snprintf(policy_dir, sizeof(policy_dir), "%s/vtpm.d", dir);
	snprintf(policy_file, sizeof(policy_file),
		 "%s/ab010000-0000-0000-0000-000000000000.conf", policy_dir);
	return mkdir(policy_dir, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	unlink(file);
	unlink(policy_file);
	rmdir(policy_dir);
	return rmdir(dir);
}

static void test_defaults(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	write_file(file, "# nothing\n\n");
	assert_int_equal(config_read(&config, file, &err), 0);
	assert_string_equal(config.state_dir, "/var/lib/xen-vtpm");
	assert_string_equal(config.run_dir, "/run/xen-vtpm");
	assert_string_equal(config.device, "/dev/vtpm");
	assert_string_equal(config.engine, "/usr/libexec/xen-vtpm/vtpm-engine");
	assert_string_equal(config.user, "xen-vtpm");
	assert_string_equal(config.policy_dir, policy_dir);
	assert_true(config.policy.create);
	assert_false(config.policy.tpm12);
	assert_int_equal(config.policy.localities, 1);
	assert_false(config.policy.exactly_once);
	assert_int_equal(config.policy.engine, ENGINE_NATIVE);
	assert_string_equal(config.hosttpm, "/usr/libexec/xen-vtpm/vtpm-hosttpm");
	assert_string_equal(config.host_tpm, "device:/dev/tpmrm0");
	assert_int_equal(config.policy.key_kind, KEY_NONE);
	assert_string_equal(config.policy.key_path, "");
	assert_int_equal(config.policy.freshness, FRESHNESS_NONE);
	assert_string_equal(config.policy.store, "");
}

static void test_all_keys(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	write_file(file, "[vtpmd]\nstate-dir = /s\nrun-dir=/r ; comment\ndevice = /d\n"
		   "engine = /e\nuser = root\nhosttpm = /h\nhost-tpm = swtpm:port=2321\n"
		   "[policy]\ncreate = no\ntpm-version = 1.2\n"
		   "localities = 0,2-4\nexactly-once = yes\nkey = tpm:/k\nfreshness = tpm\n");
	assert_int_equal(config_read(&config, file, &err), 0);
	assert_string_equal(config.state_dir, "/s");
	assert_string_equal(config.run_dir, "/r");
	assert_string_equal(config.device, "/d");
	assert_string_equal(config.engine, "/e");
	assert_false(config.policy.create);
	assert_true(config.policy.tpm12);
	assert_int_equal(config.policy.localities, 0x1d);
	assert_true(config.policy.exactly_once);
	assert_string_equal(config.hosttpm, "/h");
	assert_string_equal(config.host_tpm, "swtpm:port=2321");
	assert_int_equal(config.policy.key_kind, KEY_TPM);
	assert_string_equal(config.policy.key_path, "/k");
	assert_int_equal(config.policy.freshness, FRESHNESS_TPM);
	assert_int_equal(config_find_user(&config, &err), 0);
	assert_int_equal(config.uid, 0);
}

static void test_bad_input(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "[vtpmd]\nstate-dir = relative\n", ":2: state-dir cannot be 'relative'" },
		{ "[vtpmd]\nstatedir = /x\n", ":2: there is no key 'statedir' here, only "
		  "state-dir, run-dir, device, engine, user" },
		{ "[vtpm]\nstate-dir = /x\n", ":2: there is no section 'vtpm'" },
		{ "state-dir = /x\n", ":1: there is no section ''" },
		{ "[policy]\ncreate = maybe\n", ":2: create cannot be 'maybe'; it is yes or no" },
		{ "[policy]\nexactly-once = 1\n", ":2: exactly-once cannot be '1'; it is yes" },
		{ "[policy]\ncreate =\n", ":2: create cannot be ''" },
		{ "[policy]\ntpm-version = 2\n", "it is 2.0 or 1.2" },
		{ "\n\n[policy]\n\nlocalities = 5\n", ":5: localities cannot be '5'" },
		{ "[policy]\nlocalities =\n", "localities cannot be ''" },
		{ "[policy]\nlocalities = 0,\n", "localities cannot be '0,'" },
		{ "[policy]\nlocalities = 1-\n", "localities cannot be '1-'" },
		{ "[policy]\nlocalities = 3-1\n", "localities cannot be '3-1'" },
		{ "[policy]\nlocalities = 0 1\n", "localities cannot be '0 1'" },
		{ "[policy]\nlocalities = -1\n", "localities cannot be '-1'" },
		{ "[policy]\ncreate = yes\ncreate = no\n", ":3: a second value for 'create'" },
		{ "[policy]\nnonsense\n", ":2: neither" },
		{ "[policy\ncreate = yes\n", ":1: neither" },
		{ "[vtpmd]\nuser =\n", "user cannot be ''" },
		{ "[vtpmd]\nhost-tpm =\n", "host-tpm cannot be ''; it is a TCTI" },
		{ "[policy]\nkey = /k\n", "key cannot be '/k'; it is none, file:/PATH or tpm:/PATH" },
		{ "[policy]\nkey = file:k\n", "key cannot be 'file:k'" },
		{ "[policy]\nkey = tpm:\n", "key cannot be 'tpm:'" },
		{ "[policy]\nfreshness = yes\n", "freshness cannot be 'yes'; it is none or tpm" },
		{ "[policy]\nstore = /s\n", ":2: there is no key 'store' here, only create" },
	};
	struct config config;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(file, cases[i].text);
		assert_int_equal(config_read(&config, file, &err), -EINVAL);
		assert_memory_equal(err.text, file, strlen(file));
		if (!strstr(err.text, cases[i].message))
			fail_msg("'%s' not in '%s'", cases[i].message, err.text);
	}
}

static void test_long_line(void **state)
{
	char text[600] = "[vtpmd]\nstate-dir = /";
	struct config config;
	struct error err;

	(void)state;
	memset(text + strlen(text), 'x', 500);
	write_file(file, text);
	assert_int_equal(config_read(&config, file, &err), -EINVAL);
	assert_non_null(strstr(err.text, ":2: the line is too long"));
}

static void test_missing(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	assert_int_equal(config_read(&config, "/nonexistent/vtpmd.conf", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/vtpmd.conf"));
	write_file(file, "[vtpmd]\nuser = no-such-user\n");
	assert_int_equal(config_read(&config, file, &err), 0);
	assert_int_equal(config_find_user(&config, &err), -ENOENT);
	assert_non_null(strstr(err.text, "useradd --system"));
}

static void test_policy_of_one(void **state)
{
	struct config config;
	struct policy policy;
	struct error err;

	(void)state;
	write_file(file, "[policy]\nlocalities = 0-1\n");
	assert_int_equal(config_read(&config, file, &err), 0);
	unlink(policy_file);
	assert_int_equal(config_read_policy(&config, &uuid, &policy, &err), 0);
	assert_int_equal(policy.localities, 3);
	assert_false(policy.exactly_once);
	write_file(policy_file, "tpm-version = 1.2\ncreate = no\nengine = swtpm\n"
		   "exactly-once = yes\n");
	assert_int_equal(config_read_policy(&config, &uuid, &policy, &err), 0);
	assert_true(policy.tpm12);
	assert_false(policy.create);
	assert_int_equal(policy.engine, ENGINE_SWTPM);
	assert_true(policy.exactly_once);
	assert_int_equal(policy.localities, 3);
	assert_int_equal(config_check_policies(&config, &err), 0);
	write_file(policy_file, "store = /dev/vg/a\nkey = file:/k\nfreshness = none\n");
	assert_int_equal(config_read_policy(&config, &uuid, &policy, &err), 0);
	assert_string_equal(policy.store, "/dev/vg/a");
	assert_int_equal(policy.key_kind, KEY_FILE);
	assert_string_equal(policy.key_path, "/k");
	assert_int_equal(policy.freshness, FRESHNESS_NONE);
	write_file(file, "[policy]\nkey = file:/k\n");
	assert_int_equal(config_read(&config, file, &err), 0);
	write_file(policy_file, "key = none\n");
	assert_int_equal(config_read_policy(&config, &uuid, &policy, &err), 0);
	assert_int_equal(policy.key_kind, KEY_NONE);
	assert_string_equal(policy.key_path, "");
	write_file(policy_file, "store = vg/a\n");
	assert_int_equal(config_read_policy(&config, &uuid, &policy, &err), -EINVAL);
	assert_non_null(strstr(err.text, "store cannot be 'vg/a'; it is a path that begins with /"));
	write_file(policy_file, "engine = qemu\n");
	assert_int_equal(config_read_policy(&config, &uuid, &policy, &err), -EINVAL);
	assert_non_null(strstr(err.text, ".conf:1: engine cannot be 'qemu'; it is vtpm-engine or"));
	assert_int_equal(config_check_policies(&config, &err), -EINVAL);
	write_file(policy_file, "[policy]\ncreate = no\n");
	assert_int_equal(config_read_policy(&config, &uuid, &policy, &err), -EINVAL);
	unlink(policy_file);
}

static void test_misnamed_policy(void **state)
{
	char path[256];
	struct config config;
	struct error err;

	(void)state;
	write_file(file, "");
	assert_int_equal(config_read(&config, file, &err), 0);
	snprintf(path, sizeof(path), "%s/AB010000-0000-0000-0000-000000000000.conf", policy_dir);
	write_file(path, "create = no\n");
	assert_int_equal(config_check_policies(&config, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not named UUID.conf"));
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_policy_of_one),
		cmocka_unit_test(test_misnamed_policy),
	};

	return cmocka_run_group_tests_name("configuration", tests, set_up, tear_down);
}
