/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files of a swtpm state directory: 10 bytes of header, then the state in a wrapper of 6
 * bytes (tag and length). What swtpm_ioctl --save writes has a second wrapper around that.
 */
#ifndef VTPMCTL_SWTPM_FILE_H
#define VTPMCTL_SWTPM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define SWTPM_EXTRA	16	/* bytes that swtpm_file_write() puts before a state */

/**
 * swtpm_file_name - path of a state
 * @dir: the state directory
 * @tpm12: of a TPM 1.2
 * @name: name of the entry: permall, volatilestate or savestate
 * @path: PATH_MAX bytes for the result
 *
 * Return: @path.
 */
const char *swtpm_file_name(const char *dir, bool tpm12, const char *name, char *path);

/**
 * swtpm_file_read - read a state
 * @path: its file
 * @max: the most bytes that a state may have
 * @state: where to put the address of the state, inside what free() is for
 * @size: where to put its bytes
 * @memory: where to put what is to be freed
 * @err: filled in on failure
 *
 * Return: 0; -ENOENT, there is no such file; -EINVAL, this is not such a file; -ENOKEY, it is
 * encrypted; another negative errno.
 */
int swtpm_file_read(const char *path, size_t max, const uint8_t **state, size_t *size,
		    uint8_t **memory, struct error *err);

/**
 * swtpm_file_write - write a state, durably but for its name
 * @path: its file, which must not be there
 * @state: the state
 * @size: its bytes
 * @err: filled in on failure
 *
 * Return: 0 or a negative errno.
 */
int swtpm_file_write(const char *path, const void *state, size_t size, struct error *err);

/**
 * swtpm_is_running - does a swtpm use a state directory?
 * @dir: the directory
 */
bool swtpm_is_running(const char *dir);

#endif
