/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTPM_UUID_H
#define VTPM_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define UUID_SIZE	16
#define UUID_TEXT_SIZE	37

/**
 * struct uuid - name of a vTPM
 * @b: its bytes, in the order of the text form
 */
struct uuid {
	uint8_t b[UUID_SIZE];
};

/**
 * uuid_parse - read the text form of a UUID
 * @text: 8-4-4-4-12 hexadecimal digits, in either case
 * @uuid: the result
 *
 * Return: true if @text is a UUID and nothing else.
 */
bool uuid_parse(const char *text, struct uuid *uuid);

/**
 * uuid_format - write the text form of a UUID
 * @uuid: the UUID
 * @text: UUID_TEXT_SIZE bytes for the result, in lower case
 *
 * Return: @text.
 */
char *uuid_format(const struct uuid *uuid, char *text);

/**
 * uuid_equal - compare two UUIDs
 * @a: one
 * @b: the other
 */
bool uuid_equal(const struct uuid *a, const struct uuid *b);

#endif
