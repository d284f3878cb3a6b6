// SPDX-License-Identifier: GPL-2.0-only
/* In the place of lib/vnvram_io.c, in the tests' engine. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "faulty_io.h"
#include "power_cut.h"
#include "vnvram.h"

static struct faults none, *faults = &none;
static struct io_log *io_log;

static void *map(const char *variable, size_t size)
{
	const char *fd = getenv(variable);
	void *map;

	if (!fd)
		return NULL;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(fd), 0);
	if (map == MAP_FAILED)
		abort();
	return map;
}

/* Before the engine enters its sandbox. */
__attribute__((constructor)) static void map_shared(void)
{
	faults = map(FAULTS_VARIABLE, sizeof(*faults));
	if (!faults)
		faults = &none;
	io_log = map(IO_LOG_VARIABLE, sizeof(*io_log));
}

static void note(enum cut_kind kind, const void *bytes, size_t size, off_t offset)
{
	struct io_record record = { .kind = kind, .size = size, .offset = offset };

	if (!io_log)
		return;
	if (io_log->size + sizeof(record) + size > IO_LOG_ROOM)
		abort();
	record.begun = io_log->begun;
	record.acked = io_log->acked;
	memcpy(io_log->records + io_log->size, &record, sizeof(record));
	if (size)
		memcpy(io_log->records + io_log->size + sizeof(record), bytes, size);
	io_log->size += sizeof(record) + size;
}

int faulty_memory(void)
{
	return faults->memory_errno;
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
	ssize_t n;

	faults->pwrites++;
	errno = faults->pwrite_errno;
	n = errno ? -1 : pwrite(fd, buf, size, offset);
	if (n > 0)
		note(CUT_WRITE, buf, n, offset);
	return n;
}

static int faulty_fdatasync(int fd)
{
	static const struct timespec step = { .tv_nsec = 10 * 1000 * 1000 };
	int ret;

	faulty_point(FAULT_WRITTEN);
	for (int ms = 0; ms < faults->sync_delay_ms; ms += 10)
		nanosleep(&step, NULL);
	errno = faults->sync_errno;
	ret = errno ? -1 : fdatasync(fd);
	note(ret ? CUT_FAILED_FLUSH : CUT_FLUSH, NULL, 0, 0);
	faults->syncs++;
	faulty_point(FAULT_STORED);
	return ret;
}

const struct vnvram_io vnvram_system_io = {
	.pread = pread,
	.pwrite = faulty_pwrite,
	.fdatasync = faulty_fdatasync,
};
