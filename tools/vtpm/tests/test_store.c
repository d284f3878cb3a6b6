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

#include "vnvram.h"

#define SMALL	600	/* sizes of the entries: whole tests go over all bytes */
#define SLOT	4096
#define SIZE	(4096 + 2 * SLOT)

static const struct uuid uuid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };
static const struct uuid other = { { 9, 9, 9 } };

/* What the I/O under the store does wrong, and what it has been asked for. */
static struct {
	int pwrite_errno;
	int sync_errno;
	ssize_t cut_after;	/* write only so many bytes of the next write, then fail */
	unsigned int pwrites;
	unsigned int syncs;
} faults;

static ssize_t faulty_pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	ssize_t cut = faults.cut_after;

	faults.pwrites++;
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

static struct vnvram *make(const struct uuid *name, enum vnvram_tpm tpm, int fd)
{
	struct vnvram *store = vnvram_new(name, tpm, &io);

	assert_non_null(store);
	assert_int_equal(vnvram_register(store, "a", SMALL), 0);
	assert_int_equal(vnvram_register(store, "b", SMALL), 0);
	vnvram_attach(store, fd, "the-file");
	return store;
}

static void put(struct vnvram *store, const char *name, const char *text)
{
	assert_int_equal(vnvram_write(store, name, text, strlen(text)), 0);
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
	assert_int_equal(vnvram_commit(store, &err), 0);
	put(store, "a", "new");
	put(store, "b", "more");
	assert_int_equal(vnvram_commit(store, &err), 0);
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
	assert_int_equal(vnvram_delete(store, "b"), 0);
	assert_int_equal(vnvram_delete(store, "b"), -ENOENT);
	assert_int_equal(vnvram_write(store, "a", NULL, 0), 0);
	assert_int_equal(vnvram_commit(store, &err), 0);
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
	assert_int_equal(vnvram_write(store, "a", big, SMALL), 0);
	assert_int_equal(vnvram_write(store, "b", big, SMALL), 0);
	assert_int_equal(vnvram_write(store, "b", big, SMALL + 1), -EFBIG);
	assert_int_equal(vnvram_write(store, "c", big, 1), -ENOENT);
	assert_int_equal(vnvram_commit(store, &err), 0);
	assert_int_equal(vnvram_register(store, "c", 1), -EBUSY);
	vnvram_free(store);

	store = vnvram_new(&uuid, VNVRAM_TPM_20, &io);
	assert_int_equal(vnvram_register(store, "", 1), -EINVAL);
	assert_int_equal(vnvram_register(store, "a-name-that-is-too-long-", 1), -EINVAL);
	for (char name[] = "0"; name[0] < '0' + VNVRAM_MAX_ENTRIES; name[0]++)
		assert_int_equal(vnvram_register(store, name, 1), 0);
	assert_int_equal(vnvram_register(store, "0", 1), -EEXIST);
	assert_int_equal(vnvram_register(store, "x", 1), -ENOSPC);
	assert_int_equal(vnvram_deregister(store, "0"), 0);
	assert_int_equal(vnvram_deregister(store, "0"), -ENOENT);
	assert_int_equal(vnvram_register(store, "x", 1), 0);
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
	assert_int_equal(vnvram_commit(store, &err), 0);
	assert_int_equal(faults.pwrites + faults.syncs, 0);
	put(store, "a", "newer");
	assert_true(vnvram_dirty(store));
	assert_int_equal(vnvram_commit(store, &err), 0);
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

static void test_every_flip(void **state)
{
	unsigned int outcomes[3] = { 0 };
	int fd = make_file();
	uint8_t *bytes = contents(fd);

	(void)state;
	for (size_t i = 0; i < 4096; i++)
		flip(fd, bytes, i, outcomes);
	assert_int_equal(outcomes[0], 4096);
	/* Generation 1 is in slot 0; generation 2 in slot 1, 64 + 2 * 32 + 3 + 4 bytes. */
	memset(outcomes, 0, sizeof(outcomes));
	for (size_t i = 4096 + SLOT; i < 4096 + SLOT + 135; i++)
		flip(fd, bytes, i, outcomes);
	assert_int_equal(outcomes[1], 135);
	for (size_t i = 4096; i < SIZE; i++)
		flip(fd, bytes, i, outcomes);
	assert_int_equal(outcomes[0], 0);
	munmap(bytes, SIZE);
	close(fd);
}

static void test_both_slots_damaged(void **state)
{
	int fd = make_file();
	uint8_t *bytes = contents(fd);

	(void)state;
	bytes[4096 + 70] ^= 1;
	bytes[4096 + SLOT + 70] ^= 1;
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
	store = vnvram_new(&uuid, VNVRAM_TPM_20, &io);
	assert_int_equal(vnvram_register(store, "a", SLOT), 0);
	vnvram_attach(store, fd, "the-file");
	assert_int_equal(vnvram_start(store, &err), -EFBIG);
	vnvram_free(store);
	store = vnvram_new(&uuid, VNVRAM_TPM_20, &io);
	assert_int_equal(vnvram_register(store, "a", SMALL), 0);
	vnvram_attach(store, fd, "the-file");
	assert_int_equal(vnvram_start(store, &err), -EPROTO);
	assert_non_null(strstr(err.text, "'b'"));
	vnvram_free(store);
	bytes[8]++;
	assert_refused(fd, EPROTO, "format version 2");
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

	(void)state;
	for (ssize_t cut = 0; cut < 200; cut++) {
		int fd = make_file();

		assert_int_equal(start(fd, &store, &err), 0);
		put(store, "a", "newest");
		put(store, "b", "and a bit longer than before, so that something is over");
		faults.cut_after = cut < 64 + 32 + 6 + 32 + 55 ? cut : 188;
		assert_int_equal(vnvram_commit(store, &err), -EIO);
		vnvram_free(store);
		no_faults();
		assert_int_equal(start(fd, &store, &err), 0);
		assert_int_equal(vnvram_generation(store), 2);
		assert_true(holds(store, "a", "new") && holds(store, "b", "more"));
		vnvram_free(store);
		close(fd);
	}
}

static void fail_and_recover(int code, bool fatal)
{
	int fd = make_file();
	struct vnvram *store;
	struct error err;

	assert_int_equal(start(fd, &store, &err), 0);
	put(store, "a", "newest");
	faults.pwrite_errno = code;
	assert_int_equal(vnvram_commit(store, &err), -code);
	assert_non_null(strstr(err.text, "the-file: cannot store"));
	faults.pwrite_errno = 0;
	faults.sync_errno = code;
	assert_int_equal(vnvram_commit(store, &err), -code);
	assert_true(vnvram_dirty(store));
	assert_true(holds(store, "a", "newest"));
	assert_int_equal(vnvram_had_fatal_error(store), fatal);
	/* A flush that failed may have lost the data: it has to be written again. */
	no_faults();
	assert_int_equal(vnvram_commit(store, &err), 0);
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
	fail_and_recover(EBADF, true);
}

static void test_lock(void **state)
{
	char path[] = "/tmp/vtpm-test-XXXXXX";
	int fd = mkstemp(path), fd2;
	struct vnvram *store = make(&uuid, VNVRAM_TPM_20, fd), *store2;
	struct error err;

	(void)state;
	assert_int_equal(vnvram_lock(store, &err), 0);
	fd2 = open(path, O_RDWR);
	store2 = make(&uuid, VNVRAM_TPM_20, fd2);
	assert_int_equal(vnvram_lock(store2, &err), -EBUSY);
	assert_non_null(strstr(err.text, "another engine"));
	close(fd);
	assert_int_equal(vnvram_lock(store2, &err), 0);
	vnvram_free(store);
	vnvram_free(store2);
	close(fd2);
	unlink(path);
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
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
