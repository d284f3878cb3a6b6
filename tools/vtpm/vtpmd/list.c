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

/* What an engine says is shown whatever it is made of: JSON takes nothing but UTF-8. */
static json_t *text_of(const struct error *reason)
{
	json_t *text = json_string(reason->text);
	struct error ascii = *reason;

	for (char *p = ascii.text; !text && *p; p++)
		if (*p & 0x80)
			*p = '?';
	return text ? text : json_string(ascii.text);
}

static void add_reason(json_t *object, const struct error *reason)
{
	if (*reason->text)
		json_object_set_new(object, "reason", text_of(reason));
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

/* The TPM runs, but not for this guest: that is what has to be seen first. */
static void add_state(json_t *object, const struct vtpm *vtpm)
{
	bool apart = vtpm->state == VTPM_RUNNING && vtpm->session_known &&
		     vtpm->session == CONTROL_SESSION_APART;

	json_object_set_new(object, "state", json_string(apart ? "apart" :
							 vtpm_state_name(vtpm->state)));
	add_reason(object, apart ? &vtpm->session_reason : &vtpm->reason);
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
	add_state(object, vtpm);
	if (vtpm->pid)
		json_object_set_new(object, "pid", json_integer(vtpm->pid));
	if (vtpm->owner.known)
		json_object_set_new(object, "domid", json_integer(vtpm->owner.domid));
	for (frontend = vtpm->frontends; frontend; frontend = frontend->next)
		json_array_append_new(connections, describe_frontend(vtpm->daemon, frontend));
	json_object_set_new(object, "connections", connections);
	return object;
}

static json_t *describe_features(uint32_t features)
{
	json_t *names = json_array();

	if (features & VTPM_FEATURE_EXACTLY_ONCE)
		json_array_append_new(names, json_string("exactly-once"));
	if (features & VTPM_FEATURE_EXTRA_PAGES)
		json_array_append_new(names, json_string("extra-pages"));
	return names;
}

static json_t *describe_policy(const struct policy *policy)
{
	static const char *const keys[] = {
		[KEY_NONE] = "none", [KEY_FILE] = "file", [KEY_TPM] = "tpm",
	};
	json_t *localities = json_array();

	for (int i = 0; i < 5; i++)
		if (policy->localities & 1U << i)
			json_array_append_new(localities, json_integer(i));
	return json_pack("{s:b, s:o, s:b, s:s, s:s}", "create", policy->create, "localities",
			 localities, "exactly-once", policy->exactly_once, "key",
			 keys[policy->key_kind], "freshness",
			 policy->freshness == FRESHNESS_TPM ? "tpm" : "none");
}

static void add_session(json_t *object, const struct vtpm *vtpm)
{
	static const char *const names[] = {
		[CONTROL_SESSION_RUNNING] = "running",
		[CONTROL_SESSION_AWAITED] = "awaited",
		[CONTROL_SESSION_APART] = "apart",
	};
	bool sane = vtpm->session <= CONTROL_SESSION_APART;

	json_object_set_new(object, "session",
			    json_string(sane ? names[vtpm->session] : "unknown"));
	if (*vtpm->session_reason.text)
		json_object_set_new(object, "session-reason",
				    text_of(&vtpm->session_reason));
	json_object_set_new(object, "features", describe_features(vtpm->features));
	json_object_set_new(object, "sequence", json_integer(vtpm->sequence));
	json_object_set_new(object, "generation", json_integer(vtpm->counters.generation));
	json_object_set_new(object, "commits", json_integer(vtpm->counters.commits));
	json_object_set_new(object, "commands", json_integer(vtpm->counters.commands));
}

json_t *list_show(const struct vtpm *vtpm)
{
	json_t *object = describe_vtpm(vtpm);

	json_object_set_new(object, "policy", describe_policy(&vtpm->policy));
	json_object_set_new(object, "domain-suspended", json_boolean(vtpm->owner.suspended));
	json_object_set_new(object, "marked-suspended", json_boolean(vtpm->marked));
	if (vtpm->session_known)
		add_session(object, vtpm);
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
