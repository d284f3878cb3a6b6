// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "vtpmctl.h"

int parse_arguments(const struct arguments *arguments, int argc, char **argv, bool *set)
{
	const struct option options[] = {
		{ arguments->flag, no_argument, NULL, arguments->letter },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	const char letters[] = { 'h', arguments->letter, '\0' };
	int option;

	*set = false;
	optind = 0;
	while ((option = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
		if (option == 'h') {
			fputs(arguments->usage, stdout);
			return EXIT_SUCCESS;
		}
		if (option != arguments->letter) {
			fputs(arguments->usage, stderr);
			return EXIT_USAGE;
		}
		*set = true;
	}
	if (optind + arguments->operands == argc)
		return -1;
	fputs(arguments->usage, stderr);
	return EXIT_USAGE;
}
