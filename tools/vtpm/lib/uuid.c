// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "uuid.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool dash_before(int byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

bool uuid_parse(const char *text, struct uuid *uuid)
{
	for (int i = 0; i < UUID_SIZE; i++) {
		int high, low;

		if (dash_before(i) && *text++ != '-')
			return false;
		high = digit(text[0]);
		low = high < 0 ? -1 : digit(text[1]);
		if (low < 0)
			return false;
		uuid->b[i] = high << 4 | low;
		text += 2;
	}
	return *text == '\0';
}

char *uuid_format(const struct uuid *uuid, char *text)
{
	static const char digits[] = "0123456789abcdef";
	char *p = text;

	for (int i = 0; i < UUID_SIZE; i++) {
		if (dash_before(i))
			*p++ = '-';
		*p++ = digits[uuid->b[i] >> 4];
		*p++ = digits[uuid->b[i] & 15];
	}
	*p = '\0';
	return text;
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->b, b->b, UUID_SIZE) == 0;
}
