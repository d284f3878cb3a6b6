// SPDX-License-Identifier: GPL-2.0-only
#include "cut_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct io_plan io_plan;
size_t entry_max = ENTRY_MAX;

static const uint8_t key1[VNVRAM_KEY_SIZE] = "a key for tests, 32 bytes long.";
static const uint8_t key2[VNVRAM_KEY_SIZE] = "another key for tests.";
const uint8_t *const cut_keys[CUT_KEYS] = { NULL, key1, key2 };

static bool fails(enum io_call call)
{
	if (io_plan.fail != call || !io_plan.nth || ++io_plan.seen < io_plan.nth ||
	    (io_plan.seen > io_plan.nth && !io_plan.for_ever))
		return false;
	io_plan.hits++;
	return true;
}

static ssize_t planned_pread(int fd, void *buf, size_t size, off_t offset)
{
	if (!fails(IO_READ))
		return pread(fd, buf, size, offset);
	errno = io_plan.code;
	return errno ? -1 : pread(fd, buf, size / 2, offset);
}

static ssize_t planned_pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	ssize_t n;

	if (fails(IO_WRITE)) {
		errno = io_plan.code;
		if (errno)
			return -1;
		size /= 2;
	}
	n = pwrite(fd, buf, size, offset);
	if (n > 0 && io_plan.log)
		cut_log_write(io_plan.log, buf, n, offset);
	return n;
}

static int planned_fdatasync(int fd)
{
	bool failed = fails(IO_FLUSH) && io_plan.code;

	(void)fd;
	if (io_plan.log)
		cut_log_flush(io_plan.log, failed);
	errno = io_plan.code;
	return failed ? -1 : 0;
}

const struct vnvram_io planned_io = { planned_pread, planned_pwrite, planned_fdatasync };

int new_file(void)
{
	int fd = memfd_create("store", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

int fixture_file(void)
{
	FILE *pipe = popen("gzip -dc '" FIXTURES_DIR "/v1-small.gz'", "r");
	int fd = new_file();
	char bytes[4096];
	size_t n;

	assert_non_null(pipe);
	while ((n = fread(bytes, 1, sizeof(bytes), pipe)))
		assert_int_equal(write(fd, bytes, n), n);
	assert_int_equal(pclose(pipe), 0);
	return fd;
}

struct vnvram *new_store(int fd, unsigned int key)
{
	static const struct vnvram_identity identity = {
		{ { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
		VNVRAM_TPM_20, 0x000902,
	};
	struct vnvram *store = vnvram_new(&identity, &planned_io);
	struct error err;

	if (!store)
		return NULL;
	assert_int_equal(vnvram_register(store, "a", entry_max, NULL, NULL), 0);
	assert_int_equal(vnvram_register(store, "b", entry_max, NULL, NULL), 0);
	vnvram_attach(store, fd, "the-file");
	if (cut_keys[key])
		vnvram_set_key(store, cut_keys[key]);
	assert_int_equal(vnvram_lock(store, &err), 0);
	return store;
}

int start_store(int fd, unsigned int key, struct vnvram **store, struct error *err)
{
	int ret;

	*store = new_store(fd, key);
	if (!*store)
		return -ENOMEM;
	ret = vnvram_start(*store, err);
	if (!ret)
		return 0;
	vnvram_free(*store);
	*store = NULL;
	return ret;
}

/* Sizes go up and down, by whole sectors too; each fourth has no entry "b". */
static size_t contents_size(unsigned int number, unsigned int entry)
{
	if (number == FIXTURE_CONTENTS)
		return entry ? 4 : 3;
	if (entry && number % 4 == 3)
		return 0;
	return 8 + number * (entry ? 1511 : 977) % (entry_max - 8);
}

static void fill_contents(unsigned int number, unsigned int entry, uint8_t *bytes)
{
	size_t size = contents_size(number, entry);

	if (number == FIXTURE_CONTENTS) {
		memcpy(bytes, entry ? "more" : "new", size);
		return;
	}
	for (size_t i = 0; i < size; i++)
		bytes[i] = (i + 1) * (number + 3) * 2654435761U >> 24;
	memcpy(bytes, &number, size < sizeof(number) ? size : sizeof(number));
}

int put_contents(struct vnvram *store, unsigned int number)
{
	uint8_t bytes[BIG_ENTRY_MAX];
	int ret;

	fill_contents(number, 0, bytes);
	ret = vnvram_write_async(store, "a", bytes, contents_size(number, 0));
	if (ret)
		return ret;
	fill_contents(number, 1, bytes);
	if (contents_size(number, 1))
		return vnvram_write_async(store, "b", bytes, contents_size(number, 1));
	ret = vnvram_clear_async(store, "b");
	return ret == -ENOENT ? 0 : ret;
}

static bool holds(const struct vnvram *store, unsigned int number, unsigned int entry)
{
	uint8_t bytes[BIG_ENTRY_MAX];
	const void *data;
	size_t size;
	int ret = vnvram_read(store, entry ? "b" : "a", &data, &size);

	if (!contents_size(number, entry))
		return ret == -ENOENT;
	fill_contents(number, entry, bytes);
	return !ret && size == contents_size(number, entry) && !memcmp(data, bytes, size);
}

unsigned int contents_number(const struct vnvram *store)
{
	unsigned int number = FIXTURE_CONTENTS;
	const void *data;
	size_t size;

	if (vnvram_read(store, "a", &data, &size))
		return 0;
	if (size >= sizeof(number))
		memcpy(&number, data, sizeof(number));
	return holds(store, number, 0) && holds(store, number, 1) ? number : 0;
}
