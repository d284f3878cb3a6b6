/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Power cuts: records what is written to a file and what is flushed, and builds what the
 * disk may hold if the power goes at any point of it.
 *
 * The model. What was flushed is on the disk. Of what was written since, any part may be
 * there, in units of sectors of 512 bytes, each of which holds all of its new contents
 * or all of the old: any of the writes in any order, and of each any of its sectors. A
 * file that grew may have its new size without the new bytes, which are zeroes then. What
 * was in flight at a flush that failed may be on the disk or not, and no later flush
 * changes that: Linux forgets such pages, although they can still be read.
 */
#ifndef TESTS_POWER_CUT_H
#define TESTS_POWER_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CUT_SECTOR	512

/**
 * enum cut_kind - what happened to the file
 * @CUT_WRITE: bytes were written
 * @CUT_FLUSH: and made durable
 * @CUT_FAILED_FLUSH: and may be lost, although they can be read
 */
enum cut_kind {
	CUT_WRITE,
	CUT_FLUSH,
	CUT_FAILED_FLUSH,
};

/**
 * struct cut_marks - how far the writer was
 * @begun: number of the newest contents that it has begun to store
 * @acked: number of the newest contents that it was told to be stored
 * @key_begun: likewise for its key
 * @key_acked: likewise
 */
struct cut_marks {
	unsigned int begun, acked;
	unsigned int key_begun, key_acked;
};

/**
 * struct cut_event - one call
 * @kind: what
 * @offset: where, for CUT_WRITE
 * @size: bytes
 * @bytes: the bytes; owned
 * @marks: how far the writer was at that time
 */
struct cut_event {
	enum cut_kind kind;
	off_t offset;
	size_t size;
	uint8_t *bytes;
	struct cut_marks marks;
};

/**
 * struct cut_log - what happened to one file
 * @before: its contents at the beginning; owned
 * @before_size: bytes of these
 * @events: in their order; owned
 * @count: of events
 * @marks: how far the writer is now
 */
struct cut_log {
	uint8_t *before;
	size_t before_size;
	struct cut_event *events;
	unsigned int count;
	struct cut_marks marks;
};

/**
 * struct cut - one power cut
 * @bytes: what the disk holds
 * @size: bytes of it
 * @at: number of events before the cut
 * @oldest: the writer was told that contents of this number are stored
 * @newest: it had not begun to store any later than these
 * @oldest_key: likewise for its key
 * @newest_key: likewise
 * @number: of this cut, from 0 on
 */
struct cut {
	const uint8_t *bytes;
	size_t size;
	unsigned int at;
	unsigned int oldest, newest;
	unsigned int oldest_key, newest_key;
	unsigned int number;
};

typedef void (*cut_check)(const struct cut *cut, void *opaque);

/* Begins a log with what the file holds now; cut_log_end() frees it. */
void cut_log_begin(struct cut_log *log, int fd);
void cut_log_end(struct cut_log *log);

/* Notes a call; @bytes are copied. */
void cut_log_write(struct cut_log *log, const void *bytes, size_t size, off_t offset);
void cut_log_flush(struct cut_log *log, bool failed);

/**
 * cut_replay - cut the power at each point of a log
 * @log: what happened
 * @random: how many random subsets of sectors to try at each point, beside the regular ones
 * @every: make every so many of these cuts only
 * @check: called for each cut
 * @opaque: for @check
 *
 * Return: the number of cuts.
 */
unsigned int cut_replay(const struct cut_log *log, unsigned int random, unsigned int every,
			cut_check check, void *opaque);

/* The number of cuts with @every 1. */
unsigned int cut_count(const struct cut_log *log, unsigned int random);

/* The one cut at the end of the log at which all that was not flushed is lost. */
void cut_replay_worst(const struct cut_log *log, cut_check check, void *opaque);

#endif
