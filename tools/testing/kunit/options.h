/* SPDX-License-Identifier: GPL-2.0-only */
/* The parameters of xen-vtpm-kunit-options.ko. */
#ifndef _VTPM_KUNIT_OPTIONS_H
#define _VTPM_KUNIT_OPTIONS_H

extern unsigned long long vtpm_kunit_seed;
extern unsigned int vtpm_kunit_rounds;
extern char *vtpm_kunit_only;

#endif
