// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "journal.h"
#include "tpm.h"

struct header {
	uint8_t locality;
	uint8_t zero[3];
	uint32_t size;
};

size_t journal_append(uint8_t *journal, size_t used, const struct journal_entry *entry)
{
	const struct header header = { .locality = entry->locality, .size = entry->size };

	if (used > JOURNAL_MAX || entry->size > JOURNAL_MAX ||
	    JOURNAL_MAX - used < sizeof(header) + entry->size)
		return 0;
	memcpy(journal + used, &header, sizeof(header));
	memcpy(journal + used + sizeof(header), entry->command, entry->size);
	return used + sizeof(header) + entry->size;
}

bool journal_next(const uint8_t *journal, size_t used, size_t *at, struct journal_entry *entry)
{
	struct header header;

	if (*at > used || used - *at < sizeof(header))
		return false;
	memcpy(&header, journal + *at, sizeof(header));
	if (header.locality > 4 || header.size < TPM_HEADER_SIZE ||
	    header.size > used - *at - sizeof(header))
		return false;
	*entry = (struct journal_entry){
		.locality = header.locality,
		.size = header.size,
		.command = journal + *at + sizeof(header),
	};
	*at += sizeof(header) + header.size;
	return true;
}
