/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_SANDBOX_H
#define ENGINE_SANDBOX_H

#include "error.h"
#include "log.h"

/**
 * sandbox_prepare - give up what is not needed from the very beginning
 * @log: where to complain about what is no reason to fail
 * @err: filled in on failure
 *
 * No new privileges, no core dumps, not dumpable, memory locked: the process holds keys.
 *
 * Return: 0 or a negative errno.
 */
int sandbox_prepare(const struct log *log, struct error *err);

/**
 * sandbox_enter - allow only the system calls that a running engine makes
 * @err: filled in on failure
 *
 * Holds for all threads. Any other system call kills the process.
 *
 * Return: 0 or a negative errno.
 */
int sandbox_enter(struct error *err);

#endif
