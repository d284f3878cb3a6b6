// SPDX-License-Identifier: GPL-2.0-only
/* The bytes of a store: headers, slots and entries. vnvram.h has the layout. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "vnvram_internal.h"

#define MAGIC_SIZE	8

static const char header_magic[] = "xenvtpm\n";
static const char slot_magic[] = "vtpmslot";

uint32_t get_le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t get_le64(const uint8_t *p)
{
	return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

void put_le32(uint8_t *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = value >> (8 * i);
}

void put_le64(uint8_t *p, uint64_t value)
{
	put_le32(p, value);
	put_le32(p + 4, value >> 32);
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

uint64_t slot_size_needed(const struct vnvram *store)
{
	uint64_t size = VNVRAM_SLOT_HEADER_SIZE;

	for (unsigned int i = 0; i < store->entry_count; i++)
		size += ENTRY_HEADER_SIZE + store->entries[i].max_size;
	return round_up(size, 4096);
}

off_t slot_offset(const struct vnvram *store, unsigned int slot)
{
	return VNVRAM_HEADER_SIZE + slot * store->slot_size;
}

int digest_buffer(const void *data, size_t size, uint8_t *digest)
{
	return EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

static int digest_slot(const struct vnvram *store, const uint8_t *header,
		       const uint8_t *payload, size_t size, uint8_t *digest)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	if (!ctx)
		return -ENOMEM;
	ok = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, store->header_digest, DIGEST_SIZE) == 1 &&
	     EVP_DigestUpdate(ctx, header, SLOT_DIGEST_OFFSET) == 1 &&
	     EVP_DigestUpdate(ctx, payload, size) == 1 &&
	     EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

int header_encode(struct vnvram *store, uint8_t *header)
{
	int ret;

	memset(header, 0, VNVRAM_HEADER_SIZE);
	memcpy(header, header_magic, MAGIC_SIZE);
	put_le32(header + 8, VNVRAM_FORMAT_VERSION);
	put_le32(header + 12, store->tpm);
	memcpy(header + 16, store->uuid.b, UUID_SIZE);
	put_le64(header + 32, store->slot_size);
	put_le64(header + 40, VNVRAM_HEADER_SIZE + SLOTS * store->slot_size);
	ret = digest_buffer(header, HEADER_DIGEST_OFFSET, store->header_digest);
	memcpy(header + HEADER_DIGEST_OFFSET, store->header_digest, DIGEST_SIZE);
	return ret;
}

static int check_identity(const struct vnvram *store, const uint8_t *header, struct error *err)
{
	struct uuid uuid;
	char text[UUID_TEXT_SIZE];

	memcpy(uuid.b, header + 16, UUID_SIZE);
	if (!uuid_equal(&uuid, &store->uuid))
		return error_set(err, EXDEV, "%s: belongs to another vTPM, %s",
				 store->file, uuid_format(&uuid, text));
	if (get_le32(header + 12) != store->tpm)
		return error_set(err, EXDEV, "%s: holds a TPM %s, but a TPM %s is wanted",
				 store->file, store->tpm == VNVRAM_TPM_20 ? "1.2" : "2.0",
				 store->tpm == VNVRAM_TPM_20 ? "2.0" : "1.2");
	return 0;
}

static int check_sizes(struct vnvram *store, const uint8_t *header, uint64_t file_size,
		       struct error *err)
{
	uint64_t slot_size = get_le64(header + 32);
	uint64_t declared = get_le64(header + 40);

	if (slot_size > UINT32_MAX || slot_size % 4096 ||
	    declared != VNVRAM_HEADER_SIZE + SLOTS * slot_size)
		return error_set(err, EUCLEAN, "%s: damaged: its header makes no sense",
				 store->file);
	if (slot_size < slot_size_needed(store))
		return error_set(err, EFBIG, "%s: its slots of %llu bytes are too small, "
				 "%llu bytes are needed", store->file,
				 (unsigned long long)slot_size,
				 (unsigned long long)slot_size_needed(store));
	if (file_size < declared)
		return error_set(err, ENODATA, "%s: truncated: it has %llu bytes and "
				 "was made with %llu", store->file,
				 (unsigned long long)file_size, (unsigned long long)declared);
	store->slot_size = slot_size;
	return 0;
}

int header_decode(struct vnvram *store, const uint8_t *header, uint64_t file_size,
		  struct error *err)
{
	int ret;

	if (memcmp(header, header_magic, MAGIC_SIZE))
		return error_set(err, EINVAL, "%s: is not the state of a vTPM, or its header "
				 "was overwritten", store->file);
	if (get_le32(header + 8) != VNVRAM_FORMAT_VERSION)
		return error_set(err, EPROTO, "%s: has format version %u, only version %u is known",
				 store->file, get_le32(header + 8), VNVRAM_FORMAT_VERSION);
	ret = digest_buffer(header, HEADER_DIGEST_OFFSET, store->header_digest);
	if (ret)
		return error_set(err, -ret, "%s: cannot compute a checksum", store->file);
	if (memcmp(header + HEADER_DIGEST_OFFSET, store->header_digest, DIGEST_SIZE))
		return error_set(err, EUCLEAN, "%s: damaged: the checksum of its header is wrong",
				 store->file);
	ret = check_identity(store, header, err);
	return ret ? ret : check_sizes(store, header, file_size, err);
}

static int slot_reserve(struct vnvram *store, size_t size)
{
	uint8_t *slot;

	if (size <= store->slot_capacity)
		return 0;
	slot = malloc(size);
	if (!slot)
		return -ENOMEM;
	if (store->slot)
		explicit_bzero(store->slot, store->slot_capacity);
	free(store->slot);
	store->slot = slot;
	store->slot_capacity = size;
	return 0;
}

static uint8_t *entry_encode(const struct entry *entry, uint8_t *p)
{
	memset(p, 0, ENTRY_HEADER_SIZE);
	memcpy(p, entry->name, VNVRAM_NAME_SIZE);
	put_le32(p + VNVRAM_NAME_SIZE, entry->size);
	p += ENTRY_HEADER_SIZE;
	if (entry->size)
		memcpy(p, entry->data, entry->size);
	return p + entry->size;
}

/* Builds the image of a slot in store->slot. */
int slot_encode(struct vnvram *store, uint64_t generation, size_t *size)
{
	size_t total = VNVRAM_SLOT_HEADER_SIZE;
	uint32_t count = 0;
	uint8_t *p;
	int ret;

	for (unsigned int i = 0; i < store->entry_count; i++)
		if (store->entries[i].present)
			total += ENTRY_HEADER_SIZE + store->entries[i].size;
	ret = slot_reserve(store, total);
	if (ret)
		return ret;
	p = store->slot + VNVRAM_SLOT_HEADER_SIZE;
	for (unsigned int i = 0; i < store->entry_count; i++) {
		if (!store->entries[i].present)
			continue;
		p = entry_encode(&store->entries[i], p);
		count++;
	}
	memset(store->slot, 0, VNVRAM_SLOT_HEADER_SIZE);
	memcpy(store->slot, slot_magic, MAGIC_SIZE);
	put_le64(store->slot + 8, generation);
	put_le32(store->slot + 16, total - VNVRAM_SLOT_HEADER_SIZE);
	put_le32(store->slot + 20, count);
	*size = total;
	return digest_slot(store, store->slot, store->slot + VNVRAM_SLOT_HEADER_SIZE,
			   total - VNVRAM_SLOT_HEADER_SIZE, store->slot + SLOT_DIGEST_OFFSET);
}

/* Takes apart the first bytes of a slot; says whether the payload is worth reading. */
bool slot_header_plausible(const struct vnvram *store, const uint8_t *header,
			   struct slot_info *slot)
{
	static const uint8_t zeroes[VNVRAM_SLOT_HEADER_SIZE];

	slot->blank = !memcmp(header, zeroes, sizeof(zeroes));
	slot->generation = get_le64(header + 8);
	slot->size = get_le32(header + 16);
	slot->entries = get_le32(header + 20);
	return !memcmp(header, slot_magic, MAGIC_SIZE) && slot->generation &&
	       slot->size <= store->slot_size - VNVRAM_SLOT_HEADER_SIZE;
}

/* Sets slot->valid from the checksum. */
int slot_check(struct vnvram *store, const uint8_t *header, struct slot_info *slot)
{
	uint8_t digest[DIGEST_SIZE];
	int ret = digest_slot(store, header, slot->payload, slot->size, digest);

	if (!ret)
		slot->valid = !memcmp(header + SLOT_DIGEST_OFFSET, digest, DIGEST_SIZE);
	return ret;
}

static int entry_decode(struct vnvram *store, const uint8_t *p, size_t size, struct error *err)
{
	char name[VNVRAM_NAME_SIZE + 1] = "";
	struct entry *entry;

	memcpy(name, p, VNVRAM_NAME_SIZE);
	entry = vnvram_entry(store, name);
	if (!entry)
		return error_set(err, EPROTO, "%s: holds an entry '%s' that this version "
				 "does not know", store->file, name);
	if (entry->present || size > entry->max_size)
		return error_set(err, EUCLEAN, "%s: damaged: its entry '%s' makes no sense",
				 store->file, name);
	if (entry_set(entry, p + ENTRY_HEADER_SIZE, size))
		return error_set(err, ENOMEM, "%s: out of memory", store->file);
	return 0;
}

/* Loads the entries of a valid slot. */
int slot_decode(struct vnvram *store, const struct slot_info *slot, struct error *err)
{
	const uint8_t *p = slot->payload;
	size_t left = slot->size;

	for (uint32_t i = 0; i < slot->entries; i++) {
		size_t size = left >= ENTRY_HEADER_SIZE ? get_le32(p + VNVRAM_NAME_SIZE) : 0;
		int ret;

		if (left < ENTRY_HEADER_SIZE || size > left - ENTRY_HEADER_SIZE)
			break;
		ret = entry_decode(store, p, size, err);
		if (ret)
			return ret;
		p += ENTRY_HEADER_SIZE + size;
		left -= ENTRY_HEADER_SIZE + size;
		if (i + 1 == slot->entries && left == 0)
			return 0;
	}
	if (slot->entries == 0 && left == 0)
		return 0;
	return error_set(err, EUCLEAN, "%s: damaged: its entries do not fill the slot",
			 store->file);
}
