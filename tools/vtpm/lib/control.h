/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vtpmd and an engine say to each other.
 *
 * They share a pair of AF_UNIX SOCK_SEQPACKET sockets. Each message is one packet
 * of exactly sizeof(struct control_message) bytes, in the byte order of the host;
 * CONTROL_ADD carries one descriptor as SCM_RIGHTS, no other message carries any.
 * Unused members are zero. Either side ends the relation by closing its socket:
 * an engine whose vtpmd has gone finishes as if it had been told CONTROL_SHUTDOWN
 * with CONTROL_KEEP.
 */
#ifndef VTPM_CONTROL_H
#define VTPM_CONTROL_H

#include <stdint.h>

/**
 * enum control_type - kind of a message
 * @CONTROL_ADD: to the engine: serve connection @id, whose descriptor comes along
 * @CONTROL_STATUS: to the engine: say CONTROL_COUNTERS
 * @CONTROL_SHUTDOWN: to the engine: finish the running command and end; @value is the
 *	&enum control_end that says what becomes of the TPM
 * @CONTROL_SUSPEND: to the engine: the hypervisor says that the domain is suspended; bring
 *	the whole state into the store, and mark it. Answered with CONTROL_MARK
 * @CONTROL_RESET: to the engine: the administrator wants a power cycle. Answered with
 *	CONTROL_SESSION
 * @CONTROL_STATE: from the engine: @value is the &enum control_state that it is in
 *	now, @text says why, if there is anything to say. With CONTROL_READY @id is the features
 *	of the session (VTPM_FEATURE_*), which its frontends are to be accepted with
 * @CONTROL_CLOSED: from the engine: connection @id has ended and its descriptor is
 *	closed, @text says why
 * @CONTROL_COUNTERS: from the engine: @counters is filled in
 * @CONTROL_MARK: from the engine: @value is 1, the state is in the store and marked as
 *	suspended; 0, a command came and the mark has been taken away
 * @CONTROL_SESSION: from the engine: @value is the &enum control_session that the vTPM
 *	is in now, @id the last executed sequence, @text says why if
 *	there is anything to say. Sent once the TPM is up, when it changes, and
 *	after CONTROL_COUNTERS
 */
enum control_type {
	CONTROL_ADD = 1,
	CONTROL_STATUS = 2,
	CONTROL_SHUTDOWN = 3,
	CONTROL_SUSPEND = 4,
	CONTROL_RESET = 5,
	CONTROL_STATE = 16,
	CONTROL_CLOSED = 17,
	CONTROL_COUNTERS = 18,
	CONTROL_MARK = 19,
	CONTROL_SESSION = 20,
};

/**
 * enum control_end - what becomes of a TPM whose engine ends
 * @CONTROL_POWER_OFF: its domain has gone: Shutdown, and the volatile state is dropped
 * @CONTROL_SUSPENDED: its domain has gone, and was suspended: everything is brought
 *	into the store and marked
 * @CONTROL_KEEP: nothing: another engine will go on with it
 */
enum control_end {
	CONTROL_POWER_OFF = 0,
	CONTROL_SUSPENDED = 1,
	CONTROL_KEEP = 2,
};

/**
 * enum control_session - how a vTPM and its guest stand (Documentation/exactly-once.md)
 * @CONTROL_SESSION_RUNNING: they belong together, or no guest has come yet
 * @CONTROL_SESSION_AWAITED: the state was saved with its domain, and awaits it
 * @CONTROL_SESSION_APART: the guest does not fit to the state, and is answered with failure
 */
enum control_session {
	CONTROL_SESSION_RUNNING = 0,
	CONTROL_SESSION_AWAITED = 1,
	CONTROL_SESSION_APART = 2,
};

/**
 * enum control_state - state of an engine
 * @CONTROL_READY: the TPM runs. An engine that creates a TPM says so when the new
 *	TPM is durable
 * @CONTROL_STORE_WAITS: the store cannot be written; the engine tries again and
 *	answers nothing until it succeeds
 * @CONTROL_REFUSED: the state cannot be used; the engine ends
 * @CONTROL_FAILED: something else went wrong; the engine ends
 */
enum control_state {
	CONTROL_READY = 1,
	CONTROL_STORE_WAITS = 2,
	CONTROL_REFUSED = 3,
	CONTROL_FAILED = 4,
};

/**
 * struct control_counters - work of an engine since it started
 * @commands: commands executed
 * @commits: commits to the store
 * @generation: generation of the store
 * @connections: connections being served
 */
struct control_counters {
	uint64_t commands;
	uint64_t commits;
	uint64_t generation;
	uint64_t connections;
};

/**
 * struct control_message - one message
 * @type: &enum control_type
 * @value: depends on @type
 * @id: connection, as the kernel numbers them
 * @text: for people, ends with a zero
 * @counters: CONTROL_COUNTERS only
 */
struct control_message {
	uint32_t type;
	uint32_t value;
	uint64_t id;
	union {
		char text[496];
		struct control_counters counters;
	};
};

_Static_assert(sizeof(struct control_message) == 512, "size of a control message");

/**
 * enum engine_exit - exit codes of an engine
 * @ENGINE_EXIT_OK: told to end, and all is in the store
 * @ENGINE_EXIT_FAILED: something went wrong that may be better the next time
 * @ENGINE_EXIT_USAGE: bad command line
 * @ENGINE_EXIT_REFUSED: the state cannot be used, nothing will change that by itself
 * @ENGINE_EXIT_LOCKED: another engine runs this vTPM
 */
enum engine_exit {
	ENGINE_EXIT_OK = 0,
	ENGINE_EXIT_FAILED = 1,
	ENGINE_EXIT_USAGE = 2,
	ENGINE_EXIT_REFUSED = 3,
	ENGINE_EXIT_LOCKED = 4,
};

/**
 * control_send - send a message
 * @fd: the socket
 * @msg: the message
 * @passed_fd: descriptor to send along, or -1; the caller still owns its own
 *
 * Never blocks.
 *
 * Return: 0, or a negative errno of sendmsg(2); -EAGAIN, the other side does not read.
 */
int control_send(int fd, const struct control_message *msg, int passed_fd);

/**
 * control_receive - receive a message
 * @fd: the socket
 * @msg: the message; its text ends with a zero whatever was sent
 * @passed_fd: where to put the descriptor that came along, which the caller then
 *	owns, or -1
 *
 * Never blocks.
 *
 * Return: 1; 0, the other side has gone; -EAGAIN, no message; -EPROTO, not a
 * message of the right form (no descriptor is kept); another negative errno of recvmsg(2).
 */
int control_receive(int fd, struct control_message *msg, int *passed_fd);

#endif
