/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cancelling the running command.
 *
 * A thread of its own waits while a command runs that can be cancelled. Once the
 * connection reports POLLPRI it tells libtpms, and goes on telling it until the command
 * ends: libtpms forgets a cancel that comes before the command has begun.
 *
 * The lock makes sure that a cancel meets the command that it is meant for: the thread
 * looks and cancels under the lock, and the command's end is announced under it.
 */
#ifndef ENGINE_CANCEL_H
#define ENGINE_CANCEL_H

#include "error.h"

struct cancel;

/**
 * cancel_new - start the thread
 * @cancel: how to cancel; called from the thread
 * @err: filled in on failure
 *
 * Return: the thread's handle, which lives as long as the process; NULL on failure.
 */
struct cancel *cancel_new(void (*cancel)(void), struct error *err);

/**
 * cancel_begin - a command begins that may be cancelled
 * @cancel: the thread
 * @fd: connection that it came from
 */
void cancel_begin(struct cancel *cancel, int fd);

/**
 * cancel_end - the command is over
 * @cancel: the thread
 *
 * Nothing is cancelled any more when this returns. To be called before the
 * connection is answered.
 */
void cancel_end(struct cancel *cancel);

#endif
