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
 * not be; -EXDEV, it was made with another engine; another negative errno.
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

#endif
