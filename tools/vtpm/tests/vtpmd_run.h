/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vtpmd as a process, with real engines, and a fake kernel on the other side. The tests
 * hold the guests' ends of the connections.
 */
#ifndef TESTS_VTPMD_RUN_H
#define TESTS_VTPMD_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "fake_kernel.h"
#include "guest.h"

#define INDEX		0x01500001
#define PATIENCE_MS	20000

#define FIRST	"ab010000-0000-0000-0000-000000000000"
#define SECOND	"ab020000-0000-0000-0000-000000000000"

extern const struct uuid first, second;

/* Of the running test. */
extern char dir[64];
extern struct fake_kernel *kernel;
extern pid_t vtpmd;

/* A path in the test's directory; the last four stay valid. */
char *path(const char *name);
void write_file(const char *name, const char *text);
/* Is there such a file? */
bool there(const char *name);
void pause_ms(int ms);
void start_vtpmd(void);
/* Returns its exit code, 128 + signal, or -1 if it did not end. */
int end_vtpmd(int sig);
/* A vtpmd.conf whose engines run as @user. */
void write_config(const char *user);
/* A vtpmd with a configuration, a kernel, an engine: for each test. */
int set_up(void **state);
int tear_down(void **state);
/* Runs vtpmctl; returns its exit code. */
int vtpmctl(const char *arguments, char *output, size_t size);
/* What "list" says about a vTPM; a new reference, or NULL. */
json_t *describe(const char *uuid);
/* Is it in this state, with this in the reason if that is not NULL? */
bool has_state(const char *uuid, const char *wanted, const char *reason);
void wait_for_state(const char *uuid, const char *wanted, const char *reason);
/* Its process, 0 if it has none. */
pid_t engine_of(const char *uuid);
/* A frontend appears and is served; returns the guest's end. */
int attach(uint32_t domid, const struct uuid *uuid, uint64_t *id);
void define_and_write(int guest, const char *text);
bool pcr_is_zero(int guest);
/* Makes a vTPM with something in a PCR and in its NV. */
int attach_used(uint32_t domid, const struct uuid *uuid, uint64_t *id);

#endif
