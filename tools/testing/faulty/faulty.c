// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that does wrong on demand, to see that a kernel with checks finds it.
 * While it is loaded it commits the fault that the parameter names; with "none" all is
 * well. What it says is KTAP, though it is no test of KUnit's: some kernels run these
 * before the parameter has been read.
 */
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *fault = "none";
module_param(fault, charp, 0444);
MODULE_PARM_DESC(fault, "what to do wrong");

static DEFINE_MUTEX(lock_a);
static DEFINE_MUTEX(lock_b);
static DEFINE_SPINLOCK(spinlock);

static void nothing(void)
{
}

static void lock_inversion(void)
{
	mutex_lock(&lock_a);
	mutex_lock(&lock_b);
	mutex_unlock(&lock_b);
	mutex_unlock(&lock_a);

	mutex_lock(&lock_b);
	mutex_lock(&lock_a);
	mutex_unlock(&lock_a);
	mutex_unlock(&lock_b);
}

static void sleep_in_atomic(void)
{
	spin_lock(&spinlock);
	might_sleep();
	spin_unlock(&spinlock);
}

/* Compilers must not see through the pointers of the faults below. */
static char *hidden(void *pointer)
{
	OPTIMIZER_HIDE_VAR(pointer);
	return pointer;
}

/* Without KASAN, it is seen when the object is handed out again. */
static void use_after_free(void)
{
	struct kmem_cache *cache = kmem_cache_create("faulty", 64, 0, 0, NULL);
	char *object, *again;

	if (!cache)
		return;
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	if (object) {
		kmem_cache_free(cache, object);
		WRITE_ONCE(hidden(object)[32], 1);
	}
	again = kmem_cache_alloc(cache, GFP_KERNEL);
	if (again)
		kmem_cache_free(cache, again);
	kmem_cache_destroy(cache);
}

/* Without KASAN, it is seen when the object is freed. */
static void out_of_bounds(void)
{
	char *object = kmalloc(64, GFP_KERNEL);

	if (object)
		WRITE_ONCE(hidden(object)[64], 1);
	kfree(object);
}

static void leak(void)
{
	hidden(kmalloc(64, GFP_KERNEL));
}

static void list_added_twice(void)
{
	LIST_HEAD(list);
	LIST_HEAD(entry);

	list_add(&entry, &list);
	list_add(&entry, &list);
}

static void no_time(struct timer_list *timer)
{
}

static void active_timer_freed(void)
{
	struct timer_list *timer = kzalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, no_time, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
}

static void rcu_without_lock(void)
{
	static void __rcu *pointer;

	(void)rcu_dereference(pointer);
}

/* The kernel's own code is not watched for this, modules of the tests are. */
static void shift_too_far(void)
{
	int bits = 40;
	int value = 1;

	OPTIMIZER_HIDE_VAR(bits);
	value <<= bits;
	OPTIMIZER_HIDE_VAR(value);
}

static unsigned long shared;

static int add_for_a_while(void *unused)
{
	int i;

	for (i = 0; i < 1000000; i++) {
		shared++;
		barrier();
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void racing(void)
{
	struct task_struct *other;

	other = kthread_run(add_for_a_while, NULL, "faulty");
	if (IS_ERR(other))
		return;
	while (READ_ONCE(shared) < 1000000) {
		shared++;
		cond_resched();
	}
	kthread_stop(other);
}

static const struct {
	const char *name;
	void (*commit)(void);
} faults[] = {
	{ "none", nothing },
	{ "lock-inversion", lock_inversion },
	{ "sleep-in-atomic", sleep_in_atomic },
	{ "use-after-free", use_after_free },
	{ "out-of-bounds", out_of_bounds },
	{ "leak", leak },
	{ "list-added-twice", list_added_twice },
	{ "active-timer-freed", active_timer_freed },
	{ "rcu-without-lock", rcu_without_lock },
	{ "shift-too-far", shift_too_far },
	{ "data-race", racing },
};

static int __init faulty_init(void)
{
	size_t n;

	for (n = 0; n < ARRAY_SIZE(faults); n++) {
		if (strcmp(faults[n].name, fault))
			continue;
		pr_info("KTAP version 1\n");
		pr_info("1..1\n");
		faults[n].commit();
		pr_info("ok 1 committed: %s\n", fault);
		return 0;
	}
	pr_err("there is no fault '%s'\n", fault);
	return -EINVAL;
}
module_init(faulty_init);

static void __exit faulty_exit(void)
{
}
module_exit(faulty_exit);

MODULE_DESCRIPTION("Faults for a kernel with checks to find");
MODULE_LICENSE("GPL");
