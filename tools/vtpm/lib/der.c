// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <libtasn1.h>

#include "der.h"

#define MAX_LENGTH_BYTES	9

static size_t length_size(size_t size)
{
	unsigned char buffer[MAX_LENGTH_BYTES];
	int used;

	asn1_length_der(size, buffer, &used);
	return used;
}

size_t der_size(size_t size)
{
	return 1 + length_size(size) + size;
}

int der_enter(struct der_reader *reader, uint8_t tag, struct der_reader *inside)
{
	unsigned char length[MAX_LENGTH_BYTES];
	signed long size;
	int used, expected;

	if (reader->left < 2 || reader->left > INT_MAX || *reader->at != tag)
		return -EINVAL;
	size = asn1_get_length_der(reader->at + 1, reader->left - 1, &used);
	if (size < 0)
		return -EINVAL;
	/* Also where the bytes end within the length: libtasn1 says 0 then. */
	asn1_length_der(size, length, &expected);
	if (used != expected || memcmp(reader->at + 1, length, used) ||
	    (size_t)size > reader->left - 1 - used)
		return -EINVAL;
	inside->at = reader->at + 1 + used;
	inside->left = size;
	reader->at = inside->at + size;
	reader->left -= 1 + used + size;
	return 0;
}

int der_read_number(struct der_reader *reader, uint8_t tag, uint64_t *value)
{
	struct der_reader inside;
	int ret = der_enter(reader, tag, &inside);

	if (ret || inside.left < 1 || inside.left > 8)
		return -EINVAL;
	if (tag == DER_BOOLEAN) {
		*value = inside.at[0] == 0xff;
		return inside.left == 1 && (inside.at[0] == 0xff || !inside.at[0]) ? 0 : -EINVAL;
	}
	/* Negative, or with a byte more than it needs. */
	if (inside.at[0] & 0x80 || (inside.left > 1 && !inside.at[0] && !(inside.at[1] & 0x80)))
		return -EINVAL;
	*value = 0;
	while (inside.left--)
		*value = *value << 8 | *inside.at++;
	return 0;
}

int der_read_fixed(struct der_reader *reader, void *bytes, size_t size)
{
	struct der_reader inside;
	int ret = der_enter(reader, DER_OCTETS, &inside);

	if (ret || inside.left != size)
		return -EINVAL;
	memcpy(bytes, inside.at, size);
	return 0;
}

int der_read_text(struct der_reader *reader, char *text, size_t size)
{
	struct der_reader inside;
	int ret = der_enter(reader, DER_UTF8, &inside);

	if (ret || inside.left >= size)
		return -EINVAL;
	for (size_t i = 0; i < inside.left; i++)
		if (inside.at[i] < ' ' || inside.at[i] == 0x7f)
			return -EINVAL;
	memcpy(text, inside.at, inside.left);
	text[inside.left] = '\0';
	return 0;
}

/* A byte more if the first one would look like a sign. */
static size_t number_length(uint64_t value)
{
	size_t size = 1;

	while (value > 0x7f) {
		value >>= 8;
		size++;
	}
	return size;
}

size_t der_number_size(uint64_t value)
{
	return der_size(number_length(value));
}

uint8_t *der_put_start(uint8_t *at, uint8_t tag, size_t size)
{
	int used;

	*at++ = tag;
	asn1_length_der(size, at, &used);
	return at + used;
}

uint8_t *der_put(uint8_t *at, uint8_t tag, const void *bytes, size_t size)
{
	at = der_put_start(at, tag, size);
	if (size)
		memcpy(at, bytes, size);
	return at + size;
}

uint8_t *der_put_number(uint8_t *at, uint8_t tag, uint64_t value)
{
	size_t size = tag == DER_BOOLEAN ? 1 : number_length(value);

	at = der_put_start(at, tag, size);
	if (tag == DER_BOOLEAN)
		value = value ? 0xff : 0;
	for (size_t i = size; i--; at++)
		*at = value >> (8 * i);
	return at;
}
