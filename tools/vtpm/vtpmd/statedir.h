/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The directory of the TPMs' states, and how a new TPM gets there.
 *
 *   STATE/UUID.vtpm	state of a vTPM (vtpm-engine)
 *   STATE/UUID.swtpm/	state of a vTPM (swtpm)
 *   STATE/UUID.new	state of a TPM that is being made
 *   STATE/made/UUID	evidence that a TPM was made; its text says with what
 *
 * No TPM is made twice under one UUID unless the administrator removes the
 * evidence. A new TPM gets into place in this order, each step durable before
 * the next:
 *
 *   1. UUID.new is created, empty        (an older UUID.new is removed first)
 *   2. an engine makes the TPM in it     (and says that it is durable)
 *   3. UUID.new and its name are flushed
 *   4. made/UUID is created
 *   5. UUID.new is renamed to UUID.vtpm
 *   6. connections are accepted
 *
 * A power cut before 4 leaves no evidence: whatever UUID.new is, no guest has
 * seen it, and it is made again. A cut between 4 and 5 leaves evidence and a
 * complete UUID.new: step 5 is done at the next start. After 5 the
 * TPM is in place. Evidence without either file means that the state was lost,
 * and is an error. swtpm makes its state itself, without a flush: its evidence
 * is written first, so that a cut can end in an error, never in another TPM.
 *
 * Whoever makes UUID.new has the lock on it from its first moment on, so that vtpmd and
 * vtpmctl do not make the same TPM at the same time.
 *
 * A store that the policy names instead of STATE/UUID.vtpm is made on purpose only, by
 * vtpmctl: in its place, and then the evidence. A cut between leaves a store that is not empty
 * and has no evidence, which nobody touches until it is deleted.
 */
#ifndef VTPMD_STATEDIR_H
#define VTPMD_STATEDIR_H

#include <stdbool.h>

#include "config.h"
#include "error.h"
#include "uuid.h"

/**
 * struct state - the state of one vTPM, ready for an engine
 * @fd: the store, open for reading and writing (vtpm-engine); owned; -1 without
 * @name: where the store is, or will be when it is made (vtpm-engine)
 * @dir: the directory (swtpm)
 * @create: a TPM has to be made in it
 */
struct state {
	int fd;
	char name[PATH_MAX];
	char dir[PATH_MAX];
	bool create;
};

/**
 * statedir_prepare - make sure that the directories exist
 * @config: the configuration
 * @err: filled in on failure
 *
 * Return: 0 or a negative errno.
 */
int statedir_prepare(const struct config *config, struct error *err);

/**
 * statedir_open - get the state of a vTPM
 * @config: the configuration
 * @uuid: the vTPM
 * @policy: its policy
 * @state: the result
 * @err: filled in on failure: names file, cause and remedy; the caller names
 *	the vTPM
 *
 * Does steps 1 and, where a power cut left that to do, 5 from above.
 *
 * Return: 0; -ENOENT, it was made and is missing; -EPERM, it was never made and may
 * not be; -EXDEV, it was made with another engine; -ECHILD, somebody is making it right now;
 * another negative errno.
 */
int statedir_open(const struct config *config, const struct uuid *uuid,
		  const struct policy *policy, struct state *state, struct error *err);

/**
 * statedir_created - put a TPM that has been made into its place
 * @config: the configuration
 * @uuid: the vTPM
 * @err: filled in on failure
 *
 * Steps 3 to 5 from above. Can be repeated.
 *
 * Return: 0 or a negative errno.
 */
int statedir_created(const struct config *config, const struct uuid *uuid, struct error *err);

/**
 * statedir_find - where is a store, and was it made here?
 * @config: the configuration
 * @uuid: the vTPM
 * @policy: its policy
 * @file: PATH_MAX bytes for where it is, or would be; filled in on failure too
 * @err: filled in on failure
 *
 * Return: 0; -ENOENT, it was not made here; -EXDEV, it was made with another engine; another
 * negative errno.
 */
int statedir_find(const struct config *config, const struct uuid *uuid,
		  const struct policy *policy, char *file, struct error *err);

/**
 * statedir_create - get an empty store, because the administrator wants one
 * @config: the configuration
 * @uuid: the vTPM
 * @policy: its policy; whether it allows to create does not matter
 * @state: the result: its descriptor may have the lock already
 * @err: filled in on failure
 *
 * Step 1 from above, or the store that the policy names. What that holds is not looked at.
 * When the TPM is made, statedir_created() or statedir_replaced() follows.
 *
 * Return: 0; -EEXIST, it was made already; -ECHILD, somebody is making it right now; another
 * negative errno.
 */
int statedir_create(const struct config *config, const struct uuid *uuid,
		    const struct policy *policy, struct state *state, struct error *err);

/**
 * statedir_replace - open a store in its final place, or make an empty file there
 * @config: the configuration
 * @uuid: the vTPM
 * @policy: its policy
 * @state: the result
 * @err: filled in on failure
 *
 * For what is there to be replaced. statedir_replaced() follows.
 *
 * Return: 0 or a negative errno.
 */
int statedir_replace(const struct config *config, const struct uuid *uuid,
		     const struct policy *policy, struct state *state, struct error *err);

/**
 * statedir_replaced - note that there is a TPM in its final place
 * @config: the configuration
 * @uuid: the vTPM
 * @policy: its policy
 * @err: filled in on failure
 *
 * Return: 0 or a negative errno.
 */
int statedir_replaced(const struct config *config, const struct uuid *uuid,
		      const struct policy *policy, struct error *err);

/**
 * statedir_remove - forget a vTPM
 * @config: the configuration
 * @uuid: the vTPM
 * @policy: its policy
 * @err: filled in on failure
 *
 * Removes the store unless it is a block device, what a cut left, and at last the evidence:
 * as long as that is there, no other TPM is made.
 *
 * Return: 0 or a negative errno.
 */
int statedir_remove(const struct config *config, const struct uuid *uuid,
		    const struct policy *policy, struct error *err);

#endif
