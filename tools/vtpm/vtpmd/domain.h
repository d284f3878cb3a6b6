/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hypervisor and the xenstore know of other domains. Tests link another
 * implementation.
 */
#ifndef VTPMD_DOMAIN_H
#define VTPMD_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "log.h"

/* 16 random bytes in hexadecimal, and a zero. */
#define DOMAIN_TOKEN_SIZE	33

struct domains;

/**
 * struct domain_info - a domain, as the hypervisor sees it
 * @known: somebody could tell; the other members mean nothing without
 * @exists: there is a domain with this id
 * @dying: it is being destroyed
 * @suspended: it has shut down with reason "suspend"
 * @soft_reset: it has shut down with reason "soft reset"
 */
struct domain_info {
	bool known;
	bool exists;
	bool dying;
	bool suspended;
	bool soft_reset;
};

/**
 * domains_open - get hold of the xenstore and the hypervisor
 * @log: where to complain, once, about what cannot be reached; it has to stay
 *
 * Return: the handle; without Xen it knows nothing. NULL without memory.
 */
struct domains *domains_open(const struct log *log);

/**
 * domains_close - the reverse of domains_open()
 * @domains: the handle; NULL is allowed
 */
void domains_close(struct domains *domains);

/**
 * domains_fd - what becomes readable when a domain shuts down or goes
 * @domains: the handle
 *
 * Return: a descriptor, for poll() only; -1, there is none.
 */
int domains_fd(const struct domains *domains);

/**
 * domains_drain - take all that has made domains_fd() readable
 * @domains: the handle
 */
void domains_drain(struct domains *domains);

/**
 * domain_look - look at a domain
 * @domains: the handle
 * @domid: the domain
 * @info: the result
 *
 * Where only the xenstore answers (in a driver domain), no domain is ever seen suspended.
 */
void domain_look(struct domains *domains, uint32_t domid, struct domain_info *info);

/**
 * domain_read_token - read what domain_write_token() has written
 * @domains: the handle
 * @domid: the domain
 * @uuid: the vTPM, as text
 * @token: the result
 *
 * Return: 0; -ENOENT, there is none; another negative errno, nobody knows.
 */
int domain_read_token(struct domains *domains, uint32_t domid, const char *uuid,
		      char token[DOMAIN_TOKEN_SIZE]);

/**
 * domain_write_token - mark a domain, so that it is known again
 * @domains: the handle
 * @domid: the domain
 * @uuid: the vTPM, as text
 * @token: the mark
 *
 * It is at /local/domain/DOMID/vtpm/UUID in the xenstore: the guest cannot write there,
 * and it goes with the domain.
 *
 * Return: 0 or a negative errno.
 */
int domain_write_token(struct domains *domains, uint32_t domid, const char *uuid,
		       const char *token);

#endif
