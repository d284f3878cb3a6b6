// SPDX-License-Identifier: GPL-2.0-only
/* How far long work is, for somebody who waits at a terminal. There is one at a time. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "store.h"

#define NS_PER_S	1000000000LL
#define PAUSE_NS	(NS_PER_S / 4)

static struct {
	const char *what;	/* NULL, nobody looks */
	uint64_t done, total;
	long long next;		/* when to say something */
	bool said;
} progress;

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NS_PER_S + time.tv_nsec;
}

void progress_begin(const char *what, uint64_t total)
{
	progress.what = isatty(STDERR_FILENO) ? what : NULL;
	progress.done = 0;
	progress.total = total;
	progress.next = now() + NS_PER_S;
	progress.said = false;
}

void progress_step(uint64_t bytes)
{
	progress.done += bytes;
	if (!progress.what || now() < progress.next)
		return;
	progress.next = now() + PAUSE_NS;
	progress.said = true;
	if (progress.total)
		fprintf(stderr, "\r%s: %u %%", progress.what,
			(unsigned int)(100.0 * progress.done / progress.total));
	else
		fprintf(stderr, "\r%s ...", progress.what);
}

void progress_end(void)
{
	if (progress.said)
		fputc('\n', stderr);
	progress.what = NULL;
	progress.said = false;
}

static ssize_t counting_pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	ssize_t n = pwrite(fd, buf, size, offset);

	if (n > 0)
		progress_step(n);
	return n;
}

const struct vnvram_io progress_io = {
	.pread = pread,
	.pwrite = counting_pwrite,
	.fdatasync = fdatasync,
};
