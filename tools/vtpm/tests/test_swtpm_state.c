// SPDX-License-Identifier: GPL-2.0-only
/* vtpmctl import and export, with swtpm itself: the TPM stays the same one. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl_run.h"
#include "guest.h"

#define TEXT		"keep it"
#define TEXT_HEX	"6b656570206974"
#define NO_PCRS		"0003 000000 1f 0000000000000000000000000000000000000000 "

/**
 * struct swtpm - one that runs
 * @pid: the process
 * @fd: where it takes commands
 */
struct swtpm {
	pid_t pid;
	int fd;
};

/* The same questions to either TPM. */
struct family {
	const char *name, *other;	/* as --tpm has it */
	const char *option;		/* of swtpm */
	const char *file;		/* of the permanent state */
	const char *startup, *endorsement_key, *define, *write, *read;
};

static const struct family families[] = {
	{
		.name = "2.0", .other = "1.2", .option = "--tpm2", .file = "tpm2-00.permall",
		.startup = "8001 00000000 00000144 0000",
		.endorsement_key = "8001 00000000 00000173 81010016",
		.define = "8002 00000000 0000012a 40000001 00000009 40000009 0000 00 0000 "
			  "0000 000e 01500001 000b 00040004 0000 0007",
		.write = "8002 00000000 00000137 01500001 01500001 00000009 40000009 0000 00 0000 "
			 "0007 " TEXT_HEX " 0000",
		.read = "8002 00000000 0000014e 01500001 01500001 00000009 40000009 0000 00 0000 "
			"0007 0000",
	}, {
		.name = "1.2", .other = "2.0", .option = "", .file = "tpm-00.permall",
		.startup = "00c1 00000000 00000099 0001",
		.endorsement_key = "00c1 00000000 0000007c "
				   "0000000000000000000000000000000000000000",
		.define = "00c1 00000000 000000cc 0018 00011111 " NO_PCRS NO_PCRS
			  "0017 00000001 00 00 00 00000007 "
			  "0000000000000000000000000000000000000000",
		.write = "00c1 00000000 000000cd 00011111 00000000 00000007 " TEXT_HEX,
		.read = "00c1 00000000 000000cf 00011111 00000000 00000007",
	},
};

static void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *fmt, ...)
{
	char command[1024], quiet[1200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	snprintf(quiet, sizeof(quiet), "%s >/dev/null 2>%s/errors", command, dir);
	if (system(quiet))
		fail_msg("failed: %s", command);
}

static struct swtpm start_swtpm_with(const char *state_dir, const char *tpm2, const char *key)
{
	char state[128], fd[16];
	char *argv[] = {
		"swtpm", "chardev", "--fd", fd, "--tpmstate", state, "--flags", "not-need-init",
		"--key", (char *)key, (char *)tpm2, NULL,
	};
	struct swtpm swtpm;
	int pair[2];

	if (!key) {
		argv[8] = *tpm2 ? (char *)tpm2 : NULL;
		argv[9] = NULL;
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	snprintf(state, sizeof(state), "dir=%s", path(state_dir));
	snprintf(fd, sizeof(fd), "%d", pair[1]);
	swtpm.pid = fork();
	if (swtpm.pid == 0) {
		execvp("swtpm", argv);
		_exit(99);
	}
	close(pair[1]);
	swtpm.fd = pair[0];
	return swtpm;
}

static struct swtpm start_swtpm(const char *state_dir, const struct family *family)
{
	return start_swtpm_with(state_dir, family->option, NULL);
}

static void end_swtpm(struct swtpm *swtpm)
{
	int status;

	close(swtpm->fd);
	assert_int_equal(waitpid(swtpm->pid, &status, 0), swtpm->pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 99);
}

/* To swtpm, which takes bare commands. */
static uint32_t ask_swtpm(int fd, const struct packet *packet, struct packet *response)
{
	ssize_t n;

	assert_int_equal(write(fd, packet->bytes, packet->size), packet->size);
	n = read(fd, response->bytes, sizeof(response->bytes));
	assert_true(n >= 10);
	response->size = n;
	return be32(response->bytes + 6);
}

typedef uint32_t (*ask_t)(int fd, const struct packet *packet, struct packet *response);

/* The first use of an authorization after a start may have to be repeated. */
static struct packet get(ask_t ask, int fd, const char *hex)
{
	struct packet packet = command("%s", hex), response;
	uint32_t result = ask(fd, &packet, &response);

	if (result == 0x922)
		result = ask(fd, &packet, &response);
	if (result)
		fail_msg("%s: 0x%x", hex, result);
	return response;
}

static void make_state(const char *state_dir, const struct family *family)
{
	struct swtpm swtpm;

	assert_int_equal(mkdir(path(state_dir), 0700), 0);
	shell("XDG_CONFIG_HOME=%s swtpm_setup %s --tpmstate %s --createek", dir, family->option,
	      path(state_dir));
	swtpm = start_swtpm(state_dir, family);
	get(ask_swtpm, swtpm.fd, family->startup);
	get(ask_swtpm, swtpm.fd, family->define);
	get(ask_swtpm, swtpm.fd, family->write);
	end_swtpm(&swtpm);
}

static struct packet endorsement_key(ask_t ask, int fd, const struct family *family)
{
	struct packet key = get(ask, fd, family->endorsement_key);

	assert_true(key.size > 60);
	return key;
}

static void assert_same_tpm(ask_t ask, int fd, const struct family *family,
			    const struct packet *key)
{
	struct packet found;

	get(ask, fd, family->startup);
	found = endorsement_key(ask, fd, family);
	/* A TPM 1.2 adds a checksum, of a nonce that is zero here. */
	assert_int_equal(found.size, key->size);
	assert_memory_equal(found.bytes, key->bytes, key->size);
	found = get(ask, fd, family->read);
	assert_non_null(memmem(found.bytes, found.size, TEXT, strlen(TEXT)));
}

static void in_swtpm(const char *state_dir, const struct family *family,
		     const struct packet *key)
{
	struct swtpm swtpm = start_swtpm(state_dir, family);

	assert_same_tpm(ask_swtpm, swtpm.fd, family, key);
	end_swtpm(&swtpm);
}

static void in_engine(const struct family *family, const struct packet *key)
{
	struct engine_run run = run_store(STORE, NULL, family->name);

	assert_same_tpm(guest_run, run.guest, family, key);
	assert_int_equal(engine_shutdown(&run), 0);
}

static struct packet key_in_swtpm(const char *state_dir, const struct family *family)
{
	struct swtpm swtpm = start_swtpm(state_dir, family);
	struct packet key;

	get(ask_swtpm, swtpm.fd, family->startup);
	key = endorsement_key(ask_swtpm, swtpm.fd, family);
	end_swtpm(&swtpm);
	return key;
}

static void round_trip(const struct family *family)
{
	static char before[65536], after[65536];
	struct packet key;
	size_t size;

	make_state("swtpm", family);
	key = key_in_swtpm("swtpm", family);
	assert_ctl("import " UUID " @/swtpm --tpm %s", family->name);
	assert_said("was imported into");
	assert_refused("made already", "import " UUID " @/swtpm --tpm %s", family->name);
	/* Not yet used by anybody: what comes out is what went in. */
	assert_ctl("export " UUID " @/same");
	snprintf(said, sizeof(said), "swtpm/%s", family->file);
	size = read_file(said, before, sizeof(before));
	snprintf(said, sizeof(said), "same/%s", family->file);
	assert_int_equal(read_file(said, after, sizeof(after)), size);
	assert_memory_equal(before, after, size);
	in_swtpm("same", family, &key);
	in_engine(family, &key);
	assert_ctl("export " UUID " @/back");
	assert_refused("File exists", "export " UUID " @/back");
	in_swtpm("back", family, &key);
}

static void test_round_trip_20(void **state)
{
	(void)state;
	round_trip(&families[0]);
}

static void test_round_trip_12(void **state)
{
	(void)state;
	round_trip(&families[1]);
}

/* A guest that is suspended takes its PCRs along, there and back. */
static void test_suspended(void **state)
{
	struct packet packet = tpm2_pcr_read(10), expected, found;
	struct engine_run run;
	struct swtpm swtpm;

	(void)state;
	assert_ctl("store create " UUID);
	run = run_store(STORE, NULL, "2.0");
	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	assert_int_equal(guest_do(run.guest, tpm2_pcr_extend(10)), 0);
	assert_int_equal(guest_run(run.guest, &packet, &expected), 0);
	assert_int_equal(engine_finish(&run, CONTROL_SUSPENDED), 0);
	assert_ctl("export " UUID " @/swtpm");
	assert_true(there("swtpm/tpm2-00.volatilestate"));
	swtpm = start_swtpm("swtpm", &families[0]);
	assert_int_equal(ask_swtpm(swtpm.fd, &packet, &found), 0);
	assert_memory_equal(found.bytes + found.size - 32, expected.bytes + expected.size - 32, 32);
	end_swtpm(&swtpm);
	assert_ctl("import " OTHER_UUID " @/swtpm");
	run = run_store("state/" OTHER_UUID ".vtpm", OTHER_UUID, "2.0");
	assert_int_equal(guest_run(run.guest, &packet, &found), 0);
	assert_memory_equal(found.bytes + found.size - 32, expected.bytes + expected.size - 32, 32);
	assert_int_equal(engine_finish(&run, CONTROL_KEEP), 0);
	/* The guest is not suspended any more: what is volatile is no longer to be trusted. */
	assert_ctl("store dump " OTHER_UUID);
	assert_said("volatilestate");
	assert_ctl("export " OTHER_UUID " @/off");
	assert_false(there("off/tpm2-00.volatilestate"));
}

static void damage(const char *name, size_t byte, char value)
{
	int fd = open(path(name), O_WRONLY);

	assert_int_equal(pwrite(fd, &value, 1, byte), 1);
	close(fd);
}

static void test_refused(void **state)
{
	static const struct {
		size_t byte;
		char value;
		const char *why;
	} cases[] = {
		{ 3, 11, "not a state that swtpm has written" },
		{ 1, 3, "too new" },
		{ 9, 1, "not a state that swtpm has written" },
		{ 11, 7, "not a state that swtpm has written" },
		{ 18, 0, "does not hold the state of a TPM 2.0" },
		{ 60, 'x', "libtpms does not accept" },
	};
	const struct family *family = &families[0];

	(void)state;
	assert_refused("is not a state directory", "import " UUID " @/nosuch");
	make_state("swtpm", family);
	assert_refused("say --tpm 2.0", "import " UUID " @/swtpm --tpm 1.2");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		shell("rm -rf %s && cp -r %s %s", path("bad"), path("swtpm"), path("bad"));
		damage("bad/tpm2-00.permall", cases[i].byte, cases[i].value);
		assert_refused(cases[i].why, "import " UUID " @/bad");
		assert_false(there("state/" UUID ".new"));
		assert_false(there(STORE));
		assert_false(there("state/made/" UUID));
	}
	assert_ctl("import " UUID " @/swtpm");
}

static void test_running(void **state)
{
	const struct family *family = &families[0];
	struct swtpm swtpm;

	(void)state;
	make_state("swtpm", family);
	swtpm = start_swtpm("swtpm", family);
	get(ask_swtpm, swtpm.fd, family->startup);
	assert_refused("a swtpm uses it", "import " UUID " @/swtpm");
	end_swtpm(&swtpm);
	assert_ctl("import " UUID " @/swtpm");
}

/* The way that the refusal names. */
static void test_encrypted(void **state)
{
	const struct family *family = &families[0];
	struct swtpm swtpm;
	struct packet key;
	char option[128];

	(void)state;
	write_file("key", "0123456789abcdef0123456789abcdef");
	assert_int_equal(mkdir(path("swtpm"), 0700), 0);
	shell("XDG_CONFIG_HOME=%s swtpm_setup --tpm2 --tpmstate %s --createek --keyfile %s", dir,
	      path("swtpm"), path("key"));
	snprintf(option, sizeof(option), "file=%s,mode=aes-cbc", path("key"));
	swtpm = start_swtpm_with("swtpm", "--tpm2", option);
	get(ask_swtpm, swtpm.fd, family->startup);
	get(ask_swtpm, swtpm.fd, family->define);
	get(ask_swtpm, swtpm.fd, family->write);
	key = endorsement_key(ask_swtpm, swtpm.fd, family);
	end_swtpm(&swtpm);
	assert_refused("is encrypted by swtpm", "import " UUID " @/swtpm");
	shell("cd %s && swtpm socket --tpm2 --tpmstate dir=%s --key %s --flags not-need-init "
	      "--ctrl type=unixio,path=ctrl --server type=unixio,path=server --daemon", dir,
	      path("swtpm"), option);
	assert_int_equal(mkdir(path("decrypted"), 0700), 0);
	shell("cd %s && swtpm_ioctl --unix ctrl --save permanent decrypted/tpm2-00.permall && "
	      "swtpm_ioctl --unix ctrl -s", dir);
	assert_ctl("import " UUID " @/decrypted");
	in_engine(family, &key);
}

/* The import is all or nothing. */
static void test_cut(void **state)
{
	int ret = 128 + SIGKILL, step;

	(void)state;
	make_state("swtpm", &families[0]);
	for (step = 1; ret == 128 + SIGKILL; step++) {
		ret = ctl_cut(step, "import " UUID " @/swtpm");
		if (!there("state/made/" UUID))
			assert_ctl("import " UUID " @/swtpm");
		assert_ctl("store check " UUID);
		assert_ctl("store delete " UUID " --yes");
		assert_true(step < 100);
	}
	assert_int_equal(ret, 0);
	assert_true(step > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip_20),
		TEST(test_round_trip_12),
		TEST(test_suspended),
		TEST(test_refused),
		TEST(test_running),
		TEST(test_encrypted),
		TEST(test_cut),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("state of swtpm", tests, NULL, NULL);
}
