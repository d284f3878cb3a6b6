/* SPDX-License-Identifier: GPL-2.0-only */
/* What a vTPM keeps in its store. */
#ifndef VTPM_ENTRIES_H
#define VTPM_ENTRIES_H

#include <xen/vtpm.h>

#include "vnvram.h"

/* Names of the entries; those of state are libtpms' names for it. */
#define PERMANENT_ENTRY		"permall"
#define VOLATILE_ENTRY		"volatilestate"
#define SAVESTATE_ENTRY		"savestate"
#define RECORD_ENTRY		"session"

/*
 * Room for each. libtpms 0.9's bounds are 177 KB of permanent state, 64 KB of volatile
 * state (9 to 13 KB are usual) and 21 KB of saved state (TPM 1.2).
 */
#define PERMANENT_MAX		(224 * 1024)
#define VOLATILE_MAX		(72 * 1024)
#define SAVESTATE_MAX		(32 * 1024)

/* The record of exactly-once.md: a header and the last response. */
#define RECORD_HEADER_SIZE	56
#define RECORD_MAX		(RECORD_HEADER_SIZE + VTPM_MAX_TRANSFER)

/**
 * entries_register - register all of them
 * @store: a store that has not been started
 *
 * Return: 0 or a negative errno of vnvram_register().
 */
int entries_register(struct vnvram *store);

#endif
