/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vtpm-hosttpm: what this project does with the host's own TPM 2.0.
 *
 * Functions return 0 or a negative errno with a text for people in a struct error;
 * commands may also return one of the exit codes below.
 */
#ifndef VTPM_HOSTTPM_H
#define VTPM_HOSTTPM_H

#include <stdbool.h>
#include <stdint.h>
#include <tss2/tss2_esys.h>

#include "error.h"
#include "uuid.h"

#define HOSTTPM_KEY_SIZE	32
#define PCR_MASK_SIZE		3

/**
 * enum hosttpm_exit - exit codes
 * @HOSTTPM_EXIT_OK: done
 * @HOSTTPM_EXIT_FAILED: not done; one line on standard error says why
 * @HOSTTPM_EXIT_USAGE: bad command line
 * @HOSTTPM_EXIT_NOTHING: nothing is recorded for this vTPM
 */
enum hosttpm_exit {
	HOSTTPM_EXIT_OK = 0,
	HOSTTPM_EXIT_FAILED = 1,
	HOSTTPM_EXIT_USAGE = 2,
	HOSTTPM_EXIT_NOTHING = 3,
};

/**
 * struct hosttpm_options - the command line
 * @tcti: how to reach the TPM, for tctildr
 * @pcrs: --pcrs, or NULL
 * @force: --force
 * @fd: --fd, or -1
 * @operands: what follows the command, ending with a NULL
 */
struct hosttpm_options {
	const char *tcti;
	const char *pcrs;
	bool force;
	int fd;
	char **operands;
};

int command_seal(const struct hosttpm_options *options, struct error *err);
int command_unseal(const struct hosttpm_options *options, struct error *err);
int command_generation(const struct hosttpm_options *options, struct error *err);
int command_recorder(const struct hosttpm_options *options, struct error *err);

/**
 * struct tpm - a way to the host's TPM
 * @tcti: transport
 * @esys: context over it
 */
struct tpm {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
};

/**
 * tpm_open - find a way to the TPM
 * @tpm: filled in; needs tpm_close() only after success
 * @tcti: as in struct hosttpm_options
 * @err: filled in on failure
 */
int tpm_open(struct tpm *tpm, const char *tcti, struct error *err);

/**
 * tpm_close - give it up
 * @tpm: from tpm_open()
 *
 * What is loaded has to be flushed before: not every transport does that by itself.
 */
void tpm_close(struct tpm *tpm);

/**
 * tpm_code - response code without the layer it comes from and the number of a parameter
 * @rc: from a tss2 function
 *
 * Return: something to compare with TPM2_RC_* constants.
 */
TSS2_RC tpm_code(TSS2_RC rc);

/**
 * tpm_error - note that the TPM refuses something
 * @err: where
 * @rc: from a tss2 function
 * @what: begins the text
 *
 * Adds the decoded @rc, and what to do about it if that is known.
 *
 * Return: -EIO.
 */
int tpm_error(struct error *err, TSS2_RC rc, const char *what);

/**
 * tpm_primary - make the storage key that all is sealed under
 * @tpm: the TPM
 * @primary: the key; flush it
 * @err: filled in on failure
 *
 * It is derived from the seed of the owner hierarchy and the template alone: the same
 * each time, until the TPM is cleared.
 */
int tpm_primary(struct tpm *tpm, ESYS_TR *primary, struct error *err);

/**
 * tpm_session - start a session whose key nobody on the bus knows
 * @tpm: the TPM
 * @primary: the session's key is encrypted to it
 * @type: HMAC or policy
 * @attributes: encrypt the first parameter of commands (decrypt), of responses (encrypt)
 * @session: the session; flush it
 * @err: filled in on failure
 */
int tpm_session(struct tpm *tpm, ESYS_TR primary, TPM2_SE type, TPMA_SESSION attributes,
		ESYS_TR *session, struct error *err);

/**
 * tpm_flush - remove an object or a session from the TPM
 * @tpm: the TPM
 * @handle: what; ESYS_TR_NONE is allowed
 */
void tpm_flush(struct tpm *tpm, ESYS_TR handle);

/**
 * struct pcrs - platform configuration registers of one bank
 * @hash: the bank, as a TPM2_ALG_ID; 0, none at all
 * @mask: bit n % 8 of byte n / 8 stands for register n
 */
struct pcrs {
	uint16_t hash;
	uint8_t mask[PCR_MASK_SIZE];
};

/**
 * pcrs_parse - read a selection
 * @text: such as "sha256:0,7"
 * @pcrs: the result
 * @err: filled in on failure
 */
int pcrs_parse(const char *text, struct pcrs *pcrs, struct error *err);

/**
 * pcrs_check - does the TPM have them all?
 * @tpm: the TPM
 * @pcrs: the selection
 * @err: filled in on failure
 *
 * A policy over registers that the TPM does not have would demand nothing.
 */
int pcrs_check(struct tpm *tpm, const struct pcrs *pcrs, struct error *err);

/**
 * pcrs_policy - demand the registers' present values in a policy session
 * @tpm: the TPM
 * @session: the session
 * @pcrs: the selection
 * @err: filled in on failure
 */
int pcrs_policy(struct tpm *tpm, ESYS_TR session, const struct pcrs *pcrs, struct error *err);

/**
 * pcrs_policy_digest - digest of a policy that demands the registers' present values
 * @tpm: the TPM
 * @primary: for a session
 * @pcrs: the selection
 * @digest: the result
 * @err: filled in on failure
 */
int pcrs_policy_digest(struct tpm *tpm, ESYS_TR primary, const struct pcrs *pcrs,
		       TPM2B_DIGEST *digest, struct error *err);

/**
 * struct sealed - a sealed key
 * @public: public area of the object
 * @private: the rest, which only the TPM can decrypt
 * @pcrs: what it is bound to
 */
struct sealed {
	TPM2B_PUBLIC public;
	TPM2B_PRIVATE private;
	struct pcrs pcrs;
};

/**
 * sealed_file_create - write a new file, durably
 * @file: its name; nothing of that name may exist
 * @sealed: what to write
 * @err: filled in on failure
 *
 * After a failure there is no such file, unless there was one before.
 */
int sealed_file_create(const char *file, const struct sealed *sealed, struct error *err);

/**
 * sealed_file_read - read it
 * @file: its name
 * @sealed: the result
 * @err: filled in on failure
 */
int sealed_file_read(const char *file, struct sealed *sealed, struct error *err);

/**
 * struct generation - what is recorded for a vTPM
 * @any: there is something
 * @value: the generation
 */
struct generation {
	bool any;
	uint64_t value;
};

/**
 * generation_read - read what is recorded
 * @tpm: the TPM
 * @uuid: the vTPM
 * @generation: the result
 * @err: filled in on failure
 */
int generation_read(struct tpm *tpm, const struct uuid *uuid, struct generation *generation,
		    struct error *err);

/**
 * generation_record - record a generation
 * @tpm: the TPM
 * @uuid: the vTPM
 * @value: the generation, from 1 on
 * @force: even if as high a one is recorded
 * @recorded: what is recorded then; filled in too if -EEXIST is returned
 * @err: filled in on failure
 *
 * Return: 0; -EEXIST, @value or a higher generation is recorded already; another
 * negative errno.
 */
int generation_record(struct tpm *tpm, const struct uuid *uuid, uint64_t value, bool force,
		      uint64_t *recorded, struct error *err);

/**
 * generation_remove - forget what is recorded, and free the TPM's memory
 * @tpm: the TPM
 * @uuid: the vTPM
 * @err: filled in on failure
 *
 * Return: 0; -ENOENT, nothing was there; another negative errno.
 */
int generation_remove(struct tpm *tpm, const struct uuid *uuid, struct error *err);

#endif
