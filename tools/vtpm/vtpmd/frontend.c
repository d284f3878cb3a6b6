// SPDX-License-Identifier: GPL-2.0-only
/* Frontends: the kernel's events, and accepting. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "daemon.h"

/* The last holder of a connection gets this long to let it go. */
#define BUSY_PAUSE_MS	100
#define BUSY_TRIES	300

struct frontend *frontend_of_owner(const struct vtpm *vtpm)
{
	struct frontend *frontend = vtpm->frontends;

	while (frontend && (frontend->domid != vtpm->owner.domid || frontend->given_up))
		frontend = frontend->next;
	return vtpm->owner.known ? frontend : NULL;
}

static void give_up(struct vtpm *vtpm, struct frontend *frontend, int code)
{
	frontend->given_up = true;
	error_set(&frontend->reason, code, "cannot accept connection %" PRIu64 " of domain %u: %s",
		  frontend->id, frontend->domid,
		  code == EBUSY ? "another process still serves it" : strerror(code));
	log_error(&vtpm->daemon->log, "vTPM %s: %s", vtpm->uuid_text, frontend->reason.text);
}

static void try_later(struct vtpm *vtpm)
{
	struct timeval pause = { 0, BUSY_PAUSE_MS * 1000 };

	evtimer_add(vtpm->retry, &pause);
}

int frontend_accept(struct vtpm *vtpm, struct frontend *frontend)
{
	struct vtpm_accept accept = {
		.id = frontend->id,
		.mode = vtpm->policy.engine == ENGINE_SWTPM ? VTPM_MODE_RAW : VTPM_MODE_NATIVE,
		.features = vtpm->features,
		.localities = vtpm->policy.localities,
	};
	int fd = backend_accept(vtpm->daemon->backend, &accept);

	if (fd >= 0) {
		frontend->busy_tries = 0;
		frontend->accepted = true;
		frontend->reason.text[0] = '\0';
		return fd;
	}
	/* ENOENT: it has gone, the event that says so is on its way. */
	if (fd == -EBUSY && ++frontend->busy_tries < BUSY_TRIES)
		try_later(vtpm);
	else if (fd != -ENOENT)
		give_up(vtpm, frontend, -fd);
	return fd;
}

void frontends_accept(struct vtpm *vtpm)
{
	struct frontend *frontend;
	int fd;

	for (frontend = vtpm->frontends; frontend; frontend = frontend->next) {
		if (frontend->domid != vtpm->owner.domid || frontend->accepted || frontend->given_up)
			continue;
		fd = frontend_accept(vtpm, frontend);
		if (fd < 0)
			continue;
		log_info(&vtpm->daemon->log, "vTPM %s: serving connection %" PRIu64
			 " of domain %u", vtpm->uuid_text, frontend->id, frontend->domid);
		process_add_frontend(vtpm, frontend, fd);
	}
}

static void handle_added(struct daemon *daemon, const struct vtpm_event *event)
{
	struct frontend *frontend = calloc(1, sizeof(*frontend));
	struct frontend **place;
	struct uuid uuid;
	struct vtpm *vtpm;

	memcpy(uuid.b, event->uuid, UUID_SIZE);
	vtpm = vtpm_get(daemon, &uuid);
	if (!vtpm || !frontend) {
		log_error(&daemon->log, "out of memory, connection %" PRIu64 " is not served",
			  (uint64_t)event->id);
		free(frontend);
		return;
	}
	frontend->id = event->id;
	frontend->domid = event->domid;
	frontend->handle = event->handle;
	for (place = &vtpm->frontends; *place; place = &(*place)->next) {
		/* To the end: the kernel numbers upwards. */
	}
	*place = frontend;
	log_debug(&daemon->log, "vTPM %s: connection %" PRIu64 " of domain %u added",
		  vtpm->uuid_text, frontend->id, frontend->domid);
	/* Somebody may have mended what was wrong. */
	if (vtpm->state == VTPM_REFUSED || vtpm->state == VTPM_FAILED)
		vtpm->state = VTPM_OFF;
	if (vtpm->owner.known && event->domid == vtpm->owner.domid)
		owner_appeared(vtpm);
}

static struct vtpm *find_frontend(struct daemon *daemon, uint64_t id, struct frontend ***place)
{
	struct vtpm *vtpm;

	for (vtpm = daemon->vtpms; vtpm; vtpm = vtpm->next)
		for (*place = &vtpm->frontends; **place; *place = &(**place)->next)
			if ((**place)->id == id)
				return vtpm;
	return NULL;
}

static void handle_gone(struct daemon *daemon, const struct vtpm_event *event)
{
	struct frontend **place, *frontend;
	struct vtpm *vtpm = find_frontend(daemon, event->id, &place);

	if (!vtpm)
		return;
	frontend = *place;
	*place = frontend->next;
	log_info(&daemon->log, "vTPM %s: connection %" PRIu64 " of domain %u has gone",
		 vtpm->uuid_text, frontend->id, frontend->domid);
	free(frontend);
}

static void handle_ready(struct daemon *daemon, const struct vtpm_event *event)
{
	struct frontend **place;
	struct vtpm *vtpm = find_frontend(daemon, event->id, &place);

	if (vtpm)
		log_info(&daemon->log, "vTPM %s: connection %" PRIu64 " of domain %u is connected, "
			 "%u bytes%s", vtpm->uuid_text, (*place)->id, (*place)->domid,
			 event->capacity,
			 event->features & VTPM_FEATURE_EXACTLY_ONCE ? ", exactly once" : "");
}

static void handle(struct daemon *daemon, const struct vtpm_event *event)
{
	switch (event->type) {
	case VTPM_EVENT_ADDED:
		handle_added(daemon, event);
		break;
	case VTPM_EVENT_READY:
		handle_ready(daemon, event);
		break;
	case VTPM_EVENT_GONE:
		handle_gone(daemon, event);
		break;
	default:
		log_warning(&daemon->log, "the kernel sent an event of unknown type %u",
			    event->type);
	}
}

/*
 * All events first, then what follows from them: a connection that goes and comes back
 * at once must not look like one that went. The owners are looked at because a domain that
 * goes loses its frontends first, while its word still can be had.
 */
void frontends_read(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;
	struct vtpm_event event;
	int ret;

	while ((ret = backend_read_event(fd, &event)) == 1)
		handle(daemon, &event);
	if (ret < 0) {
		log_error(&daemon->log, "%s: cannot read events: %s", daemon->config.device,
			  strerror(-ret));
		event_base_loopbreak(daemon->base);
		return;
	}
	vtpm_check_owners(fd, what, daemon);
}
