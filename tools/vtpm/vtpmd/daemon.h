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
#include "control.h"
#include "domain.h"
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
 * struct owner - the domain that a vTPM belongs to
 * @known: there is one. Others wait until all its frontends have gone
 * @domid: its number
 * @token: what it is known by, see Documentation/exactly-once.md
 * @settled: an engine has said that this domain and the TPM belong together (or
 *	that it has power-cycled the TPM for it): the next engine goes on with it
 * @marked: the token is in the xenstore
 * @suspended: it was suspended when last seen
 * @suspend_asked: the engine was told to mark the state as suspended
 * @soft_reset: it shut down for a soft reset, since when its token may be missing
 * @ending: it has gone or lost the vTPM, and the engine has to be ended for that
 */
struct owner {
	bool known;
	uint32_t domid;
	char token[DOMAIN_TOKEN_SIZE];
	bool settled;
	bool marked;
	bool suspended;
	bool suspend_asked;
	bool soft_reset;
	bool ending;
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
 * @owner: the domain that it belongs to
 * @features: VTPM_FEATURE_* that its frontends may use: the session's
 * @end: how the engine was told, or has to be told, to end
 * @session_known: the engine has said how things stand; the next four are valid
 * @session: how vTPM and guest stand
 * @session_reason: why, or ""
 * @sequence: last executed command of the session, when the engine last said so
 * @counters: work of the engine, likewise
 * @marked: the store's state is marked as suspended
 * @counted: the counters have come, and how the session stands follows
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
	struct owner owner;
	uint32_t features;
	enum control_end end;
	bool session_known;
	enum control_session session;
	struct error session_reason;
	uint64_t sequence;
	struct control_counters counters;
	bool marked;
	bool counted;
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
 * @domains: the hypervisor's and the xenstore's
 * @vtpms: all vTPMs that a domain has or had lately
 * @server: the control socket
 * @stopping: engines are being ended, vtpmd follows
 * @events: events of the daemon itself
 * @domain_event: a domain shut down or went; NULL if nobody tells
 * @tick: pending while domains have to be looked at without being told
 */
struct daemon {
	struct config config;
	struct log log;
	struct event_base *base;
	int backend;
	struct domains *domains;
	struct vtpm *vtpms;
	struct server *server;
	bool stopping;
	struct event *events[8];
	struct event *domain_event;
	struct event *tick;
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
 * @end: what becomes of the TPM
 * @why: for the log
 */
void vtpm_stop(struct vtpm *vtpm, enum control_end end, const char *why);

/**
 * vtpm_serves - is the TPM up?
 * @vtpm: the vTPM
 */
bool vtpm_serves(const struct vtpm *vtpm);

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
 * vtpm_all_serve - do all vTPMs serve all their frontends?
 * @daemon: the daemon
 *
 * Then nothing has to be looked at before vtpmd is told of something.
 *
 * Return: whether they do.
 */
bool vtpm_all_serve(const struct daemon *daemon);

/**
 * vtpm_check_owners - look at all owners, and forget the vTPMs that have none
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

/* owner.c */

/**
 * owner_has_frontend - has the owner one?
 * @vtpm: a vTPM with an owner
 */
bool owner_has_frontend(const struct vtpm *vtpm);

/**
 * owner_next - who gets the vTPM when it is free?
 * @vtpm: the vTPM
 * @domid: the result
 *
 * Return: whether there is a domain that has a frontend and is not about to go.
 */
bool owner_next(const struct vtpm *vtpm, uint32_t *domid);

/**
 * owner_take - a vTPM gets an owner, whose session is not settled
 * @vtpm: a vTPM without one
 * @domid: the domain
 */
void owner_take(struct vtpm *vtpm, uint32_t domid);

/**
 * owner_settle - the engine says that TPM and owner belong together
 * @vtpm: the vTPM
 *
 * From now on this survives the end of vtpmd.
 */
void owner_settle(struct vtpm *vtpm);

/**
 * owner_end - the owner has gone, or another domain gets the vTPM
 * @vtpm: a vTPM with an owner
 * @why: for the log
 *
 * Has come to its end when owner_forget() is called.
 */
void owner_end(struct vtpm *vtpm, const char *why);

/**
 * owner_forget - the end of an owner: files and memory of it go
 * @vtpm: the vTPM, without an engine
 */
void owner_forget(struct vtpm *vtpm);

/**
 * owner_ask_suspend - tell the engine that the owner is suspended, if it is
 * @vtpm: the vTPM
 */
void owner_ask_suspend(struct vtpm *vtpm);

/**
 * owner_look - look at the owner, and do what follows from that
 * @vtpm: the vTPM
 */
void owner_look(struct vtpm *vtpm);

/**
 * owner_mark_changed - the engine has set the mark, or taken it away
 * @vtpm: the vTPM
 * @marked: which
 */
void owner_mark_changed(struct vtpm *vtpm, bool marked);

/**
 * owner_appeared - a frontend of the owner has appeared
 * @vtpm: the vTPM
 *
 * Ends the owner if it is another domain with the same number.
 */
void owner_appeared(struct vtpm *vtpm);

/**
 * owners_adopt - take over what an earlier vtpmd has left
 * @daemon: the daemon, without vTPMs
 */
void owners_adopt(struct daemon *daemon);

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
 * @vtpm: the vTPM; its @end says how
 */
void process_ask_to_end(struct vtpm *vtpm);

/**
 * process_ask - send the engine a message that needs no more than its type
 * @vtpm: the vTPM
 * @type: the message
 *
 * Return: 0; a negative errno of control_send(), and it is not told.
 */
int process_ask(struct vtpm *vtpm, enum control_type type);

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
 * server_session_said - an engine has said how it stands: answers who asked for that
 * @server: the server
 * @vtpm: the vTPM
 * @with_counters: the engine was asked for the counters; if not, the session has changed
 */
void server_session_said(struct server *server, const struct vtpm *vtpm, bool with_counters);

/**
 * server_engine_ended - an engine has ended: answers who waited for it
 * @server: the server
 * @vtpm: the vTPM
 */
void server_engine_ended(struct server *server, const struct vtpm *vtpm);

/**
 * server_free - close the control socket
 * @server: the server; NULL is allowed
 */
void server_free(struct server *server);

#endif
