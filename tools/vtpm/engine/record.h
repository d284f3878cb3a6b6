/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The record: what the engine keeps beside the TPM's own state, so that each command
 * is executed once. Its layout is in Documentation/exactly-once.md.
 */
#ifndef ENGINE_RECORD_H
#define ENGINE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "entries.h"

#define RECORD_SUSPENDED	1	/* the mark */
#define RECORD_RESPONSE		2	/* the response of @sequence is there */

/**
 * struct record - the record, decoded
 * @flags: RECORD_SUSPENDED, RECORD_RESPONSE
 * @features: VTPM_FEATURE_* of the session
 * @buffer_size: largest command and response of the session in bytes
 * @response_size: bytes of @response
 * @session: the session
 * @steps: changes of state or record since power-on
 * @sequence: the last executed command, 0 if none
 * @response: its response
 */
struct record {
	uint32_t flags;
	uint32_t features;
	uint32_t buffer_size;
	uint32_t response_size;
	uint8_t session[VTPM_SESSION_SIZE];
	uint64_t steps;
	uint64_t sequence;
	uint8_t response[VTPM_MAX_TRANSFER];
};

/**
 * record_encode - make the stored form of a record
 * @record: the record
 * @bytes: RECORD_MAX bytes for it
 *
 * Return: bytes used.
 */
size_t record_encode(const struct record *record, uint8_t *bytes);

/**
 * record_decode - read the stored form of a record
 * @record: the result
 * @bytes: the stored form
 * @size: its bytes
 *
 * Return: 0; -EINVAL, this is not a record.
 */
int record_decode(struct record *record, const uint8_t *bytes, size_t size);

#endif
