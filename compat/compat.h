/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before everything else in a build outside the kernel tree. The
 * drivers are written for the newest kernel; what older ones have otherwise is
 * bent into shape here. compat/Makefile looks into the kernel's headers and
 * defines COMPAT_*, since distributions backport; version numbers are only
 * used for the range that was tried.
 */
#ifndef _XEN_VTPM_COMPAT_H
#define _XEN_VTPM_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "xen-vtpm needs Linux 6.1 or newer (xenbus_setup_ring)"
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 4, 0)
#error "xen-vtpm has not been tried with Linux 7.4 or newer; raise the limit in compat/compat.h once it builds and passes its tests"
#endif

/* send() of a TPM driver gained the size of the buffer in the 6.17 cycle. */
#ifdef COMPAT_TPM_SEND_WITHOUT_BUFSIZ
#define tpmfront_send(chip, buf, bufsiz, len) tpmfront_send(chip, buf, len)
#endif

/* remove() of a xenbus driver returned int before 6.3. */
#ifdef COMPAT_XENBUS_REMOVE_RETURNS_INT
#define compat_remove(name, arg)				\
	name##_void(arg);					\
	static int name(arg)					\
	{							\
		name##_void(xdev);				\
		return 0;					\
	}							\
	static void name##_void(arg)
#define tpmfront_remove(arg) compat_remove(tpmfront_remove, arg)
#define tpmback_remove(arg) compat_remove(tpmback_remove, arg)
#define tpmrogue_remove(arg) compat_remove(tpmrogue_remove, arg)
#endif

#endif
