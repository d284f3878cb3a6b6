/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vtpmd and an engine say to each other.
 *
 * They share a pair of AF_UNIX SOCK_SEQPACKET sockets. Each message is one packet
 * of exactly sizeof(struct control_message) bytes, in the byte order of the host;
 * CONTROL_ADD carries one descriptor as SCM_RIGHTS, no other message carries any.
 * Unused members are zero. Either side ends the relation by closing its socket:
 * an engine whose vtpmd has gone finishes as if it had been told CONTROL_SHUTDOWN.
 */
#ifndef VTPM_CONTROL_H
#define VTPM_CONTROL_H

#include <stdint.h>

/**
 * enum control_type - kind of a message
 * @CONTROL_ADD: to the engine: serve connection @id, whose descriptor comes along
 * @CONTROL_STATUS: to the engine: say CONTROL_COUNTERS
 * @CONTROL_SHUTDOWN: to the engine: finish the running command and end
 * @CONTROL_STATE: from the engine: @value is the &enum control_state that it is in
 *	now, @text says why, if there is anything to say
 * @CONTROL_CLOSED: from the engine: connection @id has ended and its descriptor is
 *	closed, @text says why
 * @CONTROL_COUNTERS: from the engine: @counters is filled in
 */
enum control_type {
	CONTROL_ADD = 1,
	CONTROL_STATUS = 2,
	CONTROL_SHUTDOWN = 3,
	CONTROL_STATE = 16,
	CONTROL_CLOSED = 17,
	CONTROL_COUNTERS = 18,
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
