// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event channels. As with real ones the handler cannot come again before its EOI, and
 * unbinding waits for one that runs; the lock of a line stands for that, so that
 * lockdep sees who unbinds under a lock that the handler takes.
 */
#include <linux/interrupt.h>
#include <linux/spinlock.h>

#include <xen/events.h>

#include "double.h"
#include "redirected.h"

#define FIRST_IRQ	1000
#define LAST_PORT	1023

struct line {
	spinlock_t lock;	/* held while the handler runs; protects all below */
	struct double_line seen;
	irq_handler_t handler;
	void *data;
	bool masked;
	bool handling;
};

static struct line lines[DOUBLE_MAX];
static atomic_t next_irq = ATOMIC_INIT(FIRST_IRQ);
static atomic_t ports;

static struct line *line_find(unsigned int irq)
{
	int i;

	for (i = 0; i < DOUBLE_MAX; i++)
		if (READ_ONCE(lines[i].seen.irq) == irq)
			return &lines[i];
	return NULL;
}

static int line_bind(evtchn_port_t port, irq_handler_t handler, void *data)
{
	struct line *line = line_find(0);
	unsigned int irq = atomic_inc_return(&next_irq);

	if (!line)
		return -ENOSPC;
	spin_lock_irq(&line->lock);
	memset(&line->seen, 0, sizeof(line->seen));
	line->handler = handler;
	line->data = data;
	line->masked = false;
	line->seen.port = port;
	WRITE_ONCE(line->seen.irq, irq);
	spin_unlock_irq(&line->lock);
	return irq;
}

int double_bind_interdomain_evtchn_to_irqhandler_lateeoi(struct xenbus_device *xdev,
							 evtchn_port_t port,
							 irq_handler_t handler,
							 unsigned long flags,
							 const char *name,
							 void *data)
{
	int irq;

	might_sleep();
	if (double_fails("bind_interdomain_evtchn_to_irqhandler_lateeoi"))
		return -ENOSPC;
	if (!port || port > LAST_PORT)
		return -EINVAL;
	irq = line_bind(port, handler, data);
	if (irq > 0)
		atomic_inc(&ports);
	return irq;
}

int double_bind_evtchn_to_irqhandler_lateeoi(evtchn_port_t port,
					     irq_handler_t handler,
					     unsigned long flags,
					     const char *name, void *data)
{
	might_sleep();
	if (double_fails("bind_evtchn_to_irqhandler_lateeoi"))
		return -ENOSPC;
	return line_bind(port, handler, data);
}

/* The channel is closed with it. */
void double_unbind_from_irqhandler(unsigned int irq, void *data)
{
	struct line *line = irq ? line_find(irq) : NULL;

	might_sleep();
	if (!line) {
		double_wrong("irq %u is unbound and not bound", irq);
		return;
	}
	spin_lock_irq(&line->lock);
	if (line->data != data)
		double_wrong("irq %u is unbound by somebody else", irq);
	line->handler = NULL;
	WRITE_ONCE(line->seen.irq, 0);
	spin_unlock_irq(&line->lock);
	atomic_dec(&ports);
}

int double_xenbus_alloc_evtchn(struct xenbus_device *xdev, evtchn_port_t *port)
{
	might_sleep();
	if (double_fails("xenbus_alloc_evtchn"))
		return -ENOSPC;
	*port = 1 + atomic_inc_return(&ports) % LAST_PORT;
	return 0;
}

int double_xenbus_free_evtchn(struct xenbus_device *xdev, evtchn_port_t port)
{
	might_sleep();
	atomic_dec(&ports);
	return 0;
}

void double_xen_irq_lateeoi(unsigned int irq, unsigned int flags)
{
	struct line *line = line_find(irq);

	if (!line || !line->handling) {
		double_wrong("an EOI for irq %u, which is not being handled", irq);
		return;
	}
	line->seen.eois++;
	if (flags & XEN_EOI_FLAG_SPURIOUS)
		line->seen.spurious++;
}

void double_notify_remote_via_irq(int irq)
{
	struct line *line = irq > 0 ? line_find(irq) : NULL;

	if (!line) {
		double_wrong("a notification through irq %d, which is not bound",
			     irq);
		return;
	}
	line->seen.notified++;
	if (double_hooks.on_notify)
		double_hooks.on_notify(irq);
}

static void line_handle(struct line *line)
{
	unsigned int before = line->seen.eois;
	unsigned int eois;

	line->seen.fired++;
	line->handling = true;
	if (line->handler(line->seen.irq, line->data) != IRQ_HANDLED)
		double_wrong("an event was not handled");
	line->handling = false;
	eois = line->seen.eois - before;
	if (eois > 1)
		double_wrong("%u EOIs for one event", eois);
	line->masked = !eois;
}

/**
 * double_fire() - send an event to a driver
 * @irq: of its event channel
 *
 * Return: whether it got through: the channel is bound, and the last event had its EOI.
 */
bool double_fire(unsigned int irq)
{
	struct line *line = irq ? line_find(irq) : NULL;
	unsigned long flags;
	bool through;

	if (!line)
		return false;
	spin_lock_irqsave(&line->lock, flags);
	through = line->seen.irq == irq && !line->masked;
	if (through)
		line_handle(line);
	spin_unlock_irqrestore(&line->lock, flags);
	return through;
}

/* The irq of a channel that is bound, 0 if none is. */
unsigned int double_irq(void)
{
	int i;

	for (i = 0; i < DOUBLE_MAX; i++)
		if (READ_ONCE(lines[i].seen.irq))
			return READ_ONCE(lines[i].seen.irq);
	return 0;
}

/* What has happened on a channel; all 0 if it is not bound. */
struct double_line double_line(unsigned int irq)
{
	struct line *line = irq ? line_find(irq) : NULL;

	return line ? line->seen : (struct double_line) {};
}

int double_lines(void)
{
	int i, used = 0;

	for (i = 0; i < DOUBLE_MAX; i++)
		used += !!READ_ONCE(lines[i].seen.irq);
	return used;
}

int double_ports(void)
{
	return atomic_read(&ports);
}

void double_lines_reset(void)
{
	int i;

	memset(lines, 0, sizeof(lines));
	for (i = 0; i < DOUBLE_MAX; i++)
		spin_lock_init(&lines[i].lock);
	atomic_set(&ports, 0);
}
