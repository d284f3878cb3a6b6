/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xen-tpmfront: what its parts share.
 *
 * xen-tpmfront-bus.c   the device: probe, state changes, suspend, resume, remove
 * xen-tpmfront-link.c  the page's grants, the event channel, the xenstore
 * xen-tpmfront-page.c  the command in the shared page; the only file that touches it
 * xen-tpmfront-chip.c  what the TPM core sees: send, receive, cancel; its registration
 *
 * Two lives are kept apart. The chip belongs to the TPM core and is registered
 * when the TPM has answered for the first time. The link is the page
 * and the event channel; it goes down and comes up again (the guest resumes elsewhere,
 * the backend restarts) while the chip stays, so that open files stay valid.
 *
 * The interrupt takes the answer out of the page, send() only sleeps until it has.
 * The TPM core is told that this device has an interrupt, or it would poll every
 * few milliseconds.
 *
 * With the exactly-once extension a command stays under way until its response is
 * there, whatever happens to the link: it is kept, numbered, and handed in again.
 * A suspend closes a gate for new commands, waits for the one under way and
 * lets the backend bring the TPM's state into its store, each for a bounded time.
 * See Documentation/exactly-once.md.
 *
 * The backend is not trusted: each field of the page is read once, lengths are
 * clamped, and only private copies are used. See Documentation/protocol.md.
 *
 * Who may do what: tpmfront_link_up() and tpmfront_link_down() are called by xenwatch, or by
 * remove and a failed probe when xenwatch cannot be there; so they never meet. A suspend runs in xenwatch
 * too, and so does not see the backend's state change: it waits for interrupts only.
 * The TPM core sends one command at a time. The lock protects everything that
 * the interrupt touches.
 */
#ifndef _XEN_TPMFRONT_H
#define _XEN_TPMFRONT_H

#include <linux/spinlock.h>
#include <linux/tpm.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <xen/grant_table.h>
#include <xen/interface/io/tpmif.h>
#include <xen/xenbus.h>

/**
 * enum tpmfront_answer - what became of a command
 * @ANSWER_NONE: it is still in the page
 * @ANSWER_RESPONSE: a response was taken
 * @ANSWER_DROPPED: the backend dropped it (cancelled)
 * @ANSWER_LOST: the link went down under it
 */
enum tpmfront_answer {
	ANSWER_NONE,
	ANSWER_RESPONSE,
	ANSWER_DROPPED,
	ANSWER_LOST,
};

/**
 * enum tpmfront_extension - whether the exactly-once extension is in use
 * @EXTENSION_UNDECIDED: the backend has not connected yet
 * @EXTENSION_OFF: no; and not later either, whatever another backend offers
 * @EXTENSION_ON: yes, and from now on always
 */
enum tpmfront_extension {
	EXTENSION_UNDECIDED,
	EXTENSION_OFF,
	EXTENSION_ON,
};

/**
 * struct tpmfront - one vTPM device
 * @xdev: its xenbus device
 * @register_work: registers the chip once the TPM can be asked
 * @register_pause: before the next attempt, in seconds
 *
 * @chip: the chip, from its first successful registration until remove
 *
 * @grefs: grant references of the pages
 * @nr_pages: number of pages that are granted
 * @port: our end of the event channel
 *
 * @wait: send() sleeps here
 * @lock: protects all below
 * @page: the pages, while the link is set up
 * @irq: of the event channel
 * @extension: whether the extension is in use
 * @connected: the backend has connected
 * @suspended: the gate is closed: no new command is handed in
 * @removed: the device is going away; nothing may wait any more
 * @in_flight: a command has been handed in and has no answer
 * @quiescing: the backend was asked to quiesce and has not answered
 * @complained: the backend's first bad state has been logged
 * @answer: of the command that was sent last
 * @session: our session, a secret; zeroes without one
 * @sequence: number of the last command that was handed in
 * @submitted: when that was, in jiffies
 * @answered: and of the last one that the TPM has answered
 * @again: the command under way was handed in on an earlier link already
 * @command_length: bytes of @command
 * @command: the command under way
 * @length: bytes of @response; behind them it is zero
 * @response: the response, taken from the page
 */
struct tpmfront {
	struct xenbus_device *xdev;
	struct delayed_work register_work;
	unsigned int register_pause;

	struct tpm_chip *chip;

	grant_ref_t grefs[VTPM_EXTENSION_PAGES];
	unsigned int nr_pages;
	evtchn_port_t port;

	wait_queue_head_t wait;
	spinlock_t lock;
	struct vtpm_shared_page *page;
	unsigned int irq;
	enum tpmfront_extension extension;
	bool connected;
	bool suspended;
	bool removed;
	bool in_flight;
	bool quiescing;
	bool complained;
	enum tpmfront_answer answer;
	u8 session[sizeof_field(struct vtpm_trailer, session)];
	u64 sequence;
	unsigned long submitted;
	u64 answered;
	bool again;
	u32 command_length;
	u8 command[VTPM_PACKET_MAX];
	u32 length;
	u8 response[VTPM_PACKET_MAX];
};

/* Whether the exactly-once extension is in use; fixed once the backend has connected. */
static inline bool tpmfront_is_extended(const struct tpmfront *front)
{
	return front->extension == EXTENSION_ON;
}

/* Bytes of the largest command or response. */
static inline u32 tpmfront_capacity(const struct tpmfront *front)
{
	return tpmfront_is_extended(front) ? VTPM_PACKET_MAX :
					     VTPM_PACKET_MAX_SINGLE;
}

/* xen-tpmfront-page.c */
void tpmfront_page_present(struct tpmfront *front,
			   struct vtpm_shared_page *page);
void tpmfront_page_open(struct tpmfront *front);
void *tpmfront_page_close(struct tpmfront *front);
void tpmfront_page_submit(struct tpmfront *front);
void tpmfront_page_cancel(struct tpmfront *front);
void tpmfront_page_control(struct tpmfront *front, u32 control);
bool tpmfront_page_look(struct tpmfront *front);
void tpmfront_settle(struct tpmfront *front, enum tpmfront_answer answer);

/* xen-tpmfront-link.c */
int tpmfront_link_up(struct tpmfront *front);
void tpmfront_link_connected(struct tpmfront *front);
void tpmfront_link_down(struct tpmfront *front);

/* xen-tpmfront-chip.c */
void tpmfront_chip_init(struct tpmfront *front);
void tpmfront_chip_exit(struct tpmfront *front);
bool tpmfront_is_answered(struct tpmfront *front);

#endif
