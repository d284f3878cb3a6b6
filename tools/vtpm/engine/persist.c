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

/*
 * The store first. It holds a new session before the state memory forgets the
 * old one; the other way round a death in between would bring an old state back.
 */
int engine_save(struct engine *engine, bool fresh)
{
	uint8_t record[RECORD_MAX], *state;
	size_t state_size, size = record_encode(&engine->session.record, record);
	int ret;

	if (tpm_get_state(&state, &state_size))
		return fail(engine, "libtpms does not give its volatile state");
	ret = fill_entries(engine, state, state_size, record, size) ?
		fail(engine, "the volatile state cannot be put into the store") :
		engine_persist(engine);
	if (!ret) {
		note_saved(&engine->session);
		if (fresh)
			memory_clear(engine->memory);
		memory_write(engine->memory, record, size, state, state_size);
	}
	tpm_free_state(state, state_size);
	explicit_bzero(record, size);
	return ret;
}

int engine_keep(struct engine *engine, bool with_state)
{
	uint8_t record[RECORD_MAX], *state = NULL;
	size_t state_size = 0, size = record_encode(&engine->session.record, record);

	if (with_state && tpm_get_state(&state, &state_size))
		return fail(engine, "libtpms does not give its volatile state");
	memory_write(engine->memory, record, size, state, state_size);
	tpm_free_state(state, state_size);
	explicit_bzero(record, size);
	engine->session.state_ahead |= with_state;
	return 0;
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

/* From the state memory: nothing has happened since it was written. */
void engine_idle(struct engine *engine)
{
	const uint8_t *record, *state;
	size_t size, state_size;
	struct error err;

	if (engine_idle_ms(engine) < 0 ||
	    !memory_read(engine->memory, &record, &size, &state, &state_size) ||
	    fill_entries(engine, state, state_size, record, size))
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
