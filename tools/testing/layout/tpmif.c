// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our text of the tpmif protocol beside Xen's public header: that this compiles
 * proves that layout and state values agree.
 */
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/tpmif.h>

#include "../../../include/xen/interface/io/tpmif.h"

#define SAME_OFFSET(member)						\
	static_assert(offsetof(struct vtpm_shared_page, member) ==	\
		      offsetof(struct tpmif_shared_page, member),	\
		      "offset of " #member);				\
	static_assert(sizeof(((struct vtpm_shared_page *)0)->member) ==	\
		      sizeof(((struct tpmif_shared_page *)0)->member),	\
		      "size of " #member)

SAME_OFFSET(length);
SAME_OFFSET(state);
SAME_OFFSET(locality);
SAME_OFFSET(pad);
SAME_OFFSET(nr_extra_pages);
static_assert(offsetof(struct vtpm_shared_page, extra_pages) ==
	      offsetof(struct tpmif_shared_page, extra_pages),
	      "offset of extra_pages");

static_assert(sizeof(struct vtpm_shared_page) == sizeof(struct tpmif_shared_page),
	      "size of the header");
static_assert((int)VTPM_STATE_IDLE == (int)TPMIF_STATE_IDLE, "IDLE");
static_assert((int)VTPM_STATE_SUBMIT == (int)TPMIF_STATE_SUBMIT, "SUBMIT");
static_assert((int)VTPM_STATE_FINISH == (int)TPMIF_STATE_FINISH, "FINISH");
static_assert((int)VTPM_STATE_CANCEL == (int)TPMIF_STATE_CANCEL, "CANCEL");

/* Where the packet starts is a matter of code, so it is not in Xen's header. */
static_assert(VTPM_PACKET_OFFSET(0) == sizeof(struct tpmif_shared_page),
	      "the packet follows the header");
static_assert(VTPM_PACKET_MAX_SINGLE == 4088, "bytes in a single page");
