// SPDX-License-Identifier: GPL-2.0-only
/* The DER reader. What it takes and the writer writes again is what it was. */
#include "der.h"
#include "fuzz.h"

#define MAX_DEPTH	32

static void same(const uint8_t *from, const uint8_t *to, const uint8_t *bytes, size_t size)
{
	require((size_t)(to - from) == size && !memcmp(from, bytes, size));
}

static void try_number(struct der_reader reader, uint8_t tag)
{
	const uint8_t *from = reader.at;
	uint8_t bytes[16];
	uint64_t value;

	if (der_read_number(&reader, tag, &value))
		return;
	require(value <= INT64_MAX);
	if (tag == DER_BOOLEAN)
		require(value <= 1);
	same(from, reader.at, bytes, der_put_number(bytes, tag, value) - bytes);
	require(der_number_size(value) == (size_t)(reader.at - from));
}

static void try_text(struct der_reader reader, size_t size)
{
	const uint8_t *from = reader.at;
	char *text = malloc(size + 1);
	uint8_t *bytes = malloc(der_size(size));

	require(text && bytes);
	if (size)
		require(der_read_text(&(struct der_reader){ from, reader.left }, text, size));
	if (!der_read_text(&reader, text, size + 1)) {
		require(memchr(text, 0, size + 1) == text + size);
		same(from, reader.at, bytes, der_put(bytes, DER_UTF8, text, size) - bytes);
	}
	free(bytes);
	free(text);
}

static void try_octets(struct der_reader reader, size_t size)
{
	const uint8_t *from = reader.at;
	struct der_reader shorter = reader;
	uint8_t *octets = malloc(size + 1), *bytes = malloc(der_size(size));

	require(octets && bytes);
	require(der_read_fixed(&shorter, octets, size + 1));
	require(!der_read_fixed(&reader, octets, size));
	same(from, reader.at, bytes, der_put(bytes, DER_OCTETS, octets, size) - bytes);
	free(bytes);
	free(octets);
}

static void walk(struct der_reader reader, unsigned int depth)
{
	while (reader.left) {
		struct der_reader before = reader, inside;
		const uint8_t tag = *reader.at, *end = reader.at + reader.left;
		uint8_t start[10];
		size_t used;

		try_number(before, tag);
		require(der_enter(&reader, tag ^ 1, &inside));
		if (der_enter(&reader, tag, &inside)) {
			require(reader.at == before.at && reader.left == before.left);
			return;
		}
		require(reader.at + reader.left == end && inside.at + inside.left == reader.at);
		used = der_put_start(start, tag, inside.left) - start;
		same(before.at, inside.at, start, used);
		require(der_size(inside.left) == used + inside.left);
		if (tag == DER_UTF8)
			try_text(before, inside.left);
		if (tag == DER_OCTETS)
			try_octets(before, inside.left);
		if (depth < MAX_DEPTH)
			walk(inside, depth + 1);
	}
}

/* And the other way round, for any number of up to 63 bits. */
static void write_number(const uint8_t *data, size_t size)
{
	uint64_t value = 0, read;
	uint8_t bytes[16];
	struct der_reader reader = { bytes, 0 };

	memcpy(&value, data, size < sizeof(value) ? size : sizeof(value));
	value = (value & INT64_MAX) >> (size % 64);
	reader.left = der_put_number(bytes, DER_INTEGER, value) - bytes;
	require(reader.left == der_number_size(value));
	require(!der_read_number(&reader, DER_INTEGER, &read) && read == value && !reader.left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	walk((struct der_reader){ data, size }, 0);
	write_number(data, size);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	return der_mutate(data, size, max_size, seed);
}
