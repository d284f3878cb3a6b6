// SPDX-License-Identifier: GPL-2.0-only
/* The store: entries in memory, loading, committing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vnvram_internal.h"

struct vnvram *vnvram_new(const struct uuid *uuid, enum vnvram_tpm tpm,
			  const struct vnvram_io *io)
{
	struct vnvram *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->uuid = *uuid;
	store->tpm = tpm;
	store->io = io;
	store->fd = -1;
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
	if (!store)
		return;
	for (unsigned int i = 0; i < store->entry_count; i++)
		entry_clear(&store->entries[i]);
	if (store->slot)
		explicit_bzero(store->slot, store->slot_capacity);
	free(store->slot);
	free(store);
}

struct entry *vnvram_entry(const struct vnvram *store, const char *name)
{
	for (unsigned int i = 0; i < store->entry_count; i++)
		if (!strcmp(store->entries[i].name, name))
			return (struct entry *)&store->entries[i];
	return NULL;
}

int vnvram_register(struct vnvram *store, const char *name, size_t max_size)
{
	struct entry *entry;

	if (!*name || strlen(name) >= VNVRAM_NAME_SIZE || max_size > UINT32_MAX / 16)
		return -EINVAL;
	if (store->started)
		return -EBUSY;
	if (vnvram_entry(store, name))
		return -EEXIST;
	if (store->entry_count == VNVRAM_MAX_ENTRIES)
		return -ENOSPC;
	entry = &store->entries[store->entry_count++];
	memset(entry, 0, sizeof(*entry));
	strcpy(entry->name, name);
	entry->max_size = max_size;
	return 0;
}

int vnvram_deregister(struct vnvram *store, const char *name)
{
	struct entry *entry = vnvram_entry(store, name);

	if (!entry)
		return -ENOENT;
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

int vnvram_lock(struct vnvram *store, struct error *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(store->fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return error_set(err, EBUSY, "%s: another engine runs this vTPM", store->file);
	return error_set(err, errno, "%s: cannot lock: %s", store->file, strerror(errno));
}

static int write_at(struct vnvram *store, const void *buf, size_t size, off_t offset)
{
	ssize_t n = store->io->pwrite(store->fd, buf, size, offset);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

static int read_at(struct vnvram *store, void *buf, size_t size, off_t offset)
{
	ssize_t n = store->io->pread(store->fd, buf, size, offset);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
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
	static const uint8_t zeroes[4096];
	uint8_t header[VNVRAM_HEADER_SIZE];
	uint64_t size = vnvram_needed_size(store);
	int ret = 0;

	for (uint64_t at = VNVRAM_HEADER_SIZE; !ret && at < size; at += sizeof(zeroes))
		ret = write_at(store, zeroes, sizeof(zeroes), at);
	if (!ret)
		ret = header_encode(store, header);
	if (!ret)
		ret = write_at(store, header, sizeof(header), 0);
	if (!ret && store->io->fdatasync(store->fd))
		ret = -errno;
	return ret;
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
	return 0;
}

static int load_header(struct vnvram *store, struct error *err)
{
	uint8_t header[VNVRAM_HEADER_SIZE];
	off_t size = lseek(store->fd, 0, SEEK_END);
	int ret;

	if (size < 0)
		return error_set(err, errno, "%s: cannot find its size: %s", store->file,
				 strerror(errno));
	if (size == 0)
		return error_set(err, ENODATA, "%s: is empty", store->file);
	if (size < VNVRAM_HEADER_SIZE)
		return error_set(err, ENODATA, "%s: truncated: it has only %lld bytes",
				 store->file, (long long)size);
	ret = read_at(store, header, sizeof(header), 0);
	if (ret)
		return error_set(err, -ret, "%s: cannot read: %s", store->file, strerror(-ret));
	return header_decode(store, header, size, err);
}

/* Fills in @slot; whoever calls frees slot->payload. */
static int load_slot(struct vnvram *store, unsigned int number, struct slot_info *slot)
{
	uint8_t header[VNVRAM_SLOT_HEADER_SIZE];
	off_t offset = slot_offset(store, number);
	int ret;

	memset(slot, 0, sizeof(*slot));
	ret = read_at(store, header, sizeof(header), offset);
	if (ret || !slot_header_plausible(store, header, slot))
		return ret;
	slot->payload = malloc(slot->size ? slot->size : 1);
	if (!slot->payload)
		return -ENOMEM;
	ret = read_at(store, slot->payload, slot->size, offset + VNVRAM_SLOT_HEADER_SIZE);
	return ret ? ret : slot_check(store, header, slot);
}

/* Chooses between two slots that have been read. */
static int use_best_slot(struct vnvram *store, const struct slot_info *slots, struct error *err)
{
	unsigned int best;

	if (!slots[0].valid && !slots[1].valid && slots[0].blank && slots[1].blank)
		return error_set(err, EUCLEAN, "%s: nothing was ever stored in it", store->file);
	if (!slots[0].valid && !slots[1].valid)
		return error_set(err, EUCLEAN, "%s: damaged: none of its two copies is whole",
				 store->file);
	if (slots[0].valid && slots[1].valid && slots[0].generation == slots[1].generation)
		return error_set(err, EUCLEAN, "%s: damaged: both copies have generation %llu",
				 store->file, (unsigned long long)slots[0].generation);
	best = !slots[0].valid ||
	       (slots[1].valid && slots[1].generation > slots[0].generation);
	if (!slots[!best].valid && !slots[!best].blank)
		error_set(&store->warning, 0, "%s: copy %u is not whole (a write was cut off, or "
			  "it is damaged); going on with generation %llu of copy %u",
			  store->file, !best, (unsigned long long)slots[best].generation, best);
	store->active = best;
	store->generation = slots[best].generation;
	return slot_decode(store, &slots[best], err);
}

int vnvram_start(struct vnvram *store, struct error *err)
{
	struct slot_info slots[SLOTS] = { 0 };
	int ret = load_header(store, err);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < SLOTS && !ret; i++)
		ret = load_slot(store, i, &slots[i]);
	if (ret)
		ret = error_set(err, -ret, "%s: cannot read: %s", store->file, strerror(-ret));
	else
		ret = use_best_slot(store, slots, err);
	store->started = !ret;
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (slots[i].payload)
			explicit_bzero(slots[i].payload, slots[i].size);
		free(slots[i].payload);
	}
	return ret;
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

int vnvram_write(struct vnvram *store, const char *name, const void *data, size_t size)
{
	struct entry *entry = vnvram_entry(store, name);
	int ret;

	if (!entry)
		return -ENOENT;
	if (size > entry->max_size)
		return -EFBIG;
	if (entry->present && entry->size == size &&
	    (!size || !memcmp(entry->data, data, size)))
		return 0;
	ret = entry_set(entry, data, size);
	store->dirty |= !ret;
	return ret;
}

int vnvram_delete(struct vnvram *store, const char *name)
{
	struct entry *entry = vnvram_entry(store, name);

	if (!entry || !entry->present)
		return -ENOENT;
	entry_clear(entry);
	store->dirty = true;
	return 0;
}

bool vnvram_dirty(const struct vnvram *store)
{
	return store->dirty;
}

static bool may_pass(int code)
{
	return code == ENOSPC || code == EDQUOT || code == EIO || code == ENOMEM ||
	       code == EINTR || code == EAGAIN || code == ETIMEDOUT;
}

int vnvram_commit(struct vnvram *store, struct error *err)
{
	size_t size;
	int ret;

	if (!store->dirty)
		return 0;
	ret = slot_encode(store, store->generation + 1, &size);
	if (!ret)
		ret = write_at(store, store->slot, size, slot_offset(store, !store->active));
	/* A failed flush may have dropped the data: a repetition writes it again. */
	if (!ret && store->io->fdatasync(store->fd))
		ret = -errno;
	if (ret) {
		store->fatal |= !may_pass(-ret);
		return error_set(err, -ret, "%s: cannot store: %s", store->file, strerror(-ret));
	}
	store->active = !store->active;
	store->generation++;
	store->dirty = false;
	return 0;
}

bool vnvram_had_fatal_error(const struct vnvram *store)
{
	return store->fatal;
}

uint64_t vnvram_generation(const struct vnvram *store)
{
	return store->generation;
}
