// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vtpmctl.h"

static const char usage[] =
	"Usage: vtpmctl show UUID [--json]\n"
	"Show all that is known about one vTPM.\n"
	"\n"
	"  -j, --json    write what vtpmd says, in JSON\n"
	"  -h, --help    show this text and exit\n";

static void print_text(const char *name, const json_t *object, const char *key)
{
	if (json_object_get(object, key))
		printf("%-18s%s\n", name, format_text(object, key));
}

static void print_number(const char *name, const json_t *object, const char *key)
{
	char buffer[24];

	if (json_object_get(object, key))
		printf("%-18s%s\n", name, format_number(object, key, buffer, sizeof(buffer)));
}

static void print_flag(const char *name, const json_t *object, const char *key)
{
	if (json_object_get(object, key))
		printf("%-18s%s\n", name,
		       json_is_true(json_object_get(object, key)) ? "yes" : "no");
}

static void print_features(const json_t *vtpm)
{
	const json_t *features = json_object_get(vtpm, "features"), *feature;
	size_t i;

	if (!features)
		return;
	printf("%-18s", "Features");
	json_array_foreach(features, i, feature)
		printf("%s%s", i ? ", " : "", json_string_value(feature));
	puts(json_array_size(features) ? "" : "none");
}

static void print_policy(const json_t *policy)
{
	const json_t *localities = json_object_get(policy, "localities"), *locality;
	size_t i;

	printf("%-18screate=%s, exactly-once=%s, key=%s, freshness=%s, localities=", "Policy",
	       json_is_true(json_object_get(policy, "create")) ? "yes" : "no",
	       json_is_true(json_object_get(policy, "exactly-once")) ? "yes" : "no",
	       format_text(policy, "key"), format_text(policy, "freshness"));
	json_array_foreach(localities, i, locality)
		printf("%s%d", i ? "," : "", (int)json_integer_value(locality));
	putchar('\n');
}

static void print_session(const json_t *vtpm)
{
	print_text("Session", vtpm, "session");
	print_text("", vtpm, "session-reason");
	print_features(vtpm);
	print_number("Last command", vtpm, "sequence");
	print_number("Store generation", vtpm, "generation");
	print_flag("Domain suspended", vtpm, "domain-suspended");
	print_flag("State suspended", vtpm, "marked-suspended");
	print_number("Commands", vtpm, "commands");
	print_number("Commits", vtpm, "commits");
}

static void print_connection(const json_t *connection)
{
	static const char *const counters[] = {
		"capacity", "commands", "responses", "refused", "failed", "cancelled",
	};
	char id[24], domid[24], value[24];

	printf("Connection %s, domain %s: %s\n",
	       format_number(connection, "id", id, sizeof(id)),
	       format_number(connection, "domid", domid, sizeof(domid)),
	       format_text(connection, "state"));
	print_text("    Reason", connection, "reason");
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (json_object_get(connection, counters[i]))
			printf("    %-14s%s\n", counters[i],
			       format_number(connection, counters[i], value, sizeof(value)));
}

static int print_vtpm(const json_t *vtpm)
{
	const json_t *connection;
	size_t i;

	print_text("UUID", vtpm, "uuid");
	print_text("TPM", vtpm, "tpm");
	print_text("Engine", vtpm, "engine");
	print_number("Process", vtpm, "pid");
	print_text("State", vtpm, "state");
	print_text("", vtpm, "reason");
	print_number("Domain", vtpm, "domid");
	print_policy(json_object_get(vtpm, "policy"));
	print_session(vtpm);
	json_array_foreach(json_object_get(vtpm, "connections"), i, connection)
		print_connection(connection);
	return EXIT_SUCCESS;
}

int command_show(const char *socket, int argc, char **argv)
{
	bool json = false;
	const struct choice choices[] = { { "json", 'j', &json, NULL }, { 0 } };
	const struct arguments arguments = { usage, choices, 1, 1 };
	int ret = parse_arguments(&arguments, argc, argv);
	json_t *response;

	if (ret >= 0)
		return ret;
	response = client_request(socket, json_pack("{s:s, s:s}", "command", "show",
						    "uuid", argv[optind]));
	if (!response)
		return EXIT_FAILURE;
	ret = json ? print_json(response) : print_vtpm(response);
	json_decref(response);
	return ret;
}
