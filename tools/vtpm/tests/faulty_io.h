/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAULTY_IO_H
#define TESTS_FAULTY_IO_H

#include <stdint.h>

/* Descriptor of memory that holds a struct faults. */
#define FAULTS_VARIABLE	"VTPM_TEST_FAULTS"

/**
 * struct faults - shared between a test and its engine
 * @pwrite_errno: while not 0, writes fail with it
 * @sync_errno: likewise for flushes
 * @sync_delay_ms: how long a flush takes
 * @pwrites: writes so far
 * @syncs: flushes so far that have ended
 */
struct faults {
	_Atomic int pwrite_errno;
	_Atomic int sync_errno;
	_Atomic int sync_delay_ms;
	_Atomic uint32_t pwrites;
	_Atomic uint32_t syncs;
};

#endif
