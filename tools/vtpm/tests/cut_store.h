/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A store whose contents are known by a number, on an I/O that records and fails: what the
 * tests of power cuts and of failing calls have in common.
 */
#ifndef TESTS_CUT_STORE_H
#define TESTS_CUT_STORE_H

#include "cmocka_all.h"

#include "power_cut.h"
#include "vnvram.h"

/* Contents number 1 are those of the fixture v1-small. */
#define FIXTURE_CONTENTS	1
/* More than one sector, and less than a slot of the fixture. */
#define ENTRY_MAX		600
#define BIG_ENTRY_MAX		3000

/**
 * enum io_call - a kind of system call
 * @IO_NONE: none
 * @IO_READ: pread
 * @IO_WRITE: pwrite
 * @IO_FLUSH: fdatasync
 */
enum io_call {
	IO_NONE,
	IO_READ,
	IO_WRITE,
	IO_FLUSH,
};

/**
 * struct io_plan - what the I/O does
 * @log: where writes and flushes are noted; NULL, nowhere
 * @fail: which calls fail
 * @nth: from which one on, the first is 1; 0, none
 * @for_ever: and all later ones; otherwise only that one
 * @code: errno; 0, reads and writes do a half, and flushes nothing wrong
 * @seen: such calls so far
 * @hits: of these, how many have failed
 */
struct io_plan {
	struct cut_log *log;
	enum io_call fail;
	unsigned int nth;
	bool for_ever;
	int code;
	unsigned int seen;
	unsigned int hits;
};

extern struct io_plan io_plan;
extern const struct vnvram_io planned_io;
/* Room of each of the two entries; set to ENTRY_MAX or BIG_ENTRY_MAX. */
extern size_t entry_max;
/* 0 is no key. */
#define CUT_KEYS	3
extern const uint8_t *const cut_keys[CUT_KEYS];

/* An empty file, or one with the fixture v1-small in it. */
int new_file(void);
int fixture_file(void);

/* A store on a file, locked, neither formatted nor started; NULL, out of memory. */
struct vnvram *new_store(int fd, unsigned int key);
/* Also starts it. On failure @store is NULL. */
int start_store(int fd, unsigned int key, struct vnvram **store, struct error *err);

/* Hands in the contents of this number; returns the first error. */
int put_contents(struct vnvram *store, unsigned int number);
/* The number of the contents; 0 if they are none or not of one piece. */
unsigned int contents_number(const struct vnvram *store);

#endif
