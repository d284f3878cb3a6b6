// SPDX-License-Identifier: GPL-2.0-only
#include <xen/xenbus.h>

struct known {
	struct xenbus_device *xdev;
	int state;
};

static bool good(struct known *known)
{
	known->state = 1;
	xenbus_switch_state(known->xdev, XenbusStateClosed);
	xenbus_printf(XBT_NIL, known->xdev->nodename, "ring-ref", "%u", 8);
	return known->xdev->state == XenbusStateClosed;
}

static void writes_field(struct xenbus_device *xdev, struct known *known)
{
	enum xenbus_state *state = &xdev->state; /* bad */

	xdev->state = XenbusStateClosed; /* bad */
	known->xdev->state = XenbusStateClosed; /* bad */
	xdev->state++; /* bad */
}

static void writes_field_of_unknown_type(struct unknown *unknown)
{
	unknown->xdev->state = XenbusStateClosed; /* bad */
}

static void writes_node(struct xenbus_device *xdev)
{
	xenbus_printf(XBT_NIL, xdev->nodename, "state", "%d", 6); /* bad */
	xenbus_write(XBT_NIL, xdev->nodename, "state", "6"); /* bad */
	xenbus_rm(XBT_NIL, xdev->nodename, "state"); /* bad */
}
