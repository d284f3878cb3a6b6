// SPDX-License-Identifier: GPL-2.0-only
/*
 * What keeping the volatile state costs: PCR_Extend through three engines by turns. One keeps
 * it, one has libtpms put it into bytes for each command and drops these, one does neither. No
 * domain is crossed on the way, so the share is as large as it gets.
 *
 *   bench-keep DIRECTORY MEMORY
 *
 * MEMORY is a directory on tmpfs. Prints the mean of each round, in us, as JSON.
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

enum side { NOTHING, LIBTPMS, ALL, SIDES };

static const struct {
	const char *name;
	const char *without;	/* value of WITHOUT_KEEP */
} sides[SIDES] = {
	[NOTHING] = { "without_us", "all" },
	[LIBTPMS] = { "libtpms_us", WITHOUT_COPY },
	[ALL] = { "with_us", NULL },
};

static struct engine_run start(const char *directory, const char *memory, enum side side)
{
	char store[PATH_MAX], state[PATH_MAX];
	const struct engine_how how = {
		.store = store, .memory = state, .tpm = "2.0", .create = true,
	};
	struct engine_run run;

	snprintf(store, sizeof(store), "%s/%s", directory, sides[side].name);
	snprintf(state, sizeof(state), "%s/%s", memory, sides[side].name);
	if (sides[side].without)
		setenv(WITHOUT_KEEP, sides[side].without, 1);
	else
		unsetenv(WITHOUT_KEEP);
	run = engine_start(&how);
	need(engine_is_up(&run) && !guest_do(run.guest, tpm2_startup()), "the engine");
	return run;
}

/* The mean: most of them are kept as commands, and now and then one pays for a copy. */
static double extend(const struct engine_run *run)
{
	const struct packet packet = tpm2_pcr_extend(PCR);
	double begin = now_us();

	for (int i = 0; i < EXTENDS; i++)
		need(!guest_do(run->guest, packet), "PCR_Extend");
	return (now_us() - begin) / EXTENDS;
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
	json_t *json = json_object();
	double us[SIDES][ROUNDS];
	struct engine_run runs[SIDES];

	if (argc != 3) {
		fputs("Usage: bench-keep DIRECTORY MEMORY\n", stderr);
		return 2;
	}
	stay_on_one_processor();
	for (int side = 0; side < SIDES; side++)
		runs[side] = start(argv[1], argv[2], side);
	/* The first round warms up. */
	for (int round = -1; round < ROUNDS; round++)
		for (int side = 0; side < SIDES; side++)
			us[side][round < 0 ? 0 : round] = extend(&runs[side]);
	for (int side = 0; side < SIDES; side++) {
		need(!json_object_set_new(json, sides[side].name, json_numbers(us[side], ROUNDS)),
		     "out of memory");
		engine_shutdown(&runs[side]);
	}
	print_json(json);
	return 0;
}
