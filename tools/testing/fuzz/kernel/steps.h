/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inputs that are programs: steps of one size, so that a change of one leaves the others
 * what they are. Some steps do nothing by themselves but say what is to happen in the middle
 * of the next one.
 */
#ifndef FUZZ_KERNEL_STEPS_H
#define FUZZ_KERNEL_STEPS_H

#include "../../kunit/steps.h"
#include "../fuzz.h"

/* What a target has to have. */
extern const struct action actions[];
extern const unsigned int action_count;
/* Before and after each step that does not happen in the middle of another. */
void target_before(void);
void target_after(void);
/* Handles an event if there is one; returns whether there was. */
bool target_interrupt(void);

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
