/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_OPTIONS_H
#define ENGINE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "uuid.h"
#include "vnvram.h"

/* A vTPM serves a guest and perhaps its device model; more is a mistake. */
#define ENGINE_MAX_CONNECTIONS	16

/* What the page of a frontend without extra pages carries. */
#define ENGINE_BUFFER_SIZE	4088

/**
 * enum engine_domain - the domain that the engine is started for
 * @ENGINE_DOMAIN_NEW: another one than before, or the first one
 * @ENGINE_DOMAIN_SAME: the one that the last engine served
 */
enum engine_domain {
	ENGINE_DOMAIN_NEW,
	ENGINE_DOMAIN_SAME,
};

/**
 * struct engine_options - the command line
 * @store_fd: the store, open for reading and writing
 * @store_name: its name, for messages
 * @key_fd: where the store's key can be read, or -1
 * @freshness_fd: socket to a freshness recorder, or -1
 * @control_fd: socket to vtpmd, or -1
 * @log_fd: where to log
 * @memory_fd: the state memory, or -1
 * @domain: whom it is started for
 * @features: VTPM_FEATURE_* that a new session is made for
 * @uuid: the vTPM
 * @tpm: kind of TPM
 * @buffer_size: largest command and response in bytes of a new session
 * @create: make a new TPM in an empty store
 * @sandbox: lock the process up before it serves anybody
 * @conn_fds: connections to serve from the beginning; their number is their id
 * @conn_count: how many
 */
struct engine_options {
	int store_fd;
	const char *store_name;
	int key_fd;
	int freshness_fd;
	int control_fd;
	int log_fd;
	int memory_fd;
	enum engine_domain domain;
	uint32_t features;
	struct uuid uuid;
	enum vnvram_tpm tpm;
	uint32_t buffer_size;
	bool create;
	bool sandbox;
	int conn_fds[ENGINE_MAX_CONNECTIONS];
	unsigned int conn_count;
};

/**
 * options_parse - read the command line
 * @options: the result
 * @argc: as main() got it
 * @argv: likewise
 * @err: filled in on failure
 *
 * Return: 0; 1, --help or --version was answered; -EINVAL.
 */
int options_parse(struct engine_options *options, int argc, char **argv, struct error *err);

#endif
