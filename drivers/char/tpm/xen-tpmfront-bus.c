// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-tpmfront: the frontend of Xen's virtual TPM; gives a guest /dev/tpm0. Bus control.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <xen/platform_pci.h>
#include <xen/xen.h>

#include "xen-tpmfront.h"

static unsigned int drain_timeout_ms = 5000;
module_param(drain_timeout_ms, uint, 0644);
MODULE_PARM_DESC(drain_timeout_ms,
		 "How long a suspend waits for the command under way, in ms (5000)");

static unsigned int quiesce_timeout_ms = 5000;
module_param(quiesce_timeout_ms, uint, 0644);
MODULE_PARM_DESC(quiesce_timeout_ms,
		 "How long a suspend waits for the TPM's state to be stored, in ms (5000)");

/*
 * The chip stays: the device goes away only when the toolstack removes its
 * directory, and until then the backend may come back.
 */
static void front_closed(struct tpmfront *front)
{
	tpmfront_link_down(front);
	xenbus_frontend_closed(front->xdev);
}

static void tpmfront_backend_changed(struct xenbus_device *xdev,
				     enum xenbus_state state)
{
	struct tpmfront *front = dev_get_drvdata(&xdev->dev);

	switch (state) {
	case XenbusStateInitWait:
		if (xdev->state == XenbusStateClosed)
			xenbus_switch_state(xdev, XenbusStateInitialising);
		if (xdev->state == XenbusStateInitialising)
			tpmfront_link_up(front);
		break;
	case XenbusStateConnected:
		if (xdev->state == XenbusStateInitialised)
			tpmfront_link_connected(front);
		break;
	case XenbusStateClosing:
	case XenbusStateClosed:
		if (xdev->state != XenbusStateClosed &&
		    xdev->state != XenbusStateInitialising)
			front_closed(front);
		break;
	default:
		break;
	}
}

static int tpmfront_probe(struct xenbus_device *xdev,
			  const struct xenbus_device_id *id)
{
	struct tpmfront *front = kzalloc(sizeof(*front), GFP_KERNEL);

	if (!front) {
		xenbus_dev_fatal(xdev, -ENOMEM, "no memory for the device");
		return -ENOMEM;
	}
	front->xdev = xdev;
	spin_lock_init(&front->lock);
	init_waitqueue_head(&front->wait);
	tpmfront_chip_init(front);
	dev_set_drvdata(&xdev->dev, front);
	/* After a kexec or a reload of the module the backend has to follow. */
	xenbus_switch_state(xdev, XenbusStateInitialising);
	return 0;
}

static void front_mark_removed(struct tpmfront *front)
{
	spin_lock_irq(&front->lock);
	front->removed = true;
	if (front->in_flight)
		tpmfront_settle(front, ANSWER_LOST);
	spin_unlock_irq(&front->lock);
	wake_up_all(&front->wait);
}

/*
 * Nothing is sent any more, also not the Shutdown that the TPM core would send:
 * the TPM is not powered off by this, and nobody shall wait here for a backend
 * that may have stopped.
 */
static void tpmfront_remove(struct xenbus_device *xdev)
{
	struct tpmfront *front = dev_get_drvdata(&xdev->dev);

	if (!front)
		return;
	front_mark_removed(front);
	tpmfront_chip_exit(front);
	tpmfront_link_down(front);
	dev_set_drvdata(&xdev->dev, NULL);
	kfree_sensitive(front);
}

/* Suspend. */

static void front_close_gate(struct tpmfront *front)
{
	spin_lock_irq(&front->lock);
	front->suspended = true;
	spin_unlock_irq(&front->lock);
}

static bool front_is_quiesced(struct tpmfront *front)
{
	bool quiesced;

	spin_lock_irq(&front->lock);
	quiesced = !front->quiescing;
	spin_unlock_irq(&front->lock);
	return quiesced;
}

/* Waits for what the interrupt does; returns whether it was done in time. */
static bool front_await(struct tpmfront *front,
			bool (*done)(struct tpmfront *front), unsigned int ms)
{
	return wait_event_timeout(front->wait, done(front),
				  msecs_to_jiffies(ms)) > 0;
}

static bool front_drain(struct tpmfront *front)
{
	if (!READ_ONCE(front->connected))
		return true;
	return front_await(front, tpmfront_is_answered, drain_timeout_ms);
}

static bool front_quiesce(struct tpmfront *front)
{
	spin_lock_irq(&front->lock);
	if (front->connected && tpmfront_is_extended(front)) {
		front->quiescing = true;
		tpmfront_page_control(front, VTPM_CONTROL_QUIESCE);
	}
	spin_unlock_irq(&front->lock);
	return front_await(front, front_is_quiesced, quiesce_timeout_ms);
}

/*
 * What cannot be done in time cannot stop the suspend either. With the extension
 * nothing is lost by that: the command is still here, and is handed in again.
 */
static int tpmfront_suspend(struct xenbus_device *xdev)
{
	struct tpmfront *front = dev_get_drvdata(&xdev->dev);
	ktime_t start = ktime_get(), drained, quiesced;
	bool done;

	front_close_gate(front);
	done = front_drain(front);
	drained = ktime_get();
	if (!done && !tpmfront_is_extended(front))
		dev_warn(&xdev->dev,
			 "a TPM command is under way at a suspend; its response is lost if the domain is restored\n");
	if (done && !front_quiesce(front))
		dev_notice(&xdev->dev,
			   "the backend has not stored the TPM's state within %u ms, the suspend goes on\n",
			   quiesce_timeout_ms);
	quiesced = ktime_get();
	dev_dbg(&xdev->dev,
		"suspend: drained in %lld us, quiesced in %lld us, hook %lld us\n",
		ktime_us_delta(drained, start),
		ktime_us_delta(quiesced, drained),
		ktime_us_delta(quiesced, start));
	return 0;
}

/*
 * The last thing of every suspend. Where there was no resume it has been cancelled, and the
 * page is the one that the backend still serves; a new page says nothing here.
 */
static void tpmfront_complete(struct device *dev)
{
	struct tpmfront *front = dev_get_drvdata(dev);

	if (!front)
		return;
	spin_lock_irq(&front->lock);
	if (front->suspended && front->connected && tpmfront_is_extended(front)) {
		front->quiescing = false;
		tpmfront_page_control(front, VTPM_CONTROL_CONTINUE);
	}
	front->suspended = false;
	spin_unlock_irq(&front->lock);
	wake_up_all(&front->wait);
}

/*
 * A new domain, or the same one after a failed attempt to save it: other grants,
 * another event channel, perhaps another backend. The chip stays.
 */
static int tpmfront_resume(struct xenbus_device *xdev)
{
	struct tpmfront *front = dev_get_drvdata(&xdev->dev);

	tpmfront_link_down(front);
	return tpmfront_link_up(front);
}

static const struct xenbus_device_id tpmfront_ids[] = {
	{ "vtpm" },
	{ "" }
};

/*
 * The bus has no hook for a suspend that was cancelled, the PM core does: it falls back to
 * these where the bus has none of its own.
 */
static const struct dev_pm_ops tpmfront_pm = {
	.complete = tpmfront_complete,
};

static struct xenbus_driver tpmfront_driver = {
	.driver.pm = &tpmfront_pm,
	.name = "xen-tpmfront",
	.ids = tpmfront_ids,
	.not_essential = true,
	.probe = tpmfront_probe,
	.remove = tpmfront_remove,
	.suspend = tpmfront_suspend,
	.resume = tpmfront_resume,
	.otherend_changed = tpmfront_backend_changed,
};

/*
 * Registering a frontend waits up to 30 s for devices that do not connect, and a
 * TPM without a backend must not hold up the boot; so it is done from a work queue.
 */
static bool tpmfront_registered;

static void tpmfront_init_work(struct work_struct *work)
{
	int err = xenbus_register_frontend(&tpmfront_driver);

	if (err)
		pr_err("registering with xenbus failed (error %d); load the module again\n",
		       err);
	tpmfront_registered = !err;
}

static DECLARE_WORK(tpmfront_init_once, tpmfront_init_work);

static int __init tpmfront_init(void)
{
	if (!xen_domain() || !xen_has_pv_devices())
		return -ENODEV;
	queue_work(system_long_wq, &tpmfront_init_once);
	return 0;
}
module_init(tpmfront_init);

static void __exit tpmfront_exit(void)
{
	cancel_work_sync(&tpmfront_init_once);
	if (tpmfront_registered)
		xenbus_unregister_driver(&tpmfront_driver);
}
module_exit(tpmfront_exit);

MODULE_DESCRIPTION("Xen virtual TPM frontend");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("GPL");
MODULE_ALIAS("xen:vtpm");
