/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the store share and nobody else sees. */
#ifndef VTPM_VNVRAM_INTERNAL_H
#define VTPM_VNVRAM_INTERNAL_H

#include "vnvram.h"

#define DIGEST_SIZE		32
#define HEADER_DIGEST_OFFSET	(VNVRAM_HEADER_SIZE - DIGEST_SIZE)
#define SLOT_DIGEST_OFFSET	32
#define ENTRY_HEADER_SIZE	32
#define SLOTS			2

struct entry {
	char name[VNVRAM_NAME_SIZE];
	size_t max_size;
	bool present;
	size_t size;
	uint8_t *data;		/* owned; NULL while @size is 0 */
};

struct vnvram {
	struct uuid uuid;
	enum vnvram_tpm tpm;
	const struct vnvram_io *io;
	int fd;
	char file[128];		/* for messages */
	struct entry entries[VNVRAM_MAX_ENTRIES];
	unsigned int entry_count;
	bool started;
	bool dirty;
	bool fatal;
	unsigned int active;	/* slot that holds the last commit */
	uint64_t generation;	/* of the last commit, 0 if there is none */
	uint64_t slot_size;
	uint8_t header_digest[DIGEST_SIZE];
	uint8_t *slot;		/* image of the slot being written; kept for the next one */
	size_t slot_capacity;
	struct error warning;
};

/**
 * struct slot_info - what became of reading one slot
 * @valid: it holds a whole commit
 * @blank: nothing was ever written there
 * @generation: of the commit, if @valid
 * @entries: number of entries, if @valid
 * @payload: the entries, if @valid; owned by the holder of this structure
 * @size: bytes of @payload
 */
struct slot_info {
	bool valid;
	bool blank;
	uint64_t generation;
	uint32_t entries;
	uint8_t *payload;
	size_t size;
};

uint32_t get_le32(const uint8_t *p);
uint64_t get_le64(const uint8_t *p);
void put_le32(uint8_t *p, uint32_t value);
void put_le64(uint8_t *p, uint64_t value);

struct entry *vnvram_entry(const struct vnvram *store, const char *name);
int entry_set(struct entry *entry, const void *data, size_t size);
void entry_clear(struct entry *entry);

uint64_t slot_size_needed(const struct vnvram *store);
off_t slot_offset(const struct vnvram *store, unsigned int slot);
int digest_buffer(const void *data, size_t size, uint8_t *digest);

int header_encode(struct vnvram *store, uint8_t *header);
int header_decode(struct vnvram *store, const uint8_t *header, uint64_t file_size,
		  struct error *err);
int slot_encode(struct vnvram *store, uint64_t generation, size_t *size);
int slot_decode(struct vnvram *store, const struct slot_info *slot, struct error *err);
int slot_check(struct vnvram *store, const uint8_t *header, struct slot_info *slot);
bool slot_header_plausible(const struct vnvram *store, const uint8_t *header,
			   struct slot_info *slot);

#endif
