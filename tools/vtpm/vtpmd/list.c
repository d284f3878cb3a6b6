// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "backend.h"
#include "list.h"

static const char *frontend_state(const struct frontend *frontend, const struct vtpm_info *info)
{
	if (*frontend->reason.text)
		return "refused";
	if (!frontend->accepted || !info)
		return "waiting";
	switch (info->state) {
	case VTPM_CONNECTION_CONNECTED:
		return "connected";
	case VTPM_CONNECTION_PARKED:
		return "parked";
	default:
		return "accepted";
	}
}

static void add_reason(json_t *object, const struct error *reason)
{
	if (*reason->text)
		json_object_set_new(object, "reason", json_string(reason->text));
}

static void add_info(json_t *object, const struct vtpm_info *info)
{
	json_object_set_new(object, "capacity", json_integer(info->capacity));
	json_object_set_new(object, "commands", json_integer(info->commands));
	json_object_set_new(object, "responses", json_integer(info->responses));
	json_object_set_new(object, "refused", json_integer(info->refused));
	json_object_set_new(object, "failed", json_integer(info->failed));
	json_object_set_new(object, "cancelled", json_integer(info->cancelled));
}

static json_t *describe_frontend(const struct daemon *daemon, const struct frontend *frontend)
{
	struct vtpm_info info = { .id = frontend->id - 1 };
	bool known = !backend_next(daemon->backend, &info) && info.id == frontend->id;
	json_t *object = json_object();

	json_object_set_new(object, "id", json_integer(frontend->id));
	json_object_set_new(object, "domid", json_integer(frontend->domid));
	json_object_set_new(object, "handle", json_integer(frontend->handle));
	json_object_set_new(object, "state",
			    json_string(frontend_state(frontend, known ? &info : NULL)));
	add_reason(object, &frontend->reason);
	if (known)
		add_info(object, &info);
	return object;
}

static json_t *describe_vtpm(const struct vtpm *vtpm)
{
	const struct frontend *frontend;
	json_t *object = json_object();
	json_t *connections = json_array();

	json_object_set_new(object, "uuid", json_string(vtpm->uuid_text));
	json_object_set_new(object, "tpm", json_string(vtpm->policy.tpm12 ? "1.2" : "2.0"));
	json_object_set_new(object, "engine", json_string(
		vtpm->policy.engine == ENGINE_SWTPM ? "swtpm" : "vtpm-engine"));
	json_object_set_new(object, "state", json_string(vtpm_state_name(vtpm->state)));
	add_reason(object, &vtpm->reason);
	if (vtpm->pid)
		json_object_set_new(object, "pid", json_integer(vtpm->pid));
	if (vtpm->has_owner)
		json_object_set_new(object, "domid", json_integer(vtpm->owner));
	for (frontend = vtpm->frontends; frontend; frontend = frontend->next)
		json_array_append_new(connections, describe_frontend(vtpm->daemon, frontend));
	json_object_set_new(object, "connections", connections);
	return object;
}

json_t *list_vtpms(const struct daemon *daemon)
{
	json_t *vtpms = json_array();
	const struct vtpm *vtpm;

	for (vtpm = daemon->vtpms; vtpm; vtpm = vtpm->next)
		json_array_append_new(vtpms, describe_vtpm(vtpm));
	return vtpms;
}
