// SPDX-License-Identifier: GPL-2.0-only
#include <xen/interface/io/tpmif.h>

struct conn {
	struct vtpm_shared_page *page;
	bool begun;
};

static bool may_ask(struct conn *conn)
{
	bool connected;

	if (conn->page)
		return true;
	if (!conn->page || conn->begun)
		return false;
	while (conn->page)
		conn->begun = true;
	connected = conn->page;
	return connected && conn->page != NULL;
}

static bool may_ask_by_return(struct conn *conn)
{
	return conn->page && conn->begun;
}

static u32 reads_field(struct conn *conn)
{
	return READ_ONCE(conn->page->length); /* bad */
}

static void keeps_pointer(struct conn *conn)
{
	struct vtpm_shared_page *page = conn->page; /* bad */

	WRITE_ONCE(page->state, VTPM_STATE_IDLE); /* bad */
}

static void keeps_pointer_later(struct conn *conn)
{
	struct vtpm_trailer *trailer; /* bad */

	trailer = page_trailer(conn); /* bad */
}

static void copies(struct conn *conn, u8 *to)
{
	memcpy(to, conn->page, 16); /* bad */
	memcpy(to, (u8 *)conn->page + 8, 16); /* bad */
}

static void reckons(struct conn *conn, void *where, u8 *to)
{
	memcpy(to, where + VTPM_PACKET_OFFSET(1), 16); /* bad */
	memcpy(to, where + VTPM_TRAILER_OFFSET, 16); /* bad */
	memcpy(to, ring_packet(conn), 16); /* bad */
}

static u8 casts(void *where)
{
	return ((struct vtpm_shared_page *)where)->state; /* bad */
}

static u8 of_unknown_type(struct unknown *conn)
{
	return conn->page->state; /* bad */
}
