/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the store share and nobody else sees. */
#ifndef VTPM_VNVRAM_INTERNAL_H
#define VTPM_VNVRAM_INTERNAL_H

#include "vnvram.h"

#define DIGEST_SIZE		32
#define SALT_SIZE		32
#define NONCE_SIZE		12
#define TAG_SIZE		16
#define SLOTS			2
/* Header and owner record have a sector each: they are written as a whole, or not. */
#define SECTOR_SIZE		512
#define OWNER_OFFSET		2048
/* More than commits can reach. A slot that says more was not written by any engine. */
#define GENERATION_MAX		(1ULL << 62)

struct entry {
	char name[VNVRAM_NAME_SIZE];
	size_t max_size;
	vnvram_done done;
	void *opaque;
	bool present;
	size_t size;
	uint8_t *data;		/* owned; NULL while @size is 0 */
};

/* A request that waits for its commit. What it changes is in the entry already. */
struct request {
	char name[VNVRAM_NAME_SIZE];
	enum vnvram_op op;
	ssize_t result;
	struct request *next;
};

struct vnvram {
	struct vnvram_identity identity;
	const struct vnvram_io *io;
	int fd;
	char file[128];		/* for messages */
	struct entry entries[VNVRAM_MAX_ENTRIES];
	unsigned int entry_count;
	struct request *first, **last;
	bool started;
	bool dirty;
	bool fatal;
	bool read_only;
	bool forced;		/* whoever holds it by its record */
	struct vnvram_owner self;	/* this process, from vnvram_lock() on */
	bool taken;		/* the owner record says that it is ours */
	unsigned int active;	/* slot that holds the last commit */
	uint64_t generation;	/* of the last commit, 0 if there is none */
	uint64_t floor;		/* the next one comes after this too */
	uint64_t slot_size;
	uint8_t salt[SALT_SIZE];
	uint8_t header_digest[DIGEST_SIZE];
	bool encrypted;
	uint8_t master[VNVRAM_KEY_SIZE];	/* as given */
	uint8_t key[VNVRAM_KEY_SIZE];	/* derived from it, when the salt is known */
	uint8_t key_id[VNVRAM_KEY_ID_SIZE];
	uint8_t *slot;		/* image of the slot being written; kept for the next one */
	size_t slot_capacity;
	struct error warning;
};

/**
 * struct header - what a header says
 * @version: of the format
 * @identity: whose the store is
 * @slot_size: bytes of each slot
 * @salt: for the derivation of keys
 * @digest: of the header, which all slots refer to
 */
struct header {
	uint32_t version;
	struct vnvram_identity identity;
	uint64_t slot_size;
	uint8_t salt[SALT_SIZE];
	uint8_t digest[DIGEST_SIZE];
};

/**
 * struct slot_info - what became of reading one slot
 * @bytes: the slot, as far as it is in use; owned by the holder of this structure
 * @size: bytes of it
 * @blank: nothing was ever written there
 * @whole: the checksum is right, and what follows is filled in
 * @generation: of the commit
 * @writer: version of the engine that wrote it
 * @encrypted: with the key @key_id and @nonce
 * @key_id: see above
 * @nonce: see above
 * @head: what is covered beside the body; in @bytes
 * @head_size: bytes of it
 * @body: the entries, perhaps encrypted; in @bytes
 * @body_size: bytes of it
 * @used: bytes of the slot that the commit took
 */
struct slot_info {
	uint8_t *bytes;
	size_t size;
	bool blank;
	bool whole;
	uint64_t generation;
	uint32_t writer;
	bool encrypted;
	uint8_t key_id[VNVRAM_KEY_ID_SIZE];
	uint8_t nonce[NONCE_SIZE];
	const uint8_t *head;
	size_t head_size;
	uint8_t *body;
	size_t body_size;
	size_t used;
};

/* vnvram.c */
struct entry *vnvram_entry(const struct vnvram *store, const char *name);
int entry_set(struct entry *entry, const void *data, size_t size);
void entry_clear(struct entry *entry);

/* vnvram_file.c: bytes from and to the file */
int store_write(struct vnvram *store, const void *bytes, size_t size, off_t offset);
int store_read(const struct vnvram *store, void *bytes, size_t size, off_t offset);
int store_zero(struct vnvram *store, uint64_t from, uint64_t to);
int store_flush(struct vnvram *store);
int store_write_back(struct vnvram *store, size_t size, off_t offset);
int store_size(const struct vnvram *store, uint64_t *size, struct error *err);
int read_header(const struct vnvram *store, struct header *header, struct error *err);
int read_slot(const struct vnvram *store, const struct header *header, unsigned int number,
	      struct slot_info *slot);
void forget_slot(struct slot_info *slot);
off_t slot_offset(uint64_t slot_size, unsigned int number);

/* vnvram_format.c: what the bytes mean */
uint64_t slot_size_needed(const struct vnvram *store);
int header_encode(struct vnvram *store, uint8_t *sector);
int header_decode(struct header *header, const uint8_t *sector, const char *file,
		  struct error *err);
int slot_encode(struct vnvram *store, uint64_t generation, size_t *size);
int slot_parse(const struct header *header, struct slot_info *slot);
int slot_decode(struct vnvram *store, const struct slot_info *slot, struct error *err);

/* vnvram_v1.c: the first version of the format */
bool v1_header(const uint8_t *bytes);
int v1_header_decode(struct header *header, const uint8_t *bytes, const char *file,
		     struct error *err);
int v1_slot_parse(const struct header *header, struct slot_info *slot);
int v1_slot_decode(struct vnvram *store, const struct slot_info *slot, struct error *err);

/* vnvram_crypt.c */
struct bytes {
	const void *at;
	size_t size;
};
int digest_parts(const struct bytes *parts, unsigned int count, uint8_t *result);
int random_bytes(void *bytes, size_t size);
int derive_key(struct vnvram *store);
int encrypt_body(const struct vnvram *store, const struct slot_info *slot);
int decrypt_body(const struct vnvram *store, const uint8_t *header_digest,
		 struct slot_info *slot);

/* vnvram_owner.c */
int owner_read(const struct vnvram *store, struct vnvram_owner *owner);
int owner_check(struct vnvram *store, const struct vnvram_owner *owner, struct error *err);
const char *owner_describe(const struct vnvram_owner *owner, char *text, size_t size);

#endif
