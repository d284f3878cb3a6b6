/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftests of xen-vtpm share. README.md says what they need.
 *
 * Nothing here decides about a test: these functions return what happened.
 */
#ifndef _XEN_VTPM_SELFTEST_H
#define _XEN_VTPM_SELFTEST_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <xen/vtpm.h>

#include "kselftest.h"

/* The errno of a call that fails; 0 if it does not. */
#define error_of(call)	((call) < 0 ? errno : 0)

/* How long to wait for what a guest has to do, in ms. */
#define PATIENCE	20000

/* What a program needs. Where it is missing the program ends, by KSFT_SKIP. */
#define skip_all(format, ...)					\
	do {							\
		ksft_print_header();				\
		ksft_exit_skip(format "\n", ##__VA_ARGS__);	\
	} while (0)

void need_root(void);
void need_device(const char *path, const char *missing, const char *busy);

/* Memory, processes and descriptors. */
uint8_t *edge(size_t bytes);
short ready(int fd, short events, int ms);
void set_blocking(int fd, bool blocking);
bool await_call(pid_t pid, long number);
int run(const char *variable);

/**
 * enum reading - what became of a child that reads
 * @READING_RETURNED: its read() returned without a signal
 * @READING_LOST: it did not come to its read(), or not back to it
 * @READING_NOT_RESTARTED: a signal with SA_RESTART ended its read()
 * @READING_AS_IT_SHOULD: restarted by that signal, EINTR by one without
 */
enum reading {
	READING_RETURNED,
	READING_LOST,
	READING_NOT_RESTARTED,
	READING_AS_IT_SHOULD,
};

enum reading read_under_signals(int fd);

/* /dev/vtpm. */
struct request {
	struct vtpm_request header;
	uint8_t body[VTPM_MAX_TRANSFER];
};

/* One byte more than anybody may write. */
struct response {
	struct vtpm_response header;
	uint8_t body[VTPM_MAX_TRANSFER + 1];
};

int open_controller(void);
int find_frontend(int controller, struct vtpm_info *info);
int info_of(int controller, uint64_t id, struct vtpm_info *info);
int accept_as(int controller, uint64_t id, uint32_t mode, uint32_t features,
	      uint32_t localities);
int serve(int controller, struct vtpm_info *info);
size_t make_response(struct response *response, uint64_t sequence,
		     uint32_t length);
ssize_t answer(int fd, uint64_t sequence);
int answer_begin(int fd, const struct request *request);
ssize_t next_request(int fd, struct request *request);

/* TPM commands. */
uint32_t get_be32(const uint8_t *p);
void put_be32(uint8_t *p, uint32_t value);

#endif
