// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libtpms/tpm_library.h>

#include <xen/vtpm.h>

#include "options.h"
#include "version.h"

/* The two come together. */
#define ENGINE_FEATURES	(VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES)

static const char usage[] =
	"Usage: vtpm-engine --store-fd N --uuid UUID --tpm 2.0|1.2 [OPTION...]\n"
	"Run one virtual TPM. Normally started by vtpmd.\n"
	"\n"
	"  --store-fd N      the TPM's state, open for reading and writing\n"
	"  --store-name PATH its name, for messages\n"
	"  --key-fd N        its key, 32 bytes; without one it is not encrypted\n"
	"  --freshness-fd N  socket to who records the store's generation\n"
	"  --control-fd N    socket to vtpmd\n"
	"  --log-fd N        where to log (default: 2)\n"
	"  --uuid UUID       name of the vTPM\n"
	"  --tpm VERSION     2.0 or 1.2\n"
	"  --memory-fd N     state memory, a file that outlives the engine\n"
	"  --domain same|new the domain that it is started for (default: new)\n"
	"  --features N      features of a new session, 0 or 3 (default: 0)\n"
	"  --create          make a new TPM; the store must be empty\n"
	"  --conn-fd N       serve this connection; may be repeated\n"
	"  --buffer-size N   largest command and response of a session without features\n"
	"                    (default: 4088)\n"
	"  --no-sandbox      allow all system calls\n"
	"  --help            show this text and exit\n"
	"  --version         show the version and exit\n";

enum option_id {
	OPT_STORE = 1, OPT_STORE_NAME, OPT_KEY, OPT_FRESHNESS, OPT_CONTROL, OPT_LOG, OPT_UUID, OPT_TPM, OPT_CREATE,
	OPT_CONN, OPT_BUFFER, OPT_MEMORY, OPT_DOMAIN, OPT_FEATURES, OPT_NO_SANDBOX, OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "store-fd", required_argument, NULL, OPT_STORE },
	{ "store-name", required_argument, NULL, OPT_STORE_NAME },
	{ "key-fd", required_argument, NULL, OPT_KEY },
	{ "freshness-fd", required_argument, NULL, OPT_FRESHNESS },
	{ "control-fd", required_argument, NULL, OPT_CONTROL },
	{ "log-fd", required_argument, NULL, OPT_LOG },
	{ "uuid", required_argument, NULL, OPT_UUID },
	{ "tpm", required_argument, NULL, OPT_TPM },
	{ "create", no_argument, NULL, OPT_CREATE },
	{ "conn-fd", required_argument, NULL, OPT_CONN },
	{ "buffer-size", required_argument, NULL, OPT_BUFFER },
	{ "memory-fd", required_argument, NULL, OPT_MEMORY },
	{ "domain", required_argument, NULL, OPT_DOMAIN },
	{ "features", required_argument, NULL, OPT_FEATURES },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 }
};

static int parse_number(const char *text, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	return errno || *end || end == text || *text == '-' || *value > max ? -EINVAL : 0;
}

static int set_fd(int *fd, const char *name, const char *text, struct error *err)
{
	unsigned long value;

	if (parse_number(text, 65535, &value))
		return error_set(err, EINVAL, "%s: '%s' is not a descriptor", name, text);
	*fd = value;
	return 0;
}

static int set_tpm(struct engine_options *options, const char *text, struct error *err)
{
	if (!strcmp(text, "2.0"))
		options->tpm = VNVRAM_TPM_20;
	else if (!strcmp(text, "1.2"))
		options->tpm = VNVRAM_TPM_12;
	else
		return error_set(err, EINVAL, "--tpm: '%s' is neither 2.0 nor 1.2", text);
	return 0;
}

static int add_connection(struct engine_options *options, const char *text, struct error *err)
{
	if (options->conn_count == ENGINE_MAX_CONNECTIONS)
		return error_set(err, EINVAL, "--conn-fd: at most %d connections are served",
				 ENGINE_MAX_CONNECTIONS);
	return set_fd(&options->conn_fds[options->conn_count++], "--conn-fd", text, err);
}

static int set_buffer(struct engine_options *options, const char *text, struct error *err)
{
	unsigned long value;

	if (parse_number(text, 4096, &value))
		return error_set(err, EINVAL, "--buffer-size: '%s' is not a size up to 4096",
				 text);
	options->buffer_size = value;
	return 0;
}

static int set_domain(struct engine_options *options, const char *text, struct error *err)
{
	if (!strcmp(text, "same"))
		options->domain = ENGINE_DOMAIN_SAME;
	else if (!strcmp(text, "new"))
		options->domain = ENGINE_DOMAIN_NEW;
	else
		return error_set(err, EINVAL, "--domain: '%s' is neither same nor new", text);
	return 0;
}

static int set_features(struct engine_options *options, const char *text, struct error *err)
{
	unsigned long value;

	if (parse_number(text, ENGINE_FEATURES, &value) || (value && value != ENGINE_FEATURES))
		return error_set(err, EINVAL, "--features: '%s' is neither 0 nor %u", text,
				 ENGINE_FEATURES);
	options->features = value;
	return 0;
}

static void print_version(void)
{
	uint32_t v = TPMLIB_GetVersion();

	printf("vtpm-engine %s (libtpms %u.%u.%u)\n", VTPM_VERSION, v >> 16, v >> 8 & 255,
	       v & 255);
}

static int parse_one(struct engine_options *options, int option, struct error *err)
{
	switch (option) {
	case OPT_STORE:
		return set_fd(&options->store_fd, "--store-fd", optarg, err);
	case OPT_STORE_NAME:
		options->store_name = optarg;
		return 0;
	case OPT_KEY:
		return set_fd(&options->key_fd, "--key-fd", optarg, err);
	case OPT_FRESHNESS:
		return set_fd(&options->freshness_fd, "--freshness-fd", optarg, err);
	case OPT_CONTROL:
		return set_fd(&options->control_fd, "--control-fd", optarg, err);
	case OPT_LOG:
		return set_fd(&options->log_fd, "--log-fd", optarg, err);
	case OPT_UUID:
		if (!uuid_parse(optarg, &options->uuid))
			return error_set(err, EINVAL, "--uuid: '%s' is not a UUID", optarg);
		return 0;
	case OPT_TPM:
		return set_tpm(options, optarg, err);
	case OPT_CREATE:
		options->create = true;
		return 0;
	case OPT_CONN:
		return add_connection(options, optarg, err);
	case OPT_BUFFER:
		return set_buffer(options, optarg, err);
	case OPT_MEMORY:
		return set_fd(&options->memory_fd, "--memory-fd", optarg, err);
	case OPT_DOMAIN:
		return set_domain(options, optarg, err);
	case OPT_FEATURES:
		return set_features(options, optarg, err);
	case OPT_NO_SANDBOX:
		options->sandbox = false;
		return 0;
	case OPT_HELP:
		fputs(usage, stdout);
		return 1;
	case OPT_VERSION:
		print_version();
		return 1;
	default:
		return error_set(err, EINVAL, "bad command line; --help shows the options");
	}
}

int options_parse(struct engine_options *options, int argc, char **argv, struct error *err)
{
	bool uuid_given = false;
	int option, ret;

	*options = (struct engine_options){
		.store_fd = -1,
		.store_name = "the store",
		.key_fd = -1,
		.freshness_fd = -1,
		.control_fd = -1,
		.memory_fd = -1,
		.log_fd = STDERR_FILENO,
		.buffer_size = ENGINE_BUFFER_SIZE,
		.sandbox = true,
	};
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		uuid_given |= option == OPT_UUID;
		ret = parse_one(options, option, err);
		if (ret)
			return ret;
	}
	if (optind < argc)
		return error_set(err, EINVAL, "'%s' is too much; --help shows the options",
				 argv[optind]);
	if (options->store_fd < 0 || !options->tpm || !uuid_given)
		return error_set(err, EINVAL, "--store-fd, --uuid and --tpm are needed");
	if (options->features)
		options->buffer_size = VTPM_MAX_TRANSFER;
	return 0;
}
