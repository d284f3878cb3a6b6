// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores that must not be taken for what they are not: damaged, cut off, of another vTPM,
 * version or key, older than they were; and those of all versions, which must be.
 */
#include "store_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "entries.h"

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

/* Below the library: this host has another name, and the file is a block device. */
static const char *host_name;
static bool on_a_disk;

int __real_uname(struct utsname *name);
int __real_fstat64(int fd, struct stat *st);
int __wrap_uname(struct utsname *name);
int __wrap_fstat64(int fd, struct stat *st);

int __wrap_uname(struct utsname *name)
{
	int ret = __real_uname(name);

	if (host_name)
		snprintf(name->nodename, sizeof(name->nodename), "%s", host_name);
	return ret;
}

int __wrap_fstat64(int fd, struct stat *st)
{
	int ret = __real_fstat64(fd, st);

	if (on_a_disk)
		st->st_mode = (st->st_mode & ~S_IFMT) | S_IFBLK;
	return ret;
}

/* Locks and starts it; what start() and vnvram_warning() say is left in @text. */
static int take_up(int fd, bool force, char *text, size_t size)
{
	struct vnvram *store = make(&uuid, VNVRAM_TPM_20, fd);
	struct error err = { 0 };
	int ret;

	if (force)
		vnvram_force(store);
	assert_int_equal(vnvram_lock(store, &err), 0);
	ret = vnvram_start(store, &err);
	if (!ret)
		assert_int_equal(vnvram_take(store, &err), 0);
	snprintf(text, size, "%s", ret ? err.text : vnvram_warning(store));
	vnvram_free(store);
	return ret;
}

/* The lock says that a host has a file; that one has a disk only the record does. */
static void test_held_by_another_host(void **state)
{
	int fd = make_file();
	char said[512];

	(void)state;
	host_name = "host-one";
	on_a_disk = true;
	assert_int_equal(take_up(fd, false, said, sizeof(said)), 0);
	assert_int_equal(take_up(fd, false, said, sizeof(said)), 0);
	assert_string_equal(said, "");

	host_name = "host-two";
	assert_int_equal(take_up(fd, false, said, sizeof(said)), -EBUSY);
	assert_non_null(strstr(said, "is held by process"));
	assert_non_null(strstr(said, "of host host-one, since 20"));
	assert_non_null(strstr(said, "vtpmctl store take"));
	assert_int_equal(take_up(fd, true, said, sizeof(said)), 0);
	assert_non_null(strstr(said, "has lost its lock"));

	host_name = "host-one";
	assert_int_equal(take_up(fd, false, said, sizeof(said)), -EBUSY);
	on_a_disk = false;
	assert_int_equal(take_up(fd, false, said, sizeof(said)), 0);
	assert_non_null(strstr(said, "host-two"));
	host_name = NULL;
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
		const struct vnvram_identity identity = { uuid, fixtures[i].tpm, WRITER };
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
		cmocka_unit_test(test_every_flip),
		cmocka_unit_test(test_both_slots_damaged),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_larger_is_fine),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_foreign_slot),
		cmocka_unit_test(test_formatted_is_no_tpm),
		cmocka_unit_test(test_older_than_it_was),
		cmocka_unit_test(test_held_by_another_host),
		cmocka_unit_test(test_encrypted),
		cmocka_unit_test(test_tampered),
		cmocka_unit_test(test_newer_writer),
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_fixtures),
	};

	return cmocka_run_group_tests_name("store_refused", tests, NULL, NULL);
}
