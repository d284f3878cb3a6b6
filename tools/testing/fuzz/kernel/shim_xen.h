/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the two halves of the shim. */
#ifndef FUZZ_KERNEL_SHIM_XEN_H
#define FUZZ_KERNEL_SHIM_XEN_H

#include "shim.h"

/* Empties the shared pages and the store; returns the pages as the other side sees them. */
u8 *shim_xen_start(void);

/* Whether this is in a page that is, or was, shared, as the driver sees it. */
bool shim_is_page(const void *at);

/* What clang calls before each load and store in the drivers. */
void __sanitizer_cov_load1(void *at);
void __sanitizer_cov_load2(void *at);
void __sanitizer_cov_load4(void *at);
void __sanitizer_cov_load8(void *at);
void __sanitizer_cov_load16(void *at);
void __sanitizer_cov_store1(void *at);
void __sanitizer_cov_store2(void *at);
void __sanitizer_cov_store4(void *at);
void __sanitizer_cov_store8(void *at);
void __sanitizer_cov_store16(void *at);

#endif
