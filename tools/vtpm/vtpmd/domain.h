/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTPMD_DOMAIN_H
#define VTPMD_DOMAIN_H

#include <stdint.h>

/**
 * domain_exists - does a domain exist?
 * @domid: the domain
 *
 * Asks the xenstore, and waits for its answer for at most half a second.
 *
 * Return: 1; 0, it has gone; a negative errno, nobody knows.
 */
int domain_exists(uint32_t domid);

#endif
