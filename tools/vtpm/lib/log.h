/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTPM_LOG_H
#define VTPM_LOG_H

#include <stdbool.h>

/**
 * enum log_level - how much a message matters; the numbers are syslog's
 * @LOG_LEVEL_ERROR: something does not work, somebody has to act
 * @LOG_LEVEL_WARNING: something works for now, somebody should look
 * @LOG_LEVEL_INFO: what a person wants to find in the log later
 * @LOG_LEVEL_DEBUG: for developers
 */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/**
 * struct log - where messages go
 * @fd: descriptor to write to, owned by the caller
 * @level: least important level that is still written
 * @journal: write the level the way journald takes it from a stream
 * @name: who speaks; begins each message
 */
struct log {
	int fd;
	enum log_level level;
	bool journal;
	char name[64];
};

/**
 * log_init - prepare a log
 * @log: the log
 * @fd: descriptor to write to
 * @name: who speaks
 *
 * The level becomes LOG_LEVEL_INFO. Levels are prefixed for journald only
 * when @fd is the stream that journald announced in the environment.
 */
void log_init(struct log *log, int fd, const char *name);

/**
 * log_write - write one message, as one line and one write()
 * @log: the log
 * @level: its importance
 * @fmt: text without a newline, as for printf
 *
 * Keeps errno. A log that cannot be written to loses the message.
 */
void log_write(const struct log *log, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(log, ...)	log_write(log, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(log, ...)	log_write(log, LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(log, ...)	log_write(log, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...)	log_write(log, LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
