// SPDX-License-Identifier: GPL-2.0-only
/* An engine for a moment: what version it is, and whether it can start a TPM. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "store.h"

/* A new TPM 1.2 takes a second or two, on a busy host more. */
#define START_MS	120000
#define END_MS		30000
#define STEP_MS		250

/* Descriptors that an engine finds, besides 0 to 2. */
#define CONTROL_FD	3
#define STORE_FD	4
#define KEY_FD		5
#define MAX_PASSED	3

/**
 * struct run - an engine that runs
 * @pid: the process
 * @pidfd: it, to be waited for
 * @control: the socket to it; -1 when it is told to end
 */
struct run {
	pid_t pid;
	int pidfd;
	int control;
};

static void fail_child(const char *what)
{
	dprintf(STDERR_FILENO, "vtpmctl: starting an engine: %s: %s\n", what, strerror(errno));
	_exit(ENGINE_EXIT_FAILED);
}

/* First out of the way of the places to go to, then there. */
static void place_descriptors(const int *fds, unsigned int count, int out)
{
	int moved[MAX_PASSED];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(out < 0 ? null : out, STDOUT_FILENO) < 0 ||
	    dup2(null, STDIN_FILENO) < 0)
		fail_child("standard descriptors");
	for (unsigned int i = 0; i < count; i++) {
		moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1 + MAX_PASSED);
		if (moved[i] < 0)
			fail_child("descriptors");
	}
	for (unsigned int i = 0; i < count; i++)
		if (dup2(moved[i], STDERR_FILENO + 1 + i) < 0)
			fail_child("descriptors");
	close_range(STDERR_FILENO + 1 + count, ~0U, 0);
}

static void become_user(const struct config *config)
{
	if (config->uid == geteuid())
		return;
	if (setgroups(0, NULL) || setresgid(config->gid, config->gid, config->gid) ||
	    setresuid(config->uid, config->uid, config->uid))
		fail_child(config->user);
}

static pid_t spawn(const struct config *config, char *const *argv, const int *fds,
		   unsigned int count, int out)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	place_descriptors(fds, count, out);
	become_user(config);
	if (chdir("/"))
		fail_child("/");
	execv(config->engine, argv);
	fail_child(config->engine);
	return -1;
}

int engine_version(const struct config *config, uint32_t *version, struct error *err)
{
	char *argv[] = { "vtpm-engine", "--version", NULL };
	unsigned int major, minor, micro;
	char text[160] = "";
	int ends[2], fields = 0;
	struct config here = *config;
	pid_t pid;

	/* It opens nothing: no need to be somebody else. */
	here.uid = geteuid();
	if (pipe2(ends, O_CLOEXEC))
		return error_set(err, errno, "cannot make a pipe: %s", strerror(errno));
	pid = spawn(&here, argv, NULL, 0, ends[1]);
	close(ends[1]);
	if (pid > 0 && read(ends[0], text, sizeof(text) - 1) > 0)
		fields = sscanf(text, "%*[^(](libtpms %u.%u.%u)", &major, &minor, &micro);
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (fields != 3)
		return error_set(err, ENOEXEC, "%s: does not run, or does not say its version; see "
				 "[vtpmd] engine in %s", config->engine, config->file);
	*version = major << 16 | minor << 8 | micro;
	return 0;
}

static int spawn_engine(const struct target *target, int store, int key, int control, bool create)
{
	const int fds[] = { control, store, key };
	char control_fd[16], store_fd[16], key_fd[16];
	char *argv[20] = {
		"vtpm-engine", "--control-fd", control_fd, "--store-fd", store_fd,
		"--store-name", (char *)target->file, "--uuid", (char *)target->uuid_text,
		"--tpm", target->policy.tpm12 ? "1.2" : "2.0", "--log-fd", "0",
	};
	int argc = 13;

	snprintf(control_fd, sizeof(control_fd), "%d", CONTROL_FD);
	snprintf(store_fd, sizeof(store_fd), "%d", STORE_FD);
	snprintf(key_fd, sizeof(key_fd), "%d", KEY_FD);
	if (create)
		argv[argc++] = "--create";
	if (key >= 0) {
		argv[argc++] = "--key-fd";
		argv[argc++] = key_fd;
	}
	return spawn(&target->config, argv, fds, key < 0 ? 2 : 3, -1);
}

static int start_with_key(struct run *run, const struct target *target, int store, int key,
			  bool create, struct error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return error_set(err, errno, "cannot make a socket: %s", strerror(errno));
	run->pid = spawn_engine(target, store, key, pair[1], create);
	run->pidfd = run->pid > 0 ? pidfd_open(run->pid, 0) : -1;
	run->control = pair[0];
	close(pair[1]);
	return run->pidfd < 0 ? error_set(err, errno, "cannot start an engine: %s",
					  strerror(errno)) : 0;
}

static int start(struct run *run, const struct target *target, int store, bool create,
		 struct error *err)
{
	const struct policy *policy = &target->policy;
	int ret, key = -1;

	if (policy->key_kind != KEY_NONE) {
		key = key_open(policy->key_kind, policy->key_path, target->config.hosttpm,
			       target->config.host_tpm, err);
		if (key < 0)
			return key;
	}
	ret = start_with_key(run, target, store, key, create, err);
	if (key >= 0)
		close(key);
	return ret;
}

/* Returns 1 if there is something to read, 0 if that took too long. */
static int wait_for(int fd, int ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	int ret = 0;

	for (; ms > 0 && !ret; ms -= STEP_MS) {
		ret = poll(&pollfd, 1, STEP_MS);
		if (ret < 0 && errno == EINTR)
			ret = 0;
		progress_step(0);
	}
	return ret > 0;
}

static int wait_until_up(const struct run *run, struct error *err)
{
	struct control_message msg;
	int fd, ret;

	for (;;) {
		if (!wait_for(run->control, START_MS))
			return error_set(err, ETIMEDOUT, "the engine is not up after %d s",
					 START_MS / 1000);
		ret = control_receive(run->control, &msg, &fd);
		if (ret != 1)
			return error_set(err, EIO, "the engine ended without saying why");
		if (fd >= 0)
			close(fd);
		if (msg.type != CONTROL_STATE)
			continue;
		if (msg.value == CONTROL_READY)
			return 0;
		return error_set(err, EIO, "the engine: %s", msg.text);
	}
}

/* Without its socket it keeps everything, and ends. */
static int end(struct run *run, bool up, struct error *err)
{
	int status = -1;

	close(run->control);
	if (!up || !wait_for(run->pidfd, END_MS))
		kill(run->pid, SIGKILL);
	waitpid(run->pid, &status, 0);
	close(run->pidfd);
	if (!up || (WIFEXITED(status) && WEXITSTATUS(status) == ENGINE_EXIT_OK))
		return 0;
	return error_set(err, EIO, "the engine did not end in order (status 0x%x)", status);
}

int engine_try(const struct target *target, int fd, bool create, struct error *err)
{
	struct run run;
	int ret;

	progress_begin(create ? "making the TPM" : "trying the TPM", 0);
	ret = start(&run, target, fd, create, err);
	if (!ret) {
		bool up = !wait_until_up(&run, err);

		ret = end(&run, up, err);
		if (!up)
			ret = -EIO;
	}
	progress_end();
	return ret;
}
