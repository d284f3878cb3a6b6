/* SPDX-License-Identifier: GPL-2.0-only */
/* What the commands about stores have in common. They work on the files themselves. */
#ifndef VTPMCTL_STORE_H
#define VTPMCTL_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "config.h"
#include "error.h"
#include "uuid.h"
#include "vnvram.h"

/* What a command returns that has said itself why it fails. */
#define STORE_FAILED	1

/**
 * struct store_options - the options of all these commands
 * @config: --config, -c: vtpmd's configuration
 * @file: --file, -f: a loose file instead of a vTPM's store; NULL, none
 * @key: --key, -k: none, file:PATH or tpm:PATH; NULL, not given
 * @tpm: --tpm, -t: 2.0 or 1.2; NULL, not given
 * @entry: --entry, -e: name of an entry; NULL, none
 * @output: --output, -o: file to write; NULL, stdout
 * @json: --json, -j
 * @yes: --yes, -y
 */
struct store_options {
	const char *config;
	const char *file;
	const char *key;
	const char *tpm;
	const char *entry;
	const char *output;
	bool json;
	bool yes;
};

/**
 * struct store_command - one of these commands
 * @name: its name
 * @usage: its help
 * @letters: short forms of the options that it takes. With --file among them it takes that or
 *	one operand
 * @operands: how many words must follow
 * @run: does it. Returns 0, STORE_FAILED, or a negative errno with the error filled in
 */
struct store_command {
	const char *name;
	const char *usage;
	const char *letters;
	int operands;
	int (*run)(const struct store_options *options, char **operands, struct error *err);
};

extern const struct store_command create_command, delete_command;	/* store_make.c */
extern const struct store_command info_command, size_command, dump_command; /* store_look.c */
extern const struct store_command check_command;			/* store_check.c */
extern const struct store_command snapshot_command, restore_command;	/* store_copy.c */
extern const struct store_command rekey_command, take_command;	/* store_change.c */

/**
 * store_run - read the arguments of one of these commands, and do it
 * @command: the command
 * @argc: words from the command on
 * @argv: likewise
 *
 * Return: code to exit with.
 */
int store_run(const struct store_command *command, int argc, char **argv);

/**
 * struct target - the store that a command is about
 * @config: the configuration
 * @policy: what holds for this vTPM; --key goes before its key
 * @loose: it is no vTPM's, but a file that was named
 * @uuid: the vTPM; of a loose file known from target_open() on
 * @uuid_text: likewise
 * @file: where the store is, or would be
 * @fd: the file; owned; -1 while it is not open
 * @info: what can be seen of it
 * @keyed: its key, if it needs one, was found
 * @store: its contents; NULL until target_load()
 */
struct target {
	struct config config;
	struct policy policy;
	bool loose;
	struct uuid uuid;
	char uuid_text[UUID_TEXT_SIZE];
	char file[PATH_MAX];
	int fd;
	struct vnvram_info info;
	bool keyed;
	struct vnvram *store;
};

/**
 * enum target_use - what a store is loaded for
 * @TARGET_LOOK: nothing is taken; somebody else may have it
 * @TARGET_CHANGE: it is locked, and taken
 * @TARGET_FORCE: likewise, whoever holds it by its record
 */
enum target_use {
	TARGET_LOOK,
	TARGET_CHANGE,
	TARGET_FORCE,
};

/**
 * target_find - read what the configuration says about a store
 * @target: the result; to be closed by target_close(), after a failure too
 * @options: --config, --file and --key
 * @uuid: text of the UUID; not used with --file
 * @err: filled in on failure
 *
 * Return: 0 or a negative errno; -EXDEV, swtpm runs this vTPM.
 */
int target_find(struct target *target, const struct store_options *options, const char *uuid,
		struct error *err);

/**
 * target_open - open a store and look at it from outside
 * @target: from target_find()
 * @flags: O_RDONLY or O_RDWR
 * @err: filled in on failure
 *
 * Return: 0; a negative errno of open(2), or of vnvram_inspect(), where @target->fd is open.
 */
int target_open(struct target *target, int flags, struct error *err);

/**
 * target_load - load what a store holds
 * @target: from target_open()
 * @use: what for
 * @policy: has the key that it is encrypted with; NULL, the vTPM's own
 * @err: filled in on failure
 *
 * What is committed to it keeps the version that last wrote it: its entries do not change
 * their meaning here.
 *
 * Return: 0; a negative errno of key_open(), vnvram_lock() or vnvram_start().
 */
int target_load(struct target *target, enum target_use use, const struct policy *policy,
		struct error *err);

/**
 * target_unload - forget what target_load() has loaded, but not the file
 * @target: the target
 */
void target_unload(struct target *target);

/**
 * target_close - give back and close whatever there is
 * @target: the target
 */
void target_close(struct target *target);

/**
 * target_get_key - read a key
 * @config: says how to reach the host's TPM
 * @policy: says where the key is
 * @key: VNVRAM_KEY_SIZE bytes for it
 * @err: filled in on failure
 *
 * Return: 1; 0, there is none; a negative errno of key_open() or key_read().
 */
int target_get_key(const struct config *config, const struct policy *policy, uint8_t *key,
		   struct error *err);

/**
 * target_lock - lock a store without loading it
 * @target: its file is open for writing; what it holds does not matter
 * @err: filled in on failure
 *
 * Return: 0; a negative errno of vnvram_lock().
 */
int target_lock(struct target *target, struct error *err);

/**
 * target_is_blank - is there nothing in a file?
 * @fd: the file
 *
 * The first bytes tell, as for vnvram_format().
 */
bool target_is_blank(int fd);

/**
 * target_wipe - overwrite all of a store
 * @target: locked by target_lock()
 * @err: filled in on failure
 *
 * What is neither a store nor empty is left alone if the policy names it: it could be the
 * wrong volume.
 *
 * Return: 0; -EXDEV, another vTPM's store; -EBUSY, another host has it; -EINVAL, no store; a
 * negative errno of vnvram_delete().
 */
int target_wipe(struct target *target, struct error *err);

/**
 * target_format - make an empty store, encrypted as the policy says, and take it
 * @target: locked by target_lock(), and blank; info.identity and info.writer say what it
 *	becomes
 * @err: filled in on failure
 *
 * Return: 0; a negative errno of key_open() or vnvram_format().
 */
int target_format(struct target *target, struct error *err);

/**
 * target_create - get an empty file for a new TPM
 * @target: from target_find(); its file is open afterwards, also after some failures
 * @err: filled in on failure
 *
 * Return: 0; -EEXIST, it was made already, or the store is not empty; another negative errno
 * of statedir_create().
 */
int target_create(struct target *target, struct error *err);

/**
 * target_created - put a TPM that is durable into its place
 * @target: from target_create()
 * @err: filled in on failure
 *
 * Return: 0 or a negative errno.
 */
int target_created(struct target *target, struct error *err);

/**
 * target_tell - tell that there is a new TPM, and what the policy lacks for it
 * @target: from target_created()
 * @what: what was done, "made in" for example
 */
void target_tell(const struct target *target, const char *what);

/**
 * target_tpm - which kind of TPM is wanted
 * @target: its policy says so unless the option does; is brought in line with that
 * @options: --tpm
 * @err: filled in on failure
 *
 * Return: 0; -EINVAL, there is no such kind.
 */
int target_tpm(struct target *target, const struct store_options *options, struct error *err);

/**
 * tpm_name - "2.0" or "1.2"
 * @tpm: kind of TPM
 */
const char *tpm_name(enum vnvram_tpm tpm);

/**
 * entry_names - names of all entries that a store may have; NULL ends them
 */
extern const char *const entry_names[];

/**
 * engine_version - version of the TPM library that engines here are linked with
 * @config: says where the engine is
 * @version: 16 bits major, 8 bits minor, 8 bits micro
 * @err: filled in on failure
 *
 * Return: 0; -ENOEXEC, it cannot be found out.
 */
int engine_version(const struct config *config, uint32_t *version, struct error *err);

/**
 * engine_try - let an engine start a TPM, and end again
 * @target: whose policy holds
 * @fd: the store
 * @create: make a new TPM in it, which must be empty; else go on with the one in it
 * @err: filled in on failure
 *
 * When this returns 0 the TPM is durable, and the engine has gone.
 *
 * Return: 0; -EIO, the engine refuses or fails; -ETIMEDOUT; another negative errno.
 */
int engine_try(const struct target *target, int fd, bool create, struct error *err);

/**
 * progress_begin - begin with work that may take long
 * @what: what it is
 * @total: bytes that will be written; 0, nobody knows
 *
 * After one second, somebody at a terminal is told how far it is.
 */
void progress_begin(const char *what, uint64_t total);

/**
 * progress_step - some of the work is done
 * @bytes: bytes more than last time
 */
void progress_step(uint64_t bytes);

/* progress_end - it is over, and so is its line */
void progress_end(void);

/* As vnvram_system_io, and each write is a progress_step(). */
extern const struct vnvram_io progress_io;

/**
 * freshness_read - ask the host's TPM for the generation of a store
 * @target: the store
 * @recorded: the generation; 0, nothing is recorded, or the policy does not want it
 * @err: filled in on failure
 *
 * Return: 0 or a negative errno.
 */
int freshness_read(const struct target *target, uint64_t *recorded, struct error *err);

/**
 * freshness_check - refuse an old copy of a store
 * @target: the store, loaded
 * @err: filled in on failure
 *
 * Return: 0; -EUCLEAN, the host's TPM knows a newer one; another negative errno.
 */
int freshness_check(const struct target *target, struct error *err);

/**
 * freshness_record - let the host's TPM know the generation of a store
 * @target: the store, open, after it was changed
 * @err: filled in on failure
 *
 * Return: 0 or a negative errno.
 */
int freshness_record(const struct target *target, struct error *err);

/**
 * freshness_forget - let the host's TPM forget a store that was deleted
 * @target: the store
 * @err: filled in on failure
 *
 * Return: 0 or a negative errno.
 */
int freshness_forget(const struct target *target, struct error *err);

#endif
