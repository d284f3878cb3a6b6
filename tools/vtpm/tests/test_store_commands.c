// SPDX-License-Identifier: GPL-2.0-only
/* vtpmctl store: each command, what it refuses, and what a cut at any step leaves. */
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl_run.h"
#include "guest.h"
#include "key.h"

#define INDEX		0x01500001
#define STORE_ROOM	(1 << 20)
#define CUT		(128 + SIGKILL)

static void create(void)
{
	assert_ctl("store create " UUID);
}

/* A guest defines the index, or writes to it again. */
static void guest_writes(const char *text, bool first)
{
	struct engine_run run = run_store(STORE, NULL, "2.0");
	struct packet response;

	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	if (first)
		assert_int_equal(guest_do(run.guest, tpm2_nv_define(INDEX, strlen(text))), 0);
	assert_int_equal(guest_retry(run.guest, tpm2_nv_write(INDEX, text), &response), 0);
	assert_int_equal(engine_shutdown(&run), 0);
}

static bool guest_finds(const char *text)
{
	struct engine_run run = run_store(STORE, NULL, "2.0");
	bool found;

	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	found = guest_nv_holds(run.guest, INDEX, text);
	assert_int_equal(engine_shutdown(&run), 0);
	return found;
}

/* A number in JSON. */
static long long said_number(const char *name)
{
	const char *at = strstr(said, name);

	assert_non_null(at);
	return atoll(at + strlen(name) + 2);
}

static long long generation(void)
{
	assert_ctl("store info --json " UUID);
	return said_number("\n  \"generation\"");
}

static void test_usage(void **state)
{
	static const char *const bad[] = {
		"store", "store nonsense", "store info", "store info a b", "store create",
		"store info " UUID " --file @/x", "store info " UUID " --key none",
		"store snapshot " UUID, "store size " UUID, "store delete --no-such-option " UUID,
		"import " UUID, "export", "list --yes",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ctl("%s", bad[i]), 2);
		assert_said("Usage: vtpmctl");
	}
	assert_refused("'x' is not a UUID", "store info x");
	assert_refused("neither 2.0 nor 1.2", "store create " UUID " --tpm 3");
	assert_ctl("store info --help");
	assert_said("--json");
	assert_ctl("store size");
	assert_int_equal(atoi(said), 692224);
	assert_ctl("store size --tpm 1.2 --json");
	assert_said("{\"size\": 692224}");
}

static void test_create(void **state)
{
	struct stat st;

	(void)state;
	assert_refused("never made on this host", "store info " UUID);
	create();
	assert_said("a TPM 2.0 was made in");
	assert_int_equal(stat(path(STORE), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 692224);
	assert_true(there("state/made/" UUID));
	assert_false(there("state/" UUID ".new"));
	assert_refused("made already", "store create " UUID);
	guest_writes("a", true);
	assert_true(guest_finds("a"));
	assert_ctl("store create " OTHER_UUID " --tpm 1.2");
	assert_said("Set 'tpm-version = 1.2' in");
	assert_ctl("store info " OTHER_UUID);
	assert_said("TPM           1.2\n");
	write_file("engine", "#!/bin/sh\nexit 1\n");
	assert_refused("engine ended without saying why",
		       "store create ab030000-0000-0000-0000-000000000000");
	assert_false(there("state/made/ab030000-0000-0000-0000-000000000000"));
}

/* A cut leaves what the next attempt finishes, or begins anew. */
static void test_create_cut(void **state)
{
	int ret = CUT;

	for (int step = 1; ret == CUT; step++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		ret = ctl_cut(step, "store create " UUID);
		if (!there("state/made/" UUID))
			create();
		assert_ctl("store check " UUID);
		assert_true(there(STORE));
		assert_true(step < 20);
	}
	assert_int_equal(ret, 0);
}

static void name_store(const char *name)
{
	char text[256];

	snprintf(text, sizeof(text), "store = %s\n", path(name));
	write_file("vtpm.d/" UUID ".conf", text);
}

static void test_named_store(void **state)
{
	struct engine_run run;

	(void)state;
	write_file("vtpm.d/" UUID ".conf", "store = /dev/xen-vtpm-no-such-volume\n");
	assert_refused("'vtpmctl store size'", "store create " UUID);
	/* A link to an empty one, as device mapper has it. */
	write_file("volume", "");
	assert_int_equal(symlink(path("volume"), path("link")), 0);
	name_store("link");
	create();
	assert_false(there(STORE));
	assert_ctl("store check " UUID);
	run = run_store("volume", NULL, "2.0");
	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	assert_int_equal(engine_shutdown(&run), 0);
	/* A store that nobody remembers, and something that is none. */
	assert_int_equal(unlink(path("state/made/" UUID)), 0);
	assert_refused("is not empty", "store create " UUID);
	assert_ctl("store delete " UUID " --yes");
	name_store("volume");
	write_file("volume", "somebody's file system");
	assert_int_equal(truncate(path("volume"), 8192), 0);
	assert_refused("is not empty", "store create " UUID);
	assert_refused("neither a store nor empty", "store delete " UUID " --yes");
	assert_int_equal(read_file("volume", said, sizeof(said)), 8192);
	assert_string_equal(said, "somebody's file system");
}

static void test_info(void **state)
{
	struct engine_run run;

	(void)state;
	create();
	assert_ctl("store info " UUID);
	assert_said("Format        2\nUUID          " UUID "\nTPM           2.0\n");
	assert_said("Encrypted     no\n");
	assert_said("Written by    libtpms ");
	assert_said("Owner         given back by host ");
	assert_said("In use        no\n");
	run = run_store(STORE, NULL, "2.0");
	assert_ctl("store info " UUID);
	assert_said("Owner         held by host ");
	assert_said("In use        yes\n");
	assert_ctl("store info --json " UUID);
	assert_int_equal(said_number("\"pid\""), run.pid);
	assert_int_equal(engine_shutdown(&run), 0);
	assert_ctl("store info --file @/" STORE);
	assert_refused("nosuch: No such file", "store info --file @/nosuch");
	write_file("vtpm.d/" UUID ".conf", "engine = swtpm\n");
	assert_refused("run by swtpm", "store info " UUID);
}

static void test_check(void **state)
{
	struct engine_run run;

	(void)state;
	assert_refused("evidence  it was never made", "store check " UUID);
	create();
	assert_ctl("store check " UUID);
	assert_said("can run here, generation 1");
	/* All that is wrong, at once. */
	write_file("vtpm.d/" UUID ".conf", "tpm-version = 1.2\nkey = file:/nonexistent\n");
	write_file("engine", "#!/bin/sh\necho 'vtpm-engine 9 (libtpms 0.8.9)'\n");
	run = run_store(STORE, NULL, "2.0");
	assert_int_equal(ctl("store check " UUID), 1);
	assert_said("tpm       ");
	assert_said("policy says tpm-version = 1.2");
	assert_said("key       key /nonexistent: No such file");
	assert_said("engine    ");
	assert_said("has 0.8.9: install a newer one");
	assert_said("holder    ");
	assert_said("is in use by process");
	assert_int_equal(ctl("store check --json " UUID), 1);
	assert_said("\"good\": false");
	assert_said("\"what\": \"holder\"");
	assert_int_equal(engine_shutdown(&run), 0);
	write_file("engine", "#!/bin/sh\n");
	assert_refused("does not say its version", "store check " UUID);
	assert_int_equal(truncate(path(STORE), 5000), 0);
	assert_refused("contents  ", "store check " UUID);
	assert_int_equal(unlink(path(STORE)), 0);
	assert_refused("is missing", "store check " UUID);
}

static void test_dump(void **state)
{
	static char bytes[STORE_ROOM];
	struct stat st;

	(void)state;
	create();
	assert_ctl("store dump " UUID);
	assert_said("permall ");
	assert_said("session ");
	assert_ctl("store dump --json --file @/" STORE);
	assert_said("\"name\": \"permall\"");
	assert_ctl("store dump " UUID " --entry permall --output @/permall");
	assert_int_equal(stat(path("permall"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(read_file("permall", bytes, sizeof(bytes)), st.st_size);
	assert_memory_equal(bytes + 2, "\xab\x36\x47\x23", 4);
	assert_refused("File exists", "store dump " UUID " --entry permall --output @/permall");
	assert_refused("no entry 'x'", "store dump " UUID " --entry x --output @/x");
	assert_refused("name it with --entry", "store dump " UUID " --output @/x");
	/* script(1) gives it a terminal. */
	snprintf(bytes, sizeof(bytes), "script -qec '" TESTS_DIR "/vtpmctl store dump " UUID
		 " -e permall -c %s/vtpmd.conf' /dev/null >%s/said </dev/null", dir, dir);
	assert_int_not_equal(system(bytes), 0);
	said[read_file("said", said, sizeof(said) - 1)] = '\0';
	assert_said("is not written to a terminal");
}

static void test_key_file(void **state)
{
	struct error err;

	(void)state;
	create();
	write_key("key", 'k');
	chmod(path("key"), 0640);
	assert_refused("'chmod 600' it", "store rekey " UUID " --key file:@/key");
	chmod(path("key"), 0600);
	assert_int_equal(chown(path("key"), 1, 1), 0);
	assert_refused("belongs to user 1", "store rekey " UUID " --key file:@/key");
	assert_int_equal(chown(path("key"), 0, 0), 0);
	write_file("key", "too short");
	assert_refused("exactly 32 bytes", "store rekey " UUID " --key file:@/key");
	write_key("key", 'k');
	assert_int_equal(symlink(path("key"), path("link")), 0);
	assert_refused("is a link", "store rekey " UUID " --key file:@/link");
	assert_refused("No such file", "store rekey " UUID " --key file:@/nosuch");
	assert_int_equal(mkfifo(path("pipe"), 0600), 0);
	assert_refused("exactly 32 bytes", "store rekey " UUID " --key file:@/pipe");
	assert_refused("--key has to name", "store rekey " UUID " --key @/key");
	assert_refused("--key has to name", "store rekey " UUID);
	assert_ctl("store check " UUID);
	assert_int_equal(key_open(KEY_FILE, path("nosuch"), NULL, NULL, &err), -ENOENT);
}

/* A program that has the key if it is asked the right way. */
static void write_hosttpm(const char *text)
{
	write_file("hosttpm", text);
	assert_int_equal(chmod(path("hosttpm"), 0755), 0);
}

static void test_key_of_host(void **state)
{
	uint8_t key[KEY_SIZE];
	struct error err;
	int fd;

	(void)state;
	create();
	write_key("sealed", 's');
	assert_refused("cannot be run", "store rekey " UUID " --key tpm:@/sealed");
	write_hosttpm("#!/bin/sh\n[ \"$1 $2 $3\" = \"unseal --tcti the host's\" ] && "
		      "[ -z \"$STRAY\" ] && cat \"$4\"\n");
	setenv("STRAY", "the environment is not handed on", 1);
	assert_ctl("store rekey " UUID " --key tpm:@/sealed");
	unsetenv("STRAY");
	assert_said("encrypted with the new key");
	assert_refused("no key was given", "store dump --file @/" STORE);
	assert_ctl("store dump --file @/" STORE " --key tpm:@/sealed");
	/* It is nobody's child, and what it writes arrives. */
	fd = key_open(KEY_TPM, path("sealed"), path("hosttpm"), "the host's", &err);
	assert_true(fd >= 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(key_read(fd, key, path("sealed"), &err), 0);
	assert_memory_equal(key, "ssssssssssssssssssssssssssssssss", KEY_SIZE);
	write_hosttpm("#!/bin/sh\necho 'the PCRs are wrong' >&2\nexit 1\n");
	assert_refused("the PCRs are wrong", "store dump --file @/" STORE " --key tpm:@/sealed");
	assert_said("0 bytes came of it");
	write_hosttpm("#!/bin/sh\ncat \"$4\" \"$4\"\n");
	assert_refused("33 bytes", "store dump --file @/" STORE " --key tpm:@/sealed");
}

static void set_key(const char *key)
{
	char text[256];

	snprintf(text, sizeof(text), "key = file:%s\n", path(key));
	write_file("vtpm.d/" UUID ".conf", text);
}

static void test_rekey(void **state)
{
	(void)state;
	create();
	write_key("a", 'a');
	write_key("b", 'b');
	assert_ctl("store rekey " UUID " --key file:@/a");
	assert_said("Set 'key = file:");
	assert_refused("no key was given", "store check " UUID);
	set_key("b");
	assert_refused("encrypted with another key", "store check " UUID);
	/* Neither the policy's nor the new one. */
	write_key("c", 'c');
	assert_refused("encrypted with another key", "store rekey " UUID " --key file:@/c");
	set_key("a");
	assert_ctl("store check " UUID);
	assert_ctl("store rekey " UUID " --key file:@/b");
	set_key("b");
	assert_ctl("store check " UUID);
	assert_ctl("store rekey " UUID " --key none");
	assert_said("is not encrypted now");
	write_file("vtpm.d/" UUID ".conf", "");
	assert_ctl("store check " UUID);
	/* A new TPM is encrypted from the first moment on. */
	set_key("a");
	assert_ctl("store delete " UUID " --yes");
	create();
	assert_ctl("store info " UUID);
	assert_said("Encrypted     yes\n");
}

/* Cut before each write: one of both keys opens it, and the next attempt succeeds. */
static void test_rekey_cut(void **state)
{
	int ret = CUT, after_first = 0;

	for (int step = 1; ret == CUT; step++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		write_key("a", 'a');
		create();
		guest_writes("kept", true);
		ret = ctl_cut(step, "store rekey " UUID " --key file:@/a");
		if (ctl("store check " UUID)) {
			assert_ctl("store check " UUID " --key file:@/a");
			after_first += ret == CUT;
		}
		assert_ctl("store rekey " UUID " --key file:@/a");
		set_key("a");
		assert_ctl("store check " UUID);
		assert_ctl("store rekey " UUID " --key none");
		assert_true(guest_finds("kept"));
		assert_true(step < 100);
	}
	assert_int_equal(ret, 0);
	assert_true(after_first > 1);
}

static void test_locked(void **state)
{
	struct engine_run run;

	(void)state;
	create();
	assert_ctl("store snapshot " UUID " @/snap");
	run = run_store(STORE, NULL, "2.0");
	assert_refused("Shut its guest down first", "store rekey " UUID " --key none");
	assert_refused("is in use by process", "store restore " UUID " @/snap --yes");
	assert_refused("is in use by process", "store take " UUID " --yes");
	assert_refused("is in use by process", "store delete " UUID " --yes");
	assert_refused("is in use by process", "export " UUID " @/export");
	assert_false(there("export"));
	assert_ctl("store info " UUID);
	assert_ctl("store dump " UUID);
	assert_ctl("store snapshot " UUID " @/snap2");
	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	assert_int_equal(engine_shutdown(&run), 0);
}

static void test_take(void **state)
{
	struct engine_run run;

	(void)state;
	create();
	assert_ctl("store take " UUID);
	assert_said("nobody has it");
	run = run_store(STORE, NULL, "2.0");
	engine_kill(&run);
	assert_ctl("store info " UUID);
	assert_said("held by");
	assert_refused("nothing was done", "store take " UUID);
	assert_ctl("store info " UUID);
	assert_said("held by");
	assert_ctl("store take " UUID " --yes");
	assert_ctl("store info " UUID);
	assert_said("given back by");
}

static void test_delete(void **state)
{
	(void)state;
	assert_refused("there is no vTPM", "store delete " UUID " --yes");
	create();
	assert_refused("nothing was done", "store delete " UUID);
	assert_ctl("store check " UUID);
	assert_ctl("store delete " UUID " --yes");
	assert_false(there(STORE));
	assert_false(there("state/made/" UUID));
	create();
	/* Another vTPM's store under this name. */
	assert_ctl("store create " OTHER_UUID);
	assert_int_equal(rename(path("state/" OTHER_UUID ".vtpm"), path(STORE)), 0);
	assert_refused("belongs to another vTPM, " OTHER_UUID, "store delete " UUID " --yes");
	assert_true(there(STORE));
}

/* As long as anything is left, vtpmd is kept from making another TPM. */
static void test_delete_cut(void **state)
{
	int ret = CUT, step;

	(void)state;
	for (step = 1; ret == CUT; step++) {
		create();
		ret = ctl_cut(step, "store delete " UUID " --yes");
		if (there(STORE))
			assert_true(there("state/made/" UUID));
		if (there("state/made/" UUID))
			assert_ctl("store delete " UUID " --yes");
		assert_false(there(STORE));
		assert_true(step < 200);
	}
	assert_int_equal(ret, 0);
	assert_true(step > 40);
}

/* While a guest writes as fast as it can. */
static void test_snapshot_of_running(void **state)
{
	struct engine_run run;
	struct packet response;
	int status;
	pid_t pid;

	(void)state;
	create();
	run = run_store(STORE, NULL, "2.0");
	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	assert_int_equal(guest_do(run.guest, tpm2_nv_define(INDEX, 8)), 0);
	pid = fork();
	/* It does not go on without the test. */
	if (!pid && prctl(PR_SET_PDEATHSIG, SIGKILL))
		_exit(1);
	for (unsigned int i = 0; !pid; i++) {
		char text[9];

		snprintf(text, sizeof(text), "%08u", i % 100000000);
		if (guest_retry(run.guest, tpm2_nv_write(INDEX, text), &response))
			_exit(1);
	}
	for (int i = 0; i < 30; i++) {
		long long before = generation();

		assert_ctl("store snapshot " UUID " @/snap%d", i);
		assert_ctl("store dump --json --file @/snap%d", i);
		assert_true(said_number("\n  \"generation\"") >= before);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	engine_kill(&run);
	/* It was written to meanwhile, or this has shown nothing. */
	assert_true(generation() > 100);
}

/* A snapshot that is held before its second chunk, when one slot is copied. */
static pid_t start_held_snapshot(void)
{
	pid_t pid;

	assert_int_equal(mkfifo(path("held"), 0600), 0);
	assert_int_equal(mkfifo(path("go-on"), 0600), 0);
	setenv(HELD_VARIABLE, path("held"), 1);
	setenv(GO_ON_VARIABLE, path("go-on"), 1);
	setenv(HOLD_VARIABLE, "2", 1);
	/* Whatever does not come is not waited for without end. */
	alarm(60);
	pid = fork();
	if (!pid)
		_exit(ctl("store snapshot " UUID " @/snap"));
	close(open(path("held"), O_RDONLY));
	return pid;
}

static void end_held_snapshot(pid_t pid)
{
	int status;

	close(open(path("go-on"), O_WRONLY));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	alarm(0);
	unsetenv(HOLD_VARIABLE);
}

/* Both slots change under the copy, which is then made again. */
static void test_snapshot_repeated(void **state)
{
	static char before[STORE_ROOM], after[STORE_ROOM];
	size_t size;
	pid_t pid;

	(void)state;
	create();
	guest_writes("old", true);
	pid = start_held_snapshot();
	guest_writes("new", false);
	end_held_snapshot(pid);
	size = read_file(STORE, before, sizeof(before));
	assert_int_equal(read_file("snap", after, sizeof(after)), size);
	assert_memory_equal(before + 4096, after + 4096, size - 4096);
}

static void test_snapshot(void **state)
{
	static char before[STORE_ROOM], after[STORE_ROOM];
	struct stat st;

	(void)state;
	create();
	assert_ctl("store snapshot " UUID " @/snap");
	assert_int_equal(stat(path("snap"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(read_file(STORE, before, sizeof(before)), st.st_size);
	read_file("snap", after, sizeof(after));
	assert_memory_equal(before, after, st.st_size);
	assert_refused("File exists", "store snapshot " UUID " @/snap");
	/* What cannot be loaded is not kept. */
	write_key("a", 'a');
	set_key("a");
	assert_refused("not encrypted, although", "store snapshot " UUID " @/snap2");
	assert_false(there("snap2"));
}

static void damage_slot(unsigned int slot)
{
	int fd = open(path(STORE), O_RDWR);

	assert_int_equal(pwrite(fd, "damage", 6, 4096 + slot * 344064 + 300), 6);
	close(fd);
}

/* A store that is only half whole is copied as it is, and one that is not at all is not. */
static void test_snapshot_of_damaged(void **state)
{
	unsigned int older;

	(void)state;
	create();
	guest_writes("kept", true);
	/* The first commit goes to slot 0. */
	older = generation() % 2;
	damage_slot(older);
	assert_ctl("store snapshot " UUID " @/snap");
	assert_true(guest_finds("kept"));
	damage_slot(0);
	damage_slot(1);
	assert_refused("none of its two copies is whole", "store snapshot " UUID " @/snap2");
	assert_false(there("snap2"));
	assert_ctl("store restore " UUID " @/snap --yes");
	assert_true(guest_finds("kept"));
}

/* What the snapshot has not does not stay either: here the state of a guest that ran on. */
static void test_restore_all(void **state)
{
	struct engine_run run;

	(void)state;
	create();
	guest_writes("old", true);
	assert_ctl("store snapshot " UUID " @/snap");
	run = run_store(STORE, NULL, "2.0");
	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	assert_int_equal(engine_finish(&run, CONTROL_KEEP), 0);
	assert_ctl("store dump " UUID);
	assert_said("volatilestate");
	assert_ctl("store restore " UUID " @/snap --yes");
	assert_ctl("store dump " UUID);
	assert_null(strstr(said, "volatilestate"));
	assert_null(strstr(said, "session"));
}

static void test_restore(void **state)
{
	long long last;

	(void)state;
	create();
	guest_writes("old", true);
	assert_ctl("store snapshot " UUID " @/snap");
	guest_writes("new", false);
	last = generation();
	assert_refused("--yes does it", "store restore " UUID " @/snap");
	assert_said("commits since is lost");
	assert_true(guest_finds("new"));
	assert_ctl("store restore " UUID " @/snap --yes");
	assert_true(generation() > last);
	assert_true(guest_finds("old"));
	assert_ctl("store create " OTHER_UUID);
	assert_refused("copy of another vTPM, " UUID, "store restore " OTHER_UUID " @/snap");
	assert_refused("No such file", "store restore " UUID " @/nosuch");
	write_file("vtpm.d/" UUID ".conf", "tpm-version = 1.2\n");
	assert_refused("policy says tpm-version", "store restore " UUID " @/snap --yes");
	write_file("vtpm.d/" UUID ".conf", "key = file:/nonexistent\n");
	assert_refused("/nonexistent: No such file", "store restore " UUID " @/snap --yes");
	/* The key is missing, the store is not. */
	assert_refused("/nonexistent: No such file",
		       "store restore " UUID " @/snap --yes --key none");
	write_file("vtpm.d/" UUID ".conf", "");
	assert_true(guest_finds("old"));
}

/* A snapshot from before a rekey, and one that is ahead of the store. */
static void test_restore_other_key(void **state)
{
	(void)state;
	create();
	guest_writes("old", true);
	assert_ctl("store snapshot " UUID " @/snap");
	write_key("a", 'a');
	assert_ctl("store rekey " UUID " --key file:@/a");
	set_key("a");
	assert_refused("not encrypted, although", "store restore " UUID " @/snap --yes");
	assert_ctl("store restore " UUID " @/snap --yes --key none");
	assert_ctl("store info " UUID);
	assert_said("Encrypted     yes\n");
	assert_ctl("store rekey " UUID " --key none");
	write_file("vtpm.d/" UUID ".conf", "");
	assert_true(guest_finds("old"));
}

static void test_restore_lost(void **state)
{
	long long last;

	(void)state;
	create();
	guest_writes("old", true);
	assert_ctl("store snapshot " UUID " @/snap");
	guest_writes("new", false);
	assert_int_equal(truncate(path(STORE), 4096), 0);
	assert_refused("say --yes", "store restore " UUID " @/snap");
	assert_ctl("store restore " UUID " @/snap --yes");
	assert_true(guest_finds("old"));
	guest_writes("new", false);
	last = generation();
	/* An old copy was put in its place, which the owner record gives away. */
	assert_ctl("store snapshot " UUID " @/newer");
	assert_int_equal(unlink(path(STORE)), 0);
	assert_ctl("store restore " UUID " @/newer");
	assert_true(generation() > last);
	assert_true(guest_finds("new"));
	/* On a host that never had it. */
	assert_ctl("store delete " UUID " --yes");
	assert_ctl("store restore " UUID " @/newer");
	assert_ctl("store check " UUID);
	assert_true(guest_finds("new"));
}

/* Whatever was cut off: old or new contents, or a refusal, and the next attempt succeeds. */
static void test_restore_cut(void **state)
{
	int ret = CUT;

	for (int step = 1; ret == CUT; step++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		create();
		guest_writes("old", true);
		assert_ctl("store snapshot " UUID " @/snap");
		guest_writes("new", false);
		ret = ctl_cut(step, "store restore " UUID " @/snap --yes");
		assert_true(guest_finds("new") || guest_finds("old"));
		assert_ctl("store restore " UUID " @/snap --yes");
		assert_true(guest_finds("old"));
		assert_true(step < 20);
	}
	assert_int_equal(ret, 0);
}

/* What the library's header promises, in its smallest form. */
static void test_example(void **state)
{
	char command[512];

	(void)state;
	snprintf(command, sizeof(command), EXAMPLE " %s >%s", path("store"), path("said"));
	assert_int_equal(system(command), 0);
	said[read_file("said", said, sizeof(said) - 1)] = '\0';
	assert_said("callback: entry 'greeting' was formatted, result 0\n"
		    "2 requests are outstanding\n"
		    "callback: entry 'greeting' was written, result 6\n"
		    "callback: entry 'greeting' was read, result 6\n"
		    "read back: hello, generation 1\n"
		    "3 callbacks\n"
		    "loaded with its key: hello, generation 3\n");
	assert_said("is encrypted, and no key was given");
	assert_int_not_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_usage),
		TEST(test_create),
		TEST(test_create_cut),
		TEST(test_named_store),
		TEST(test_info),
		TEST(test_check),
		TEST(test_dump),
		TEST(test_key_file),
		TEST(test_key_of_host),
		TEST(test_rekey),
		TEST(test_rekey_cut),
		TEST(test_locked),
		TEST(test_take),
		TEST(test_delete),
		TEST(test_delete_cut),
		TEST(test_snapshot),
		TEST(test_snapshot_of_damaged),
		TEST(test_snapshot_of_running),
		TEST(test_snapshot_repeated),
		TEST(test_restore),
		TEST(test_restore_all),
		TEST(test_restore_other_key),
		TEST(test_restore_lost),
		TEST(test_restore_cut),
		TEST(test_example),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("store commands", tests, NULL, NULL);
}
