/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TPM of this process. libtpms has one TPM per process with all its state
 * static and its callbacks without context, so this is the only part of the engine that
 * keeps static state as well.
 */
#ifndef ENGINE_TPM_H
#define ENGINE_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "log.h"
#include "vnvram.h"

/* Bytes of a TPM command's and response's header, and of a response without more. */
#define TPM_HEADER_SIZE	10

/**
 * struct tpm_setup - what the TPM needs
 * @version: kind of TPM
 * @buffer_size: largest command and response in bytes
 * @create: make a new TPM; @store is freshly formatted then
 * @store: where its state is; outlives the TPM
 * @log: where to complain
 */
struct tpm_setup {
	enum vnvram_tpm version;
	uint32_t buffer_size;
	bool create;
	struct vnvram *store;
	const struct log *log;
};

/**
 * tpm_register_entries - register what libtpms stores
 * @store: a store that has not been started
 *
 * Return: 0 or a negative errno of vnvram_register().
 */
int tpm_register_entries(struct vnvram *store);

/**
 * tpm_start - power the TPM on
 * @setup: what it needs
 * @err: filled in on failure
 *
 * A new TPM (@setup->create) is manufactured and prepared for use first.
 * What is to be stored is in @setup->store then, but not committed.
 *
 * Return: 0; -EUCLEAN, the state is not accepted; -EINVAL, the buffer size is not
 * possible; -EIO, libtpms fails.
 */
int tpm_start(const struct tpm_setup *setup, struct error *err);

/**
 * tpm_execute - execute one command
 * @locality: where it comes from, 0 to 4
 * @command: the command
 * @size: its bytes
 * @response: where to put the address of the response, which stays there until the
 *	next call
 *
 * There is always a well-formed response that fits the buffer size.
 * What the command changed is in the store, but not committed.
 *
 * Return: bytes of the response.
 */
size_t tpm_execute(uint8_t locality, const uint8_t *command, size_t size,
		   const uint8_t **response);

/**
 * tpm_cancel - cancel the running command, if libtpms can
 *
 * The only function here that may be called from another thread.
 */
void tpm_cancel(void);

/**
 * tpm_may_be_cancelled - does it make sense to try?
 * @command: the command
 * @size: its bytes
 *
 * Return: true if the command can run long and libtpms would look for a cancel.
 */
bool tpm_may_be_cancelled(const uint8_t *command, size_t size);

/**
 * tpm_failure - a response that says that the TPM has failed
 * @response: TPM_HEADER_SIZE bytes for it
 */
void tpm_failure(uint8_t *response);

/**
 * tpm_shutdown - tell the TPM that its power goes
 *
 * Without this a TPM 2.0 counts the power cycle as a try at guessing an
 * authorization. What changes is in the store, but not committed.
 */
void tpm_shutdown(void);

/**
 * tpm_stop - power the TPM off
 */
void tpm_stop(void);

#endif
