// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shared page: puts commands into it and takes responses from it.
 *
 * The other side may write the page at any time, also while it is being read here. So each
 * field is read once, lengths are clamped, the packet is copied once, and only the copy is
 * used. Nothing that was put into the page is ever read back.
 *
 * All of it runs under the device's lock, unless it says otherwise.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/string.h>

#include <asm/sync_bitops.h>

#include <xen/events.h>

#include "xen-tpmfront.h"

static u8 *page_packet(struct tpmfront *front)
{
	return (u8 *)front->page +
	       VTPM_PACKET_OFFSET(tpmfront_is_extended(front) ? 1 : 0);
}

/* The page has been granted together with an extra page. */
static struct vtpm_trailer *page_trailer(struct vtpm_shared_page *page)
{
	return (struct vtpm_trailer *)((u8 *)page + VTPM_TRAILER_OFFSET);
}

/*
 * Without the barrier the compiler may take a later look at the copy for a look at the
 * page, which is not the same thing.
 */
static void page_copy(void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	barrier();
}

/**
 * tpmfront_page_submit() - hand the command that is under way in
 * @front: the device, whose lock is held; it has a page
 *
 * Context: any.
 */
void tpmfront_page_submit(struct tpmfront *front)
{
	struct vtpm_shared_page *page = front->page;

	memcpy(page_packet(front), front->command, front->command_length);
	WRITE_ONCE(page->length, front->command_length);
	WRITE_ONCE(page->locality, 0);
	if (tpmfront_is_extended(front))
		WRITE_ONCE(page_trailer(page)->sequence, front->sequence);
	/* The packet comes before the state; pairs with the reader's virt_rmb(). */
	virt_wmb();
	WRITE_ONCE(page->state, VTPM_STATE_SUBMIT);
	notify_remote_via_irq(front->irq);
}

/**
 * tpmfront_page_control() - ask the backend for something that is no command
 * @front: the device, whose lock is held; the extension is in use
 * @control: VTPM_CONTROL_*
 *
 * Context: any.
 */
void tpmfront_page_control(struct tpmfront *front, u32 control)
{
	WRITE_ONCE(page_trailer(front->page)->control, control);
	/* Seen before the event. */
	virt_wmb();
	notify_remote_via_irq(front->irq);
}

/**
 * tpmfront_page_present() - write what a frontend has to say of its past
 * @front: the device, whose lock is held; it has no pages
 * @page: its new pages, which nobody else knows yet
 *
 * Context: any.
 */
void tpmfront_page_present(struct tpmfront *front, struct vtpm_shared_page *page)
{
	struct vtpm_trailer *trailer;

	front->page = page;
	if (front->nr_pages != VTPM_EXTENSION_PAGES)
		return;
	page->nr_extra_pages = 1;
	page->extra_pages[0] = front->grefs[1];
	trailer = page_trailer(page);
	trailer->sequence = front->sequence;
	trailer->answer = min_t(u64, front->sequence - front->answered, U32_MAX);
	memcpy(trailer->session, front->session, sizeof(trailer->session));
}

/* What the backend says to that; a frontend with a session counts on by itself. */
static void page_learn(struct tpmfront *front)
{
	struct vtpm_trailer *trailer = page_trailer(front->page);

	/* Connected comes before the trailer; pairs with the backend's. */
	virt_rmb();
	if (!memchr_inv(front->session, 0, sizeof(front->session))) {
		front->sequence = READ_ONCE(trailer->sequence);
		front->answered = front->sequence;
	}
	page_copy(front->session, trailer->session, sizeof(front->session));
	WRITE_ONCE(trailer->answer, VTPM_CONTROL_NONE);
}

/*
 * Commands and responses hold authorization values; they stay no longer than they
 * must. No more than these is written: each line of the page that is touched has to come
 * from the other side's processor.
 */
static void page_wipe(struct tpmfront *front, u32 response_length)
{
	memzero_explicit(page_packet(front),
			 max(front->command_length, response_length));
}

/* A response that nobody has received may be longer than this one. */
static void page_take_response(struct tpmfront *front, u32 length)
{
	page_copy(front->response, page_packet(front), length);
	if (front->length > length)
		memzero_explicit(front->response + length,
				 front->length - length);
	front->length = length;
}

static void page_take(struct tpmfront *front)
{
	u32 length;

	/* The state comes before the packet; pairs with the writer's virt_wmb(). */
	virt_rmb();
	length = READ_ONCE(front->page->length);
	page_take_response(front, min(length, tpmfront_capacity(front)));
	/* The backend disowns responses that are not the TPM's. */
	if (tpmfront_is_extended(front) &&
	    READ_ONCE(page_trailer(front->page)->sequence))
		front->answered = front->sequence;
	page_wipe(front, front->length);
}

/**
 * tpmfront_settle() - no command is under way any more
 * @front: the device, whose lock is held
 * @answer: what became of it
 *
 * Context: any.
 */
void tpmfront_settle(struct tpmfront *front, enum tpmfront_answer answer)
{
	front->in_flight = false;
	front->answer = answer;
	memzero_explicit(front->command, front->command_length);
	wake_up_all(&front->wait);
}

static bool page_look_for_quiesce(struct tpmfront *front)
{
	if (!front->quiescing || READ_ONCE(page_trailer(front->page)->answer) !=
				 VTPM_CONTROL_QUIESCE)
		return false;
	front->quiescing = false;
	wake_up_all(&front->wait);
	return true;
}

/**
 * tpmfront_page_look() - see what the backend has written
 * @front: the device, whose lock is held; it is connected
 *
 * Context: any.
 * Return: whether there was something that this frontend waits for.
 */
bool tpmfront_page_look(struct tpmfront *front)
{
	u8 state = READ_ONCE(front->page->state);

	if (state > VTPM_STATE_CANCEL && !front->complained) {
		front->complained = true;
		dev_err(&front->xdev->dev,
			"the backend wrote state %u, which does not exist; commands will time out\n",
			state);
	}
	if (!front->in_flight)
		return page_look_for_quiesce(front);
	if (state == VTPM_STATE_FINISH) {
		page_take(front);
		tpmfront_settle(front, ANSWER_RESPONSE);
		return true;
	}
	if (state == VTPM_STATE_IDLE) {
		page_wipe(front, 0);
		/* What an earlier backend did with it this one cannot know. */
		tpmfront_settle(front, front->again ? ANSWER_LOST :
						   ANSWER_DROPPED);
		return true;
	}
	return false;
}

/**
 * tpmfront_page_cancel() - ask the backend to drop the command
 * @front: the device, whose lock is held; it is connected and a command is under way
 *
 * Only a SUBMIT may become a CANCEL. A FINISH that the backend writes at the same moment
 * wins.
 *
 * Context: any.
 */
void tpmfront_page_cancel(struct tpmfront *front)
{
	if (sync_cmpxchg(&front->page->state, VTPM_STATE_SUBMIT,
			 VTPM_STATE_CANCEL) == VTPM_STATE_SUBMIT)
		notify_remote_via_irq(front->irq);
}

/**
 * tpmfront_page_open() - begin to use a page that the backend has connected to
 * @front: the device, whose lock is held; the extension has been decided on
 *
 * A command that is under way since an earlier link is handed in again.
 *
 * Context: any.
 */
void tpmfront_page_open(struct tpmfront *front)
{
	if (tpmfront_is_extended(front))
		page_learn(front);
	else
		WRITE_ONCE(front->page->nr_extra_pages, 0);
	front->connected = true;
	if (!front->in_flight)
		return;
	front->again = true;
	tpmfront_page_submit(front);
}

/**
 * tpmfront_page_close() - leave nothing in the pages, which are going to be freed
 * @front: the device, whose lock is held
 *
 * A command that no response has come for is there still, and so is the session.
 *
 * Context: any.
 * Return: the pages; NULL if there were none.
 */
void *tpmfront_page_close(struct tpmfront *front)
{
	void *page = front->page;

	front->page = NULL;
	front->connected = false;
	if (page)
		memzero_explicit(page, front->nr_pages * VTPM_SHARED_PAGE_SIZE);
	return page;
}
