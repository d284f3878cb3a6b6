/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the key of a store comes from. */
#ifndef VTPM_KEY_H
#define VTPM_KEY_H

#include <stdint.h>

#include "error.h"

/* Bytes of a key, VNVRAM_KEY_SIZE of the store. */
#define KEY_SIZE	32

/**
 * enum key_kind - who holds a key
 * @KEY_NONE: there is none, the store is not encrypted
 * @KEY_FILE: a file of KEY_SIZE bytes
 * @KEY_TPM: a file that only the host's TPM can open
 */
enum key_kind {
	KEY_NONE,
	KEY_FILE,
	KEY_TPM,
};

/**
 * key_open - get a key, for somebody else to read
 * @kind: who holds it, not KEY_NONE
 * @path: its file
 * @hosttpm: path of the program that talks to the host's TPM; KEY_TPM only
 * @tcti: how that reaches the TPM; KEY_TPM only
 * @err: filled in on failure: names file, cause and remedy
 *
 * With KEY_TPM the bytes come from a process that is nobody's child; if it fails, it says why on
 * stderr, and the descriptor gives less than KEY_SIZE bytes. A SIGCHLD for a process that was
 * waited for already may reach the caller.
 *
 * Return: a descriptor with close-on-exec set; -EPERM, others may read the file; -EINVAL, it
 * is not a key; another negative errno.
 */
int key_open(enum key_kind kind, const char *path, const char *hosttpm, const char *tcti,
	     struct error *err);

/**
 * key_read - read a key
 * @fd: from key_open(); is closed
 * @key: KEY_SIZE bytes for it
 * @path: as in key_open(), for messages
 * @err: filled in on failure
 *
 * Waits for the host's TPM.
 *
 * Return: 0; -ENOKEY, there were fewer or more bytes.
 */
int key_read(int fd, uint8_t *key, const char *path, struct error *err);

#endif
