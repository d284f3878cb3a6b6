// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vtpmctl.h"

static const char usage[] =
	"Usage: vtpmctl list [--json]\n"
	"List the vTPMs that have a domain, one line for each of their connections.\n"
	"\n"
	"  -j, --json    write what vtpmd says, in JSON\n"
	"  -h, --help    show this text and exit\n";

static void print_head(void)
{
	printf("%-36s %-3s %-11s %5s %6s %7s %9s %9s %8s %7s %9s\n", "UUID", "TPM", "STATE",
	       "DOMID", "HANDLE", "ENGINE", "COMMANDS", "RESPONSES", "REFUSED", "FAILED",
	       "CANCELLED");
}

/* A connection has its own state where it is not served by a vTPM that runs. */
static const char *shown_state(const json_t *vtpm, const json_t *connection)
{
	const char *state = format_text(connection, "state");

	if (!strcmp(state, "refused") || !strcmp(state, "parked"))
		return state;
	return format_text(vtpm, "state");
}

static void print_line(const json_t *vtpm, const json_t *connection)
{
	static const char *const counters[] = {
		"commands", "responses", "refused", "failed", "cancelled",
	};
	static const int widths[] = { 9, 9, 8, 7, 9 };
	char buffer[24];

	printf("%-36s %-3s %-11s", format_text(vtpm, "uuid"), format_text(vtpm, "tpm"),
	       shown_state(vtpm, connection));
	printf(" %5s", format_number(connection ? connection : vtpm, "domid", buffer, sizeof(buffer)));
	printf(" %6s", format_number(connection, "handle", buffer, sizeof(buffer)));
	printf(" %7s", format_number(vtpm, "pid", buffer, sizeof(buffer)));
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		printf(" %*s", widths[i],
		       format_number(connection, counters[i], buffer, sizeof(buffer)));
	putchar('\n');
}

static void print_reason(const json_t *object)
{
	if (json_object_get(object, "reason"))
		printf("    %s\n", format_text(object, "reason"));
}

static void print_vtpm(const json_t *vtpm)
{
	const json_t *connections = json_object_get(vtpm, "connections");
	const json_t *connection;
	size_t i;

	if (!json_array_size(connections))
		print_line(vtpm, NULL);
	json_array_foreach(connections, i, connection) {
		print_line(vtpm, connection);
		print_reason(connection);
	}
	print_reason(vtpm);
}

static int print_table(const json_t *response)
{
	const json_t *vtpm;
	size_t i;

	print_head();
	json_array_foreach(json_object_get(response, "vtpms"), i, vtpm)
		print_vtpm(vtpm);
	return EXIT_SUCCESS;
}

int command_list(const char *socket, int argc, char **argv)
{
	bool json = false;
	const struct choice choices[] = { { "json", 'j', &json, NULL }, { 0 } };
	const struct arguments arguments = { usage, choices, 0, 0 };
	int ret = parse_arguments(&arguments, argc, argv);
	json_t *response;

	if (ret >= 0)
		return ret;
	response = client_request(socket, json_pack("{s:s}", "command", "list"));
	if (!response)
		return EXIT_FAILURE;
	ret = json ? print_json(response) : print_table(response);
	json_decref(response);
	return ret;
}
