/* SPDX-License-Identifier: GPL-2.0-only */
/* vtpmctl as a child of the test, with a state directory of its own. */
#ifndef TESTS_CTL_RUN_H
#define TESTS_CTL_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "engine_run.h"

/* Before which step on the disk vtpmctl dies. */
#define CUT_VARIABLE	"VTPM_TEST_CUT"
/* Before which step it waits, and the pipes by which it says so and is told to go on. */
#define HOLD_VARIABLE	"VTPM_TEST_HOLD"
#define HELD_VARIABLE	"VTPM_TEST_HELD"
#define GO_ON_VARIABLE	"VTPM_TEST_GO_ON"

#define UUID		ENGINE_UUID
#define OTHER_UUID	"ab020000-0000-0000-0000-000000000000"

/* The store that UUID has unless its policy names another one. */
#define STORE		"state/" UUID ".vtpm"

/* The running test's directory. */
extern char dir[64];
/* What the last vtpmctl has written, stdout and stderr. */
extern char said[16384];

/* Path of a file there; the last four results stay. */
char *path(const char *name);
bool there(const char *name);
void write_file(const char *name, const char *text);
/* Reads a whole file; returns its size. */
size_t read_file(const char *name, void *bytes, size_t room);
/* Makes a key of KEY_SIZE bytes that are all the same. */
void write_key(const char *name, char byte);

/* Runs vtpmctl with these arguments; "@" stands for the directory. Returns its exit code. */
int ctl(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Likewise, and it dies before that step. Returns 128 + SIGKILL if it came there. */
int ctl_cut(int step, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* It succeeds, or fails, and says so. */
#define assert_ctl(...)		assert_int_equal(ctl(__VA_ARGS__), 0)
#define assert_refused(why, ...)						\
	do {									\
		assert_int_equal(ctl(__VA_ARGS__), 1);				\
		if (!strstr(said, why))						\
			fail_msg("'%s' is not in '%s'", why, said);		\
	} while (0)
#define assert_said(what)							\
	do {									\
		if (!strstr(said, what))					\
			fail_msg("'%s' is not in '%s'", what, said);		\
	} while (0)

/* An engine that runs on a store there; the TPM is up. */
struct engine_run run_store(const char *store, const char *uuid, const char *tpm);

int set_up(void **state);
int tear_down(void **state);

#define TEST(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
