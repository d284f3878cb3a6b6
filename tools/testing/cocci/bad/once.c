// SPDX-License-Identifier: GPL-2.0-only
#include <xen/interface/io/tpmif.h>

struct conn {
	struct vtpm_shared_page *page;
	u32 length;
	u8 session[16];
	bool gone;
};

static void good(struct conn *conn, struct vtpm_trailer *trailer)
{
	conn->length = READ_ONCE(conn->page->length);
	if (conn->length > 4088 || READ_ONCE(conn->gone) || READ_ONCE(conn->gone))
		return;
	ring_copy(conn->session, trailer->session, sizeof(trailer->session));
	memcpy(trailer->session, conn->session, sizeof(trailer->session));
	memcpy(conn->session, trailer->session, sizeof(trailer->session)); /* bad */
	trailer->answer = 1;
	WRITE_ONCE(trailer->sequence, 0);
	WRITE_ONCE(conn->page->length, conn->length);
	sync_cmpxchg(&conn->page->state, VTPM_STATE_SUBMIT, VTPM_STATE_CANCEL);
}

/* The same field in another function is another look. */
static u32 good_too(struct conn *conn)
{
	return READ_ONCE(conn->page->length);
}

static void checks_one_uses_another(struct conn *conn)
{
	if (READ_ONCE(conn->page->length) > 4088)
		return;
	conn->length = READ_ONCE(conn->page->length); /* bad */
}

static bool twice_in_one(struct vtpm_shared_page *page)
{
	return READ_ONCE(page->state) == 1 || READ_ONCE(page->state) == 3; /* bad */
}

static bool through_another_pointer(struct conn *conn)
{
	struct vtpm_shared_page *page = conn->page;
	u8 state = READ_ONCE(page->state);

	return state && READ_ONCE(conn->page->state) == state; /* bad */
}

static void plain(struct conn *conn, struct vtpm_trailer *trailer)
{
	conn->length = conn->page->length; /* bad */
	if (trailer->control == 1) /* bad */
		conn->length = 0;
	conn->length += conn->page->extra_pages[0]; /* bad */
	conn->page->length++; /* bad */
}

static void compares_then_copies(struct conn *conn, struct vtpm_trailer *trailer)
{
	if (trailer->session[0]) /* bad */
		ring_copy(conn->session, trailer->session, sizeof(trailer->session));
	ring_copy(conn->session, trailer->session, sizeof(trailer->session)); /* bad */
}
