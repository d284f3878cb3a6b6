// SPDX-License-Identifier: GPL-2.0-only
/* The bytes of a store, which Documentation/vnvram.asn describes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "der.h"
#include "vnvram_internal.h"

static const char format_name[] = "xen-vtpm store";

/* Slots are whole blocks. */
#define BLOCK_SIZE	4096
/* What a commit needs beside the entries, at most. */
#define SLOT_OVERHEAD	256
#define MAX_SLOT_SIZE	(1U << 30)

static size_t entry_room(size_t name_size, size_t size)
{
	return der_size(der_size(name_size) + der_size(size));
}

uint64_t slot_size_needed(const struct vnvram *store)
{
	uint64_t size = SLOT_OVERHEAD;

	for (unsigned int i = 0; i < store->entry_count; i++)
		size += entry_room(VNVRAM_NAME_SIZE - 1, store->entries[i].max_size);
	return (size + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
}

static size_t content_size(const struct vnvram *store)
{
	return der_size(strlen(format_name)) + der_number_size(VNVRAM_FORMAT_VERSION) +
	       der_size(UUID_SIZE) + der_number_size(store->identity.tpm) +
	       der_number_size(store->identity.engine) + der_number_size(store->slot_size) +
	       der_size(SALT_SIZE);
}

/* Also notes the digest, which the slots refer to. */
int header_encode(struct vnvram *store, uint8_t *sector)
{
	size_t size = content_size(store);
	struct bytes content;
	uint8_t *at = sector;
	int ret;

	memset(sector, 0, SECTOR_SIZE);
	at = der_put_start(at, DER_SEQUENCE, der_size(size) + der_size(DIGEST_SIZE));
	content = (struct bytes){ at, der_size(size) };
	at = der_put_start(at, DER_SEQUENCE, size);
	at = der_put(at, DER_UTF8, format_name, strlen(format_name));
	at = der_put_number(at, DER_INTEGER, VNVRAM_FORMAT_VERSION);
	at = der_put(at, DER_OCTETS, store->identity.uuid.b, UUID_SIZE);
	at = der_put_number(at, DER_ENUMERATED, store->identity.tpm);
	at = der_put_number(at, DER_INTEGER, store->identity.engine);
	at = der_put_number(at, DER_INTEGER, store->slot_size);
	at = der_put(at, DER_OCTETS, store->salt, SALT_SIZE);
	ret = digest_parts(&content, 1, store->header_digest);
	der_put(at, DER_OCTETS, store->header_digest, DIGEST_SIZE);
	return ret;
}

static int decode_rest(struct header *header, struct der_reader *content)
{
	uint64_t tpm, engine;

	if (der_read_fixed(content, header->identity.uuid.b, UUID_SIZE) ||
	    der_read_number(content, DER_ENUMERATED, &tpm) ||
	    der_read_number(content, DER_INTEGER, &engine) ||
	    der_read_number(content, DER_INTEGER, &header->slot_size) ||
	    der_read_fixed(content, header->salt, SALT_SIZE) || content->left ||
	    (tpm != VNVRAM_TPM_12 && tpm != VNVRAM_TPM_20) || engine > UINT32_MAX ||
	    !header->slot_size || header->slot_size > MAX_SLOT_SIZE ||
	    header->slot_size % BLOCK_SIZE)
		return -EINVAL;
	header->identity.tpm = tpm;
	header->identity.engine = engine;
	return 0;
}

static int decode_content(struct header *header, struct der_reader content, const char *file,
			  struct error *err)
{
	char name[sizeof(format_name)];
	uint64_t version;

	if (der_read_text(&content, name, sizeof(name)) || strcmp(name, format_name) ||
	    der_read_number(&content, DER_INTEGER, &version))
		return error_set(err, EINVAL, "%s: is not the state of a vTPM, or its header "
				 "was overwritten", file);
	if (version != VNVRAM_FORMAT_VERSION)
		return error_set(err, EPROTO, "%s: has format version %llu, only versions 1 to %u "
				 "are known", file, (unsigned long long)version,
				 VNVRAM_FORMAT_VERSION);
	header->version = version;
	return decode_rest(header, &content) ?
		error_set(err, EUCLEAN, "%s: damaged: its header makes no sense", file) : 0;
}

int header_decode(struct header *header, const uint8_t *sector, const char *file,
		  struct error *err)
{
	struct der_reader reader = { sector, SECTOR_SIZE }, outer, content;
	uint8_t written[DIGEST_SIZE];
	struct bytes covered;

	if (der_enter(&reader, DER_SEQUENCE, &outer))
		return error_set(err, EINVAL, "%s: is not the state of a vTPM, or its header "
				 "was overwritten", file);
	covered.at = outer.at;
	if (der_enter(&outer, DER_SEQUENCE, &content))
		return error_set(err, EINVAL, "%s: is not the state of a vTPM, or its header "
				 "was overwritten", file);
	covered.size = outer.at - (const uint8_t *)covered.at;
	if (digest_parts(&covered, 1, header->digest))
		return error_set(err, ENOMEM, "%s: cannot compute a checksum", file);
	if (der_read_fixed(&outer, written, DIGEST_SIZE) || outer.left ||
	    memcmp(written, header->digest, DIGEST_SIZE))
		return error_set(err, EUCLEAN, "%s: damaged: the checksum of its header is wrong",
				 file);
	return decode_content(header, content, file, err);
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

static size_t entry_content_size(const struct entry *entry)
{
	return der_size(strlen(entry->name)) + der_size(entry->size);
}

static size_t entries_size(const struct vnvram *store)
{
	size_t size = 0;

	for (unsigned int i = 0; i < store->entry_count; i++)
		if (store->entries[i].present)
			size += der_size(entry_content_size(&store->entries[i]));
	return size;
}

static uint8_t *put_entries(const struct vnvram *store, uint8_t *at, size_t size)
{
	at = der_put_start(at, DER_SEQUENCE, size);
	for (unsigned int i = 0; i < store->entry_count; i++) {
		const struct entry *entry = &store->entries[i];

		if (!entry->present)
			continue;
		at = der_put_start(at, DER_SEQUENCE, entry_content_size(entry));
		at = der_put(at, DER_UTF8, entry->name, strlen(entry->name));
		at = der_put(at, DER_OCTETS, entry->data, entry->size);
	}
	return at;
}

static uint8_t *put_head(const struct vnvram *store, uint8_t *at, const struct slot_info *slot,
			 size_t size, size_t encryption)
{
	at = der_put_start(at, DER_SEQUENCE, size);
	at = der_put_number(at, DER_INTEGER, slot->generation);
	at = der_put_number(at, DER_INTEGER, store->identity.engine);
	if (!encryption)
		return at;
	at = der_put_start(at, DER_SEQUENCE, encryption);
	at = der_put(at, DER_OCTETS, store->key_id, VNVRAM_KEY_ID_SIZE);
	return der_put(at, DER_OCTETS, slot->nonce, NONCE_SIZE);
}

static int slot_checksum(const uint8_t *header_digest, const struct slot_info *slot,
			 uint8_t *result)
{
	const struct bytes parts[] = {
		{ header_digest, DIGEST_SIZE },
		{ slot->head, slot->head_size },
		{ slot->body, slot->body_size },
	};

	return digest_parts(parts, 3, result);
}

/* Builds the image of a slot in store->slot: head, body, checksum. */
int slot_encode(struct vnvram *store, uint64_t generation, size_t *size)
{
	struct slot_info slot = { .generation = generation, .encrypted = store->encrypted };
	size_t encryption = slot.encrypted ?
		der_size(VNVRAM_KEY_ID_SIZE) + der_size(NONCE_SIZE) : 0;
	size_t head = der_number_size(generation) + der_number_size(store->identity.engine) +
		      (encryption ? der_size(encryption) : 0);
	size_t entries = entries_size(store), content;
	uint8_t *at;
	int ret;

	slot.head_size = der_size(head);
	slot.body_size = der_size(entries) + (slot.encrypted ? TAG_SIZE : 0);
	content = slot.head_size + der_size(slot.body_size) + der_size(DIGEST_SIZE);
	*size = der_size(content);
	ret = slot_reserve(store, *size);
	if (!ret && slot.encrypted)
		ret = random_bytes(slot.nonce, NONCE_SIZE);
	if (ret)
		return ret;
	at = der_put_start(store->slot, DER_SEQUENCE, content);
	slot.head = at;
	at = put_head(store, at, &slot, head, encryption);
	at = der_put_start(at, DER_OCTETS, slot.body_size);
	slot.body = at;
	put_entries(store, at, entries);
	if (slot.encrypted)
		ret = encrypt_body(store, &slot);
	at = der_put_start(at + slot.body_size, DER_OCTETS, DIGEST_SIZE);
	return ret ? ret : slot_checksum(store->header_digest, &slot, at);
}

static int parse_head(struct slot_info *slot, struct der_reader head)
{
	struct der_reader encryption;
	uint64_t writer;

	if (der_read_number(&head, DER_INTEGER, &slot->generation) || !slot->generation ||
	    slot->generation > GENERATION_MAX ||
	    der_read_number(&head, DER_INTEGER, &writer) || writer > UINT32_MAX)
		return -EINVAL;
	slot->writer = writer;
	slot->encrypted = head.left;
	if (!head.left)
		return 0;
	if (der_enter(&head, DER_SEQUENCE, &encryption) || head.left ||
	    der_read_fixed(&encryption, slot->key_id, VNVRAM_KEY_ID_SIZE) ||
	    der_read_fixed(&encryption, slot->nonce, NONCE_SIZE) || encryption.left)
		return -EINVAL;
	return slot->body_size < TAG_SIZE ? -EINVAL : 0;
}

/* Finds the parts of a slot, and says whether it is whole. */
int slot_parse(const struct header *header, struct slot_info *slot)
{
	struct der_reader reader = { slot->bytes, slot->size }, outer, head, body;
	uint8_t written[DIGEST_SIZE], computed[DIGEST_SIZE];

	if (der_enter(&reader, DER_SEQUENCE, &outer))
		return 0;
	slot->head = outer.at;
	slot->used = outer.at + outer.left - slot->bytes;
	if (der_enter(&outer, DER_SEQUENCE, &head))
		return 0;
	slot->head_size = outer.at - slot->head;
	if (der_enter(&outer, DER_OCTETS, &body) ||
	    der_read_fixed(&outer, written, DIGEST_SIZE) || outer.left)
		return 0;
	slot->body = slot->bytes + (body.at - slot->bytes);
	slot->body_size = body.left;
	if (slot_checksum(header->digest, slot, computed))
		return -ENOMEM;
	slot->whole = !memcmp(written, computed, DIGEST_SIZE) && !parse_head(slot, head);
	return 0;
}

static int entry_decode(struct vnvram *store, struct der_reader *entries, struct error *err)
{
	struct der_reader content, data;
	char name[VNVRAM_NAME_SIZE];
	struct entry *entry;

	if (der_enter(entries, DER_SEQUENCE, &content) ||
	    der_read_text(&content, name, sizeof(name)) ||
	    der_enter(&content, DER_OCTETS, &data) || content.left)
		return error_set(err, EUCLEAN, "%s: damaged: its entries make no sense",
				 store->file);
	entry = vnvram_entry(store, name);
	if (!entry)
		return error_set(err, EPROTO, "%s: holds an entry '%s' that this version "
				 "does not know", store->file, name);
	if (entry->present || data.left > entry->max_size)
		return error_set(err, EUCLEAN, "%s: damaged: its entry '%s' makes no sense",
				 store->file, name);
	if (entry_set(entry, data.at, data.left))
		return error_set(err, ENOMEM, "%s: out of memory", store->file);
	return 0;
}

/* Loads the entries of a whole slot, decrypted. */
int slot_decode(struct vnvram *store, const struct slot_info *slot, struct error *err)
{
	struct der_reader reader = { slot->body, slot->body_size }, entries;
	int ret = 0;

	if (der_enter(&reader, DER_SEQUENCE, &entries) || reader.left)
		return error_set(err, EUCLEAN, "%s: damaged: its entries do not fill the slot",
				 store->file);
	while (!ret && entries.left)
		ret = entry_decode(store, &entries, err);
	return ret;
}
