// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hosttpm.h"
#include "log.h"
#include "version.h"

#define DEFAULT_TCTI	"device:/dev/tpmrm0"

static const char usage[] =
	"Usage: vtpm-hosttpm [OPTION...] COMMAND\n"
	"Keep keys and generations of vTPMs with the host's own TPM 2.0. Normally run by vtpmd\n"
	"and vtpmctl.\n"
	"\n"
	"  seal FILE                  make a key, seal it into a new file, print its id\n"
	"  unseal FILE                write the key to standard output\n"
	"  generation read UUID       print the generation that is recorded for a vTPM\n"
	"  generation record UUID N   record N, if it is higher\n"
	"  generation remove UUID     forget it\n"
	"  recorder --fd N UUID       record generations for an engine\n"
	"\n"
	"  --tcti CONF      how to reach the TPM (default: " DEFAULT_TCTI ")\n"
	"  --pcrs BANK:LIST seal: bind to the present values of PCRs, such as sha256:0,7\n"
	"  --force          generation record: even if it is lower\n"
	"  --fd N           recorder: socket to the engine\n"
	"  --help           show this text and exit\n"
	"  --version        show the version and exit\n";

enum option_id {
	OPT_TCTI = 1, OPT_PCRS, OPT_FORCE, OPT_FD, OPT_HELP, OPT_VERSION,
};

static const struct option long_options[] = {
	{ "tcti", required_argument, NULL, OPT_TCTI },
	{ "pcrs", required_argument, NULL, OPT_PCRS },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "fd", required_argument, NULL, OPT_FD },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 }
};

/**
 * struct command - what the program can do
 * @name: first operand
 * @run: does it
 * @operands: how many follow the name, at least
 * @more: how many more may
 * @option: the one option that only this command has, or 0
 */
struct command {
	const char *name;
	int (*run)(const struct hosttpm_options *options, struct error *err);
	int operands;
	int more;
	enum option_id option;
};

static const struct command commands[] = {
	{ "seal", command_seal, 1, 0, OPT_PCRS },
	{ "unseal", command_unseal, 1, 0, 0 },
	{ "generation", command_generation, 2, 1, OPT_FORCE },
	{ "recorder", command_recorder, 1, 0, OPT_FD },
};

static int set_fd(struct hosttpm_options *options, const char *text, struct error *err)
{
	unsigned long value;
	char *end;

	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || value > 65535)
		return error_set(err, EINVAL, "--fd: '%s' is not a descriptor", text);
	options->fd = value;
	return 0;
}

static int parse_one(struct hosttpm_options *options, int option, struct error *err)
{
	switch (option) {
	case OPT_TCTI:
		options->tcti = optarg;
		return 0;
	case OPT_PCRS:
		options->pcrs = optarg;
		return 0;
	case OPT_FORCE:
		options->force = true;
		return 0;
	case OPT_FD:
		return set_fd(options, optarg, err);
	case OPT_HELP:
		fputs(usage, stdout);
		return 1;
	case OPT_VERSION:
		puts("vtpm-hosttpm " VTPM_VERSION);
		return 1;
	default:
		return error_set(err, EINVAL, "bad command line; --help shows the options");
	}
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* Do operands and options fit to the command? */
static int check_command(const struct hosttpm_options *options, const struct command *command,
			 int operands, struct error *err)
{
	if (!command)
		return error_set(err, EINVAL, "a command is needed; --help shows them");
	if (operands < command->operands || operands > command->operands + command->more)
		return error_set(err, EINVAL, "%s: wrong number of operands; --help shows them",
				 command->name);
	if ((options->pcrs && command->option != OPT_PCRS) ||
	    (options->force && command->option != OPT_FORCE) ||
	    (options->fd >= 0 && command->option != OPT_FD))
		return error_set(err, EINVAL, "%s: does not have this option; --help shows them",
				 command->name);
	return 0;
}

/* Return: 1, all is done; 0; a negative errno. */
static int parse(struct hosttpm_options *options, const struct command **command, int argc,
		 char **argv, struct error *err)
{
	int option, ret;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		ret = parse_one(options, option, err);
		if (ret)
			return ret;
	}
	*command = find_command(argv[optind]);
	options->operands = argv + optind + 1;
	return check_command(options, *command, argc - optind - 1, err);
}

static int confine(struct error *err)
{
	static const struct rlimit none;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
	    setrlimit(RLIMIT_CORE, &none))
		return error_set(err, errno, "cannot give up privileges: %s", strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	/* The library's own messages come beside ours; who debugs it asks for them. */
	setenv("TSS2_LOG", "all+none", 0);
	return 0;
}

int main(int argc, char **argv)
{
	struct hosttpm_options options = { .tcti = DEFAULT_TCTI, .fd = -1 };
	const struct command *command = NULL;
	struct error err = { "" };
	struct log log;
	int ret;

	log_init(&log, STDERR_FILENO, "vtpm-hosttpm");
	ret = parse(&options, &command, argc, argv, &err);
	if (ret > 0)
		return HOSTTPM_EXIT_OK;
	if (ret)
		ret = HOSTTPM_EXIT_USAGE;
	else
		ret = confine(&err);
	if (!ret)
		ret = command->run(&options, &err);
	if (err.text[0] && ret)
		log_error(&log, "%s", err.text);
	return ret < 0 ? HOSTTPM_EXIT_FAILED : ret;
}
