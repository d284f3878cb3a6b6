// SPDX-License-Identifier: GPL-2.0-only
#include <linux/spinlock.h>

struct conn {
	spinlock_t lock;
	struct mutex mutex;
	void *page;
	int irq;
};

static void *good(struct conn *conn, struct xenbus_device *xdev)
{
	void *page;

	spin_lock_irq(&conn->lock);
	page = conn->page;
	conn->page = NULL;
	wake_up_all(&conn->wait);
	mod_delayed_work(system_wq, &conn->work, 1);
	spin_unlock_irq(&conn->lock);
	unbind_from_irqhandler(conn->irq, conn);
	xenbus_unmap_ring_vfree(xdev, page);
	mutex_lock(&conn->mutex);
	page = kzalloc(8, GFP_KERNEL);
	mutex_unlock(&conn->mutex);
	return page;
}

static void unbinds(struct conn *conn)
{
	spin_lock_irq(&conn->lock);
	if (conn->irq)
		unbind_from_irqhandler(conn->irq, conn); /* bad */
	spin_unlock_irq(&conn->lock);
}

static void unbinds_on_error(struct conn *conn, struct xenbus_device *xdev, int err)
{
	unsigned long flags;

	spin_lock_irqsave(&conn->lock, flags);
	if (err) {
		xenbus_dev_fatal(xdev, err, "no"); /* bad */
		spin_unlock_irqrestore(&conn->lock, flags);
		return;
	}
	vfree(conn->page); /* bad */
	spin_unlock_irqrestore(&conn->lock, flags);
	vfree(conn->page);
}

static void sleeps(struct conn *conn, void __user *to)
{
	spin_lock(&conn->lock);
	mutex_lock(&conn->mutex); /* bad */
	wait_event_timeout(conn->wait, ready(), HZ); /* bad */
	conn->page = kzalloc(8, GFP_KERNEL); /* bad */
	if (copy_to_user(to, conn->page, 8)) /* bad */
		cancel_work_sync(&conn->work); /* bad */
	spin_unlock(&conn->lock);
}
