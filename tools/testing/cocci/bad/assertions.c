// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bug.h>

static int good(int length)
{
	BUILD_BUG_ON(sizeof(length) != 4);
	lockdep_assert_held(&lock);
	pr_warn("a guest did it\n");
	return length ? 0 : -EINVAL;
}

static int stops_the_kernel(int length)
{
	BUG_ON(length > 4096); /* bad */
	if (length == 1)
		BUG(); /* bad */
	if (length == 2)
		panic("length %d", length); /* bad */
	VM_BUG_ON(length); /* bad */
	return 0;
}

static int warns(int length)
{
	if (WARN_ON_ONCE(length > 4096)) /* bad */
		return -EINVAL;
	if (WARN(length == 1, "length %d", length)) /* bad */
		return -EINVAL;
	WARN_ONCE(length == 2, "length"); /* bad */
	WARN_RATELIMIT(length == 3, "length"); /* bad */
	WARN_ON(!length); /* bad */
	dump_stack(); /* bad */
	return 0;
}
