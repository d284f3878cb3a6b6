// SPDX-License-Identifier: GPL-2.0-only
/*
 * The link: the page's grants, the event channel, and what both sides write of it into the
 * xenstore.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/interrupt.h>
#include <linux/module.h>

#include <xen/events.h>

#include "xen-tpmfront.h"

static bool exactly_once = true;
module_param(exactly_once, bool, 0444);
MODULE_PARM_DESC(exactly_once,
		 "Use the exactly-once extension if the backend offers it (true)");

static irqreturn_t tpmfront_interrupt(int irq, void *data)
{
	unsigned int flags = XEN_EOI_FLAG_SPURIOUS;
	struct tpmfront *front = data;
	unsigned long irqflags;

	spin_lock_irqsave(&front->lock, irqflags);
	if (front->connected && tpmfront_page_look(front))
		flags = 0;
	spin_unlock_irqrestore(&front->lock, irqflags);

	xen_irq_lateeoi(irq, flags);
	return IRQ_HANDLED;
}

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
static void *link_detach(struct tpmfront *front)
{
	void *page;

	spin_lock_irq(&front->lock);
	page = tpmfront_page_close(front);
	front->quiescing = false;
	if (front->in_flight && !tpmfront_is_extended(front))
		tpmfront_settle(front, ANSWER_LOST);
	spin_unlock_irq(&front->lock);
	return page;
}

/**
 * tpmfront_link_down() - let go of the page and the event channel
 * @front: the device, with or without a link
 *
 * The channel is unbound first, so that no interrupt is left to see the page.
 *
 * Context: process; may sleep.
 */
void tpmfront_link_down(struct tpmfront *front)
{
	void *page = link_detach(front);

	if (!page)
		return;
	unbind_from_irqhandler(front->irq, front);
	xenbus_teardown_ring(&page, front->nr_pages, front->grefs);
}

/**
 * tpmfront_link_up() - offer the backend a new page and a new event channel
 * @front: the device, without a link
 *
 * Context: process; may sleep.
 * Return: 0, or a negative errno after xenbus_dev_fatal(); then there is no link.
 */
int tpmfront_link_up(struct tpmfront *front)
{
	void *page;
	int err;

	front->nr_pages = exactly_once && front->extension != EXTENSION_OFF ?
			  VTPM_EXTENSION_PAGES : 1;
	err = xenbus_setup_ring(front->xdev, GFP_NOIO | __GFP_HIGH, &page,
				front->nr_pages, front->grefs);
	if (err)
		goto err_fatal;
	spin_lock_irq(&front->lock);
	tpmfront_page_present(front, page);
	spin_unlock_irq(&front->lock);
	err = link_bind(front);
	if (err)
		goto err_ring;
	err = link_write_nodes(front);
	if (err)
		goto err_link;
	xenbus_switch_state(front->xdev, XenbusStateInitialised);
	return 0;

err_link:
	tpmfront_link_down(front);
	goto err_fatal;
err_ring:
	page = link_detach(front);
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

	if (tpmfront_is_extended(front) && !offered) {
		xenbus_dev_fatal(front->xdev, -EPROTONOSUPPORT,
				 "the backend does not offer the exactly-once extension, which is in use since power-on");
		return -EPROTONOSUPPORT;
	}
	spin_lock_irq(&front->lock);
	if (front->nr_pages == VTPM_EXTENSION_PAGES && offered)
		front->extension = EXTENSION_ON;
	else
		front->extension = EXTENSION_OFF;
	spin_unlock_irq(&front->lock);
	return 0;
}

static void link_open(struct tpmfront *front)
{
	spin_lock_irq(&front->lock);
	tpmfront_page_open(front);
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

/**
 * tpmfront_link_connected() - the backend has connected
 * @front: the device, whose link is up
 *
 * Context: process; may sleep.
 */
void tpmfront_link_connected(struct tpmfront *front)
{
	if (link_check_version(front) || link_settle_extension(front)) {
		tpmfront_link_down(front);
		return;
	}
	link_open(front);
	xenbus_switch_state(front->xdev, XenbusStateConnected);
	schedule_delayed_work(&front->register_work, 0);
}
