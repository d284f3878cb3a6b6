// SPDX-License-Identifier: GPL-2.0-only
/*
 * vtpmd: accepts the frontends of vTPMs and runs an engine for each vTPM. It is never on
 * the way of a TPM command.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "daemon.h"
#include "rundir.h"
#include "statedir.h"
#include "version.h"

#define EXIT_USAGE	2
#define CHECK_SECONDS	2	/* how often to look at owners, while nobody tells */

static const char usage[] =
	"Usage: vtpmd [OPTION...]\n"
	"Serve the virtual TPMs of Xen guests.\n"
	"\n"
	"  -c, --config FILE    configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"      --check-config   check the configuration, and exit\n"
	"  -v, --verbose        log more\n"
	"  -h, --help           show this text and exit\n"
	"      --version        show the version and exit\n";

struct options {
	const char *config;
	bool check;
	bool verbose;
};

/* Returns -1 to go on, or the code to exit with. */
static int parse_options(struct options *options, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 }
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:vh", long_options, NULL)) >= 0) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 'k':
			options->check = true;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("vtpmd " VTPM_VERSION);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fputs(usage, stderr);
	return EXIT_USAGE;
}

static void end_if_idle(struct daemon *daemon)
{
	struct vtpm *vtpm;

	for (vtpm = daemon->vtpms; vtpm; vtpm = vtpm->next)
		if (vtpm->pid)
			return;
	if (daemon->stopping)
		event_base_loopbreak(daemon->base);
}

static struct vtpm *vtpm_of_process(struct daemon *daemon, pid_t pid)
{
	struct vtpm *vtpm;

	for (vtpm = daemon->vtpms; vtpm; vtpm = vtpm->next)
		if (vtpm->pid == pid)
			return vtpm;
	return NULL;
}

/* One signal may stand for many. */
static void child_ended(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;
	struct vtpm *vtpm;
	int status;
	pid_t pid;

	(void)fd;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		vtpm = vtpm_of_process(daemon, pid);
		if (!vtpm)
			continue;
		process_drain(vtpm);
		vtpm_exited(vtpm, status);
	}
	end_if_idle(daemon);
}

/* Each engine has a bounded time; the bound is its vTPM's timer. */
static void told_to_end(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;
	struct vtpm *vtpm;

	(void)fd;
	(void)what;
	log_info(&daemon->log, "ending");
	daemon->stopping = true;
	for (vtpm = daemon->vtpms; vtpm; vtpm = vtpm->next)
		vtpm_stop(vtpm, vtpm->owner.ending ? vtpm->end : CONTROL_KEEP, "vtpmd ends");
	end_if_idle(daemon);
}

static void domains_changed(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;

	domains_drain(daemon->domains);
	vtpm_check_owners(fd, what, daemon);
}

/* Without it they are looked at every now and then. */
static int watch_domains(struct daemon *daemon, struct error *err)
{
	int fd = domains_fd(daemon->domains);

	if (fd < 0)
		return 0;
	daemon->domain_event = event_new(daemon->base, fd, EV_READ | EV_PERSIST,
					 domains_changed, daemon);
	if (!daemon->domain_event || event_add(daemon->domain_event, NULL))
		return error_set(err, ENOMEM, "cannot set up the event loop");
	return 0;
}

/*
 * Whoever watches domains is told when one shuts down or goes, but not when one that was
 * suspended runs again; and a frontend that goes says so. While all serve, nothing is looked at.
 */
static void tick_if_needed(struct daemon *daemon)
{
	const struct timeval period = { CHECK_SECONDS, 0 };
	bool needed = !daemon->domain_event || !vtpm_all_serve(daemon);

	if (!needed)
		event_del(daemon->tick);
	else if (!event_pending(daemon->tick, EV_TIMEOUT, NULL))
		event_add(daemon->tick, &period);
}

static int add_events(struct daemon *daemon, struct error *err)
{
	struct event_base *base = daemon->base;
	struct event *const events[] = {
		event_new(base, daemon->backend, EV_READ | EV_PERSIST, frontends_read, daemon),
		evsignal_new(base, SIGCHLD, child_ended, daemon),
		evsignal_new(base, SIGTERM, told_to_end, daemon),
		evsignal_new(base, SIGINT, told_to_end, daemon),
	};

	memcpy(daemon->events, events, sizeof(events));
	for (unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (!events[i] || event_add(events[i], NULL))
			return error_set(err, ENOMEM, "cannot set up the event loop");
	daemon->tick = event_new(base, -1, 0, vtpm_check_owners, daemon);
	if (!daemon->tick)
		return error_set(err, ENOMEM, "cannot set up the event loop");
	return watch_domains(daemon, err);
}

static int set_up(struct daemon *daemon, struct error *err)
{
	int ret = statedir_prepare(&daemon->config, err);

	if (!ret)
		ret = rundir_prepare(&daemon->config, err);
	if (ret)
		return ret;
	daemon->backend = backend_open(daemon->config.device, err);
	if (daemon->backend < 0)
		return daemon->backend;
	daemon->base = event_base_new();
	daemon->domains = domains_open(&daemon->log);
	if (!daemon->base || !daemon->domains)
		return error_set(err, ENOMEM, "cannot set up the event loop");
	daemon->server = server_new(daemon, err);
	if (!daemon->server)
		return -EIO;
	owners_adopt(daemon);
	return add_events(daemon, err);
}

static void tear_down(struct daemon *daemon)
{
	server_free(daemon->server);
	vtpm_free_all(daemon);
	for (unsigned int i = 0; i < sizeof(daemon->events) / sizeof(daemon->events[0]); i++)
		if (daemon->events[i])
			event_free(daemon->events[i]);
	if (daemon->domain_event)
		event_free(daemon->domain_event);
	if (daemon->tick)
		event_free(daemon->tick);
	domains_close(daemon->domains);
	if (daemon->base)
		event_base_free(daemon->base);
	if (daemon->backend >= 0)
		close(daemon->backend);
}

/* There is a descriptor for each engine, and most systems begin with a thousand. */
static void allow_many_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(struct daemon *daemon)
{
	struct error err;
	int ret;

	signal(SIGPIPE, SIG_IGN);
	allow_many_descriptors();
	ret = set_up(daemon, &err);
	if (ret) {
		log_error(&daemon->log, "%s", err.text);
	} else {
		log_info(&daemon->log, "version " VTPM_VERSION " serves %s",
			 daemon->config.device);
		do
			tick_if_needed(daemon);
		while (!event_base_loop(daemon->base, EVLOOP_ONCE) &&
		       !event_base_got_break(daemon->base));
	}
	tear_down(daemon);
	return !ret && daemon->stopping ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct options options = { .config = CONFIG_DEFAULT_FILE };
	struct daemon daemon = { .backend = -1 };
	struct error err;
	int ret = parse_options(&options, argc, argv);

	if (ret >= 0)
		return ret;
	log_init(&daemon.log, STDERR_FILENO, "vtpmd");
	if (options.verbose)
		daemon.log.level = LOG_LEVEL_DEBUG;
	ret = config_read(&daemon.config, options.config, &err);
	if (!ret)
		ret = config_find_user(&daemon.config, &err);
	if (!ret && options.check)
		ret = config_check_policies(&daemon.config, &err);
	if (ret) {
		log_error(&daemon.log, "%s", err.text);
		return EXIT_FAILURE;
	}
	return options.check ? EXIT_SUCCESS : run(&daemon);
}
