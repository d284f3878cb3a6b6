// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define LINE_SIZE	768

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_WARNING:
		return "warning: ";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	default:
		return "";
	}
}

static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_init(struct log *log, int fd, const char *name)
{
	log->fd = fd;
	log->level = LOG_LEVEL_INFO;
	log->journal = is_journal(fd);
	snprintf(log->name, sizeof(log->name), "%s", name);
}

static size_t line_begin(const struct log *log, enum log_level level, char *line)
{
	int n;

	if (log->journal)
		n = snprintf(line, LINE_SIZE, "<%d>%s: ", level, log->name);
	else
		n = snprintf(line, LINE_SIZE, "%s: %s", log->name, level_name(level));
	return n;
}

void log_write(const struct log *log, enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	char line[LINE_SIZE];
	size_t used;
	va_list args;
	int n;

	if (level > log->level)
		return;
	used = line_begin(log, level, line);
	va_start(args, fmt);
	n = vsnprintf(line + used, sizeof(line) - used - 1, fmt, args);
	va_end(args);
	if (n > 0)
		used += (size_t)n < sizeof(line) - used - 1 ? (size_t)n : sizeof(line) - used - 2;
	line[used++] = '\n';
	if (write(log->fd, line, used) < 0) {
		/* There is nowhere to complain to. */
	}
	errno = saved;
}
