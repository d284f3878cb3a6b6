/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State memory: volatile state and record outside of the engine, so that they
 * survive its death. A file on tmpfs, mapped; without one, memory of the process.
 *
 * Two buffers for volatile state, two for records. The word "current" in the
 * header says which record counts, the record says which volatile state belongs to it.
 * Only what is not current is ever written, and then the word is changed, in one
 * store: whoever is killed at any point leaves a whole pair. No power cut is survived, and
 * none needs to be.
 */
#ifndef ENGINE_MEMORY_H
#define ENGINE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "uuid.h"
#include "vnvram.h"

struct memory;

/**
 * memory_open - map the state memory
 * @fd: the file, owned by the caller; -1, nothing shall survive
 * @uuid: the vTPM
 * @tpm: kind of TPM
 * @err: filled in on failure, and with a warning if the file held something
 *	else, which is gone then; "" otherwise
 *
 * Return: the memory, NULL on failure.
 */
struct memory *memory_open(int fd, const struct uuid *uuid, enum vnvram_tpm tpm,
			   struct error *err);

/**
 * memory_close - unmap the state memory, which stays as it is
 * @memory: the memory; NULL is allowed
 */
void memory_close(struct memory *memory);

/**
 * memory_read - look at what is in it
 * @memory: the memory
 * @record: where to put the address of the record
 * @record_size: its bytes
 * @state: where to put the address of the volatile state
 * @state_size: its bytes
 *
 * The addresses hold until the next write.
 *
 * Return: false, it is empty.
 */
bool memory_read(const struct memory *memory, const uint8_t **record, size_t *record_size,
		 const uint8_t **state, size_t *state_size);

/**
 * memory_write - replace the record, and perhaps the volatile state, in one step
 * @memory: the memory
 * @record: the record
 * @record_size: its bytes, up to RECORD_MAX
 * @state: the volatile state; NULL, it stays what it is
 * @state_size: its bytes, up to VOLATILE_MAX
 */
void memory_write(struct memory *memory, const uint8_t *record, size_t record_size,
		  const uint8_t *state, size_t state_size);

/**
 * memory_note_generation - note that the store has got this far
 * @memory: the memory
 * @store: which store, vnvram_id()
 * @generation: of the store
 */
void memory_note_generation(struct memory *memory, uint64_t store, uint64_t generation);

/**
 * memory_generation - how far the store had got
 * @memory: the memory
 * @store: which store, vnvram_id()
 *
 * Return: the generation noted last, 0 if there is none of this store.
 */
uint64_t memory_generation(const struct memory *memory, uint64_t store);

/**
 * memory_clear - forget and wipe everything but the generation
 * @memory: the memory
 */
void memory_clear(struct memory *memory);

#endif
