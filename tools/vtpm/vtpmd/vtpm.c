// SPDX-License-Identifier: GPL-2.0-only
/* The life of one vTPM. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "control.h"
#include "daemon.h"

#define START_SECONDS	60	/* an engine that is not up by then is broken */
#define STOP_SECONDS	8	/* one that has not ended by then is ended by force */
#define FAILURE_WINDOW	60	/* engines that die within so many seconds count together */
#define FAILURES_MAX	5	/* and after so many of them there is a long pause */
#define FAILED_SECONDS	60
#define LOCKED_PAUSE_MS	200
#define LOCKED_TRIES	150

static const char *const state_names[] = {
	[VTPM_OFF] = "off",
	[VTPM_STARTING] = "starting",
	[VTPM_RUNNING] = "running",
	[VTPM_STORE_WAITS] = "store-waits",
	[VTPM_STOPPING] = "stopping",
	[VTPM_PAUSED] = "restarting",
	[VTPM_REFUSED] = "refused",
	[VTPM_FAILED] = "failed",
};

const char *vtpm_state_name(enum vtpm_state state)
{
	return state_names[state];
}

static void set_timer(struct vtpm *vtpm, unsigned int ms)
{
	struct timeval time = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(vtpm->timer, &time);
}

static void timer_ended(evutil_socket_t fd, short what, void *arg)
{
	struct vtpm *vtpm = arg;

	(void)fd;
	(void)what;
	if (vtpm->state == VTPM_STARTING || vtpm->state == VTPM_STOPPING) {
		log_error(&vtpm->daemon->log, "vTPM %s: the engine hangs, it is killed",
			  vtpm->uuid_text);
		kill(vtpm->pid, SIGKILL);
		return;
	}
	if (vtpm->state == VTPM_PAUSED || vtpm->state == VTPM_FAILED) {
		vtpm->state = VTPM_OFF;
		vtpm_advance(vtpm);
	}
}

static void retry_ended(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	vtpm_advance(arg);
}

static void vtpm_free(struct vtpm *vtpm)
{
	struct frontend *frontend;

	while ((frontend = vtpm->frontends)) {
		vtpm->frontends = frontend->next;
		free(frontend);
	}
	if (vtpm->timer)
		event_free(vtpm->timer);
	if (vtpm->retry)
		event_free(vtpm->retry);
	free(vtpm);
}

static struct vtpm *vtpm_new(struct daemon *daemon, const struct uuid *uuid)
{
	struct vtpm *vtpm = calloc(1, sizeof(*vtpm));

	if (!vtpm)
		return NULL;
	vtpm->daemon = daemon;
	vtpm->uuid = *uuid;
	uuid_format(uuid, vtpm->uuid_text);
	vtpm->policy = daemon->config.policy;
	vtpm->control_fd = -1;
	vtpm->timer = evtimer_new(daemon->base, timer_ended, vtpm);
	vtpm->retry = evtimer_new(daemon->base, retry_ended, vtpm);
	if (vtpm->timer && vtpm->retry)
		return vtpm;
	vtpm_free(vtpm);
	return NULL;
}

struct vtpm *vtpm_get(struct daemon *daemon, const struct uuid *uuid)
{
	struct vtpm *vtpm;

	for (vtpm = daemon->vtpms; vtpm; vtpm = vtpm->next)
		if (uuid_equal(&vtpm->uuid, uuid))
			return vtpm;
	vtpm = vtpm_new(daemon, uuid);
	if (vtpm) {
		vtpm->next = daemon->vtpms;
		daemon->vtpms = vtpm;
	}
	return vtpm;
}

void vtpm_free_all(struct daemon *daemon)
{
	struct vtpm *vtpm;

	while ((vtpm = daemon->vtpms)) {
		daemon->vtpms = vtpm->next;
		vtpm_free(vtpm);
	}
}

static void refuse(struct vtpm *vtpm, const struct error *err)
{
	vtpm->state = VTPM_REFUSED;
	vtpm->reason = *err;
	log_error(&vtpm->daemon->log, "vTPM %s is refused: %s", vtpm->uuid_text, err->text);
}

/* Pauses grow; after too many failures there is a long one, and everybody can see it. */
static void count_failure(struct vtpm *vtpm)
{
	time_t now = time(NULL);

	if (!vtpm->failures || now - vtpm->first_failure > FAILURE_WINDOW) {
		vtpm->failures = 0;
		vtpm->first_failure = now;
	}
	vtpm->failures++;
	if (vtpm->failures >= FAILURES_MAX) {
		vtpm->state = VTPM_FAILED;
		log_error(&vtpm->daemon->log, "vTPM %s: %u engines have failed within %d s, "
			  "trying again in %d s", vtpm->uuid_text, vtpm->failures,
			  FAILURE_WINDOW, FAILED_SECONDS);
		vtpm->failures = 0;
		set_timer(vtpm, FAILED_SECONDS * 1000);
		return;
	}
	vtpm->state = VTPM_PAUSED;
	set_timer(vtpm, vtpm->failures == 1 ? 0 : 500U << vtpm->failures);
}

/* An owner that is ending and cannot be ended properly shall not keep others waiting. */
static void give_up_ending(struct vtpm *vtpm)
{
	if (!vtpm->owner.ending || vtpm->state != VTPM_REFUSED)
		return;
	log_error(&vtpm->daemon->log, "vTPM %s: what domain %u did last is not saved",
		  vtpm->uuid_text, vtpm->owner.domid);
	owner_forget(vtpm);
}

static void start(struct vtpm *vtpm)
{
	struct error err = { "" };
	int ret = config_read_policy(&vtpm->daemon->config, &vtpm->uuid, &vtpm->policy, &err);

	if (!ret)
		ret = process_start(vtpm, &err);
	if (ret == -EAGAIN)
		return;
	if (ret == -ECHILD) {
		vtpm->reason = err;
		log_error(&vtpm->daemon->log, "vTPM %s: %s", vtpm->uuid_text, err.text);
		count_failure(vtpm);
		return;
	}
	if (ret) {
		refuse(vtpm, &err);
		give_up_ending(vtpm);
		return;
	}
	vtpm->state = VTPM_STARTING;
	vtpm->reason.text[0] = '\0';
	vtpm->session_known = false;
	/* swtpm does not say when it is up; it reads its descriptor when it is. */
	if (vtpm->policy.engine == ENGINE_SWTPM)
		vtpm_is_up(vtpm);
	else
		set_timer(vtpm, START_SECONDS * 1000);
}

void vtpm_stop(struct vtpm *vtpm, enum control_end end, const char *why)
{
	static const char *const ends[] = {
		[CONTROL_POWER_OFF] = "powering off",
		[CONTROL_SUSPENDED] = "suspending it",
		[CONTROL_KEEP] = "ending the engine, not the TPM",
	};

	if (!vtpm->pid || vtpm->state == VTPM_STOPPING)
		return;
	log_info(&vtpm->daemon->log, "vTPM %s: %s, %s", vtpm->uuid_text, ends[end], why);
	vtpm->state = VTPM_STOPPING;
	vtpm->end = end;
	process_ask_to_end(vtpm);
	set_timer(vtpm, STOP_SECONDS * 1000);
}

/*
 * Tells those who have to wait why they do. While the owner is suspended that is nothing
 * unusual: it is being migrated to this very host.
 */
static void note_waiting(struct vtpm *vtpm)
{
	struct frontend *frontend;

	for (frontend = vtpm->frontends; frontend; frontend = frontend->next) {
		if (frontend->domid == vtpm->owner.domid || *frontend->reason.text ||
		    vtpm->owner.suspended)
			continue;
		error_set(&frontend->reason, EBUSY, "domain %u has this vTPM",
			  vtpm->owner.domid);
		log_warning(&vtpm->daemon->log, "vTPM %s: domain %u is refused while domain %u "
			    "has it", vtpm->uuid_text, frontend->domid, vtpm->owner.domid);
	}
}

/*
 * Decides who owns the vTPM. Returns whether the decision stands; if not, the last owner's
 * time has to end first.
 */
static bool settle_owner(struct vtpm *vtpm)
{
	uint32_t next;

	if ((vtpm->owner.known && owner_has_frontend(vtpm)) || !owner_next(vtpm, &next))
		return true;
	if (vtpm->owner.known)
		owner_look(vtpm);
	if (vtpm->owner.known)
		owner_end(vtpm, "another domain takes it");
	if (vtpm->owner.known)
		return false;
	owner_take(vtpm, next);
	return true;
}

bool vtpm_serves(const struct vtpm *vtpm)
{
	return vtpm->state == VTPM_RUNNING || vtpm->state == VTPM_STORE_WAITS;
}

/* A suspended domain's state has to get into the store, whether anybody is connected or not. */
static bool needs_engine(const struct vtpm *vtpm)
{
	const struct owner *owner = &vtpm->owner;

	if (!owner->known)
		return false;
	return owner->ending || frontend_of_owner(vtpm) ||
	       (owner->suspended && owner->settled && !vtpm->marked);
}

void vtpm_advance(struct vtpm *vtpm)
{
	if (vtpm->daemon->stopping || vtpm->state == VTPM_STOPPING)
		return;
	if (!vtpm->owner.ending && settle_owner(vtpm))
		note_waiting(vtpm);
	if (vtpm->state == VTPM_OFF && needs_engine(vtpm))
		start(vtpm);
	else if (!vtpm->owner.ending && vtpm_serves(vtpm) && frontend_of_owner(vtpm) &&
		 vtpm->policy.engine == ENGINE_NATIVE)
		frontends_accept(vtpm);
}

void vtpm_is_up(struct vtpm *vtpm)
{
	evtimer_del(vtpm->timer);
	vtpm->locked_tries = 0;
	vtpm->state = VTPM_RUNNING;
	vtpm->reason.text[0] = '\0';
	if (vtpm->owner.ending) {
		vtpm_stop(vtpm, vtpm->end, "its domain has gone");
		return;
	}
	owner_ask_suspend(vtpm);
	vtpm_advance(vtpm);
}

static void describe_exit(int status, struct error *why)
{
	if (WIFSIGNALED(status))
		error_set(why, 0, "the engine was ended by signal %d (%s)%s", WTERMSIG(status),
			  strsignal(WTERMSIG(status)),
			  WTERMSIG(status) == SIGSYS ? ", it left its sandbox" : "");
	else
		error_set(why, 0, "the engine ended with code %d", WEXITSTATUS(status));
}

/* An engine whose vtpmd is no more is still finishing, or another host has it. */
static void wait_for_lock(struct vtpm *vtpm)
{
	if (!*vtpm->reason.text)
		error_set(&vtpm->reason, EBUSY, "another engine has its state");
	if (!vtpm->locked_tries++)
		log_info(&vtpm->daemon->log, "vTPM %s: %s; waiting", vtpm->uuid_text,
			 vtpm->reason.text);
	vtpm->state = VTPM_PAUSED;
	if (vtpm->locked_tries < LOCKED_TRIES) {
		set_timer(vtpm, LOCKED_PAUSE_MS);
		return;
	}
	log_error(&vtpm->daemon->log, "vTPM %s: %s, and does not let go", vtpm->uuid_text,
		  vtpm->reason.text);
	vtpm->locked_tries = 0;
	vtpm->state = VTPM_FAILED;
	set_timer(vtpm, FAILED_SECONDS * 1000);
}

static void died(struct vtpm *vtpm, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	bool native = vtpm->policy.engine == ENGINE_NATIVE;
	struct error why = vtpm->reason;

	if (native && code == ENGINE_EXIT_LOCKED) {
		wait_for_lock(vtpm);
		return;
	}
	if (native && code == ENGINE_EXIT_REFUSED) {
		refuse(vtpm, &why);
		return;
	}
	/* swtpm ends by itself when its frontend goes; but it shall not do so in a loop. */
	if (!native && code == 0) {
		count_failure(vtpm);
		return;
	}
	if (!*why.text)
		describe_exit(status, &why);
	log_error(&vtpm->daemon->log, "vTPM %s: %s", vtpm->uuid_text, why.text);
	vtpm->reason = why;
	count_failure(vtpm);
}

/* What was told to end has: whatever it was told is done, or cannot be done any more. */
static void ended(struct vtpm *vtpm, int status)
{
	struct error why;

	vtpm->state = VTPM_OFF;
	describe_exit(status, &why);
	if (status)
		log_error(&vtpm->daemon->log, "vTPM %s: was told to end, but %s",
			  vtpm->uuid_text, why.text);
	if (!vtpm->owner.ending)
		return;
	if (status && vtpm->end == CONTROL_SUSPENDED)
		count_failure(vtpm);
	else
		owner_forget(vtpm);
}

void vtpm_exited(struct vtpm *vtpm, int status)
{
	struct frontend *frontend;

	evtimer_del(vtpm->timer);
	vtpm->pid = 0;
	vtpm->creating = false;
	vtpm->session_known = false;
	vtpm->counted = false;
	vtpm->owner.suspend_asked = false;
	for (frontend = vtpm->frontends; frontend; frontend = frontend->next)
		frontend->accepted = frontend->given_up = false;
	if (vtpm->state == VTPM_STOPPING)
		ended(vtpm, status);
	else
		died(vtpm, status);
	give_up_ending(vtpm);
	server_engine_ended(vtpm->daemon->server, vtpm);
	vtpm_advance(vtpm);
}

static bool is_forgettable(const struct vtpm *vtpm)
{
	return !vtpm->owner.known && !vtpm->frontends && !vtpm->pid;
}

/* Nothing can become of it unless something happens that vtpmd is told of. */
static bool serves_all(const struct vtpm *vtpm)
{
	const struct owner *owner = &vtpm->owner;
	const struct frontend *frontend;

	if (vtpm->state != VTPM_RUNNING || !vtpm->frontends || !owner->known || owner->ending ||
	    owner->suspended || owner->suspend_asked)
		return false;
	for (frontend = vtpm->frontends; frontend; frontend = frontend->next)
		if (!frontend->accepted || frontend->domid != owner->domid)
			return false;
	return true;
}

bool vtpm_all_serve(const struct daemon *daemon)
{
	const struct vtpm *vtpm;

	for (vtpm = daemon->vtpms; vtpm; vtpm = vtpm->next)
		if (!serves_all(vtpm))
			return false;
	return true;
}

void vtpm_check_owners(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;
	struct vtpm **place = &daemon->vtpms, *vtpm;

	(void)fd;
	(void)what;
	while ((vtpm = *place)) {
		owner_look(vtpm);
		vtpm_advance(vtpm);
		if (is_forgettable(vtpm)) {
			*place = vtpm->next;
			vtpm_free(vtpm);
		} else {
			place = &vtpm->next;
		}
	}
}
