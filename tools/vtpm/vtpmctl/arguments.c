// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "vtpmctl.h"

#define MAX_CHOICES	16

/* Fills in what getopt_long() wants to know. */
static void describe(const struct choice *choices, struct option *options, char *letters)
{
	for (; choices->name; choices++, options++) {
		*options = (struct option){
			.name = choices->name,
			.has_arg = choices->value ? required_argument : no_argument,
			.val = choices->letter,
		};
		*letters++ = choices->letter;
		if (choices->value)
			*letters++ = ':';
	}
	*options = (struct option){ .name = "help", .has_arg = no_argument, .val = 'h' };
	*letters = 'h';
}

static bool take(const struct choice *choices, int letter)
{
	for (; choices->name; choices++) {
		if (choices->letter != letter)
			continue;
		if (choices->value)
			*choices->value = optarg;
		else
			*choices->set = true;
		return true;
	}
	return false;
}

int show_usage(const struct arguments *arguments)
{
	fputs(arguments->usage, stderr);
	return EXIT_USAGE;
}

int parse_arguments(const struct arguments *arguments, int argc, char **argv)
{
	struct option options[MAX_CHOICES + 2] = { 0 };
	char letters[2 * MAX_CHOICES + 2] = "";
	int option, operands;

	describe(arguments->choices, options, letters);
	optind = 0;
	while ((option = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
		if (option == 'h') {
			fputs(arguments->usage, stdout);
			return EXIT_SUCCESS;
		}
		if (!take(arguments->choices, option))
			return show_usage(arguments);
	}
	operands = argc - optind;
	if (operands >= arguments->min_operands && operands <= arguments->max_operands)
		return -1;
	return show_usage(arguments);
}
