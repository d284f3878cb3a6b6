/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The directory "state" in the run directory: what has to outlive engines and vtpmd, but not
 * the host.
 *
 *   RUN/state/UUID.memory	the engine's state memory
 *   RUN/state/UUID.owner	"DOMID TOKEN": the domain whose session that is; a third
 *				word "suspended" says that it was last seen so
 *
 * An owner is written once its session is settled: from then on whoever starts an engine
 * goes on with it. Without that file the vTPM is started for a new domain.
 */
#ifndef VTPMD_RUNDIR_H
#define VTPMD_RUNDIR_H

#include "config.h"
#include "domain.h"
#include "error.h"

/**
 * rundir_prepare - make sure that the directories exist
 * @config: the configuration
 * @err: filled in on failure
 *
 * Return: 0 or a negative errno.
 */
int rundir_prepare(const struct config *config, struct error *err);

/**
 * rundir_open_memory - open the state memory of a vTPM
 * @config: the configuration
 * @uuid: the vTPM, as text
 * @fresh: nothing that is in there counts any more
 * @err: filled in on failure
 *
 * Return: its descriptor, owned by the caller; a negative errno.
 */
int rundir_open_memory(const struct config *config, const char *uuid, bool fresh,
		       struct error *err);

/**
 * rundir_write_owner - note whose session it is
 * @config: the configuration
 * @uuid: the vTPM, as text
 * @domid: the domain
 * @token: what it is known by
 * @suspended: it was last seen suspended
 * @err: filled in on failure
 *
 * Return: 0 or a negative errno.
 */
int rundir_write_owner(const struct config *config, const char *uuid, uint32_t domid,
		       const char *token, bool suspended, struct error *err);

/**
 * rundir_remove_owner - nobody's session it is any more
 * @config: the configuration
 * @uuid: the vTPM, as text
 */
void rundir_remove_owner(const struct config *config, const char *uuid);

/**
 * rundir_remove - the vTPM has lost its power: remove owner and state memory
 * @config: the configuration
 * @uuid: the vTPM, as text
 */
void rundir_remove(const struct config *config, const char *uuid);

/**
 * rundir_for_each_owner - go through all owners
 * @config: the configuration
 * @found: called for each; may remove its files
 * @arg: passed on to @found
 *
 * State memory without an owner is removed. Files that make no sense are passed over.
 */
void rundir_for_each_owner(const struct config *config,
			   void (*found)(void *arg, const struct uuid *uuid, uint32_t domid,
					 const char *token, bool suspended), void *arg);

#endif
