/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Freshness: a recorder outside of the disk knows the store's generation, so that an old
 * copy of the whole store is told from the store. A store is accepted if its generation is
 * the recorded one or the next: a power cut can come between a commit and its record.
 *
 * The recorder is slow. A commit waits until the commit before it is recorded, and no longer:
 * a command is answered while its own generation is still on its way.
 */
#ifndef ENGINE_FRESHNESS_H
#define ENGINE_FRESHNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct engine;

/**
 * struct freshness - what is known of the recorder
 * @fd: socket to it, or -1: nobody records
 * @recorded: what it has
 * @sent: what was sent to it last
 * @gone: it will not answer any more
 */
struct freshness {
	int fd;
	uint64_t recorded;
	uint64_t sent;
	bool gone;
};

/**
 * freshness_start - compare the store with what is recorded
 * @engine: the engine, with its store started
 * @err: filled in on failure
 *
 * Waits for the recorder, with a bound.
 *
 * Return: 0; -EUCLEAN, the store is older than what is recorded, or nothing is recorded for
 * a store that is not new, or something for a new one; -EIO, the recorder has gone or
 * does not answer.
 */
int freshness_start(struct engine *engine, struct error *err);

/**
 * freshness_record - hand the store's generation to the recorder, after a commit
 * @engine: the engine
 *
 * Does not wait.
 */
void freshness_record(struct engine *engine);

/**
 * freshness_allows - may there be another commit?
 * @engine: the engine
 * @ms: how long to wait for it at most
 * @err: filled in if not
 *
 * Return: 0; -EAGAIN, the recorder has not got the last generation yet; -EIO,
 * it has gone.
 */
int freshness_allows(struct engine *engine, int ms, struct error *err);

#endif
