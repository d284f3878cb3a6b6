// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever lies in a store's file: started, read, committed to, inspected.
 *
 * An input is two bytes of options, then the parts of the file, each with its size (16
 * bits, little-endian) before it. What lies between the parts is zero. Checksums and
 * encryption would stop nearly all changes, so with OPTION_SEAL the parts are given the
 * checksums that belong to them, and bodies, which are in clear text in the input, are
 * encrypted if their head says so. Without it the bytes are what they are.
 */
#include <endian.h>
#include <errno.h>
#include <sys/stat.h>

#include "der.h"
#include "fuzz.h"
#include "vnvram_internal.h"

#define OPTION_SEAL	0x01
#define OPTION_KEY	0x02	/* the reader has a key */
#define OPTION_KEY_ID	0x04	/* sealed slots name that key */
#define OPTION_TPM12	0x08
#define OPTION_DEVICE	0x10	/* it is on a block device */
#define OPTION_FORCE	0x20
#define OPTION_WIDE	0x40	/* the file has twice the room */
#define OPTION_CUT	0x80	/* the second byte times 64 bytes are missing at the end */

#define SLOT		4096
#define FILE_MAX	(VNVRAM_HEADER_SIZE + 4 * SLOT)
#define PARTS		5
/* Of version 1, whose slots and entries have heads of fixed size. */
#define V1_DIGEST_AT	(VNVRAM_HEADER_SIZE - DIGEST_SIZE)
#define V1_HEAD		64
#define V1_LENGTH_AT	16
#define V1_ENTRY_HEAD	32

static const struct {
	size_t at, max;
} parts[PARTS] = {
	{ 0, OWNER_OFFSET },
	{ OWNER_OFFSET, V1_DIGEST_AT - OWNER_OFFSET },
	{ V1_DIGEST_AT, DIGEST_SIZE },
	{ VNVRAM_HEADER_SIZE, SLOT },
	{ VNVRAM_HEADER_SIZE + SLOT, 3 * SLOT },
};

static const struct {
	const char *name;
	size_t max;
} entries[] = { { "permall", 300 }, { "volatilestate", 64 }, { "a", 8 }, { "b", 0 } };

#define ENTRIES		(sizeof(entries) / sizeof(entries[0]))

static const uint8_t key[VNVRAM_KEY_SIZE] = "a key for tests, 32 bytes long.";

/* A file in memory: its descriptor is not used. */
struct file {
	uint8_t bytes[FILE_MAX];
	size_t size;
	bool device;
};

static struct file *current;

static ssize_t file_pread(int fd, void *buf, size_t size, off_t offset)
{
	size_t have = (size_t)offset < current->size ? current->size - offset : 0;

	(void)fd;
	have = have < size ? have : size;
	memcpy(buf, current->bytes + offset, have);
	return have;
}

static ssize_t file_pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	(void)fd;
	/* Nothing is ever written where the store has no room. */
	require(offset >= 0 && offset + size <= current->size);
	memcpy(current->bytes + offset, buf, size);
	return size;
}

static int file_fdatasync(int fd)
{
	(void)fd;
	return 0;
}

static const struct vnvram_io io = { file_pread, file_pwrite, file_fdatasync };

off_t __wrap_lseek64(int fd, off_t offset, int whence);
off_t __wrap_lseek64(int fd, off_t offset, int whence)
{
	(void)fd;
	(void)offset;
	(void)whence;
	return current->size;
}

int __wrap_fstat64(int fd, struct stat *st);
int __wrap_fstat64(int fd, struct stat *st)
{
	(void)fd;
	memset(st, 0, sizeof(*st));
	st->st_mode = current->device ? S_IFBLK : S_IFREG;
	return 0;
}

/* SEQUENCE { first, [body OCTETS,] digest OCTETS } */
struct sealed {
	const uint8_t *first, *body, *digest;
	size_t first_size, body_size;
	struct der_reader head;
};

static bool find_sealed(const uint8_t *bytes, size_t size, bool with_body, struct sealed *sealed)
{
	struct der_reader reader = { bytes, size }, outer, inside;

	if (der_enter(&reader, DER_SEQUENCE, &outer))
		return false;
	sealed->first = outer.at;
	if (der_enter(&outer, DER_SEQUENCE, &sealed->head))
		return false;
	sealed->first_size = outer.at - sealed->first;
	if (with_body) {
		if (der_enter(&outer, DER_OCTETS, &inside))
			return false;
		sealed->body = inside.at;
		sealed->body_size = inside.left;
	}
	if (der_enter(&outer, DER_OCTETS, &inside) || inside.left != DIGEST_SIZE)
		return false;
	sealed->digest = inside.at;
	return true;
}

static void seal_header(struct file *file, uint8_t *digest)
{
	struct bytes covered = { file->bytes, V1_DIGEST_AT };
	struct sealed sealed;

	if (v1_header(file->bytes)) {
		digest_parts(&covered, 1, digest);
		memcpy(file->bytes + V1_DIGEST_AT, digest, DIGEST_SIZE);
	} else if (find_sealed(file->bytes, SECTOR_SIZE, false, &sealed)) {
		covered = (struct bytes){ sealed.first, sealed.first_size };
		digest_parts(&covered, 1, digest);
		memcpy((uint8_t *)sealed.digest, digest, DIGEST_SIZE);
	}
}

static void seal_owner(struct file *file, const uint8_t *digest)
{
	struct sealed sealed;

	if (find_sealed(file->bytes + OWNER_OFFSET, SECTOR_SIZE, false, &sealed))
		digest_parts((const struct bytes[]){ { digest, DIGEST_SIZE },
						     { sealed.first, sealed.first_size } },
			     2, (uint8_t *)sealed.digest);
}

/* Which key it is encrypted with depends on the salt, which the header has. */
static void derive(struct vnvram *store, struct file *file, const uint8_t *digest)
{
	struct header header = { 0 };

	memcpy(store->header_digest, digest, DIGEST_SIZE);
	memcpy(store->master, key, VNVRAM_KEY_SIZE);
	store->encrypted = true;
	if (!v1_header(file->bytes) && !header_decode(&header, file->bytes, "", NULL)) {
		memcpy(store->salt, header.salt, SALT_SIZE);
		store->identity = header.identity;
	}
	require(!derive_key(store));
}

static void encrypt(const struct vnvram *store, struct sealed *sealed, bool name_key)
{
	struct slot_info slot = {
		.head = sealed->first, .head_size = sealed->first_size,
		.body = (uint8_t *)sealed->body, .body_size = sealed->body_size,
	};
	struct der_reader head = sealed->head, encryption, field;
	uint64_t number;

	if (der_read_number(&head, DER_INTEGER, &number) ||
	    der_read_number(&head, DER_INTEGER, &number) ||
	    der_enter(&head, DER_SEQUENCE, &encryption) ||
	    der_enter(&encryption, DER_OCTETS, &field) || field.left != VNVRAM_KEY_ID_SIZE)
		return;
	if (name_key)
		memcpy((uint8_t *)field.at, store->key_id, VNVRAM_KEY_ID_SIZE);
	if (sealed->body_size >= TAG_SIZE && !der_read_fixed(&encryption, slot.nonce, NONCE_SIZE))
		encrypt_body(store, &slot);
}

static void seal_slot(const struct vnvram *store, uint8_t *bytes, size_t size, bool name_key)
{
	struct sealed sealed;

	if (!find_sealed(bytes, size, true, &sealed))
		return;
	encrypt(store, &sealed, name_key);
	digest_parts((const struct bytes[]){ { store->header_digest, DIGEST_SIZE },
					     { sealed.first, sealed.first_size },
					     { sealed.body, sealed.body_size } },
		     3, (uint8_t *)sealed.digest);
}

static uint32_t get_le32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static void put_le32(uint8_t *bytes, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes, &value, sizeof(value));
}

static void seal_v1_slot(const uint8_t *digest, uint8_t *bytes, size_t size)
{
	uint32_t length = get_le32(bytes + V1_LENGTH_AT);

	if (length <= size - V1_HEAD)
		digest_parts((const struct bytes[]){ { digest, DIGEST_SIZE }, { bytes, 32 },
						     { bytes + V1_HEAD, length } },
			     3, bytes + 32);
}

static void seal(struct file *file, uint8_t options)
{
	struct vnvram store = { 0 };
	uint8_t digest[DIGEST_SIZE] = { 0 };

	seal_header(file, digest);
	seal_owner(file, digest);
	derive(&store, file, digest);
	for (unsigned int i = PARTS - SLOTS; i < PARTS; i++) {
		if (v1_header(file->bytes))
			seal_v1_slot(digest, file->bytes + parts[i].at, SLOT);
		else
			seal_slot(&store, file->bytes + parts[i].at, SLOT,
				  options & OPTION_KEY_ID);
	}
}

static void make_file(struct file *file, struct input *input, uint8_t options, uint8_t cut)
{
	memset(file, 0, sizeof(*file));
	for (unsigned int i = 0; i < PARTS; i++) {
		size_t size = input_byte(input);

		size |= input_byte(input) << 8;
		size = size < parts[i].max ? size : parts[i].max;
		input_take(input, file->bytes + parts[i].at, size);
	}
	file->size = VNVRAM_HEADER_SIZE + (options & OPTION_WIDE ? 4 : 2) * SLOT;
	if (options & OPTION_SEAL)
		seal(file, options);
	if (options & OPTION_CUT)
		file->size -= 64 * cut < (int)file->size ? 64 * cut : file->size;
	file->device = options & OPTION_DEVICE;
}

static struct vnvram *new_store(uint8_t options)
{
	const struct vnvram_identity identity = {
		.uuid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } },
		.tpm = options & OPTION_TPM12 ? VNVRAM_TPM_12 : VNVRAM_TPM_20,
		.engine = 0x00090200,
	};
	struct vnvram *store = vnvram_new(&identity, &io);

	require(store);
	for (unsigned int i = 0; i < ENTRIES; i++)
		require(!vnvram_register(store, entries[i].name, entries[i].max, NULL, NULL));
	vnvram_attach(store, 0, "store");
	if (options & OPTION_KEY)
		vnvram_set_key(store, key);
	if (options & OPTION_FORCE)
		vnvram_force(store);
	return store;
}

static struct vnvram *start(struct file *file, uint8_t options, bool read_only, int *ret)
{
	struct vnvram *store = new_store(options);
	struct error err = { "" };

	current = file;
	*ret = read_only ? vnvram_start_read_only(store, &err) : vnvram_start(store, &err);
	require(*ret <= 0 && !*ret == !*err.text);
	/* Nothing in a file is a reason for these: memory is there, and so is each byte asked for. */
	require(*ret != -ENOMEM && *ret != -EIO);
	return store;
}

static void require_sane(const struct vnvram *store)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		const void *data;
		size_t size;

		if (vnvram_read(store, entries[i].name, &data, &size))
			continue;
		require(size <= entries[i].max && (data || !size));
	}
	require(vnvram_generation(store) > 0 && vnvram_generation(store) <= GENERATION_MAX);
	require(!vnvram_dirty(store));
}

static void require_same(const struct vnvram *a, const struct vnvram *b)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		const void *a_data, *b_data;
		size_t a_size, b_size;
		int ret = vnvram_read(a, entries[i].name, &a_data, &a_size);

		require(vnvram_read(b, entries[i].name, &b_data, &b_size) == ret);
		require(ret || (a_size == b_size && (!a_size || !memcmp(a_data, b_data, a_size))));
	}
}

/* A commit, and a start of what it has left. */
static void commit(struct vnvram *store, struct file *file, uint8_t options)
{
	uint64_t generation = vnvram_generation(store);
	struct vnvram *after;
	int ret;

	current = file;
	require(!vnvram_write_async(store, "a", "changed!", 8) &&
		!vnvram_write_async(store, "permall", "more", generation & 3));
	require(!vnvram_process(store, NULL));
	require(vnvram_generation(store) == generation + 1 || !vnvram_dirty(store));
	after = start(file, options, true, &ret);
	require(!ret);
	require(vnvram_generation(after) == vnvram_generation(store));
	require_same(store, after);
	vnvram_free(after);
}

/* Fills the stack, so that what depends on what was there differs from call to call. */
static __attribute__((noinline)) void litter(uint8_t value)
{
	volatile uint8_t bytes[16384];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = value;
}

/* Where what a slot says of its own size ends; @size if it makes no sense. */
static size_t slot_end(const struct file *file, const uint8_t *slot, size_t size)
{
	struct der_reader reader = { slot, size }, inside;
	uint32_t length = get_le32(slot + V1_LENGTH_AT);

	if (v1_header(file->bytes))
		return length <= size - V1_HEAD ? V1_HEAD + length : size;
	return der_enter(&reader, DER_SEQUENCE, &inside) ? size : (size_t)(reader.at - slot);
}

/* What lies behind that has no checksum, and must not matter. */
static void try_other_ends(const struct file *file, const struct vnvram *store, int expected,
			   uint64_t slot_size, uint8_t options)
{
	static struct file copy;
	struct vnvram *other;
	int ret;

	copy = *file;
	for (unsigned int i = 0; i < SLOTS; i++) {
		uint8_t *slot = copy.bytes + slot_offset(slot_size, i);
		size_t end = slot_end(file, slot, slot_size);

		memset(slot + end, 0xa5, slot_size - end);
	}
	other = start(&copy, options, true, &ret);
	require(ret == expected);
	if (!ret)
		require_same(store, other);
	vnvram_free(other);
}

static void inspect(struct file *file, const struct vnvram *store, int expected, uint8_t options)
{
	struct vnvram_info info, again;
	int ret;

	current = file;
	litter(0x55);
	ret = vnvram_inspect(0, "store", &io, &info, NULL);
	litter(0xaa);
	require(vnvram_inspect(0, "store", &io, &again, NULL) == ret);
	require(info.identity.engine == again.identity.engine && info.writer == again.writer &&
		info.generation == again.generation && info.version == again.version &&
		info.encrypted == again.encrypted && info.slot_size == again.slot_size);
	require(memchr(info.owner.host, 0, sizeof(info.owner.host)) &&
		!strcmp(info.owner.host, again.owner.host) && info.owner.pid == again.owner.pid &&
		info.owner.since == again.owner.since && info.owner.held == again.owner.held &&
		info.owner.generation == again.owner.generation);
	if (!expected)
		require(!ret && info.generation == vnvram_generation(store));
	if (!ret)
		try_other_ends(file, store, expected, info.slot_size, options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct file file, copy;
	struct input input = { data, size };
	uint8_t options = input_byte(&input);
	struct vnvram *reader, *writer;
	int ret, again;

	make_file(&file, &input, options, input_byte(&input));
	copy = file;
	reader = start(&copy, options, true, &ret);
	inspect(&copy, reader, ret, options);
	require(!memcmp(&copy, &file, sizeof(file)));
	writer = start(&file, options, false, &again);
	/* Who only reads does not mind whose it is. */
	require(again == ret || (!ret && again == -EBUSY && file.device) ||
		(!ret && again == -EOVERFLOW && vnvram_had_fatal_error(writer)));
	if (!ret)
		require_sane(reader);
	if (!again) {
		require_sane(writer);
		require_same(reader, writer);
		if (vnvram_generation(writer) < GENERATION_MAX)
			commit(writer, &file, options);
		else
			require(vnvram_write(writer, "a", "changed!", 8, NULL) == -EOVERFLOW);
	}
	vnvram_free(reader);
	vnvram_free(writer);
	return 0;
}

/* Another size for an entry, and for all that it lies in. */
static size_t v1_mutate(uint8_t *slot, size_t size, size_t room, unsigned int seed)
{
	size_t at = V1_HEAD, old, now = (seed >> 4) % 512;

	for (unsigned int skip = seed % ENTRIES; at + V1_ENTRY_HEAD <= size; skip--) {
		old = get_le32(slot + at + 24);
		if (old > size - at - V1_ENTRY_HEAD || !skip)
			break;
		at += V1_ENTRY_HEAD + old;
	}
	if (at + V1_ENTRY_HEAD > size || old > size - at - V1_ENTRY_HEAD ||
	    size - old + now > room)
		return LLVMFuzzerMutate(slot, size, room);
	put_le32(slot + at + 24, now);
	at += V1_ENTRY_HEAD;
	memmove(slot + at + now, slot + at + old, size - at - old);
	if (now > old)
		memset(slot + at + old, 'x', now - old);
	put_le32(slot + V1_LENGTH_AT, size - old + now - V1_HEAD);
	return size - old + now;
}

static size_t mutate_part(uint8_t *bytes, size_t size, size_t room, unsigned int seed)
{
	if (!room)
		return 0;
	if (size < V1_HEAD || memcmp(bytes, "vtpmslot", 8))
		return der_mutate(bytes, size, room, seed);
	switch (seed % 4) {
	case 0:
		return LLVMFuzzerMutate(bytes, size, room);
	case 1:
		put_le32(bytes + V1_LENGTH_AT,
			 get_le32(bytes + V1_LENGTH_AT) + (seed >> 2) % 64 - 32);
		return size;
	default:
		return v1_mutate(bytes, size, room, seed >> 2);
	}
}

/* Changes one part, and its size with it. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t at = 2, part, now, room = max_size - size;
	uint8_t *copy;

	if (seed % 8 == 0 || size > max_size)
		return LLVMFuzzerMutate(data, size, max_size);
	if (size >= 2 && seed % 8 == 1)
		data[0] ^= 1U << (seed >> 8) % 8;
	for (unsigned int skip = (seed >> 3) % PARTS; skip && at + 2 <= size; skip--)
		at += 2 + (data[at] | data[at + 1] << 8);
	if (at + 2 > size)
		return LLVMFuzzerMutate(data, size, max_size);
	part = data[at] | data[at + 1] << 8;
	at += 2;
	part = part < size - at ? part : size - at;
	copy = malloc(part + room + 1);
	require(copy);
	memcpy(copy, data + at, part);
	now = mutate_part(copy, part, part + room, seed >> 6);
	memmove(data + at + now, data + at + part, size - at - part);
	memcpy(data + at, copy, now);
	data[at - 2] = now;
	data[at - 1] = now >> 8;
	free(copy);
	return size - part + now;
}
