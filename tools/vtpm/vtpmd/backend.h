/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's side, /dev/vtpm. Tests link another implementation. */
#ifndef VTPMD_BACKEND_H
#define VTPMD_BACKEND_H

#include <xen/vtpm.h>

#include "error.h"

/**
 * backend_open - become the controller
 * @path: the device
 * @err: filled in on failure: says what to do
 *
 * Return: a non-blocking descriptor, readable when there is an event; a negative errno.
 */
int backend_open(const char *path, struct error *err);

/**
 * backend_read_event - take one event
 * @fd: as backend_open() returned it
 * @event: the result
 *
 * Return: 1; 0, there is none; a negative errno of read(2).
 */
int backend_read_event(int fd, struct vtpm_event *event);

/**
 * backend_accept - accept a connection
 * @fd: as backend_open() returned it
 * @accept: what to accept, and how
 *
 * Return: the connection's descriptor, close-on-exec; a negative errno of
 * VTPM_IOC_ACCEPT.
 */
int backend_accept(int fd, const struct vtpm_accept *accept);

/**
 * backend_next - describe the next connection
 * @fd: as backend_open() returned it
 * @info: as VTPM_IOC_NEXT takes it
 *
 * Return: 0; -ENOENT, that was the last one; a negative errno of VTPM_IOC_NEXT.
 */
int backend_next(int fd, struct vtpm_info *info);

#endif
