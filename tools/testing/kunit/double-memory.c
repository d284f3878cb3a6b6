// SPDX-License-Identifier: GPL-2.0-only
/* Memory, the kernel's and user space's. */
#include <linux/slab.h>
#include <linux/string.h>

#include "double.h"
#include "redirected.h"

static atomic_t held;

int double_memory_held(void)
{
	return atomic_read(&held);
}

void *double_kzalloc(size_t size, gfp_t flags)
{
	void *p;

	might_alloc(flags);
	p = double_fails("kzalloc") ? NULL : kzalloc(size, flags);
	if (p)
		atomic_inc(&held);
	return p;
}

void double_kfree(const void *p)
{
	if (p)
		atomic_dec(&held);
	kfree(p);
}

void double_kfree_sensitive(const void *p)
{
	if (p)
		atomic_dec(&held);
	kfree_sensitive(p);
}

void double_has_read(const void *from, size_t size)
{
	if (double_hooks.after_read)
		double_hooks.after_read(from, size);
}

void *double_memcpy(void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	double_has_read(from, size);
	return to;
}

/* User memory may be touched only where one may sleep. */
static bool touches_user(const void *address, const char *what)
{
	might_sleep();
	if (double_hooks.during_copy)
		double_hooks.during_copy();
	return !double_fails(what) && (unsigned long)address >= PAGE_SIZE;
}

unsigned long double_copy_from_user(void *to, const void __user *from,
				    unsigned long size)
{
	const void *p = (const void __force *)from;

	if (!touches_user(p, "copy_from_user")) {
		/* The real one leaves no rest of what was there. */
		memset(to, 0, size);
		return size;
	}
	memcpy(to, p, size);
	return 0;
}

unsigned long double_copy_to_user(void __user *to, const void *from,
				  unsigned long size)
{
	void *p = (void __force *)to;

	if (!touches_user(p, "copy_to_user"))
		return size;
	memcpy(p, from, size);
	return 0;
}

int double_put_user(u32 value, u32 __user *to)
{
	return double_copy_to_user(to, &value, sizeof(value)) ? -EFAULT : 0;
}
