// SPDX-License-Identifier: GPL-2.0-only
#include "store_test.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const struct uuid uuid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };
const struct uuid other = { { 9, 9, 9 } };
const uint8_t key[VNVRAM_KEY_SIZE] = "a key for tests, 32 bytes long.";
const uint8_t key2[VNVRAM_KEY_SIZE] = "another key for tests.";
const uint8_t *use_key;

struct faults faults;

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

const struct vnvram_io io = { pread, faulty_pwrite, faulty_fdatasync };

void no_faults(void)
{
	memset(&faults, 0, sizeof(faults));
	faults.cut_after = -1;
}

struct vnvram *new_store(void)
{
	const struct vnvram_identity identity = { uuid, VNVRAM_TPM_20, WRITER };

	return vnvram_new(&identity, &io);
}

struct vnvram *make(const struct uuid *name, enum vnvram_tpm tpm, int fd)
{
	const struct vnvram_identity identity = { *name, tpm, WRITER };
	struct vnvram *store = vnvram_new(&identity, &io);

	assert_non_null(store);
	assert_int_equal(vnvram_register(store, "a", SMALL, NULL, NULL), 0);
	assert_int_equal(vnvram_register(store, "b", SMALL, NULL, NULL), 0);
	vnvram_attach(store, fd, "the-file");
	if (use_key)
		vnvram_set_key(store, use_key);
	return store;
}

void put(struct vnvram *store, const char *name, const char *text)
{
	assert_int_equal(vnvram_write_async(store, name, text, strlen(text)), 0);
}

bool holds(struct vnvram *store, const char *name, const char *text)
{
	const void *data;
	size_t size;

	return !vnvram_read(store, name, &data, &size) && size == strlen(text) &&
	       (!size || !memcmp(data, text, size));
}

int make_file(void)
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

int start(int fd, struct vnvram **store, struct error *err)
{
	memset(err, 0, sizeof(*err));
	*store = make(&uuid, VNVRAM_TPM_20, fd);
	return vnvram_start(*store, err);
}

void assert_refused(int fd, int code, const char *text)
{
	struct vnvram *store;
	struct error err;

	assert_int_equal(start(fd, &store, &err), -code);
	assert_non_null(strstr(err.text, "the-file"));
	if (!strstr(err.text, text))
		fail_msg("'%s' not in '%s'", text, err.text);
	vnvram_free(store);
}

uint8_t *contents(int fd)
{
	uint8_t *bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(bytes, MAP_FAILED);
	return bytes;
}

void assert_starts(int fd, const uint8_t *with, uint64_t generation)
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
