/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the engine have in common: each has a store of its own. */
#ifndef TESTS_ENGINE_TEST_H
#define TESTS_ENGINE_TEST_H

#include "cmocka_all.h"

#include "engine_run.h"

#define INDEX		0x01500001

/* The store of the running test. */
extern char store[64];

int set_up(void **state);
int tear_down(void **state);

/* An engine whose TPM is up; start_tpm2() also sends it the guest's Startup. */
struct engine_run start(const char *tpm, bool create);
struct engine_run start_tpm2(bool create);

/* Makes the NV index and writes it. */
void define_and_write(int fd, const char *text);

#define TEST(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
