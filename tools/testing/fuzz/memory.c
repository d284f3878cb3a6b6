// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state memory with any contents, and the record and the journal in it. An input is a byte of
 * options, the head of the file, for each buffer its words, the bytes of the current record, the
 * sizes of the journals, and then the bytes of the current one.
 */
#include <sys/mman.h>

#include "../../vtpm/engine/memory.c"
#include "fuzz.h"

#define OPTION_OURS	1	/* it is this vTPM's */
#define OPTION_SHORT	2	/* the file ends after its head */
#define OPTION_BEGIN	4	/* the records begin as records do */
#define OPTION_OLD	8	/* it is of the version before journals, and ends before them */

static const struct uuid uuid = { { 1, 2, 3 } };

static void fill(int fd, struct input *input, uint8_t options)
{
	static struct layout layout;
	size_t size = options & OPTION_SHORT ? offsetof(struct layout, records) : sizeof(layout);
	uint32_t current, number;

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
	for (unsigned int i = 0; i < 2; i++)
		input_take(input, &layout.journal_sizes[i], sizeof(uint32_t));
	number = layout.records[(current - 1) & 1].state & 1;
	input_take(input, layout.journals[number], JOURNAL_MAX);
	if (options & OPTION_OLD) {
		layout.identity.version = VERSION_NO_JOURNAL;
		size = size < offsetof(struct layout, journal_sizes) ? size :
			offsetof(struct layout, journal_sizes);
	}
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
	const struct journal_entry command = { 0, sizeof(text), text };
	struct memory_contents before = { 0 }, now;
	bool filled = memory_read(memory, &before);

	require(!memory_write(memory, text, 3, filled ? NULL : text, 4));
	require(memory_read(memory, &now));
	require(now.record_size == 3 && !memcmp(now.record, text, 3));
	require(now.state_size == (filled ? before.state_size : 4));
	require(now.journal_size == before.journal_size);
	if (!memory_append(memory, text, 4, &command)) {
		require(memory_read(memory, &now) && now.record_size == 4);
		require(now.journal_size > before.journal_size && now.journal_size <= JOURNAL_MAX);
	}
	require(!memory_write(memory, text, 5, text, sizeof(text)));
	require(memory_read(memory, &now) && !now.journal_size);
	require(now.record_size == 5 && now.state_size == sizeof(text) &&
		!memcmp(now.state, text, 5));
}

/* A copy, so that a read behind its end is seen. */
static void read_journal(const struct memory_contents *kept)
{
	uint8_t *copy = malloc(kept->journal_size + !kept->journal_size);
	struct journal_entry entry;
	size_t at = 0, last = 0;

	require(copy);
	memcpy(copy, kept->journal, kept->journal_size);
	for (; journal_next(copy, kept->journal_size, &at, &entry); last = at) {
		require(at > last && at <= kept->journal_size && entry.locality <= 4);
		require(entry.command > copy && entry.command + entry.size == copy + at);
	}
	require(at == last);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct input input = { data, size };
	uint8_t options = input_byte(&input);
	struct memory_contents kept;
	struct error err = { "" };
	struct memory *memory;
	bool filled;

	if (fd < 0)
		fd = memfd_create("state", MFD_CLOEXEC);
	decode(input.at, input.left < RECORD_MAX ? input.left : RECORD_MAX);
	fill(fd, &input, options);
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	require(memory);
	filled = memory_read(memory, &kept);
	/* What was thrown away leaves nothing. */
	require(!filled || !*err.text);
	if (filled) {
		const uint8_t *end = (const uint8_t *)(memory->layout + 1);

		require(kept.record_size <= RECORD_MAX && kept.record + kept.record_size <= end);
		require(kept.state_size <= VOLATILE_MAX && kept.state + kept.state_size <= end);
		require(kept.journal_size <= JOURNAL_MAX && kept.journal + kept.journal_size <= end);
		decode(kept.record, kept.record_size);
		read_journal(&kept);
	}
	require_written(memory);
	memory_close(memory);
	memory = memory_open(fd, &uuid, VNVRAM_TPM_20, &err);
	require(memory && memory_read(memory, &kept) && kept.record_size == 5);
	memory_close(memory);
	return 0;
}
