// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which domain a vTPM belongs to, and what becomes of the TPM when it goes: the part
 * "Power-off: whose word counts" of Documentation/exactly-once.md.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemon.h"
#include "domain.h"
#include "rundir.h"

static void make_token(char token[DOMAIN_TOKEN_SIZE])
{
	uint8_t bytes[(DOMAIN_TOKEN_SIZE - 1) / 2];

	/* The kernel's generator is up long before a guest is. */
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		memset(bytes, 0, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(token + 2 * i, "%02x", bytes[i]);
}

static bool is_native(const struct vtpm *vtpm)
{
	return vtpm->policy.engine == ENGINE_NATIVE;
}

bool owner_has_frontend(const struct vtpm *vtpm)
{
	const struct frontend *frontend;

	for (frontend = vtpm->frontends; frontend; frontend = frontend->next)
		if (frontend->domid == vtpm->owner.domid)
			return true;
	return false;
}

/* The kernel may be slower to say that a domain has gone than the hypervisor. */
bool owner_next(const struct vtpm *vtpm, uint32_t *domid)
{
	const struct frontend *frontend;
	struct domain_info info;

	for (frontend = vtpm->frontends; frontend; frontend = frontend->next) {
		domain_look(vtpm->daemon->domains, frontend->domid, &info);
		if (info.known && (!info.exists || info.dying))
			continue;
		*domid = frontend->domid;
		return true;
	}
	return false;
}

void owner_take(struct vtpm *vtpm, uint32_t domid)
{
	struct frontend *frontend;

	rundir_remove_owner(&vtpm->daemon->config, vtpm->uuid_text);
	memset(&vtpm->owner, 0, sizeof(vtpm->owner));
	vtpm->owner.known = true;
	vtpm->owner.domid = domid;
	make_token(vtpm->owner.token);
	for (frontend = vtpm->frontends; frontend; frontend = frontend->next)
		if (frontend->domid == domid)
			frontend->reason.text[0] = '\0';
}

static void write_token(struct vtpm *vtpm)
{
	struct owner *owner = &vtpm->owner;
	int ret = domain_write_token(vtpm->daemon->domains, owner->domid, vtpm->uuid_text,
				     owner->token);

	owner->marked = !ret;
	if (ret)
		log_warning(&vtpm->daemon->log, "vTPM %s: cannot mark domain %u in the xenstore "
			    "(%s): if vtpmd is restarted, the TPM is power-cycled",
			    vtpm->uuid_text, owner->domid, strerror(-ret));
}

static void write_owner(struct vtpm *vtpm)
{
	struct owner *owner = &vtpm->owner;
	struct error err;

	if (rundir_write_owner(&vtpm->daemon->config, vtpm->uuid_text, owner->domid,
			       owner->token, owner->suspended, &err))
		log_error(&vtpm->daemon->log, "vTPM %s: %s. If vtpmd is restarted, the TPM is "
			  "power-cycled", vtpm->uuid_text, err.text);
}

/* The xenstore first: a file that nobody's token matches is no evidence. */
void owner_settle(struct vtpm *vtpm)
{
	struct owner *owner = &vtpm->owner;

	if (!owner->known || owner->settled || owner->ending)
		return;
	owner->settled = true;
	write_token(vtpm);
	write_owner(vtpm);
}

void owner_forget(struct vtpm *vtpm)
{
	rundir_remove(&vtpm->daemon->config, vtpm->uuid_text);
	if (vtpm->end == CONTROL_POWER_OFF)
		vtpm->marked = false;
	memset(&vtpm->owner, 0, sizeof(vtpm->owner));
}

/* Nothing that a guest did is in a session that is not settled; the store says what holds. */
static enum control_end end_of(const struct vtpm *vtpm)
{
	if (!is_native(vtpm))
		return CONTROL_POWER_OFF;
	if (!vtpm->owner.settled)
		return CONTROL_KEEP;
	return vtpm->owner.suspended ? CONTROL_SUSPENDED : CONTROL_POWER_OFF;
}

/*
 * Without an engine there is nothing to do for a power-off: what has no mark in the store is
 * power-cycled for the next domain. To be suspended, it has to get that mark.
 */
void owner_end(struct vtpm *vtpm, const char *why)
{
	enum control_end end = end_of(vtpm);

	if (vtpm->owner.ending)
		return;
	vtpm->owner.ending = true;
	vtpm->end = end;
	if (vtpm->pid)
		vtpm_stop(vtpm, end, why);
	else if (end != CONTROL_SUSPENDED)
		owner_forget(vtpm);
}

void owner_ask_suspend(struct vtpm *vtpm)
{
	struct owner *owner = &vtpm->owner;

	if (!owner->suspended || !owner->settled || owner->ending || owner->suspend_asked ||
	    !is_native(vtpm) || !vtpm_serves(vtpm))
		return;
	owner->suspend_asked = true;
	process_ask(vtpm, CONTROL_SUSPEND);
}

static void note_suspended(struct vtpm *vtpm, bool suspended)
{
	struct owner *owner = &vtpm->owner;

	if (!suspended)
		owner->suspend_asked = false;
	if (suspended == owner->suspended)
		return;
	log_info(&vtpm->daemon->log, "vTPM %s: domain %u %s", vtpm->uuid_text,
		 owner->domid, suspended ? "is suspended" : "runs again");
	owner->suspended = suspended;
	/* Whatever dies before the state has its mark: the next vtpmd knows that it is owed. */
	if (owner->settled)
		write_owner(vtpm);
}

/*
 * A dying domain's flags are its last word, newer than what was seen before; of one that
 * has gone there is only that. Its frontends may still need the engine while it dies.
 */
void owner_look(struct vtpm *vtpm)
{
	struct owner *owner = &vtpm->owner;
	struct domain_info info;

	if (!owner->known || owner->ending)
		return;
	domain_look(vtpm->daemon->domains, owner->domid, &info);
	if (!info.known)
		return;
	if (info.exists)
		note_suspended(vtpm, info.suspended);
	owner->soft_reset |= info.exists && info.soft_reset;
	if (!info.exists || (info.dying && !owner_has_frontend(vtpm)))
		owner_end(vtpm, "its domain has gone");
	else
		owner_ask_suspend(vtpm);
}

void owner_mark_changed(struct vtpm *vtpm, bool marked)
{
	vtpm->marked = marked;
	if (marked)
		return;
	vtpm->owner.suspend_asked = false;
	owner_look(vtpm);
}

/* Returns -ENOENT if it certainly has another one, or none. */
static int check_token(const struct vtpm *vtpm)
{
	char token[DOMAIN_TOKEN_SIZE];
	int ret = domain_read_token(vtpm->daemon->domains, vtpm->owner.domid, vtpm->uuid_text,
				    token);

	if (ret)
		return ret;
	return strcmp(token, vtpm->owner.token) ? -ENOENT : 0;
}

/* A soft reset, as kexec does it in an HVM guest, takes the token away. */
void owner_appeared(struct vtpm *vtpm)
{
	struct owner *owner = &vtpm->owner;

	if (!owner->known || !owner->settled || !owner->marked || owner->ending ||
	    check_token(vtpm) != -ENOENT)
		return;
	if (owner->soft_reset) {
		owner->soft_reset = false;
		write_token(vtpm);
		return;
	}
	owner_end(vtpm, "another domain has its domain's number now");
}

static void adopt(void *arg, const struct uuid *uuid, uint32_t domid, const char *token,
		  bool suspended)
{
	struct daemon *daemon = arg;
	struct vtpm *vtpm = vtpm_get(daemon, uuid);
	struct domain_info info;

	if (!vtpm)
		return;
	vtpm->owner.known = true;
	vtpm->owner.domid = domid;
	strcpy(vtpm->owner.token, token);
	domain_look(daemon->domains, domid, &info);
	if (suspended && info.known && !info.exists) {
		vtpm->owner.settled = vtpm->owner.suspended = true;
		owner_end(vtpm, "its domain has gone");
		return;
	}
	if ((info.known && !info.exists) || check_token(vtpm)) {
		log_info(&daemon->log, "vTPM %s: domain %u, which had it, ended while vtpmd did "
			 "not run", vtpm->uuid_text, domid);
		owner_forget(vtpm);
		return;
	}
	vtpm->owner.settled = vtpm->owner.marked = true;
	log_info(&daemon->log, "vTPM %s: domain %u still has it", vtpm->uuid_text, domid);
}

void owners_adopt(struct daemon *daemon)
{
	rundir_for_each_owner(&daemon->config, adopt, daemon);
}
