/* SPDX-License-Identifier: GPL-2.0-only */
/* What a command does to the volatile state. */
#ifndef ENGINE_VOLATILE_H
#define ENGINE_VOLATILE_H

#include <stddef.h>
#include <stdint.h>

#include "vnvram.h"

/**
 * enum effect - what a command that succeeded has done to the volatile state
 * @EFFECT_UNKNOWN: whatever it may be, a new copy of the state has it
 * @EFFECT_REPEATABLE: what follows from the state before and the command; executing
 *	it once more on a copy from before leads to the state after
 * @EFFECT_NONE: nothing that a copy from before would lack
 */
enum effect {
	EFFECT_UNKNOWN,
	EFFECT_REPEATABLE,
	EFFECT_NONE,
};

/**
 * command_effect - what a command does to the volatile state
 * @tpm: kind of TPM
 * @command: the command, a header at least
 * @size: its bytes
 * @response: its response, a header at least
 *
 * A command that also changed the permanent state is the caller's affair. May execute commands
 * that only read.
 */
enum effect command_effect(enum vnvram_tpm tpm, const uint8_t *command, size_t size,
			   const uint8_t *response);

#endif
