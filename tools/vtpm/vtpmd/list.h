/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTPMD_LIST_H
#define VTPMD_LIST_H

#include <jansson.h>

#include "daemon.h"

/**
 * list_vtpms - describe all vTPMs, as vtpmctl(8) documents it
 * @daemon: the daemon
 *
 * Return: a new reference; NULL without memory.
 */
json_t *list_vtpms(const struct daemon *daemon);

/**
 * list_show - describe one vTPM, with all that is known about it
 * @vtpm: the vTPM
 *
 * Return: a new reference; NULL without memory.
 */
json_t *list_show(const struct vtpm *vtpm);

#endif
