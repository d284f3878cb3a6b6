// SPDX-License-Identifier: GPL-2.0-only
/* Event channels between processes of two domains, by /dev/xen/evtchn. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tool.h"

typedef uint16_t domid_t;
#include <xen/evtchn.h>

#define DRAIN_MS	200

static int events = -1;
static unsigned int local_port;

static void events_open(void)
{
	if (events >= 0)
		close(events);
	events = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC);
	if (events < 0)
		fail("/dev/xen/evtchn");
}

static void notify(void)
{
	struct ioctl_evtchn_notify notify = { .port = local_port };

	if (ioctl(events, IOCTL_EVTCHN_NOTIFY, &notify))
		fail("cannot send an event");
}

static void await(void)
{
	uint32_t port;

	if (read(events, &port, sizeof(port)) != sizeof(port))
		fail("cannot wait for an event");
}

static void unmask(void)
{
	uint32_t port = local_port;

	if (write(events, &port, sizeof(port)) != sizeof(port))
		fail("cannot unmask an event channel");
}

/* Binding makes an event of its own, which nobody has sent. */
static void drain(void)
{
	struct pollfd pollfd = { .fd = events, .events = POLLIN };

	while (poll(&pollfd, 1, DRAIN_MS) == 1) {
		await();
		unmask();
	}
}

void events_bind(unsigned int domid, unsigned int port)
{
	struct ioctl_evtchn_bind_interdomain bind = {
		.remote_domain = domid, .remote_port = port,
	};
	int ret;

	events_open();
	ret = ioctl(events, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
	if (ret < 0)
		fail("cannot bind to the other domain's event channel");
	local_port = ret;
	drain();
}

uint64_t events_ping(void)
{
	uint64_t begin = now_ns(), end;

	notify();
	await();
	end = now_ns();
	unmask();
	return end - begin;
}

int echo_main(unsigned int domid)
{
	struct ioctl_evtchn_bind_unbound_port bind = { .remote_domain = domid };
	int ret;

	events_open();
	ret = ioctl(events, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind);
	if (ret < 0)
		fail("cannot allocate an event channel");
	local_port = ret;
	printf("%u\n", local_port);
	for (;;) {
		await();
		unmask();
		notify();
	}
}
