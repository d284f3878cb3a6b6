// SPDX-License-Identifier: GPL-2.0-only
#include "power_cut.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More writes than this between two flushes are not tried in each order. */
#define FEW		3
#define MAX_PENDING	1024

/* What is being built, and from what. */
struct replay {
	const struct cut_log *log;
	unsigned int random, every, possible;
	uint64_t seed;
	cut_check check;
	void *opaque;
	uint8_t *durable, *image;
	size_t durable_size, image_size, room;
	const struct cut_event *pending[MAX_PENDING];
	unsigned int pending_count;
	bool lost;		/* in this run, failed flushes lose all that was in flight */
	struct cut cut;
};

static void need(bool ok)
{
	if (!ok)
		abort();
}

void cut_log_begin(struct cut_log *log, int fd)
{
	struct stat st;

	memset(log, 0, sizeof(*log));
	need(!fstat(fd, &st));
	log->before_size = st.st_size;
	log->before = malloc(st.st_size + 1);
	need(log->before && pread(fd, log->before, st.st_size, 0) == st.st_size);
}

void cut_log_end(struct cut_log *log)
{
	for (unsigned int i = 0; i < log->count; i++)
		free(log->events[i].bytes);
	free(log->events);
	free(log->before);
	memset(log, 0, sizeof(*log));
}

static struct cut_event *add(struct cut_log *log, enum cut_kind kind)
{
	log->events = realloc(log->events, (log->count + 1) * sizeof(*log->events));
	need(log->events);
	log->events[log->count] = (struct cut_event){ .kind = kind, .marks = log->marks };
	return &log->events[log->count++];
}

void cut_log_write(struct cut_log *log, const void *bytes, size_t size, off_t offset)
{
	struct cut_event *event = add(log, CUT_WRITE);

	event->offset = offset;
	event->size = size;
	event->bytes = malloc(size + 1);
	need(event->bytes);
	memcpy(event->bytes, bytes, size);
}

void cut_log_flush(struct cut_log *log, bool failed)
{
	add(log, failed ? CUT_FAILED_FLUSH : CUT_FLUSH);
}

/* xorshift64: the same cuts in each run. */
static uint64_t next_random(struct replay *replay)
{
	replay->seed ^= replay->seed << 13;
	replay->seed ^= replay->seed >> 7;
	replay->seed ^= replay->seed << 17;
	return replay->seed;
}

static unsigned int sectors(const struct cut_event *event)
{
	return (event->offset % CUT_SECTOR + event->size + CUT_SECTOR - 1) / CUT_SECTOR;
}

/* The bytes of an event that are in its @number-th sector. */
static void put_sector(struct replay *replay, const struct cut_event *event, unsigned int number)
{
	size_t begin = event->offset / CUT_SECTOR * CUT_SECTOR + number * CUT_SECTOR;
	size_t end = begin + CUT_SECTOR, last = event->offset + event->size;

	if (begin < (size_t)event->offset)
		begin = event->offset;
	if (end > last)
		end = last;
	memcpy(replay->image + begin, event->bytes + (begin - event->offset), end - begin);
	if (end > replay->image_size)
		replay->image_size = end;
}

static void put_all(struct replay *replay, const struct cut_event *event)
{
	for (unsigned int i = 0; i < sectors(event); i++)
		put_sector(replay, event, i);
}

static void begin_image(struct replay *replay)
{
	memcpy(replay->image, replay->durable, replay->room);
	replay->image_size = replay->durable_size;
}

/* Every so many cuts is made, so that it costs nothing to skip the others. */
static bool wanted(struct replay *replay)
{
	return replay->possible++ % replay->every == 0;
}

static void end_image(struct replay *replay)
{
	replay->cut.bytes = replay->image;
	replay->cut.size = replay->image_size;
	replay->check(&replay->cut, replay->opaque);
	replay->cut.number++;
}

enum tear { PREFIX, SUFFIX, EVEN, ODD, RANDOM };

static bool survives(struct replay *replay, enum tear tear, unsigned int sector,
		     unsigned int limit)
{
	switch (tear) {
	case PREFIX:
		return sector < limit;
	case SUFFIX:
		return sector >= limit;
	case EVEN:
	case ODD:
		return (sector & 1) == (tear == ODD);
	default:
		return next_random(replay) & 1;
	}
}

/* One write is torn; of the others all or nothing is there. */
static void tear(struct replay *replay, unsigned int torn, bool others, enum tear how,
		 unsigned int limit)
{
	if (!wanted(replay))
		return;
	begin_image(replay);
	for (unsigned int i = 0; i < replay->pending_count; i++) {
		const struct cut_event *event = replay->pending[i];

		if (i != torn && others)
			put_all(replay, event);
		for (unsigned int j = 0; i == torn && j < sectors(event); j++)
			if (survives(replay, how, j, limit))
				put_sector(replay, event, j);
	}
	end_image(replay);
}

/* Where there are many, those before the last were torn when they were the last. */
static void tear_each(struct replay *replay, bool others)
{
	unsigned int first = replay->pending_count > FEW ? replay->pending_count - 1 : 0;

	for (unsigned int i = first; i < replay->pending_count; i++) {
		unsigned int count = sectors(replay->pending[i]);

		for (unsigned int limit = 1; limit < count; limit++) {
			tear(replay, i, others, PREFIX, limit);
			tear(replay, i, others, SUFFIX, limit);
		}
		if (count < 3)
			continue;
		tear(replay, i, others, EVEN, 0);
		tear(replay, i, others, ODD, 0);
	}
}

/* Any sectors of any writes. */
static void tear_at_random(struct replay *replay)
{
	if (!wanted(replay))
		return;
	begin_image(replay);
	for (unsigned int i = 0; i < replay->pending_count; i++)
		for (unsigned int j = 0; j < sectors(replay->pending[i]); j++)
			if (survives(replay, RANDOM, j, 0))
				put_sector(replay, replay->pending[i], j);
	end_image(replay);
}

/* Whole writes: each subset in each order, by adding one more to what is there. */
static void order_each(struct replay *replay, unsigned int used)
{
	size_t size = replay->image_size;
	uint8_t *image = malloc(replay->room + 1);

	need(image);
	if (wanted(replay))
		end_image(replay);
	memcpy(image, replay->image, replay->room);
	for (unsigned int i = 0; i < replay->pending_count; i++) {
		if (used & 1U << i)
			continue;
		put_all(replay, replay->pending[i]);
		order_each(replay, used | 1U << i);
		memcpy(replay->image, image, replay->room);
		replay->image_size = size;
	}
	free(image);
}

static void prefix_each(struct replay *replay)
{
	begin_image(replay);
	for (unsigned int i = 0; i <= replay->pending_count; i++) {
		if (wanted(replay))
			end_image(replay);
		if (i < replay->pending_count)
			put_all(replay, replay->pending[i]);
	}
}

/* All cuts at one point. */
static void cut_here(struct replay *replay)
{
	if (replay->pending_count <= FEW) {
		begin_image(replay);
		order_each(replay, 0);
	} else {
		prefix_each(replay);
	}
	tear_each(replay, false);
	if (replay->pending_count > 1)
		tear_each(replay, true);
	for (unsigned int i = 0; replay->pending_count && i < replay->random; i++)
		tear_at_random(replay);
}

static void make_durable(struct replay *replay)
{
	begin_image(replay);
	for (unsigned int i = 0; i < replay->pending_count; i++)
		put_all(replay, replay->pending[i]);
	memcpy(replay->durable, replay->image, replay->room);
	replay->durable_size = replay->image_size;
	replay->pending_count = 0;
}

static void advance(struct replay *replay, const struct cut_event *event)
{
	switch (event->kind) {
	case CUT_WRITE:
		need(replay->pending_count < MAX_PENDING);
		replay->pending[replay->pending_count++] = event;
		return;
	case CUT_FLUSH:
		make_durable(replay);
		return;
	case CUT_FAILED_FLUSH:
		if (replay->lost)
			replay->pending_count = 0;
	}
}

/* Between the event before this point and the one after it, any time is possible. */
static void set_point(struct replay *replay, unsigned int at)
{
	const struct cut_log *log = replay->log;
	const struct cut_marks *after = at < log->count ? &log->events[at].marks : &log->marks;
	const struct cut_marks *before = at ? &log->events[at - 1].marks : after;

	replay->cut.at = at;
	replay->cut.oldest = after->acked;
	replay->cut.oldest_key = after->key_acked;
	replay->cut.newest = before->begun > after->acked ? before->begun : after->acked;
	replay->cut.newest_key = before->key_begun > after->key_acked ? before->key_begun :
				 after->key_acked;
}

static void begin_replay(struct replay *replay, const struct cut_log *log)
{
	replay->log = log;
	replay->seed = 88172645463325252ULL;
	replay->room = log->before_size;
	for (unsigned int i = 0; i < log->count; i++) {
		const struct cut_event *event = &log->events[i];

		if (event->offset + event->size > replay->room)
			replay->room = event->offset + event->size;
	}
	replay->durable = calloc(1, replay->room + 1);
	replay->image = calloc(1, replay->room + 1);
	need(replay->durable && replay->image);
	replay->durable_size = log->before_size;
	memcpy(replay->durable, log->before, log->before_size);
}

static void end_replay(struct replay *replay)
{
	free(replay->durable);
	free(replay->image);
}

static void replay_once(struct replay *replay)
{
	const struct cut_log *log = replay->log;

	set_point(replay, 0);
	cut_here(replay);
	for (unsigned int at = 1; at <= log->count; at++) {
		advance(replay, &log->events[at - 1]);
		set_point(replay, at);
		cut_here(replay);
	}
}

static bool has_failed_flush(const struct cut_log *log)
{
	for (unsigned int i = 0; i < log->count; i++)
		if (log->events[i].kind == CUT_FAILED_FLUSH)
			return true;
	return false;
}

unsigned int cut_replay(const struct cut_log *log, unsigned int random, unsigned int every,
			cut_check check, void *opaque)
{
	unsigned int cuts = 0;

	for (int lost = 0; lost <= has_failed_flush(log); lost++) {
		struct replay replay = {
			.random = random, .every = every, .check = check, .opaque = opaque,
			.lost = lost, .cut.number = cuts,
		};

		begin_replay(&replay, log);
		replay_once(&replay);
		end_replay(&replay);
		cuts = replay.cut.number;
	}
	return cuts;
}

static void ignore(const struct cut *cut, void *opaque)
{
	(void)cut;
	(void)opaque;
}

/* Makes the first cut and skips the others. */
unsigned int cut_count(const struct cut_log *log, unsigned int random)
{
	unsigned int count = 0;

	for (int lost = 0; lost <= has_failed_flush(log); lost++) {
		struct replay replay = {
			.random = random, .every = UINT32_MAX, .check = ignore, .lost = lost,
		};

		begin_replay(&replay, log);
		replay_once(&replay);
		end_replay(&replay);
		count += replay.possible;
	}
	return count;
}

void cut_replay_worst(const struct cut_log *log, cut_check check, void *opaque)
{
	struct replay replay = { .check = check, .opaque = opaque, .lost = true };

	begin_replay(&replay, log);
	for (unsigned int i = 0; i < log->count; i++)
		advance(&replay, &log->events[i]);
	set_point(&replay, log->count);
	begin_image(&replay);
	end_image(&replay);
	end_replay(&replay);
}
