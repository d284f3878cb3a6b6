// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first version of the format, read only. All integers are little-endian.
 *
 *   header: 0 magic "xenvtpm\n", 8 u32 format version, 12 u32 TPM version (12 or 20),
 *           16 UUID, 32 u64 slot size, 40 u64 size of the whole store, zeroes,
 *           4064 SHA-256 of all before it
 *   slot:   0 magic "vtpmslot", 8 u64 generation, 16 u32 length of the payload,
 *           20 u32 number of entries, 24 zeroes, 32 SHA-256 of the header's SHA-256,
 *           the slot's first 32 bytes and the payload; 64 payload
 *   entry:  0 name padded with zeroes, 24 u32 length, 28 zeroes, 32 data
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "vnvram_internal.h"

#define MAGIC_SIZE		8
#define HEADER_DIGEST_OFFSET	(VNVRAM_HEADER_SIZE - DIGEST_SIZE)
#define SLOT_DIGEST_OFFSET	32
#define SLOT_HEADER_SIZE	64
#define ENTRY_HEADER_SIZE	32

static const char header_magic[] = "xenvtpm\n";
static const char slot_magic[] = "vtpmslot";

static uint32_t get_le32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return le32toh(value);
}

static uint64_t get_le64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return le64toh(value);
}

bool v1_header(const uint8_t *bytes)
{
	return !memcmp(bytes, header_magic, MAGIC_SIZE);
}

int v1_header_decode(struct header *header, const uint8_t *bytes, const char *file,
		     struct error *err)
{
	const struct bytes covered = { bytes, HEADER_DIGEST_OFFSET };
	uint32_t tpm = get_le32(bytes + 12);

	header->version = get_le32(bytes + 8);
	if (header->version != 1)
		return error_set(err, EPROTO, "%s: has format version %u in a header of version 1",
				 file, header->version);
	if (digest_parts(&covered, 1, header->digest))
		return error_set(err, ENOMEM, "%s: cannot compute a checksum", file);
	if (memcmp(bytes + HEADER_DIGEST_OFFSET, header->digest, DIGEST_SIZE))
		return error_set(err, EUCLEAN, "%s: damaged: the checksum of its header is wrong",
				 file);
	header->slot_size = get_le64(bytes + 32);
	if (!header->slot_size || header->slot_size > UINT32_MAX || header->slot_size % 4096 ||
	    get_le64(bytes + 40) != VNVRAM_HEADER_SIZE + SLOTS * header->slot_size ||
	    (tpm != VNVRAM_TPM_12 && tpm != VNVRAM_TPM_20))
		return error_set(err, EUCLEAN, "%s: damaged: its header makes no sense", file);
	header->identity.tpm = tpm;
	memcpy(header->identity.uuid.b, bytes + 16, UUID_SIZE);
	return 0;
}

int v1_slot_parse(const struct header *header, struct slot_info *slot)
{
	uint8_t computed[DIGEST_SIZE];
	struct bytes parts[] = {
		{ header->digest, DIGEST_SIZE },
		{ slot->bytes, SLOT_DIGEST_OFFSET },
		{ slot->bytes + SLOT_HEADER_SIZE, get_le32(slot->bytes + 16) },
	};

	slot->generation = get_le64(slot->bytes + 8);
	if (memcmp(slot->bytes, slot_magic, MAGIC_SIZE) || !slot->generation ||
	    slot->generation > GENERATION_MAX ||
	    parts[2].size > header->slot_size - SLOT_HEADER_SIZE)
		return 0;
	if (digest_parts(parts, 3, computed))
		return -ENOMEM;
	slot->whole = !memcmp(slot->bytes + SLOT_DIGEST_OFFSET, computed, DIGEST_SIZE);
	slot->head = slot->bytes;
	slot->head_size = SLOT_HEADER_SIZE;
	slot->body = slot->bytes + SLOT_HEADER_SIZE;
	slot->body_size = parts[2].size;
	slot->used = SLOT_HEADER_SIZE + slot->body_size;
	return 0;
}

static int entry_decode(struct vnvram *store, const uint8_t *p, size_t size, struct error *err)
{
	char name[VNVRAM_NAME_SIZE + 1] = "";
	struct entry *entry;

	memcpy(name, p, VNVRAM_NAME_SIZE);
	entry = vnvram_entry(store, name);
	if (!entry || entry->present || size > entry->max_size)
		return error_set(err, EUCLEAN, "%s: damaged: its entry '%s' makes no sense",
				 store->file, name);
	if (entry_set(entry, p + ENTRY_HEADER_SIZE, size))
		return error_set(err, ENOMEM, "%s: out of memory", store->file);
	return 0;
}

int v1_slot_decode(struct vnvram *store, const struct slot_info *slot, struct error *err)
{
	uint32_t entries = get_le32(slot->head + 20);
	const uint8_t *p = slot->body;
	size_t left = slot->body_size;

	for (; entries; entries--) {
		size_t size = left >= ENTRY_HEADER_SIZE ? get_le32(p + VNVRAM_NAME_SIZE) : 0;
		int ret;

		if (left < ENTRY_HEADER_SIZE || size > left - ENTRY_HEADER_SIZE)
			break;
		ret = entry_decode(store, p, size, err);
		if (ret)
			return ret;
		p += ENTRY_HEADER_SIZE + size;
		left -= ENTRY_HEADER_SIZE + size;
	}
	return entries || left ? error_set(err, EUCLEAN, "%s: damaged: its entries do not fill "
					   "the slot", store->file) : 0;
}
