/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before everything else in the drivers' own files: what they call of
 * Xen, of the TPM core and of memory leads to a double. All headers that they
 * use come first, so that only the drivers' text is affected.
 */
#ifndef _VTPM_KUNIT_REDIRECT_H
#define _VTPM_KUNIT_REDIRECT_H

/* As the drivers have it; it must be there before the headers are. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/freezer.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <asm/sync_bitops.h>

#include <xen/events.h>
#include <xen/platform_pci.h>
#include <xen/xen.h>

#include "double.h"
#include "redirected.h"
#include "tpm.h"

/* The drivers are part of another module here. */
#undef module_init
#undef module_exit
#undef module_param
#undef MODULE_ALIAS
#undef MODULE_DESCRIPTION
#undef MODULE_LICENSE
#undef MODULE_PARM_DESC
#undef MODULE_VERSION
#undef __exit
#undef __init
#define module_init(fn)		int double_##fn(void) __alias(fn)
#define module_exit(fn)		void double_##fn(void) __alias(fn)
#define module_param(name, type, mode)	DOUBLE_PARAM_##type(name)
#define DOUBLE_PARAM_bool(name)	bool * const double_##name = &name
#define DOUBLE_PARAM_uint(name)	unsigned int * const double_##name = &name
#define MODULE_ALIAS(text)
#define MODULE_DESCRIPTION(text)
#define MODULE_LICENSE(text)
#define MODULE_PARM_DESC(name, text)
#define MODULE_VERSION(text)
#define __exit
#define __init

/* Memory; a test can step in after each look at it that these take */
#define kfree				double_kfree
#define kfree_sensitive			double_kfree_sensitive
#define kzalloc				double_kzalloc
#undef memcpy
#define memcpy				double_memcpy
#define get_unaligned_be16(p)					\
({								\
	u16 value__ = (get_unaligned_be16)(p);			\
	double_has_read(p, sizeof(value__));			\
	value__;						\
})
#define get_unaligned_be32(p)					\
({								\
	u32 value__ = (get_unaligned_be32)(p);			\
	double_has_read(p, sizeof(value__));			\
	value__;						\
})
#undef READ_ONCE
#define READ_ONCE(x)						\
({								\
	__unqual_scalar_typeof(x) value__ = __READ_ONCE(x);	\
	double_has_read((const void *)&(x), sizeof(x));	\
	value__;						\
})

/* Files and user memory */
#define anon_inode_getfile		double_anon_inode_getfile
#undef copy_from_user
#define copy_from_user			double_copy_from_user
#undef copy_to_user
#define copy_to_user			double_copy_to_user
#define fd_install			double_fd_install
#define get_unused_fd_flags		double_get_unused_fd_flags
#define misc_deregister			double_misc_deregister
#define misc_register			double_misc_register
#undef put_user
#define put_user			double_put_user
#define put_unused_fd			double_put_unused_fd

/* Sleeping, and work for later */
#define mod_delayed_work		double_mod_delayed_work
#define schedule			double_schedule
#define schedule_delayed_work		double_schedule_delayed_work
#define schedule_timeout		double_schedule_timeout

/* The xenstore */
#define xenbus_exists			double_xenbus_exists
#define xenbus_printf			double_xenbus_printf
#define xenbus_read			double_xenbus_read
#define xenbus_read_unsigned		double_xenbus_read_unsigned
#define xenbus_rm			double_xenbus_rm
#define xenbus_scanf			double_xenbus_scanf
#define xenbus_transaction_end		double_xenbus_transaction_end
#define xenbus_transaction_start	double_xenbus_transaction_start

/* The bus */
#define device_unregister		double_device_unregister
#define unregister_xenbus_watch		double_unregister_xenbus_watch
#define xenbus_dev_fatal		double_xenbus_dev_fatal
#define xenbus_dev_is_online		double_xenbus_dev_is_online
#define xenbus_frontend_closed		double_xenbus_frontend_closed
#undef xenbus_register_backend
#define xenbus_register_backend		double_xenbus_register_backend
#undef xenbus_register_frontend
#define xenbus_register_frontend	double_xenbus_register_frontend
#define xenbus_switch_state		double_xenbus_switch_state
#define xenbus_unregister_driver	double_xenbus_unregister_driver
#define xenbus_watch_pathfmt		double_xenbus_watch_pathfmt
#undef xen_domain
#define xen_domain			double_xen_domain
#undef xen_has_pv_devices
#define xen_has_pv_devices		double_xen_domain

/* Pages */
#define xenbus_map_ring_valloc		double_xenbus_map_ring_valloc
#define xenbus_setup_ring		double_xenbus_setup_ring
#define xenbus_teardown_ring		double_xenbus_teardown_ring
#define xenbus_unmap_ring_vfree		double_xenbus_unmap_ring_vfree

/* Event channels */
#define bind_evtchn_to_irqhandler_lateeoi \
	double_bind_evtchn_to_irqhandler_lateeoi
#define bind_interdomain_evtchn_to_irqhandler_lateeoi \
	double_bind_interdomain_evtchn_to_irqhandler_lateeoi
#define notify_remote_via_irq		double_notify_remote_via_irq
#define unbind_from_irqhandler		double_unbind_from_irqhandler
#define xen_irq_lateeoi			double_xen_irq_lateeoi
#define xenbus_alloc_evtchn		double_xenbus_alloc_evtchn
#define xenbus_free_evtchn		double_xenbus_free_evtchn

/* The TPM core */
#define freezing			double_freezing
#define put_device			double_put_device
#define tpm2_probe			double_tpm2_probe
#define tpm_calc_ordinal_duration	double_tpm_calc_ordinal_duration
#define tpm_chip_alloc			double_tpm_chip_alloc
#define tpm_chip_register		double_tpm_chip_register
#define tpm_chip_start			double_tpm_chip_start
#define tpm_chip_stop			double_tpm_chip_stop
#define tpm_chip_unregister		double_tpm_chip_unregister

#endif
