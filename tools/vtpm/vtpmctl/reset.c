// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "vtpmctl.h"

static const char usage[] =
	"Usage: vtpmctl reset UUID [--yes]\n"
	"Power-cycle a vTPM under its guest, and start it up again. The guest's PCRs, TPM\n"
	"sessions and loaded keys are lost; stored keys and NV memory stay. A guest that is\n"
	"apart from its TPM goes on with it.\n"
	"\n"
	"  -y, --yes     do not ask\n"
	"  -h, --help    show this text and exit\n";

int command_reset(const char *socket, int argc, char **argv)
{
	bool yes = false;
	const struct choice choices[] = { { "yes", 'y', &yes, NULL }, { 0 } };
	const struct arguments arguments = { usage, choices, 1, 1 };
	int ret = parse_arguments(&arguments, argc, argv);
	json_t *response;

	if (ret >= 0)
		return ret;
	if (!yes && !confirm("Reset vTPM %s? Its guest loses its PCRs, TPM sessions and loaded "
			     "keys.", argv[optind]))
		return EXIT_FAILURE;
	response = client_request(socket, json_pack("{s:s, s:s}", "command", "reset",
						    "uuid", argv[optind]));
	if (!response)
		return EXIT_FAILURE;
	printf("vTPM %s was power-cycled\n", format_text(response, "reset"));
	json_decref(response);
	return EXIT_SUCCESS;
}
