/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the two halves of the shim. */
#ifndef FUZZ_KERNEL_SHIM_XEN_H
#define FUZZ_KERNEL_SHIM_XEN_H

#include "shim.h"

/* Empties the shared pages and the store; returns the pages as the other side sees them. */
u8 *shim_xen_start(void);

/* Whether this is in a page that is, or was, shared, as the driver sees it. */
bool shim_is_page(const void *at);

#endif
