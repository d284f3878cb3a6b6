// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine_run.h"

#define PATIENCE_MS	30000

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static void tcp_pair(int *pair)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	need(!bind(listener, (struct sockaddr *)&address, size) && !listen(listener, 1) &&
	     !getsockname(listener, (struct sockaddr *)&address, &size), "listen");
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	need(!connect(pair[0], (struct sockaddr *)&address, size), "connect");
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	fcntl(pair[1], F_SETFD, FD_CLOEXEC);
}

static void make_pair(int *pair, bool tcp)
{
	if (tcp)
		tcp_pair(pair);
	else
		need(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
}

/* Returns the place behind what it has added. */
static char **add_fd(char **argv, const char *option, int fd, char *text)
{
	snprintf(text, 16, "%d", dup(fd));
	*argv++ = (char *)option;
	*argv++ = text;
	return argv;
}

static void run_engine(const struct engine_how *how, int store, int memory, int control,
		       int conn, int faults)
{
	char key_fd[16], recorder_fd[16], memory_fd[16], store_fd[16], control_fd[16];
	char conn_fd[16], fd[16];
	/* Opened while we may: another user may not get into the build's directory. */
	int program = open(TESTS_DIR "/vtpm-engine", O_PATH | O_CLOEXEC);
	char *argv[32] = {
		"vtpm-engine", "--store-fd", store_fd, "--store-name", (char *)how->store,
		"--control-fd", control_fd,
		"--conn-fd", conn_fd, "--uuid", (char *)(how->uuid ? how->uuid : ENGINE_UUID),
		"--tpm", (char *)how->tpm,
	};
	char **at = argv + 13;

	if (how->memory)
		at = add_fd(at, "--memory-fd", memory, memory_fd);
	if (how->key)
		at = add_fd(at, "--key-fd", how->key, key_fd);
	if (how->recorder)
		at = add_fd(at, "--freshness-fd", how->recorder, recorder_fd);
	*at++ = "--domain";
	*at++ = how->same ? "same" : "new";
	*at++ = "--features";
	*at++ = how->features ? "3" : "0";
	if (how->create)
		*at++ = "--create";
#ifdef VTPM_SANITIZE
	*at++ = "--no-sandbox";
#endif
	snprintf(store_fd, sizeof(store_fd), "%d", dup(store));
	snprintf(control_fd, sizeof(control_fd), "%d", dup(control));
	snprintf(conn_fd, sizeof(conn_fd), "%d", dup(conn));
	snprintf(fd, sizeof(fd), "%d", dup(faults));
	setenv(FAULTS_VARIABLE, fd, 1);
	snprintf(fd, sizeof(fd), "%d", dup(how->log));
	if (how->log)
		setenv(IO_LOG_VARIABLE, fd, 1);
	if (how->user && (setgid(how->user) || setuid(how->user)))
		_exit(99);
	fexecve(program, argv, environ);
	_exit(99);
}

struct engine_run engine_start(const struct engine_how *how)
{
	int store = open(how->store, O_RDWR | O_CLOEXEC | (how->create ? O_CREAT : 0), 0600);
	int memory = how->memory ? open(how->memory, O_RDWR | O_CLOEXEC | O_CREAT, 0600) : -1;
	int faults = memfd_create("faults", MFD_CLOEXEC);
	struct engine_run run;
	int control[2], conn[2];

	need(store >= 0, how->store);
	need(!ftruncate(faults, sizeof(struct faults)), "faults");
	run.faults = mmap(NULL, sizeof(struct faults), PROT_READ | PROT_WRITE, MAP_SHARED,
			  faults, 0);
	run.faults->die_at = how->die_at;
	make_pair(control, false);
	make_pair(conn, how->tcp);
	run.pid = fork();
	if (run.pid == 0)
		run_engine(how, store, memory, control[1], conn[1], faults);
	close(store);
	if (memory >= 0)
		close(memory);
	close(faults);
	close(control[1]);
	close(conn[1]);
	run.control = control[0];
	run.guest = conn[0];
	return run;
}

bool engine_wait(struct engine_run *run, enum control_type type, struct control_message *msg)
{
	struct pollfd pollfd = { .fd = run->control, .events = POLLIN };
	int fd;

	while (poll(&pollfd, 1, PATIENCE_MS) == 1) {
		if (control_receive(run->control, msg, &fd) != 1)
			return false;
		if (msg->type == type)
			return true;
	}
	return false;
}

bool engine_is_up(struct engine_run *run)
{
	struct control_message msg;

	return engine_wait(run, CONTROL_STATE, &msg) && msg.value == CONTROL_READY;
}

int engine_connect(struct engine_run *run, uint64_t id)
{
	struct control_message msg = { .type = CONTROL_ADD, .id = id };
	int pair[2];

	make_pair(pair, false);
	need(!control_send(run->control, &msg, pair[1]), "control");
	close(pair[1]);
	return pair[0];
}

/* One that does not end by itself is killed, which the caller does not expect. */
static int wait_for_end(pid_t pid)
{
	static const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
	int status;

	for (int ms = 0; ms < PATIENCE_MS; ms += 5) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		nanosleep(&pause, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

int engine_end(struct engine_run *run)
{
	int ret = wait_for_end(run->pid);

	run->pid = 0;
	if (run->control >= 0)
		close(run->control);
	if (run->guest >= 0)
		close(run->guest);
	run->control = run->guest = -1;
	munmap(run->faults, sizeof(*run->faults));
	return ret;
}

int engine_finish(struct engine_run *run, enum control_end end)
{
	struct control_message msg = { .type = CONTROL_SHUTDOWN, .value = end };

	need(!control_send(run->control, &msg, -1), "control");
	return engine_end(run);
}

int engine_shutdown(struct engine_run *run)
{
	return engine_finish(run, CONTROL_POWER_OFF);
}

int engine_kill(struct engine_run *run)
{
	kill(run->pid, SIGKILL);
	return engine_end(run);
}
