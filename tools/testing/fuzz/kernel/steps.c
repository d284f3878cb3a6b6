// SPDX-License-Identifier: GPL-2.0-only
/* Programs as inputs: they are run, and changed step by step. */
#define SHIM_ITSELF
#include <xen/interface/io/tpmif.h>

#include "shim.h"
#include "steps.h"

#define MAX_STEPS	160
#define MAX_ARMED	6
#define MAX_DEPTH	3

/* What happens at the so-many-th chance from now. */
struct armed {
	unsigned int left;
	struct step step;
};

static const uint8_t *program;
static size_t steps_left;
static struct armed writes[MAX_ARMED], interruptions[MAX_ARMED];
static unsigned int ways, depth;
static bool checking;

uint32_t get_be(const uint8_t *at, unsigned int bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

void require_zeroes(const uint8_t *bytes, size_t size)
{
	require(!size || (!*bytes && !memcmp(bytes, bytes + 1, size - 1)));
}

static bool take(struct step *step)
{
	if (!steps_left)
		return false;
	memcpy(step, program, sizeof(*step));
	program += sizeof(*step);
	steps_left--;
	step->what %= action_count;
	return true;
}

static void arm(struct armed *armed, unsigned int left, const struct step *step)
{
	for (unsigned int i = 0; i < MAX_ARMED; i++) {
		if (!armed[i].left) {
			armed[i].left = left + 1;
			armed[i].step = *step;
			return;
		}
	}
}

void disarm_steps(void)
{
	memset(writes, 0, sizeof(writes));
	memset(interruptions, 0, sizeof(interruptions));
	ways = 0;
	shim.fail_in = 0;
	shim.killed = false;
	shim.freezing = false;
}

static void write_page(const struct step *step)
{
	step_write(shim.memory, VTPM_EXTENSION_PAGES * VTPM_SHARED_PAGE_SIZE, step);
}

/* The other side writes when the driver is about to load for the so-many-th time. */
void arm_write(const struct step *step)
{
	struct step write = *step;

	write.a = step->c;
	write.c = step->c >> 6;
	arm(writes, step->a % 24, &write);
}

/* The next step happens where this one says, in the middle of the one after it. */
void arm_step(const struct step *step)
{
	struct step next;

	if (take(&next) && !actions[next.what].arms)
		arm(interruptions, step->a % 32, &next);
}

void arm_in_the_way(const struct step *step)
{
	ways = step->a;
}

void arm_failure(const struct step *step)
{
	shim.fail_in = step->a % 48;
}

/* Who sleeps is killed, or is to be frozen. */
void arm_signal(const struct step *step)
{
	shim.killed = step->a & 1;
	shim.freezing = step->a & 2;
}

bool target_in_the_way(void)
{
	bool way = ways & 1;

	ways >>= 1;
	return way;
}

void target_page_read(const void *at, size_t size)
{
	(void)at;
	if (!size)
		return;
	for (unsigned int i = 0; i < MAX_ARMED; i++)
		if (writes[i].left && !--writes[i].left)
			write_page(&writes[i].step);
}

static bool interrupt_with(const struct step *step)
{
	const struct action *action = &actions[step->what];
	int others = shim.others;

	if (depth >= MAX_DEPTH || !action->may || !action->may())
		return false;
	depth++;
	shim.others = shim.mutexes;
	action->run(step);
	shim.others = others;
	depth--;
	return true;
}

void target_preempt(void)
{
	if (shim.running || shim.spinning || checking)
		return;
	for (unsigned int i = 0; i < MAX_ARMED; i++) {
		struct armed *at = &interruptions[i];

		if (at->left && !--at->left)
			interrupt_with(&at->step);
	}
}

/* A task sleeps: interrupts come, and the program goes on. */
bool target_sleep(void)
{
	struct step step;

	if (target_interrupt())
		return true;
	if (depth >= MAX_DEPTH || !take(&step))
		return false;
	if (actions[step.what].arms) {
		actions[step.what].run(&step);
		return true;
	}
	return interrupt_with(&step);
}

void steps_run(const uint8_t *data, size_t size)
{
	struct step step;

	disarm_steps();
	depth = 0;
	program = data;
	steps_left = size / sizeof(step);
	if (steps_left > MAX_STEPS)
		steps_left = MAX_STEPS;
	while (take(&step)) {
		if (actions[step.what].arms) {
			actions[step.what].run(&step);
			continue;
		}
		checking = true;
		target_before();
		checking = false;
		actions[step.what].run(&step);
		target_interrupt();
		disarm_steps();
		target_after();
	}
	disarm_steps();
}

/* Changes of whole steps. */

static unsigned int next(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static size_t insert(uint8_t *data, size_t count, unsigned int at, const uint8_t *step)
{
	const size_t one = sizeof(struct step);
	uint8_t copy[sizeof(struct step)];

	memcpy(copy, step, one);
	memmove(data + (at + 1) * one, data + at * one, (count - at) * one);
	memcpy(data + at * one, copy, one);
	return count + 1;
}

static size_t change(uint8_t *data, size_t count, size_t room, unsigned int *seed)
{
	const size_t one = sizeof(struct step);
	unsigned int at = next(seed) % count;
	uint8_t fresh[sizeof(struct step)] = { next(seed) % action_count, next(seed), next(seed) };

	switch (next(seed) % 6) {
	case 0:
		if (count < room)
			return insert(data, count, at, fresh);
		break;
	case 1:
		if (count < room)
			return insert(data, count, at, data + next(seed) % count * one);
		break;
	case 2:
		memmove(data + at * one, data + (at + 1) * one, (count - at - 1) * one);
		return count - 1;
	case 3:
		data[at * one] = next(seed) % action_count;
		break;
	case 4:
		data[at * one + next(seed) % 4] = next(seed);
		break;
	default:
		LLVMFuzzerMutate(data + at * one, one, one);
		break;
	}
	return count;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	const size_t one = sizeof(struct step);
	size_t count = size / one, room = max_size / one;
	unsigned int times = 1 + next(&seed) % 3;

	if (!count || next(&seed) % 16 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	while (times-- && count)
		count = change(data, count, room, &seed);
	return count * one;
}
