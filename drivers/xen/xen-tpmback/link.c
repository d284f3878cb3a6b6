// SPDX-License-Identifier: GPL-2.0-only
/*
 * The link to a frontend: its pages are mapped and its event channel is bound. What the pages
 * hold is the business of ring.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/interrupt.h>

#include <xen/events.h>

#include "tpmback.h"

/*
 * An event without a cause, and one whose command was refused, is reported as
 * spurious, so that the event-channel code delays a guest that sends many of
 * them. A parked connection gets no EOI: its events stay masked.
 */
static irqreturn_t link_interrupt(int irq, void *data)
{
	bool parked;
	bool news = tpmback_ring_event(data, irq, &parked);

	if (!parked)
		xen_irq_lateeoi(irq, news ? 0 : XEN_EOI_FLAG_SPURIOUS);
	return IRQ_HANDLED;
}

/*
 * Maps the first page to learn of the others. A frontend that asks for the extension has
 * set up an extra page, also where it is not going to be used.
 */
static int link_read_grants(struct xenbus_device *xdev, bool requested,
			    grant_ref_t grefs[VTPM_EXTENSION_PAGES])
{
	void *page;
	u8 extra;
	int err;

	err = xenbus_map_ring_valloc(xdev, grefs, 1, &page);
	if (err) {
		xenbus_dev_fatal(xdev, err, "mapping ring-ref %u", grefs[0]);
		return err;
	}
	extra = tpmback_ring_first_look(page, &grefs[1]);
	xenbus_unmap_ring_vfree(xdev, page);
	if (requested ? extra == 1 : extra == 0)
		return 0;
	xenbus_dev_fatal(xdev, -EPROTO,
			 requested ? "the frontend wants the exactly-once extension with %u extra pages, it needs 1" :
				     "the frontend uses %u extra pages without the exactly-once extension",
			 extra);
	return -EPROTO;
}

static int link_map(struct tpmback_conn *conn, struct xenbus_device *xdev,
		    grant_ref_t grefs[VTPM_EXTENSION_PAGES])
{
	unsigned int count = conn->extended ? VTPM_EXTENSION_PAGES : 1;
	void *page;
	int err;

	err = xenbus_map_ring_valloc(xdev, grefs, count, &page);
	if (err) {
		xenbus_dev_fatal(xdev, err, "mapping %u pages from ring-ref %u",
				 count, grefs[0]);
		return err;
	}
	tpmback_ring_open(conn, page);
	return 0;
}

static void link_unmap(struct tpmback_conn *conn, struct xenbus_device *xdev)
{
	xenbus_unmap_ring_vfree(xdev, tpmback_ring_close(conn));
}

/**
 * tpmback_link_connect() - map a frontend's pages and bind its event channel
 * @conn: a connection that is accepted and not connected
 * @xdev: its device
 * @gref: grant reference of the page
 * @port: the frontend's port
 * @requested: the frontend asks for the exactly-once extension
 *
 * The new event channel is pending from the start, so that the interrupt finds what was
 * submitted before.
 *
 * Context: process; may sleep. The device's lock is held.
 * Return: 0, or a negative errno after xenbus_dev_fatal(); then nothing is left mapped.
 */
int tpmback_link_connect(struct tpmback_conn *conn, struct xenbus_device *xdev,
			 grant_ref_t gref, evtchn_port_t port, bool requested)
{
	grant_ref_t grefs[VTPM_EXTENSION_PAGES] = { gref };
	int err;

	err = link_read_grants(xdev, requested, grefs);
	if (err)
		return err;
	conn->extended = requested && conn->features;
	err = link_map(conn, xdev, grefs);
	if (err)
		return err;
	err = bind_interdomain_evtchn_to_irqhandler_lateeoi(xdev, port,
							    link_interrupt, 0,
							    KBUILD_MODNAME,
							    conn);
	if (err < 0) {
		xenbus_dev_fatal(xdev, err, "binding event-channel %u", port);
		link_unmap(conn, xdev);
		return err;
	}
	tpmback_ring_bound(conn, err);
	return 0;
}

/**
 * tpmback_link_disconnect() - undo tpmback_link_connect()
 * @conn: a connection, connected or not
 * @xdev: its device
 *
 * Context: process; may sleep. The device's lock is held.
 */
void tpmback_link_disconnect(struct tpmback_conn *conn, struct xenbus_device *xdev)
{
	void *page = tpmback_ring_close(conn);

	if (!page)
		return;
	unbind_from_irqhandler(conn->irq, conn);
	xenbus_unmap_ring_vfree(xdev, page);
}
