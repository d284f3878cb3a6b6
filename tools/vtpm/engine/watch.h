/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The second thread: watches what the main thread cannot while it works.
 *
 * While a command runs that can be cancelled, it waits for the connection to report
 * POLLPRI. Then it tells libtpms, and goes on telling it until the command ends: libtpms
 * forgets a cancel that comes before the command has begun. While the main thread writes
 * to a disk, it waits for the time that this may take, and says when it takes longer.
 *
 * The lock makes sure that both meet what they are meant for: the thread looks and acts
 * under the lock, and the end of a command or a write is announced under it.
 */
#ifndef ENGINE_WATCH_H
#define ENGINE_WATCH_H

#include <stdbool.h>

#include "error.h"

struct watch;

/**
 * struct watch_actions - what the thread does; called from it, under the lock
 * @cancel: cancel the running command
 * @late: what was expected to be over is not
 * @arg: for @late
 */
struct watch_actions {
	void (*cancel)(void);
	void (*late)(void *arg);
	void *arg;
};

/**
 * watch_new - start the thread
 * @actions: copied
 * @err: filled in on failure
 *
 * Return: the thread's handle, which lives as long as the process; NULL on failure.
 */
struct watch *watch_new(const struct watch_actions *actions, struct error *err);

/**
 * watch_command - a command begins that may be cancelled
 * @watch: the thread
 * @fd: connection that it came from
 */
void watch_command(struct watch *watch, int fd);

/**
 * watch_command_end - the command is over
 * @watch: the thread
 *
 * Nothing is cancelled any more when this returns. To be called before the
 * connection is answered.
 */
void watch_command_end(struct watch *watch);

/**
 * watch_expect - something begins that should not take long
 * @watch: the thread; NULL, nobody watches
 * @ms: how long it may take before @late is called, once
 */
void watch_expect(struct watch *watch, int ms);

/**
 * watch_expect_end - it is over
 * @watch: the thread; NULL is allowed
 *
 * Return: @late was called.
 */
bool watch_expect_end(struct watch *watch);

#endif
