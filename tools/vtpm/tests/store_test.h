/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of stores share: I/O that fails as told, and a small store with two
 * generations in it. Failures end the test.
 */
#ifndef STORE_TEST_H
#define STORE_TEST_H

#include "cmocka_all.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vnvram.h"

#define SMALL	600	/* sizes of the entries: whole tests go over all bytes */
#define SLOT	4096
#define SIZE	(4096 + 2 * SLOT)

#define WRITER	0x000902	/* the version of the engine that writes them */

extern const struct uuid uuid, other;
extern const uint8_t key[VNVRAM_KEY_SIZE], key2[VNVRAM_KEY_SIZE];

/* The key of stores from now on, if any. */
extern const uint8_t *use_key;

/* What the I/O under the store does wrong, and what it has been asked for. */
extern struct faults {
	int pwrite_errno;
	int sync_errno;
	unsigned int die_at;	/* fail this write or flush and all later ones */
	unsigned int calls;
	ssize_t cut_after;	/* write only so many bytes of the next write, then fail */
	size_t last_size;	/* of the last write */
	unsigned int pwrites;
	unsigned int syncs;
} faults;

extern const struct vnvram_io io;

void no_faults(void);

/* A store without entries and file. */
struct vnvram *new_store(void);

/* A store of that vTPM in @fd, with the entries a and b, not started. */
struct vnvram *make(const struct uuid *name, enum vnvram_tpm tpm, int fd);

void put(struct vnvram *store, const char *name, const char *text);
bool holds(struct vnvram *store, const char *name, const char *text);

/* A store with the generations 1 (a=old) and 2 (a=new, b=more). */
int make_file(void);

/* The SIZE bytes of the file, mapped. */
uint8_t *contents(int fd);

/* Makes the store of make_file() and starts it; @store has to be freed in any case. */
int start(int fd, struct vnvram **store, struct error *err);

/* With this key the store has this generation, and what make_file() left in it. */
void assert_starts(int fd, const uint8_t *with, uint64_t generation);

/* The store is refused with this code, and the message names the file and has this text. */
void assert_refused(int fd, int code, const char *text);

#endif
