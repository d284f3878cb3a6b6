// SPDX-License-Identifier: GPL-2.0-only
/* The kernel that the drivers see: memory, locks, work, files. shim.h says what it is for. */
#include <stdlib.h>
#include <sanitizer/asan_interface.h>

#define SHIM_ITSELF
#include "shim.h"
#include "shim_xen.h"

#define MAX_WORK	4

struct shim shim;
unsigned long shim_jiffies;

static struct delayed_work *works[MAX_WORK];
static bool fds[SHIM_FDS];

void shim_log(const void *about, const char *format, ...)
{
	(void)about;
	(void)format;
}

/* Whether the operation that asks is the one that fails. */
bool shim_fails(void)
{
	return shim.fail_in && !--shim.fail_in;
}

void shim_might_sleep(void)
{
	require(!shim.spinning && !shim.running);
}

/* Memory. */

void *kzalloc(size_t size, unsigned int flags)
{
	void *memory;

	(void)flags;
	shim_might_sleep();
	if (shim_fails())
		return NULL;
	memory = calloc(1, size);
	require(memory);
	shim.allocations++;
	return memory;
}

void kfree(const void *memory)
{
	if (!memory)
		return;
	shim.allocations--;
	free((void *)memory);
}

void kfree_sensitive(const void *memory)
{
	kfree(memory);
}

/* A copy is not one access: the other side may write while it is under way. */
void *shim_memcpy(void *to, const void *from, size_t size)
{
	size_t half = size / 2;

	if (shim_is_page(to) && size)
		shim.last_write = to;
	if (!shim_is_page(from) || !size)
		return memcpy(to, from, size);
	target_page_read(from, half);
	memcpy(to, from, half);
	target_page_read((const u8 *)from + half, size - half);
	memcpy((u8 *)to + half, (const u8 *)from + half, size - half);
	return to;
}

void *shim_memset(void *to, int value, size_t size)
{
	if (shim_is_page(to) && size)
		shim.last_write = to;
	return memset(to, value, size);
}

int shim_memcmp(const void *a, const void *b, size_t size)
{
	if (shim_is_page(a) && size)
		target_page_read(a, size);
	if (shim_is_page(b) && size)
		target_page_read(b, size);
	return memcmp(a, b, size);
}

void *memchr_inv(const void *memory, int value, size_t size)
{
	const u8 *at = memory;

	if (shim_is_page(memory))
		target_page_read(memory, size);
	for (size_t i = 0; i < size; i++)
		if (at[i] != value)
			return (void *)(at + i);
	return NULL;
}

static unsigned long copy_user(void *to, const void *from, size_t size)
{
	size_t half = size / 2;

	shim_might_sleep();
	require(shim_holds_no_driver_lock(true));
	if (shim_fails())
		return size;
	memcpy(to, from, half);
	target_preempt();
	memcpy((u8 *)to + half, (const u8 *)from + half, size - half);
	target_preempt();
	return 0;
}

unsigned long copy_to_user(void *to, const void *from, size_t size)
{
	require(!shim_is_page(from));
	return copy_user(to, from, size);
}

unsigned long copy_from_user(void *to, const void *from, size_t size)
{
	require(!shim_is_page(to));
	return copy_user(to, from, size);
}

u16 get_unaligned_be16(const void *at)
{
	const u8 *b = at;

	if (shim_is_page(at))
		target_page_read(at, 2);
	return b[0] << 8 | b[1];
}

u32 get_unaligned_be32(const void *at)
{
	u32 high = get_unaligned_be16(at);

	return high << 16 | get_unaligned_be16((const u8 *)at + 2);
}

void put_unaligned_be16(u16 value, void *at)
{
	u8 *b = at;

	b[0] = value >> 8;
	b[1] = value;
}

void put_unaligned_be32(u32 value, void *at)
{
	put_unaligned_be16(value >> 16, at);
	put_unaligned_be16(value, (u8 *)at + 2);
}

u8 sync_cmpxchg(u8 *at, u8 old, u8 new)
{
	u8 was;

	if (shim_is_page(at))
		target_page_read(at, 1);
	was = *at;
	if (was == old) {
		*at = new;
		shim.last_write = at;
	}
	return was;
}

/* Lists, bits, references, UUIDs. */

void list_add(struct list_head *new, struct list_head *head)
{
	new->next = head->next;
	new->prev = head;
	head->next->prev = new;
	head->next = new;
}

void list_add_tail(struct list_head *new, struct list_head *head)
{
	list_add(new, head->prev);
}

void list_del(struct list_head *entry)
{
	require(entry->next && entry->prev);
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
	entry->next = NULL;
	entry->prev = NULL;
}

bool __test_and_set_bit(unsigned int bit, unsigned long *bits)
{
	bool was = *bits >> bit & 1;

	require(bit < 8 * sizeof(*bits));
	*bits |= BIT(bit);
	return was;
}

void clear_bit_unlock(unsigned int bit, unsigned long *bits)
{
	*bits &= ~BIT(bit);
}

void kref_init(struct kref *ref)
{
	ref->count = 1;
}

void kref_get(struct kref *ref)
{
	require(ref->count > 0);
	ref->count++;
}

void kref_put(struct kref *ref, void (*release)(struct kref *ref))
{
	require(ref->count > 0);
	if (!--ref->count)
		release(ref);
}

/* As good as any for what a toolstack writes: 32 digits, hyphens anywhere. */
int uuid_parse(const char *text, uuid_t *uuid)
{
	unsigned int digits = 0;

	for (; *text; text++) {
		const char *found = strchr("0123456789abcdef", *text);

		if (*text == '-')
			continue;
		if (!found || digits == 32)
			return -EINVAL;
		uuid->b[digits / 2] = uuid->b[digits / 2] << 4 | (found - "0123456789abcdef");
		digits++;
	}
	return digits == 32 ? 0 : -EINVAL;
}

int kstrtou32(const char *text, unsigned int base, u32 *number)
{
	unsigned long long large;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	large = strtoull(text, &end, base);
	if (large > U32_MAX)
		return -ERANGE;
	if (strcmp(end, "") && strcmp(end, "\n"))
		return -EINVAL;
	*number = large;
	return 0;
}

void export_uuid(u8 *bytes, const uuid_t *uuid)
{
	memcpy(bytes, uuid->b, sizeof(uuid->b));
}

/* Locks. */

void spin_lock_init(spinlock_t *lock)
{
	lock->held = false;
}

void shim_spin_lock_irqsave(spinlock_t *lock)
{
	require(!lock->held && !shim.spinning);
	lock->held = true;
	shim.spinning++;
}

/* Where the lock is let go of with interrupts on, they must have been on before. */
void spin_lock_irq(spinlock_t *lock)
{
	require(!shim.running);
	shim_spin_lock_irqsave(lock);
}

void spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags)
{
	(void)flags;
	require(lock->held);
	lock->held = false;
	shim.spinning--;
	if (shim.offering)
		target_offered();
	shim.offering = false;
	target_preempt();
}

void spin_unlock_irq(spinlock_t *lock)
{
	require(!shim.running);
	spin_unlock_irqrestore(lock, 1);
}

static struct mutex *mutexes[4];

/* None but that of a writer; @own: only the task that runs is asked for, and not all. */
bool shim_holds_no_driver_lock(bool own)
{
	for (int i = own ? shim.others : 0; i < shim.mutexes; i++)
		if (strcmp(mutexes[i]->name, "&conn->write_lock"))
			return false;
	return true;
}

/* tpmback.h has the order. */
static unsigned int mutex_rank(const char *name)
{
	static const char * const order[] = {
		"&conn->write_lock", "&dev->lock", "connections_lock",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		if (!strcmp(name, order[i]))
			return i;
	require(!"a mutex without a rank");
	return 0;
}

void mutex_lock(struct mutex *lock)
{
	shim_might_sleep();
	require(!lock->held);
	for (int i = shim.others; i < shim.mutexes; i++)
		require(mutex_rank(mutexes[i]->name) < mutex_rank(lock->name));
	require(shim.mutexes < (int)ARRAY_SIZE(mutexes));
	lock->held = true;
	mutexes[shim.mutexes++] = lock;
}

int mutex_lock_interruptible(struct mutex *lock)
{
	if (shim_fails())
		return -EINTR;
	mutex_lock(lock);
	return 0;
}

void mutex_unlock(struct mutex *lock)
{
	require(lock->held && mutexes[shim.mutexes - 1] == lock);
	lock->held = false;
	shim.mutexes--;
	target_preempt();
}

/* Sleep and work. */

long schedule_timeout(long left)
{
	shim_might_sleep();
	return target_sleep() ? left : 0;
}

void shim_queue_work(struct delayed_work *work, unsigned long delay, bool move)
{
	unsigned int i;

	if (work->pending) {
		if (move)
			work->due = shim_jiffies + delay;
		return;
	}
	for (i = 0; i < MAX_WORK && works[i]; i++)
		;
	require(i < MAX_WORK);
	works[i] = work;
	work->pending = true;
	work->due = shim_jiffies + delay;
}

static void run_work(unsigned int i)
{
	struct delayed_work *work = works[i];

	works[i] = NULL;
	work->pending = false;
	work->work.function(&work->work);
}

/* Another processor may have begun with it: then this waits, with all that is locked. */
void cancel_delayed_work_sync(struct delayed_work *work)
{
	shim_might_sleep();
	for (unsigned int i = 0; i < MAX_WORK; i++) {
		if (works[i] != work)
			continue;
		if (target_in_the_way())
			run_work(i);
		if (works[i] == work) {
			works[i] = NULL;
			work->pending = false;
		}
	}
}

bool shim_run_work(unsigned int which)
{
	which %= MAX_WORK;
	if (works[which])
		run_work(which);
	return works[which];
}

void shim_run_due_work(void)
{
	for (unsigned int i = 0; i < MAX_WORK; i++)
		if (works[i] && (long)(shim_jiffies - works[i]->due) >= 0)
			run_work(i);
}

/* Files. */

int misc_register(struct miscdevice *device)
{
	if (shim_fails())
		return -ENOMEM;
	shim.misc = device->fops;
	return 0;
}

void misc_deregister(struct miscdevice *device)
{
	require(shim.misc == device->fops);
	shim.misc = NULL;
}

int get_unused_fd_flags(unsigned int flags)
{
	require(flags == O_CLOEXEC);
	for (unsigned int fd = 0; fd < SHIM_FDS && !shim_fails(); fd++) {
		if (!fds[fd]) {
			fds[fd] = true;
			return fd;
		}
	}
	return -EMFILE;
}

void put_unused_fd(int fd)
{
	require(fds[fd] && !shim.files[fd]);
	fds[fd] = false;
}

void fd_install(int fd, struct file *file)
{
	require(fds[fd] && !shim.files[fd]);
	shim.files[fd] = file;
}

struct file *shim_open(const struct file_operations *ops, unsigned int flags)
{
	struct file *file = calloc(1, sizeof(*file));

	require(file);
	file->f_op = ops;
	file->f_flags = flags;
	return file;
}

struct file *anon_inode_getfile(const char *name, const struct file_operations *ops,
				void *private_data, unsigned int flags)
{
	struct file *file;

	(void)name;
	shim_might_sleep();
	target_preempt();
	if (shim_fails())
		return ERR_PTR(-ENFILE);
	file = shim_open(ops, flags);
	file->private_data = private_data;
	return file;
}

void shim_close(struct file *file)
{
	for (unsigned int fd = 0; fd < SHIM_FDS; fd++) {
		if (shim.files[fd] == file) {
			require(!shim.busy[fd]);
			shim.files[fd] = NULL;
			fds[fd] = false;
		}
	}
	file->f_op->release(NULL, file);
	free(file);
}

/* Inputs. */

void shim_start(void)
{
	u8 *memory = shim_xen_start();

	memset(&shim, 0, sizeof(shim));
	shim.memory = memory;
	shim_jiffies = 1000;
}

void shim_finish(void)
{
	shim.fail_in = 0;
	for (unsigned int fd = 0; fd < SHIM_FDS; fd++)
		if (shim.files[fd])
			shim_close(shim.files[fd]);
	shim_remove();
	for (unsigned int i = 0; i < MAX_WORK; i++)
		require(!works[i]);
	for (unsigned int fd = 0; fd < SHIM_FDS; fd++)
		require(!fds[fd]);
	require(!shim.bound && !shim.mapped && !shim.ports && !shim.watches);
	require(!shim.transactions && !shim.chip);
	require(!shim.spinning && !shim.mutexes && !shim.allocations);
}
