/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vNVRAM: the store of one vTPM.
 *
 * A store is one file or block device that is already open. It holds named
 * entries, each with a fixed maximum size. Requests (reads, writes, clears) are
 * handed in and stay outstanding until vnvram_process() carries out all of them, in
 * their order and in one commit: after a power cut the store holds what it held before
 * the commit or what it holds after it, nothing else. vnvram_write() and
 * vnvram_read() do it at once. Nothing happens behind the caller's back: there is
 * no thread, no global state and no memory that outlives vnvram_free().
 *
 * Order of calls: vnvram_new, vnvram_register for each entry, vnvram_attach,
 * vnvram_set_key if it is encrypted, vnvram_lock, then vnvram_format (a new store)
 * or vnvram_start (an existing one), vnvram_take, then requests, and vnvram_release
 * and vnvram_free. A store is used by one thread at a time.
 *
 * Documentation/vnvram.md has the format and its rules, Documentation/vnvram.asn
 * the ASN.1 module; tools/vtpm/example/ a small program.
 */
#ifndef VTPM_VNVRAM_H
#define VTPM_VNVRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "uuid.h"

#define VNVRAM_FORMAT_VERSION	2
#define VNVRAM_HEADER_SIZE	4096
#define VNVRAM_NAME_SIZE	24
#define VNVRAM_MAX_ENTRIES	8
#define VNVRAM_KEY_SIZE		32
#define VNVRAM_KEY_ID_SIZE	16
#define VNVRAM_HOST_SIZE	65

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
 * enum vnvram_op - kind of request, for an entry's callback
 * @VNVRAM_READ: vnvram_read_async()
 * @VNVRAM_WRITE: vnvram_write_async()
 * @VNVRAM_CLEAR: vnvram_clear_async()
 * @VNVRAM_FORMAT: vnvram_format()
 */
enum vnvram_op {
	VNVRAM_READ,
	VNVRAM_WRITE,
	VNVRAM_CLEAR,
	VNVRAM_FORMAT,
};

/**
 * vnvram_done - a request has been carried out
 * @opaque: as registered
 * @name: the entry
 * @op: what it was
 * @result: bytes read or written; 0 for the others; -ENOENT, there was nothing to read;
 *	-EFBIG, more than the reader has room for
 *
 * Called from vnvram_process(), vnvram_wait(), vnvram_format() and what contains
 * them, after the commit. May hand in new requests, which are for the next round.
 */
typedef void (*vnvram_done)(void *opaque, const char *name, enum vnvram_op op, ssize_t result);

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

/**
 * struct vnvram_identity - what a store has to be
 * @uuid: the vTPM that it belongs to
 * @tpm: kind of TPM
 * @engine: version of what makes sense of the entries, 16 bits major, 8 bits
 *	minor, 8 bits micro. What a newer major or minor version wrote is refused
 */
struct vnvram_identity {
	struct uuid uuid;
	enum vnvram_tpm tpm;
	uint32_t engine;
};

/**
 * struct vnvram_owner - who has a store, by its own record
 * @host: name of the host; "" if there is no record
 * @machine: the host's machine-id(5), zeroes if it has none
 * @pid: process there
 * @since: when this was written, in seconds since 1970 UTC
 * @generation: of the store at that time
 * @held: it has not given the store back
 */
struct vnvram_owner {
	char host[VNVRAM_HOST_SIZE];
	uint8_t machine[16];
	uint64_t pid;
	uint64_t since;
	uint64_t generation;
	bool held;
};

/**
 * struct vnvram_info - what can be seen of a store without its key
 * @version: version of the format
 * @identity: whose it is
 * @slot_size: bytes of each slot
 * @generation: the highest of the slots that are whole, 0 if there is none
 * @slots: generation of each slot that is whole
 * @whole: the slot's checksum is right. Whether an encrypted one was tampered with is
 *	not known without its key
 * @encrypted: the newest slot is
 * @key_id: identifies its key, if @encrypted
 * @writer: engine version of the newest slot
 * @owner: as in the owner record
 * @elsewhere: another host has it by that record, and the file is a block device, on which
 *	nothing but the record tells
 */
struct vnvram_info {
	uint32_t version;
	struct vnvram_identity identity;
	uint64_t slot_size;
	uint64_t generation;
	uint64_t slots[2];
	bool whole[2];
	bool encrypted;
	uint8_t key_id[VNVRAM_KEY_ID_SIZE];
	uint32_t writer;
	struct vnvram_owner owner;
	bool elsewhere;
};

struct vnvram;

/**
 * vnvram_new - set up a store in memory
 * @identity: what it has to be; copied
 * @io: how to reach the file; outlives the store
 *
 * Return: the store, or NULL with errno ENOMEM.
 */
struct vnvram *vnvram_new(const struct vnvram_identity *identity, const struct vnvram_io *io);

/**
 * vnvram_free - forget a store, wiping what it holds in memory
 * @store: the store; NULL is allowed
 *
 * The descriptor stays open. What is outstanding is lost, without callbacks.
 */
void vnvram_free(struct vnvram *store);

/**
 * vnvram_register - make an entry known
 * @store: a store that has not been started
 * @name: its name, shorter than VNVRAM_NAME_SIZE bytes, of printable ASCII
 * @max_size: the most bytes that it will ever hold
 * @done: called for each request about it that was carried out; NULL is allowed
 * @opaque: for @done
 *
 * Return: 0; -EINVAL, bad name or size; -EEXIST, known already; -ENOSPC, too many
 * entries; -EBUSY, the store has been started.
 */
int vnvram_register(struct vnvram *store, const char *name, size_t max_size,
		    vnvram_done done, void *opaque);

/**
 * vnvram_deregister - forget an entry and its contents
 * @store: the store
 * @name: the entry
 *
 * In a started store the next commit is without it.
 *
 * Return: 0; -ENOENT, no such entry; -EBUSY, it has outstanding requests.
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
 * vnvram_set_key - encrypt what is written, accept nothing that is not encrypted
 * @store: a store that has not been started
 * @key: VNVRAM_KEY_SIZE random bytes; copied
 *
 * The bytes are not used themselves, but a key that is derived from them and belongs
 * to this store alone: many stores may have the same.
 */
void vnvram_set_key(struct vnvram *store, const uint8_t *key);

/**
 * vnvram_key_id - identify a key without giving it away
 * @key: VNVRAM_KEY_SIZE bytes
 * @id: VNVRAM_KEY_ID_SIZE bytes for the result, which stores show in clear text
 *
 * Return: 0; -ENOMEM.
 */
int vnvram_key_id(const uint8_t *key, uint8_t *id);

/**
 * vnvram_lock - become the only user of the file
 * @store: an attached store
 * @err: filled in on failure; says who has it, if it says so itself
 *
 * Takes an open-file-description lock: it belongs to the descriptor and all
 * its copies, and ends with the last of them. Over NFS it holds for all hosts.
 * Does not wait.
 *
 * Return: 0; -EBUSY, somebody else has it; another negative errno of fcntl(2).
 */
int vnvram_lock(struct vnvram *store, struct error *err);

/**
 * vnvram_locked - does somebody have the lock?
 * @fd: the file, open for reading at least
 *
 * Takes nothing.
 *
 * Return: 1; 0, nobody; a negative errno of fcntl(2).
 */
int vnvram_locked(int fd);

/**
 * vnvram_format - make an empty store in an empty file
 * @store: an attached store
 * @err: filled in on failure
 *
 * Writes the whole file, so that no later commit needs new disk blocks. The
 * store is started then, with no entries; until its first commit the file
 * is one that vnvram_start() refuses. Calls each entry's callback.
 *
 * Return: 0; -EEXIST, the file is not empty; -ENOSPC, the device is too small; another
 * negative errno.
 */
int vnvram_format(struct vnvram *store, struct error *err);

/**
 * vnvram_start - load an existing store
 * @store: an attached store
 * @err: filled in on failure
 *
 * The valid slot with the highest generation wins, and is written and flushed once more:
 * what a process wrote that died before its flush can be read, but need not be on the
 * disk. A store of format version 1 is brought to this version, which a power cut at any
 * point of it does not harm.
 *
 * Return: 0; -EINVAL, not a store; -ENODATA, empty or truncated; -EPROTO, unknown
 * format version or entry, or written by a newer engine; -EXDEV, another vTPM's or
 * another kind of TPM's; -EUCLEAN, damaged, or older than it was; -EFBIG, made for smaller
 * entries; -ENOKEY, it is encrypted and there is no key; -EKEYREJECTED, encrypted
 * with another key, or not encrypted although there is a key; -EBUSY, it is on a block
 * device that another host has not given back; another negative errno.
 */
int vnvram_start(struct vnvram *store, struct error *err);

/**
 * vnvram_start_read_only - load an existing store, and never write to it
 * @store: an attached store; its descriptor may be open for reading only
 * @err: filled in on failure
 *
 * As vnvram_start(), also where somebody else has the store. Requests that change
 * something are not carried out then: -EROFS.
 *
 * Return: as vnvram_start().
 */
int vnvram_start_read_only(struct vnvram *store, struct error *err);

/**
 * vnvram_warning - what vnvram_start() found and could live with
 * @store: the store
 *
 * Return: a sentence, or "".
 */
const char *vnvram_warning(const struct vnvram *store);

/**
 * vnvram_take - write into the store that this host has it
 * @store: a started store
 * @err: filled in on failure
 *
 * Return: 0; a negative errno of pwrite(2) or fdatasync(2).
 */
int vnvram_take(struct vnvram *store, struct error *err);

/**
 * vnvram_force - let vnvram_start() take a store that another host has not given back
 * @store: an attached store, locked
 *
 * Only where that host is surely down: two that run one vTPM make a state that neither has.
 */
void vnvram_force(struct vnvram *store);

/**
 * vnvram_release - write into the store that nobody has it, and at which generation
 * @store: a started store
 * @err: filled in on failure
 *
 * Does nothing if vnvram_take() was not called. The lock stays.
 *
 * Return: as vnvram_take().
 */
int vnvram_release(struct vnvram *store, struct error *err);

/**
 * vnvram_read - look at an entry, now
 * @store: a started store
 * @name: the entry
 * @data: where to put the address of its bytes; they stay there until the
 *	entry is written or cleared. NULL is allowed
 * @size: where to put their number; NULL is allowed
 *
 * Gives the newest bytes, those of outstanding writes too.
 *
 * Return: 0; -ENOENT, not registered, or not written.
 */
int vnvram_read(const struct vnvram *store, const char *name,
		const void **data, size_t *size);

/**
 * vnvram_read_async - hand in a read
 * @store: a started store
 * @name: the entry
 * @buffer: where to put its bytes; has to stay until the entry's callback has been called
 * @room: bytes there
 *
 * Gives what the entry holds when the request's turn comes.
 *
 * Return: 0; -ENOENT, not registered; -ENOMEM.
 */
int vnvram_read_async(struct vnvram *store, const char *name, void *buffer, size_t room);

/**
 * vnvram_write - set the contents of an entry, durably
 * @store: a started store
 * @name: the entry
 * @data: the bytes
 * @size: their number
 * @err: filled in on failure
 *
 * vnvram_write_async() and vnvram_wait() in one.
 *
 * Return: as these.
 */
int vnvram_write(struct vnvram *store, const char *name, const void *data, size_t size,
		 struct error *err);

/**
 * vnvram_write_async - hand in a write
 * @store: a started store
 * @name: the entry
 * @data: the bytes; copied
 * @size: their number
 *
 * Writing what is there already makes no commit necessary.
 *
 * Return: 0; -ENOENT, not registered; -EFBIG, larger than registered; -ENOMEM.
 */
int vnvram_write_async(struct vnvram *store, const char *name, const void *data, size_t size);

/**
 * vnvram_clear_async - hand in that an entry shall hold nothing any more
 * @store: a started store
 * @name: the entry
 *
 * Return: 0; -ENOENT, not registered, or not written; -ENOMEM.
 */
int vnvram_clear_async(struct vnvram *store, const char *name);

/**
 * vnvram_dirty - is there something to commit?
 * @store: the store
 */
bool vnvram_dirty(const struct vnvram *store);

/**
 * vnvram_outstanding - number of requests handed in and not carried out
 * @store: the store
 * @name: the entry; NULL, all of them
 */
unsigned int vnvram_outstanding(const struct vnvram *store, const char *name);

/**
 * vnvram_process - carry out all outstanding requests
 * @store: a started store
 * @err: filled in on failure
 *
 * If anything has changed: one write of the slot that is not in use and one flush, for
 * all of it together. Then the callbacks, in the order of the requests. After
 * a failure the file still holds the last commit, all requests are still outstanding, and
 * the call can be repeated.
 *
 * Return: 0; a negative errno of pwrite(2) or fdatasync(2); -EIO also for a
 * short write; -ENOMEM; -EOVERFLOW, the generation is one that nobody comes to by commits.
 */
int vnvram_process(struct vnvram *store, struct error *err);

/**
 * vnvram_wait - carry out requests until an entry has none
 * @store: a started store
 * @name: the entry; NULL, all of them, those that callbacks hand in too
 * @err: filled in on failure
 *
 * Return: as vnvram_process().
 */
int vnvram_wait(struct vnvram *store, const char *name, struct error *err);

/**
 * vnvram_had_fatal_error - can no commit succeed any more?
 * @store: the store
 *
 * What the descriptor is at fault for is fatal. Lack of space or memory, I/O errors
 * and a file system that became read-only can pass.
 */
bool vnvram_had_fatal_error(const struct vnvram *store);

/**
 * vnvram_generation - number of commits so far
 * @store: a started store
 */
uint64_t vnvram_generation(const struct vnvram *store);

/**
 * vnvram_skip - let the next commit come after a generation
 * @store: a started store
 * @generation: that generation; need not be above the store's own
 *
 * For what takes the place of another store, which may have come further. Makes a commit
 * necessary.
 */
void vnvram_skip(struct vnvram *store, uint64_t generation);

/**
 * vnvram_id - tell a store from others
 * @store: a started store
 *
 * Return: a number that another store has with a probability of 2^-64, also if it was
 * made for the same vTPM.
 */
uint64_t vnvram_id(const struct vnvram *store);

/**
 * vnvram_rekey - encrypt with another key, or with none any more
 * @store: a started store without outstanding requests
 * @key: VNVRAM_KEY_SIZE bytes; NULL, none: integrity is guarded by checksum only then
 * @err: filled in on failure
 *
 * Two commits and a wipe: nothing in the file can be read with the old key afterwards. After
 * a failure or a power cut the file can be started with the old key, or with the
 * new one, and the call repeated.
 *
 * Return: as vnvram_process(); -EBUSY, there are outstanding requests.
 */
int vnvram_rekey(struct vnvram *store, const uint8_t *key, struct error *err);

/**
 * vnvram_delete - wipe a store
 * @store: an attached store, locked
 * @err: filled in on failure
 *
 * Overwrites all of it with zeroes, the slots first, and of these the older one. After a
 * power cut amid it the store has its newest contents, or is refused. What a disk keeps beside is
 * another matter: only encryption helps there.
 *
 * Return: 0; a negative errno of pwrite(2) or fdatasync(2).
 */
int vnvram_delete(struct vnvram *store, struct error *err);

/**
 * vnvram_inspect - look at a store without its key, and without taking anything
 * @fd: the file, open for reading
 * @file: its name, for messages
 * @io: how to reach it
 * @info: the result
 * @err: filled in on failure
 *
 * Return: 0; -EINVAL, -ENODATA, -EPROTO, -EUCLEAN as vnvram_start(); another
 * negative errno.
 */
int vnvram_inspect(int fd, const char *file, const struct vnvram_io *io,
		   struct vnvram_info *info, struct error *err);

#endif
