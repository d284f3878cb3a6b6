// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state memory with any contents, and the record in it. An input is a byte of options,
 * the head of the file, for each buffer its words, and then the bytes of the current record.
 */
#include <sys/mman.h>

#include "../../vtpm/engine/memory.c"
#include "fuzz.h"

#define OPTION_OURS	1	/* it is this vTPM's */
#define OPTION_SHORT	2	/* the file ends after its head */
#define OPTION_BEGIN	4	/* the records begin as records do */

static const struct uuid uuid = { { 1, 2, 3 } };

static void fill(int fd, struct input *input, uint8_t options)
{
	static struct layout layout;
	size_t size = options & OPTION_SHORT ? offsetof(struct layout, records) : sizeof(layout);
	uint32_t current;

	memset(&layout, 0, sizeof(layout));
	input_take(input, &layout, offsetof(struct layout, records));
	if (options & OPTION_OURS)
		layout.identity = identity_of(&uuid, VNVRAM_TPM_20);
	current = layout.current;
	for (unsigned int i = 0; i < 2; i++) {
		input_take(input, &layout.states[i].size, sizeof(uint32_t));
		input_take(input, &layout.records[i].size, 2 * sizeof(uint32_t));
	}
	input_take(input, layout.records[(current - 1) & 1].bytes, RECORD_MAX);
	if (options & OPTION_BEGIN)
		layout.records[(current - 1) & 1].bytes[0] = 1;
	require(!ftruncate(fd, 0) && pwrite(fd, &layout, size, 0) == (ssize_t)size);
}

/* What is read as a record is written as the same bytes. */
static void decode(const uint8_t *bytes, size_t size)
{
	static struct record record;
	static uint8_t again[RECORD_MAX];

	/* A copy, so that a read behind its end is seen. */
	uint8_t *copy = malloc(size + !size);

	require(copy);
	memcpy(copy, bytes, size);
	if (!record_decode(&record, copy, size)) {
		require(record.response_size <= VTPM_MAX_TRANSFER);
		require(record_encode(&record, again) == size && !memcmp(again, bytes, size));
	}
	free(copy);
}

static void require_written(struct memory *memory)
{
	static const uint8_t text[] = "0123456789abcdef";
	const uint8_t *record, *state;
	size_t record_size, state_size, kept;
	bool before = memory_read(memory, &record, &record_size, &state, &kept);

	memory_write(memory, text, 3, before ? NULL : text, 4);
	require(memory_read(memory, &record, &record_size, &state, &state_size));
	require(record_size == 3 && !memcmp(record, text, 3));
	require(state_size == (before ? kept : 4));
	memory_write(memory, text, 5, text, sizeof(text));
	require(memory_read(memory, &record, &record_size, &state, &state_size));
	require(record_size == 5 && state_size == sizeof(text) && !memcmp(state, text, 5));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct input input = { data, size };
	uint8_t options = input_byte(&input);
	const uint8_t *record, *state;
	size_t record_size, state_size;
	struct error err = { "" };
	struct memory *memory;
	bool filled;

	if (fd < 0)
		fd = memfd_create("state", MFD_CLOEXEC);
	decode(input.at, input.left < RECORD_MAX ? input.left : RECORD_MAX);
	fill(fd, &input, options);
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	require(memory);
	filled = memory_read(memory, &record, &record_size, &state, &state_size);
	/* What was thrown away leaves nothing. */
	require(!filled || !*err.text);
	if (filled) {
		const uint8_t *end = (const uint8_t *)(memory->layout + 1);

		require(record_size <= RECORD_MAX && record + record_size <= end);
		require(state_size <= VOLATILE_MAX && state + state_size <= end);
		decode(record, record_size);
	}
	require_written(memory);
	memory_close(memory);
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	require(memory && memory_read(memory, &record, &record_size, &state, &state_size) &&
		record_size == 5);
	memory_close(memory);
	return 0;
}
