// SPDX-License-Identifier: GPL-2.0-only
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "entries.h"
#include "vnvram.h"

#define SMALL	600	/* sizes of the entries: whole tests go over all bytes */
#define SLOT	4096
#define SIZE	(4096 + 2 * SLOT)

static const struct uuid uuid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };
static const struct uuid other = { { 9, 9, 9 } };

#define ENGINE	0x000902

/* What the I/O under the store does wrong, and what it has been asked for. */
static struct {
	int pwrite_errno;
	int sync_errno;
	unsigned int die_at;	/* fail this write or flush and all later ones */
	unsigned int calls;
	ssize_t cut_after;	/* write only so many bytes of the next write, then fail */
	size_t last_size;	/* of the last write */
	unsigned int pwrites;
	unsigned int syncs;
} faults;

static bool dead(void)
{
	errno = EIO;
	return faults.die_at && ++faults.calls >= faults.die_at;
}

static ssize_t faulty_pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	ssize_t cut = faults.cut_after;

	if (dead())
		return -1;
	faults.pwrites++;
	faults.last_size = size;
	if (cut >= 0) {
		assert_int_equal(pwrite(fd, buf, cut, offset), cut);
		errno = EIO;
		return -1;
	}
	if (faults.pwrite_errno) {
		errno = faults.pwrite_errno;
		return -1;
	}
	return pwrite(fd, buf, size, offset);
}

static int faulty_fdatasync(int fd)
{
	(void)fd;
	if (dead())
		return -1;
	faults.syncs++;
	errno = faults.sync_errno;
	return faults.sync_errno ? -1 : 0;
}

static const struct vnvram_io io = { pread, faulty_pwrite, faulty_fdatasync };

static void no_faults(void)
{
	memset(&faults, 0, sizeof(faults));
	faults.cut_after = -1;
}

static const uint8_t key[VNVRAM_KEY_SIZE] = "a key for tests, 32 bytes long.";
static const uint8_t key2[VNVRAM_KEY_SIZE] = "another key for tests.";
/* The key of stores from now on, if any. */
static const uint8_t *use_key;

static struct vnvram *new_store(void)
{
	const struct vnvram_identity identity = { uuid, VNVRAM_TPM_20, ENGINE };

	return vnvram_new(&identity, &io);
}

static struct vnvram *make(const struct uuid *name, enum vnvram_tpm tpm, int fd)
{
	const struct vnvram_identity identity = { *name, tpm, ENGINE };
	struct vnvram *store = vnvram_new(&identity, &io);

	assert_non_null(store);
	assert_int_equal(vnvram_register(store, "a", SMALL, NULL, NULL), 0);
	assert_int_equal(vnvram_register(store, "b", SMALL, NULL, NULL), 0);
	vnvram_attach(store, fd, "the-file");
	if (use_key)
		vnvram_set_key(store, use_key);
	return store;
}

static void put(struct vnvram *store, const char *name, const char *text)
{
	assert_int_equal(vnvram_write_async(store, name, text, strlen(text)), 0);
}

static bool holds(struct vnvram *store, const char *name, const char *text)
{
	const void *data;
	size_t size;

	return !vnvram_read(store, name, &data, &size) && size == strlen(text) &&
	       (!size || !memcmp(data, text, size));
}

/* A store with the generations 1 (a=old) and 2 (a=new, b=more). */
static int make_file(void)
{
	int fd = memfd_create("store", MFD_CLOEXEC);
	struct vnvram *store = make(&uuid, VNVRAM_TPM_20, fd);
	struct error err;

	no_faults();
	assert_int_equal(vnvram_needed_size(store), SIZE);
	assert_int_equal(vnvram_format(store, &err), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), SIZE);
	put(store, "a", "old");
	assert_int_equal(vnvram_process(store, &err), 0);
	put(store, "a", "new");
	put(store, "b", "more");
	assert_int_equal(vnvram_process(store, &err), 0);
	assert_int_equal(vnvram_generation(store), 2);
	vnvram_free(store);
	return fd;
}

static int start(int fd, struct vnvram **store, struct error *err)
{
	memset(err, 0, sizeof(*err));
	*store = make(&uuid, VNVRAM_TPM_20, fd);
	return vnvram_start(*store, err);
}

/* The store is refused with this code, and the message names the file and has this text. */
static void assert_refused(int fd, int code, const char *text)
{
	struct vnvram *store;
	struct error err;

	assert_int_equal(start(fd, &store, &err), -code);
	assert_non_null(strstr(err.text, "the-file"));
	if (!strstr(err.text, text))
		fail_msg("'%s' not in '%s'", text, err.text);
	vnvram_free(store);
}

static void test_round_trip(void **state)
{
	int fd = make_file();
	struct vnvram *store;
	struct error err;

	(void)state;
	assert_int_equal(start(fd, &store, &err), 0);
	assert_true(holds(store, "a", "new") && holds(store, "b", "more"));
	assert_string_equal(vnvram_warning(store), "");
	assert_int_equal(vnvram_clear_async(store, "b"), 0);
	assert_int_equal(vnvram_clear_async(store, "b"), -ENOENT);
	assert_int_equal(vnvram_write_async(store, "a", NULL, 0), 0);
	assert_int_equal(vnvram_process(store, &err), 0);
	vnvram_free(store);

	assert_int_equal(start(fd, &store, &err), 0);
	assert_int_equal(vnvram_generation(store), 3);
	assert_true(holds(store, "a", ""));
	assert_int_equal(vnvram_read(store, "b", NULL, NULL), -ENOENT);
	vnvram_free(store);
	close(fd);
}

static void test_limits(void **state)
{
	static const char big[SMALL + 1];
	int fd = make_file();
	struct vnvram *store;
	struct error err;

	(void)state;
	assert_int_equal(start(fd, &store, &err), 0);
	assert_int_equal(vnvram_write_async(store, "a", big, SMALL), 0);
	assert_int_equal(vnvram_write_async(store, "b", big, SMALL), 0);
	assert_int_equal(vnvram_write_async(store, "b", big, SMALL + 1), -EFBIG);
	assert_int_equal(vnvram_write_async(store, "c", big, 1), -ENOENT);
	assert_int_equal(vnvram_process(store, &err), 0);
	assert_int_equal(vnvram_register(store, "c", 1, NULL, NULL), -EBUSY);
	vnvram_free(store);

	store = new_store();
	assert_int_equal(vnvram_register(store, "", 1, NULL, NULL), -EINVAL);
	assert_int_equal(vnvram_register(store, "a-name-that-is-too-long-", 1, NULL, NULL), -EINVAL);
	for (char name[] = "0"; name[0] < '0' + VNVRAM_MAX_ENTRIES; name[0]++)
		assert_int_equal(vnvram_register(store, name, 1, NULL, NULL), 0);
	assert_int_equal(vnvram_register(store, "0", 1, NULL, NULL), -EEXIST);
	assert_int_equal(vnvram_register(store, "x", 1, NULL, NULL), -ENOSPC);
	assert_int_equal(vnvram_deregister(store, "0"), 0);
	assert_int_equal(vnvram_deregister(store, "0"), -ENOENT);
	assert_int_equal(vnvram_register(store, "x", 1, NULL, NULL), 0);
	vnvram_free(store);
	close(fd);
}

static void test_nothing_changed(void **state)
{
	int fd = make_file();
	struct vnvram *store;
	struct error err;

	(void)state;
	assert_int_equal(start(fd, &store, &err), 0);
	no_faults();
	put(store, "a", "new");
	assert_false(vnvram_dirty(store));
	assert_int_equal(vnvram_process(store, &err), 0);
	assert_int_equal(faults.pwrites + faults.syncs, 0);
	put(store, "a", "newer");
	assert_true(vnvram_dirty(store));
	assert_int_equal(vnvram_process(store, &err), 0);
	assert_int_equal(faults.pwrites, 1);
	assert_int_equal(faults.syncs, 1);
	vnvram_free(store);
	close(fd);
}

static uint8_t *contents(int fd)
{
	uint8_t *bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(bytes, MAP_FAILED);
	return bytes;
}

/* Flipping @byte must end in an error, in the older commit, or in the unchanged newest. */
static void flip(int fd, uint8_t *bytes, size_t byte, unsigned int *outcomes)
{
	struct vnvram *store;
	struct error err;
	int ret;

	bytes[byte] ^= 1 << byte % 8;
	ret = start(fd, &store, &err);
	if (ret)
		outcomes[0]++;
	else if (vnvram_generation(store) == 1 && *vnvram_warning(store) &&
		 holds(store, "a", "old") && vnvram_read(store, "b", NULL, NULL))
		outcomes[1]++;
	else if (vnvram_generation(store) == 2 && holds(store, "a", "new") &&
		 holds(store, "b", "more"))
		outcomes[2]++;
	else
		fail_msg("flipping byte %zu went unnoticed", byte);
	vnvram_free(store);
	bytes[byte] ^= 1 << byte % 8;
}

/* Bytes of the DER element that begins at @at: all are shorter than 256 bytes here. */
static size_t element_size(const uint8_t *at)
{
	assert_int_equal(at[0], 0x30);
	return at[1] < 0x80 ? 2 + at[1] : 3 + at[2];
}

/*
 * In what a store uses each byte counts, and what it does not use does not matter. Generation
 * 1 is in slot 0, generation 2 in slot 1.
 */
static void every_flip(int fd)
{
	uint8_t *bytes = contents(fd);
	size_t header = element_size(bytes), slot = element_size(bytes + 4096 + SLOT);
	unsigned int outcomes[3] = { 0 };

	for (size_t i = 0; i < header; i++)
		flip(fd, bytes, i, outcomes);
	assert_int_equal(outcomes[0], header);
	memset(outcomes, 0, sizeof(outcomes));
	for (size_t i = 4096 + SLOT; i < 4096 + SLOT + slot; i++)
		flip(fd, bytes, i, outcomes);
	assert_int_equal(outcomes[1], slot);
	for (size_t i = header; i < SIZE; i++)
		flip(fd, bytes, i, outcomes);
	assert_int_equal(outcomes[0], 0);
	assert_int_equal(outcomes[1], 2 * slot);
	munmap(bytes, SIZE);
	close(fd);
}

static void test_every_flip(void **state)
{
	(void)state;
	every_flip(make_file());
	use_key = key;
	every_flip(make_file());
	use_key = NULL;
}

static void test_both_slots_damaged(void **state)
{
	int fd = make_file();
	uint8_t *bytes = contents(fd);

	(void)state;
	bytes[4096 + 30] ^= 1;
	bytes[4096 + SLOT + 30] ^= 1;
	assert_refused(fd, EUCLEAN, "none of its two copies");
	memset(bytes + 4096, 0, 2 * SLOT);
	assert_refused(fd, EUCLEAN, "nothing was ever stored");
	munmap(bytes, SIZE);
	close(fd);
}

static void test_truncation(void **state)
{
	static const off_t lengths[] = {
		1, 8, 64, 4095, 4096, 4097, 4096 + 64, 4096 + SLOT - 1, 4096 + SLOT,
		4096 + SLOT + 1, 4096 + SLOT + 100, SIZE - 1,
	};
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		fd = make_file();
		assert_int_equal(ftruncate(fd, lengths[i]), 0);
		assert_refused(fd, ENODATA, "truncated");
		close(fd);
	}
	fd = make_file();
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_refused(fd, ENODATA, "is empty");
	close(fd);
}

static void test_larger_is_fine(void **state)
{
	int fd = make_file();
	struct vnvram *store;
	struct error err;

	(void)state;
	assert_int_equal(ftruncate(fd, SIZE + 12345), 0);
	assert_int_equal(start(fd, &store, &err), 0);
	vnvram_free(store);
	close(fd);
}

/* A header with another version in it, and a checksum that is right. */
static void set_version(uint8_t *bytes, uint8_t version)
{
	const uint8_t *name = memmem(bytes, 64, "xen-vtpm store", 14);
	size_t content = 2 + bytes[3];

	assert_non_null(name);
	((uint8_t *)name)[14 + 2] = version;
	assert_int_equal(EVP_Digest(bytes + 2, content, bytes + 2 + content + 2, NULL,
				    EVP_sha256(), NULL), 1);
}

static void test_foreign(void **state)
{
	int fd = make_file();
	uint8_t *bytes = contents(fd);
	struct vnvram *store;
	struct error err;

	(void)state;
	store = make(&other, VNVRAM_TPM_20, fd);
	assert_int_equal(vnvram_start(store, &err), -EXDEV);
	assert_non_null(strstr(err.text, "another vTPM, 01020304-0506-0708-090a-0b0c0d0e0f10"));
	vnvram_free(store);
	store = make(&uuid, VNVRAM_TPM_12, fd);
	assert_int_equal(vnvram_start(store, &err), -EXDEV);
	assert_non_null(strstr(err.text, "holds a TPM 2.0, but a TPM 1.2"));
	vnvram_free(store);
	store = new_store();
	assert_int_equal(vnvram_register(store, "a", SLOT, NULL, NULL), 0);
	vnvram_attach(store, fd, "the-file");
	assert_int_equal(vnvram_start(store, &err), -EFBIG);
	vnvram_free(store);
	store = new_store();
	assert_int_equal(vnvram_register(store, "a", SMALL, NULL, NULL), 0);
	vnvram_attach(store, fd, "the-file");
	assert_int_equal(vnvram_start(store, &err), -EPROTO);
	assert_non_null(strstr(err.text, "'b'"));
	vnvram_free(store);
	set_version(bytes, 3);
	assert_refused(fd, EPROTO, "format version 3, only versions 1 to 2");
	bytes[0]++;
	assert_refused(fd, EINVAL, "not the state of a vTPM");
	munmap(bytes, SIZE);
	close(fd);
}

/* A slot copied from another vTPM's store is not valid here. */
static void test_foreign_slot(void **state)
{
	int fd = make_file(), fd2 = memfd_create("other", MFD_CLOEXEC);
	struct vnvram *store = make(&other, VNVRAM_TPM_20, fd2);
	uint8_t slots[2 * SLOT];
	struct error err;

	(void)state;
	assert_int_equal(vnvram_format(store, &err), 0);
	vnvram_free(store);
	assert_int_equal(pread(fd, slots, sizeof(slots), 4096), sizeof(slots));
	assert_int_equal(pwrite(fd2, slots, sizeof(slots), 4096), sizeof(slots));
	store = make(&other, VNVRAM_TPM_20, fd2);
	assert_int_equal(vnvram_start(store, &err), -EUCLEAN);
	vnvram_free(store);
	close(fd);
	close(fd2);
}

static void test_format_refuses(void **state)
{
	int fd = make_file();
	struct vnvram *store = make(&uuid, VNVRAM_TPM_20, fd);
	struct error err;

	(void)state;
	assert_int_equal(vnvram_format(store, &err), -EEXIST);
	assert_non_null(strstr(err.text, "not empty"));
	vnvram_free(store);
	assert_int_equal(start(fd, &store, &err), 0);
	vnvram_free(store);
	close(fd);
}

static void test_formatted_is_no_tpm(void **state)
{
	int fd = memfd_create("store", MFD_CLOEXEC);
	struct vnvram *store = make(&uuid, VNVRAM_TPM_20, fd);
	struct error err;

	(void)state;
	assert_int_equal(vnvram_format(store, &err), 0);
	vnvram_free(store);
	assert_refused(fd, EUCLEAN, "nothing was ever stored");
	close(fd);
}

/* A power cut anywhere in the write leaves what was there before. */
static void test_cut_commit(void **state)
{
	struct vnvram *store;
	struct error err;
	size_t size = 1;

	(void)state;
	for (size_t cut = 0; cut < size; cut++) {
		int fd = make_file();

		assert_int_equal(start(fd, &store, &err), 0);
		put(store, "a", "newest");
		put(store, "b", "and a bit longer than before, so that something is over");
		faults.cut_after = cut;
		assert_int_equal(vnvram_process(store, &err), -EIO);
		size = faults.last_size;
		vnvram_free(store);
		no_faults();
		assert_int_equal(start(fd, &store, &err), 0);
		assert_int_equal(vnvram_generation(store), 2);
		assert_true(holds(store, "a", "new") && holds(store, "b", "more"));
		vnvram_free(store);
		close(fd);
	}
	assert_true(size > 100);
}

static void fail_and_recover(int code, bool fatal)
{
	int fd = make_file();
	struct vnvram *store;
	struct error err;

	assert_int_equal(start(fd, &store, &err), 0);
	put(store, "a", "newest");
	faults.pwrite_errno = code;
	assert_int_equal(vnvram_process(store, &err), -code);
	assert_non_null(strstr(err.text, "the-file: cannot store"));
	faults.pwrite_errno = 0;
	faults.sync_errno = code;
	assert_int_equal(vnvram_process(store, &err), -code);
	assert_true(vnvram_dirty(store));
	assert_true(holds(store, "a", "newest"));
	assert_int_equal(vnvram_had_fatal_error(store), fatal);
	/* A flush that failed may have lost the data: it has to be written again. */
	no_faults();
	assert_int_equal(vnvram_process(store, &err), 0);
	assert_int_equal(faults.pwrites, 1);
	vnvram_free(store);
	assert_int_equal(start(fd, &store, &err), 0);
	assert_int_equal(vnvram_generation(store), 3);
	assert_true(holds(store, "a", "newest"));
	vnvram_free(store);
	close(fd);
}

static void test_passing_faults(void **state)
{
	(void)state;
	fail_and_recover(ENOSPC, false);
	fail_and_recover(EIO, false);
	fail_and_recover(EROFS, false);
	fail_and_recover(EBADF, true);
}

static void test_lock(void **state)
{
	char path[] = "/tmp/vtpm-test-XXXXXX";
	int fd = mkstemp(path), fd2;
	struct vnvram *store = make(&uuid, VNVRAM_TPM_20, fd), *store2;
	struct error err;

	(void)state;
	assert_int_equal(vnvram_locked(fd), 0);
	assert_int_equal(vnvram_lock(store, &err), 0);
	fd2 = open(path, O_RDWR);
	assert_int_equal(vnvram_locked(fd2), 1);
	store2 = make(&uuid, VNVRAM_TPM_20, fd2);
	assert_int_equal(vnvram_lock(store2, &err), -EBUSY);
	assert_non_null(strstr(err.text, "another process"));
	assert_int_equal(vnvram_format(store, &err), 0);
	assert_int_equal(vnvram_take(store, &err), 0);
	assert_int_equal(vnvram_lock(store2, &err), -EBUSY);
	assert_non_null(strstr(err.text, "in use by process"));
	assert_int_equal(vnvram_release(store, &err), 0);
	assert_int_equal(vnvram_lock(store2, &err), -EBUSY);
	assert_non_null(strstr(err.text, "another process"));
	close(fd);
	assert_int_equal(vnvram_lock(store2, &err), 0);
	vnvram_free(store);
	vnvram_free(store2);
	close(fd2);
	unlink(path);
}

/* A store that was taken at one generation does not go below it, although a slot is whole. */
static void test_older_than_it_was(void **state)
{
	int fd = make_file();
	uint8_t *bytes = contents(fd);
	struct vnvram *store;
	struct error err;

	(void)state;
	assert_int_equal(start(fd, &store, &err), 0);
	assert_int_equal(vnvram_lock(store, &err), 0);
	assert_int_equal(vnvram_take(store, &err), 0);
	put(store, "a", "newest");
	assert_int_equal(vnvram_process(store, &err), 0);
	assert_int_equal(vnvram_release(store, &err), 0);
	vnvram_free(store);
	assert_int_equal(start(fd, &store, &err), 0);
	assert_int_equal(vnvram_generation(store), 3);
	vnvram_free(store);
	bytes[4096 + 30] ^= 1;
	assert_refused(fd, EUCLEAN, "had generation 3 already");
	munmap(bytes, SIZE);
	close(fd);
}

static void test_encrypted(void **state)
{
	int fd;
	uint8_t *bytes;

	(void)state;
	use_key = key;
	fd = make_file();
	bytes = contents(fd);
	assert_null(memmem(bytes, SIZE, "new", 3));
	assert_null(memmem(bytes, SIZE, key, sizeof(key)));
	use_key = NULL;
	assert_refused(fd, ENOKEY, "no key was given");
	use_key = key2;
	assert_refused(fd, EKEYREJECTED, "another key");
	use_key = NULL;
	munmap(bytes, SIZE);
	close(fd);
	fd = make_file();
	use_key = key;
	assert_refused(fd, EKEYREJECTED, "not encrypted, although");
	use_key = NULL;
	close(fd);
}

/* Whoever can write the file can make a checksum, but no tag. */
static void test_tampered(void **state)
{
	uint8_t *bytes, *slot, covered[32 + SLOT];
	size_t head, body;
	int fd;

	(void)state;
	use_key = key;
	fd = make_file();
	bytes = contents(fd);
	slot = bytes + 4096 + SLOT + (bytes[4096 + SLOT + 1] < 0x80 ? 2 : 3);
	head = element_size(slot);
	body = slot[head + 1];
	assert_true(body < 0x80);
	slot[head + 2] ^= 1;
	memcpy(covered, bytes + 2 + 2 + bytes[3] + 2, 32);
	memcpy(covered + 32, slot, head);
	memcpy(covered + 32 + head, slot + head + 2, body);
	assert_int_equal(EVP_Digest(covered, 32 + head + body, slot + head + 2 + body + 2, NULL,
				    EVP_sha256(), NULL), 1);
	assert_refused(fd, EUCLEAN, "tampered with");
	use_key = NULL;
	munmap(bytes, SIZE);
	close(fd);
}

static void assert_starts(int fd, const uint8_t *with, uint64_t generation)
{
	struct vnvram *store;
	struct error err;

	use_key = with;
	if (start(fd, &store, &err))
		fail_msg("%s", err.text);
	assert_int_equal(vnvram_generation(store), generation);
	assert_true(holds(store, "a", "new") && holds(store, "b", "more"));
	vnvram_free(store);
	use_key = NULL;
}

static void test_rekey(void **state)
{
	static const uint8_t *const keys[] = { key, key2, NULL };
	int fd = make_file();
	uint8_t *bytes = contents(fd);
	const uint8_t *old = NULL;
	struct vnvram *store;
	struct error err;

	(void)state;
	for (int i = 0; i < 3; i++) {
		use_key = old;
		assert_int_equal(start(fd, &store, &err), 0);
		assert_int_equal(vnvram_rekey(store, keys[i], &err), 0);
		vnvram_free(store);
		if (keys[i])
			assert_null(memmem(bytes, SIZE, "new", 3));
		assert_starts(fd, keys[i], 4 + 2 * i);
		old = keys[i];
	}
	munmap(bytes, SIZE);
	close(fd);
}

/* Cut after any write or byte of a write: one of the keys opens it, and nothing is lost. */
static void test_cut_rekey(void **state)
{
	(void)state;
	for (unsigned int cut = 0; ; cut++) {
		int fd = make_file(), ret;
		struct vnvram *store;
		struct error err;

		assert_int_equal(start(fd, &store, &err), 0);
		faults.die_at = cut + 1;
		ret = vnvram_rekey(store, key, &err);
		vnvram_free(store);
		no_faults();
		use_key = NULL;
		if (start(fd, &store, &err)) {
			assert_true(strstr(err.text, "no key was given") != NULL);
			vnvram_free(store);
			use_key = key;
			assert_int_equal(start(fd, &store, &err), 0);
		}
		assert_true(holds(store, "a", "new") && holds(store, "b", "more"));
		vnvram_free(store);
		use_key = NULL;
		close(fd);
		if (!ret) {
			assert_true(cut > 4);
			return;
		}
	}
}

struct done {
	int count;
	enum vnvram_op op[8];
	ssize_t result[8];
};

static void note_done(void *opaque, const char *name, enum vnvram_op op, ssize_t result)
{
	struct done *done = opaque;

	assert_string_equal(name, "a");
	assert_true(done->count < 8);
	done->op[done->count] = op;
	done->result[done->count++] = result;
}

static void test_requests(void **state)
{
	int fd = memfd_create("store", MFD_CLOEXEC);
	struct vnvram *store = new_store();
	struct done done = { 0 };
	char first[8], second[2];
	struct error err;

	(void)state;
	no_faults();
	assert_int_equal(vnvram_register(store, "a", SMALL, note_done, &done), 0);
	vnvram_attach(store, fd, "the-file");
	assert_int_equal(vnvram_format(store, &err), 0);
	assert_int_equal(done.count, 1);
	assert_int_equal(done.op[0], VNVRAM_FORMAT);

	no_faults();
	assert_int_equal(vnvram_write_async(store, "a", "one", 3), 0);
	assert_int_equal(vnvram_read_async(store, "a", first, sizeof(first)), 0);
	assert_int_equal(vnvram_write_async(store, "a", "three", 5), 0);
	assert_int_equal(vnvram_read_async(store, "a", second, sizeof(second)), 0);
	assert_int_equal(vnvram_outstanding(store, "a"), 4);
	assert_int_equal(vnvram_deregister(store, "a"), -EBUSY);
	assert_int_equal(done.count, 1);

	faults.sync_errno = EIO;
	assert_int_equal(vnvram_wait(store, "a", &err), -EIO);
	assert_int_equal(vnvram_outstanding(store, NULL), 4);
	assert_int_equal(done.count, 1);
	no_faults();
	assert_int_equal(vnvram_wait(store, "a", &err), 0);
	assert_int_equal(faults.syncs, 1);
	assert_int_equal(vnvram_outstanding(store, NULL), 0);
	assert_int_equal(done.count, 5);
	assert_true(done.op[1] == VNVRAM_WRITE && done.result[1] == 3);
	assert_true(done.op[2] == VNVRAM_READ && done.result[2] == 3 && !memcmp(first, "one", 3));
	assert_true(done.op[3] == VNVRAM_WRITE && done.result[3] == 5);
	assert_true(done.op[4] == VNVRAM_READ && done.result[4] == -EFBIG);

	assert_int_equal(vnvram_clear_async(store, "a"), 0);
	assert_int_equal(vnvram_clear_async(store, "a"), -ENOENT);
	assert_int_equal(vnvram_read_async(store, "a", first, sizeof(first)), 0);
	assert_int_equal(vnvram_process(store, &err), 0);
	assert_true(done.op[5] == VNVRAM_CLEAR && !done.result[5]);
	assert_true(done.op[6] == VNVRAM_READ && done.result[6] == -ENOENT);
	assert_int_equal(vnvram_write(store, "a", "x", 1, &err), 0);
	assert_int_equal(done.count, 8);
	assert_int_equal(vnvram_deregister(store, "a"), 0);
	vnvram_free(store);
	close(fd);
}

static void test_newer_writer(void **state)
{
	const struct vnvram_identity older = { uuid, VNVRAM_TPM_20, 0x000801 };
	const struct vnvram_identity patch = { uuid, VNVRAM_TPM_20, 0x000900 };
	struct vnvram *store = vnvram_new(&older, &io);
	int fd = make_file();
	struct error err;

	(void)state;
	vnvram_attach(store, fd, "the-file");
	assert_int_equal(vnvram_start(store, &err), -EPROTO);
	assert_non_null(strstr(err.text, "written by version 0.9.2"));
	assert_non_null(strstr(err.text, "this one is 0.8.1"));
	vnvram_free(store);
	store = vnvram_new(&patch, &io);
	assert_int_equal(vnvram_register(store, "a", SMALL, NULL, NULL), 0);
	assert_int_equal(vnvram_register(store, "b", SMALL, NULL, NULL), 0);
	vnvram_attach(store, fd, "the-file");
	assert_int_equal(vnvram_start(store, &err), 0);
	vnvram_free(store);
	close(fd);
}

static void test_delete(void **state)
{
	int fd = make_file();
	uint8_t *bytes = contents(fd);
	struct vnvram *store;
	struct error err;

	(void)state;
	assert_int_equal(start(fd, &store, &err), 0);
	assert_int_equal(vnvram_delete(store, &err), 0);
	vnvram_free(store);
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(bytes[i], 0);
	assert_refused(fd, EINVAL, "not the state of a vTPM");
	store = make(&uuid, VNVRAM_TPM_20, fd);
	assert_int_equal(vnvram_format(store, &err), 0);
	vnvram_free(store);
	munmap(bytes, SIZE);
	close(fd);
}

static void test_read_only(void **state)
{
	int fd = make_file();
	struct vnvram *store = make(&uuid, VNVRAM_TPM_20, fd);
	struct error err;

	(void)state;
	no_faults();
	assert_int_equal(vnvram_start_read_only(store, &err), 0);
	assert_true(holds(store, "a", "new"));
	put(store, "a", "newer");
	assert_int_equal(vnvram_process(store, &err), -EROFS);
	assert_int_equal(faults.pwrites, 0);
	vnvram_free(store);
	close(fd);
}

static void test_inspect(void **state)
{
	struct vnvram_info info;
	uint8_t id[VNVRAM_KEY_ID_SIZE];
	struct error err;
	int fd;

	(void)state;
	use_key = key;
	fd = make_file();
	use_key = NULL;
	assert_int_equal(vnvram_inspect(fd, "the-file", &io, &info, &err), 0);
	assert_int_equal(info.version, 2);
	assert_true(uuid_equal(&info.identity.uuid, &uuid));
	assert_int_equal(info.identity.tpm, VNVRAM_TPM_20);
	assert_int_equal(info.slot_size, SLOT);
	assert_int_equal(info.generation, 2);
	assert_true(info.whole[0] && info.whole[1] && info.slots[0] == 1 && info.slots[1] == 2);
	assert_true(info.encrypted);
	assert_int_equal(vnvram_key_id(key, id), 0);
	assert_memory_equal(info.key_id, id, sizeof(id));
	assert_int_equal(info.writer, ENGINE);
	assert_string_equal(info.owner.host, "");
	close(fd);
}

/* Unpacks tests/fixtures/NAME.gz; a file's parts can then be changed at will. */
static int fixture(const char *name)
{
	char path[] = "/tmp/vtpm-test-XXXXXX", command[256];
	int fd = mkstemp(path);

	snprintf(command, sizeof(command), "gzip -dc '%s/%s.gz' >%s", FIXTURES_DIR, name, path);
	assert_int_equal(system(command), 0);
	unlink(path);
	return fd;
}

/* Cut after each write on the way: it is a store of the old version, or of this one. */
static void test_version_1(void **state)
{
	(void)state;
	for (unsigned int cut = 1; ; cut++) {
		int fd = fixture("v1-small"), ret;
		struct vnvram_info info;
		struct vnvram *store;
		struct error err;

		no_faults();
		faults.die_at = cut;
		ret = start(fd, &store, &err);
		vnvram_free(store);
		no_faults();
		assert_int_equal(vnvram_inspect(fd, "the-file", &io, &info, &err), 0);
		assert_int_equal(start(fd, &store, &err), 0);
		assert_true(holds(store, "a", "new") && holds(store, "b", "more"));
		put(store, "a", "new");
		vnvram_free(store);
		if (!ret) {
			assert_int_equal(info.version, 2);
			assert_int_equal(info.generation, 4);
			assert_starts(fd, NULL, 4);
			close(fd);
			return;
		}
		close(fd);
	}
}

/* The stores of real TPMs that any version has made. */
static void test_fixtures(void **state)
{
	static const struct {
		const char *name;
		enum vnvram_tpm tpm;
		const uint8_t *key;
	} fixtures[] = {
		{ "v1-tpm20", VNVRAM_TPM_20, NULL }, { "v1-tpm12", VNVRAM_TPM_12, NULL },
		{ "v2-tpm20", VNVRAM_TPM_20, NULL }, { "v2-tpm12", VNVRAM_TPM_12, NULL },
		{ "v2-tpm20-key", VNVRAM_TPM_20, key },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		const struct vnvram_identity identity = { uuid, fixtures[i].tpm, ENGINE };
		struct vnvram *store = vnvram_new(&identity, &io);
		int fd = fixture(fixtures[i].name);
		struct error err;
		size_t size;

		no_faults();
		assert_int_equal(entries_register(store), 0);
		vnvram_attach(store, fd, fixtures[i].name);
		if (fixtures[i].key)
			vnvram_set_key(store, fixtures[i].key);
		if (vnvram_start(store, &err))
			fail_msg("%s", err.text);
		assert_int_equal(vnvram_read(store, PERMANENT_ENTRY, NULL, &size), 0);
		assert_true(size > 1000);
		vnvram_free(store);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_nothing_changed),
		cmocka_unit_test(test_every_flip),
		cmocka_unit_test(test_both_slots_damaged),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_larger_is_fine),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_foreign_slot),
		cmocka_unit_test(test_format_refuses),
		cmocka_unit_test(test_formatted_is_no_tpm),
		cmocka_unit_test(test_cut_commit),
		cmocka_unit_test(test_passing_faults),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_older_than_it_was),
		cmocka_unit_test(test_encrypted),
		cmocka_unit_test(test_tampered),
		cmocka_unit_test(test_rekey),
		cmocka_unit_test(test_cut_rekey),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_newer_writer),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_inspect),
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_fixtures),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
