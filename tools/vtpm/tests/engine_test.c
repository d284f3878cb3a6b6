// SPDX-License-Identifier: GPL-2.0-only
#include "engine_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

char store[64];

int set_up(void **state)
{
	int fd;

	(void)state;
	strcpy(store, "/tmp/vtpm-test-XXXXXX");
	fd = mkstemp(store);
	return fd < 0 ? -1 : close(fd);
}

int tear_down(void **state)
{
	(void)state;
	return unlink(store);
}

struct engine_run start(const char *tpm, bool create)
{
	const struct engine_how how = { .store = store, .tpm = tpm, .create = create };
	struct engine_run run = engine_start(&how);

	assert_true(engine_is_up(&run));
	return run;
}

struct engine_run start_tpm2(bool create)
{
	struct engine_run run = start("2.0", create);

	assert_int_equal(guest_do(run.guest, tpm2_startup()), 0);
	return run;
}

void define_and_write(int fd, const char *text)
{
	struct packet response;

	assert_int_equal(guest_do(fd, tpm2_nv_define(INDEX, strlen(text))), 0);
	assert_int_equal(guest_retry(fd, tpm2_nv_write(INDEX, text), &response), 0);
}
