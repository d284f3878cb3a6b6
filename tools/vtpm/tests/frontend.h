/* SPDX-License-Identifier: GPL-2.0-only */
/* A frontend with the exactly-once extension, behind a kernel that does what it has to. */
#ifndef TESTS_FRONTEND_H
#define TESTS_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/vtpm.h>

#include "guest.h"

#define FRONTEND_FEATURES	(VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES)

/**
 * struct frontend - the frontend
 * @fd: its connection
 * @resume: it has a session to present
 * @features: what it uses
 * @session: its session
 * @sequence: of the last command that it has handed in
 * @sure: it has the TPM's answer to that one
 * @refused: commands before that one that the backend answered itself
 */
struct frontend {
	int fd;
	bool resume;
	uint32_t features;
	uint8_t session[VTPM_SESSION_SIZE];
	uint64_t sequence;
	bool sure;
	unsigned int refused;
};

/* Connects: BEGIN with what it has. Takes over what the answer says. False: no good answer. */
bool frontend_begin(struct frontend *frontend, int fd);
/* The next command; the TPM's return code or GUEST_NOTHING. */
uint32_t frontend_run(struct frontend *frontend, struct packet packet, struct packet *response);
/* Likewise, for a command whose response does not matter. */
uint32_t frontend_do(struct frontend *frontend, struct packet packet);
/* The last command once more. */
uint32_t frontend_again(struct frontend *frontend, struct packet packet,
			struct packet *response);
/* Hands in without waiting. */
void frontend_send(struct frontend *frontend, uint64_t sequence, const struct packet *packet);
/* QUIESCE or CONTINUE; whether the answer is what it has to be. */
bool frontend_ask(struct frontend *frontend, enum vtpm_request_kind kind);

#endif
