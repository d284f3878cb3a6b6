// SPDX-License-Identifier: GPL-2.0-only
#include "session_test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

char memory[80], elsewhere[80];

int session_set_up(void **state)
{
	int ret = set_up(state);

	snprintf(memory, sizeof(memory), "%s.memory", store);
	snprintf(elsewhere, sizeof(elsewhere), "%s.elsewhere", store);
	return ret;
}

int session_tear_down(void **state)
{
	unlink(memory);
	unlink(elsewhere);
	return tear_down(state);
}

struct engine_run begin_tpm2(struct frontend *frontend)
{
	const struct engine_how how = {
		.store = store, .tpm = "2.0", .memory = memory, .features = true, .create = true,
	};
	struct engine_run run = engine_start(&how);

	assert_true(engine_is_up(&run));
	*frontend = (struct frontend){ .features = FRONTEND_FEATURES };
	assert_true(frontend_begin(frontend, run.guest));
	assert_int_equal(frontend->sequence, 0);
	assert_int_equal(frontend_do(frontend, tpm2_startup()), 0);
	return run;
}

struct engine_run next_engine(bool same, const char *state_memory)
{
	const struct engine_how how = {
		.store = store, .tpm = "2.0", .memory = state_memory, .features = true,
		.same = same,
	};
	struct engine_run run = engine_start(&how);

	assert_true(engine_is_up(&run));
	return run;
}

struct control_message next_session(struct engine_run *run)
{
	struct control_message msg;

	assert_true(engine_wait(run, CONTROL_SESSION, &msg));
	return msg;
}

void suspend(struct engine_run *run)
{
	struct control_message msg = { .type = CONTROL_SUSPEND };

	assert_int_equal(control_send(run->control, &msg, -1), 0);
	assert_true(marked(run, 1));
}

bool marked(struct engine_run *run, uint32_t value)
{
	struct control_message msg;

	return engine_wait(run, CONTROL_MARK, &msg) && msg.value == value;
}

void read_pcr(struct frontend *frontend, unsigned int pcr, uint8_t *value)
{
	struct packet response;

	assert_int_equal(frontend_run(frontend, tpm2_pcr_read(pcr), &response), 0);
	assert_int_equal(response.size, 62);
	memcpy(value, response.bytes + 30, 32);
}

/* Makes the value anew in the last PCR, which has no other use in the tests. */
bool extended(struct frontend *frontend, unsigned int pcr, unsigned int times)
{
	struct packet reset = command("8002 00000000 0000013d 00000017 00000009 40000009 0000"
				      " 00 0000");
	uint8_t value[32], expected[32];

	assert_int_equal(frontend_do(frontend, reset), 0);
	for (unsigned int i = 0; i < times; i++)
		assert_int_equal(frontend_do(frontend, tpm2_pcr_extend(23)), 0);
	read_pcr(frontend, 23, expected);
	read_pcr(frontend, pcr, value);
	return !memcmp(value, expected, sizeof(value));
}
