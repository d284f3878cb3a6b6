/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_VOLATILE_H
#define ENGINE_VOLATILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vnvram.h"

/**
 * command_is_read_only - does a command leave the volatile state as it was?
 * @tpm: kind of TPM
 * @command: the command, at least TPM_HEADER_SIZE bytes
 *
 * Says no whenever it is not sure. That some commands may be audited, which changes the
 * state, is the caller's to know.
 *
 * Return: true if there is nothing to save after the command.
 */
bool command_is_read_only(enum vnvram_tpm tpm, const uint8_t *command);

#endif
