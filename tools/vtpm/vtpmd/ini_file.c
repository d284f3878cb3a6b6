// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <ini.h>

#include "ini_file.h"

struct reader {
	const char *file;
	const struct ini_key *keys;
	unsigned int count;
	FILE *stream;
	int line;		/* that the parser is at */
	bool line_open;		/* the parser has got only the beginning of it */
	uint32_t seen;		/* bit n: keys[n] */
	struct error *err;
	int ret;		/* of the first error */
	int ret_line;		/* where that was */
};

/* Returns whether this is the first error, which is the one to be told. */
static bool first_error(struct reader *reader)
{
	if (reader->ret)
		return false;
	reader->ret = -EINVAL;
	reader->ret_line = reader->line;
	return true;
}

static void complain(struct reader *reader, const char *what, const char *name)
{
	if (first_error(reader))
		error_set(reader->err, EINVAL, "%s:%d: %s '%s'", reader->file, reader->line,
			  what, name);
}

/* The parser takes a line that does not fit its buffer for several lines. */
static char *read_line(char *buffer, int size, void *arg)
{
	struct reader *reader = arg;
	char *line = fgets(buffer, size, reader->stream);

	if (!line)
		return NULL;
	if (reader->line_open)
		complain(reader, "the line is too long at", line);
	else
		reader->line++;
	reader->line_open = !strchr(line, '\n');
	return line;
}

static const struct ini_key *find_key(const struct reader *reader, const char *section,
				      const char *name)
{
	for (unsigned int i = 0; i < reader->count; i++)
		if (!strcmp(reader->keys[i].section, section) &&
		    !strcmp(reader->keys[i].name, name))
			return &reader->keys[i];
	return NULL;
}

static void complain_unknown(struct reader *reader, const char *section, const char *name)
{
	char known[ERROR_TEXT_SIZE] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < reader->count && used < sizeof(known); i++)
		if (!strcmp(reader->keys[i].section, section))
			used += snprintf(known + used, sizeof(known) - used, "%s%s",
					 used ? ", " : "", reader->keys[i].name);
	if (!used)
		complain(reader, "there is no section", section);
	else if (first_error(reader))
		error_set(reader->err, EINVAL, "%s:%d: there is no key '%s' here, only %s",
			  reader->file, reader->line, name, known);
}

static int handle(void *arg, const char *section, const char *name, const char *value)
{
	struct reader *reader = arg;
	const struct ini_key *key = find_key(reader, section, name);
	uint32_t bit;

	if (!key) {
		complain_unknown(reader, section, name);
		return 1;
	}
	bit = 1U << (key - reader->keys);
	if (reader->seen & bit)
		complain(reader, "a second value for", name);
	reader->seen |= bit;
	if (key->parse(value, key->target) && first_error(reader))
		error_set(reader->err, EINVAL, "%s:%d: %s cannot be '%s'; it is %s",
			  reader->file, reader->line, name, value, key->legal);
	return 1;
}

int ini_read(const char *file, const struct ini_key *keys, unsigned int count,
	     struct error *err)
{
	struct reader reader = { .file = file, .keys = keys, .count = count, .err = err };
	int line;

	reader.stream = fopen(file, "re");
	if (!reader.stream)
		return error_set(err, errno, "%s: %s", file, strerror(errno));
	line = ini_parse_stream(read_line, &reader, handle, &reader);
	if (line > 0 && (!reader.ret || line < reader.ret_line))
		reader.ret = error_set(err, EINVAL, "%s:%d: neither '[section]' nor 'key = value'",
				       file, line);
	if ((line < 0 || ferror(reader.stream)) && !reader.ret)
		reader.ret = error_set(err, EIO, "%s: cannot be read", file);
	fclose(reader.stream);
	return reader.ret;
}
