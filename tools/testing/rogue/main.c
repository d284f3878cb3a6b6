// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-tpmrogue: a hostile frontend or backend for tests; in no package.
 *
 * /sys/kernel/debug/xen_tpmrogue takes a command a write, and shows how things stand
 * as words NAME=VALUE. README.md lists the commands.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <xen/xen.h>

#include "rogue.h"

static bool backend;
module_param(backend, bool, 0444);
MODULE_PARM_DESC(backend, "Be the backend instead of the frontend");

#define COMMAND_MAX	2048

DEFINE_MUTEX(rogue_lock);

static const struct rogue_side *side;
static struct dentry *control_file;

static int control_notify(char *arguments)
{
	unsigned int count;

	if (!page_get())
		return -ENOTCONN;
	if (!arguments || kstrtouint(arguments, 0, &count))
		return -EINVAL;
	while (count--)
		page_notify();
	return 0;
}

static int control_execute(char *line)
{
	char *name = strsep(&line, " ");
	char none[] = "";
	char *arguments = line ?: none;

	if (!strcmp(name, "poke"))
		return page_poke(arguments);
	if (!strcmp(name, "notify"))
		return control_notify(arguments);
	if (!strcmp(name, "run"))
		return run_start(arguments);
	if (strcmp(name, "stop"))
		return side->command(name, arguments);
	run_stop();
	return 0;
}

static ssize_t control_write(struct file *file, const char __user *buf,
			     size_t count, loff_t *pos)
{
	char *line;
	int err;

	if (count > COMMAND_MAX)
		return -EINVAL;
	line = memdup_user_nul(buf, count);
	if (IS_ERR(line))
		return PTR_ERR(line);
	mutex_lock(&rogue_lock);
	err = control_execute(strim(line));
	mutex_unlock(&rogue_lock);
	kfree(line);
	return err ? err : count;
}

static int control_show(struct seq_file *file, void *data)
{
	mutex_lock(&rogue_lock);
	seq_printf(file, "side=%s ", side->name);
	page_show(file);
	run_show(file);
	side->show(file);
	mutex_unlock(&rogue_lock);
	seq_putc(file, '\n');
	return 0;
}

static int control_open(struct inode *inode, struct file *file)
{
	return single_open(file, control_show, NULL);
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = control_open,
	.read = seq_read,
	.write = control_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/* Registering waits for devices that do not connect, and some shall not. */
static bool started;

static void start(struct work_struct *work)
{
	started = !side->start();
}

static DECLARE_WORK(start_work, start);

static int __init tpmrogue_init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	side = backend ? &rogue_back : &rogue_front;
	err = page_init();
	if (err)
		return err;
	control_file = debugfs_create_file(KBUILD_MODNAME, 0600, NULL, NULL,
					   &control_fops);
	queue_work(system_long_wq, &start_work);
	return 0;
}
module_init(tpmrogue_init);

static void __exit tpmrogue_exit(void)
{
	debugfs_remove(control_file);
	cancel_work_sync(&start_work);
	if (started)
		side->stop();
	page_exit();
}
module_exit(tpmrogue_exit);

MODULE_DESCRIPTION("Hostile side of a Xen virtual TPM, for tests");
MODULE_LICENSE("GPL");
