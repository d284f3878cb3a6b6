/* SPDX-License-Identifier: GPL-2.0-only */
/* The two halves of the target "backend": what is done, and what has to hold. */
#ifndef FUZZ_BACKEND_H
#define FUZZ_BACKEND_H

#define SHIM_ITSELF
#include "kernel/steps.h"
#include "tpmback.h"

#define MAX_DEVICES	3U

/**
 * struct engine - what has been seen through a descriptor
 * @raw: it is in raw mode
 * @localities: allowed
 * @features: offered to the guest
 * @begun: BEGIN has been answered
 * @asked: a request has been read and not been answered
 * @setting: and it is a command that sets the locality
 * @kind: of the request
 * @locality: that a raw engine was set to
 * @set: and will be set to, if it says so
 * @sequence: of the request
 * @begin: the last BEGIN
 * @reads: how many requests were read
 * @writing: a call of write() is under way
 * @answering: it can be an answer: @asked was set when it began, or has been since
 * @reads_before: @reads when that was so
 * @answered: the guest has been given this answer
 * @answer: what is written last
 * @size: its bytes
 */
struct engine {
	bool raw;
	uint32_t localities;
	uint32_t features;
	bool begun;
	bool asked;
	bool setting;
	uint8_t kind;
	uint8_t locality;
	uint8_t set;
	uint64_t sequence;
	struct vtpm_begin begin;
	unsigned int reads;
	bool writing;
	bool answering;
	unsigned int reads_before;
	bool answered;
	uint8_t answer[STEP_MAX_REQUEST + 64];
	size_t size;
};

extern struct engine engines[SHIM_FDS];
extern struct file *controller;
extern unsigned int controller_busy, device_count, accepts;
extern bool watching;

/* backend-check.c */
void check_start(void);
struct tpmback_conn *check_conn(void);
void check_event(const struct vtpm_event *event);
void check_info(const struct vtpm_info *info);
void check_request(unsigned int fd, const uint8_t *packet, size_t size);
void check_answer_begins(unsigned int fd, size_t size);
void check_answer_ends(unsigned int fd, ssize_t done, size_t size);
void check_drained(struct tpmback_conn *conn);

/**
 * watched - xenwatch tells the driver of a change
 * @callback: of the driver's own watch; NULL: the frontend's state, which is in the step
 * @step: the step
 */
void watched(void (*callback)(struct xenbus_watch *watch, const char *path, const char *token),
	     const struct step *step);

#endif
