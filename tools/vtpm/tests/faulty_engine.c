// SPDX-License-Identifier: GPL-2.0-only
/* The tests' engine dies where it is told to. Linked with --wrap for these functions. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../engine/memory.h"
#include "../engine/tpm.h"
#include "faulty_io.h"

size_t __real_tpm_execute(uint8_t locality, const uint8_t *command, size_t size,
			  const uint8_t **response);
size_t __wrap_tpm_execute(uint8_t locality, const uint8_t *command, size_t size,
			  const uint8_t **response);
int __real_memory_write(struct memory *memory, const uint8_t *record, size_t record_size,
			const uint8_t *state, size_t state_size);
int __wrap_memory_write(struct memory *memory, const uint8_t *record, size_t record_size,
			const uint8_t *state, size_t state_size);
int __real_memory_append(struct memory *memory, const uint8_t *record, size_t record_size,
			 const struct journal_entry *command);
int __wrap_memory_append(struct memory *memory, const uint8_t *record, size_t record_size,
			 const struct journal_entry *command);
ssize_t __real_write(int fd, const void *buf, size_t size);
ssize_t __wrap_write(int fd, const void *buf, size_t size);

/* Only what comes from a guest, now or before it is executed again: the engine's own commands do not leave tpm.c. */
size_t __wrap_tpm_execute(uint8_t locality, const uint8_t *command, size_t size,
			  const uint8_t **response)
{
	size_t n;

	faulty_point(FAULT_READ);
	n = __real_tpm_execute(locality, command, size, response);
	faulty_point(FAULT_EXECUTED);
	return n;
}

int __wrap_memory_write(struct memory *memory, const uint8_t *record, size_t record_size,
			const uint8_t *state, size_t state_size)
{
	int ret = state && faulty_memory() ? -faulty_memory() :
		__real_memory_write(memory, record, record_size, state, state_size);

	faulty_point(FAULT_KEPT);
	return ret;
}

int __wrap_memory_append(struct memory *memory, const uint8_t *record, size_t record_size,
			 const struct journal_entry *command)
{
	int ret = __real_memory_append(memory, record, record_size, command);

	faulty_point(FAULT_KEPT);
	return ret;
}

ssize_t __wrap_write(int fd, const void *buf, size_t size)
{
	ssize_t n = __real_write(fd, buf, size);

	if (fd > 2)
		faulty_point(FAULT_ANSWERED);
	return n;
}
