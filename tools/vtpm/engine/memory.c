// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "record.h"
#include "tpm.h"

/* The version of before there were journals has all but these, at the same places. */
#define VERSION			3
#define VERSION_NO_JOURNAL	2

/*
 * What is reserved of each buffer for a copy from the start. Usual ones have up to 13 KB, the
 * largest five times as many.
 */
#define STATE_RESERVED	(16 * 1024)

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

/*
 * The memory itself. @current is 0 or 1 plus the index of the record that counts. In
 * @records and @states what is behind @size is 0, so that there is nothing else to wipe.
 */
struct layout {
	struct identity identity;
	_Atomic uint32_t current;
	struct record_buffer records[2];
	struct state_buffer states[2];
	_Atomic uint64_t store;		/* which store it was */
	_Atomic uint64_t generation;	/* that it had, at least */
	uint32_t journal_sizes[2];	/* what belongs to each record, of its state's journal */
	uint8_t journals[2][JOURNAL_MAX];	/* one for each state */
};

/* @fd is -1 for memory of the process. @reserved: bytes of each state's buffer that can be had. */
struct memory {
	struct layout *layout;
	int fd;
	size_t reserved[2];
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

/* All words of it. */
static bool makes_sense(const struct layout *layout)
{
	bool sense = atomic_load(&layout->current) <= 2;

	for (unsigned int i = 0; i < 2; i++)
		sense = sense && layout->records[i].size <= RECORD_MAX &&
			layout->records[i].state <= 1 && layout->states[i].size <= VOLATILE_MAX &&
			layout->journal_sizes[i] <= JOURNAL_MAX;
	return sense;
}

static int reserve(int fd, size_t from, size_t size)
{
	return fallocate(fd, 0, from, size) ? -errno : 0;
}

/* Of a state's buffer. Without its pages a write would be a SIGBUS. */
static int reserve_state(struct memory *memory, unsigned int i, size_t size)
{
	size_t from = offsetof(struct layout, states[i].bytes);
	int ret;

	if (memory->fd < 0 || size <= memory->reserved[i])
		return 0;
	ret = reserve(memory->fd, from, size);
	if (!ret)
		memory->reserved[i] = size;
	return ret;
}

/* All but what only large states need. */
static int reserve_file(struct memory *memory, struct error *err)
{
	const size_t behind = offsetof(struct layout, store);
	int ret = reserve(memory->fd, 0, offsetof(struct layout, states));

	for (unsigned int i = 0; i < 2 && !ret; i++)
		ret = reserve_state(memory, i, STATE_RESERVED);
	if (!ret)
		ret = reserve(memory->fd, behind, sizeof(struct layout) - behind);
	if (ret)
		return error_set(err, -ret, "no room for the state memory: %s", strerror(-ret));
	return 0;
}

static struct layout *map_file(struct memory *memory, bool *empty, struct error *err)
{
	struct layout *layout;
	int fd = memory->fd;
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
	if (reserve_file(memory, err))
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

/* Bytes that are not in use any more. */
static void wipe_rest(uint8_t *bytes, size_t used, size_t was)
{
	if (was > used)
		explicit_bzero(bytes + used, was - used);
}

/* One of before there were journals; it did not care what is behind the bytes in use. */
static void add_journals(struct layout *layout)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct record_buffer *record = &layout->records[i];
		struct state_buffer *state = &layout->states[i];

		wipe_rest(record->bytes, record->size, RECORD_MAX);
		wipe_rest(state->bytes, state->size, VOLATILE_MAX);
		layout->journal_sizes[i] = 0;
	}
	layout->identity.version = VERSION;
}

/* Nothing of what was there is left. */
static int empty_file(struct memory *memory, struct error *err)
{
	if (fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      sizeof(*memory->layout)))
		return error_set(err, errno, "cannot empty the state memory: %s", strerror(errno));
	memset(memory->reserved, 0, sizeof(memory->reserved));
	return reserve_file(memory, err);
}

/* Anything but a whole memory of this very vTPM is nothing. */
static int take_over(struct memory *memory, const struct identity *identity, bool empty,
		     struct error *err)
{
	struct layout *layout = memory->layout;
	struct identity old = *identity;
	bool ours;
	int ret = 0;

	old.version = VERSION_NO_JOURNAL;
	if (makes_sense(layout) && !memcmp(&layout->identity, &old, sizeof(old)))
		add_journals(layout);
	ours = !memcmp(&layout->identity, identity, sizeof(*identity));
	if (ours && makes_sense(layout))
		return 0;
	if (!empty)
		ret = empty_file(memory, err);
	if (!empty && !ret)
		error_set(err, EUCLEAN, "the state memory %s, it is made anew", ours ?
			  "is damaged" : "is of another kind, or of another vTPM");
	layout->identity = *identity;
	return ret;
}

static struct memory *new_memory(int fd, struct error *err)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	if (memory)
		memory->fd = fd;
	else
		error_set(err, ENOMEM, "out of memory");
	return memory;
}

struct memory *memory_open(int fd, const struct uuid *uuid, enum vnvram_tpm tpm,
			   struct error *err)
{
	struct identity identity = identity_of(uuid, tpm);
	struct memory *memory = new_memory(fd, err);
	bool empty = true;

	if (!memory)
		return NULL;
	err->text[0] = '\0';
	memory->layout = fd >= 0 ? map_file(memory, &empty, err) : map_anonymous(err);
	if (!memory->layout || take_over(memory, &identity, empty, err)) {
		memory_close(memory);
		return NULL;
	}
	return memory;
}

void memory_close(struct memory *memory)
{
	if (memory && memory->layout)
		munmap(memory->layout, sizeof(*memory->layout));
	free(memory);
}

bool memory_read(const struct memory *memory, struct memory_contents *contents)
{
	struct layout *layout = memory->layout;
	uint32_t current = atomic_load_explicit(&layout->current, memory_order_acquire);
	struct record_buffer *record;

	if (!current)
		return false;
	record = &layout->records[current - 1];
	*contents = (struct memory_contents){
		.record = record->bytes,
		.record_size = record->size,
		.state = layout->states[record->state].bytes,
		.state_size = layout->states[record->state].size,
		.journal = layout->journals[record->state],
		.journal_size = layout->journal_sizes[current - 1],
	};
	return true;
}

/* Whoever is killed in here leaves nothing behind the bytes that count as used. */
static void put(uint8_t *bytes, uint32_t *used, const uint8_t *from, size_t size)
{
	uint32_t was = *used;

	*used = size > was ? size : was;
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(bytes, from, size);
	wipe_rest(bytes, size, was);
	atomic_signal_fence(memory_order_seq_cst);
	*used = size;
}

/* Index of the record that does not count. */
static unsigned int next_record(const struct layout *layout)
{
	return atomic_load_explicit(&layout->current, memory_order_relaxed) == 1;
}

/* The state and the journal's bytes that a new record is for are there by now. */
static void write_record(struct layout *layout, const uint8_t *bytes, size_t size,
			 uint32_t state, size_t journal_size)
{
	unsigned int next = next_record(layout);
	struct record_buffer *record = &layout->records[next];

	put(record->bytes, &record->size, bytes, size);
	record->state = state;
	layout->journal_sizes[next] = journal_size;
	/* Whoever sees the word sees all of the above. */
	atomic_store_explicit(&layout->current, next + 1, memory_order_release);
}

static int write_state(struct memory *memory, unsigned int i, const uint8_t *bytes, size_t size)
{
	struct state_buffer *state = &memory->layout->states[i];
	int ret = reserve_state(memory, i, size);

	if (ret)
		return ret;
	put(state->bytes, &state->size, bytes, size);
	return 0;
}

int memory_write(struct memory *memory, const uint8_t *record, size_t record_size,
		 const uint8_t *state, size_t state_size)
{
	struct layout *layout = memory->layout;
	uint32_t current = atomic_load_explicit(&layout->current, memory_order_relaxed);
	uint32_t used = current ? layout->records[current - 1].state : 1;
	size_t journal_size = current ? layout->journal_sizes[current - 1] : 0;
	int ret;

	if (state) {
		used = !used;
		journal_size = 0;
		ret = write_state(memory, used, state, state_size);
		if (ret)
			return ret;
	}
	write_record(layout, record, record_size, used, journal_size);
	return 0;
}

int memory_append(struct memory *memory, const uint8_t *record, size_t record_size,
		  const struct journal_entry *command)
{
	struct layout *layout = memory->layout;
	uint32_t current = atomic_load_explicit(&layout->current, memory_order_relaxed);
	uint32_t state;
	size_t size;

	if (!current)
		return -ENOSPC;
	state = layout->records[current - 1].state;
	size = journal_append(layout->journals[state], layout->journal_sizes[current - 1], command);
	if (!size)
		return -ENOSPC;
	write_record(layout, record, record_size, state, size);
	return 0;
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
	for (unsigned int i = 0; i < 2; i++) {
		wipe_rest(layout->records[i].bytes, 0, layout->records[i].size);
		wipe_rest(layout->states[i].bytes, 0, layout->states[i].size);
		explicit_bzero(layout->journals[i], JOURNAL_MAX);
		layout->records[i].size = layout->records[i].state = 0;
		layout->states[i].size = 0;
		layout->journal_sizes[i] = 0;
	}
}
