/* SPDX-License-Identifier: GPL-2.0-only */
/* What the administrator says: vtpmd.conf, and one file per vTPM. */
#ifndef VTPMD_CONFIG_H
#define VTPMD_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "key.h"
#include "uuid.h"

#define CONFIG_DEFAULT_FILE	"/etc/xen-vtpm/vtpmd.conf"
#define CONFIG_PATH_SIZE	512
#define CONFIG_TCTI_SIZE	160

/**
 * enum engine_kind - what runs a vTPM
 * @ENGINE_NATIVE: vtpm-engine
 * @ENGINE_SWTPM: swtpm, unmodified
 */
enum engine_kind {
	ENGINE_NATIVE,
	ENGINE_SWTPM,
};

/**
 * enum freshness_kind - what notices that an old copy of a store was put in its place
 * @FRESHNESS_NONE: nothing but the store's own record
 * @FRESHNESS_TPM: a counter in the host's TPM
 */
enum freshness_kind {
	FRESHNESS_NONE,
	FRESHNESS_TPM,
};

/**
 * struct policy - what a vTPM is and may do
 * @create: a TPM may be made where none was ever made
 * @tpm12: a TPM 1.2 instead of 2.0
 * @localities: bit n allows locality n
 * @exactly_once: the guest is offered the exactly-once extension (vtpm-engine only)
 * @engine: what runs it
 * @key_kind: where the key of its store is (vtpm-engine only)
 * @key_path: the key's file, or the file of the sealed key; "" with KEY_NONE
 * @freshness: what guards its store against being put back
 * @store: file or block device that holds its state; "", the one in the state directory
 */
struct policy {
	bool create;
	bool tpm12;
	uint32_t localities;
	bool exactly_once;
	enum engine_kind engine;
	enum key_kind key_kind;
	char key_path[CONFIG_PATH_SIZE];
	enum freshness_kind freshness;
	char store[CONFIG_PATH_SIZE];
};

/**
 * struct config - the configuration
 * @file: where it was read from
 * @policy_dir: where the files of single vTPMs are
 * @state_dir: where the TPMs' states are
 * @run_dir: where the control socket is, and what has to outlive vtpmd but not the host
 * @device: the kernel's side
 * @engine: path of vtpm-engine
 * @hosttpm: path of vtpm-hosttpm
 * @host_tpm: how to reach the host's TPM, a TCTI of tpm2-tss
 * @user: name of the user that engines run as
 * @uid: that user, once config_find_user() has succeeded
 * @gid: its group, likewise
 * @policy: for vTPMs that have no file of their own
 */
struct config {
	char file[CONFIG_PATH_SIZE];
	char policy_dir[CONFIG_PATH_SIZE + 16];
	char state_dir[CONFIG_PATH_SIZE];
	char run_dir[CONFIG_PATH_SIZE];
	char device[CONFIG_PATH_SIZE];
	char engine[CONFIG_PATH_SIZE];
	char hosttpm[CONFIG_PATH_SIZE];
	char host_tpm[CONFIG_TCTI_SIZE];
	char user[64];
	uid_t uid;
	gid_t gid;
	struct policy policy;
};

/**
 * config_read - read the configuration
 * @config: the result; what the file leaves out has its default
 * @file: the file. If it is CONFIG_DEFAULT_FILE it may be missing
 * @err: filled in on failure, with file, line and legal values
 *
 * Return: 0; -EINVAL, something in it is wrong; another negative errno of open(2).
 */
int config_read(struct config *config, const char *file, struct error *err);

/**
 * config_find_user - look up the user that engines run as
 * @config: the configuration
 * @err: filled in on failure
 *
 * Return: 0; -ENOENT, there is no such user.
 */
int config_find_user(struct config *config, struct error *err);

/**
 * config_read_policy - what holds for one vTPM
 * @config: the configuration
 * @uuid: the vTPM
 * @policy: the result
 * @err: filled in on failure
 *
 * The vTPM's own file, if there is one, goes before the general policy.
 *
 * Return: 0; -EINVAL, something in the file is wrong; another negative errno.
 */
int config_read_policy(const struct config *config, const struct uuid *uuid,
		       struct policy *policy, struct error *err);

/**
 * config_parse_key - read where a key is
 * @text: none, file:/PATH or tpm:/PATH
 * @policy: whose key_kind and key_path are set
 *
 * Return: 0; -EINVAL, it is nothing of these.
 */
int config_parse_key(const char *text, struct policy *policy);

/**
 * config_check_policies - read the files of all vTPMs
 * @config: the configuration
 * @err: filled in on failure: the first thing that is wrong
 *
 * Return: 0; -EINVAL; another negative errno.
 */
int config_check_policies(const struct config *config, struct error *err);

#endif
