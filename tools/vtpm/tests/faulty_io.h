/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAULTY_IO_H
#define TESTS_FAULTY_IO_H

#include <stdint.h>

/* Descriptor of memory that holds a struct faults. */
#define FAULTS_VARIABLE	"VTPM_TEST_FAULTS"

/**
 * enum fault_point - where an engine may die
 * @FAULT_NONE: nowhere
 * @FAULT_READ: a command has been read and not executed
 * @FAULT_EXECUTED: it has been executed, nothing was kept
 * @FAULT_STORED: the store has it, the state memory does not
 * @FAULT_KEPT: the state memory has it, it is not answered
 * @FAULT_ANSWERED: it is answered
 */
enum fault_point {
	FAULT_NONE,
	FAULT_READ,
	FAULT_EXECUTED,
	FAULT_STORED,
	FAULT_KEPT,
	FAULT_ANSWERED,
};

/**
 * struct faults - shared between a test and its engine
 * @pwrite_errno: while not 0, writes fail with it
 * @sync_errno: likewise for flushes
 * @sync_delay_ms: how long a flush takes; one that hangs goes on when this becomes 0
 * @die_at: &enum fault_point at which the engine kills itself
 * @pwrites: writes so far
 * @syncs: flushes so far that have ended
 */
struct faults {
	_Atomic int pwrite_errno;
	_Atomic int sync_errno;
	_Atomic int sync_delay_ms;
	_Atomic int die_at;
	_Atomic uint32_t pwrites;
	_Atomic uint32_t syncs;
};

/* The engine is here now; it does not return if it shall die here. */
void faulty_point(enum fault_point point);

#endif
