// SPDX-License-Identifier: GPL-2.0-only
#include <linux/wait.h>

static long good(wait_queue_head_t *wait, struct completion *done)
{
	long left = wait_event_timeout(*wait, ready(), HZ);

	if (left)
		left = wait_event_interruptible_timeout(*wait, ready(), HZ);
	if (left)
		left = wait_event_killable_timeout(*wait, ready(), HZ);
	if (left)
		left = wait_for_completion_timeout(done, HZ);
	wake_up_all(wait);
	return left;
}

static long bad(wait_queue_head_t *wait, struct completion *done)
{
	wait_event(*wait, ready()); /* bad */
	if (wait_event_interruptible(*wait, ready())) /* bad in xenwatch */
		return 1;
	if (wait_event_killable(*wait, ready())) /* bad in xenwatch */
		return 1;
	if (wait_event_freezable(*wait, ready())) /* bad in xenwatch */
		return 1;
	wait_event_lock_irq(*wait, ready(), lock); /* bad */
	wait_for_completion(done); /* bad */
	if (wait_for_completion_interruptible(done)) /* bad in xenwatch */
		return 1;
	schedule(); /* bad */
	return 0;
}
