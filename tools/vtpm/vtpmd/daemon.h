/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of vtpmd share.
 *
 * A vTPM (struct vtpm) is made when the first frontend asks for it and stays while a
 * domain owns it. Its frontends (struct frontend) come and go with the kernel's events.
 * Everything runs in one thread, from the event loop. Whatever happens, in the end
 * vtpm_advance() looks at the vTPM and does what its state needs.
 */
#ifndef VTPMD_DAEMON_H
#define VTPMD_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <event2/event.h>
#include <xen/vtpm.h>

#include "config.h"
#include "error.h"
#include "log.h"
#include "uuid.h"

struct server;

/**
 * struct frontend - one connection, as the kernel has announced it
 * @next: in its vTPM's list, in the order of the ids
 * @id: the kernel's number for it
 * @domid: its domain
 * @handle: number of the vTPM within the domain
 * @accepted: an engine has its descriptor
 * @given_up: it will not be accepted again by the running engine
 * @busy_tries: how often accepting it failed because its last descriptor is still open
 * @reason: why it is not served; "" if it is or will be
 */
struct frontend {
	struct frontend *next;
	uint64_t id;
	uint32_t domid;
	uint32_t handle;
	bool accepted;
	bool given_up;
	unsigned int busy_tries;
	struct error reason;
};

/**
 * enum vtpm_state - state of a vTPM
 * @VTPM_OFF: no engine, and none is wanted
 * @VTPM_STARTING: there is an engine whose TPM is not up yet
 * @VTPM_RUNNING: the engine serves
 * @VTPM_STORE_WAITS: likewise, but its store cannot be written at the moment
 * @VTPM_STOPPING: the engine was told to end
 * @VTPM_PAUSED: no engine; another one is started when a timer ends
 * @VTPM_REFUSED: the state or the policy does not allow it; tried again when
 *	a frontend is added
 * @VTPM_FAILED: engines have died again and again; tried again much later
 */
enum vtpm_state {
	VTPM_OFF,
	VTPM_STARTING,
	VTPM_RUNNING,
	VTPM_STORE_WAITS,
	VTPM_STOPPING,
	VTPM_PAUSED,
	VTPM_REFUSED,
	VTPM_FAILED,
};

/**
 * struct vtpm - one vTPM
 * @next: in the daemon's list
 * @daemon: the daemon
 * @uuid: its name
 * @uuid_text: likewise
 * @policy: as it was read when the engine was started
 * @state: what it does
 * @reason: why it does not run, or what is wrong; "" if nothing is
 * @frontends: those that exist, accepted or not
 * @has_owner: a domain owns it
 * @owner: that domain. Others wait until all its frontends have gone; then
 *	the TPM is power-cycled for the next one
 * @pid: the engine, 0 if there is none
 * @control_fd: socket to a native engine, or -1
 * @control_event: watches it
 * @creating: the engine is making a new TPM
 * @timer: what it is for depends on @state
 * @retry: tries again to accept frontends
 * @failures: engines that died lately
 * @first_failure: when the first of these did, in seconds
 * @locked_tries: how often an engine found the state locked
 */
struct vtpm {
	struct vtpm *next;
	struct daemon *daemon;
	struct uuid uuid;
	char uuid_text[UUID_TEXT_SIZE];
	struct policy policy;
	enum vtpm_state state;
	struct error reason;
	struct frontend *frontends;
	bool has_owner;
	uint32_t owner;
	pid_t pid;
	int control_fd;
	struct event *control_event;
	bool creating;
	struct event *timer;
	struct event *retry;
	unsigned int failures;
	time_t first_failure;
	unsigned int locked_tries;
};

/**
 * struct daemon - all of vtpmd
 * @config: the configuration
 * @log: where to complain
 * @base: the event loop
 * @backend: the kernel's side
 * @vtpms: all vTPMs that a domain has or had lately
 * @server: the control socket
 * @stopping: engines are being ended, vtpmd follows
 * @events: events of the daemon itself
 */
struct daemon {
	struct config config;
	struct log log;
	struct event_base *base;
	int backend;
	struct vtpm *vtpms;
	struct server *server;
	bool stopping;
	struct event *events[8];
};

/* frontend.c */

/**
 * frontends_read - take all events of the kernel
 * @fd: the kernel's side
 * @what: unused
 * @arg: &struct daemon
 */
void frontends_read(evutil_socket_t fd, short what, void *arg);

/**
 * frontends_accept - accept the owner's frontends and hand them to the engine
 * @vtpm: a vTPM whose native engine runs
 */
void frontends_accept(struct vtpm *vtpm);

/**
 * frontend_accept - accept one frontend
 * @vtpm: its vTPM
 * @frontend: the frontend
 *
 * Return: its descriptor, owned by the caller; a negative errno, and then it
 * is tried again later or given up for good, as @frontend->reason says.
 */
int frontend_accept(struct vtpm *vtpm, struct frontend *frontend);

/**
 * frontend_of_owner - the owner's first frontend that is not given up
 * @vtpm: the vTPM
 *
 * Return: the frontend, or NULL.
 */
struct frontend *frontend_of_owner(const struct vtpm *vtpm);

/* vtpm.c */

/**
 * vtpm_get - find a vTPM, or make it
 * @daemon: the daemon
 * @uuid: its name
 *
 * Return: the vTPM; NULL without memory.
 */
struct vtpm *vtpm_get(struct daemon *daemon, const struct uuid *uuid);

/**
 * vtpm_free_all - forget all vTPMs
 * @daemon: a daemon without engines
 */
void vtpm_free_all(struct daemon *daemon);

/**
 * vtpm_advance - do what the vTPM needs now
 * @vtpm: the vTPM
 */
void vtpm_advance(struct vtpm *vtpm);

/**
 * vtpm_stop - end the engine: cleanly, or by force if that takes too long
 * @vtpm: the vTPM
 * @why: for the log
 */
void vtpm_stop(struct vtpm *vtpm, const char *why);

/**
 * vtpm_exited - the engine has ended
 * @vtpm: the vTPM
 * @status: as waitpid(2) gives it
 */
void vtpm_exited(struct vtpm *vtpm, int status);

/**
 * vtpm_is_up - an engine's TPM is up
 * @vtpm: the vTPM
 */
void vtpm_is_up(struct vtpm *vtpm);

/**
 * vtpm_check_owners - end the engines of domains that no longer exist, and forget their vTPMs
 * @fd: unused
 * @what: unused
 * @arg: &struct daemon
 */
void vtpm_check_owners(evutil_socket_t fd, short what, void *arg);

/**
 * vtpm_state_name - name of a state, as vtpmctl shows it
 * @state: the state
 */
const char *vtpm_state_name(enum vtpm_state state);

/* process.c */

/**
 * process_start - start the engine
 * @vtpm: a vTPM without one, its policy read
 * @err: filled in on failure
 *
 * Return: 0; -EAGAIN, later (swtpm's frontend cannot be accepted yet); -ECHILD, the
 * process cannot be started; another negative errno, the state is refused.
 */
int process_start(struct vtpm *vtpm, struct error *err);

/**
 * process_ask_to_end - tell the engine to end
 * @vtpm: the vTPM
 */
void process_ask_to_end(struct vtpm *vtpm);

/**
 * process_add_frontend - hand a frontend to a native engine
 * @vtpm: the vTPM
 * @frontend: the frontend
 * @fd: its descriptor; closed here
 */
void process_add_frontend(struct vtpm *vtpm, struct frontend *frontend, int fd);

/**
 * process_drain - take what the engine still said, and close its socket
 * @vtpm: the vTPM
 */
void process_drain(struct vtpm *vtpm);

/* server.c */

/**
 * server_new - open the control socket
 * @daemon: the daemon
 * @err: filled in on failure
 *
 * Return: the server, or NULL.
 */
struct server *server_new(struct daemon *daemon, struct error *err);

/**
 * server_free - close the control socket
 * @server: the server; NULL is allowed
 */
void server_free(struct server *server);

#endif
