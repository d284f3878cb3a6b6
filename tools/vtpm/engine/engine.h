/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine: one running TPM, its store, and the connections that it serves.
 *
 * The main thread does everything but cancelling. It takes one request at a time,
 * in the order in which it saw them arrive: each connection gets a ticket when it
 * becomes readable, and the lowest ticket is served next.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "cancel.h"
#include "control.h"
#include "error.h"
#include "log.h"
#include "options.h"
#include "vnvram.h"

#include <xen/vtpm.h>

/**
 * struct connection - a frontend being served
 * @fd: its descriptor, owned
 * @id: the kernel's number for it
 * @ticket: when it became readable, 0 while it is not
 */
struct connection {
	int fd;
	uint64_t id;
	uint64_t ticket;
};

/**
 * struct engine - all of the engine
 * @options: the command line
 * @log: where to complain
 * @store: the TPM's state
 * @cancel: the second thread
 * @signal_fd: SIGTERM and SIGINT arrive here
 * @stopping: no further request is taken
 * @store_waits: vtpmd was told that the store cannot be written
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
	struct cancel *cancel;
	int signal_fd;
	bool stopping;
	bool store_waits;
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
 * engine_read_control - take all messages of vtpmd
 * @engine: the engine
 *
 * Sets @engine->stopping if vtpmd wants that or has gone.
 */
void engine_read_control(struct engine *engine);

/**
 * engine_read_signal - take a signal, which stops the engine
 * @engine: the engine
 */
void engine_read_signal(struct engine *engine);

/**
 * engine_persist - make durable what the last command changed
 * @engine: the engine
 *
 * Tries until it succeeds, with growing pauses, and says so in the log and to vtpmd.
 *
 * Return: 0; -EIO, it is hopeless, or the engine was told to end
 * meanwhile. Then nothing may be answered.
 */
int engine_persist(struct engine *engine);

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
