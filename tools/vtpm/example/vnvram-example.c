// SPDX-License-Identifier: GPL-2.0-only
/*
 * A store in use, by lib/vnvram.h alone: makes one, writes an entry, reads it
 * back, encrypts the store, and loads it again with the key.
 *
 *   make -C tools/vtpm example && build/tools/vnvram-example FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "vnvram.h"

#define ENTRY		"greeting"
#define ENTRY_MAX	256

/* Whose store it is. A real one has a UUID of its own, and the version of its TPM library. */
static const struct vnvram_identity identity = {
	.uuid = { { 0xe8, 0xa3, 0x91, 0xe0 } },
	.tpm = VNVRAM_TPM_20,
	.engine = 0x00000902,
};

/* Called for each request when it has been carried out, after the commit. */
static void done(void *opaque, const char *name, enum vnvram_op op, ssize_t result)
{
	static const char *const ops[] = {
		[VNVRAM_READ] = "read", [VNVRAM_WRITE] = "written", [VNVRAM_CLEAR] = "cleared",
		[VNVRAM_FORMAT] = "formatted",
	};
	unsigned int *count = opaque;

	++*count;
	printf("callback: entry '%s' was %s, result %zd\n", name, ops[op], result);
}

/* A store with its entry, its file and its lock; NULL if anything goes wrong. */
static struct vnvram *set_up(int fd, const char *file, const uint8_t *key, unsigned int *count,
			     struct error *err)
{
	struct vnvram *store = vnvram_new(&identity, &vnvram_system_io);

	if (!store || vnvram_register(store, ENTRY, ENTRY_MAX, done, count)) {
		error_set(err, ENOMEM, "out of memory");
		vnvram_free(store);
		return NULL;
	}
	vnvram_attach(store, fd, file);
	if (key)
		vnvram_set_key(store, key);
	if (vnvram_lock(store, err)) {
		vnvram_free(store);
		return NULL;
	}
	return store;
}

/* Two requests and one commit: the read comes second, so it gives what the write has set. */
static int write_and_read(struct vnvram *store, const char *text, struct error *err)
{
	char buffer[ENTRY_MAX] = "";
	int ret = vnvram_write_async(store, ENTRY, text, strlen(text) + 1);

	if (!ret)
		ret = vnvram_read_async(store, ENTRY, buffer, sizeof(buffer));
	if (ret)
		return error_set(err, -ret, "cannot hand in requests: %s", strerror(-ret));
	printf("%u requests are outstanding\n", vnvram_outstanding(store, ENTRY));
	ret = vnvram_wait(store, ENTRY, err);
	if (!ret)
		printf("read back: %s, generation %llu\n", buffer,
		       (unsigned long long)vnvram_generation(store));
	return ret;
}

static int make(int fd, const char *file, const uint8_t *key, struct error *err)
{
	unsigned int count = 0;
	struct vnvram *store = set_up(fd, file, NULL, &count, err);
	int ret;

	if (!store)
		return -1;
	printf("the store needs %llu bytes\n", (unsigned long long)vnvram_needed_size(store));
	ret = vnvram_format(store, err);
	if (!ret)
		ret = vnvram_take(store, err);
	if (!ret)
		ret = write_and_read(store, "hello", err);
	if (!ret)
		ret = vnvram_rekey(store, key, err);
	if (!ret)
		ret = vnvram_release(store, err);
	printf("%u callbacks\n", count);
	vnvram_free(store);
	return ret;
}

static int load(int fd, const char *file, const uint8_t *key, struct error *err)
{
	unsigned int count = 0;
	struct vnvram *store = set_up(fd, file, key, &count, err);
	const void *bytes;
	size_t size;
	int ret;

	if (!store)
		return -1;
	ret = vnvram_start(store, err);
	if (!ret && vnvram_read(store, ENTRY, &bytes, &size))
		ret = error_set(err, ENOENT, "%s: has no entry '%s'", file, ENTRY);
	if (!ret)
		printf("loaded with its key: %.*s, generation %llu\n", (int)size,
		       (const char *)bytes, (unsigned long long)vnvram_generation(store));
	vnvram_free(store);
	return ret;
}

int main(int argc, char **argv)
{
	uint8_t key[VNVRAM_KEY_SIZE];
	struct error err = { "" };
	int fd, ret;

	if (argc != 2) {
		fprintf(stderr, "Usage: %s FILE\nMake a store in a new file, and use it.\n",
			argv[0]);
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || getrandom(key, sizeof(key), 0) != sizeof(key)) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	ret = make(fd, argv[1], key, &err);
	if (!ret)
		ret = load(fd, argv[1], key, &err);
	if (!ret && load(fd, argv[1], NULL, &err) == -ENOKEY)
		printf("without its key: %s\n", err.text);
	else if (!ret)
		ret = error_set(&err, EIO, "%s: can be read without its key", argv[1]);
	if (ret)
		fprintf(stderr, "%s\n", err.text);
	explicit_bzero(key, sizeof(key));
	close(fd);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
