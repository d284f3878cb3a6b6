/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs: what the other side, the xenstore, engines and the TPM core do, in what order.
 * Who writes one into a file of debugfs has it run, see README.md.
 */
#ifndef _VTPM_KUNIT_FUZZ_H
#define _VTPM_KUNIT_FUZZ_H

#include <kunit/test.h>
#include <linux/types.h>

#include "steps.h"

/**
 * struct fuzz_target - one of the drivers
 * @name: of its file
 * @actions: its table of steps
 * @count: how many there are
 * @open: registers the driver; fails @test if that is not possible
 * @close: unregisters it; fails @test if something is left
 * @begin: before each program
 * @end: after it; then all that the program has made is gone
 * @interrupt: handles an event if there is one; returns whether there was
 * @check: what has to hold between any two steps
 * @is_page: whether the other side can write at an address that the driver reads
 * @page: the pages that both sides can write, and their size; NULL if there are none
 */
struct fuzz_target {
	const char *name;
	const struct action *actions;
	unsigned int count;
	int (*open)(struct kunit *test);
	void (*close)(struct kunit *test);
	void (*begin)(void);
	void (*end)(void);
	bool (*interrupt)(void);
	void (*check)(void);
	bool (*is_page)(const void *at);
	u8 *(*page)(size_t *size);
};

extern const struct fuzz_target fuzz_back, fuzz_front;

/* What has to hold; the first that does not is the program's finding. */
#define fuzz_require(condition)						\
	do {								\
		if (!(condition))					\
			double_wrong("%s, line %d: does not hold: %s",	\
				     __func__, __LINE__, #condition);	\
	} while (0)

/* Each byte of these is 0; @size may be 0. */
bool fuzz_is_zero(const void *bytes, size_t size);

/* Writes to the pages, if there are any, as the other side. */
void fuzz_write_page(const struct step *step);

/* @value may be NULL: then there is no such node. */
void fuzz_set_node(const char *dir, const char *node, const char *value);

/* Where steps can happen in the middle of others. */
bool always(void);
void fuzz_preempt(void);

/* Steps that both tables have; they say what happens during the next one. */
void arm_write(const struct step *step);
void arm_step(const struct step *step);
void arm_failure(const struct step *step);
void arm_signal(const struct step *step);
void arm_in_the_way(const struct step *step);

#endif
