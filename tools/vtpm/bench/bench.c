// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

json_t *json_numbers(const double *values, unsigned int count)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < count; i++)
		need(!json_array_append_new(array, json_real(values[i])), "out of memory");
	return array;
}

void print_json(json_t *json)
{
	need(json && !json_dumpf(json, stdout, JSON_REAL_PRECISION(7)), "the result");
	putchar('\n');
	json_decref(json);
}

struct swtpm swtpm_start(const char *directory, const char *flags)
{
	char fd_text[16], state[PATH_MAX];
	struct swtpm swtpm;
	int pair[2];

	snprintf(state, sizeof(state), "dir=%s", directory);
	need(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
	swtpm.pid = fork();
	need(swtpm.pid >= 0, "fork");
	if (!swtpm.pid) {
		snprintf(fd_text, sizeof(fd_text), "%d", dup(pair[1]));
		execlp("swtpm", "swtpm", "chardev", "--tpm2", "--fd", fd_text, "--tpmstate", state,
		       "--flags", flags, NULL);
		_exit(99);
	}
	close(pair[1]);
	swtpm.fd = pair[0];
	return swtpm;
}

uint32_t swtpm_do(const struct swtpm *swtpm, struct packet packet)
{
	uint8_t response[4096];

	need(write(swtpm->fd, packet.bytes, packet.size) == (ssize_t)packet.size, "swtpm");
	need(read(swtpm->fd, response, sizeof(response)) >= 10, "swtpm");
	return be32(response + 6);
}

void swtpm_end(const struct swtpm *swtpm)
{
	close(swtpm->fd);
	waitpid(swtpm->pid, NULL, 0);
}
