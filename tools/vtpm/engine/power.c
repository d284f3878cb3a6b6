// SPDX-License-Identifier: GPL-2.0-only
/* How a TPM starts: with a new session, or where the last engine ended. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "engine.h"
#include "power.h"
#include "tpm.h"
#include "tpm_wire.h"

/**
 * struct past - what is left of the time before
 * @known: there was a session
 * @in_memory: and the state memory knows it
 * @stored_steps: steps of the store's record
 * @record: the newer one of store's and state memory's
 * @state: the volatile state that belongs to it; belongs to the store or the memory
 * @state_size: its bytes
 * @journal: what was executed on it after that; belongs to the memory
 * @journal_size: its bytes
 */
struct past {
	bool known;
	bool in_memory;
	uint64_t stored_steps;
	struct record record;
	const uint8_t *state;
	size_t state_size;
	const uint8_t *journal;
	size_t journal_size;
};

static void look_into_store(struct engine *engine, struct past *past)
{
	const void *bytes, *state;
	size_t size, state_size;

	if (vnvram_read(engine->store, RECORD_ENTRY, &bytes, &size))
		return;
	if (record_decode(&past->record, bytes, size)) {
		log_warning(&engine->log, "the record in the store makes no sense, it is ignored");
		return;
	}
	past->known = true;
	past->stored_steps = past->record.steps;
	if (!vnvram_read(engine->store, VOLATILE_ENTRY, &state, &state_size)) {
		past->state = state;
		past->state_size = state_size;
	}
}

/* It is a stranger's unless it is of the store's session. */
static void look_into_memory(struct engine *engine, struct past *past)
{
	struct memory_contents kept;
	struct record record;

	if (!past->known || !memory_read(engine->memory, &kept))
		return;
	if (record_decode(&record, kept.record, kept.record_size) ||
	    memcmp(record.session, past->record.session, sizeof(record.session))) {
		log_warning(&engine->log, "the state memory is of another session, it is ignored");
		return;
	}
	past->in_memory = true;
	if (record.steps <= past->record.steps)
		return;
	past->record = record;
	past->state = kept.state;
	past->state_size = kept.state_size;
	past->journal = kept.journal;
	past->journal_size = kept.journal_size;
}

/*
 * For the same domain the store alone does not do, unless it is known to hold everything:
 * nobody could tell which commands are missing.
 */
static bool can_go_on(struct engine *engine, const struct past *past)
{
	bool marked = past->record.flags & RECORD_SUSPENDED;

	if (!past->known || !past->state)
		return false;
	if (engine->options.domain == ENGINE_DOMAIN_NEW)
		return marked;
	if (past->in_memory || marked || past->record.steps == 0)
		return true;
	log_warning(&engine->log, "the state memory of a running session is lost, the TPM is "
		    "power-cycled");
	return false;
}

static int start_tpm(struct engine *engine, uint32_t buffer_size, const struct past *past,
		     struct error *err)
{
	struct tpm_setup setup = {
		.version = engine->options.tpm,
		.buffer_size = buffer_size,
		.create = engine->options.create,
		.state = past ? past->state : NULL,
		.state_size = past ? past->state_size : 0,
		.store = engine->store,
		.log = &engine->log,
	};
	struct error why;
	int ret = tpm_start(&setup, &why);

	if (ret)
		return error_set(err, -ret, "%s: %s", engine->options.store_name, why.text);
	return 0;
}

/*
 * Once more, on a copy of the state from before. They have all succeeded, and so they do now; otherwise
 * this is not the state that they were executed on.
 */
static int execute_journal(struct engine *engine, const struct past *past, struct error *err)
{
	struct journal_entry entry;
	const uint8_t *response;
	size_t at = 0;

	while (journal_next(past->journal, past->journal_size, &at, &entry)) {
		tpm_execute(entry.locality, entry.command, entry.size, &response);
		if (get_be32(response + 6))
			return error_set(err, EUCLEAN, "%s: a command that was executed since the "
					 "last copy of the volatile state fails on that copy (0x%x): "
					 "state memory and store are not of one TPM; a boot of the "
					 "guest ends this", engine->options.store_name,
					 get_be32(response + 6));
	}
	if (at == past->journal_size)
		return 0;
	return error_set(err, EUCLEAN, "%s: the journal in the state memory makes no sense; a boot "
			 "of the guest ends this", engine->options.store_name);
}

static int resume(struct engine *engine, const struct past *past, struct error *err)
{
	struct session *session = &engine->session;
	int ret = start_tpm(engine, past->record.buffer_size, past, err);

	if (!ret)
		ret = execute_journal(engine, past, err);
	if (ret)
		return ret;
	tpm_stir();
	session->record = past->record;
	session->saved_steps = past->stored_steps;
	session->awaited = engine->options.domain == ENGINE_DOMAIN_NEW;
	log_info(&engine->log, "goes on after command %llu, %s",
		 (unsigned long long)session->record.sequence,
		 session->awaited ? "awaits its guest" : "for the same guest");
	ret = tpm_changed() ? engine_save(engine, STATE_NEW) : engine_keep(engine, EFFECT_UNKNOWN, NULL);
	session->state_ahead = session->saved_steps != session->record.steps;
	return ret ? error_set(err, -ret, "cannot keep the state") : 0;
}

int make_session(struct engine *engine)
{
	struct record *record = &engine->session.record;

	if (getrandom(record->session, sizeof(record->session), 0) == sizeof(record->session))
		return 0;
	log_error(&engine->log, "the kernel gives no random numbers");
	return -EIO;
}

static int new_session(struct engine *engine, struct error *err)
{
	struct record *record = &engine->session.record;

	explicit_bzero(record, sizeof(*record));
	record->features = engine->options.features;
	record->buffer_size = engine->options.buffer_size;
	if (make_session(engine))
		return error_set(err, EIO, "no random numbers");
	engine->session.awaited = false;
	return 0;
}

/*
 * The TPM lost its power unannounced. It is told after the fact: otherwise it takes the
 * power cycle for a try at guessing an authorization.
 */
static void announce_power_loss(struct engine *engine, const struct past *past)
{
	struct error err;

	if (!past->known || !past->state)
		return;
	if (start_tpm(engine, past->record.buffer_size, past, &err))
		log_warning(&engine->log, "%s; it is not shut down in order", err.text);
	else
		tpm_shutdown();
	tpm_stop();
}

static int begin_anew(struct engine *engine, const struct past *past, struct error *err)
{
	int ret;

	announce_power_loss(engine, past);
	tpm_forget_saved_state(engine->store);
	ret = start_tpm(engine, engine->options.buffer_size, NULL, err);
	if (!ret)
		ret = new_session(engine, err);
	if (ret)
		return ret;
	ret = engine_save(engine, STATE_OF_POWER_ON);
	return ret ? error_set(err, -ret, "cannot make the state durable") : 0;
}

int session_start(struct engine *engine, struct error *err)
{
	struct past past = { 0 };
	int ret;

	if (!engine->options.create) {
		look_into_store(engine, &past);
		look_into_memory(engine, &past);
	}
	ret = can_go_on(engine, &past) ? resume(engine, &past, err) :
		begin_anew(engine, &past, err);
	explicit_bzero(&past, sizeof(past));
	return ret;
}

int power_off_and_on(struct engine *engine)
{
	struct error err;
	int ret;

	tpm_shutdown();
	tpm_forget_saved_state(engine->store);
	ret = tpm_power_cycle(engine->options.buffer_size, &err);
	if (!ret)
		ret = new_session(engine, &err);
	if (ret) {
		log_error(&engine->log, "%s", err.text);
		engine_report(engine, CONTROL_FAILED, err.text);
		return -EIO;
	}
	return 0;
}

int power_cycle(struct engine *engine)
{
	bool marked = engine->session.record.flags & RECORD_SUSPENDED;
	int ret = power_off_and_on(engine);

	if (!ret)
		ret = engine_save(engine, STATE_OF_POWER_ON);
	if (!ret && marked)
		session_send_mark(engine, false);
	return ret;
}
