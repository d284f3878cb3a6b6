// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors, and the device in /dev. */
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/slab.h>

#include "double.h"
#include "redirected.h"

#define RESERVED	((struct file *)1)

static DEFINE_SPINLOCK(files_lock);	/* protects the table */
static struct file *files[DOUBLE_MAX];
static atomic_t held;
static struct miscdevice *misc;

static struct file *file_new(const struct file_operations *fops, void *data,
			     unsigned int flags)
{
	struct file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return NULL;
	file->f_op = fops;
	file->f_flags = flags;
	file->private_data = data;
	atomic_inc(&held);
	return file;
}

static void file_free(struct file *file)
{
	atomic_dec(&held);
	kfree(file);
}

/**
 * double_open() - open a device
 * @fops: its operations
 * @flags: O_*
 *
 * Return: the file, for double_release(); or an ERR_PTR with what open() says.
 */
struct file *double_open(const struct file_operations *fops, unsigned int flags)
{
	struct file *file = file_new(fops, NULL, flags);
	int err;

	if (!file)
		return ERR_PTR(-ENOMEM);
	err = fops->open(NULL, file);
	if (!err)
		return file;
	file_free(file);
	return ERR_PTR(err);
}

int double_release(struct file *file)
{
	int err = file->f_op->release(NULL, file);

	file_free(file);
	return err;
}

static bool fd_is_valid(int fd)
{
	return fd >= DOUBLE_FIRST_FD && fd < DOUBLE_FIRST_FD + DOUBLE_MAX;
}

struct file *double_file(int fd)
{
	struct file *file = fd_is_valid(fd) ? files[fd - DOUBLE_FIRST_FD] : NULL;

	return file == RESERVED ? NULL : file;
}

/**
 * double_close() - close a descriptor, the last copy
 * @fd: a descriptor
 *
 * Return: what release() says, -EBADF if there is none.
 */
int double_close(int fd)
{
	struct file *file = double_file(fd);

	if (!file)
		return -EBADF;
	spin_lock(&files_lock);
	files[fd - DOUBLE_FIRST_FD] = NULL;
	spin_unlock(&files_lock);
	return double_release(file);
}

int double_get_unused_fd_flags(unsigned int flags)
{
	int i, fd = -EMFILE;

	might_sleep();
	if (flags != O_CLOEXEC)
		double_wrong("a descriptor that is not close-on-exec");
	if (double_fails("get_unused_fd_flags"))
		return fd;
	spin_lock(&files_lock);
	for (i = 0; i < DOUBLE_MAX && fd < 0; i++) {
		if (!files[i]) {
			files[i] = RESERVED;
			fd = DOUBLE_FIRST_FD + i;
		}
	}
	spin_unlock(&files_lock);
	return fd;
}

void double_put_unused_fd(unsigned int fd)
{
	spin_lock(&files_lock);
	if (!fd_is_valid(fd) || files[fd - DOUBLE_FIRST_FD] != RESERVED)
		double_wrong("put_unused_fd(%u) of one that is in use", fd);
	else
		files[fd - DOUBLE_FIRST_FD] = NULL;
	spin_unlock(&files_lock);
}

struct file *double_anon_inode_getfile(const char *name,
				       const struct file_operations *fops,
				       void *data, int flags)
{
	struct file *file;

	might_sleep();
	if (double_fails("anon_inode_getfile"))
		return ERR_PTR(-ENFILE);
	file = file_new(fops, data, flags | O_NONBLOCK);
	return file ?: ERR_PTR(-ENOMEM);
}

void double_fd_install(unsigned int fd, struct file *file)
{
	spin_lock(&files_lock);
	if (!fd_is_valid(fd) || files[fd - DOUBLE_FIRST_FD] != RESERVED)
		double_wrong("fd_install(%u) of one that was not reserved", fd);
	else
		files[fd - DOUBLE_FIRST_FD] = file;
	spin_unlock(&files_lock);
}

int double_misc_register(struct miscdevice *device)
{
	if (double_fails("misc_register"))
		return -ENOMEM;
	misc = device;
	return 0;
}

void double_misc_deregister(struct miscdevice *device)
{
	if (misc != device)
		double_wrong("misc_deregister() of what is not registered");
	misc = NULL;
}

struct miscdevice *double_misc(void)
{
	return misc;
}

/* Reserved numbers count too: a failed accept gives its number back. */
int double_files_held(void)
{
	int i, reserved = 0;

	for (i = 0; i < DOUBLE_MAX; i++)
		reserved += READ_ONCE(files[i]) == RESERVED;
	return atomic_read(&held) + reserved + !!misc;
}

void double_files_reset(void)
{
	memset(files, 0, sizeof(files));
	atomic_set(&held, 0);
	misc = NULL;
}
