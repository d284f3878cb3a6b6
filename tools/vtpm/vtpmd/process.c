// SPDX-License-Identifier: GPL-2.0-only
/* The engine of a vTPM as a process: starting it, and talking with it. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "control.h"
#include "daemon.h"
#include "hosttpm.h"
#include "rundir.h"
#include "statedir.h"

/* Descriptors that an engine finds, besides 0 to 2. */
#define CONTROL_FD	3
#define STORE_FD	4
#define MEMORY_FD	5
#define CONN_FD		3	/* swtpm */
#define RECORDER_FD	3	/* vtpm-hosttpm */
#define MAX_PASSED	5

/**
 * struct child - what a new process is made of
 * @program: what to run, looked up in the path if it has no slash
 * @argv: its arguments
 * @dir: its directory
 * @fds: @fds[n] becomes descriptor 3 + n
 * @fd_count: their number
 */
struct child {
	const char *program;
	char *const *argv;
	const char *dir;
	int fds[MAX_PASSED];
	unsigned int fd_count;
};

static void fail_child(const char *what)
{
	dprintf(STDERR_FILENO, "vtpmd: starting an engine: %s: %s\n", what, strerror(errno));
	_exit(ENGINE_EXIT_FAILED);
}

/* First out of the way of the places to go to, then there. Only those survive exec. */
static void place_descriptors(const struct child *child)
{
	int moved[MAX_PASSED];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		fail_child("standard descriptors");
	for (unsigned int i = 0; i < child->fd_count; i++) {
		moved[i] = fcntl(child->fds[i], F_DUPFD_CLOEXEC, 3 + MAX_PASSED);
		if (moved[i] < 0)
			fail_child("descriptors");
	}
	for (unsigned int i = 0; i < child->fd_count; i++)
		if (dup2(moved[i], 3 + i) < 0)
			fail_child("descriptors");
	close_range(3 + child->fd_count, ~0U, 0);
}

/* An engine locks its memory, so that no key gets onto a swap disk. */
static void allow_to_lock_memory(void)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &none);
}

static void become_user(const struct config *config)
{
	if (config->uid == geteuid())
		return;
	if (setgroups(0, NULL) || setresgid(config->gid, config->gid, config->gid) ||
	    setresuid(config->uid, config->uid, config->uid))
		fail_child(config->user);
}

static void run_child(const struct config *config, const struct child *child)
{
	child_reset_signals();
	/* As root: the engine's user has no way into the state directory. */
	if (chdir(child->dir))
		fail_child(child->dir);
	place_descriptors(child);
	allow_to_lock_memory();
	become_user(config);
	execvp(child->program, child->argv);
	fail_child(child->program);
}

/* A process group of its own: what ends vtpmd from a terminal is not for the engines. */
static int spawn(struct vtpm *vtpm, const struct child *child, struct error *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return error_set(err, ECHILD, "cannot start an engine: %s", strerror(errno));
	if (pid == 0) {
		setpgid(0, 0);
		run_child(&vtpm->daemon->config, child);
	}
	vtpm->pid = pid;
	return 0;
}

static void forget_control(struct vtpm *vtpm)
{
	if (vtpm->control_event)
		event_free(vtpm->control_event);
	vtpm->control_event = NULL;
	if (vtpm->control_fd >= 0)
		close(vtpm->control_fd);
	vtpm->control_fd = -1;
}

/*
 * A new TPM gets into its place before any guest can use it. An engine that has only got its
 * store back while it was starting has not said how the session stands.
 */
static void engine_is_ready(struct vtpm *vtpm)
{
	struct error err;

	if (vtpm->state == VTPM_STORE_WAITS) {
		vtpm->state = VTPM_RUNNING;
		vtpm->reason.text[0] = '\0';
	}
	if (vtpm->state != VTPM_STARTING || !vtpm->session_known)
		return;
	if (vtpm->creating && statedir_created(&vtpm->daemon->config, &vtpm->uuid, &err)) {
		vtpm->reason = err;
		log_error(&vtpm->daemon->log, "vTPM %s: %s", vtpm->uuid_text, err.text);
		kill(vtpm->pid, SIGKILL);
		return;
	}
	if (vtpm->creating)
		log_info(&vtpm->daemon->log, "vTPM %s: a new TPM %s was made", vtpm->uuid_text,
			 vtpm->policy.tpm12 ? "1.2" : "2.0");
	vtpm->creating = false;
	vtpm_is_up(vtpm);
}

static void handle_state(struct vtpm *vtpm, const struct control_message *msg)
{
	if (msg->value == CONTROL_READY) {
		vtpm->features = msg->id;
		engine_is_ready(vtpm);
		return;
	}
	snprintf(vtpm->reason.text, sizeof(vtpm->reason.text), "%.*s",
		 (int)sizeof(vtpm->reason.text) - 1, msg->text);
	if (msg->value == CONTROL_STORE_WAITS && vtpm->state == VTPM_RUNNING)
		vtpm->state = VTPM_STORE_WAITS;
}

/* Whoever closes before the kernel says that the frontend has gone does so for a reason. */
static void handle_closed(struct vtpm *vtpm, const struct control_message *msg)
{
	struct frontend *frontend = vtpm->frontends;

	while (frontend && frontend->id != msg->id)
		frontend = frontend->next;
	if (!frontend)
		return;
	frontend->accepted = false;
	frontend->given_up = true;
	snprintf(frontend->reason.text, sizeof(frontend->reason.text), "%.*s",
		 (int)sizeof(frontend->reason.text) - 1, msg->text);
}

/* What is settled cannot become open again while this engine runs. */
static void handle_session(struct vtpm *vtpm, const struct control_message *msg)
{
	bool with_counters = vtpm->counted;

	vtpm->counted = false;
	vtpm->session_known = true;
	vtpm->session = msg->value;
	vtpm->sequence = msg->id;
	snprintf(vtpm->session_reason.text, sizeof(vtpm->session_reason.text), "%.*s",
		 (int)sizeof(vtpm->session_reason.text) - 1, msg->text);
	if (vtpm->session == CONTROL_SESSION_RUNNING)
		owner_settle(vtpm);
	/* Nothing but a mark in the store makes an engine wait for a guest. */
	if (vtpm->session == CONTROL_SESSION_AWAITED)
		vtpm->marked = true;
	/* It comes after READY, and only with both the TPM is up. */
	if (vtpm->state == VTPM_STARTING)
		engine_is_ready(vtpm);
	server_session_said(vtpm->daemon->server, vtpm, with_counters);
}

static void handle_message(struct vtpm *vtpm, const struct control_message *msg)
{
	switch (msg->type) {
	case CONTROL_STATE:
		handle_state(vtpm, msg);
		break;
	case CONTROL_CLOSED:
		handle_closed(vtpm, msg);
		break;
	case CONTROL_COUNTERS:
		vtpm->counters = msg->counters;
		vtpm->counted = true;
		break;
	case CONTROL_MARK:
		owner_mark_changed(vtpm, msg->value);
		break;
	case CONTROL_SESSION:
		handle_session(vtpm, msg);
		break;
	}
}

static int receive_all(struct vtpm *vtpm)
{
	struct control_message msg;
	int fd, ret;

	while (vtpm->control_fd >= 0 &&
	       (ret = control_receive(vtpm->control_fd, &msg, &fd)) == 1) {
		if (fd >= 0)
			close(fd);
		handle_message(vtpm, &msg);
	}
	return vtpm->control_fd < 0 ? 0 : ret;
}

void process_drain(struct vtpm *vtpm)
{
	receive_all(vtpm);
	forget_control(vtpm);
}

/* When the engine has closed its end, SIGCHLD tells the rest. */
static void control_readable(evutil_socket_t fd, short what, void *arg)
{
	struct vtpm *vtpm = arg;
	int ret = receive_all(vtpm);

	(void)fd;
	(void)what;
	if (ret != -EAGAIN && ret != -EPROTO)
		forget_control(vtpm);
}

static int watch_control(struct vtpm *vtpm, int fd)
{
	vtpm->control_fd = fd;
	vtpm->control_event = event_new(vtpm->daemon->base, fd, EV_READ | EV_PERSIST,
					control_readable, vtpm);
	return vtpm->control_event ? event_add(vtpm->control_event, NULL) : -1;
}

static uint32_t policy_features(const struct policy *policy)
{
	return policy->exactly_once ? VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES : 0;
}

/**
 * struct resources - what an engine is given, open; -1 where there is none
 * @state: its store
 * @control: its end of the control socket
 * @memory: the state memory
 * @key: the key of the store
 * @recorder: its socket to a freshness recorder
 */
struct resources {
	struct state state;
	int control;
	int memory;
	int key;
	int recorder;
};

/* Where optional descriptors go, one after the other. */
static void pass_optional(struct child *child, char **argv, const char *option, int fd,
			  char *text, size_t size)
{
	while (*argv)
		argv++;
	if (fd < 0)
		return;
	snprintf(text, size, "%u", CONTROL_FD + child->fd_count);
	argv[0] = (char *)option;
	argv[1] = text;
	child->fds[child->fd_count++] = fd;
}

static int spawn_native(struct vtpm *vtpm, const struct resources *given, struct error *err)
{
	char control_fd[16], store_fd[16], memory_fd[16], key_fd[16], recorder_fd[16];
	char features[16];
	char *argv[24] = {
		"vtpm-engine", "--control-fd", control_fd, "--store-fd", store_fd,
		"--store-name", (char *)given->state.name, "--memory-fd", memory_fd,
		"--uuid", vtpm->uuid_text, "--tpm", vtpm->policy.tpm12 ? "1.2" : "2.0",
		"--domain", vtpm->owner.settled ? "same" : "new", "--features", features,
		given->state.create ? "--create" : NULL,
	};
	struct child child = {
		.program = vtpm->daemon->config.engine,
		.argv = argv,
		.dir = "/",
		.fds = { given->control, given->state.fd, given->memory },
		.fd_count = 3,
	};

	snprintf(control_fd, sizeof(control_fd), "%d", CONTROL_FD);
	snprintf(store_fd, sizeof(store_fd), "%d", STORE_FD);
	snprintf(memory_fd, sizeof(memory_fd), "%d", MEMORY_FD);
	snprintf(features, sizeof(features), "%u", policy_features(&vtpm->policy));
	pass_optional(&child, argv, "--key-fd", given->key, key_fd, sizeof(key_fd));
	pass_optional(&child, argv, "--freshness-fd", given->recorder, recorder_fd,
		      sizeof(recorder_fd));
	return spawn(vtpm, &child, err);
}

static int connect_and_spawn(struct vtpm *vtpm, struct resources *given, struct error *err)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return error_set(err, ECHILD, "cannot make a socket: %s", strerror(errno));
	given->control = pair[1];
	if (watch_control(vtpm, pair[0]))
		ret = error_set(err, ECHILD, "out of memory");
	else
		ret = spawn_native(vtpm, given, err);
	if (ret)
		forget_control(vtpm);
	return ret;
}

/* The recorder ends with the engine, whose socket it has the other end of. */
static int start_recorder(struct vtpm *vtpm, int *fd, struct error *err)
{
	const struct config *config = &vtpm->daemon->config;
	char *argv[] = {
		"vtpm-hosttpm", "recorder", "--tcti", (char *)config->host_tpm, "--fd", NULL,
		vtpm->uuid_text, NULL,
	};
	char place[16];
	int pair[2], ret;

	snprintf(place, sizeof(place), "%d", RECORDER_FD);
	argv[5] = place;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return error_set(err, ECHILD, "cannot make a socket: %s", strerror(errno));
	ret = hosttpm_launch(config->hosttpm, argv, pair[1], RECORDER_FD);
	close(pair[1]);
	*fd = pair[0];
	return ret ? error_set(err, ECHILD, "%s: cannot be started: %s", config->hosttpm,
			       strerror(-ret)) : 0;
}

static int open_guards(struct vtpm *vtpm, struct resources *given, struct error *err)
{
	const struct config *config = &vtpm->daemon->config;
	const struct policy *policy = &vtpm->policy;

	if (policy->key_kind != KEY_NONE) {
		given->key = key_open(policy->key_kind, policy->key_path, config->hosttpm,
				      config->host_tpm, err);
		if (given->key < 0)
			return given->key;
	}
	return policy->freshness == FRESHNESS_TPM ?
		start_recorder(vtpm, &given->recorder, err) : 0;
}

static int open_resources(struct vtpm *vtpm, struct resources *given, struct error *err)
{
	const struct config *config = &vtpm->daemon->config;
	int ret = statedir_open(config, &vtpm->uuid, &vtpm->policy, &given->state, err);

	if (ret)
		return ret;
	given->memory = rundir_open_memory(config, vtpm->uuid_text, !vtpm->owner.settled, err);
	return given->memory < 0 ? -ECHILD : open_guards(vtpm, given, err);
}

static void close_resources(const struct resources *given)
{
	const int fds[] = {
		given->state.fd, given->control, given->memory, given->key, given->recorder,
	};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/*
 * vtpmd keeps no descriptor of the store: the lock on it is the engine's alone, and ends
 * with the engine.
 */
static int start_native(struct vtpm *vtpm, struct error *err)
{
	struct resources given = {
		.state.fd = -1, .control = -1, .memory = -1, .key = -1, .recorder = -1,
	};
	int ret = open_resources(vtpm, &given, err);

	if (!ret)
		ret = connect_and_spawn(vtpm, &given, err);
	vtpm->creating = !ret && given.state.create;
	close_resources(&given);
	return ret;
}

static int spawn_swtpm(struct vtpm *vtpm, const struct state *state, int conn, struct error *err)
{
	char conn_fd[16];
	char *argv[] = {
		"swtpm", "chardev", "--fd", conn_fd, "--tpmstate", "dir=.",
		"--flags", "not-need-init", "--locality", "allow-set-locality",
		vtpm->policy.tpm12 ? NULL : "--tpm2", NULL,
	};
	struct child child = {
		.program = "swtpm",
		.argv = argv,
		.dir = state->dir,
		.fds = { conn },
		.fd_count = 1,
	};

	snprintf(conn_fd, sizeof(conn_fd), "%d", CONN_FD);
	return spawn(vtpm, &child, err);
}

/* swtpm gets its one connection when it starts, and nothing else ever. */
static int start_swtpm(struct vtpm *vtpm, struct error *err)
{
	struct frontend *frontend = frontend_of_owner(vtpm);
	struct state state;
	int conn, ret;

	vtpm->features = 0;
	ret = statedir_open(&vtpm->daemon->config, &vtpm->uuid, &vtpm->policy, &state, err);
	if (ret)
		return ret;
	conn = frontend_accept(vtpm, frontend);
	if (conn < 0)
		return -EAGAIN;
	ret = spawn_swtpm(vtpm, &state, conn, err);
	frontend->accepted = !ret;
	close(conn);
	return ret;
}

int process_start(struct vtpm *vtpm, struct error *err)
{
	if (vtpm->policy.engine == ENGINE_SWTPM)
		return start_swtpm(vtpm, err);
	return start_native(vtpm, err);
}

void process_ask_to_end(struct vtpm *vtpm)
{
	struct control_message msg = { .type = CONTROL_SHUTDOWN, .value = vtpm->end };

	if (vtpm->control_fd < 0 || control_send(vtpm->control_fd, &msg, -1))
		kill(vtpm->pid, SIGTERM);
}

int process_ask(struct vtpm *vtpm, enum control_type type)
{
	struct control_message msg = { .type = type };
	int ret = vtpm->control_fd < 0 ? -EPIPE : control_send(vtpm->control_fd, &msg, -1);

	if (ret)
		log_warning(&vtpm->daemon->log, "vTPM %s: the engine does not listen: %s",
			    vtpm->uuid_text, strerror(-ret));
	return ret;
}

void process_add_frontend(struct vtpm *vtpm, struct frontend *frontend, int fd)
{
	struct control_message msg = { .type = CONTROL_ADD, .id = frontend->id };
	int ret = vtpm->control_fd < 0 ? -EPIPE : control_send(vtpm->control_fd, &msg, fd);

	close(fd);
	if (!ret)
		return;
	/* If the engine is dying, the next one gets the frontend. */
	frontend->accepted = false;
	frontend->given_up = true;
	error_set(&frontend->reason, -ret, "the engine does not take it: %s", strerror(-ret));
	log_error(&vtpm->daemon->log, "vTPM %s: connection %" PRIu64 ": %s", vtpm->uuid_text,
		  frontend->id, frontend->reason.text);
}
