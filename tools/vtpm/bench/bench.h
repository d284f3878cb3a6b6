/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benchmarks share: time, files, and swtpm as the peer. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "guest.h"

/**
 * die() - end the program
 * @what: what is at fault; errno's text goes with it
 */
void die(const char *what) __attribute__((noreturn));

/**
 * need() - end the program unless something went well
 * @ok: whether it did
 * @what: as above
 */
static inline void need(bool ok, const char *what)
{
	if (!ok)
		die(what);
}

/** now_us() - CLOCK_MONOTONIC in us */
double now_us(void);

/** median() - of @count @values, which are sorted by this */
double median(double *values, unsigned int count);

/**
 * json_numbers() - an array of numbers
 * @values: the numbers
 * @count: how many
 */
json_t *json_numbers(const double *values, unsigned int count);

/** print_json() - write @json to standard output, and let go of it */
void print_json(json_t *json);

/**
 * struct swtpm - swtpm as a child
 * @pid: the process
 * @fd: our end of its connection
 */
struct swtpm {
	pid_t pid;
	int fd;
};

/**
 * swtpm_start() - start one; does not wait for it
 * @directory: where its state is
 * @flags: as in its option --flags
 */
struct swtpm swtpm_start(const char *directory, const char *flags);

/* Executes a command; returns the TPM's return code. Its interface has no header. */
uint32_t swtpm_do(const struct swtpm *swtpm, struct packet packet);

/* Takes its connection away, and waits for its end. */
void swtpm_end(const struct swtpm *swtpm);

#endif
