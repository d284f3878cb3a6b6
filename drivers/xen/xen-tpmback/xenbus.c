// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-tpmback: the backend of Xen's virtual TPM, bus control.
 *
 * What the frontend's state asks for, whatever ours is:
 *
 *   frontend            backend
 *   Initialising        a new connection, InitWait (unless it waits there already)
 *   Initialised,        connect, once somebody has accepted the connection; if
 *   Connected           connected to another page already, begin anew
 *   Closing             disconnect, Closing
 *   Closed              disconnect, Closed; unregister unless still online
 *   gone                disconnect, unregister
 *
 * To detach, the toolstack writes online = 0 and waits for our Closed. A frontend sees
 * the device closing and follows; where the guest has none that would, the watch
 * on online does its part.
 *
 * A frontend that leaves while it is connected to, because it has seen this device go and come, has
 * revoked what is being mapped, and finds its next link refused. It has done nothing wrong
 * and has no reason to start anew, so after a link that failed the device does, a
 * little later.
 *
 * The toolstack waits for InitWait and looks for just that state. A frontend that runs already
 * would let us leave it in no time, so a new device stays there
 * for a while; there is no event that tells when the toolstack has looked.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>

#include <xen/xen.h>

#include "tpmback.h"

static unsigned int initwait_ms = 1000;
module_param(initwait_ms, uint, 0644);
MODULE_PARM_DESC(initwait_ms,
		 "How long a new device stays in InitWait at least, for the toolstack to see it, in ms (1000)");

static unsigned int fault_pause_s = 64;
module_param(fault_pause_s, uint, 0644);
MODULE_PARM_DESC(fault_pause_s,
		 "How long a frontend that misbehaves again and again waits to be let in at most, in s; 0 for never (64)");

/*
 * A connection puts a few lines into the log at most, so what limits the log is how often a
 * frontend that misbehaves may come again. So many times it may at once, then the pauses
 * double from 2 s on. After ten good minutes all is forgotten.
 */
#define FAULTS_AT_ONCE		8
#define FAULT_SHIFT_MAX		10
#define FAULTS_FORGOTTEN	(600 * HZ)

/* A frontend that starts anew by itself does so before. */
#define SECOND_CHANCE		HZ

static void device_release(struct kref *ref)
{
	kfree(container_of(ref, struct tpmback_device, ref));
}

void tpmback_device_get(struct tpmback_device *dev)
{
	kref_get(&dev->ref);
}

void tpmback_device_put(struct tpmback_device *dev)
{
	kref_put(&dev->ref, device_release);
}

/* What follows runs under the device's lock, up to tpmback_device_try_connect(). */

static void device_note_fault(struct tpmback_device *dev)
{
	unsigned long pause;

	if (time_after(jiffies, dev->fault_time + FAULTS_FORGOTTEN))
		dev->faults = 0;
	dev->fault_time = jiffies;
	dev->faults++;
	if (dev->faults <= FAULTS_AT_ONCE)
		return;
	if (dev->faults == FAULTS_AT_ONCE + 1)
		pr_notice("domain %u, vTPM %pUb: the frontend has misbehaved %u times; it is let in after a pause from now on\n",
			  dev->domid, &dev->uuid, dev->faults);
	pause = HZ << min_t(unsigned int, dev->faults - FAULTS_AT_ONCE,
			    FAULT_SHIFT_MAX);
	dev->connect_after = jiffies + min(pause, fault_pause_s * (unsigned long)HZ);
}

static void device_end_conn(struct tpmback_device *dev)
{
	if (!dev->conn)
		return;
	if (tpmback_conn_is_at_fault(dev->conn))
		device_note_fault(dev);
	tpmback_link_disconnect(dev->conn, dev->xdev);
	tpmback_conn_end(dev->conn);
	dev->conn = NULL;
}

/* The device goes Closing, and waits for the frontend to start anew. */
static void device_fail(struct tpmback_device *dev, int err, const char *why)
{
	xenbus_dev_fatal(dev->xdev, err, "domain %u, vTPM %pUb: %s", dev->domid,
			 &dev->uuid, why);
	device_note_fault(dev);
	device_end_conn(dev);
}

static void device_await(struct tpmback_device *dev)
{
	device_end_conn(dev);
	dev->link_failed = false;
	dev->conn = tpmback_conn_new(dev);
	if (!dev->conn)
		device_fail(dev, -ENOMEM, "no memory for a connection");
	else
		xenbus_switch_state(dev->xdev, XenbusStateInitWait);
}

/* After @delay jiffies, or when the pause is over. */
static void device_queue_work(struct tpmback_device *dev, unsigned long delay)
{
	if (time_before(jiffies + delay, dev->connect_after))
		delay = dev->connect_after - jiffies;
	mod_delayed_work(system_wq, &dev->connect_work, delay);
}

static void device_queue_connect(struct tpmback_device *dev)
{
	device_queue_work(dev, 0);
}

/* "%u" would take 2^32 for 0, a page that the toolstack has granted for the console. */
static int device_read_number(struct tpmback_device *dev, const char *node,
			      u32 *number)
{
	char *text = xenbus_read(XBT_NIL, dev->xdev->otherend, node, NULL);
	int err;

	if (IS_ERR(text))
		return PTR_ERR(text);
	err = kstrtou32(text, 10, number);
	kfree(text);
	return err;
}

static int device_read_ring(struct tpmback_device *dev, grant_ref_t *gref,
			    evtchn_port_t *port)
{
	int err = device_read_number(dev, "ring-ref", gref);

	return err ?: device_read_number(dev, "event-channel", port);
}

/* What a guest is offered is in the xenstore only if its vTPM may have it. */
static int device_write_features(struct tpmback_device *dev)
{
	static const char * const nodes[] = {
		"feature-exactly-once", "max-extra-pages",
	};
	const char *dir = dev->xdev->nodename;
	bool offer = tpmback_conn_features(dev->conn);
	int err = 0;
	int i;

	for (i = 0; !err && i < ARRAY_SIZE(nodes); i++) {
		if (offer)
			err = xenbus_printf(XBT_NIL, dir, nodes[i], "%u", 1);
		else if (xenbus_exists(XBT_NIL, dir, nodes[i]))
			err = xenbus_rm(XBT_NIL, dir, nodes[i]);
	}
	return err;
}

static int device_negotiate(struct tpmback_device *dev)
{
	const char *frontend = dev->xdev->otherend;

	if (xenbus_read_unsigned(frontend, "feature-protocol-v2", 0) != 1) {
		device_fail(dev, -EPROTONOSUPPORT,
			    "the frontend speaks version 1 of the protocol, only version 2 is supported; load a newer frontend in the guest");
		return -EPROTONOSUPPORT;
	}
	if (device_read_ring(dev, &dev->gref, &dev->port)) {
		device_fail(dev, -EINVAL,
			    "the frontend's ring-ref or event-channel cannot be read");
		return -EINVAL;
	}
	if (device_write_features(dev)) {
		device_fail(dev, -EIO, "the features cannot be written");
		return -EIO;
	}
	return 0;
}

static void device_let_in(struct tpmback_device *dev)
{
	xenbus_switch_state(dev->xdev, XenbusStateConnected);
	tpmback_connections_notify();
}

/* With the extension an engine has to say first how vTPM and guest stand. */
static void device_connect(struct tpmback_device *dev)
{
	bool requested;

	if (device_negotiate(dev))
		return;
	requested = xenbus_read_unsigned(dev->xdev->otherend,
					 "request-exactly-once", 0) == 1;
	if (tpmback_link_connect(dev->conn, dev->xdev, dev->gref, dev->port,
				 requested)) {
		device_note_fault(dev);
		device_end_conn(dev);
		dev->link_failed = true;
	} else if (tpmback_conn_is_begun(dev->conn)) {
		device_let_in(dev);
	}
}

static bool device_may_connect(struct tpmback_device *dev)
{
	return dev->xdev && dev->conn && !tpmback_conn_is_connected(dev->conn) &&
	       tpmback_conn_is_accepted(dev->conn) &&
	       (dev->frontend_state == XenbusStateInitialised ||
		dev->frontend_state == XenbusStateConnected);
}

static bool device_may_let_in(struct tpmback_device *dev)
{
	return dev->xdev && dev->conn && tpmback_conn_is_begun(dev->conn) &&
	       dev->xdev->state == XenbusStateInitWait;
}

static bool device_may_await(struct tpmback_device *dev)
{
	return dev->xdev && !dev->conn && dev->link_failed &&
	       dev->frontend_state == XenbusStateClosed;
}

static void device_connect_work(struct work_struct *work)
{
	struct tpmback_device *dev = container_of(to_delayed_work(work),
						  struct tpmback_device,
						  connect_work);

	mutex_lock(&dev->lock);
	if (device_may_connect(dev))
		device_connect(dev);
	else if (device_may_let_in(dev))
		device_let_in(dev);
	else if (device_may_await(dev))
		device_await(dev);
	mutex_unlock(&dev->lock);
}

/*
 * The frontend says that its page is there. It may say so twice, and it may come
 * with another page (after a resume) without a word of having left the old one.
 */
static void device_frontend_ready(struct tpmback_device *dev)
{
	evtchn_port_t port;
	grant_ref_t gref;

	if (!dev->conn)
		return;
	if (tpmback_conn_is_connected(dev->conn)) {
		if (device_read_ring(dev, &gref, &port) ||
		    (gref == dev->gref && port == dev->port))
			return;
		device_await(dev);
	}
	device_queue_connect(dev);
}

static void device_frontend_starts(struct tpmback_device *dev)
{
	if (dev->xdev->state == XenbusStateInitWait && dev->conn &&
	    !tpmback_conn_is_connected(dev->conn))
		return;
	device_await(dev);
}

static void device_frontend_closes(struct tpmback_device *dev,
				   enum xenbus_state state)
{
	device_end_conn(dev);
	xenbus_switch_state(dev->xdev, state);
}

/**
 * tpmback_device_try_connect() - connect if all conditions are met
 * @dev: a device, which may have been removed
 *
 * Context: process; may sleep. The device's lock is not held.
 */
void tpmback_device_try_connect(struct tpmback_device *dev)
{
	mutex_lock(&dev->lock);
	if (dev->xdev)
		device_queue_connect(dev);
	mutex_unlock(&dev->lock);
}

/* Returns whether the device is to be unregistered. */
static bool device_follow(struct tpmback_device *dev, enum xenbus_state state)
{
	dev->frontend_state = state;
	switch (state) {
	case XenbusStateInitialising:
		device_frontend_starts(dev);
		return false;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		device_frontend_ready(dev);
		return false;
	case XenbusStateClosing:
		device_frontend_closes(dev, XenbusStateClosing);
		return false;
	case XenbusStateClosed:
		device_frontend_closes(dev, XenbusStateClosed);
		if (!xenbus_dev_is_online(dev->xdev))
			return true;
		if (dev->link_failed)
			device_queue_work(dev, SECOND_CHANCE);
		return false;
	case XenbusStateUnknown:
		device_end_conn(dev);
		return true;
	default:
		return false;
	}
}

static void tpmback_frontend_changed(struct xenbus_device *xdev,
				     enum xenbus_state state)
{
	struct tpmback_device *dev = dev_get_drvdata(&xdev->dev);
	bool unregister;

	mutex_lock(&dev->lock);
	unregister = device_follow(dev, state);
	mutex_unlock(&dev->lock);
	if (unregister)
		device_unregister(&xdev->dev);
}

/* Whether there is a frontend that will follow when the toolstack detaches. */
static bool device_has_frontend(struct tpmback_device *dev)
{
	return dev->frontend_state == XenbusStateInitialised ||
	       dev->frontend_state == XenbusStateConnected ||
	       dev->frontend_state == XenbusStateClosing;
}

static void tpmback_online_changed(struct xenbus_watch *watch,
				   const char *path, const char *token)
{
	struct tpmback_device *dev = container_of(watch, struct tpmback_device,
						  online_watch);
	struct xenbus_device *xdev;
	bool unregister;

	mutex_lock(&dev->lock);
	xdev = dev->xdev;
	unregister = xdev && !device_has_frontend(dev) &&
		     !xenbus_dev_is_online(xdev);
	if (unregister)
		device_frontend_closes(dev, XenbusStateClosed);
	mutex_unlock(&dev->lock);
	if (unregister)
		device_unregister(&xdev->dev);
}

static int device_read_identity(struct tpmback_device *dev,
				struct xenbus_device *xdev)
{
	char *uuid;
	int err;

	dev->domid = xdev->otherend_id;
	err = xenbus_scanf(XBT_NIL, xdev->nodename, "handle", "%u",
			   &dev->handle);
	if (err != 1)
		return err < 0 ? err : -EINVAL;
	uuid = xenbus_read(XBT_NIL, xdev->nodename, "uuid", NULL);
	if (IS_ERR(uuid))
		return PTR_ERR(uuid);
	err = uuid_parse(uuid, &dev->uuid);
	kfree(uuid);
	return err;
}

static struct tpmback_device *device_alloc(void)
{
	struct tpmback_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	kref_init(&dev->ref);
	mutex_init(&dev->lock);
	INIT_DELAYED_WORK(&dev->connect_work, device_connect_work);
	dev->connect_after = jiffies + msecs_to_jiffies(initwait_ms);
	dev->fault_time = jiffies;
	dev->frontend_state = XenbusStateUnknown;
	return dev;
}

/* From here on nobody who still has the device can reach the bus. */
static void device_detach(struct tpmback_device *dev)
{
	mutex_lock(&dev->lock);
	device_end_conn(dev);
	dev->xdev = NULL;
	mutex_unlock(&dev->lock);
	cancel_delayed_work_sync(&dev->connect_work);
}

static int tpmback_probe(struct xenbus_device *xdev,
			 const struct xenbus_device_id *id)
{
	struct tpmback_device *dev = device_alloc();
	int err;

	if (!dev) {
		xenbus_dev_fatal(xdev, -ENOMEM, "no memory for the device");
		return -ENOMEM;
	}
	err = device_read_identity(dev, xdev);
	if (err) {
		xenbus_dev_fatal(xdev, err,
				 "reading %s/uuid and handle, which the toolstack writes",
				 xdev->nodename);
		goto err_device;
	}
	err = xenbus_printf(XBT_NIL, xdev->nodename, "feature-protocol-v2",
			    "%u", 1);
	if (err) {
		xenbus_dev_fatal(xdev, err, "writing %s/feature-protocol-v2",
				 xdev->nodename);
		goto err_device;
	}
	dev->xdev = xdev;
	dev_set_drvdata(&xdev->dev, dev);
	mutex_lock(&dev->lock);
	device_await(dev);
	mutex_unlock(&dev->lock);
	err = xenbus_watch_pathfmt(xdev, &dev->online_watch, NULL,
				   tpmback_online_changed, "%s/online",
				   xdev->nodename);
	if (err)
		goto err_conn;
	return 0;

err_conn:
	device_detach(dev);
	dev_set_drvdata(&xdev->dev, NULL);
err_device:
	tpmback_device_put(dev);
	return err;
}

static void tpmback_remove(struct xenbus_device *xdev)
{
	struct tpmback_device *dev = dev_get_drvdata(&xdev->dev);

	if (!dev)
		return;
	unregister_xenbus_watch(&dev->online_watch);
	kfree(dev->online_watch.node);
	device_detach(dev);
	dev_set_drvdata(&xdev->dev, NULL);
	tpmback_device_put(dev);
}

static const struct xenbus_device_id tpmback_ids[] = {
	{ "vtpm" },
	{ "" }
};

static struct xenbus_driver tpmback_driver = {
	.name = "xen-tpmback",
	.ids = tpmback_ids,
	.probe = tpmback_probe,
	.remove = tpmback_remove,
	.otherend_changed = tpmback_frontend_changed,
};

static int __init tpmback_init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	err = tpmback_chardev_init();
	if (err)
		return err;
	err = xenbus_register_backend(&tpmback_driver);
	if (err)
		tpmback_chardev_exit();
	return err;
}
module_init(tpmback_init);

static void __exit tpmback_exit(void)
{
	xenbus_unregister_driver(&tpmback_driver);
	tpmback_chardev_exit();
}
module_exit(tpmback_exit);

MODULE_DESCRIPTION("Xen virtual TPM backend");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("GPL");
MODULE_ALIAS("xen-backend:vtpm");
