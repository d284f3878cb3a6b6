// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "version.h"
#include "vtpmctl.h"

struct command {
	const char *name;
	int (*run)(const char *socket, int argc, char **argv);
};

static const struct command commands[] = {
	{ "list", command_list },
	{ "show", command_show },
	{ "reset", command_reset },
	{ "store", command_store },
	{ "import", command_import },
	{ "export", command_export },
};

static const char usage[] =
	"Usage: vtpmctl [--socket PATH] COMMAND [OPTION...]\n"
	"Look at the vTPMs that vtpmd serves, reset them, and care for their stores.\n"
	"\n"
	"  list                list the vTPMs\n"
	"  show UUID           show all about one vTPM\n"
	"  reset UUID          power-cycle one vTPM\n"
	"  store COMMAND       look at stores, make, check, copy and change them\n"
	"  import UUID DIR     make a vTPM of swtpm's state\n"
	"  export UUID DIR     write a vTPM's state for swtpm\n"
	"\n"
	"  -s, --socket PATH   vtpmd's control socket (default: " DEFAULT_SOCKET ")\n"
	"  -h, --help          show this text and exit\n"
	"      --version       show the version and exit\n";

static int run(const char *socket, int argc, char **argv)
{
	for (size_t i = 0; argc && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, argv[0]))
			return commands[i].run(socket, argc, argv);
	if (argc)
		fprintf(stderr, "vtpmctl: there is no command '%s'\n", argv[0]);
	fputs(usage, stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 }
	};
	const char *socket = DEFAULT_SOCKET;
	int option;

	/* '+': what follows the command is for the command. */
	while ((option = getopt_long(argc, argv, "+s:h", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			socket = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("vtpmctl " VTPM_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	return run(socket, argc - optind, argv + optind);
}
