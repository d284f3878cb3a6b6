// SPDX-License-Identifier: GPL-2.0-only
#include <xen/events.h>

static int good(struct xenbus_device *xdev, evtchn_port_t port)
{
	int irq = bind_evtchn_to_irqhandler_lateeoi(port, handler, 0, "good", xdev);

	if (irq < 0)
		irq = bind_interdomain_evtchn_to_irqhandler_lateeoi(xdev, port, handler, 0,
								    "good", xdev);
	if (irq < 0)
		irq = bind_interdomain_evtchn_to_irq_lateeoi(xdev, port);
	if (irq < 0)
		irq = bind_evtchn_to_irq_lateeoi(port);
	unbind_from_irqhandler(irq, xdev);
	return irq;
}

static int bad(struct xenbus_device *xdev, evtchn_port_t port)
{
	int irq = bind_evtchn_to_irqhandler(port, handler, 0, "bad", xdev); /* bad */

	if (irq < 0)
		irq = bind_interdomain_evtchn_to_irqhandler(xdev, port, handler, 0, /* bad */
							    "bad", xdev);
	if (irq < 0)
		irq = bind_interdomain_evtchn_to_irq(xdev, port); /* bad */
	if (irq < 0)
		irq = bind_evtchn_to_irq(port); /* bad */
	return irq;
}
