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

#include "entries.h"
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
 * @state: volatile state to go on with; NULL, the TPM was without power. Is
 *	not used any more once the TPM has started
 * @state_size: its bytes
 * @store: where its state is; outlives the TPM
 * @log: where to complain
 */
struct tpm_setup {
	enum vnvram_tpm version;
	uint32_t buffer_size;
	bool create;
	const uint8_t *state;
	size_t state_size;
	struct vnvram *store;
	const struct log *log;
};

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
 * tpm_power_cycle - take the TPM's power away and give it back
 * @buffer_size: largest command and response in bytes from now on
 * @err: filled in on failure
 *
 * Whoever wants it to be an orderly one calls tpm_shutdown() first.
 *
 * Return: as tpm_start().
 */
int tpm_power_cycle(uint32_t buffer_size, struct error *err);

/**
 * tpm_get_state - get the volatile state
 * @state: where to put the address of a copy, to be freed with tpm_free_state()
 * @size: its bytes
 *
 * Return: 0; -EIO, libtpms fails; -EFBIG, more than VOLATILE_MAX bytes.
 */
int tpm_get_state(uint8_t **state, size_t *size);

/**
 * tpm_free_state - wipe and free a copy of the volatile state
 * @state: the copy; NULL is allowed
 * @size: its bytes
 */
void tpm_free_state(uint8_t *state, size_t size);

/**
 * tpm_stir - add randomness of the host to the TPM's
 *
 * A TPM 2.0 that goes on from a copy of its state would otherwise hand out
 * the same random numbers each time that this copy is loaded.
 */
void tpm_stir(void);

/**
 * tpm_startup - start the TPM up, in the place of a guest's firmware
 *
 * Return: 0; -EIO, the TPM does not want to.
 */
int tpm_startup(void);

/**
 * tpm_changed - has the permanent state changed since tpm_mark_saved()?
 */
bool tpm_changed(void);

/**
 * tpm_mark_saved - all that the TPM changed is durable now
 */
void tpm_mark_saved(void);

/**
 * tpm_audits - may commands that read change the state, because they are audited?
 *
 * Looks once, when it is asked first, and again after a power-on or a command
 * that can change it.
 */
bool tpm_audits(void);

/**
 * tpm_commits - may there be a TPM2_Commit that a signature has still to use up?
 *
 * An anonymous signature (ECDAA) takes the number of a TPM2_Commit or TPM2_EC_Ephemeral, which cannot
 * be used again: a signature that changes the state. Without one of these since power-on there is no
 * such number; of a state that was loaded this is not known.
 */
bool tpm_commits(void);

/**
 * tpm_nv_is_orderly - is what is written to an NV index kept in the volatile state?
 * @index: the index's handle
 *
 * Return: false, it is in the permanent state; true, it is not, or there is no such index.
 */
bool tpm_nv_is_orderly(uint32_t index);

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
 * tpm_forget_saved_state - forget what the guest saved for its next start
 * @store: where it is; changed, but not committed
 *
 * On hardware the firmware decides whether a start may go on with it, and does not let a
 * boot do so. Here nobody would: a guest could take its PCRs over its own reboot.
 */
void tpm_forget_saved_state(struct vnvram *store);

/**
 * tpm_stop - power the TPM off
 */
void tpm_stop(void);

#endif
