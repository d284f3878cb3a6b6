// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-tpmfront: the frontend of Xen's virtual TPM; gives a guest /dev/tpm0.
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
 * Who may do what: link_up() and link_down() are called by xenwatch, or by remove and a
 * failed probe when xenwatch cannot be there; so they never meet. A suspend runs in xenwatch
 * too, and so does not see the backend's state change: it waits for interrupts only.
 * The TPM core sends one command at a time. The lock protects everything that
 * the interrupt touches.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/freezer.h>
#include <linux/interrupt.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <asm/sync_bitops.h>

#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/interface/io/tpmif.h>
#include <xen/page.h>
#include <xen/platform_pci.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

#include "tpm.h"

static unsigned int command_timeout_ms = 120000;
module_param(command_timeout_ms, uint, 0644);
MODULE_PARM_DESC(command_timeout_ms,
		 "How long to wait for a response at least, in ms; the durations made for TPM chips do not fit one that writes to disk first (120000)");

static unsigned int cancel_timeout_ms = 10000;
module_param(cancel_timeout_ms, uint, 0644);
MODULE_PARM_DESC(cancel_timeout_ms,
		 "How long to wait until a cancelled command has ended, in ms (10000)");

static unsigned int connect_timeout_ms = 60000;
module_param(connect_timeout_ms, uint, 0644);
MODULE_PARM_DESC(connect_timeout_ms,
		 "How long a command waits for the backend to connect again, in ms (60000)");

static unsigned int drain_timeout_ms = 5000;
module_param(drain_timeout_ms, uint, 0644);
MODULE_PARM_DESC(drain_timeout_ms,
		 "How long a suspend waits for the command under way, in ms (5000)");

static unsigned int quiesce_timeout_ms = 5000;
module_param(quiesce_timeout_ms, uint, 0644);
MODULE_PARM_DESC(quiesce_timeout_ms,
		 "How long a suspend waits for the TPM's state to be stored, in ms (5000)");

static unsigned int freeze_timeout_ms = 8000;
module_param(freeze_timeout_ms, uint, 0644);
MODULE_PARM_DESC(freeze_timeout_ms,
		 "How long a task that is to be frozen goes on waiting for its response first, in ms; those who wait for the TPM behind it cannot be frozen meanwhile, and the kernel gives up after 20 s (8000)");

static bool exactly_once = true;
module_param(exactly_once, bool, 0444);
MODULE_PARM_DESC(exactly_once,
		 "Use the exactly-once extension if the backend offers it (true)");

/* How often a waiting task looks whether it is to be frozen, in ms. */
#define FREEZE_LOOK	250

/* Pauses between attempts to register the chip, in seconds. */
#define REGISTER_PAUSE_MIN	1
#define REGISTER_PAUSE_MAX	64

/* What status() tells the TPM core, which looks at it in old ways of use only. */
enum tpmfront_status {
	STATUS_BUSY = 0x01,
	STATUS_DONE = 0x02,
	STATUS_CANCELED = 0x04,
};

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
 * @answered: and of the last one that the TPM has answered
 * @again: the command under way was handed in on an earlier link already
 * @command_length: bytes of @command
 * @command: the command under way
 * @length: bytes of @response
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
	u64 answered;
	bool again;
	u32 command_length;
	u8 command[VTPM_PACKET_MAX];
	u32 length;
	u8 response[VTPM_PACKET_MAX];
};

/* The page: all of this runs under the lock. */

static bool front_is_extended(const struct tpmfront *front)
{
	return front->extension == EXTENSION_ON;
}

static u8 *page_packet(struct tpmfront *front)
{
	return (u8 *)front->page +
	       VTPM_PACKET_OFFSET(front_is_extended(front) ? 1 : 0);
}

static u32 front_capacity(const struct tpmfront *front)
{
	return front_is_extended(front) ? VTPM_PACKET_MAX :
					  VTPM_PACKET_MAX_SINGLE;
}

/* The page has been granted together with an extra page. */
static struct vtpm_trailer *page_trailer(struct vtpm_shared_page *page)
{
	return (struct vtpm_trailer *)((u8 *)page + VTPM_TRAILER_OFFSET);
}

static void page_submit(struct tpmfront *front)
{
	struct vtpm_shared_page *page = front->page;

	memcpy(page_packet(front), front->command, front->command_length);
	WRITE_ONCE(page->length, front->command_length);
	WRITE_ONCE(page->locality, 0);
	if (front_is_extended(front))
		WRITE_ONCE(page_trailer(page)->sequence, front->sequence);
	/* The packet comes before the state; pairs with the reader's virt_rmb(). */
	virt_wmb();
	WRITE_ONCE(page->state, VTPM_STATE_SUBMIT);
	notify_remote_via_irq(front->irq);
}

static void page_control(struct tpmfront *front, u32 control)
{
	WRITE_ONCE(page_trailer(front->page)->control, control);
	/* Seen before the event. */
	virt_wmb();
	notify_remote_via_irq(front->irq);
}

/* What a frontend has to say of its past, before the backend looks at the page. */
static void page_present(struct tpmfront *front, struct vtpm_shared_page *page)
{
	struct vtpm_trailer *trailer;

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
	memcpy(front->session, trailer->session, sizeof(front->session));
	WRITE_ONCE(trailer->answer, VTPM_CONTROL_NONE);
}

/*
 * Commands and responses hold authorization values; they stay no longer than they
 * must.
 */
static void page_wipe(struct tpmfront *front)
{
	memzero_explicit(page_packet(front), front_capacity(front));
}

static void page_take(struct tpmfront *front)
{
	u32 length;

	/* The state comes before the packet; pairs with the writer's virt_wmb(). */
	virt_rmb();
	length = READ_ONCE(front->page->length);
	front->length = min(length, front_capacity(front));
	memcpy(front->response, page_packet(front), front->length);
	/* The backend disowns responses that are not the TPM's. */
	if (front_is_extended(front) &&
	    READ_ONCE(page_trailer(front->page)->sequence))
		front->answered = front->sequence;
	page_wipe(front);
}

static void front_settle(struct tpmfront *front, enum tpmfront_answer answer)
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

/* Returns whether the event had a cause. */
static bool page_look(struct tpmfront *front)
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
		front_settle(front, ANSWER_RESPONSE);
		return true;
	}
	if (state == VTPM_STATE_IDLE) {
		page_wipe(front);
		/* What an earlier backend did with it this one cannot know. */
		front_settle(front, front->again ? ANSWER_LOST :
						   ANSWER_DROPPED);
		return true;
	}
	return false;
}

static irqreturn_t tpmfront_interrupt(int irq, void *data)
{
	unsigned int flags = XEN_EOI_FLAG_SPURIOUS;
	struct tpmfront *front = data;
	unsigned long irqflags;

	spin_lock_irqsave(&front->lock, irqflags);
	if (front->connected && page_look(front))
		flags = 0;
	spin_unlock_irqrestore(&front->lock, irqflags);

	xen_irq_lateeoi(irq, flags);
	return IRQ_HANDLED;
}

/*
 * Only a SUBMIT may become a CANCEL. A FINISH that the backend writes at the same
 * moment wins.
 */
static void front_cancel(struct tpmfront *front)
{
	spin_lock_irq(&front->lock);
	if (front->connected && front->in_flight &&
	    sync_cmpxchg(&front->page->state, VTPM_STATE_SUBMIT,
			 VTPM_STATE_CANCEL) == VTPM_STATE_SUBMIT)
		notify_remote_via_irq(front->irq);
	spin_unlock_irq(&front->lock);
}

/* Waiting. */

static bool front_is_ready(struct tpmfront *front)
{
	bool ready;

	spin_lock_irq(&front->lock);
	ready = front->removed || (front->connected && !front->in_flight &&
				   !front->suspended);
	spin_unlock_irq(&front->lock);
	return ready;
}

static bool front_is_answered(struct tpmfront *front)
{
	bool answered;

	spin_lock_irq(&front->lock);
	answered = !front->in_flight;
	spin_unlock_irq(&front->lock);
	return answered;
}

static bool front_is_quiesced(struct tpmfront *front)
{
	bool quiesced;

	spin_lock_irq(&front->lock);
	quiesced = !front->quiescing;
	spin_unlock_irq(&front->lock);
	return quiesced;
}

/*
 * Waits for @done, at most @timeout jiffies, or until the task is killed. A task that
 * is to be frozen goes on waiting for a while, so that those who wait for the TPM core's
 * lock behind it get their turn and can be frozen too. Then it lets itself be frozen
 * here, with the lock held: what it waits for is taken by the interrupt.
 *
 * Returns what is left of @timeout, at least 1; 0, it is over; -ERESTARTSYS.
 */
static long front_wait(struct tpmfront *front,
		       bool (*done)(struct tpmfront *front), long timeout)
{
	long grace = msecs_to_jiffies(freeze_timeout_ms);
	unsigned int state = TASK_KILLABLE;
	long left = timeout;
	long slice, rest;

	while (left > 0) {
		slice = min_t(long, left, msecs_to_jiffies(FREEZE_LOOK));
		rest = ___wait_event(front->wait,
				     ___wait_cond_timeout(done(front)), state,
				     0, slice, __ret = schedule_timeout(__ret));
		if (rest)
			return rest < 0 ? rest : left;
		left -= slice;
		if (freezing(current))
			grace -= slice;
		if (grace <= 0)
			state = TASK_KILLABLE | TASK_FREEZABLE_UNSAFE;
	}
	return 0;
}

/* What the TPM core calls. */

/*
 * Waits until the page is ours: the backend has connected, no suspend is under way, and
 * a command that was given up earlier has ended.
 */
static int front_wait_ready(struct tpmfront *front)
{
	long left = front_wait(front, front_is_ready,
			       msecs_to_jiffies(connect_timeout_ms));

	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIME;
}

static int front_submit(struct tpmfront *front, const u8 *command, u32 length)
{
	int err = 0;

	spin_lock_irq(&front->lock);
	if (front->removed)
		err = -EPIPE;
	else if (!front->connected || front->in_flight || front->suspended)
		err = -EAGAIN;
	else if (length > front_capacity(front))
		err = -E2BIG;
	if (!err) {
		front->answer = ANSWER_NONE;
		front->in_flight = true;
		front->again = false;
		front->sequence++;
		memcpy(front->command, command, length);
		front->command_length = length;
		page_submit(front);
	}
	spin_unlock_irq(&front->lock);
	return err;
}

static int front_send(struct tpmfront *front, const u8 *command, u32 length)
{
	int err;

	do {
		err = front_wait_ready(front);
		if (!err)
			err = front_submit(front, command, length);
	} while (err == -EAGAIN);
	return err;
}

static unsigned long front_duration(struct tpm_chip *chip, const u8 *command)
{
	u32 ordinal = get_unaligned_be32(command + 6);

	return max(tpm_calc_ordinal_duration(chip, ordinal),
		   msecs_to_jiffies(command_timeout_ms));
}

static int front_outcome(struct tpmfront *front)
{
	enum tpmfront_answer answer;

	spin_lock_irq(&front->lock);
	answer = front->answer;
	spin_unlock_irq(&front->lock);

	switch (answer) {
	case ANSWER_RESPONSE:
		return 0;
	case ANSWER_DROPPED:
		return -ECANCELED;
	case ANSWER_LOST:
		return -EPIPE;
	default:
		return -ETIME;
	}
}

/*
 * Returns 0 if there is a response after all. One that comes later than this
 * waits for finds nobody, and is thrown away.
 */
static int front_give_up(struct tpmfront *front)
{
	front_cancel(front);
	wait_event_timeout(front->wait, front_is_answered(front),
			   msecs_to_jiffies(cancel_timeout_ms));
	return front_outcome(front);
}

static int tpmfront_send(struct tpm_chip *chip, u8 *buf, size_t bufsiz,
			 size_t len)
{
	struct tpmfront *front = dev_get_drvdata(&chip->dev);
	long left;
	int err;

	if (len < TPM_HEADER_SIZE || len > VTPM_PACKET_MAX)
		return -E2BIG;
	err = front_send(front, buf, len);
	if (err)
		return err;
	left = front_wait(front, front_is_answered, front_duration(chip, buf));
	if (left > 0)
		return front_outcome(front);
	err = front_give_up(front);
	return err && left < 0 ? -EINTR : err;
}

static int tpmfront_recv(struct tpm_chip *chip, u8 *buf, size_t count)
{
	struct tpmfront *front = dev_get_drvdata(&chip->dev);
	int length;

	spin_lock_irq(&front->lock);
	length = front->answer == ANSWER_RESPONSE ? front->length : -EIO;
	if (length > (int)count)
		length = -EIO;
	if (length > 0)
		memcpy(buf, front->response, length);
	front->answer = ANSWER_NONE;
	memzero_explicit(front->response, sizeof(front->response));
	spin_unlock_irq(&front->lock);
	return length;
}

static void tpmfront_cancel(struct tpm_chip *chip)
{
	front_cancel(dev_get_drvdata(&chip->dev));
}

static u8 tpmfront_status(struct tpm_chip *chip)
{
	struct tpmfront *front = dev_get_drvdata(&chip->dev);
	u8 status = STATUS_DONE;

	spin_lock_irq(&front->lock);
	if (front->in_flight)
		status = STATUS_BUSY;
	else if (front->answer == ANSWER_DROPPED)
		status = STATUS_CANCELED;
	spin_unlock_irq(&front->lock);
	return status;
}

static bool tpmfront_req_canceled(struct tpm_chip *chip, u8 status)
{
	return status == STATUS_CANCELED;
}

static const struct tpm_class_ops tpmfront_ops = {
	.flags = TPM_OPS_AUTO_STARTUP,
	.req_complete_mask = STATUS_DONE,
	.req_complete_val = STATUS_DONE,
	.req_canceled = tpmfront_req_canceled,
	.status = tpmfront_status,
	.send = tpmfront_send,
	.recv = tpmfront_recv,
	.cancel = tpmfront_cancel,
};

/* The chip. */

/*
 * No firmware has started this TPM. One that is 1.2, or was started before, answers
 * with an error, which is as good; the TPM core sees to a TPM 1.2 itself.
 */
static int chip_startup(struct tpm_chip *chip)
{
	static const u8 startup_clear[] = {
		0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0,
	};
	u8 buf[sizeof(startup_clear)];
	int err;

	memcpy(buf, startup_clear, sizeof(buf));
	err = tpmfront_send(chip, buf, sizeof(buf), sizeof(buf));
	if (!err)
		err = tpmfront_recv(chip, buf, sizeof(buf));
	return err < 0 ? err : 0;
}

static int chip_probe(struct tpm_chip *chip)
{
	int err = tpm_chip_start(chip);

	if (err)
		return err;
	err = chip_startup(chip);
	if (!err)
		err = tpm2_probe(chip);
	tpm_chip_stop(chip);
	return err;
}

static int front_register_chip(struct tpmfront *front)
{
	struct tpm_chip *chip;
	int err;

	chip = tpm_chip_alloc(&front->xdev->dev, &tpmfront_ops);
	if (IS_ERR(chip))
		return PTR_ERR(chip);
	chip->flags |= TPM_CHIP_FLAG_IRQ;
	dev_set_drvdata(&chip->dev, front);
	err = chip_probe(chip);
	if (!err)
		err = tpm_chip_register(chip);
	if (err) {
		put_device(&chip->dev);
		return err;
	}
	front->chip = chip;
	return 0;
}

/* A chip that failed to register is of no more use; each attempt has its own. */
static void tpmfront_register_work(struct work_struct *work)
{
	struct tpmfront *front = container_of(to_delayed_work(work),
					      struct tpmfront, register_work);
	int err;

	if (front->chip)
		return;
	err = front_register_chip(front);
	if (!err || READ_ONCE(front->removed))
		return;
	dev_err(&front->xdev->dev,
		"the TPM does not answer as it should (error %d), next attempt in %u s; see vtpmctl list on the host\n",
		err, front->register_pause);
	schedule_delayed_work(&front->register_work,
			      front->register_pause * HZ);
	front->register_pause = min(front->register_pause * 2,
				    REGISTER_PAUSE_MAX);
}

/* The link. */

static int link_publish(struct tpmfront *front, struct xenbus_transaction xbt)
{
	const char *dir = front->xdev->nodename;
	int err;

	err = xenbus_printf(xbt, dir, "ring-ref", "%u", front->grefs[0]);
	if (!err)
		err = xenbus_printf(xbt, dir, "event-channel", "%u",
				    front->port);
	if (!err)
		err = xenbus_printf(xbt, dir, "feature-protocol-v2", "%u", 1);
	if (!err)
		err = xenbus_printf(xbt, dir, "request-exactly-once", "%u",
				    front->nr_pages == VTPM_EXTENSION_PAGES);
	return err;
}

static int link_write_nodes(struct tpmfront *front)
{
	struct xenbus_transaction xbt;
	int err;

	do {
		err = xenbus_transaction_start(&xbt);
		if (err)
			return err;
		err = link_publish(front, xbt);
		if (err) {
			xenbus_transaction_end(xbt, 1);
			return err;
		}
		err = xenbus_transaction_end(xbt, 0);
	} while (err == -EAGAIN);
	return err;
}

static int link_bind(struct tpmfront *front)
{
	int irq;
	int err;

	err = xenbus_alloc_evtchn(front->xdev, &front->port);
	if (err)
		return err;
	irq = bind_evtchn_to_irqhandler_lateeoi(front->port,
						tpmfront_interrupt, 0,
						KBUILD_MODNAME, front);
	if (irq < 0) {
		xenbus_free_evtchn(front->xdev, front->port);
		return irq;
	}
	front->irq = irq;
	return 0;
}

/*
 * Takes the page from everybody; returns it for freeing. With the extension a command
 * that is under way stays so, and waits for the next link.
 */
static struct vtpm_shared_page *link_detach(struct tpmfront *front)
{
	struct vtpm_shared_page *page;

	spin_lock_irq(&front->lock);
	page = front->page;
	front->page = NULL;
	front->connected = false;
	front->quiescing = false;
	if (front->in_flight && !front_is_extended(front))
		front_settle(front, ANSWER_LOST);
	spin_unlock_irq(&front->lock);
	return page;
}

/* The channel is unbound first, so that no interrupt is left to see the page. */
static void link_down(struct tpmfront *front)
{
	void *page = link_detach(front);

	if (!page)
		return;
	unbind_from_irqhandler(front->irq, front);
	xenbus_teardown_ring(&page, front->nr_pages, front->grefs);
}

static int link_up(struct tpmfront *front)
{
	void *page;
	int err;

	front->nr_pages = exactly_once && front->extension != EXTENSION_OFF ?
			  VTPM_EXTENSION_PAGES : 1;
	err = xenbus_setup_ring(front->xdev, GFP_NOIO | __GFP_HIGH, &page,
				front->nr_pages, front->grefs);
	if (err)
		goto err_fatal;
	page_present(front, page);
	err = link_bind(front);
	if (err)
		goto err_ring;
	spin_lock_irq(&front->lock);
	front->page = page;
	spin_unlock_irq(&front->lock);
	err = link_write_nodes(front);
	if (err)
		goto err_link;
	xenbus_switch_state(front->xdev, XenbusStateInitialised);
	return 0;

err_link:
	link_down(front);
	goto err_fatal;
err_ring:
	xenbus_teardown_ring(&page, front->nr_pages, front->grefs);
err_fatal:
	xenbus_dev_fatal(front->xdev, err,
			 "setting up the page and the event channel");
	return err;
}

/*
 * The first backend decides for good: what the guest knows of its TPM does not change
 * when it resumes elsewhere. Returns 0, or an errno after xenbus_dev_fatal().
 */
static int link_settle_extension(struct tpmfront *front)
{
	bool offered = xenbus_read_unsigned(front->xdev->otherend,
					    "feature-exactly-once", 0);

	if (front_is_extended(front) && !offered) {
		xenbus_dev_fatal(front->xdev, -EPROTONOSUPPORT,
				 "the backend does not offer the exactly-once extension, which is in use since power-on");
		return -EPROTONOSUPPORT;
	}
	spin_lock_irq(&front->lock);
	if (front->nr_pages == VTPM_EXTENSION_PAGES && offered)
		front->extension = EXTENSION_ON;
	else
		front->extension = EXTENSION_OFF;
	if (!front_is_extended(front))
		WRITE_ONCE(front->page->nr_extra_pages, 0);
	spin_unlock_irq(&front->lock);
	return 0;
}

/* A command that is under way since an earlier link is handed in again. */
static void link_open(struct tpmfront *front)
{
	spin_lock_irq(&front->lock);
	if (front_is_extended(front))
		page_learn(front);
	front->connected = true;
	if (front->in_flight) {
		front->again = true;
		page_submit(front);
	}
	spin_unlock_irq(&front->lock);
	wake_up_all(&front->wait);
}

static int link_check_version(struct tpmfront *front)
{
	if (xenbus_read_unsigned(front->xdev->otherend, "feature-protocol-v2",
				 0))
		return 0;
	xenbus_dev_fatal(front->xdev, -EPROTONOSUPPORT,
			 "the backend does not speak version 2 of the protocol");
	return -EPROTONOSUPPORT;
}

static void link_connected(struct tpmfront *front)
{
	if (link_check_version(front) || link_settle_extension(front)) {
		link_down(front);
		return;
	}
	link_open(front);
	xenbus_switch_state(front->xdev, XenbusStateConnected);
	schedule_delayed_work(&front->register_work, 0);
}

/*
 * The chip stays: the device goes away only when the toolstack removes its
 * directory, and until then the backend may come back.
 */
static void link_closed(struct tpmfront *front)
{
	link_down(front);
	xenbus_frontend_closed(front->xdev);
}

static void tpmfront_backend_changed(struct xenbus_device *xdev,
				     enum xenbus_state state)
{
	struct tpmfront *front = dev_get_drvdata(&xdev->dev);

	switch (state) {
	case XenbusStateInitWait:
		if (xdev->state == XenbusStateClosed)
			xenbus_switch_state(xdev, XenbusStateInitialising);
		if (xdev->state == XenbusStateInitialising)
			link_up(front);
		break;
	case XenbusStateConnected:
		if (xdev->state == XenbusStateInitialised)
			link_connected(front);
		break;
	case XenbusStateClosing:
	case XenbusStateClosed:
		if (xdev->state != XenbusStateClosed &&
		    xdev->state != XenbusStateInitialising)
			link_closed(front);
		break;
	default:
		break;
	}
}

static int tpmfront_probe(struct xenbus_device *xdev,
			  const struct xenbus_device_id *id)
{
	struct tpmfront *front = kzalloc(sizeof(*front), GFP_KERNEL);

	if (!front) {
		xenbus_dev_fatal(xdev, -ENOMEM, "no memory for the device");
		return -ENOMEM;
	}
	front->xdev = xdev;
	front->register_pause = REGISTER_PAUSE_MIN;
	spin_lock_init(&front->lock);
	init_waitqueue_head(&front->wait);
	INIT_DELAYED_WORK(&front->register_work, tpmfront_register_work);
	dev_set_drvdata(&xdev->dev, front);
	/* After a kexec or a reload of the module the backend has to follow. */
	xenbus_switch_state(xdev, XenbusStateInitialising);
	return 0;
}

static void front_mark_removed(struct tpmfront *front)
{
	spin_lock_irq(&front->lock);
	front->removed = true;
	if (front->in_flight)
		front_settle(front, ANSWER_LOST);
	spin_unlock_irq(&front->lock);
	wake_up_all(&front->wait);
}

/*
 * Nothing is sent any more, also not the Shutdown that the TPM core would send:
 * the TPM is not powered off by this, and nobody shall wait here for a backend
 * that may have stopped.
 */
static void tpmfront_remove(struct xenbus_device *xdev)
{
	struct tpmfront *front = dev_get_drvdata(&xdev->dev);

	front_mark_removed(front);
	cancel_delayed_work_sync(&front->register_work);
	if (front->chip) {
		tpm_chip_unregister(front->chip);
		put_device(&front->chip->dev);
	}
	link_down(front);
	dev_set_drvdata(&xdev->dev, NULL);
	kfree_sensitive(front);
}

/* Suspend. */

static void front_close_gate(struct tpmfront *front)
{
	spin_lock_irq(&front->lock);
	front->suspended = true;
	spin_unlock_irq(&front->lock);
}

/* Waits for what the interrupt does; returns whether it was done in time. */
static bool front_await(struct tpmfront *front,
			bool (*done)(struct tpmfront *front), unsigned int ms)
{
	return wait_event_timeout(front->wait, done(front),
				  msecs_to_jiffies(ms)) > 0;
}

static bool front_drain(struct tpmfront *front)
{
	if (!READ_ONCE(front->connected))
		return true;
	return front_await(front, front_is_answered, drain_timeout_ms);
}

static bool front_quiesce(struct tpmfront *front)
{
	spin_lock_irq(&front->lock);
	if (front->connected && front_is_extended(front)) {
		front->quiescing = true;
		page_control(front, VTPM_CONTROL_QUIESCE);
	}
	spin_unlock_irq(&front->lock);
	return front_await(front, front_is_quiesced, quiesce_timeout_ms);
}

/*
 * What cannot be done in time cannot stop the suspend either. With the extension
 * nothing is lost by that: the command is still here, and is handed in again.
 */
static int tpmfront_suspend(struct xenbus_device *xdev)
{
	struct tpmfront *front = dev_get_drvdata(&xdev->dev);
	ktime_t start = ktime_get(), drained, quiesced;
	bool done;

	front_close_gate(front);
	done = front_drain(front);
	drained = ktime_get();
	if (!done && !front_is_extended(front))
		dev_warn(&xdev->dev,
			 "a TPM command is under way at a suspend; its response is lost if the domain is restored\n");
	if (done && !front_quiesce(front))
		dev_notice(&xdev->dev,
			   "the backend has not stored the TPM's state within %u ms, the suspend goes on\n",
			   quiesce_timeout_ms);
	quiesced = ktime_get();
	dev_dbg(&xdev->dev,
		"suspend: drained in %lld us, quiesced in %lld us, hook %lld us\n",
		ktime_us_delta(drained, start),
		ktime_us_delta(quiesced, drained),
		ktime_us_delta(quiesced, start));
	return 0;
}

/*
 * The last thing of every suspend. Where there was no resume it has been cancelled, and the
 * page is the one that the backend still serves; a new page says nothing here.
 */
static void tpmfront_complete(struct device *dev)
{
	struct tpmfront *front = dev_get_drvdata(dev);

	if (!front)
		return;
	spin_lock_irq(&front->lock);
	if (front->suspended && front->connected && front_is_extended(front)) {
		front->quiescing = false;
		page_control(front, VTPM_CONTROL_CONTINUE);
	}
	front->suspended = false;
	spin_unlock_irq(&front->lock);
	wake_up_all(&front->wait);
}

/*
 * A new domain, or the same one after a failed attempt to save it: other grants,
 * another event channel, perhaps another backend. The chip stays.
 */
static int tpmfront_resume(struct xenbus_device *xdev)
{
	struct tpmfront *front = dev_get_drvdata(&xdev->dev);

	link_down(front);
	return link_up(front);
}

static const struct xenbus_device_id tpmfront_ids[] = {
	{ "vtpm" },
	{ "" }
};

/*
 * The bus has no hook for a suspend that was cancelled, the PM core does: it falls back to
 * these where the bus has none of its own.
 */
static const struct dev_pm_ops tpmfront_pm = {
	.complete = tpmfront_complete,
};

static struct xenbus_driver tpmfront_driver = {
	.driver.pm = &tpmfront_pm,
	.name = "xen-tpmfront",
	.ids = tpmfront_ids,
	.not_essential = true,
	.probe = tpmfront_probe,
	.remove = tpmfront_remove,
	.suspend = tpmfront_suspend,
	.resume = tpmfront_resume,
	.otherend_changed = tpmfront_backend_changed,
};

/*
 * Registering a frontend waits up to 30 s for devices that do not connect, and a
 * TPM without a backend must not hold up the boot; so it is done from a work queue.
 */
static bool tpmfront_registered;

static void tpmfront_init_work(struct work_struct *work)
{
	int err = xenbus_register_frontend(&tpmfront_driver);

	if (err)
		pr_err("registering with xenbus failed (error %d); load the module again\n",
		       err);
	tpmfront_registered = !err;
}

static DECLARE_WORK(tpmfront_init_once, tpmfront_init_work);

static int __init tpmfront_init(void)
{
	if (!xen_domain() || !xen_has_pv_devices())
		return -ENODEV;
	queue_work(system_long_wq, &tpmfront_init_once);
	return 0;
}
module_init(tpmfront_init);

static void __exit tpmfront_exit(void)
{
	cancel_work_sync(&tpmfront_init_once);
	if (tpmfront_registered)
		xenbus_unregister_driver(&tpmfront_driver);
}
module_exit(tpmfront_exit);

MODULE_DESCRIPTION("Xen virtual TPM frontend");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("GPL");
MODULE_ALIAS("xen:vtpm");
