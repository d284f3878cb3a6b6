// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeping, and work for later. Both are the real ones unless a hook takes them over, so
 * that one task can do, in an order of its own, what several do otherwise.
 */
#include <linux/lockdep.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "double.h"
#include "redirected.h"

/* How long work that is held stays away if nobody runs it. */
#define HELD	(3600 * HZ)

void double_schedule(void)
{
	if (!double_hooks.on_sleep) {
		schedule();
		return;
	}
	__set_current_state(TASK_RUNNING);
	if (!double_hooks.on_sleep())
		double_kill(true);
}

long double_schedule_timeout(long timeout)
{
	if (!double_hooks.on_sleep)
		return schedule_timeout(timeout);
	__set_current_state(TASK_RUNNING);
	return double_hooks.on_sleep() ? timeout : 0;
}

bool double_mod_delayed_work(struct workqueue_struct *queue,
			     struct delayed_work *work, unsigned long delay)
{
	return mod_delayed_work(queue, work,
				delay + (double_hooks.holds_work ? HELD : 0));
}

bool double_schedule_delayed_work(struct delayed_work *work,
				  unsigned long delay)
{
	return schedule_delayed_work(work,
				     delay + (double_hooks.holds_work ? HELD : 0));
}

/**
 * double_run_work() - do work that is held, now and here
 * @work: it may free itself
 *
 * Lockdep takes it for the worker, and sees who waits for the work with a lock that the
 * work takes.
 *
 * Context: process; may sleep.
 * Return: whether it was queued.
 */
bool double_run_work(struct delayed_work *work)
{
	work_func_t run = work->work.func;
#ifdef CONFIG_LOCKDEP
	struct lockdep_map map;
#endif

	if (!cancel_delayed_work(work))
		return false;
#ifdef CONFIG_LOCKDEP
	lockdep_copy_map(&map, &work->work.lockdep_map);
	lock_map_acquire(&map);
#endif
	run(&work->work);
#ifdef CONFIG_LOCKDEP
	lock_map_release(&map);
#endif
	return true;
}

/**
 * double_kill() - let the task that runs have a deadly signal, or take it back
 * @kill: whether it has one
 *
 * Context: process; before it returns to user space it must have been taken back.
 */
void double_kill(bool kill)
{
	spin_lock_irq(&current->sighand->siglock);
	if (kill) {
		sigaddset(&current->pending.signal, SIGKILL);
		set_thread_flag(TIF_SIGPENDING);
	} else {
		sigdelset(&current->pending.signal, SIGKILL);
		recalc_sigpending();
	}
	spin_unlock_irq(&current->sighand->siglock);
}
