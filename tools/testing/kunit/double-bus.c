// SPDX-License-Identifier: GPL-2.0-only
/* The bus: drivers, the states that they go to, their watches. */
#include <linux/slab.h>

#include "double.h"
#include "redirected.h"

struct xenbus_driver *double_backend;
struct xenbus_driver *double_frontend;

static struct xenbus_watch *watch;
static unsigned int fatals;
static int last_fatal;
static unsigned int unregistered;

static int driver_register_once(struct xenbus_driver **which,
			struct xenbus_driver *driver)
{
	if (double_fails("xenbus_register_driver"))
		return -ENOMEM;
	if (*which)
		double_wrong("a driver is registered twice");
	*which = driver;
	return 0;
}

int double_xenbus_register_backend(struct xenbus_driver *driver)
{
	return driver_register_once(&double_backend, driver);
}

int double_xenbus_register_frontend(struct xenbus_driver *driver)
{
	return driver_register_once(&double_frontend, driver);
}

void double_xenbus_unregister_driver(struct xenbus_driver *driver)
{
	if (double_backend == driver)
		double_backend = NULL;
	else if (double_frontend == driver)
		double_frontend = NULL;
	else
		double_wrong("a driver is unregistered that is not registered");
}

/* Where the store cannot be written the real one goes Closing, and says 0 too. */
int double_xenbus_switch_state(struct xenbus_device *xdev,
			       enum xenbus_state state)
{
	might_sleep();
	if (state == xdev->state)
		return 0;
	if (double_fails("xenbus_switch_state")) {
		fatals++;
		last_fatal = -EIO;
		state = XenbusStateClosing;
	}
	if (double_hooks.on_state)
		double_hooks.on_state(xdev, state);
	xdev->state = state;
	return 0;
}

void double_xenbus_dev_fatal(struct xenbus_device *xdev, int err,
			     const char *fmt, ...)
{
	if (err >= 0)
		double_wrong("xenbus_dev_fatal() with %d", err);
	fatals++;
	last_fatal = err;
	double_xenbus_switch_state(xdev, XenbusStateClosing);
}

int double_xenbus_frontend_closed(struct xenbus_device *xdev)
{
	return double_xenbus_switch_state(xdev, XenbusStateClosed);
}

int double_xenbus_dev_is_online(struct xenbus_device *xdev)
{
	return double_xenbus_read_unsigned(xdev->nodename, "online", 0);
}

int double_xenbus_watch_pathfmt(struct xenbus_device *xdev,
				struct xenbus_watch *new_watch,
				bool (*will_handle)(struct xenbus_watch *,
						    const char *, const char *),
				void (*callback)(struct xenbus_watch *,
						 const char *, const char *),
				const char *fmt, ...)
{
	char *path = double_kzalloc(64, GFP_KERNEL);
	va_list args;

	if (!path) {
		double_xenbus_dev_fatal(xdev, -ENOMEM, "watch");
		return -ENOMEM;
	}
	if (double_fails("xenbus_watch_pathfmt")) {
		double_kfree(path);
		double_xenbus_dev_fatal(xdev, -EIO, "watch");
		return -EIO;
	}
	va_start(args, fmt);
	vsnprintf(path, 64, fmt, args);
	va_end(args);
	if (watch)
		double_wrong("a second watch, on %s", path);
	new_watch->node = path;
	new_watch->will_handle = will_handle;
	new_watch->callback = callback;
	watch = new_watch;
	return 0;
}

void double_unregister_xenbus_watch(struct xenbus_watch *old)
{
	might_sleep();
	if (watch != old)
		double_wrong("a watch is unregistered that is not registered");
	watch = NULL;
}

/* The bus unbinds the driver, and says Closed in its name. */
void double_device_unregister(struct device *dev)
{
	struct xenbus_device *xdev = to_xenbus_device(dev);

	might_sleep();
	unregistered++;
	double_backend->remove(xdev);
	xdev->state = XenbusStateClosed;
}

bool double_xen_domain(void)
{
	return true;
}

/* What tests ask. */

struct xenbus_watch *double_watch(void)
{
	return watch;
}

unsigned int double_fatals(void)
{
	return fatals;
}

/* The errno of the last xenbus_dev_fatal(). */
int double_fatal(void)
{
	return last_fatal;
}

/* How many devices were unregistered. */
unsigned int double_unregistered(void)
{
	return unregistered;
}

int double_bus_held(void)
{
	return !!watch + !!double_backend + !!double_frontend;
}

void double_bus_reset(void)
{
	double_backend = NULL;
	double_frontend = NULL;
	watch = NULL;
	fatals = 0;
	last_fatal = 0;
	unregistered = 0;
}
