// SPDX-License-Identifier: GPL-2.0-only
/* In the place of lib/vnvram_io.c, in the tests' engine. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "faulty_io.h"
#include "vnvram.h"

static struct faults none, *faults = &none;

/* Before the engine enters its sandbox. */
__attribute__((constructor)) static void map_faults(void)
{
	const char *fd = getenv(FAULTS_VARIABLE);
	void *map;

	if (!fd)
		return;
	map = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(fd), 0);
	if (map == MAP_FAILED)
		abort();
	faults = map;
}

/* The answer of an earlier command may still be on its way out when a test sets @die_at. */
void faulty_point(enum fault_point point)
{
	static bool armed;

	if (point == FAULT_READ)
		armed = faults->die_at;
	if (armed && faults->die_at == (int)point)
		raise(SIGKILL);
}

static ssize_t faulty_pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	faults->pwrites++;
	errno = faults->pwrite_errno;
	return errno ? -1 : pwrite(fd, buf, size, offset);
}

static int faulty_fdatasync(int fd)
{
	static const struct timespec step = { .tv_nsec = 10 * 1000 * 1000 };
	int ret;

	for (int ms = 0; ms < faults->sync_delay_ms; ms += 10)
		nanosleep(&step, NULL);
	errno = faults->sync_errno;
	ret = errno ? -1 : fdatasync(fd);
	faults->syncs++;
	faulty_point(FAULT_STORED);
	return ret;
}

const struct vnvram_io vnvram_system_io = {
	.pread = pread,
	.pwrite = faulty_pwrite,
	.fdatasync = faulty_fdatasync,
};
