// SPDX-License-Identifier: GPL-2.0-only
/*
 * In vtpmctl of the tests: it dies before the step on the disk that CUT_VARIABLE names, and
 * lets the test do something before the one that HOLD_VARIABLE names.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "ctl_run.h"

/* Each of these waits for the test to open the other end. */
static void hold(void)
{
	close(open(getenv(HELD_VARIABLE), O_WRONLY));
	close(open(getenv(GO_ON_VARIABLE), O_RDONLY));
}

static void step(void)
{
	const char *cut = getenv(CUT_VARIABLE), *held = getenv(HOLD_VARIABLE);
	static int steps;

	steps++;
	if (cut && steps == atoi(cut))
		raise(SIGKILL);
	if (held && steps == atoi(held))
		hold();
}

/* The linker gives each of these two names. */
ssize_t __real_pwrite64(int fd, const void *buf, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t size, off_t offset);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

ssize_t __wrap_pwrite64(int fd, const void *buf, size_t size, off_t offset)
{
	step();
	return __real_pwrite64(fd, buf, size, offset);
}

int __wrap_unlink(const char *path)
{
	step();
	return __real_unlink(path);
}

int __wrap_rename(const char *from, const char *to)
{
	step();
	return __real_rename(from, to);
}

int __wrap_fsync(int fd)
{
	step();
	return __real_fsync(fd);
}
