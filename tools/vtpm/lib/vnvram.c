// SPDX-License-Identifier: GPL-2.0-only
/* The store: entries and requests in memory, loading, committing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vnvram_internal.h"

struct vnvram *vnvram_new(const struct vnvram_identity *identity, const struct vnvram_io *io)
{
	struct vnvram *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->identity = *identity;
	store->io = io;
	store->fd = -1;
	store->last = &store->first;
	return store;
}

void entry_clear(struct entry *entry)
{
	if (entry->data)
		explicit_bzero(entry->data, entry->size);
	free(entry->data);
	entry->data = NULL;
	entry->size = 0;
	entry->present = false;
}

void vnvram_free(struct vnvram *store)
{
	struct request *request;

	if (!store)
		return;
	while ((request = store->first)) {
		store->first = request->next;
		free(request);
	}
	for (unsigned int i = 0; i < store->entry_count; i++)
		entry_clear(&store->entries[i]);
	if (store->slot)
		explicit_bzero(store->slot, store->slot_capacity);
	free(store->slot);
	explicit_bzero(store, sizeof(*store));
	free(store);
}

struct entry *vnvram_entry(const struct vnvram *store, const char *name)
{
	for (unsigned int i = 0; i < store->entry_count; i++)
		if (!strcmp(store->entries[i].name, name))
			return (struct entry *)&store->entries[i];
	return NULL;
}

static bool good_name(const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < size; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return size && size < VNVRAM_NAME_SIZE;
}

int vnvram_register(struct vnvram *store, const char *name, size_t max_size,
		    vnvram_done done, void *opaque)
{
	struct entry *entry;

	if (!good_name(name) || max_size > INT32_MAX / (2 * VNVRAM_MAX_ENTRIES))
		return -EINVAL;
	if (store->started)
		return -EBUSY;
	if (vnvram_entry(store, name))
		return -EEXIST;
	if (store->entry_count == VNVRAM_MAX_ENTRIES)
		return -ENOSPC;
	entry = &store->entries[store->entry_count++];
	*entry = (struct entry){ .max_size = max_size, .done = done, .opaque = opaque };
	strcpy(entry->name, name);
	return 0;
}

int vnvram_deregister(struct vnvram *store, const char *name)
{
	struct entry *entry = vnvram_entry(store, name);

	if (!entry)
		return -ENOENT;
	if (vnvram_outstanding(store, name))
		return -EBUSY;
	store->dirty |= entry->present;
	entry_clear(entry);
	*entry = store->entries[--store->entry_count];
	memset(&store->entries[store->entry_count], 0, sizeof(*entry));
	return 0;
}

uint64_t vnvram_needed_size(const struct vnvram *store)
{
	return VNVRAM_HEADER_SIZE + SLOTS * slot_size_needed(store);
}

void vnvram_attach(struct vnvram *store, int fd, const char *file)
{
	store->fd = fd;
	snprintf(store->file, sizeof(store->file), "%s", file);
}

void vnvram_set_key(struct vnvram *store, const uint8_t *key)
{
	memcpy(store->master, key, VNVRAM_KEY_SIZE);
	store->encrypted = true;
}

/* Refuses a file that holds anything: it could be somebody's TPM. */
static int check_empty(struct vnvram *store, struct error *err)
{
	uint8_t header[VNVRAM_HEADER_SIZE];
	ssize_t n = store->io->pread(store->fd, header, sizeof(header), 0);

	if (n < 0)
		return error_set(err, errno, "%s: cannot read: %s", store->file, strerror(errno));
	for (ssize_t i = 0; i < n; i++)
		if (header[i])
			return error_set(err, EEXIST, "%s: is not empty, nothing is created in it",
					 store->file);
	return 0;
}

static int write_new(struct vnvram *store)
{
	uint8_t sector[SECTOR_SIZE];
	int ret = random_bytes(store->salt, SALT_SIZE);

	if (!ret)
		ret = derive_key(store);
	if (!ret)
		ret = store_zero(store, VNVRAM_HEADER_SIZE, vnvram_needed_size(store));
	if (!ret)
		ret = store_flush(store);
	if (!ret)
		ret = header_encode(store, sector);
	if (!ret)
		ret = store_write(store, sector, sizeof(sector), 0);
	return ret ? ret : store_flush(store);
}

int vnvram_format(struct vnvram *store, struct error *err)
{
	int ret = check_empty(store, err);

	if (ret)
		return ret;
	store->slot_size = slot_size_needed(store);
	ret = write_new(store);
	if (ret)
		return error_set(err, -ret, "%s: cannot create: %s", store->file, strerror(-ret));
	store->active = 1;
	store->generation = 0;
	store->started = true;
	for (unsigned int i = 0; i < store->entry_count; i++)
		if (store->entries[i].done)
			store->entries[i].done(store->entries[i].opaque, store->entries[i].name,
					       VNVRAM_FORMAT, 0);
	return 0;
}

static int check_identity(const struct vnvram *store, const struct header *header,
			  struct error *err)
{
	bool is_20 = header->identity.tpm == VNVRAM_TPM_20;
	char text[UUID_TEXT_SIZE];

	if (!uuid_equal(&header->identity.uuid, &store->identity.uuid))
		return error_set(err, EXDEV, "%s: belongs to another vTPM, %s", store->file,
				 uuid_format(&header->identity.uuid, text));
	if (header->identity.tpm != store->identity.tpm)
		return error_set(err, EXDEV, "%s: holds a TPM %s, but a TPM %s is wanted",
				 store->file, is_20 ? "2.0" : "1.2", is_20 ? "1.2" : "2.0");
	if (header->slot_size < slot_size_needed(store))
		return error_set(err, EFBIG, "%s: its slots of %llu bytes are too small, "
				 "%llu bytes are needed", store->file,
				 (unsigned long long)header->slot_size,
				 (unsigned long long)slot_size_needed(store));
	return 0;
}

/* What was encrypted for somebody else, or not at all, is not ours to choose from. */
static int check_key(const struct vnvram *store, const struct slot_info *slot, struct error *err)
{
	if (slot->encrypted && !store->encrypted)
		return error_set(err, ENOKEY, "%s: is encrypted, and no key was given", store->file);
	if (!slot->encrypted && store->encrypted)
		return error_set(err, EKEYREJECTED, "%s: is not encrypted, although a key was given. "
				 "If that is as it should be, 'vtpmctl store rekey' encrypts it",
				 store->file);
	if (slot->encrypted && memcmp(slot->key_id, store->key_id, VNVRAM_KEY_ID_SIZE))
		return error_set(err, EKEYREJECTED, "%s: is encrypted with another key; 'vtpmctl "
				 "store info' shows which", store->file);
	return 0;
}

static int check_writer(const struct vnvram *store, const struct slot_info *slot,
			struct error *err)
{
	uint32_t have = store->identity.engine, wrote = slot->writer;

	if (have >> 8 >= wrote >> 8)
		return 0;
	return error_set(err, EPROTO, "%s: was written by version %u.%u.%u of the engine's TPM "
			 "library, and this one is %u.%u.%u: an older one does not understand it",
			 store->file, wrote >> 16, wrote >> 8 & 255, wrote & 255, have >> 16,
			 have >> 8 & 255, have & 255);
}

static int no_slot(const struct vnvram *store, const struct slot_info *slots, struct error *err)
{
	if (slots[0].blank && slots[1].blank)
		return error_set(err, EUCLEAN, "%s: nothing was ever stored in it", store->file);
	return error_set(err, EUCLEAN, "%s: damaged: none of its two copies is whole", store->file);
}

/* The whole one with the highest generation; SLOTS, there is none. */
static unsigned int newest_slot(const struct slot_info *slots)
{
	if (!slots[0].whole && !slots[1].whole)
		return SLOTS;
	return !slots[0].whole || (slots[1].whole && slots[1].generation > slots[0].generation);
}

/*
 * Whatever is wrong with the newest whole slot is no reason to go back to an older
 * one: it is no cut-off write.
 */
static int use_slot(struct vnvram *store, const struct header *header,
		    struct slot_info *slots, unsigned int best, struct error *err)
{
	struct slot_info *slot = &slots[best], *other = &slots[!best];
	int ret = check_key(store, slot, err);

	if (!ret)
		ret = check_writer(store, slot, err);
	if (ret)
		return ret;
	if (other->whole && other->generation == slot->generation)
		return error_set(err, EUCLEAN, "%s: damaged: both copies have generation %llu",
				 store->file, (unsigned long long)slot->generation);
	ret = slot->encrypted ? decrypt_body(store, header->digest, slot) : 0;
	if (ret)
		return error_set(err, -ret, ret == -EUCLEAN ? "%s: was tampered with: it was not "
				 "encrypted with the key that it names" :
				 "%s: cannot be decrypted: out of memory", store->file);
	if (!other->blank && !other->whole)
		error_set(&store->warning, 0, "%s: copy %u is not whole (a write was cut off, or "
			  "it is damaged); going on with generation %llu of copy %u",
			  store->file, !best, (unsigned long long)slot->generation, best);
	store->active = best;
	store->generation = slot->generation;
	return header->version == 1 ? v1_slot_decode(store, slot, err) :
		slot_decode(store, slot, err);
}

static int load_slots(struct vnvram *store, const struct header *header,
		      struct slot_info *slots, struct error *err)
{
	unsigned int best;
	int ret = 0;

	for (unsigned int i = 0; i < SLOTS && !ret; i++)
		ret = read_slot(store, header, i, &slots[i]);
	if (ret)
		return error_set(err, -ret, "%s: cannot read: %s", store->file, strerror(-ret));
	best = newest_slot(slots);
	return best == SLOTS ? no_slot(store, slots, err) :
		use_slot(store, header, slots, best, err);
}

static int load(struct vnvram *store, struct header *header, struct slot_info *slots,
		struct error *err)
{
	struct vnvram_owner owner;
	int ret = read_header(store, header, err);

	if (!ret)
		ret = check_identity(store, header, err);
	if (ret)
		return ret;
	store->slot_size = header->slot_size;
	memcpy(store->salt, header->salt, SALT_SIZE);
	memcpy(store->header_digest, header->digest, DIGEST_SIZE);
	ret = derive_key(store);
	if (ret)
		return error_set(err, -ret, "%s: cannot derive its key", store->file);
	ret = load_slots(store, header, slots, err);
	if (ret)
		return ret;
	ret = owner_read(store, &owner);
	if (ret)
		return error_set(err, -ret, "%s: cannot read: %s", store->file, strerror(-ret));
	return owner_check(store, &owner, err);
}

/* Commits what has not changed. */
static int commit_again(struct vnvram *store, struct error *err)
{
	store->dirty = true;
	return vnvram_process(store, err);
}

/*
 * The slot that is not in use becomes one of this version, then the header, a sector, is
 * replaced. Until then the old one leads to the old slot. At last no slot of the
 * old version is left.
 */
static int upgrade(struct vnvram *store, struct error *err)
{
	uint8_t sector[SECTOR_SIZE];
	int ret = random_bytes(store->salt, SALT_SIZE);

	if (!ret)
		ret = derive_key(store);
	if (!ret)
		ret = header_encode(store, sector);
	if (ret)
		return error_set(err, -ret, "%s: out of memory", store->file);
	ret = commit_again(store, err);
	if (ret)
		return ret;
	ret = store_write(store, sector, sizeof(sector), 0);
	if (!ret)
		ret = store_flush(store);
	return ret ? error_set(err, -ret, "%s: cannot bring it to format version %u: %s",
			       store->file, VNVRAM_FORMAT_VERSION, strerror(-ret)) :
		commit_again(store, err);
}

/*
 * Header and newest slot may be in the page cache alone: whoever wrote them died before the
 * flush, or the flush failed, and then a later one would not bring them to the disk. They
 * have to be there before a commit takes the place of the other slot. These are the same
 * bytes again, so a power cut amid them does no harm.
 */
static int settle(struct vnvram *store, const struct slot_info *slot, struct error *err)
{
	int ret = store_write_back(store, VNVRAM_HEADER_SIZE, 0);

	if (!ret)
		ret = store_write_back(store, slot->used,
				       slot_offset(store->slot_size, store->active));
	if (!ret)
		ret = store_flush(store);
	return ret ? error_set(err, -ret, "%s: cannot make durable what was read from it: %s",
			       store->file, strerror(-ret)) : 0;
}

static int start(struct vnvram *store, struct error *err)
{
	struct slot_info slots[SLOTS] = { 0 };
	struct header header = { 0 };
	int ret = load(store, &header, slots, err);

	if (!ret && !store->read_only)
		ret = settle(store, &slots[store->active], err);
	for (unsigned int i = 0; i < SLOTS; i++)
		forget_slot(&slots[i]);
	if (!ret && !store->read_only && header.version != VNVRAM_FORMAT_VERSION)
		ret = upgrade(store, err);
	store->started = !ret;
	return ret;
}

int vnvram_start(struct vnvram *store, struct error *err)
{
	return start(store, err);
}

int vnvram_start_read_only(struct vnvram *store, struct error *err)
{
	store->read_only = true;
	return start(store, err);
}

const char *vnvram_warning(const struct vnvram *store)
{
	return store->warning.text;
}

int vnvram_read(const struct vnvram *store, const char *name,
		const void **data, size_t *size)
{
	struct entry *entry = vnvram_entry(store, name);

	if (!entry || !entry->present)
		return -ENOENT;
	if (data)
		*data = entry->data;
	if (size)
		*size = entry->size;
	return 0;
}

int entry_set(struct entry *entry, const void *data, size_t size)
{
	uint8_t *copy = NULL;

	if (size) {
		copy = malloc(size);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, data, size);
	}
	entry_clear(entry);
	entry->data = copy;
	entry->size = size;
	entry->present = true;
	return 0;
}

/* Where nobody is called back, one request stands for all of an entry. */
static struct request *new_request(struct vnvram *store, const struct entry *entry,
				   enum vnvram_op op, bool *needed)
{
	struct request *request;

	*needed = entry->done || !vnvram_outstanding(store, entry->name);
	if (!*needed)
		return NULL;
	request = calloc(1, sizeof(*request));
	if (!request)
		return NULL;
	strcpy(request->name, entry->name);
	request->op = op;
	return request;
}

static void hand_in(struct vnvram *store, struct request *request, ssize_t result)
{
	if (!request)
		return;
	request->result = result;
	*store->last = request;
	store->last = &request->next;
}

/* What comes before it has been done to the entry already, so its turn is now. */
int vnvram_read_async(struct vnvram *store, const char *name, void *buffer, size_t room)
{
	struct entry *entry = vnvram_entry(store, name);
	struct request *request;
	ssize_t result;
	bool needed;

	if (!entry)
		return -ENOENT;
	request = new_request(store, entry, VNVRAM_READ, &needed);
	if (needed && !request)
		return -ENOMEM;
	result = !entry->present ? -ENOENT : entry->size > room ? -EFBIG : (ssize_t)entry->size;
	if (result > 0)
		memcpy(buffer, entry->data, result);
	hand_in(store, request, result);
	return 0;
}

int vnvram_write_async(struct vnvram *store, const char *name, const void *data, size_t size)
{
	struct entry *entry = vnvram_entry(store, name);
	struct request *request;
	bool needed, same;

	if (!entry)
		return -ENOENT;
	if (size > entry->max_size)
		return -EFBIG;
	same = entry->present && entry->size == size && (!size || !memcmp(entry->data, data, size));
	if (same && !entry->done)
		return 0;
	request = new_request(store, entry, VNVRAM_WRITE, &needed);
	if ((needed && !request) || (!same && entry_set(entry, data, size))) {
		free(request);
		return -ENOMEM;
	}
	store->dirty |= !same;
	hand_in(store, request, size);
	return 0;
}

int vnvram_write(struct vnvram *store, const char *name, const void *data, size_t size,
		 struct error *err)
{
	int ret = vnvram_write_async(store, name, data, size);

	if (ret)
		return error_set(err, -ret, "%s: cannot take %zu bytes for entry '%s': %s",
				 store->file, size, name, strerror(-ret));
	return vnvram_wait(store, name, err);
}

int vnvram_clear_async(struct vnvram *store, const char *name)
{
	struct entry *entry = vnvram_entry(store, name);
	struct request *request;
	bool needed;

	if (!entry || !entry->present)
		return -ENOENT;
	request = new_request(store, entry, VNVRAM_CLEAR, &needed);
	if (needed && !request)
		return -ENOMEM;
	entry_clear(entry);
	store->dirty = true;
	hand_in(store, request, 0);
	return 0;
}

bool vnvram_dirty(const struct vnvram *store)
{
	return store->dirty;
}

unsigned int vnvram_outstanding(const struct vnvram *store, const char *name)
{
	unsigned int count = 0;

	for (struct request *request = store->first; request; request = request->next)
		count += !name || !strcmp(request->name, name);
	return count;
}

/* Those that the callbacks hand in are for the next round. */
static void call_back(struct vnvram *store)
{
	struct request *request = store->first, *next;

	store->first = NULL;
	store->last = &store->first;
	for (; request; request = next) {
		struct entry *entry = vnvram_entry(store, request->name);

		next = request->next;
		if (entry && entry->done)
			entry->done(entry->opaque, entry->name, request->op, request->result);
		free(request);
	}
}

/* All of these may be gone at the next attempt. */
static bool is_hopeless(int code)
{
	return code == EBADF || code == EINVAL || code == EFAULT || code == ESPIPE ||
	       code == EOPNOTSUPP;
}

static int commit(struct vnvram *store, struct error *err)
{
	uint64_t last = store->generation > store->floor ? store->generation : store->floor;
	size_t size;
	int ret;

	if (store->read_only)
		return error_set(err, EROFS, "%s: was opened to be read only", store->file);
	store->fatal |= last >= GENERATION_MAX;
	if (last >= GENERATION_MAX)
		return error_set(err, EOVERFLOW, "%s: damaged: no commit can come after generation "
				 "%llu", store->file, (unsigned long long)last);
	ret = slot_encode(store, last + 1, &size);
	if (!ret)
		ret = store_write(store, store->slot, size, slot_offset(store->slot_size, !store->active));
	/* A failed flush may have dropped the data: a repetition writes it again. */
	if (!ret)
		ret = store_flush(store);
	if (ret) {
		store->fatal |= is_hopeless(-ret);
		return error_set(err, -ret, "%s: cannot store: %s", store->file, strerror(-ret));
	}
	store->active = !store->active;
	store->generation = last + 1;
	store->dirty = false;
	return 0;
}

int vnvram_process(struct vnvram *store, struct error *err)
{
	int ret = store->dirty ? commit(store, err) : 0;

	if (!ret)
		call_back(store);
	return ret;
}

int vnvram_wait(struct vnvram *store, const char *name, struct error *err)
{
	int ret = 0;

	while (!ret && vnvram_outstanding(store, name))
		ret = vnvram_process(store, err);
	return ret;
}

bool vnvram_had_fatal_error(const struct vnvram *store)
{
	return store->fatal;
}

uint64_t vnvram_generation(const struct vnvram *store)
{
	return store->generation;
}

void vnvram_skip(struct vnvram *store, uint64_t generation)
{
	if (store->floor < generation)
		store->floor = generation;
	store->dirty = true;
}

uint64_t vnvram_id(const struct vnvram *store)
{
	uint64_t id;

	memcpy(&id, store->header_digest, sizeof(id));
	return id;
}

static int change_key(struct vnvram *store, const uint8_t *key, struct error *err)
{
	int ret;

	if (key)
		memcpy(store->master, key, VNVRAM_KEY_SIZE);
	else
		explicit_bzero(store->master, VNVRAM_KEY_SIZE);
	store->encrypted = key;
	ret = derive_key(store);
	return ret ? error_set(err, -ret, "%s: cannot derive its key", store->file) : 0;
}

/* The rest of a slot may hold the end of a longer, older commit. */
static int wipe_slot(struct vnvram *store, unsigned int number, struct error *err)
{
	off_t from = slot_offset(store->slot_size, number);
	int ret = store_zero(store, from, from + store->slot_size);

	if (!ret)
		ret = store_flush(store);
	return ret ? error_set(err, -ret, "%s: cannot wipe: %s", store->file, strerror(-ret)) : 0;
}

int vnvram_rekey(struct vnvram *store, const uint8_t *key, struct error *err)
{
	int ret;

	if (store->first)
		return error_set(err, EBUSY, "%s: has outstanding requests", store->file);
	ret = change_key(store, key, err);
	for (unsigned int i = 0; i < SLOTS && !ret; i++) {
		ret = wipe_slot(store, !store->active, err);
		if (!ret)
			ret = commit_again(store, err);
	}
	return ret;
}

/* Nobody shall find the older contents when the newer ones are wiped already. */
static int wipe_older(struct vnvram *store, struct error *err)
{
	struct vnvram_info info;
	int ret = vnvram_inspect(store->fd, store->file, store->io, &info, err);

	if (ret == -EINVAL || ret == -ENODATA || ret == -EPROTO || ret == -EUCLEAN)
		return 0;
	if (ret)
		return ret;
	store->slot_size = info.slot_size;
	return wipe_slot(store, info.slots[0] > info.slots[1], err);
}

int vnvram_delete(struct vnvram *store, struct error *err)
{
	uint64_t size;
	int ret = store_size(store, &size, err);

	if (!ret)
		ret = wipe_older(store, err);
	if (ret)
		return ret;
	ret = store_zero(store, VNVRAM_HEADER_SIZE, size);
	if (!ret)
		ret = store_flush(store);
	if (!ret)
		ret = store_zero(store, 0, VNVRAM_HEADER_SIZE);
	if (!ret)
		ret = store_flush(store);
	store->started = false;
	store->taken = false;
	return ret ? error_set(err, -ret, "%s: cannot wipe: %s", store->file, strerror(-ret)) : 0;
}
