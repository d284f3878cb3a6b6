// SPDX-License-Identifier: GPL-2.0-only
/* The Xen that the drivers see: bus, store, grants, event channels; and the TPM core. */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <sanitizer/asan_interface.h>

#define SHIM_ITSELF
#include "shim.h"
#include "shim_xen.h"

#define PAGE		4096U
#define NODES		20U
#define NODE_SIZE	40U
#define VALUE_SIZE	40U

/*
 * The driver sees the pages through windows: one for each pair of pages side by side, a pair
 * of the same page included, and one for each page alone. A window that is closed is
 * poisoned.
 */
#define WINDOW		(2 * PAGE)
#define WINDOWS		(SHIM_PAGES * (SHIM_PAGES + 1))

static u8 *memory, *windows;
static bool open_windows[WINDOWS];

static struct {
	char node[NODE_SIZE];
	char value[VALUE_SIZE];
} store[NODES];

static irqreturn_t (*handler)(int irq, void *data);
static void *handler_data;

static void make_windows(void)
{
	int fd = memfd_create("pages", MFD_CLOEXEC);

	require(fd >= 0 && !ftruncate(fd, SHIM_PAGES * PAGE));
	memory = mmap(NULL, SHIM_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	windows = mmap(NULL, WINDOWS * WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	require(memory != MAP_FAILED && windows != MAP_FAILED);
	for (unsigned int i = 0; i < 2 * WINDOWS; i++) {
		unsigned int first = i / 2 / (SHIM_PAGES + 1), second = i / 2 % (SHIM_PAGES + 1);
		unsigned int page = i % 2 ? second % SHIM_PAGES : first;
		void *at = windows + i * PAGE;

		require(mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			     page * PAGE) == at);
	}
	close(fd);
	ASAN_POISON_MEMORY_REGION(windows, WINDOWS * WINDOW);
}

u8 *shim_xen_start(void)
{
	if (!memory)
		make_windows();
	memset(memory, 0, SHIM_PAGES * PAGE);
	memset(store, 0, sizeof(store));
	return memory;
}

bool shim_is_page(const void *at)
{
	return (uintptr_t)at - (uintptr_t)windows < WINDOWS * WINDOW;
}

/* Each load and store of the drivers comes by here. */
#define TRACE(size)							\
	void __sanitizer_cov_load##size(void *at)			\
	{								\
		if (shim_is_page(at))					\
			target_page_read(at, size);			\
	}								\
	void __sanitizer_cov_store##size(void *at)			\
	{								\
		if (shim_is_page(at))					\
			shim.last_write = at;				\
	}
TRACE(1)
TRACE(2)
TRACE(4)
TRACE(8)
TRACE(16)

/* The store. */

static char *find(const char *dir, const char *node, bool make)
{
	char name[NODE_SIZE];
	unsigned int i;

	require(snprintf(name, sizeof(name), "%s/%s", dir, node) < (int)sizeof(name));
	for (i = 0; i < NODES && *store[i].node; i++)
		if (!strcmp(store[i].node, name))
			return store[i].value;
	if (!make)
		return NULL;
	require(i < NODES);
	strcpy(store[i].node, name);
	return store[i].value;
}

/* Without a value the node goes; its place in the table stays. */
void shim_store_set(const char *dir, const char *node, const char *value)
{
	char *at = find(dir, node, true);

	if (value)
		require(snprintf(at, VALUE_SIZE, "=%s", value) < (int)VALUE_SIZE);
	else
		*at = '\0';
}

static const char *value_of(const char *dir, const char *node)
{
	const char *at = find(dir, node, false);

	shim_might_sleep();
	target_preempt();
	return at && *at ? at + 1 : NULL;
}

static int read_number(const char *dir, const char *node, u32 *number)
{
	const char *value = value_of(dir, node);
	unsigned long long large;
	char *end;

	if (shim_fails())
		return -ENOMEM;
	if (!value)
		return -ENOENT;
	if (*value < '0' || *value > '9')
		return -EINVAL;
	large = strtoull(value, &end, 10);
	*number = large;
	return large > U32_MAX ? -ERANGE : 0;
}

int xenbus_scanf(struct xenbus_transaction transaction, const char *dir, const char *node,
		 const char *format, u32 *value)
{
	int err = read_number(dir, node, value);

	(void)transaction;
	(void)format;
	return err ? err : 1;
}

unsigned int xenbus_read_unsigned(const char *dir, const char *node, unsigned int otherwise)
{
	u32 value;

	return read_number(dir, node, &value) ? otherwise : value;
}

int xenbus_printf(struct xenbus_transaction transaction, const char *dir, const char *node,
		  const char *format, u32 value)
{
	char text[VALUE_SIZE];

	(void)transaction;
	(void)format;
	shim_might_sleep();
	require(!strcmp(dir, SHIM_OURS));
	if (shim_fails())
		return -ENOMEM;
	snprintf(text, sizeof(text), "%u", value);
	shim_store_set(dir, node, text);
	return 0;
}

void *xenbus_read(struct xenbus_transaction transaction, const char *dir, const char *node,
		  unsigned int *size)
{
	const char *value = value_of(dir, node);
	char *copy;

	(void)transaction;
	(void)size;
	if (!value)
		return ERR_PTR(-ENOENT);
	copy = kzalloc(strlen(value) + 1, GFP_KERNEL);
	return copy ? strcpy(copy, value) : ERR_PTR(-ENOMEM);
}

int xenbus_exists(struct xenbus_transaction transaction, const char *dir, const char *node)
{
	(void)transaction;
	return value_of(dir, node) != NULL;
}

int xenbus_rm(struct xenbus_transaction transaction, const char *dir, const char *node)
{
	(void)transaction;
	require(value_of(dir, node) && !strcmp(dir, SHIM_OURS));
	if (shim_fails())
		return -EIO;
	shim_store_set(dir, node, NULL);
	return 0;
}

int xenbus_transaction_start(struct xenbus_transaction *transaction)
{
	if (shim_fails())
		return -ENOMEM;
	transaction->id = 1;
	shim.transactions++;
	return 0;
}

int xenbus_transaction_end(struct xenbus_transaction transaction, int give_up)
{
	require(transaction.id == 1 && shim.transactions == 1);
	shim.transactions--;
	return !give_up && shim_fails() ? -EAGAIN : 0;
}

/* The bus. */

int xenbus_register_backend(struct xenbus_driver *driver)
{
	shim.driver = driver;
	return 0;
}

void xenbus_unregister_driver(struct xenbus_driver *driver)
{
	require(shim.driver == driver);
	shim.driver = NULL;
}

int shim_probe(void)
{
	int err;

	require(!shim.device);
	shim.xdev = (struct xenbus_device){ SHIM_OURS, SHIM_THEIRS, 1,
					    XenbusStateInitialising, { NULL } };
	shim.device = &shim.xdev;
	err = shim.driver->probe(&shim.xdev, shim.driver->ids);
	if (err) {
		shim.device = NULL;
		require(!shim.xdev.dev.driver_data);
	}
	return err;
}

void shim_remove(void)
{
	if (!shim.device)
		return;
	shim.driver->remove(shim.device);
	shim.device = NULL;
	require(!shim.xdev.dev.driver_data);
}

void device_unregister(struct device *dev)
{
	shim_might_sleep();
	require(shim_holds_no_driver_lock(true) && dev == &shim.device->dev);
	shim_remove();
}

int xenbus_switch_state(struct xenbus_device *xdev, enum xenbus_state state)
{
	shim_might_sleep();
	require(xdev == shim.device);
	if (xdev->state == state)
		return 0;
	xdev->state = state;
	target_state(state);
	target_preempt();
	return 0;
}

void xenbus_frontend_closed(struct xenbus_device *xdev)
{
	xenbus_switch_state(xdev, XenbusStateClosed);
}

void xenbus_dev_fatal(struct xenbus_device *xdev, int err, const char *format, ...)
{
	(void)format;
	require(err < 0);
	xenbus_switch_state(xdev, XenbusStateClosing);
}

int xenbus_dev_is_online(struct xenbus_device *xdev)
{
	return xenbus_read_unsigned(xdev->nodename, "online", 0) != 0;
}

int xenbus_watch_pathfmt(struct xenbus_device *xdev, struct xenbus_watch *watch, void *will_handle,
			 void (*callback)(struct xenbus_watch *watch, const char *path,
					  const char *token),
			 const char *format, const char *dir)
{
	(void)will_handle;
	require(xdev == shim.device && !strcmp(format, "%s/online") && dir == xdev->nodename);
	watch->node = kzalloc(sizeof(SHIM_OURS "/online"), GFP_KERNEL);
	if (!watch->node)
		return -ENOMEM;
	strcpy(watch->node, SHIM_OURS "/online");
	watch->callback = callback;
	shim.watch = watch;
	shim.watches++;
	return 0;
}

/* Waits for a callback that runs, so the driver holds nothing that one takes. */
void unregister_xenbus_watch(struct xenbus_watch *watch)
{
	shim_might_sleep();
	require(shim_holds_no_driver_lock(true) && shim.watch == watch);
	shim.watch = NULL;
	shim.watches--;
}

/* Grants. */

static unsigned int window_of(const void *at)
{
	size_t offset = (const u8 *)at - windows;

	require(shim_is_page(at) && offset % WINDOW == 0);
	return offset / WINDOW;
}

static void *open_window(unsigned int first, unsigned int second, unsigned int count)
{
	unsigned int window = first * (SHIM_PAGES + 1) + second;

	require(!open_windows[window]);
	open_windows[window] = true;
	ASAN_UNPOISON_MEMORY_REGION(windows + window * WINDOW, count * PAGE);
	shim.mapped++;
	return windows + window * WINDOW;
}

static void close_window(const void *at)
{
	unsigned int window = window_of(at);

	require(open_windows[window]);
	open_windows[window] = false;
	ASAN_POISON_MEMORY_REGION(windows + window * WINDOW, WINDOW);
	shim.mapped--;
}

/* Whether a window shows the same page twice. */
bool shim_is_twice(const void *at)
{
	unsigned int window = window_of(at);

	return window / (SHIM_PAGES + 1) == window % (SHIM_PAGES + 1);
}

int xenbus_map_ring_valloc(struct xenbus_device *xdev, grant_ref_t *grefs, unsigned int count,
			   void **at)
{
	shim_might_sleep();
	require(xdev == shim.device && (count == 1 || count == 2));
	for (unsigned int i = 0; i < count; i++)
		if (grefs[i] >= SHIM_PAGES)
			return -EINVAL;
	if (shim_fails())
		return -ENOMEM;
	*at = open_window(grefs[0], count == 2 ? grefs[1] : SHIM_PAGES, count);
	target_preempt();
	return 0;
}

/* An interrupt could still be using it. */
int xenbus_unmap_ring_vfree(struct xenbus_device *xdev, void *at)
{
	shim_might_sleep();
	require(xdev == shim.device && !shim.bound);
	close_window(at);
	return 0;
}

int xenbus_setup_ring(struct xenbus_device *xdev, unsigned int flags, void **at,
		      unsigned int count, grant_ref_t *grefs)
{
	(void)flags;
	shim_might_sleep();
	require(xdev == shim.device && count <= 2);
	if (shim_fails())
		return -ENOMEM;
	memset(memory, 0, SHIM_PAGES * PAGE);
	for (unsigned int i = 0; i < count; i++)
		grefs[i] = i;
	shim.rings++;
	shim.offering = true;
	*at = open_window(0, count == 2 ? 1 : SHIM_PAGES, count);
	return 0;
}

void xenbus_teardown_ring(void **at, unsigned int count, grant_ref_t *grefs)
{
	shim_might_sleep();
	require(!shim.bound && *at && window_of(*at) == (count == 2 ? 1 : SHIM_PAGES));
	for (unsigned int i = 0; i < count; i++)
		require(grefs[i] == i);
	close_window(*at);
}

/* Event channels. There is one; it is pending when it has been bound. */

int xenbus_alloc_evtchn(struct xenbus_device *xdev, evtchn_port_t *port)
{
	require(xdev == shim.device && !shim.ports && !shim.bound);
	if (shim_fails())
		return -ENOSPC;
	*port = 3;
	shim.ports++;
	return 0;
}

int xenbus_free_evtchn(struct xenbus_device *xdev, evtchn_port_t port)
{
	require(xdev == shim.device && port == 3 && shim.ports == 1);
	shim.ports--;
	return 0;
}

static int bind(irq_handler_t function, void *data)
{
	shim_might_sleep();
	require(!shim.bound);
	if (shim_fails())
		return -ENOSPC;
	handler = function;
	handler_data = data;
	shim.bound = true;
	shim.pending = true;
	shim.masked = false;
	target_preempt();
	return SHIM_IRQ;
}

int bind_interdomain_evtchn_to_irqhandler_lateeoi(struct xenbus_device *xdev, evtchn_port_t port,
						  irq_handler_t function, unsigned long flags,
						  const char *name, void *data)
{
	(void)flags;
	(void)name;
	require(xdev == shim.device);
	return port < 8 ? bind(function, data) : -EINVAL;
}

int bind_evtchn_to_irqhandler_lateeoi(evtchn_port_t port, irq_handler_t function,
				      unsigned long flags, const char *name, void *data)
{
	int irq;

	(void)flags;
	(void)name;
	require(port == 3 && shim.ports == 1);
	irq = bind(function, data);
	if (irq >= 0)
		shim.ports--;
	return irq;
}

/* Waits for a handler that runs. */
void unbind_from_irqhandler(unsigned int irq, void *data)
{
	shim_might_sleep();
	require(irq == SHIM_IRQ && shim.bound && data == handler_data);
	target_preempt();
	shim.bound = false;
	shim.pending = false;
	handler = NULL;
}

void xen_irq_lateeoi(unsigned int irq, unsigned int flags)
{
	require(irq == SHIM_IRQ && shim.running && shim.masked);
	shim.masked = false;
	shim.eoi_flags = flags;
	shim.eois++;
}

void notify_remote_via_irq(unsigned int irq)
{
	require(irq == SHIM_IRQ && shim.bound);
	shim.notified++;
	target_notified();
}

/* Returns whether there was an event to handle, and nothing in its way. */
bool shim_interrupt(void)
{
	if (!shim.bound || !shim.pending || shim.masked || shim.running || shim.spinning)
		return false;
	shim.pending = false;
	shim.masked = true;
	shim.running = true;
	shim.handled++;
	require(handler(SHIM_IRQ, handler_data) == IRQ_HANDLED);
	shim.running = false;
	return true;
}

/* The TPM core. */

struct tpm_chip *tpm_chip_alloc(struct device *dev, const struct tpm_class_ops *ops)
{
	struct tpm_chip *chip = kzalloc(sizeof(*chip), GFP_KERNEL);

	(void)dev;
	if (!chip)
		return ERR_PTR(-ENOMEM);
	chip->ops = ops;
	return chip;
}

int tpm_chip_register(struct tpm_chip *chip)
{
	require(!shim.chip && !chip->started);
	if (shim_fails())
		return -ENODEV;
	chip->registered = true;
	shim.chip = chip;
	return 0;
}

void tpm_chip_unregister(struct tpm_chip *chip)
{
	require(shim.chip == chip && chip->registered);
	chip->registered = false;
	shim.chip = NULL;
}

void put_device(struct device *dev)
{
	struct tpm_chip *chip = container_of(dev, struct tpm_chip, dev);

	require(!chip->registered && !chip->started);
	kfree(chip);
}

int tpm_chip_start(struct tpm_chip *chip)
{
	require(!chip->started);
	chip->started = !shim_fails();
	return chip->started ? 0 : -EIO;
}

void tpm_chip_stop(struct tpm_chip *chip)
{
	require(chip->started);
	chip->started = false;
}

/* Asks for a capability, and takes any response that has a header for a good one. */
int tpm2_probe(struct tpm_chip *chip)
{
	u8 buf[64] = { 0x80, 0x01, 0, 0, 0, 22, 0, 0, 0x01, 0x7a };
	int err = chip->ops->send(chip, buf, sizeof(buf), 22);

	require(err <= 0);
	if (!err)
		err = chip->ops->recv(chip, buf, sizeof(buf));
	require(err <= (int)sizeof(buf));
	return err < 0 ? err : 0;
}

unsigned long tpm_calc_ordinal_duration(struct tpm_chip *chip, u32 ordinal)
{
	(void)chip;
	(void)ordinal;
	return 1;
}
