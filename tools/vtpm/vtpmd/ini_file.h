/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTPMD_INI_FILE_H
#define VTPMD_INI_FILE_H

#include "error.h"

/**
 * struct ini_key - a key that a file may have
 * @section: its section, "" before the first one
 * @name: its name
 * @parse: takes the value to @target; returns 0, or -EINVAL for a bad value
 * @target: where to
 * @legal: legal values, for messages
 */
struct ini_key {
	const char *section;
	const char *name;
	int (*parse)(const char *value, void *target);
	void *target;
	const char *legal;
};

/* A file has no more keys than this. */
#define INI_MAX_KEYS	32

/**
 * ini_read - read a file
 * @file: the file
 * @keys: the keys that it may have, each at most once
 * @count: their number, up to INI_MAX_KEYS
 * @err: filled in on failure, with file, line and what would be right
 *
 * Return: 0; -EINVAL, something in it is wrong; another negative errno of open(2).
 */
int ini_read(const char *file, const struct ini_key *keys, unsigned int count,
	     struct error *err);

#endif
