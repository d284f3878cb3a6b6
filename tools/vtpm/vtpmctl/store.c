// SPDX-License-Identifier: GPL-2.0-only
/* vtpmctl store: which commands there are, and their arguments. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "vtpmctl.h"

#define MAX_OPTIONS	8

static const struct store_command *const commands[] = {
	&create_command, &info_command, &check_command, &size_command, &dump_command,
	&snapshot_command, &restore_command, &rekey_command, &take_command, &delete_command,
};

static const char usage[] =
	"Usage: vtpmctl store COMMAND [OPTION...]\n"
	"Care for the stores that hold the states of vTPMs.\n"
	"\n"
	"  create UUID           make a store and a new TPM in it\n"
	"  info UUID             show what is in it, and who has it\n"
	"  check UUID            can this host run the vTPM?\n"
	"  size                  show how large a store is\n"
	"  dump UUID             list its entries, or write one to a file\n"
	"  snapshot UUID FILE    copy it, also while an engine uses it\n"
	"  restore UUID FILE     go back to a copy\n"
	"  rekey UUID            encrypt it with another key\n"
	"  take UUID             take it from a host that is down\n"
	"  delete UUID           wipe and remove it\n"
	"\n"
	"'vtpmctl store COMMAND --help' shows more.\n";

/* Those whose letter the command has named. */
static void pick(const char *letters, const struct choice *all, struct choice *some)
{
	for (; all->name; all++)
		if (strchr(letters, all->letter))
			*some++ = *all;
	*some = (struct choice){ 0 };
}

static int carry_out(const struct store_command *command, const struct store_options *options,
		     char **operands)
{
	struct error err = { "" };
	int ret = command->run(options, operands, &err);

	if (ret < 0)
		fprintf(stderr, "vtpmctl: %s\n", err.text);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

int store_run(const struct store_command *command, int argc, char **argv)
{
	struct store_options options = { .config = CONFIG_DEFAULT_FILE };
	const struct choice all[] = {
		{ "config", 'c', NULL, &options.config },
		{ "file", 'f', NULL, &options.file },
		{ "key", 'k', NULL, &options.key },
		{ "tpm", 't', NULL, &options.tpm },
		{ "entry", 'e', NULL, &options.entry },
		{ "output", 'o', NULL, &options.output },
		{ "json", 'j', &options.json, NULL },
		{ "yes", 'y', &options.yes, NULL },
		{ 0 }
	};
	struct choice choices[MAX_OPTIONS + 1];
	bool loose = strchr(command->letters, 'f');
	const struct arguments arguments = {
		command->usage, choices, loose ? 0 : command->operands, command->operands,
	};
	int ret;

	pick(command->letters, all, choices);
	ret = parse_arguments(&arguments, argc, argv);
	if (ret >= 0)
		return ret;
	if (loose && (options.file != NULL) == (optind < argc))
		return show_usage(&arguments);
	return carry_out(command, &options, argv + optind);
}

int command_store(const char *socket, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	(void)socket;
	if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i]->name, name))
			return store_run(commands[i], argc - 1, argv + 1);
	if (*name)
		fprintf(stderr, "vtpmctl: there is no command 'store %s'\n", name);
	fputs(usage, stderr);
	return EXIT_USAGE;
}
