// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "record.h"
#include "tpm.h"

#define VERSION		2

static const char magic[] = "xvtpmmem";

/* What identifies the memory; compared as a whole. */
struct identity {
	char magic[8];
	uint32_t version;
	uint32_t tpm;
	uint32_t state_max;
	uint32_t record_max;
	uint8_t uuid[UUID_SIZE];
};

struct state_buffer {
	uint32_t size;
	uint8_t bytes[VOLATILE_MAX];
};

struct record_buffer {
	uint32_t size;
	uint32_t state;		/* index of the volatile state that belongs to it */
	uint8_t bytes[RECORD_MAX];
};

/* The memory itself. @current is 0 or 1 plus the index of the record that counts. */
struct layout {
	struct identity identity;
	_Atomic uint32_t current;
	struct record_buffer records[2];
	struct state_buffer states[2];
	_Atomic uint64_t store;		/* which store it was */
	_Atomic uint64_t generation;	/* that it had, at least */
};

struct memory {
	struct layout *layout;
};

static struct identity identity_of(const struct uuid *uuid, enum vnvram_tpm tpm)
{
	struct identity identity = {
		.version = VERSION,
		.tpm = tpm,
		.state_max = VOLATILE_MAX,
		.record_max = RECORD_MAX,
	};

	memcpy(identity.magic, magic, sizeof(identity.magic));
	memcpy(identity.uuid, uuid->b, UUID_SIZE);
	return identity;
}

/* The word, if everything that hangs on it makes sense, else 0. */
static uint32_t current_record(const struct layout *layout)
{
	uint32_t current = atomic_load_explicit(&layout->current, memory_order_acquire);
	const struct record_buffer *record = &layout->records[(current - 1) & 1];

	if (current < 1 || current > 2 || record->size > RECORD_MAX || record->state > 1 ||
	    layout->states[record->state].size > VOLATILE_MAX)
		return 0;
	return current;
}

/* Reserves all pages now: without them a later write would be a SIGBUS. */
static int size_file(int fd, struct error *err)
{
	int ret = posix_fallocate(fd, 0, sizeof(struct layout));

	if (ret)
		return error_set(err, ret, "no room for the state memory: %s", strerror(ret));
	return 0;
}

static struct layout *map_file(int fd, bool *empty, struct error *err)
{
	struct layout *layout;
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		error_set(err, EINVAL, "the state memory is not a file");
		return NULL;
	}
	*empty = st.st_size == 0;
	if (ftruncate(fd, sizeof(*layout))) {
		error_set(err, errno, "cannot size the state memory: %s", strerror(errno));
		return NULL;
	}
	if (size_file(fd, err))
		return NULL;
	layout = mmap(NULL, sizeof(*layout), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (layout == MAP_FAILED)
		error_set(err, errno, "cannot map the state memory: %s", strerror(errno));
	return layout == MAP_FAILED ? NULL : layout;
}

static struct layout *map_anonymous(struct error *err)
{
	struct layout *layout = mmap(NULL, sizeof(*layout), PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (layout != MAP_FAILED)
		return layout;
	error_set(err, errno, "cannot map memory: %s", strerror(errno));
	return NULL;
}

/* Anything but a whole memory of this very vTPM is nothing. */
static void take_over(struct memory *memory, const struct identity *identity, bool empty,
		      struct error *err)
{
	struct layout *layout = memory->layout;
	bool ours = !memcmp(&layout->identity, identity, sizeof(*identity));
	bool whole = !atomic_load(&layout->current) || current_record(layout);

	if (ours && whole)
		return;
	if (!empty)
		error_set(err, EUCLEAN, "the state memory %s, it is made anew", ours ?
			  "is damaged" : "is of another kind, or of another vTPM");
	memory_clear(memory);
	atomic_store(&layout->generation, 0);
	layout->identity = *identity;
}

struct memory *memory_open(int fd, const struct uuid *uuid, enum vnvram_tpm tpm,
			   struct error *err)
{
	struct identity identity = identity_of(uuid, tpm);
	struct memory *memory = calloc(1, sizeof(*memory));
	bool empty = true;

	err->text[0] = '\0';
	if (!memory) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	memory->layout = fd >= 0 ? map_file(fd, &empty, err) : map_anonymous(err);
	if (!memory->layout) {
		free(memory);
		return NULL;
	}
	take_over(memory, &identity, empty, err);
	return memory;
}

void memory_close(struct memory *memory)
{
	if (memory)
		munmap(memory->layout, sizeof(*memory->layout));
	free(memory);
}

bool memory_read(const struct memory *memory, const uint8_t **record, size_t *record_size,
		 const uint8_t **state, size_t *state_size)
{
	struct layout *layout = memory->layout;
	uint32_t current = current_record(layout);
	struct record_buffer *buffer;

	if (!current)
		return false;
	buffer = &layout->records[current - 1];
	*record = buffer->bytes;
	*record_size = buffer->size;
	*state = layout->states[buffer->state].bytes;
	*state_size = layout->states[buffer->state].size;
	return true;
}

void memory_write(struct memory *memory, const uint8_t *record, size_t record_size,
		  const uint8_t *state, size_t state_size)
{
	struct layout *layout = memory->layout;
	uint32_t current = atomic_load_explicit(&layout->current, memory_order_relaxed);
	uint32_t next = current == 1 ? 1 : 0;
	uint32_t state_used = current ? layout->records[current - 1].state : 0;

	if (state) {
		state_used = current ? !state_used : 0;
		layout->states[state_used].size = state_size;
		memcpy(layout->states[state_used].bytes, state, state_size);
	}
	layout->records[next].size = record_size;
	layout->records[next].state = state_used;
	memcpy(layout->records[next].bytes, record, record_size);
	/* Whoever sees the word sees all of the above. */
	atomic_store_explicit(&layout->current, next + 1, memory_order_release);
}

void memory_note_generation(struct memory *memory, uint64_t store, uint64_t generation)
{
	if (atomic_load_explicit(&memory->layout->store, memory_order_relaxed) != store)
		atomic_store_explicit(&memory->layout->generation, 0, memory_order_release);
	atomic_store_explicit(&memory->layout->store, store, memory_order_release);
	atomic_store_explicit(&memory->layout->generation, generation, memory_order_release);
}

uint64_t memory_generation(const struct memory *memory, uint64_t store)
{
	if (atomic_load_explicit(&memory->layout->store, memory_order_acquire) != store)
		return 0;
	return atomic_load_explicit(&memory->layout->generation, memory_order_acquire);
}

void memory_clear(struct memory *memory)
{
	struct layout *layout = memory->layout;

	atomic_store_explicit(&layout->current, 0, memory_order_seq_cst);
	explicit_bzero(layout->records, sizeof(layout->records));
	explicit_bzero(layout->states, sizeof(layout->states));
}
