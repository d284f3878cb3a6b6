// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "tpm.h"

static void keep_response(struct record *record, const uint8_t *response, size_t size)
{
	explicit_bzero(record->response, record->response_size);
	memcpy(record->response, response, size);
	record->response_size = size;
}

void session_send_mark(struct engine *engine, bool marked)
{
	struct control_message msg = { .type = CONTROL_MARK, .value = marked };

	engine_send(engine, &msg);
}

int session_unmark(struct engine *engine)
{
	struct record *record = &engine->session.record;
	int ret;

	if (!(record->flags & RECORD_SUSPENDED))
		return 0;
	record->flags &= ~RECORD_SUSPENDED;
	record->steps++;
	ret = engine_save(engine, STATE_NEW);
	if (!ret)
		session_send_mark(engine, false);
	return ret;
}

int session_suspend(struct engine *engine)
{
	struct record *record = &engine->session.record;
	int ret;

	if (!(record->flags & RECORD_SUSPENDED)) {
		record->flags |= RECORD_SUSPENDED;
		record->steps++;
	}
	ret = session_quiesce(engine);
	if (!ret)
		session_send_mark(engine, true);
	return ret;
}

int session_quiesce(struct engine *engine)
{
	if (engine->session.record.steps == engine->session.saved_steps)
		return 0;
	return engine_save(engine, STATE_NEW);
}

int session_drop(struct engine *engine)
{
	int ret;

	vnvram_clear_async(engine->store, VOLATILE_ENTRY);
	vnvram_clear_async(engine->store, RECORD_ENTRY);
	tpm_forget_saved_state(engine->store);
	ret = engine_persist(engine);
	if (!ret)
		memory_clear(engine->memory);
	return ret;
}

/* Sequence 0 is none, and has no response. */
size_t session_kept_response(struct engine *engine, struct connection *connection,
			     uint64_t sequence, uint8_t *response)
{
	const struct record *record = &engine->session.record;

	if (!connection->once || sequence > record->sequence)
		return 0;
	if (sequence == record->sequence && record->flags & RECORD_RESPONSE) {
		memcpy(response, record->response, record->response_size);
		return record->response_size;
	}
	if (!connection->scolded)
		log_warning(&engine->log, "connection %llu: command %llu is older than the last "
			    "one, %llu, and gets no answer but failure",
			    (unsigned long long)connection->id, (unsigned long long)sequence,
			    (unsigned long long)record->sequence);
	connection->scolded = true;
	tpm_failure(response);
	return TPM_HEADER_SIZE;
}

int session_executed(struct engine *engine, const struct connection *connection,
		     const struct vtpm_request *request, const uint8_t *response, size_t size)
{
	const struct journal_entry command = {
		.locality = request->locality,
		.command = engine->request + sizeof(*request),
		.size = request->length,
	};
	struct record *record = &engine->session.record;
	enum effect effect = command_effect(engine->options.tpm, command.command, command.size,
					    response);

	if (effect == EFFECT_NONE && !connection->once && !tpm_changed())
		return 0;
	record->steps++;
	if (connection->once) {
		record->sequence = request->sequence;
		record->flags |= RECORD_RESPONSE;
		keep_response(record, response, size);
	}
	if (tpm_changed())
		return engine_save(engine, effect == EFFECT_NONE ? STATE_KNOWN : STATE_NEW);
	return engine_keep(engine, effect, &command);
}

static enum control_session standing(const struct engine *engine)
{
	for (unsigned int i = 0; i < engine->connection_count; i++)
		if (engine->connections[i].apart)
			return CONTROL_SESSION_APART;
	return engine->session.awaited ? CONTROL_SESSION_AWAITED : CONTROL_SESSION_RUNNING;
}

void session_report(struct engine *engine, bool always)
{
	struct control_message msg = {
		.type = CONTROL_SESSION,
		.value = standing(engine),
		.id = engine->session.record.sequence,
	};

	if (!always && msg.value == engine->session.told)
		return;
	engine->session.told = msg.value;
	if (msg.value == CONTROL_SESSION_APART)
		snprintf(msg.text, sizeof(msg.text), "%s", engine->session.apart);
	engine_send(engine, &msg);
}
