// SPDX-License-Identifier: GPL-2.0-only
/* The store's bytes, from and to its file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "der.h"
#include "vnvram_internal.h"

int store_write(struct vnvram *store, const void *bytes, size_t size, off_t offset)
{
	ssize_t n = store->io->pwrite(store->fd, bytes, size, offset);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

int store_read(const struct vnvram *store, void *bytes, size_t size, off_t offset)
{
	ssize_t n = store->io->pread(store->fd, bytes, size, offset);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

int store_zero(struct vnvram *store, uint64_t from, uint64_t to)
{
	static const uint8_t zeroes[16384];
	int ret = 0;

	while (!ret && from < to) {
		size_t size = to - from < sizeof(zeroes) ? to - from : sizeof(zeroes);

		ret = store_write(store, zeroes, size, from);
		from += size;
	}
	return ret;
}

int store_flush(struct vnvram *store)
{
	return store->io->fdatasync(store->fd) ? -errno : 0;
}

/* Writes what can be read there, so that the next flush is about it. */
int store_write_back(struct vnvram *store, size_t size, off_t offset)
{
	uint8_t *bytes = malloc(size);
	int ret = bytes ? store_read(store, bytes, size, offset) : -ENOMEM;

	if (!ret)
		ret = store_write(store, bytes, size, offset);
	if (bytes)
		explicit_bzero(bytes, size);
	free(bytes);
	return ret;
}

int store_size(const struct vnvram *store, uint64_t *size, struct error *err)
{
	off_t end = lseek(store->fd, 0, SEEK_END);

	if (end < 0)
		return error_set(err, errno, "%s: cannot find its size: %s", store->file,
				 strerror(errno));
	*size = end;
	return 0;
}

off_t slot_offset(uint64_t slot_size, unsigned int number)
{
	return VNVRAM_HEADER_SIZE + number * slot_size;
}

static int check_file_size(const struct vnvram *store, const struct header *header,
			   uint64_t size, struct error *err)
{
	uint64_t declared = slot_offset(header->slot_size, SLOTS);

	if (size >= declared)
		return 0;
	return error_set(err, ENODATA, "%s: truncated: it has %llu bytes and was made with %llu",
			 store->file, (unsigned long long)size, (unsigned long long)declared);
}

int read_header(const struct vnvram *store, struct header *header, struct error *err)
{
	uint8_t bytes[VNVRAM_HEADER_SIZE];
	uint64_t size;
	int ret = store_size(store, &size, err);

	/* Not every version says everything. */
	memset(header, 0, sizeof(*header));
	if (ret)
		return ret;
	if (size == 0)
		return error_set(err, ENODATA, "%s: is empty", store->file);
	if (size < VNVRAM_HEADER_SIZE)
		return error_set(err, ENODATA, "%s: truncated: it has only %llu bytes",
				 store->file, (unsigned long long)size);
	ret = store_read(store, bytes, sizeof(bytes), 0);
	if (ret)
		return error_set(err, -ret, "%s: cannot read: %s", store->file, strerror(-ret));
	ret = v1_header(bytes) ? v1_header_decode(header, bytes, store->file, err) :
		header_decode(header, bytes, store->file, err);
	return ret ? ret : check_file_size(store, header, size, err);
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

/*
 * How much of a slot is to be read: what it says that it takes, which is a small part of it. All of
 * it, where that makes no sense: it is blank, of the first version, or damaged.
 */
static int slot_bytes(const struct vnvram *store, const struct header *header, off_t offset,
		      size_t *size)
{
	/* Longer than any length that der_enter() looks at. */
	uint8_t head[SECTOR_SIZE];
	struct der_reader reader = { head, header->slot_size }, content;
	int ret = store_read(store, head, sizeof(head), offset);

	*size = header->slot_size;
	if (!ret && !der_enter(&reader, DER_SEQUENCE, &content))
		*size = content.at - head + content.left;
	return ret;
}

int read_slot(const struct vnvram *store, const struct header *header, unsigned int number,
	      struct slot_info *slot)
{
	off_t offset = slot_offset(header->slot_size, number);
	int ret;

	memset(slot, 0, sizeof(*slot));
	ret = slot_bytes(store, header, offset, &slot->size);
	if (ret)
		return ret;
	slot->bytes = malloc(slot->size);
	if (!slot->bytes)
		return -ENOMEM;
	ret = store_read(store, slot->bytes, slot->size, offset);
	if (ret)
		return ret;
	slot->blank = is_zero(slot->bytes, slot->size);
	return header->version == 1 ? v1_slot_parse(header, slot) : slot_parse(header, slot);
}

void forget_slot(struct slot_info *slot)
{
	if (slot->bytes)
		explicit_bzero(slot->bytes, slot->size);
	free(slot->bytes);
	slot->bytes = NULL;
}
