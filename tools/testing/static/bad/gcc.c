// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

int good(const char *path)
{
	char *text = malloc(10);
	FILE *file;

	if (!text)
		return -1;
	text[0] = '\0';
	free(text);
	file = fopen(path, "r");
	return file ? fclose(file) : -1;
}

int leaks(int early)
{
	char *text = malloc(10);

	if (!text)
		return -1;
	if (early) /* bad */
		return -1;
	free(text);
	return 0;
}

void frees_twice(char *text)
{
	free(text);
	free(text); /* bad */
}

char uses_after_free(char *text)
{
	free(text);
	return text[0]; /* bad */
}

char *trusts_malloc(void)
{
	char *text = malloc(1);

	text[0] = 'a'; /* bad */
	return text;
}

int keeps_open(const char *path)
{
	FILE *file = fopen(path, "r");

	if (!file)
		return -1;
	return fgetc(file); /* bad */
}
