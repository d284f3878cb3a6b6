/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vNVRAM: the store of one vTPM.
 *
 * A store is one file or block device that is already open. It holds named
 * entries, each with a fixed maximum size. Writes and deletes stay in memory;
 * vnvram_commit() makes them durable all together: after a power cut the store
 * holds what it held before the commit or what it holds after it, nothing else.
 *
 * Order of calls: vnvram_new, vnvram_register for each entry, vnvram_attach,
 * vnvram_lock, then vnvram_format (a new store) or vnvram_start (an existing one),
 * then reads, writes and commits, and vnvram_free. A store is used by one thread.
 *
 * Layout, all integers little-endian:
 *
 *   0                     header, VNVRAM_HEADER_SIZE bytes
 *   4096                  slot 0
 *   4096 + slot size      slot 1
 *
 *   header: 0 magic "xenvtpm\n", 8 u32 format version, 12 u32 TPM version (12 or 20),
 *           16 UUID, 32 u64 slot size, 40 u64 size of the whole store, zeroes,
 *           4064 SHA-256 of all before it
 *   slot:   0 magic "vtpmslot", 8 u64 generation, 16 u32 length of the payload,
 *           20 u32 number of entries, 24 zeroes, 32 SHA-256 of the header's SHA-256,
 *           the slot's first 32 bytes and the payload; 64 payload
 *   entry:  0 name padded with zeroes, 24 u32 length, 28 zeroes, 32 data
 */
#ifndef VTPM_VNVRAM_H
#define VTPM_VNVRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "uuid.h"

#define VNVRAM_FORMAT_VERSION	1
#define VNVRAM_HEADER_SIZE	4096
#define VNVRAM_SLOT_HEADER_SIZE	64
#define VNVRAM_NAME_SIZE	24
#define VNVRAM_MAX_ENTRIES	8

/**
 * enum vnvram_tpm - kind of TPM that a store belongs to
 * @VNVRAM_TPM_12: TPM 1.2
 * @VNVRAM_TPM_20: TPM 2.0
 */
enum vnvram_tpm {
	VNVRAM_TPM_12 = 12,
	VNVRAM_TPM_20 = 20,
};

/**
 * struct vnvram_io - how a store reaches its file
 * @pread: as pread(2)
 * @pwrite: as pwrite(2)
 * @fdatasync: as fdatasync(2)
 *
 * A seam for tests, which let these fail.
 */
struct vnvram_io {
	ssize_t (*pread)(int fd, void *buf, size_t size, off_t offset);
	ssize_t (*pwrite)(int fd, const void *buf, size_t size, off_t offset);
	int (*fdatasync)(int fd);
};

/* The system calls themselves. */
extern const struct vnvram_io vnvram_system_io;

struct vnvram;

/**
 * vnvram_new - set up a store in memory
 * @uuid: the vTPM that it belongs to
 * @tpm: kind of TPM
 * @io: how to reach the file; outlives the store
 *
 * Return: the store, or NULL with errno ENOMEM.
 */
struct vnvram *vnvram_new(const struct uuid *uuid, enum vnvram_tpm tpm,
			  const struct vnvram_io *io);

/**
 * vnvram_free - forget a store, wiping what it holds in memory
 * @store: the store; NULL is allowed
 *
 * The descriptor stays open. What was not committed is lost.
 */
void vnvram_free(struct vnvram *store);

/**
 * vnvram_register - make an entry known
 * @store: a store that has not been started
 * @name: its name, shorter than VNVRAM_NAME_SIZE bytes
 * @max_size: the most bytes that it will ever hold
 *
 * Return: 0; -EINVAL, bad name; -EEXIST, known already; -ENOSPC, too many
 * entries; -EBUSY, the store has been started.
 */
int vnvram_register(struct vnvram *store, const char *name, size_t max_size);

/**
 * vnvram_deregister - forget an entry and its contents
 * @store: the store
 * @name: the entry
 *
 * Return: 0; -ENOENT, no such entry.
 */
int vnvram_deregister(struct vnvram *store, const char *name);

/**
 * vnvram_needed_size - size of a store for the registered entries
 * @store: the store; it needs no file yet
 *
 * Return: bytes that the file or block device must have.
 */
uint64_t vnvram_needed_size(const struct vnvram *store);

/**
 * vnvram_attach - give a store its file
 * @store: the store
 * @fd: open for reading and writing, owned by the caller
 * @file: its name, for messages
 */
void vnvram_attach(struct vnvram *store, int fd, const char *file);

/**
 * vnvram_lock - become the only user of the file
 * @store: an attached store
 * @err: filled in on failure
 *
 * Takes an open-file-description lock: it belongs to the descriptor and all
 * its copies, and ends with the last of them.
 *
 * Return: 0; -EBUSY, somebody else has it; another negative errno of fcntl(2).
 */
int vnvram_lock(struct vnvram *store, struct error *err);

/**
 * vnvram_format - make an empty store in an empty file
 * @store: an attached store
 * @err: filled in on failure
 *
 * Writes the whole file, so that no later commit needs new disk blocks. The
 * store is started then, with no entries; until its first commit the file
 * is one that vnvram_start() refuses.
 *
 * Return: 0; -EEXIST, the file is not empty; another negative errno.
 */
int vnvram_format(struct vnvram *store, struct error *err);

/**
 * vnvram_start - load an existing store
 * @store: an attached store
 * @err: filled in on failure
 *
 * The valid slot with the highest generation wins.
 *
 * Return: 0; -EINVAL, not a store; -ENODATA, empty or truncated; -EPROTO, unknown
 * format version or entry; -EXDEV, another vTPM's or another kind of TPM's;
 * -EUCLEAN, damaged; -EFBIG, made for smaller entries; another negative errno.
 */
int vnvram_start(struct vnvram *store, struct error *err);

/**
 * vnvram_warning - what vnvram_start() found and could live with
 * @store: the store
 *
 * Return: a sentence, or "".
 */
const char *vnvram_warning(const struct vnvram *store);

/**
 * vnvram_read - look at an entry
 * @store: a started store
 * @name: the entry
 * @data: where to put the address of its bytes; they stay there until the
 *	entry is written or deleted. NULL is allowed
 * @size: where to put their number; NULL is allowed
 *
 * Gives the newest bytes, committed or not.
 *
 * Return: 0; -ENOENT, not registered, or not written.
 */
int vnvram_read(const struct vnvram *store, const char *name,
		const void **data, size_t *size);

/**
 * vnvram_write - set the contents of an entry, in memory
 * @store: a started store
 * @name: the entry
 * @data: the bytes
 * @size: their number
 *
 * Writing what is there already changes nothing.
 *
 * Return: 0; -ENOENT, not registered; -EFBIG, larger than registered; -ENOMEM.
 */
int vnvram_write(struct vnvram *store, const char *name, const void *data, size_t size);

/**
 * vnvram_delete - remove the contents of an entry, in memory
 * @store: a started store
 * @name: the entry
 *
 * Return: 0; -ENOENT, not registered, or not written.
 */
int vnvram_delete(struct vnvram *store, const char *name);

/**
 * vnvram_dirty - is there something to commit?
 * @store: the store
 */
bool vnvram_dirty(const struct vnvram *store);

/**
 * vnvram_commit - make all changes durable
 * @store: a started store
 * @err: filled in on failure
 *
 * One write of the slot that is not in use and one flush. Does nothing if
 * nothing has changed. After a failure the file still holds the last
 * commit, the changes are still in memory, and the call can be repeated.
 *
 * Return: 0; a negative errno of pwrite(2) or fdatasync(2); -EIO also for a
 * short write; -ENOMEM.
 */
int vnvram_commit(struct vnvram *store, struct error *err);

/**
 * vnvram_had_fatal_error - can no commit succeed any more?
 * @store: the store
 *
 * Lack of space or memory and I/O errors can pass, anything else is fatal.
 */
bool vnvram_had_fatal_error(const struct vnvram *store);

/**
 * vnvram_generation - number of commits so far
 * @store: a started store
 */
uint64_t vnvram_generation(const struct vnvram *store);

#endif
