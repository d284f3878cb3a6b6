/* SPDX-License-Identifier: GPL-2.0-only */
/* <linux/unaligned.h> was <asm/unaligned.h> before 6.12. */
#include <asm/unaligned.h>
