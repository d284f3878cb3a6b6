/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of sessions have in common: each has a store and a state memory. */
#ifndef TESTS_SESSION_TEST_H
#define TESTS_SESSION_TEST_H

#include "engine_test.h"
#include "frontend.h"

#define FAILURE		0x101
#define INITIALIZE	0x100

/* The state memory of the running test, and that of another host. */
extern char memory[80], elsewhere[80];

int session_set_up(void **state);
int session_tear_down(void **state);

/* A new TPM 2.0 with a frontend that has the extension, started up. */
struct engine_run begin_tpm2(struct frontend *frontend);
/* The next engine for the same domain, or for a new one. */
struct engine_run next_engine(bool same, const char *state_memory);
/* The session that the engine tells next. */
struct control_message next_session(struct engine_run *run);
/* Sends CONTROL_SUSPEND and waits for the mark. */
void suspend(struct engine_run *run);
/* Whether vtpmd is told that the mark is set (1) or gone (0). */
bool marked(struct engine_run *run, uint32_t value);
/* The value of a PCR, 32 bytes. */
void read_pcr(struct frontend *frontend, unsigned int pcr, uint8_t *value);
/* Whether the PCR was extended @times times by tpm2_pcr_extend(). */
bool extended(struct frontend *frontend, unsigned int pcr, unsigned int times);

#define SESSION_TEST(name)	\
	cmocka_unit_test_setup_teardown(name, session_set_up, session_tear_down)

#endif
