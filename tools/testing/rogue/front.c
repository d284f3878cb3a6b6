// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frontend. It connects as xen-tpmfront does, unless a parameter says otherwise. With
 * manual=1 it does nothing by itself, neither in the xenstore nor with pages: who
 * tests writes nodes and state as it likes, and has these commands:
 *
 *   up N      grants N pages and allocates an event channel
 *   revoke    ends the grants of pages that nobody has mapped; the pages stay, and the
 *             references are not used again
 *   down      gives all of it back
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hex.h>
#include <linux/module.h>

#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/page.h>
#include <xen/xenbus.h>

#include "rogue.h"

static bool manual;
module_param(manual, bool, 0444);
MODULE_PARM_DESC(manual, "Do nothing that the control file did not ask for");

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

/* Under rogue_lock. */
static struct xenbus_device *front_xdev;
static grant_ref_t grefs[VTPM_EXTENSION_PAGES];
static grant_ref_t revoked[VTPM_EXTENSION_PAGES];
static unsigned int nr_pages;
static evtchn_port_t port;

static void front_free_revoked(void)
{
	int i;

	for (i = 0; i < VTPM_EXTENSION_PAGES; i++) {
		if (revoked[i])
			gnttab_free_grant_reference(revoked[i]);
		revoked[i] = 0;
	}
}

static void front_down(void)
{
	void *pages = page_take_away();

	if (pages)
		xenbus_teardown_ring(&pages, nr_pages, grefs);
	front_free_revoked();
}

static int front_bind(struct xenbus_device *xdev)
{
	int irq;
	int err;

	err = xenbus_alloc_evtchn(xdev, &port);
	if (err)
		return err;
	irq = bind_evtchn_to_irqhandler_lateeoi(port, page_interrupt, 0,
						KBUILD_MODNAME, page_cookie());
	if (irq < 0)
		xenbus_free_evtchn(xdev, port);
	return irq;
}

static int front_up(unsigned int count)
{
	void *pages;
	int irq;
	int err;

	front_down();
	if (!front_xdev)
		return -ENODEV;
	if (!count || count > VTPM_EXTENSION_PAGES)
		return -EINVAL;
	nr_pages = count;
	err = xenbus_setup_ring(front_xdev, GFP_KERNEL, &pages, nr_pages, grefs);
	if (err)
		return err;
	irq = front_bind(front_xdev);
	if (irq < 0) {
		xenbus_teardown_ring(&pages, nr_pages, grefs);
		return irq;
	}
	page_set(pages, nr_pages, irq);
	return 0;
}

/*
 * Not while somebody has the page mapped: it cannot be taken away, and the kernel complains. The
 * reference stays with us, or another driver would grant its page by it.
 */
static int front_revoke(void)
{
	int i;

	if (!page_get())
		return -ENOTCONN;
	for (i = 0; i < nr_pages; i++) {
		if (grefs[i] == INVALID_GRANT_REF)
			continue;
		if (!gnttab_end_foreign_access_ref(grefs[i]))
			return -EBUSY;
		revoked[i] = grefs[i];
		grefs[i] = INVALID_GRANT_REF;
	}
	return 0;
}

static int front_command(const char *name, char *arguments)
{
	unsigned int count;

	if (!strcmp(name, "up"))
		return kstrtouint(arguments, 0, &count) ?: front_up(count);
	if (!strcmp(name, "revoke"))
		return front_revoke();
	if (strcmp(name, "down"))
		return -EOPNOTSUPP;
	front_down();
	return 0;
}

static void front_show(struct seq_file *file)
{
	bool up = page_get();

	seq_printf(file, "bound=%u gref=%u gref2=%u port=%u", !!front_xdev,
		   up ? revoked[0] ?: grefs[0] : 0,
		   up && nr_pages > 1 ? revoked[1] ?: grefs[1] : 0,
		   up ? port : 0);
}

static int front_write_nodes(struct xenbus_device *xdev)
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

static int front_present_session(void)
{
	struct vtpm_trailer *trailer = page_trailer();

	if (!*session)
		return 0;
	if (strlen(session) != 2 * sizeof(trailer->session) ||
	    hex2bin(trailer->session, session, sizeof(trailer->session)))
		return -EINVAL;
	trailer->sequence = sequence;
	page_count_from(sequence);
	return 0;
}

/* What is in the pages before the backend sees them. */
static int front_present(void)
{
	struct vtpm_shared_page *page = page_get();

	page->nr_extra_pages = extra_pages;
	if (nr_pages != VTPM_EXTENSION_PAGES)
		return 0;
	page->nr_extra_pages = extra_pages ?: nr_pages - 1;
	page->extra_pages[0] = grefs[1];
	return front_present_session();
}

static int front_connect(struct xenbus_device *xdev)
{
	int err;

	err = front_up(request_exactly_once ? VTPM_EXTENSION_PAGES : 1);
	if (err)
		return err;
	err = front_present();
	if (!err)
		err = front_write_nodes(xdev);
	if (err) {
		front_down();
		return err;
	}
	return xenbus_switch_state(xdev, skip_initialised ?
				   XenbusStateConnected :
				   XenbusStateInitialised);
}

/* Under rogue_lock. */
static void front_follow(struct xenbus_device *xdev, enum xenbus_state state)
{
	switch (state) {
	case XenbusStateInitWait:
		if (xdev->state == XenbusStateInitialising &&
		    front_connect(xdev))
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
		front_down();
		xenbus_frontend_closed(xdev);
		break;
	default:
		break;
	}
}

static void tpmrogue_backend_changed(struct xenbus_device *xdev,
				     enum xenbus_state state)
{
	if (manual)
		return;
	mutex_lock(&rogue_lock);
	front_follow(xdev, state);
	mutex_unlock(&rogue_lock);
}

static int tpmrogue_probe(struct xenbus_device *xdev,
			  const struct xenbus_device_id *id)
{
	mutex_lock(&rogue_lock);
	front_xdev = xdev;
	mutex_unlock(&rogue_lock);
	return xenbus_switch_state(xdev, XenbusStateInitialising);
}

static void tpmrogue_remove(struct xenbus_device *xdev)
{
	mutex_lock(&rogue_lock);
	front_down();
	front_xdev = NULL;
	mutex_unlock(&rogue_lock);
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

static int front_start(void)
{
	return xenbus_register_frontend(&tpmrogue_driver);
}

static void front_stop(void)
{
	xenbus_unregister_driver(&tpmrogue_driver);
}

const struct rogue_side rogue_front = {
	.name = "front",
	.start = front_start,
	.stop = front_stop,
	.command = front_command,
	.show = front_show,
};
