// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backend. It takes the vTPM of the domain that the parameter take names, once that
 * is unbound from its driver, and does nothing by itself: who tests writes nodes
 * and state as it likes, and has these commands:
 *
 *   map PORT GREF [GREF]   maps one page or two and binds the event channel
 *   keep                   leaves the pages mapped until the device is unbound, and is
 *                          ready for others
 *   unmap                  undoes map; otherwise the pages stay mapped until the device
 *                          is unbound, whatever the frontend does
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/xenbus.h>

#include "rogue.h"

static int take = -1;
module_param(take, int, 0644);
MODULE_PARM_DESC(take, "Number of the domain whose device is taken");

#define KEPT_MAX	512

/* Under rogue_lock. */
static struct xenbus_device *back_xdev;
static void *kept[KEPT_MAX];
static unsigned int nr_kept;

static void back_unmap(void)
{
	void *pages = page_take_away();

	if (pages)
		xenbus_unmap_ring_vfree(back_xdev, pages);
}

static int back_keep(void)
{
	if (!page_get())
		return -ENOTCONN;
	if (nr_kept == KEPT_MAX)
		return -ENOSPC;
	kept[nr_kept++] = page_take_away();
	return 0;
}

static void back_let_go(void)
{
	back_unmap();
	while (nr_kept)
		xenbus_unmap_ring_vfree(back_xdev, kept[--nr_kept]);
}

static int back_map(evtchn_port_t port, grant_ref_t *grefs,
		    unsigned int nr_pages)
{
	void *pages;
	int irq;
	int err;

	back_unmap();
	if (!back_xdev)
		return -ENODEV;
	err = xenbus_map_ring_valloc(back_xdev, grefs, nr_pages, &pages);
	if (err)
		return err;
	irq = bind_interdomain_evtchn_to_irqhandler_lateeoi(back_xdev, port,
							    page_interrupt, 0,
							    KBUILD_MODNAME,
							    page_cookie());
	if (irq < 0) {
		xenbus_unmap_ring_vfree(back_xdev, pages);
		return irq;
	}
	page_set(pages, nr_pages, irq);
	return 0;
}

static int back_parse_map(const char *arguments)
{
	grant_ref_t grefs[VTPM_EXTENSION_PAGES];
	evtchn_port_t port;
	int count;

	count = sscanf(arguments, "%u %u %u", &port, &grefs[0], &grefs[1]);
	return count < 2 ? -EINVAL : back_map(port, grefs, count - 1);
}

static int back_command(const char *name, char *arguments)
{
	if (!strcmp(name, "map"))
		return back_parse_map(arguments);
	if (!strcmp(name, "keep"))
		return back_keep();
	if (strcmp(name, "unmap"))
		return -EOPNOTSUPP;
	back_unmap();
	return 0;
}

static void back_show(struct seq_file *file)
{
	seq_printf(file, "bound=%u kept=%u", !!back_xdev, nr_kept);
}

static void tpmrogue_frontend_changed(struct xenbus_device *xdev,
				      enum xenbus_state state)
{
}

static int tpmrogue_probe(struct xenbus_device *xdev,
			  const struct xenbus_device_id *id)
{
	int err = -EBUSY;

	if (xdev->otherend_id != READ_ONCE(take))
		return -ENODEV;
	mutex_lock(&rogue_lock);
	if (!back_xdev) {
		back_xdev = xdev;
		err = 0;
	}
	mutex_unlock(&rogue_lock);
	return err;
}

static void tpmrogue_remove(struct xenbus_device *xdev)
{
	mutex_lock(&rogue_lock);
	back_let_go();
	back_xdev = NULL;
	mutex_unlock(&rogue_lock);
}

static const struct xenbus_device_id tpmrogue_ids[] = {
	{ "vtpm" },
	{ "" }
};

static struct xenbus_driver tpmrogue_driver = {
	.name = "xen-tpmrogue",
	.ids = tpmrogue_ids,
	.probe = tpmrogue_probe,
	.remove = tpmrogue_remove,
	.otherend_changed = tpmrogue_frontend_changed,
};

static int back_start(void)
{
	return xenbus_register_backend(&tpmrogue_driver);
}

static void back_stop(void)
{
	xenbus_unregister_driver(&tpmrogue_driver);
}

const struct rogue_side rogue_back = {
	.name = "back",
	.start = back_start,
	.stop = back_stop,
	.command = back_command,
	.show = back_show,
};
