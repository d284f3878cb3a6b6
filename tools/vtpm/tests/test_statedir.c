// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a new TPM gets into its place. The power is cut before each step by making the
 * files that the steps so far leave; then a new start must do the right thing.
 */
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "statedir.h"

#define NAME	"ab010000-0000-0000-0000-000000000000"

static const struct uuid uuid = { { 0xab, 1 } };
static struct config config;
static const struct policy creating = { .create = true, .localities = 1 };
static const struct policy not_creating = { .localities = 1 };

/* What was made durable, or renamed, in order; the step with this number fails. */
static char steps[1024];
static unsigned int step_count, failing_step;

static bool step_fails(const char *what, const char *file)
{
	size_t used = strlen(steps);

	snprintf(steps + used, sizeof(steps) - used, "%s %s\n", what,
		 file + strlen(config.state_dir));
	errno = EIO;
	return ++step_count == failing_step;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

int __wrap_fsync(int fd)
{
	char link[32], file[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, file, sizeof(file) - 1);
	assert_true(n > 0);
	file[n] = '\0';
	return step_fails("flush", file) ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
	return step_fails("rename", from) ? -1 : __real_rename(from, to);
}

static void count_steps(unsigned int failing)
{
	steps[0] = '\0';
	step_count = 0;
	failing_step = failing;
}

static char *path(const char *suffix)
{
	static char text[4][PATH_MAX];
	static unsigned int next;
	char *result = text[next++ % 4];

	snprintf(result, PATH_MAX, "%s/%s", config.state_dir, suffix);
	return result;
}

static int set_up(void **state)
{
	struct error err;

	(void)state;
	strcpy(config.state_dir, "/tmp/vtpm-test-XXXXXX");
	strcpy(config.user, "root");
	if (!mkdtemp(config.state_dir))
		return -1;
	return statedir_prepare(&config, &err);
}

static int tear_down(void **state)
{
	char command[CONFIG_PATH_SIZE + 16];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", config.state_dir);
	return system(command);
}

static void make(const char *suffix, const char *text)
{
	int fd = open(path(suffix), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool there(const char *suffix)
{
	return access(path(suffix), F_OK) == 0;
}

static void assert_holds(int fd, const char *text)
{
	char buffer[32] = "";

	assert_true(read(fd, buffer, sizeof(buffer) - 1) >= 0);
	assert_string_equal(buffer, text);
}

static int open_state(const struct policy *policy, struct state *state, struct error *err)
{
	err->text[0] = '\0';
	return statedir_open(&config, &uuid, policy, state, err);
}

static void assert_created(struct state *state)
{
	struct error err;

	assert_int_equal(open_state(&creating, state, &err), 0);
	assert_true(state->create);
	assert_holds(state->fd, "");
	assert_false(there("made/" NAME));
	assert_false(there(NAME ".vtpm"));
}

static void test_created(void **unused)
{
	struct state state;
	struct error err;
	struct stat st;

	(void)unused;
	assert_created(&state);
	assert_int_equal(write(state.fd, "tpm", 3), 3);
	close(state.fd);
	assert_int_equal(statedir_created(&config, &uuid, &err), 0);
	assert_int_equal(statedir_created(&config, &uuid, &err), 0);
	assert_int_equal(stat(path(NAME ".vtpm"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(config.state_dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(open_state(&not_creating, &state, &err), 0);
	assert_false(state.create);
	assert_holds(state.fd, "tpm");
	close(state.fd);
}

/* The order that statedir.h promises. */
static void test_order(void **unused)
{
	struct state state;
	struct error err;

	(void)unused;
	assert_created(&state);
	close(state.fd);
	count_steps(0);
	assert_int_equal(statedir_created(&config, &uuid, &err), 0);
	assert_string_equal(steps, "flush /" NAME ".new\n"
			    "flush \n"
			    "flush /made/" NAME "\n"
			    "flush /made\n"
			    "rename /" NAME ".new\n"
			    "flush \n");
}

/* Whichever step fails: the TPM is not served, and then it is either made anew or found. */
static void test_every_step_fails(void **unused)
{
	struct state state;
	struct error err;
	int ret = -1;

	for (unsigned int n = 1; ret; n++) {
		tear_down(unused);
		assert_int_equal(set_up(unused), 0);
		assert_created(&state);
		assert_int_equal(write(state.fd, "tpm", 3), 3);
		close(state.fd);
		count_steps(n);
		ret = statedir_created(&config, &uuid, &err);
		assert_int_equal(ret, n <= 6 ? -EIO : 0);
		count_steps(0);
		if (!there("made/" NAME)) {
			assert_created(&state);
		} else {
			assert_int_equal(open_state(&creating, &state, &err), 0);
			assert_holds(state.fd, "tpm");
		}
		close(state.fd);
	}
}

static void test_cut_before_making(void **unused)
{
	struct state state;

	(void)unused;
	make(NAME ".new", "");
	assert_created(&state);
	close(state.fd);
}

static void test_cut_before_evidence(void **unused)
{
	struct state state;

	(void)unused;
	make(NAME ".new", "a complete TPM that no guest has seen");
	assert_created(&state);
	close(state.fd);
}

static void finishes(const char *evidence)
{
	struct state state;
	struct error err;

	make(NAME ".new", "tpm");
	make("made/" NAME, evidence);
	assert_int_equal(open_state(&not_creating, &state, &err), 0);
	assert_false(state.create);
	assert_holds(state.fd, "tpm");
	close(state.fd);
	assert_true(there(NAME ".vtpm"));
	assert_false(there(NAME ".new"));
}

static void test_cut_in_evidence(void **unused)
{
	(void)unused;
	finishes("");
}

static void test_cut_before_rename(void **unused)
{
	(void)unused;
	finishes("vtpm-engine\n");
}

static void test_missing(void **unused)
{
	struct state state;
	struct error err;

	(void)unused;
	make("made/" NAME, "vtpm-engine\n");
	assert_int_equal(open_state(&creating, &state, &err), -ENOENT);
	assert_int_equal(state.fd, -1);
	assert_non_null(strstr(err.text, NAME ".vtpm is missing"));
	assert_non_null(strstr(err.text, "Restore it from a backup"));
	assert_false(there(NAME ".new"));
}

static void test_no_evidence(void **unused)
{
	struct state state;
	struct error err;

	(void)unused;
	make(NAME ".vtpm", "somebody's");
	assert_int_equal(open_state(&creating, &state, &err), -EEXIST);
	assert_int_equal(state.fd, -1);
	assert_non_null(strstr(err.text, NAME ".vtpm"));
}

static void test_not_allowed(void **unused)
{
	struct state state;
	struct error err;

	(void)unused;
	assert_int_equal(open_state(&not_creating, &state, &err), -EPERM);
	assert_non_null(strstr(err.text, "create=no"));
	assert_false(there(NAME ".new"));
}

static void test_other_engine(void **unused)
{
	struct policy swtpm = creating;
	struct state state;
	struct error err;

	(void)unused;
	swtpm.engine = ENGINE_SWTPM;
	make("made/" NAME, "vtpm-engine\n");
	make(NAME ".vtpm", "tpm");
	assert_int_equal(open_state(&swtpm, &state, &err), -EXDEV);
	assert_non_null(strstr(err.text, "was made with vtpm-engine;"));
}

static void test_swtpm(void **unused)
{
	struct policy swtpm = creating;
	struct state state;
	struct error err;

	(void)unused;
	swtpm.engine = ENGINE_SWTPM;
	assert_int_equal(open_state(&swtpm, &state, &err), 0);
	assert_string_equal(state.dir, path(NAME ".swtpm"));
	assert_int_equal(open_state(&swtpm, &state, &err), -ENOENT);
	assert_non_null(strstr(err.text, "tpm2-00.permall is missing"));
	make(NAME ".swtpm/tpm2-00.permall", "tpm");
	assert_int_equal(open_state(&swtpm, &state, &err), 0);
	assert_int_equal(open_state(&creating, &state, &err), -EXDEV);
}

/* A store that the policy names: nothing is made there unless it is asked for. */
static void test_named(void **unused)
{
	struct policy named = creating;
	char file[PATH_MAX];
	struct state state;
	struct error err;

	(void)unused;
	snprintf(named.store, sizeof(named.store), "%s", path("volume"));
	assert_int_equal(open_state(&named, &state, &err), -EPERM);
	assert_non_null(strstr(err.text, "'vtpmctl store create " NAME "'"));
	assert_false(there("volume"));
	assert_int_equal(statedir_find(&config, &uuid, &named, file, &err), -ENOENT);
	assert_string_equal(file, path("volume"));
	assert_int_equal(statedir_create(&config, &uuid, &named, &state, &err), 0);
	assert_true(state.create);
	assert_string_equal(state.name, path("volume"));
	assert_int_equal(write(state.fd, "tpm", 3), 3);
	close(state.fd);
	assert_int_equal(statedir_replaced(&config, &uuid, &named, &err), 0);
	assert_int_equal(statedir_find(&config, &uuid, &named, file, &err), 0);
	assert_int_equal(statedir_create(&config, &uuid, &named, &state, &err), -EEXIST);
	assert_int_equal(open_state(&named, &state, &err), 0);
	assert_false(state.create);
	assert_holds(state.fd, "tpm");
	close(state.fd);
	/* As device mapper has it. */
	assert_int_equal(symlink(path("volume"), path("link")), 0);
	snprintf(named.store, sizeof(named.store), "%s", path("link"));
	assert_int_equal(open_state(&named, &state, &err), 0);
	assert_holds(state.fd, "tpm");
	close(state.fd);
	unlink(path("volume"));
	assert_int_equal(open_state(&named, &state, &err), -ENOENT);
	assert_non_null(strstr(err.text, "link is missing"));
}

static void test_no_device(void **unused)
{
	struct policy named = creating;
	struct state state;
	struct error err;

	(void)unused;
	strcpy(named.store, "/dev/xen-vtpm-test-no-such-volume");
	assert_int_equal(statedir_create(&config, &uuid, &named, &state, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'vtpmctl store size'"));
	assert_int_equal(access(named.store, F_OK), -1);
}

/* Two that make the same TPM would put one of them where the other was seen. */
static void test_two_makers(void **unused)
{
	struct state first, second;
	struct error err;

	(void)unused;
	assert_int_equal(open_state(&creating, &first, &err), 0);
	assert_int_equal(open_state(&creating, &second, &err), -ECHILD);
	assert_non_null(strstr(err.text, "right now"));
	assert_int_equal(statedir_create(&config, &uuid, &creating, &second, &err), -ECHILD);
	assert_true(there(NAME ".new"));
	close(first.fd);
	assert_int_equal(statedir_create(&config, &uuid, &not_creating, &second, &err), 0);
	close(second.fd);
}

/* The evidence goes last, whichever step before it fails. */
static void test_remove(void **unused)
{
	struct error err;
	int ret = -1;

	(void)unused;
	for (unsigned int n = 1; ret; n++) {
		make("made/" NAME, "vtpm-engine\n");
		make(NAME ".vtpm", "tpm");
		make(NAME ".new", "tpm");
		count_steps(n);
		ret = statedir_remove(&config, &uuid, &creating, &err);
		assert_int_equal(ret, n <= 3 ? -EIO : 0);
		assert_true(n >= 3 || there("made/" NAME));
		assert_true(there("made/" NAME) || !there(NAME ".vtpm"));
		count_steps(0);
	}
	assert_false(there(NAME ".vtpm"));
	assert_false(there(NAME ".new"));
	assert_false(there("made/" NAME));
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_created),
		TEST(test_order),
		TEST(test_every_step_fails),
		TEST(test_cut_before_making),
		TEST(test_cut_before_evidence),
		TEST(test_cut_in_evidence),
		TEST(test_cut_before_rename),
		TEST(test_missing),
		TEST(test_no_evidence),
		TEST(test_not_allowed),
		TEST(test_other_engine),
		TEST(test_swtpm),
		TEST(test_named),
		TEST(test_no_device),
		TEST(test_two_makers),
		TEST(test_remove),
	};

	return cmocka_run_group_tests_name("state directory", tests, NULL, NULL);
}
