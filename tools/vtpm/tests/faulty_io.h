/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAULTY_IO_H
#define TESTS_FAULTY_IO_H

#include <stdint.h>

/* Descriptor of memory that holds a struct faults. */
#define FAULTS_VARIABLE	"VTPM_TEST_FAULTS"
/* Descriptor of memory that holds a struct io_log. */
#define IO_LOG_VARIABLE	"VTPM_TEST_IO_LOG"
#define IO_LOG_ROOM	(16U << 20)

/**
 * enum fault_point - where an engine may die
 * @FAULT_NONE: nowhere
 * @FAULT_READ: a command has been read and not executed
 * @FAULT_EXECUTED: it has been executed, nothing was kept
 * @FAULT_WRITTEN: the store was written, and not flushed
 * @FAULT_STORED: the store has it, the state memory does not
 * @FAULT_KEPT: the state memory has it, it is not answered
 * @FAULT_ANSWERED: it is answered
 */
enum fault_point {
	FAULT_NONE,
	FAULT_READ,
	FAULT_EXECUTED,
	FAULT_WRITTEN,
	FAULT_STORED,
	FAULT_KEPT,
	FAULT_ANSWERED,
};

/**
 * struct faults - shared between a test and its engine
 * @pwrite_errno: while not 0, writes fail with it
 * @sync_errno: likewise for flushes
 * @sync_delay_ms: how long a flush takes; one that hangs goes on when this becomes 0
 * @memory_errno: while not 0, the state memory has no room for a state, and says so with it
 * @die_at: &enum fault_point at which the engine kills itself
 * @pwrites: writes so far
 * @syncs: flushes so far that have ended
 */
struct faults {
	_Atomic int pwrite_errno;
	_Atomic int sync_errno;
	_Atomic int sync_delay_ms;
	_Atomic int memory_errno;
	_Atomic int die_at;
	_Atomic uint32_t pwrites;
	_Atomic uint32_t syncs;
};

/**
 * struct io_log - what an engine has written and flushed, for test_engine_cut
 * @size: bytes of @records
 * @begun: as in struct cut_marks; the test counts them
 * @acked: likewise
 * @records: each a struct io_record and its bytes
 */
struct io_log {
	_Atomic uint32_t size;
	_Atomic uint32_t begun;
	_Atomic uint32_t acked;
	uint8_t records[IO_LOG_ROOM];
};

/**
 * struct io_record - one write or flush
 * @kind: &enum cut_kind
 * @size: bytes that follow
 * @offset: where they were written
 * @begun: as in struct io_log, at that time
 * @acked: likewise
 */
struct io_record {
	uint32_t kind;
	uint32_t size;
	uint64_t offset;
	uint32_t begun;
	uint32_t acked;
};

/* What an engine's state memory is refused with, 0 if it is not. */
int faulty_memory(void);

/* The engine is here now; it does not return if it shall die here. */
void faulty_point(enum fault_point point);

#endif
