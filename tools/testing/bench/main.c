// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench-tool: what make bench runs in dom0 and in guests.
 *
 *   bench-tool client                   TPM commands and pings, as standard input says
 *   bench-tool echo DOMID               sends each event of that domain back
 *   bench-tool null native|raw UUID     serves a vTPM by answering all commands at once
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool.h"

void fail(const char *what)
{
	fprintf(stderr, "bench-tool: %s: %m\n", what);
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

bool stdin_is_readable(void)
{
	struct pollfd pollfd = { .fd = 0, .events = POLLIN };

	return poll(&pollfd, 1, 0) != 0;
}

int main(int argc, char **argv)
{
	/* Whoever reads wants each line at once. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && !strcmp(argv[1], "client"))
		return client_main();
	if (argc == 3 && !strcmp(argv[1], "echo"))
		return echo_main(strtoul(argv[2], NULL, 10));
	if (argc == 4 && !strcmp(argv[1], "null"))
		return null_main(argv[2], argv[3]);
	fputs("Usage: bench-tool client | echo DOMID | null native|raw UUID\n", stderr);
	return 2;
}
