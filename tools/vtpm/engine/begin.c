// SPDX-License-Identifier: GPL-2.0-only
/* What BEGIN leads to: the table in Documentation/exactly-once.md, and the reset. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "engine.h"
#include "power.h"
#include "tpm.h"

static struct connection *other_with_extension(struct engine *engine,
					       const struct connection *connection)
{
	for (unsigned int i = 0; i < engine->connection_count; i++) {
		struct connection *other = &engine->connections[i];

		if (other != connection && other->once && !other->apart)
			return other;
	}
	return NULL;
}

/* Tells a boot from a restore when a frontend presents nothing the next time. */
static int set_features(struct engine *engine, uint32_t features)
{
	struct record *record = &engine->session.record;

	if (record->features == features)
		return 0;
	record->features = features;
	record->steps++;
	return engine_keep(engine, EFFECT_NONE, NULL);
}

/* Guest and TPM belong together: whatever waited has come. */
static int go_on(struct engine *engine, uint32_t features)
{
	int ret = set_features(engine, features);

	engine->session.awaited = false;
	return ret ? ret : session_unmark(engine);
}

/*
 * The same state under a new name. An image of the guest may hold a command with a sequence
 * that the new frontend is going to use for another one.
 */
static int rename_session(struct engine *engine)
{
	struct record *record = &engine->session.record;

	if (make_session(engine))
		return -EIO;
	record->sequence = 0;
	record->flags &= ~RECORD_RESPONSE;
	explicit_bzero(record->response, record->response_size);
	record->response_size = 0;
	record->steps++;
	return engine_save(engine, STATE_NEW);
}

/*
 * A frontend that presents nothing. Where a guest is awaited it is a boot, unless neither the
 * guest nor this frontend has the extension. Otherwise the driver has started
 * anew, and so does the session.
 */
static int go_on_fresh(struct engine *engine, uint32_t features)
{
	int ret = 0;

	if (engine->session.awaited && (engine->session.record.features || features)) {
		log_info(&engine->log, "the guest boots instead of being restored");
		ret = power_cycle(engine);
	} else if (features) {
		ret = rename_session(engine);
	}
	return ret ? ret : go_on(engine, features);
}

/* Another frontend may have the extension, a device model's has not. */
int session_begin_plain(struct engine *engine, struct connection *connection)
{
	struct record *record = &engine->session.record;

	connection->begun = true;
	connection->once = connection->apart = false;
	if (other_with_extension(engine, connection))
		return go_on(engine, record->features);
	return go_on_fresh(engine, 0);
}

/*
 * It gets a session that nobody else has: with the one that it came with it could, counting up
 * with each failure, come to fit by accident.
 */
static void set_apart(struct engine *engine, struct connection *connection,
		      struct vtpm_begin *begin)
{
	connection->apart = true;
	if (getrandom(begin->session, sizeof(begin->session), 0) != sizeof(begin->session))
		memset(begin->session, 0xff, sizeof(begin->session));
	memcpy(connection->session, begin->session, sizeof(connection->session));
	log_warning(&engine->log, "connection %llu is apart from its TPM: %s",
		    (unsigned long long)connection->id, engine->session.apart);
}

/* Its session may be right, but two frontends cannot count in one session. */
static void refuse_second(struct engine *engine, struct connection *connection,
			  const struct connection *first, struct vtpm_begin *begin)
{
	snprintf(engine->session.apart, sizeof(engine->session.apart),
		 "connection %llu is served already, and only one can be served exactly once",
		 (unsigned long long)first->id);
	connection->presented = false;
	set_apart(engine, connection, begin);
}

/* Whether what the frontend presents is where the TPM stands; if not, @why gets filled in. */
static bool fits(const struct record *record, const struct vtpm_begin *begin, char *why,
		 size_t size)
{
	unsigned long long guest = begin->sequence, ours = record->sequence;

	if (memcmp(begin->session, record->session, sizeof(record->session))) {
		snprintf(why, size, "the guest comes from another session: the TPM was "
			 "power-cycled meanwhile, or the guest's image and the TPM's state are "
			 "not of one time (guest at command %llu, TPM at %llu)", guest, ours);
		return false;
	}
	if (begin->answered <= ours && ours <= guest)
		return true;
	snprintf(why, size, "the guest is at command %llu of the session, the TPM at %llu: %s",
		 guest, ours, guest < ours ? "the guest's image is older than the TPM's state" :
		 "the TPM's state is older than the guest");
	return false;
}

static int begin_presented(struct engine *engine, struct connection *connection,
			   struct vtpm_begin *begin)
{
	struct session *session = &engine->session;

	connection->presented = true;
	connection->sequence = begin->sequence;
	if (fits(&session->record, begin, session->apart, sizeof(session->apart)))
		return go_on(engine, begin->features);
	set_apart(engine, connection, begin);
	return 0;
}

int session_begin(struct engine *engine, struct connection *connection,
		  struct vtpm_begin *begin)
{
	struct record *record = &engine->session.record;
	struct connection *first = other_with_extension(engine, connection);
	int ret = 0;

	if (!begin->features)
		return session_begin_plain(engine, connection);
	connection->begun = connection->once = true;
	connection->apart = connection->presented = false;
	if (first)
		refuse_second(engine, connection, first, begin);
	else if (begin->resume == VTPM_RESUME_SESSION)
		ret = begin_presented(engine, connection, begin);
	else
		ret = go_on_fresh(engine, begin->features);
	if (!connection->apart) {
		memcpy(begin->session, record->session, sizeof(begin->session));
		begin->sequence = record->sequence;
	}
	begin->answered = 0;
	return ret;
}

/* A guest that is apart and has said where it comes from. */
static struct connection *apart_guest(struct engine *engine)
{
	for (unsigned int i = 0; i < engine->connection_count; i++)
		if (engine->connections[i].apart && engine->connections[i].presented)
			return &engine->connections[i];
	return NULL;
}

/*
 * The guest whom a reset is for goes on with the session that it has: the one that is
 * apart, else the one that runs. The steps go on: if the session keeps its name, what is
 * still in the state memory must not look newer than this.
 */
static void adopt_guest(struct engine *engine, const struct record *before)
{
	struct connection *guest = apart_guest(engine);
	struct record *record = &engine->session.record;
	const uint8_t *session = before->session;

	record->steps = before->steps + 1;
	record->sequence = before->sequence;
	if (guest) {
		session = guest->session;
		record->sequence = guest->sequence;
		guest->apart = false;
	} else if (!other_with_extension(engine, NULL)) {
		record->sequence = 0;
		return;
	}
	memcpy(record->session, session, sizeof(record->session));
	record->features = VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES;
}

static int reset(struct engine *engine)
{
	struct record before = engine->session.record;
	int ret;

	log_info(&engine->log, "the TPM is reset");
	ret = power_off_and_on(engine);
	if (!ret && tpm_startup())
		log_error(&engine->log, "the TPM does not start up after a reset");
	if (!ret) {
		adopt_guest(engine, &before);
		ret = engine_save(engine, STATE_OF_POWER_ON);
	}
	if (!ret && before.flags & RECORD_SUSPENDED)
		session_send_mark(engine, false);
	explicit_bzero(&before, sizeof(before));
	if (!ret)
		session_report(engine, true);
	return ret;
}

int session_control(struct engine *engine)
{
	bool suspend_wanted = engine->suspend_wanted, reset_wanted = engine->reset_wanted;
	int ret = 0;

	engine->suspend_wanted = engine->reset_wanted = false;
	if (reset_wanted)
		ret = reset(engine);
	if (!ret && suspend_wanted)
		ret = session_suspend(engine);
	return ret;
}
