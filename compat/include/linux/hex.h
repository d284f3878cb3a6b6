/* SPDX-License-Identifier: GPL-2.0-only */
/* hex2bin() and the like were declared in linux/kernel.h. */
#include <linux/kernel.h>
