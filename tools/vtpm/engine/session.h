/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The session: which guest the TPM's state belongs to, and what was executed in it.
 * The rules E1 to E6 and the table of BEGIN are in Documentation/exactly-once.md.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/vtpm.h>

#include "control.h"
#include "error.h"
#include "record.h"

struct connection;
struct engine;

/**
 * struct session - the session
 * @record: its record, as it is now
 * @awaited: it was suspended with its domain, and nobody has come yet
 * @saved_steps: steps of the record that is in the store
 * @state_ahead: a command has changed the volatile state, and only the state memory has it
 * @idle_failed: the last attempt of engine_idle() failed
 * @told: what vtpmd was told last
 * @apart: why a guest is apart, the last one of them
 */
struct session {
	struct record record;
	bool awaited;
	uint64_t saved_steps;
	bool state_ahead;
	bool idle_failed;
	enum control_session told;
	char apart[256];
};

/**
 * session_start - power the TPM on, or go on where the last engine ended
 * @engine: the engine, with store and state memory
 * @err: filled in on failure
 *
 * All is durable when this returns.
 *
 * Return: 0; -EIO as engine_persist(); another negative errno of tpm_start() and
 * vnvram_commit().
 */
int session_start(struct engine *engine, struct error *err);

/**
 * session_begin - a frontend says where it comes from
 * @engine: the engine
 * @connection: its connection
 * @begin: the body of its BEGIN; the response's when this returns
 *
 * Return: as engine_persist().
 */
int session_begin(struct engine *engine, struct connection *connection,
		  struct vtpm_begin *begin);

/**
 * session_begin_plain - a frontend without the extension
 * @engine: the engine
 * @connection: its connection
 *
 * Return: as engine_persist().
 */
int session_begin_plain(struct engine *engine, struct connection *connection);

/**
 * session_unmark - take the mark "suspended" away, durably, if it is there
 * @engine: the engine
 *
 * Return: as engine_persist().
 */
int session_unmark(struct engine *engine);

/**
 * session_kept_response - has this command been executed before?
 * @engine: the engine
 * @connection: where it comes from
 * @sequence: its sequence
 * @response: where to put the response, VTPM_MAX_TRANSFER bytes: the one that it was
 *	given, or TPM failure if that is not known any more
 *
 * Return: bytes of the response; 0, it is a new one and has to be executed.
 */
size_t session_kept_response(struct engine *engine, struct connection *connection,
			     uint64_t sequence, uint8_t *response);

/**
 * session_executed - keep what a command did, before it is answered
 * @engine: the engine
 * @connection: where it came from
 * @request: its header, with the command behind it
 * @response: its response
 * @size: bytes of the response
 *
 * Return: as engine_persist().
 */
int session_executed(struct engine *engine, const struct connection *connection,
		     const struct vtpm_request *request, const uint8_t *response, size_t size);

/**
 * session_quiesce - bring everything into the store, if it is not there
 * @engine: the engine
 *
 * Return: as engine_persist().
 */
int session_quiesce(struct engine *engine);

/**
 * session_control - do what vtpmd wanted
 * @engine: the engine; CONTROL_SUSPEND and CONTROL_RESET are noted there
 *
 * Return: as engine_persist().
 */
int session_control(struct engine *engine);

/**
 * session_suspend - bring everything into the store, marked
 * @engine: the engine
 *
 * Return: as engine_persist().
 */
int session_suspend(struct engine *engine);

/**
 * session_drop - forget the session: the power is off
 * @engine: the engine, whose TPM has been shut down
 *
 * Return: as engine_persist().
 */
int session_drop(struct engine *engine);

/**
 * session_send_mark - tell vtpmd about the mark
 * @engine: the engine
 * @marked: it is set
 */
void session_send_mark(struct engine *engine, bool marked);

/**
 * session_report - tell vtpmd how guest and TPM stand
 * @engine: the engine
 * @always: even if nothing has changed
 */
void session_report(struct engine *engine, bool always);

#endif
