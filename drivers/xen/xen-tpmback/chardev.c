// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vtpm: the controller reads events and accepts connections. See
 * Documentation/dev-vtpm.md.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "tpmback.h"

/* Bit 0 is set while somebody has /dev/vtpm open. */
static unsigned long controller;

static int chardev_open(struct inode *inode, struct file *file)
{
	if (test_and_set_bit_lock(0, &controller))
		return -EBUSY;
	return nonseekable_open(inode, file);
}

static int chardev_release(struct inode *inode, struct file *file)
{
	tpmback_connections_forget();
	clear_bit_unlock(0, &controller);
	return 0;
}

static ssize_t chardev_read(struct file *file, char __user *buf, size_t count,
			    loff_t *pos)
{
	struct tpmback_conn *conn;
	struct vtpm_event event;
	ssize_t ret = sizeof(event);
	int err;

	if (count < sizeof(event))
		return -EINVAL;
	while (!(conn = tpmback_connections_next_event(&event))) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = tpmback_connections_wait_for_news();
		if (err)
			return err;
	}
	if (copy_to_user(buf, &event, sizeof(event))) {
		tpmback_connections_untell(conn, event.type);
		ret = -EFAULT;
	}
	tpmback_conn_put(conn);
	return ret;
}

static __poll_t chardev_poll(struct file *file, poll_table *wait)
{
	poll_wait(file, &tpmback_connections_wait, wait);
	return tpmback_connections_have_event() ? EPOLLIN | EPOLLRDNORM : 0;
}

static int chardev_check_policy(const struct vtpm_accept *policy)
{
	const u32 features = VTPM_FEATURE_EXACTLY_ONCE |
			     VTPM_FEATURE_EXTRA_PAGES;

	if (memchr_inv(policy->reserved, 0, sizeof(policy->reserved)))
		return -EINVAL;
	if (policy->mode != VTPM_MODE_NATIVE && policy->mode != VTPM_MODE_RAW)
		return -EINVAL;
	if (!policy->localities || policy->localities & ~TPM_LOCALITY_MASK)
		return -EINVAL;
	if (policy->features & ~features)
		return -EINVAL;
	if (!policy->features)
		return 0;
	/* The trailer is in the extra page, and raw mode has no room for sequences. */
	return policy->features == features && policy->mode == VTPM_MODE_NATIVE ?
	       0 : -EOPNOTSUPP;
}

static long chardev_accept(const void __user *arg)
{
	struct tpmback_conn *conn;
	struct vtpm_accept policy;
	long ret;

	if (copy_from_user(&policy, arg, sizeof(policy)))
		return -EFAULT;
	ret = chardev_check_policy(&policy);
	if (ret)
		return ret;
	conn = tpmback_connections_find(policy.id);
	if (!conn)
		return -ENOENT;
	ret = tpmback_connfd_open(conn, &policy);
	tpmback_conn_put(conn);
	return ret;
}

static long chardev_next(void __user *arg)
{
	struct vtpm_info info;
	int err;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	err = tpmback_connections_info(&info);
	if (err)
		return err;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long chardev_ioctl(struct file *file, unsigned int command,
			  unsigned long arg)
{
	void __user *p = (void __user *)arg;

	switch (command) {
	case VTPM_IOC_GET_ABI:
		return put_user(VTPM_ABI_VERSION, (u32 __user *)p);
	case VTPM_IOC_ACCEPT:
		return chardev_accept(p);
	case VTPM_IOC_NEXT:
		return chardev_next(p);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations chardev_fops = {
	.owner = THIS_MODULE,
	.open = chardev_open,
	.release = chardev_release,
	.read = chardev_read,
	.poll = chardev_poll,
	.unlocked_ioctl = chardev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice chardev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vtpm",
	.fops = &chardev_fops,
	.mode = 0600,
};

/**
 * tpmback_chardev_init() - make /dev/vtpm
 *
 * Context: process; may sleep.
 * Return: 0 or a negative errno.
 */
int tpmback_chardev_init(void)
{
	return misc_register(&chardev);
}

/**
 * tpmback_chardev_exit() - undo tpmback_chardev_init()
 *
 * Context: process; may sleep.
 */
void tpmback_chardev_exit(void)
{
	misc_deregister(&chardev);
}
