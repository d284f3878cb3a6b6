// SPDX-License-Identifier: GPL-2.0-only
/* A store that works, and its I/O failing. */
#include "store_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
	assert_int_equal(info.writer, WRITER);
	assert_string_equal(info.owner.host, "");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_nothing_changed),
		cmocka_unit_test(test_format_refuses),
		cmocka_unit_test(test_cut_commit),
		cmocka_unit_test(test_passing_faults),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_rekey),
		cmocka_unit_test(test_cut_rekey),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_inspect),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
