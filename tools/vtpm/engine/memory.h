/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State memory: volatile state and record outside of the engine, so that they
 * survive its death. A file on tmpfs, mapped; without one, memory of the process.
 *
 * The volatile state is a copy of it and a journal: the commands that have changed it since, to be
 * executed once more on that copy (journal.h). Two buffers for copies, each with a journal behind it, two for
 * records. The word "current" in the header says which record counts, the record says
 * which copy belongs to it and how much of its journal. Only what is not current is ever written, and then the
 * word is changed, in one store: whoever is killed at any point leaves a whole set. No power cut is survived, and
 * none needs to be.
 */
#ifndef ENGINE_MEMORY_H
#define ENGINE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "journal.h"
#include "uuid.h"
#include "vnvram.h"

struct memory;

/**
 * struct memory_contents - what is in a state memory
 * @record: the record
 * @record_size: its bytes
 * @state: a copy of the volatile state
 * @state_size: its bytes
 * @journal: what has been executed since, see journal.h
 * @journal_size: its bytes
 */
struct memory_contents {
	const uint8_t *record;
	size_t record_size;
	const uint8_t *state;
	size_t state_size;
	const uint8_t *journal;
	size_t journal_size;
};

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
 * @contents: filled in; what it points to holds until the next write
 *
 * Return: false, it is empty.
 */
bool memory_read(const struct memory *memory, struct memory_contents *contents);

/**
 * memory_write - replace the record, and perhaps the volatile state, in one step
 * @memory: the memory
 * @record: the record
 * @record_size: its bytes, up to RECORD_MAX
 * @state: a new copy of the volatile state, with an empty journal; NULL, copy and journal stay
 *	what they are
 * @state_size: its bytes, up to VOLATILE_MAX
 *
 * Return: 0; -ENOSPC, the file system has no room for it. Nothing has changed then.
 */
int memory_write(struct memory *memory, const uint8_t *record, size_t record_size,
		 const uint8_t *state, size_t state_size);

/**
 * memory_append - replace the record, and lengthen the journal, in one step
 * @memory: the memory
 * @record: the record
 * @record_size: its bytes, up to RECORD_MAX
 * @command: the command
 *
 * Return: 0; -ENOSPC, the journal is full, or there is no copy that it could follow. Nothing
 * has changed then, and a new copy of the state is due.
 */
int memory_append(struct memory *memory, const uint8_t *record, size_t record_size,
		  const struct journal_entry *command);

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
