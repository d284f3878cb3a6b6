/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the drivers use of the kernel and of Xen's bus, for one thread in user space. All
 * the headers that they include are this one; the Makefile has the list of their names.
 *
 * The page is special. Every load of it in the drivers, whatever the compiler has made of the
 * source, calls target_page_read() first (clang's trace-loads), so that a target can play
 * the other side, which writes between any two loads.
 *
 * Locks do nothing but to check that they are used as they must be. Where another
 * processor or an interrupt could come in between, target_preempt() is called; where a
 * task sleeps, target_sleep().
 */
#ifndef FUZZ_KERNEL_SHIM_H
#define FUZZ_KERNEL_SHIM_H

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ioctl.h>
#include <asm/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "../fuzz.h"

/* Types and the compiler. */

#define u8 __u8
#define u16 __u16
#define u32 __u32
#define u64 __u64
#define __poll_t unsigned int
#define __user
#define __init
#define __exit
#define U32_MAX UINT32_MAX
#define BIT(n) (1UL << (n))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))
#define sizeof_field(type, member) sizeof(((type *)0)->member)
#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))
#define min_t(type, a, b) ({ type _a = (a), _b = (b); _a < _b ? _a : _b; })
#define min(a, b) ({ typeof(a) _min_a = (a); typeof(b) _min_b = (b); \
		     _min_a < _min_b ? _min_a : _min_b; })
#define max(a, b) ({ typeof(a) _max_a = (a); typeof(b) _max_b = (b); \
		     _max_a > _max_b ? _max_a : _max_b; })
#define swap(a, b) do { typeof(a) _swap = (a); (a) = (b); (b) = _swap; } while (0)
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, value) __atomic_store_n(&(x), (value), __ATOMIC_RELAXED)
#define barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)
/* There is one thread. */
#define virt_wmb() barrier()
/* As above. */
#define virt_rmb() barrier()
#define IS_ERR(pointer) ((unsigned long)(pointer) >= -4095UL)
#define PTR_ERR(pointer) ((long)(pointer))
#define ERR_PTR(err) ((void *)(long)(err))
#define ERESTARTSYS 512

/* Modules and the log. */

#define KBUILD_MODNAME "fuzz"
#define THIS_MODULE NULL
#define MODULE_PARM_DESC(name, text)
#define MODULE_DESCRIPTION(text)
#define MODULE_VERSION(text)
#define MODULE_LICENSE(text)
#define MODULE_ALIAS(text)
#define module_param(name, type, mode) struct name##_is_a_parameter
#define module_init(function) int (*const shim_module_init)(void) = (function)
#define module_exit(function) void (*const shim_module_exit)(void) = (function)
extern int (*const shim_module_init)(void);
extern void (*const shim_module_exit)(void);

void shim_log(const void *about, const char *format, ...);
#define pr_notice(...) shim_log(NULL, __VA_ARGS__)
#define pr_err(...) shim_log(NULL, __VA_ARGS__)
#define dev_err(...) shim_log(__VA_ARGS__)
#define dev_warn(...) shim_log(__VA_ARGS__)
#define dev_notice(...) shim_log(__VA_ARGS__)
#define dev_dbg(...) shim_log(__VA_ARGS__)

/* Memory. What takes or gives pages looks whether they are shared. */

#define GFP_KERNEL 0
#define GFP_NOIO 0
#define __GFP_HIGH 0

void *kzalloc(size_t size, unsigned int flags);
void kfree(const void *memory);
void kfree_sensitive(const void *memory);
void *shim_memcpy(void *to, const void *from, size_t size);
void *shim_memset(void *to, int value, size_t size);
int shim_memcmp(const void *a, const void *b, size_t size);
void *memchr_inv(const void *memory, int value, size_t size);
#ifndef SHIM_ITSELF
#define memcpy(to, from, size) shim_memcpy(to, from, size)
#define memset(to, value, size) shim_memset(to, value, size)
#define memcmp(a, b, size) shim_memcmp(a, b, size)
#endif
#define memzero_explicit(to, size) shim_memset(to, 0, size)
unsigned long copy_to_user(void *to, const void *from, size_t size);
unsigned long copy_from_user(void *to, const void *from, size_t size);
#define put_user(value, to) ({ typeof(*(to)) _put = (value); \
	copy_to_user(to, &_put, sizeof(_put)) ? -EFAULT : 0; })

u16 get_unaligned_be16(const void *at);
u32 get_unaligned_be32(const void *at);
void put_unaligned_be16(u16 value, void *at);
void put_unaligned_be32(u32 value, void *at);
u8 sync_cmpxchg(u8 *at, u8 old, u8 new);

/* Lists, bits, references, UUIDs. */

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD(name) struct list_head name = { &(name), &(name) }
void list_add(struct list_head *new, struct list_head *head);
void list_add_tail(struct list_head *new, struct list_head *head);
void list_del(struct list_head *entry);
#define list_entry(at, type, member) container_of(at, type, member)
#define list_for_each_entry(at, head, member) \
	for (at = list_entry((head)->next, typeof(*at), member); &at->member != (head); \
	     at = list_entry(at->member.next, typeof(*at), member))
#define list_for_each_entry_safe(at, following, head, member) \
	for (at = list_entry((head)->next, typeof(*at), member), \
	     following = list_entry(at->member.next, typeof(*at), member); \
	     &at->member != (head); \
	     at = following, following = list_entry(at->member.next, typeof(*at), member))

bool __test_and_set_bit(unsigned int bit, unsigned long *bits);
#define test_and_set_bit_lock(bit, bits) __test_and_set_bit(bit, bits)
void clear_bit_unlock(unsigned int bit, unsigned long *bits);

struct kref {
	int count;
};

void kref_init(struct kref *ref);
void kref_get(struct kref *ref);
void kref_put(struct kref *ref, void (*release)(struct kref *ref));

struct shim_uuid {
	u8 b[16];
};
#define uuid_t struct shim_uuid
int uuid_parse(const char *text, uuid_t *uuid);
void export_uuid(u8 *bytes, const uuid_t *uuid);
int kstrtou32(const char *text, unsigned int base, u32 *number);

/* Locks. */

struct shim_spinlock {
	bool held;
};
#define spinlock_t struct shim_spinlock
void spin_lock_init(spinlock_t *lock);
void spin_lock_irq(spinlock_t *lock);
void spin_unlock_irq(spinlock_t *lock);
void shim_spin_lock_irqsave(spinlock_t *lock);
void spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags);
#define spin_lock_irqsave(lock, flags) do { (flags) = 1; shim_spin_lock_irqsave(lock); } while (0)

/* Which kind a mutex is follows from the text with which it was made. */
struct mutex {
	bool held;
	const char *name;
};
#define DEFINE_MUTEX(lock) struct mutex lock = { false, #lock }
#define mutex_init(lock) (*(lock) = (struct mutex){ false, #lock })
void mutex_lock(struct mutex *lock);
int mutex_lock_interruptible(struct mutex *lock);
void mutex_unlock(struct mutex *lock);

/* Time, sleep, and work. */

#define HZ 16
extern unsigned long shim_jiffies;
#define jiffies shim_jiffies
#define time_before(a, b) ((long)((a) - (b)) < 0)
#define time_after(a, b) time_before(b, a)
#define msecs_to_jiffies(ms) ((unsigned long)(ms) * HZ / 1000)
#define ktime_t u64
#define ktime_get() ((ktime_t)shim_jiffies)
#define ktime_us_delta(a, b) ((long long)((a) - (b)))

struct wait_queue_head {
	unsigned int wakes;
};
#define wait_queue_head_t struct wait_queue_head
#define DECLARE_WAIT_QUEUE_HEAD(name) struct wait_queue_head name
#define init_waitqueue_head(queue) ((queue)->wakes = 0)
#define wake_up_all(queue) ((void)(queue)->wakes++)
#define wake_up_interruptible(queue) wake_up_all(queue)
#define wake_up_interruptible_all(queue) wake_up_all(queue)

#define TASK_KILLABLE 1
#define TASK_FREEZABLE_UNSAFE 2
#define current NULL
#define freezing(task) (shim.freezing)
void shim_might_sleep(void);
long schedule_timeout(long left);

/* A condition that came true while a task slept must have come with a call of wake_up. */
#define ___wait_event(queue, condition, state, exclusive, initial, command) ({ \
	long __ret = (initial); \
	unsigned int _asleep = (queue).wakes, _now; \
	bool _slept = false, _timed = __ret, _done; \
	shim_might_sleep(); \
	while (_now = (queue).wakes, _done = (condition), !_done) { \
		if (shim.killed && ((state) & TASK_KILLABLE)) { \
			__ret = -ERESTARTSYS; \
			break; \
		} \
		_asleep = _now; \
		if (_now == (queue).wakes) { \
			_slept = true; \
			command; \
			if (__ret < 0) \
				break; \
		} \
	} \
	require(!_slept || !_done || (_timed && __ret <= 1) || _now != _asleep); \
	__ret; })
#define ___wait_cond_timeout(condition) ({ \
	bool _true = (condition); \
	if (_true && !__ret) \
		__ret = 1; \
	_true || !__ret; })
#define wait_event_timeout(queue, condition, timeout) \
	___wait_event(queue, ___wait_cond_timeout(condition), 0, 0, timeout, \
		      __ret = schedule_timeout(__ret))
#define wait_event_interruptible(queue, condition) \
	___wait_event(queue, condition, 0, 0, 0, \
		      __ret = target_sleep() ? 0 : -ERESTARTSYS)

struct work_struct {
	void (*function)(struct work_struct *work);
};

struct delayed_work {
	struct work_struct work;
	bool pending;
	unsigned long due;
};
#define to_delayed_work(at) container_of(at, struct delayed_work, work)
#define INIT_DELAYED_WORK(at, run) (*(at) = (struct delayed_work){ { run }, false, 0 })
#define DECLARE_WORK(name, run) struct work_struct name = { run }
#define system_wq NULL
#define system_long_wq NULL
#define schedule_delayed_work(work, delay) shim_queue_work(work, delay, false)
#define mod_delayed_work(queue, work, delay) ((void)(queue), shim_queue_work(work, delay, true))
#define queue_work(queue, work) ((work)->function(work))
#define cancel_work_sync(work) ((void)(work))
void shim_queue_work(struct delayed_work *work, unsigned long delay, bool move);
void cancel_delayed_work_sync(struct delayed_work *work);

/* Files. */

struct inode {
	int none;
};

struct file {
	unsigned int f_flags;
	void *private_data;
	const struct file_operations *f_op;
};

#define poll_table void
#define poll_wait(file, queue, table) ((void)(table))
#define nonseekable_open(inode, file) 0
#define compat_ptr_ioctl NULL
#define MISC_DYNAMIC_MINOR 255

struct file_operations {
	void *owner;
	int (*open)(struct inode *inode, struct file *file);
	int (*release)(struct inode *inode, struct file *file);
	ssize_t (*read)(struct file *file, char *buf, size_t count, loff_t *pos);
	ssize_t (*write)(struct file *file, const char *buf, size_t count, loff_t *pos);
	__poll_t (*poll)(struct file *file, poll_table *wait);
	long (*unlocked_ioctl)(struct file *file, unsigned int command, unsigned long arg);
	void *compat_ioctl;
};

struct miscdevice {
	int minor;
	const char *name;
	const struct file_operations *fops;
	unsigned int mode;
};
int misc_register(struct miscdevice *device);
void misc_deregister(struct miscdevice *device);
int get_unused_fd_flags(unsigned int flags);
void put_unused_fd(int fd);
void fd_install(int fd, struct file *file);
struct file *anon_inode_getfile(const char *name, const struct file_operations *ops,
				void *private_data, unsigned int flags);

/* Xen: the bus, the store, grants and event channels. */

#define grant_ref_t u32
#define evtchn_port_t u32
#define domid_t u16
#define XBT_NIL ((struct xenbus_transaction){ 0 })
#define XEN_EOI_FLAG_SPURIOUS 1U
#define irqreturn_t int
#define IRQ_HANDLED 1
typedef irqreturn_t (*irq_handler_t)(int irq, void *data);
#define xen_domain() 1
#define xen_has_pv_devices() 1

enum xenbus_state {
	XenbusStateUnknown = 0,
	XenbusStateInitialising = 1,
	XenbusStateInitWait = 2,
	XenbusStateInitialised = 3,
	XenbusStateConnected = 4,
	XenbusStateClosing = 5,
	XenbusStateClosed = 6,
	XenbusStateReconfiguring = 7,
	XenbusStateReconfigured = 8,
};

struct device {
	void *driver_data;
};
#define dev_get_drvdata(at) ((at)->driver_data)
#define dev_set_drvdata(at, data) ((void)((at)->driver_data = (data)))

struct xenbus_transaction {
	u32 id;
};

struct xenbus_device {
	const char *nodename;
	const char *otherend;
	int otherend_id;
	enum xenbus_state state;
	struct device dev;
};

struct xenbus_device_id {
	char devicetype[32];
};

struct xenbus_watch {
	char *node;
	void (*callback)(struct xenbus_watch *watch, const char *path, const char *token);
};

struct dev_pm_ops {
	void (*complete)(struct device *dev);
};

struct xenbus_driver {
	const char *name;
	const struct xenbus_device_id *ids;
	bool not_essential;
	int (*probe)(struct xenbus_device *xdev, const struct xenbus_device_id *id);
	void (*remove)(struct xenbus_device *xdev);
	int (*suspend)(struct xenbus_device *xdev);
	int (*resume)(struct xenbus_device *xdev);
	void (*otherend_changed)(struct xenbus_device *xdev, enum xenbus_state state);
	struct {
		const struct dev_pm_ops *pm;
	} driver;
};

int xenbus_register_backend(struct xenbus_driver *driver);
#define xenbus_register_frontend(driver) xenbus_register_backend(driver)
void xenbus_unregister_driver(struct xenbus_driver *driver);
void device_unregister(struct device *dev);
int xenbus_switch_state(struct xenbus_device *xdev, enum xenbus_state state);
void xenbus_frontend_closed(struct xenbus_device *xdev);
void xenbus_dev_fatal(struct xenbus_device *xdev, int err, const char *format, ...);
int xenbus_dev_is_online(struct xenbus_device *xdev);
int xenbus_watch_pathfmt(struct xenbus_device *xdev, struct xenbus_watch *watch, void *will_handle,
			 void (*callback)(struct xenbus_watch *watch, const char *path,
					  const char *token),
			 const char *format, const char *dir);
void unregister_xenbus_watch(struct xenbus_watch *watch);

int xenbus_transaction_start(struct xenbus_transaction *transaction);
int xenbus_transaction_end(struct xenbus_transaction transaction, int give_up);
int xenbus_scanf(struct xenbus_transaction transaction, const char *dir, const char *node,
		 const char *format, u32 *value);
int xenbus_printf(struct xenbus_transaction transaction, const char *dir, const char *node,
		  const char *format, u32 value);
void *xenbus_read(struct xenbus_transaction transaction, const char *dir, const char *node,
		  unsigned int *size);
unsigned int xenbus_read_unsigned(const char *dir, const char *node, unsigned int otherwise);
int xenbus_exists(struct xenbus_transaction transaction, const char *dir, const char *node);
int xenbus_rm(struct xenbus_transaction transaction, const char *dir, const char *node);

int xenbus_map_ring_valloc(struct xenbus_device *xdev, grant_ref_t *grefs, unsigned int count,
			   void **at);
int xenbus_unmap_ring_vfree(struct xenbus_device *xdev, void *at);
int xenbus_setup_ring(struct xenbus_device *xdev, unsigned int flags, void **at,
		      unsigned int count, grant_ref_t *grefs);
void xenbus_teardown_ring(void **at, unsigned int count, grant_ref_t *grefs);
int xenbus_alloc_evtchn(struct xenbus_device *xdev, evtchn_port_t *port);
int xenbus_free_evtchn(struct xenbus_device *xdev, evtchn_port_t port);
int bind_interdomain_evtchn_to_irqhandler_lateeoi(struct xenbus_device *xdev, evtchn_port_t port,
						  irq_handler_t handler, unsigned long flags,
						  const char *name, void *data);
int bind_evtchn_to_irqhandler_lateeoi(evtchn_port_t port, irq_handler_t handler,
				      unsigned long flags, const char *name, void *data);
void unbind_from_irqhandler(unsigned int irq, void *data);
void xen_irq_lateeoi(unsigned int irq, unsigned int flags);
void notify_remote_via_irq(unsigned int irq);

/* The TPM core. */

#define TPM_HEADER_SIZE 10
#define TPM_OPS_AUTO_STARTUP 1
#define TPM_CHIP_FLAG_TPM2 2
#define TPM_CHIP_FLAG_IRQ 4

struct tpm_chip {
	struct device dev;
	unsigned int flags;
	const struct tpm_class_ops *ops;
	bool registered;
	bool started;
};

struct tpm_class_ops {
	unsigned int flags;
	u8 req_complete_mask;
	u8 req_complete_val;
	bool (*req_canceled)(struct tpm_chip *chip, u8 status);
	u8 (*status)(struct tpm_chip *chip);
	int (*send)(struct tpm_chip *chip, u8 *buf, size_t bufsiz, size_t len);
	int (*recv)(struct tpm_chip *chip, u8 *buf, size_t count);
	void (*cancel)(struct tpm_chip *chip);
};

struct tpm_chip *tpm_chip_alloc(struct device *dev, const struct tpm_class_ops *ops);
int tpm_chip_register(struct tpm_chip *chip);
void tpm_chip_unregister(struct tpm_chip *chip);
int tpm_chip_start(struct tpm_chip *chip);
void tpm_chip_stop(struct tpm_chip *chip);
int tpm2_probe(struct tpm_chip *chip);
unsigned long tpm_calc_ordinal_duration(struct tpm_chip *chip, u32 ordinal);
void put_device(struct device *dev);

/* What a target sees of all this. */

#define SHIM_PAGES 4U
#define SHIM_FDS 4U
#define SHIM_IRQ 7U
#define SHIM_OURS "ours"
#define SHIM_THEIRS "theirs"

/**
 * struct shim - what a target sees and sets
 * @memory: the pages that can be shared, as the other side sees them
 * @fail_in: the so-many-th operation from now that can fail does; 0: none
 * @killed: who sleeps is killed
 * @freezing: tasks are to be frozen
 *
 * @allocations: pieces of memory that are not free
 * @mapped: mappings, or a ring that is set up
 * @rings: how many rings were set up
 * @ports: event channels that are allocated and not bound
 * @watches: on nodes of the store
 * @transactions: that were not ended
 * @spinning: spinlocks that are held
 * @mutexes: mutexes that are held
 * @others: the first so many by tasks other than the one that runs
 *
 * @bound: the interrupt has a handler
 * @pending: and an event to handle
 * @masked: an event was handled, and has had no EOI
 * @running: the handler runs
 * @handled: how many events were handled
 * @eois: how many got their EOI
 * @eoi_flags: of the last EOI
 * @notified: how often the other side was notified
 * @last_write: where a page was last written to, by the driver
 *
 * @driver: of the device
 * @device: the device, after shim_probe(); NULL after it was removed
 * @xdev: the same, also when it has been removed
 * @chip: the chip, while it is registered
 * @misc: operations of the device file
 * @files: open files; @busy counts the calls that are inside of each
 * @watch: the watch
 */
struct shim {
	u8 *memory;
	unsigned int fail_in;
	bool killed;
	bool freezing;

	int allocations;
	int mapped;
	int rings;
	int ports;
	int watches;
	int transactions;
	int spinning;
	int mutexes;
	int others;

	bool bound;
	bool offering;	/* a ring has been set up, and nobody else has seen it */
	bool pending;
	bool masked;
	bool running;
	unsigned int handled;
	unsigned int eois;
	unsigned int eoi_flags;
	unsigned int notified;
	const void *last_write;

	struct xenbus_driver *driver;
	struct xenbus_device *device;
	struct xenbus_device xdev;
	struct tpm_chip *chip;
	const struct file_operations *misc;
	struct file *files[SHIM_FDS];
	unsigned int busy[SHIM_FDS];
	struct xenbus_watch *watch;
};

extern struct shim shim;

/* Between two inputs; what the last one left behind is a finding. */
void shim_start(void);
void shim_finish(void);

int shim_probe(void);
void shim_remove(void);
void shim_store_set(const char *dir, const char *node, const char *value);
bool shim_interrupt(void);
bool shim_is_twice(const void *at);
bool shim_run_work(unsigned int which);
void shim_run_due_work(void);
bool shim_fails(void);
bool shim_holds_no_driver_lock(bool own);
struct file *shim_open(const struct file_operations *ops, unsigned int flags);
void shim_close(struct file *file);

/* What a target has to have; @at is where the driver looks, or has to look. */
void target_page_read(const void *at, size_t size);
void target_preempt(void);
bool target_in_the_way(void);
bool target_sleep(void);
void target_notified(void);
void target_state(enum xenbus_state state);
/* A ring has been set up and written to, and the other side can see it from now on. */
void target_offered(void);

#endif
