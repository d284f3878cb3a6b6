/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine: one running TPM, its store, and the connections that it serves.
 *
 * The main thread does everything but cancelling. It takes one request at a time,
 * in the order in which it saw them arrive: each connection gets a ticket when it
 * becomes readable, and the lowest ticket is served next. What is kept of each command,
 * and how a guest finds its TPM again, is in session.h.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "error.h"
#include "log.h"
#include "freshness.h"
#include "journal.h"
#include "memory.h"
#include "options.h"
#include "session.h"
#include "vnvram.h"
#include "volatile.h"
#include "watch.h"

#include <xen/vtpm.h>

/**
 * struct connection - a frontend being served
 * @fd: its descriptor, owned
 * @id: the kernel's number for it
 * @ticket: when it became readable, 0 while it is not
 * @begun: it is known how it stands to the session
 * @once: it has the exactly-once extension, its sequences count
 * @apart: its guest does not belong to the TPM, or is a second one
 * @presented: @session and @sequence are what it presented
 * @scolded: it sent an old sequence, and the log has it
 * @session: see @presented
 * @sequence: see @presented
 */
struct connection {
	int fd;
	uint64_t id;
	uint64_t ticket;
	bool begun;
	bool once;
	bool apart;
	bool presented;
	bool scolded;
	uint8_t session[VTPM_SESSION_SIZE];
	uint64_t sequence;
};

/**
 * struct engine - all of the engine
 * @options: the command line
 * @log: where to complain
 * @store: the TPM's state
 * @memory: the state memory
 * @memory_late: there was no room in it for the last volatile state, which only the store has
 * @freshness: who knows how new the store is
 * @session: what is kept beside the TPM's own state
 * @watch: the second thread
 * @signal_fd: SIGTERM and SIGINT arrive here
 * @stopping: no further request is taken
 * @end: what becomes of the TPM then
 * @suspend_wanted: vtpmd has sent CONTROL_SUSPEND
 * @reset_wanted: vtpmd has sent CONTROL_RESET
 * @store_waits: vtpmd was told that the store cannot be written
 * @disk_was_late: and that the disk does not answer, which it did since
 * @connections: those being served, in no order
 * @connection_count: their number
 * @next_ticket: for the next connection that becomes readable
 * @counters: for vtpmd
 * @request: the request being served, header and command
 * @response: the response being made
 */
struct engine {
	struct engine_options options;
	struct log log;
	struct vnvram *store;
	struct memory *memory;
	bool memory_late;
	struct freshness freshness;
	struct session session;
	struct watch *watch;
	int signal_fd;
	bool stopping;
	enum control_end end;
	bool suspend_wanted;
	bool reset_wanted;
	bool store_waits;
	bool disk_was_late;
	struct connection connections[ENGINE_MAX_CONNECTIONS];
	unsigned int connection_count;
	uint64_t next_ticket;
	struct control_counters counters;
	uint8_t request[sizeof(struct vtpm_request) + VTPM_MAX_TRANSFER];
	uint8_t response[sizeof(struct vtpm_response) + VTPM_MAX_TRANSFER];
};

/**
 * engine_report - tell vtpmd the engine's state
 * @engine: the engine
 * @state: the state
 * @text: why; may be ""
 */
void engine_report(struct engine *engine, enum control_state state, const char *text);

/**
 * engine_send - send a message to vtpmd, if there is one
 * @engine: the engine
 * @msg: the message
 */
void engine_send(struct engine *engine, const struct control_message *msg);

/**
 * engine_read_control - take all messages of vtpmd
 * @engine: the engine
 *
 * Only notes what vtpmd wants, because it may be called while a command waits for
 * the store. Sets @engine->stopping if vtpmd wants that or has gone.
 */
void engine_read_control(struct engine *engine);

/**
 * engine_read_signal - take a signal, which stops the engine
 * @engine: the engine
 */
void engine_read_signal(struct engine *engine);

/**
 * engine_persist - make durable what is in the store
 * @engine: the engine
 *
 * Tries until it succeeds, with growing pauses, and says so in the log and to vtpmd.
 *
 * Return: 0; -EIO, it is hopeless, or the engine was told to end
 * meanwhile. Then nothing may be answered.
 */
int engine_persist(struct engine *engine);

/**
 * engine_disk_is_late - a write to the store takes too long
 * @arg: the engine
 *
 * Says so in the log and to vtpmd. Called from the second thread.
 */
void engine_disk_is_late(void *arg);

/**
 * enum engine_state - which volatile state is to be saved
 * @STATE_OF_POWER_ON: the TPM's; the state memory is wiped of what was before
 * @STATE_NEW: the TPM's
 * @STATE_KNOWN: the TPM's, which is that of the state memory still
 */
enum engine_state {
	STATE_OF_POWER_ON,
	STATE_NEW,
	STATE_KNOWN,
};

/**
 * engine_save - bring everything into the store, and into the state memory
 * @engine: the engine
 * @state: which volatile state
 *
 * One commit of permanent state, volatile state and record, as engine_persist() does it.
 *
 * Return: as engine_persist().
 */
int engine_save(struct engine *engine, enum engine_state state);

/**
 * engine_keep - bring into the state memory what a command did
 * @engine: the engine
 * @effect: what that was to the volatile state; the record has changed in any case
 * @command: the command, if the effect is repeatable; may be NULL otherwise
 *
 * Brings everything into the store instead if the state memory has no room.
 *
 * Return: 0; -EIO, libtpms does not give its state, or as engine_persist(). Then nothing may be
 * answered.
 */
int engine_keep(struct engine *engine, enum effect effect, const struct journal_entry *command);

/**
 * engine_idle - use a quiet moment to bring everything into the store
 * @engine: the engine
 *
 * One attempt. If it fails, nobody waits for it, and there will be another.
 */
void engine_idle(struct engine *engine);

/**
 * engine_idle_ms - how long to wait for engine_idle()
 * @engine: the engine
 *
 * Return: milliseconds without an event; -1, there is nothing to do then.
 */
int engine_idle_ms(const struct engine *engine);

/**
 * connection_add - begin to serve a connection
 * @engine: the engine
 * @fd: its descriptor, which is the engine's from now on
 * @id: the kernel's number for it
 */
void connection_add(struct engine *engine, int fd, uint64_t id);

/**
 * connection_close - end a connection and tell vtpmd
 * @engine: the engine
 * @connection: the connection; the last one takes its place in the table
 * @why: the reason
 */
void connection_close(struct engine *engine, struct connection *connection, const char *why);

/**
 * connection_serve - take a request, execute it, make it durable, answer it
 * @engine: the engine
 * @connection: a readable connection; may be closed by this
 *
 * Return: 0; -EIO as engine_persist(), the engine has to end without an answer.
 */
int connection_serve(struct engine *engine, struct connection *connection);

/**
 * engine_loop - serve until told to end
 * @engine: the engine
 *
 * Return: 0; -EIO as engine_persist().
 */
int engine_loop(struct engine *engine);

#endif
