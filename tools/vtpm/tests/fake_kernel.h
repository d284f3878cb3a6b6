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
	FAKE_WATCH,		/* this socket is for domains that shut down or go */
	FAKE_LOOK,
	FAKE_READ_TOKEN,
	FAKE_WRITE_TOKEN,
};

/* What the hypervisor and the xenstore know of a domain. One that was never set runs. */
struct fake_domain {
	uint32_t domid;
	bool gone;
	bool dying;
	bool suspended;
	bool soft_reset;
	char token[33];
};

struct fake_request {
	uint32_t op;
	uint32_t domid;
	char token[33];
	struct vtpm_accept accept;
	struct vtpm_info info;
};

struct fake_reply {
	int32_t ret;
	struct vtpm_info info;
	struct fake_domain domain;
};

struct fake_kernel;

/* Starts a kernel that listens at @path. */
struct fake_kernel *fake_kernel_new(const char *path);
void fake_kernel_free(struct fake_kernel *kernel);

/* A frontend appears; returns its id. */
uint64_t fake_kernel_add(struct fake_kernel *kernel, uint32_t domid, const struct uuid *uuid);
/* A frontend goes. */
void fake_kernel_gone(struct fake_kernel *kernel, uint64_t id);
/* A domain is destroyed: its frontends go, and nobody knows it any more. */
void fake_kernel_destroy(struct fake_kernel *kernel, uint32_t domid);

/* A domain as it is now; only one token for each, whatever the vTPM. */
struct fake_domain fake_kernel_get_domain(struct fake_kernel *kernel, uint32_t domid);
/* Sets it; @tell: who watches domains is told. */
void fake_kernel_set_domain(struct fake_kernel *kernel, const struct fake_domain *domain,
			    bool tell);
/* It suspends, or runs again (of which nobody is told). */
void fake_kernel_suspend(struct fake_kernel *kernel, uint32_t domid, bool suspended);
/* Nobody can ask the hypervisor, or the xenstore. */
void fake_kernel_hide_domains(struct fake_kernel *kernel, bool hidden);

/*
 * What frontends that are accepted with features from now on say of their past: nothing
 * if @begin is NULL. One that is accepted again presents the session that it got, and
 * @sequence.
 */
void fake_kernel_present(struct fake_kernel *kernel, const struct vtpm_begin *begin);
void fake_kernel_sequence(struct fake_kernel *kernel, uint64_t id, uint64_t sequence);
/* Waits for the answer to the BEGIN of the connection's last descriptor. */
bool fake_kernel_wait_begun(struct fake_kernel *kernel, uint64_t id, struct vtpm_begin *answer,
			    int ms);

/* Has anybody an open descriptor of the connection? */
bool fake_kernel_is_accepted(struct fake_kernel *kernel, uint64_t id);
/* Waits up to @ms milliseconds until it has; returns whether it has. */
bool fake_kernel_wait_accepted(struct fake_kernel *kernel, uint64_t id, int ms);
/* What vtpmd accepted the connection with. */
struct vtpm_accept fake_kernel_accepted_with(struct fake_kernel *kernel, uint64_t id);

/* The guest's end of the connection. */
int fake_kernel_guest(struct fake_kernel *kernel, uint64_t id);

#endif
