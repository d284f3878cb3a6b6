/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stand-in for the kernel, for tests of vtpmd: it listens on a socket at the place of
 * /dev/vtpm, and the vtpmd of the tests (linked with fake_backend.c) talks to that.
 * Connections are socket pairs, whose other ends the tests hold as the guests.
 */
#ifndef TESTS_FAKE_KERNEL_H
#define TESTS_FAKE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <xen/vtpm.h>

#include "uuid.h"

enum fake_op {
	FAKE_EVENTS,		/* this socket is for events */
	FAKE_ACCEPT,
	FAKE_NEXT,
	FAKE_DOMAIN_EXISTS,
};

struct fake_request {
	uint32_t op;
	uint32_t domid;
	struct vtpm_accept accept;
	struct vtpm_info info;
};

struct fake_reply {
	int32_t ret;
	struct vtpm_info info;
};

struct fake_kernel;

/* Starts a kernel that listens at @path. */
struct fake_kernel *fake_kernel_new(const char *path);
void fake_kernel_free(struct fake_kernel *kernel);

/* A frontend appears; returns its id. */
uint64_t fake_kernel_add(struct fake_kernel *kernel, uint32_t domid, const struct uuid *uuid);
/* A frontend goes. */
void fake_kernel_gone(struct fake_kernel *kernel, uint64_t id);
/* A domain is destroyed: its frontends go, and the xenstore does not know it any more. */
void fake_kernel_destroy(struct fake_kernel *kernel, uint32_t domid);

/* Has anybody an open descriptor of the connection? */
bool fake_kernel_is_accepted(struct fake_kernel *kernel, uint64_t id);
/* Waits up to @ms milliseconds until it has; returns whether it has. */
bool fake_kernel_wait_accepted(struct fake_kernel *kernel, uint64_t id, int ms);
/* What vtpmd accepted the connection with. */
struct vtpm_accept fake_kernel_accepted_with(struct fake_kernel *kernel, uint64_t id);

/* The guest's end of the connection. */
int fake_kernel_guest(struct fake_kernel *kernel, uint64_t id);

#endif
