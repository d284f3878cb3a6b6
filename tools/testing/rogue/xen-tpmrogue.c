// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-tpmrogue: a frontend that does whatever it is told, for tests in a guest.
 *
 * It connects as xen-tpmfront does, unless a parameter says otherwise, and gives
 * /dev/vtpm-rogue:
 *
 *   write   the bytes go to the start of the page as they are, header included,
 *           the state last; then the backend is notified. 8 bytes to 4096.
 *   read    waits until the state in the page is no longer the one written last
 *           (10 s at most: ETIMEDOUT), then returns the page. 4096 bytes.
 *
 * With request_exactly_once there is a second page, and both appear as 8192 bytes. The
 * parameters session and sequence are what is presented when connecting; afterwards
 * a command gets the next sequence from the module, or with hold_sequence the same one
 * again. Bytes that are written reach as far as they go, up to the trailer.
 *
 * There is one device at most. Not for use outside tests, and in no package.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/hex.h>
#include <linux/interrupt.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/interface/io/tpmif.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

static bool version1;
module_param(version1, bool, 0644);
MODULE_PARM_DESC(version1, "Leave feature-protocol-v2 out");

static bool skip_initialised;
module_param(skip_initialised, bool, 0644);
MODULE_PARM_DESC(skip_initialised,
		 "Go to Connected at once, as the mini-os frontend does");

static int ring_ref = -1;
module_param(ring_ref, int, 0644);
MODULE_PARM_DESC(ring_ref, "Grant reference to write instead of the right one");

static int event_channel = -1;
module_param(event_channel, int, 0644);
MODULE_PARM_DESC(event_channel, "Port to write instead of the right one");

static uint extra_pages;
module_param(extra_pages, uint, 0644);
MODULE_PARM_DESC(extra_pages, "nr_extra_pages in the page when connecting");

static bool request_exactly_once;
module_param(request_exactly_once, bool, 0444);
MODULE_PARM_DESC(request_exactly_once,
		 "Ask for the exactly-once extension, with a second page");

static char *session = "";
module_param(session, charp, 0444);
MODULE_PARM_DESC(session, "Session to present, 32 hexadecimal digits");

static ulong sequence;
module_param(sequence, ulong, 0444);
MODULE_PARM_DESC(sequence, "Sequence to present");

static bool hold_sequence;
module_param(hold_sequence, bool, 0644);
MODULE_PARM_DESC(hold_sequence,
		 "Hand in each command with the sequence of the one before");

#define WAIT_MS		10000

static DEFINE_MUTEX(rogue_lock);
static DECLARE_WAIT_QUEUE_HEAD(rogue_wait);

/* Protected by rogue_lock, but for the interrupt, which only wakes. */
static struct vtpm_shared_page *page;
static unsigned int nr_pages;
static grant_ref_t grefs[VTPM_EXTENSION_PAGES];
static u64 last_sequence;
static bool counting;
static evtchn_port_t port;
static int irq;
static u8 last_state;

static irqreturn_t rogue_interrupt(int number, void *data)
{
	wake_up_all(&rogue_wait);
	xen_irq_lateeoi(number, 0);
	return IRQ_HANDLED;
}

static struct vtpm_trailer *rogue_trailer(void)
{
	return (void *)((u8 *)page + VTPM_TRAILER_OFFSET);
}

static bool rogue_is_extended(void)
{
	return nr_pages == VTPM_EXTENSION_PAGES;
}

/* All that may be written from outside. */
static size_t rogue_size(void)
{
	return rogue_is_extended() ? VTPM_TRAILER_OFFSET : VTPM_SHARED_PAGE_SIZE;
}

/* Whoever presented no session counts on from what the backend has written. */
static void rogue_count(void)
{
	if (!counting)
		last_sequence = READ_ONCE(rogue_trailer()->sequence);
	counting = true;
	if (!READ_ONCE(hold_sequence))
		last_sequence++;
	WRITE_ONCE(rogue_trailer()->sequence, last_sequence);
}

static void rogue_put(const u8 *bytes, size_t count)
{
	const struct vtpm_shared_page *header = (const void *)bytes;

	memcpy((u8 *)page + sizeof(*page), bytes + sizeof(*page),
	       count - sizeof(*page));
	if (rogue_is_extended() && header->state == VTPM_STATE_SUBMIT)
		rogue_count();
	WRITE_ONCE(page->length, header->length);
	WRITE_ONCE(page->locality, header->locality);
	WRITE_ONCE(page->pad, header->pad);
	WRITE_ONCE(page->nr_extra_pages, header->nr_extra_pages);
	/* The packet comes before the state; pairs with the reader's virt_rmb(). */
	virt_wmb();
	last_state = header->state;
	WRITE_ONCE(page->state, header->state);
	notify_remote_via_irq(irq);
}

static ssize_t rogue_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	ssize_t ret = count;
	u8 *bytes;

	if (count < sizeof(*page) || count > VTPM_TRAILER_OFFSET)
		return -EINVAL;
	bytes = memdup_user(buf, count);
	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	mutex_lock(&rogue_lock);
	if (!page)
		ret = -ENOTCONN;
	else if (count > rogue_size())
		ret = -EINVAL;
	else
		rogue_put(bytes, count);
	mutex_unlock(&rogue_lock);
	kfree(bytes);
	return ret;
}

static bool rogue_changed(void)
{
	bool changed;

	mutex_lock(&rogue_lock);
	changed = !page || READ_ONCE(page->state) != last_state;
	mutex_unlock(&rogue_lock);
	return changed;
}

/* The condition takes a mutex, so it cannot be one of wait_event()'s. */
static int rogue_wait_change(void)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long left = msecs_to_jiffies(WAIT_MS);

	add_wait_queue(&rogue_wait, &wait);
	while (!rogue_changed() && left && !signal_pending(current))
		left = wait_woken(&wait, TASK_INTERRUPTIBLE, left);
	remove_wait_queue(&rogue_wait, &wait);
	if (rogue_changed())
		return 0;
	return left ? -EINTR : -ETIMEDOUT;
}

static ssize_t rogue_read(struct file *file, char __user *buf, size_t count,
			  loff_t *pos)
{
	ssize_t ret = rogue_wait_change();

	if (ret)
		return ret;
	mutex_lock(&rogue_lock);
	count = min_t(size_t, count, nr_pages * VTPM_SHARED_PAGE_SIZE);
	if (!page)
		ret = -ENOTCONN;
	else
		ret = copy_to_user(buf, page, count) ? -EFAULT : count;
	mutex_unlock(&rogue_lock);
	return ret;
}

static const struct file_operations rogue_fops = {
	.owner = THIS_MODULE,
	.read = rogue_read,
	.write = rogue_write,
};

static struct miscdevice rogue_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vtpm-rogue",
	.fops = &rogue_fops,
	.mode = 0600,
};

static int rogue_write_nodes(struct xenbus_device *xdev)
{
	const char *dir = xdev->nodename;
	int err;

	err = xenbus_printf(XBT_NIL, dir, "ring-ref", "%u",
			    ring_ref < 0 ? grefs[0] : ring_ref);
	if (!err)
		err = xenbus_printf(XBT_NIL, dir, "event-channel", "%u",
				    event_channel < 0 ? port : event_channel);
	if (!err)
		err = xenbus_printf(XBT_NIL, dir, "request-exactly-once", "%u",
				    request_exactly_once);
	if (err)
		return err;
	if (!version1)
		return xenbus_printf(XBT_NIL, dir, "feature-protocol-v2", "1");
	/* It may be there from an earlier life. */
	xenbus_rm(XBT_NIL, dir, "feature-protocol-v2");
	return 0;
}

static void rogue_down(void)
{
	void *old;

	mutex_lock(&rogue_lock);
	old = page;
	page = NULL;
	mutex_unlock(&rogue_lock);
	wake_up_all(&rogue_wait);
	if (!old)
		return;
	unbind_from_irqhandler(irq, &rogue_device);
	xenbus_teardown_ring(&old, nr_pages, grefs);
}

/* What is in the pages before the backend sees them. */
static int rogue_present(void)
{
	struct vtpm_trailer *trailer = rogue_trailer();

	page->nr_extra_pages = extra_pages;
	last_state = VTPM_STATE_IDLE;
	counting = false;
	if (!rogue_is_extended())
		return 0;
	page->nr_extra_pages = extra_pages ?: nr_pages - 1;
	page->extra_pages[0] = grefs[1];
	if (!*session)
		return 0;
	if (strlen(session) != 2 * sizeof(trailer->session) ||
	    hex2bin(trailer->session, session, sizeof(trailer->session)))
		return -EINVAL;
	trailer->sequence = sequence;
	last_sequence = sequence;
	counting = true;
	return 0;
}

static int rogue_up(struct xenbus_device *xdev)
{
	void *new;
	int err;

	nr_pages = request_exactly_once ? VTPM_EXTENSION_PAGES : 1;
	err = xenbus_setup_ring(xdev, GFP_KERNEL, &new, nr_pages, grefs);
	if (err)
		return err;
	err = xenbus_alloc_evtchn(xdev, &port);
	if (err)
		goto err_ring;
	irq = bind_evtchn_to_irqhandler_lateeoi(port, rogue_interrupt, 0,
						KBUILD_MODNAME, &rogue_device);
	if (irq < 0) {
		err = irq;
		xenbus_free_evtchn(xdev, port);
		goto err_ring;
	}
	mutex_lock(&rogue_lock);
	page = new;
	err = rogue_present();
	mutex_unlock(&rogue_lock);
	if (!err)
		err = rogue_write_nodes(xdev);
	if (err)
		goto err_down;
	return xenbus_switch_state(xdev, skip_initialised ?
				   XenbusStateConnected :
				   XenbusStateInitialised);

err_down:
	rogue_down();
	return err;
err_ring:
	xenbus_teardown_ring(&new, nr_pages, grefs);
	return err;
}

static void tpmrogue_backend_changed(struct xenbus_device *xdev,
				     enum xenbus_state state)
{
	switch (state) {
	case XenbusStateInitWait:
		if (xdev->state == XenbusStateInitialising && rogue_up(xdev))
			pr_err("cannot connect\n");
		break;
	case XenbusStateConnected:
		if (xdev->state == XenbusStateInitialised)
			xenbus_switch_state(xdev, XenbusStateConnected);
		break;
	case XenbusStateClosing:
	case XenbusStateClosed:
		/* The backend may not have seen yet that we start anew. */
		if (xdev->state == XenbusStateInitialising)
			break;
		rogue_down();
		xenbus_frontend_closed(xdev);
		break;
	default:
		break;
	}
}

static int tpmrogue_probe(struct xenbus_device *xdev,
			  const struct xenbus_device_id *id)
{
	return xenbus_switch_state(xdev, XenbusStateInitialising);
}

static void tpmrogue_remove(struct xenbus_device *xdev)
{
	rogue_down();
}

static const struct xenbus_device_id tpmrogue_ids[] = {
	{ "vtpm" },
	{ "" }
};

static struct xenbus_driver tpmrogue_driver = {
	.name = "xen-tpmrogue",
	.ids = tpmrogue_ids,
	.not_essential = true,
	.probe = tpmrogue_probe,
	.remove = tpmrogue_remove,
	.otherend_changed = tpmrogue_backend_changed,
};

/* Registering waits for devices that do not connect, and some shall not. */
static bool rogue_registered;

static void rogue_register(struct work_struct *work)
{
	rogue_registered = !xenbus_register_frontend(&tpmrogue_driver);
}

static DECLARE_WORK(rogue_work, rogue_register);

static int __init tpmrogue_init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	err = misc_register(&rogue_device);
	if (err)
		return err;
	queue_work(system_long_wq, &rogue_work);
	return 0;
}
module_init(tpmrogue_init);

static void __exit tpmrogue_exit(void)
{
	cancel_work_sync(&rogue_work);
	if (rogue_registered)
		xenbus_unregister_driver(&tpmrogue_driver);
	misc_deregister(&rogue_device);
}
module_exit(tpmrogue_exit);

MODULE_DESCRIPTION("Hostile frontend for tests of xen-tpmback");
MODULE_LICENSE("GPL");
