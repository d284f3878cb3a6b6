// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "record.h"

#define VERSION		1
#define KNOWN_FLAGS	(RECORD_SUSPENDED | RECORD_RESPONSE)

/* The stored form but for the response; naturally aligned, so without holes. */
struct stored {
	uint32_t version;
	uint32_t flags;
	uint8_t session[VTPM_SESSION_SIZE];
	uint64_t steps;
	uint64_t sequence;
	uint32_t features;
	uint32_t buffer_size;
	uint32_t response_size;
	uint32_t reserved;
};

_Static_assert(sizeof(struct stored) == RECORD_HEADER_SIZE, "size of a stored record");

size_t record_encode(const struct record *record, uint8_t *bytes)
{
	struct stored stored = {
		.version = htole32(VERSION),
		.flags = htole32(record->flags),
		.steps = htole64(record->steps),
		.sequence = htole64(record->sequence),
		.features = htole32(record->features),
		.buffer_size = htole32(record->buffer_size),
		.response_size = htole32(record->response_size),
	};

	memcpy(stored.session, record->session, sizeof(stored.session));
	memcpy(bytes, &stored, sizeof(stored));
	memcpy(bytes + sizeof(stored), record->response, record->response_size);
	return sizeof(stored) + record->response_size;
}

int record_decode(struct record *record, const uint8_t *bytes, size_t size)
{
	struct stored stored;

	if (size < sizeof(stored))
		return -EINVAL;
	memcpy(&stored, bytes, sizeof(stored));
	if (stored.version != htole32(VERSION) || stored.reserved ||
	    le32toh(stored.flags) & ~KNOWN_FLAGS ||
	    le32toh(stored.response_size) > VTPM_MAX_TRANSFER ||
	    le32toh(stored.response_size) != size - sizeof(stored))
		return -EINVAL;
	memset(record, 0, sizeof(*record));
	record->flags = le32toh(stored.flags);
	memcpy(record->session, stored.session, sizeof(record->session));
	record->steps = le64toh(stored.steps);
	record->sequence = le64toh(stored.sequence);
	record->features = le32toh(stored.features);
	record->buffer_size = le32toh(stored.buffer_size);
	record->response_size = le32toh(stored.response_size);
	memcpy(record->response, bytes + sizeof(stored), record->response_size);
	return 0;
}
