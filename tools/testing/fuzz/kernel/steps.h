/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inputs that are programs: steps of one size, so that a change of one leaves the others
 * what they are. Some steps do nothing by themselves but say what is to happen in the middle
 * of the next one.
 */
#ifndef FUZZ_KERNEL_STEPS_H
#define FUZZ_KERNEL_STEPS_H

#include "../fuzz.h"

/**
 * struct step - one step of a program
 * @what: number of the step in the target's table
 * @a: depends on the step, as do @b, @c and @value
 */
struct step {
	uint8_t what;
	uint8_t a;
	uint8_t b;
	uint8_t c;
	uint32_t value;
};

/**
 * struct action - a line in a target's table of steps
 * @run: does it
 * @may: whether it can happen now, in the middle of another step; NULL: never
 * @arms: does nothing by itself: what it has armed outlives it
 */
struct action {
	void (*run)(const struct step *step);
	bool (*may)(const struct step *step);
	bool arms;
};

/* What a target has to have. */
extern const struct action actions[];
extern const unsigned int action_count;
/* Before and after each step that does not happen in the middle of another. */
void target_before(void);
void target_after(void);
/* Handles an event if there is one; returns whether there was. */
bool target_interrupt(void);

/* Writes to the shared pages as the other side: a field, or any place. */
void step_write(const struct step *step);

/* Lengths at which something changes, and others. */
uint32_t step_length(uint8_t which);

void put_be(uint8_t *at, uint32_t value, unsigned int bytes);
uint32_t get_be(const uint8_t *at, unsigned int bytes);

void require_zeroes(const uint8_t *bytes, size_t size);

/* Steps that every target has. */
void arm_write(const struct step *step);
void arm_step(const struct step *step);
void arm_in_the_way(const struct step *step);
void arm_failure(const struct step *step);
void arm_signal(const struct step *step);

/* Runs a program; and: nothing of what was armed happens any more. */
void steps_run(const uint8_t *data, size_t size);
void disarm_steps(void);

#endif
