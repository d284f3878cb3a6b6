// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct entry {
	int size;
	char *data;
};

int good(const char *text, int fd)
{
	char *end;
	long value = strtol(text, &end, 10);

	return *end || write(fd, text, 1) != 1 ? -1 : (int)value;
}

int ignores(int fd)
{
	fsync(fd); /* bad */
	return 0;
}

int converts(const char *text)
{
	return atoi(text); /* bad */
}

void *wrong_size(const struct entry *entry)
{
	return malloc(strlen(entry->data + 1)); /* bad */
}

void clears(struct entry *entry)
{
	memset(entry, sizeof(*entry), 0); /* bad */
}

int divides(int a, int b)
{
	if (b)
		a++;
	return a / b; /* bad */
}

int compares(const struct entry *a)
{
	int size = a->size;

	if (size < 0 || size < 0) /* bad */
		return -1;
	return size;
}
