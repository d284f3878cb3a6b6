// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the selftests of xen-vtpm share; see common.h.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

/* Also what a 32-bit build must have. */
_Static_assert(sizeof(struct vtpm_event) == 88, "vtpm_event");
_Static_assert(sizeof(struct vtpm_accept) == 32, "vtpm_accept");
_Static_assert(sizeof(struct vtpm_info) == 128, "vtpm_info");
_Static_assert(sizeof(struct vtpm_begin) == 40, "vtpm_begin");
_Static_assert(sizeof(struct vtpm_request) == 16, "vtpm_request");
_Static_assert(sizeof(struct vtpm_response) == 16, "vtpm_response");

#define FEATURES	(VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES)

static const struct timespec tick = { .tv_nsec = 1000000 };

/* What a program needs. */

void need_root(void)
{
	if (geteuid())
		skip_all("not root");
}

/**
 * need_device() - end the program unless a device can be opened
 * @path: the device
 * @missing: what to do if it is not there
 * @busy: what to do if somebody has it
 */
void need_device(const char *path, const char *missing, const char *busy)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	else if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		skip_all("no %s: %s", path, missing);
	else if (errno == EBUSY)
		skip_all("%s is in use: %s", path, busy);
	else
		ksft_exit_fail_msg("%s: %s\n", path, strerror(errno));
}

/* Memory, processes and descriptors. */

/**
 * edge() - get memory that ends
 * @bytes: how much there is, 16384 at most
 *
 * Return: @bytes zeroes; behind them is an address that is not valid. It is never
 * freed.
 */
uint8_t *edge(size_t bytes)
{
	const size_t room = 16384;
	size_t page = sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes > room || p == MAP_FAILED ||
	    mprotect(p + room, page, PROT_NONE)) {
		perror("edge");
		abort();
	}
	return p + room - bytes;
}

/**
 * ready() - wait for a descriptor
 * @fd: the descriptor
 * @events: to wait for
 * @ms: at most
 *
 * Return: poll()'s revents; 0 if nothing happened.
 */
short ready(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, ms) == 1 ? p.revents : 0;
}

void set_blocking(int fd, bool blocking)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

static bool sleeps_in(pid_t pid, long number)
{
	char path[64], line[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = 0;
	fclose(file);
	/* A task that is not asleep is "running". */
	return line[0] >= '0' && line[0] <= '9' && atol(line) == number;
}

/**
 * await_call() - wait until a process sleeps in a system call
 * @pid: a process, or a thread of one
 * @number: of the call
 *
 * Return: whether it came to that within PATIENCE.
 */
bool await_call(pid_t pid, long number)
{
	int left = PATIENCE;

	while (!sleeps_in(pid, number) && left--)
		nanosleep(&tick, NULL);
	return left > 0;
}

/**
 * run() - run a shell command of the environment
 * @variable: that holds it
 *
 * Return: its status as system() has it; -1 and ENOENT if there is none.
 */
int run(const char *variable)
{
	const char *command = getenv(variable);

	if (!command) {
		errno = ENOENT;
		return -1;
	}
	return system(command);
}

/* Written by the handler, so that the parent knows that it has run. */
static int signalled[2];

static void on_signal(int signal)
{
	(void)!write(signalled[1], &signal, sizeof(signal));
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(signal, &action, NULL);
}

static void read_and_exit(int fd)
{
	static uint8_t buf[2 * VTPM_MAX_TRANSFER];

	handle(SIGUSR1, SA_RESTART);
	handle(SIGUSR2, 0);
	if (read(fd, buf, sizeof(buf)) >= 0)
		_exit(0);
	_exit(errno);
}

/* Sends a signal to a child that reads; returns whether its handler ran. */
static bool deliver(pid_t pid, int signal)
{
	int seen = 0;

	return await_call(pid, SYS_read) && !kill(pid, signal) &&
	       ready(signalled[0], POLLIN, PATIENCE) &&
	       read(signalled[0], &seen, sizeof(seen)) == sizeof(seen) &&
	       seen == signal;
}

static enum reading judge_reading(pid_t pid)
{
	int status;

	if (!deliver(pid, SIGUSR1))
		return READING_LOST;
	/* Restarted, it sleeps in the same call again. */
	if (!await_call(pid, SYS_read))
		return waitpid(pid, &status, WNOHANG) == pid ?
		       READING_NOT_RESTARTED : READING_LOST;
	if (!deliver(pid, SIGUSR2) || waitpid(pid, &status, 0) != pid)
		return READING_LOST;
	if (!WIFEXITED(status))
		return READING_LOST;
	return WEXITSTATUS(status) == EINTR ? READING_AS_IT_SHOULD :
					      READING_RETURNED;
}

/**
 * read_under_signals() - send signals to a process in read()
 * @fd: a descriptor without O_NONBLOCK, from which nothing can be read
 */
enum reading read_under_signals(int fd)
{
	enum reading result;
	pid_t pid;

	if (pipe(signalled))
		return READING_LOST;
	pid = fork();
	if (!pid)
		read_and_exit(fd);
	result = judge_reading(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return result;
}

/* /dev/vtpm. */

/**
 * open_controller() - become the controller
 *
 * Who had it before may take a moment to end.
 *
 * Return: a descriptor with O_NONBLOCK; -1 and errno.
 */
int open_controller(void)
{
	int left = PATIENCE;
	int fd;

	do {
		fd = open("/dev/vtpm", O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0 || errno != EBUSY)
			return fd;
		nanosleep(&tick, NULL);
	} while (left--);
	return -1;
}

static bool is_chosen(const struct vtpm_info *info)
{
	const char *domain = getenv("XEN_VTPM_DOMAIN");

	return !domain || info->domid == strtoul(domain, NULL, 10);
}

/**
 * find_frontend() - find the connection that is tested
 * @controller: the controller
 * @info: its description is put here
 *
 * It is the first one of the domain $XEN_VTPM_DOMAIN, or of any.
 *
 * Return: 0; -1 and ENOENT if there is none.
 */
int find_frontend(int controller, struct vtpm_info *info)
{
	memset(info, 0, sizeof(*info));
	while (!ioctl(controller, VTPM_IOC_NEXT, info))
		if (is_chosen(info))
			return 0;
	return -1;
}

/* The description of one connection: 0, or -1 and errno. */
int info_of(int controller, uint64_t id, struct vtpm_info *info)
{
	memset(info, 0, sizeof(*info));
	info->id = id - 1;
	if (ioctl(controller, VTPM_IOC_NEXT, info))
		return -1;
	if (info->id == id)
		return 0;
	errno = ENOENT;
	return -1;
}

int accept_as(int controller, uint64_t id, uint32_t mode, uint32_t features,
	      uint32_t localities)
{
	struct vtpm_accept policy = {
		.id = id,
		.mode = mode,
		.features = features,
		.localities = localities,
	};

	return ioctl(controller, VTPM_IOC_ACCEPT, &policy);
}

/* What may be used: what is in use, or before that $XEN_VTPM_EXACTLY_ONCE. */
static uint32_t features_for(const struct vtpm_info *info)
{
	if (info->state == VTPM_CONNECTION_WAITING &&
	    getenv("XEN_VTPM_EXACTLY_ONCE"))
		return FEATURES;
	return info->features;
}

/**
 * answer_begin() - say to BEGIN what an engine says that executes nothing
 * @fd: the connection
 * @request: BEGIN
 *
 * Return: 0, or -1.
 */
int answer_begin(int fd, const struct request *request)
{
	struct {
		struct vtpm_response header;
		struct vtpm_begin begin;
	} answer = {
		.header.sequence = request->header.sequence,
		.header.length = sizeof(answer.begin),
	};

	memcpy(&answer.begin, request->body, sizeof(answer.begin));
	answer.begin.answered = 0;
	if (answer.begin.resume == VTPM_RESUME_FRESH)
		memset(answer.begin.session, 0x5a, VTPM_SESSION_SIZE);
	return write(fd, &answer, sizeof(answer)) == sizeof(answer) ? 0 : -1;
}

/**
 * serve() - accept a connection as its frontend uses it, and let that in
 * @controller: the controller
 * @info: the connection; brought up to date
 *
 * Return: a descriptor that can bring commands, with O_NONBLOCK; -1 and errno.
 */
int serve(int controller, struct vtpm_info *info)
{
	uint32_t features = features_for(info);
	int fd = accept_as(controller, info->id, VTPM_MODE_NATIVE, features,
			   0x1f);
	struct request request;

	if (fd < 0)
		return -1;
	set_blocking(fd, false);
	if (features && (next_request(fd, &request) < 0 ||
			 request.header.kind != VTPM_REQUEST_BEGIN ||
			 answer_begin(fd, &request)))
		goto err;
	/* The first command says that the frontend is in. */
	if (!ready(fd, POLLIN, PATIENCE)) {
		errno = ETIMEDOUT;
		goto err;
	}
	if (!info_of(controller, info->id, info))
		return fd;
err:
	close(fd);
	return -1;
}

/**
 * make_response() - make a TPM response that says that all went well
 * @response: filled in, header included
 * @sequence: that it answers
 * @length: of the TPM response, from 10
 *
 * Return: the bytes to be written.
 */
size_t make_response(struct response *response, uint64_t sequence,
		     uint32_t length)
{
	memset(response, 0, sizeof(*response));
	response->header.sequence = sequence;
	response->header.length = length;
	response->body[0] = 0x80;
	response->body[1] = 0x01;
	put_be32(response->body + 2, length);
	return sizeof(response->header) + length;
}

/* Answers a command; returns what write() does. */
ssize_t answer(int fd, uint64_t sequence)
{
	struct response response;

	return write(fd, &response, make_response(&response, sequence, 10));
}

/**
 * next_request() - wait for a request, and read it
 * @fd: a connection with O_NONBLOCK
 * @request: the request is put here
 *
 * Return: its bytes with its header; -1 and errno.
 */
ssize_t next_request(int fd, struct request *request)
{
	memset(request, 0, sizeof(*request));
	if (!ready(fd, POLLIN, PATIENCE)) {
		errno = ETIMEDOUT;
		return -1;
	}
	return read(fd, request, sizeof(*request));
}

/* TPM commands. */

uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

void put_be32(uint8_t *p, uint32_t value)
{
	p[0] = value >> 24;
	p[1] = value >> 16;
	p[2] = value >> 8;
	p[3] = value;
}
