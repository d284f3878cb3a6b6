// SPDX-License-Identifier: GPL-2.0-only
#include <xen/events.h>

static void good(unsigned int irq)
{
	notify_remote_via_irq(irq);
}

static void bad(evtchn_port_t port)
{
	struct evtchn_send send = { .port = port };

	notify_remote_via_evtchn(port); /* bad */
	(void)HYPERVISOR_event_channel_op(EVTCHNOP_send, &send); /* bad */
}
