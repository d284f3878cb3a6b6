/* SPDX-License-Identifier: GPL-2.0-only */
/* The doubles' own names; each is described by the function that it stands for. */
#ifndef _VTPM_KUNIT_REDIRECTED_H
#define _VTPM_KUNIT_REDIRECTED_H

#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/miscdevice.h>
#include <linux/tpm.h>
#include <linux/workqueue.h>

#include <xen/grant_table.h>
#include <xen/xenbus.h>

/* double-memory.c */
void *double_kzalloc(size_t size, gfp_t flags);
void double_kfree(const void *p);
void double_kfree_sensitive(const void *p);
void *double_memcpy(void *to, const void *from, size_t size);
void double_has_read(const void *from, size_t size);
unsigned long double_copy_from_user(void *to, const void __user *from,
				    unsigned long size);
unsigned long double_copy_to_user(void __user *to, const void *from,
				  unsigned long size);
int double_put_user(u32 value, u32 __user *to);

/* double-files.c */
struct file *double_anon_inode_getfile(const char *name,
				       const struct file_operations *fops,
				       void *data, int flags);
void double_fd_install(unsigned int fd, struct file *file);
int double_get_unused_fd_flags(unsigned int flags);
void double_put_unused_fd(unsigned int fd);
int double_misc_register(struct miscdevice *misc);
void double_misc_deregister(struct miscdevice *misc);

/* double-sleep.c */
void double_schedule(void);
long double_schedule_timeout(long timeout);
bool double_mod_delayed_work(struct workqueue_struct *queue,
			     struct delayed_work *work, unsigned long delay);
bool double_schedule_delayed_work(struct delayed_work *work,
				  unsigned long delay);

/* double-store.c */
int double_xenbus_exists(struct xenbus_transaction xbt, const char *dir,
			 const char *node);
__printf(4, 5)
int double_xenbus_printf(struct xenbus_transaction xbt, const char *dir,
			 const char *node, const char *fmt, ...);
void *double_xenbus_read(struct xenbus_transaction xbt, const char *dir,
			 const char *node, unsigned int *length);
unsigned int double_xenbus_read_unsigned(const char *dir, const char *node,
					 unsigned int otherwise);
int double_xenbus_rm(struct xenbus_transaction xbt, const char *dir,
		     const char *node);
__scanf(4, 5)
int double_xenbus_scanf(struct xenbus_transaction xbt, const char *dir,
			const char *node, const char *fmt, ...);
int double_xenbus_transaction_start(struct xenbus_transaction *xbt);
int double_xenbus_transaction_end(struct xenbus_transaction xbt, int abort);

/* double-bus.c */
void double_device_unregister(struct device *dev);
void double_unregister_xenbus_watch(struct xenbus_watch *watch);
__printf(3, 4)
void double_xenbus_dev_fatal(struct xenbus_device *xdev, int err,
			     const char *fmt, ...);
int double_xenbus_dev_is_online(struct xenbus_device *xdev);
int double_xenbus_frontend_closed(struct xenbus_device *xdev);
int double_xenbus_register_backend(struct xenbus_driver *driver);
int double_xenbus_register_frontend(struct xenbus_driver *driver);
int double_xenbus_switch_state(struct xenbus_device *xdev,
			       enum xenbus_state state);
void double_xenbus_unregister_driver(struct xenbus_driver *driver);
__printf(5, 6)
int double_xenbus_watch_pathfmt(struct xenbus_device *xdev,
				struct xenbus_watch *watch,
				bool (*will_handle)(struct xenbus_watch *,
						    const char *, const char *),
				void (*callback)(struct xenbus_watch *,
						 const char *, const char *),
				const char *fmt, ...);
bool double_xen_domain(void);

/* double-pages.c */
int double_xenbus_map_ring_valloc(struct xenbus_device *xdev,
				  grant_ref_t *grefs, unsigned int count,
				  void **address);
int double_xenbus_unmap_ring_vfree(struct xenbus_device *xdev, void *address);
int double_xenbus_setup_ring(struct xenbus_device *xdev, gfp_t flags,
			     void **address, unsigned int count,
			     grant_ref_t *grefs);
void double_xenbus_teardown_ring(void **address, unsigned int count,
				 grant_ref_t *grefs);

/* double-lines.c */
int double_bind_evtchn_to_irqhandler_lateeoi(evtchn_port_t port,
					     irq_handler_t handler,
					     unsigned long flags,
					     const char *name, void *data);
int double_bind_interdomain_evtchn_to_irqhandler_lateeoi(struct xenbus_device *xdev,
							 evtchn_port_t port,
							 irq_handler_t handler,
							 unsigned long flags,
							 const char *name,
							 void *data);
void double_notify_remote_via_irq(int irq);
void double_unbind_from_irqhandler(unsigned int irq, void *data);
void double_xen_irq_lateeoi(unsigned int irq, unsigned int flags);
int double_xenbus_alloc_evtchn(struct xenbus_device *xdev, evtchn_port_t *port);
int double_xenbus_free_evtchn(struct xenbus_device *xdev, evtchn_port_t port);

/* double-tpm.c */
bool double_freezing(struct task_struct *task);
void double_put_device(struct device *dev);
int double_tpm2_probe(struct tpm_chip *chip);
unsigned long double_tpm_calc_ordinal_duration(struct tpm_chip *chip,
					       u32 ordinal);
struct tpm_chip *double_tpm_chip_alloc(struct device *dev,
				       const struct tpm_class_ops *ops);
int double_tpm_chip_register(struct tpm_chip *chip);
int double_tpm_chip_start(struct tpm_chip *chip);
void double_tpm_chip_stop(struct tpm_chip *chip);
void double_tpm_chip_unregister(struct tpm_chip *chip);

#endif
