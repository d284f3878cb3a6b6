// SPDX-License-Identifier: GPL-2.0-only
/*
 * What keeping the volatile state costs: PCR_Extend through two engines by turns, of which one
 * does not keep it. No domain is crossed on the way, so the share is as large as it gets.
 *
 *   bench-keep DIRECTORY MEMORY
 *
 * MEMORY is a directory on tmpfs. Prints the median of each round, in us, as JSON.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "engine_run.h"
#include "without_keep.h"

#define ROUNDS		60
#define EXTENDS		200	/* in a round */
#define PCR		16

static struct engine_run start(const char *directory, const char *memory, const char *name,
			       bool keep)
{
	char store[PATH_MAX], state[PATH_MAX];
	const struct engine_how how = {
		.store = store, .memory = state, .tpm = "2.0", .create = true,
	};
	struct engine_run run;

	snprintf(store, sizeof(store), "%s/%s", directory, name);
	snprintf(state, sizeof(state), "%s/%s", memory, name);
	if (keep)
		unsetenv(WITHOUT_KEEP);
	else
		setenv(WITHOUT_KEEP, "1", 1);
	run = engine_start(&how);
	need(engine_is_up(&run) && !guest_do(run.guest, tpm2_startup()), "the engine");
	return run;
}

static double extend(const struct engine_run *run)
{
	const struct packet packet = tpm2_pcr_extend(PCR);
	double us[EXTENDS];

	for (int i = 0; i < EXTENDS; i++) {
		double begin = now_us();

		need(!guest_do(run->guest, packet), "PCR_Extend");
		us[i] = now_us() - begin;
	}
	return median(us, EXTENDS);
}

/* Whom the scheduler puts where would be measured otherwise. The engines inherit it. */
static void stay_on_one_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	need(!sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

int main(int argc, char **argv)
{
	double us[2][ROUNDS];
	struct engine_run runs[2];

	if (argc != 3) {
		fputs("Usage: bench-keep DIRECTORY MEMORY\n", stderr);
		return 2;
	}
	stay_on_one_processor();
	runs[0] = start(argv[1], argv[2], "without", false);
	runs[1] = start(argv[1], argv[2], "with", true);
	/* The first round warms up. */
	for (int round = -1; round < ROUNDS; round++)
		for (int i = 0; i < 2; i++)
			us[i][round < 0 ? 0 : round] = extend(&runs[i]);
	print_json(json_pack("{s:o, s:o}", "without_us", json_numbers(us[0], ROUNDS),
			     "with_us", json_numbers(us[1], ROUNDS)));
	engine_shutdown(&runs[0]);
	engine_shutdown(&runs[1]);
	return 0;
}
