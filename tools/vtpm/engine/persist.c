// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "engine.h"
#include "tpm.h"

#define IDLE_MS			500
#define LATE_MS			5000
#define FRESHNESS_MS		2000
#define IDLE_FAILED_MS		10000
#define FIRST_PAUSE_MS	50
#define LONGEST_PAUSE_MS	10000

/* Waits, but not longer than until the engine is told something. */
static void pause_ms(struct engine *engine, int ms)
{
	struct pollfd fds[] = {
		{ .fd = engine->options.control_fd, .events = POLLIN },
		{ .fd = engine->signal_fd, .events = POLLIN },
	};

	if (poll(fds, 2, ms) <= 0)
		return;
	if (fds[0].revents)
		engine_read_control(engine);
	if (fds[1].revents)
		engine_read_signal(engine);
}

static int fail(struct engine *engine, const char *why)
{
	log_error(&engine->log, "%s; the running command stays unanswered", why);
	engine_report(engine, CONTROL_FAILED, why);
	return -EIO;
}

static void complain(struct engine *engine, const struct error *err, int pause)
{
	log_error(&engine->log, "%s; trying again in %d ms, the guest waits", err->text, pause);
	/* That it was late is no longer the reason. */
	if (!engine->store_waits || engine->disk_was_late)
		engine_report(engine, CONTROL_STORE_WAITS, err->text);
	engine->store_waits = true;
	engine->disk_was_late = false;
}

static void say_it_works(struct engine *engine)
{
	if (!engine->store_waits)
		return;
	log_info(&engine->log, "the store can be written again");
	engine_report(engine, CONTROL_READY, "");
	engine->store_waits = false;
}

static void note_commit(struct engine *engine)
{
	engine->counters.commits++;
	engine->session.idle_failed = false;
	memory_note_generation(engine->memory, vnvram_id(engine->store),
			       vnvram_generation(engine->store));
	freshness_record(engine);
	tpm_mark_saved();
	say_it_works(engine);
}

/* From the second thread: the main one is stuck in the kernel. */
void engine_disk_is_late(void *arg)
{
	struct engine *engine = arg;
	struct error err;

	error_set(&err, ETIMEDOUT, "%s: the disk has not answered for %d s",
		  engine->options.store_name, LATE_MS / 1000);
	log_error(&engine->log, "%s; the guest waits", err.text);
	engine_report(engine, CONTROL_STORE_WAITS, err.text);
}

/* Whatever vtpmd was told about the disk in between is over when this returns. */
static int commit(struct engine *engine, struct error *err)
{
	int ret = freshness_allows(engine, FRESHNESS_MS, err);

	if (ret)
		return ret;
	watch_expect(engine->watch, LATE_MS);
	ret = vnvram_process(engine->store, err);
	if (watch_expect_end(engine->watch))
		engine->store_waits = engine->disk_was_late = true;
	return ret;
}

int engine_persist(struct engine *engine)
{
	int pause = FIRST_PAUSE_MS;
	struct error err;

	if (!vnvram_dirty(engine->store)) {
		tpm_mark_saved();
		return 0;
	}
	while (commit(engine, &err)) {
		if (vnvram_had_fatal_error(engine->store) || engine->freshness.gone ||
		    engine->stopping)
			return fail(engine, err.text);
		complain(engine, &err, pause);
		pause_ms(engine, pause);
		pause = pause * 2 < LONGEST_PAUSE_MS ? pause * 2 : LONGEST_PAUSE_MS;
	}
	note_commit(engine);
	return 0;
}

/* Puts state and record into the store's entries, which are not committed by this. */
static int fill_entries(struct engine *engine, const uint8_t *state, size_t state_size,
			const uint8_t *record, size_t record_size)
{
	int ret = vnvram_write_async(engine->store, VOLATILE_ENTRY, state, state_size);

	return ret ? ret : vnvram_write_async(engine->store, RECORD_ENTRY, record, record_size);
}

/* Volatile state and record are in the store, too. */
static void note_saved(struct session *session)
{
	session->saved_steps = session->record.steps;
	session->state_ahead = false;
}

/* Until there is room again, what the state memory has is older than the store, and stays so. */
static void note_room(struct engine *engine, int ret)
{
	if (ret && !engine->memory_late)
		log_warning(&engine->log, "no room for the state memory, the store takes its place "
			    "and each command a flush: %s", strerror(-ret));
	engine->memory_late = ret;
}

/* Makes the volatile state and the record durable. */
static int save(struct engine *engine, const struct memory_contents *now)
{
	int ret = fill_entries(engine, now->state, now->state_size, now->record, now->record_size);

	if (ret)
		return fail(engine, "the volatile state cannot be put into the store");
	ret = engine_persist(engine);
	if (!ret)
		note_saved(&engine->session);
	return ret;
}

/* The copy that is in the state memory still says it all; its record does not. */
static int save_known(struct engine *engine, const struct memory_contents *now)
{
	int ret = save(engine, now);

	if (!ret)
		ret = memory_write(engine->memory, now->record, now->record_size, NULL, 0);
	return ret;
}

/*
 * The store first. It holds a new session before the state memory forgets the
 * old one; the other way round a death in between would bring an old state back.
 */
static int save_new(struct engine *engine, struct memory_contents *now, bool power_on)
{
	uint8_t *state;
	int ret;

	if (tpm_get_state(&state, &now->state_size))
		return fail(engine, "libtpms does not give its volatile state");
	now->state = state;
	ret = save(engine, now);
	if (!ret && power_on)
		memory_clear(engine->memory);
	if (!ret)
		note_room(engine, memory_write(engine->memory, now->record, now->record_size,
					       state, now->state_size));
	tpm_free_state(state, now->state_size);
	return ret;
}

int engine_save(struct engine *engine, enum engine_state state)
{
	struct memory_contents now = { 0 };
	uint8_t record[RECORD_MAX];
	bool known;
	int ret;

	known = state == STATE_KNOWN && !engine->memory_late &&
		memory_read(engine->memory, &now) && !now.journal_size;
	now.record = record;
	now.record_size = record_encode(&engine->session.record, record);
	ret = known ? save_known(engine, &now) :
		save_new(engine, &now, state == STATE_OF_POWER_ON);
	explicit_bzero(record, now.record_size);
	return ret;
}

/* Returns -ENOSPC if only a copy of the state will do, or the memory has no room for one. */
static int keep(struct engine *engine, const uint8_t *record, size_t size, enum effect effect,
		const struct journal_entry *command)
{
	uint8_t *state;
	size_t state_size;
	int ret;

	if (effect == EFFECT_NONE)
		return memory_write(engine->memory, record, size, NULL, 0);
	if (effect == EFFECT_REPEATABLE)
		return memory_append(engine->memory, record, size, command);
	if (tpm_get_state(&state, &state_size))
		return fail(engine, "libtpms does not give its volatile state");
	ret = memory_write(engine->memory, record, size, state, state_size);
	tpm_free_state(state, state_size);
	return ret;
}

int engine_keep(struct engine *engine, enum effect effect, const struct journal_entry *command)
{
	uint8_t record[RECORD_MAX];
	size_t size = record_encode(&engine->session.record, record);
	int ret = -ENOSPC;

	if (!engine->memory_late)
		ret = keep(engine, record, size, effect, command);
	if (ret == -ENOSPC && !engine->memory_late && effect == EFFECT_REPEATABLE)
		ret = keep(engine, record, size, EFFECT_UNKNOWN, NULL);
	explicit_bzero(record, size);
	if (ret == -ENOSPC)
		return engine_save(engine, STATE_NEW);
	engine->session.state_ahead |= effect != EFFECT_NONE;
	return ret;
}

/*
 * What only reads is no reason to write: a guest's kernel takes random numbers once a minute, and a
 * thousand guests would keep a disk busy with that. Their record goes along with the next commit.
 */
int engine_idle_ms(const struct engine *engine)
{
	if (!engine->session.state_ahead)
		return -1;
	return engine->session.idle_failed ? IDLE_FAILED_MS : IDLE_MS;
}

/* Puts what the state memory has into the store's entries; there must not be a journal. */
static int fill_from_memory(struct engine *engine)
{
	struct memory_contents kept;

	if (!memory_read(engine->memory, &kept) || kept.journal_size)
		return -ENOENT;
	return fill_entries(engine, kept.state, kept.state_size, kept.record, kept.record_size);
}

/* From the state memory: nothing has happened since it was written. */
void engine_idle(struct engine *engine)
{
	struct memory_contents kept;
	struct error err;

	if (engine_idle_ms(engine) < 0 || !memory_read(engine->memory, &kept))
		return;
	if (kept.journal_size && engine_keep(engine, EFFECT_UNKNOWN, NULL))
		return;
	if (fill_from_memory(engine))
		return;
	if (!commit(engine, &err)) {
		note_saved(&engine->session);
		note_commit(engine);
		return;
	}
	if (!engine->session.idle_failed)
		log_warning(&engine->log, "%s; nobody waits for it yet", err.text);
	engine->session.idle_failed = true;
}
