// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages and the event channel, and /dev/vtpm-rogue:
 *
 *   write   the bytes go to the start of the page as they are, header included,
 *           the state last; then the other side is notified. From 8 bytes on. A
 *           reference of the second page that is 0 stays what it is
 *   read    waits until the state in the page is no longer the one written last
 *           (10 s at most: ETIMEDOUT), then returns the pages. With O_NONBLOCK
 *           it does not wait
 *
 * Two pages appear as 8192 bytes. Bytes that are written reach as far as they go, up
 * to the trailer.
 */
#include <linux/fs.h>
#include <linux/hex.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include <xen/events.h>

#include "rogue.h"

static bool hold_sequence;
module_param(hold_sequence, bool, 0644);
MODULE_PARM_DESC(hold_sequence,
		 "Hand in each command with the sequence of the one before");

#define WAIT_MS		10000

static DECLARE_WAIT_QUEUE_HEAD(page_wait);

/* Under rogue_lock, but for the count of events. */
static struct vtpm_shared_page *page;
static unsigned int page_count;
static int page_irq;
static unsigned long page_events;
static u8 last_state;
static u64 last_sequence;
static bool counting;

irqreturn_t page_interrupt(int irq, void *data)
{
	WRITE_ONCE(page_events, READ_ONCE(page_events) + 1);
	wake_up_all(&page_wait);
	xen_irq_lateeoi(irq, 0);
	return IRQ_HANDLED;
}

/**
 * page_cookie() - what the handler of the interrupt is registered with
 */
void *page_cookie(void)
{
	return &page_wait;
}

/**
 * page_get() - the first page, or NULL
 */
struct vtpm_shared_page *page_get(void)
{
	return page;
}

struct vtpm_trailer *page_trailer(void)
{
	return (void *)((u8 *)page + VTPM_TRAILER_OFFSET);
}

size_t page_bytes(void)
{
	return page ? page_count * VTPM_SHARED_PAGE_SIZE : 0;
}

void page_notify(void)
{
	notify_remote_via_irq(page_irq);
}

/**
 * page_set() - the pages and their event channel are there
 * @pages: address of the first
 * @nr_pages: how many follow each other there
 * @irq: of the event channel, whose handler is page_interrupt()
 */
void page_set(void *pages, unsigned int nr_pages, int irq)
{
	page = pages;
	page_count = nr_pages;
	page_irq = irq;
	page_events = 0;
	last_state = VTPM_STATE_IDLE;
	counting = false;
}

/**
 * page_take_away() - nobody uses the pages from now on
 *
 * The event channel is unbound here.
 *
 * Return: the pages, for their owner to free; NULL if there are none.
 */
void *page_take_away(void)
{
	void *pages = page;

	run_stop();
	page = NULL;
	wake_up_all(&page_wait);
	if (pages)
		unbind_from_irqhandler(page_irq, page_cookie());
	return pages;
}

/**
 * page_count_from() - number the commands
 * @sequence: of the command before the first
 *
 * Whoever does not say so counts on from what the backend has written.
 */
void page_count_from(u64 sequence)
{
	last_sequence = sequence;
	counting = true;
}

/* All that may be written through the device. */
static size_t page_writable(void)
{
	return page_count == VTPM_EXTENSION_PAGES ? VTPM_TRAILER_OFFSET :
						    page_bytes();
}

static void page_number(void)
{
	if (!counting)
		page_count_from(READ_ONCE(page_trailer()->sequence));
	if (!READ_ONCE(hold_sequence))
		last_sequence++;
	WRITE_ONCE(page_trailer()->sequence, last_sequence);
}

static void page_keep_reference(struct vtpm_shared_page *header, size_t count)
{
	if (page_count == VTPM_EXTENSION_PAGES && header->nr_extra_pages &&
	    count >= struct_size(header, extra_pages, 1) &&
	    !header->extra_pages[0])
		header->extra_pages[0] = page->extra_pages[0];
}

static void page_put(u8 *bytes, size_t count)
{
	struct vtpm_shared_page *header = (void *)bytes;

	page_keep_reference(header, count);
	memcpy((u8 *)page + sizeof(*page), bytes + sizeof(*page),
	       count - sizeof(*page));
	if (page_count == VTPM_EXTENSION_PAGES &&
	    header->state == VTPM_STATE_SUBMIT)
		page_number();
	WRITE_ONCE(page->length, header->length);
	WRITE_ONCE(page->locality, header->locality);
	WRITE_ONCE(page->pad, header->pad);
	WRITE_ONCE(page->nr_extra_pages, header->nr_extra_pages);
	/* The packet comes before the state; pairs with the reader's virt_rmb(). */
	virt_wmb();
	last_state = header->state;
	WRITE_ONCE(page->state, header->state);
	page_notify();
}

static ssize_t rogue_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	ssize_t ret = count;
	u8 *bytes;

	if (count < sizeof(*page) || count > VTPM_TRAILER_OFFSET)
		return -EINVAL;
	bytes = memdup_user(buf, count);
	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	mutex_lock(&rogue_lock);
	if (!page)
		ret = -ENOTCONN;
	else if (count > page_writable())
		ret = -EINVAL;
	else
		page_put(bytes, count);
	mutex_unlock(&rogue_lock);
	kfree(bytes);
	return ret;
}

static bool page_changed(void)
{
	bool changed;

	mutex_lock(&rogue_lock);
	changed = !page || READ_ONCE(page->state) != last_state;
	mutex_unlock(&rogue_lock);
	return changed;
}

/* The condition takes a mutex, so it cannot be one of wait_event()'s. */
static int page_wait_change(void)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long left = msecs_to_jiffies(WAIT_MS);

	add_wait_queue(&page_wait, &wait);
	while (!page_changed() && left && !signal_pending(current))
		left = wait_woken(&wait, TASK_INTERRUPTIBLE, left);
	remove_wait_queue(&page_wait, &wait);
	if (page_changed())
		return 0;
	return left ? -EINTR : -ETIMEDOUT;
}

static ssize_t rogue_read(struct file *file, char __user *buf, size_t count,
			  loff_t *pos)
{
	ssize_t ret = 0;

	if (!(file->f_flags & O_NONBLOCK))
		ret = page_wait_change();
	if (ret)
		return ret;
	mutex_lock(&rogue_lock);
	count = min(count, page_bytes());
	if (!page)
		ret = -ENOTCONN;
	else
		ret = copy_to_user(buf, page, count) ? -EFAULT : count;
	mutex_unlock(&rogue_lock);
	return ret;
}

/**
 * page_parse() - read bytes from their hexadecimal digits
 * @hex: the digits
 * @bytes: the bytes are written here
 * @room: how many there may be
 *
 * Return: how many there are; -EINVAL, these are not such digits, or too many.
 */
int page_parse(const char *hex, u8 *bytes, size_t room)
{
	size_t length = strlen(hex);

	if (!length || length % 2 || length / 2 > room ||
	    hex2bin(bytes, hex, length / 2))
		return -EINVAL;
	return length / 2;
}

/**
 * page_poke() - write bytes anywhere into the pages, and notify nobody
 * @arguments: "OFFSET HEX"
 *
 * Return: 0; -ENOTCONN, there are no pages; -EINVAL, not such arguments.
 */
int page_poke(char *arguments)
{
	char *word = strsep(&arguments, " ");
	u8 bytes[256];
	u32 offset;
	int count;

	if (!page)
		return -ENOTCONN;
	if (!arguments || kstrtou32(word, 0, &offset))
		return -EINVAL;
	count = page_parse(arguments, bytes, sizeof(bytes));
	if (count < 0 || offset > page_bytes() || count > page_bytes() - offset)
		return -EINVAL;
	memcpy((u8 *)page + offset, bytes, count);
	return 0;
}

void page_show(struct seq_file *file)
{
	seq_printf(file, "pages=%zu events=%lu ",
		   page_bytes() / VTPM_SHARED_PAGE_SIZE, READ_ONCE(page_events));
}

static const struct file_operations rogue_fops = {
	.owner = THIS_MODULE,
	.read = rogue_read,
	.write = rogue_write,
};

static struct miscdevice rogue_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vtpm-rogue",
	.fops = &rogue_fops,
	.mode = 0600,
};

int page_init(void)
{
	return misc_register(&rogue_device);
}

void page_exit(void)
{
	misc_deregister(&rogue_device);
}
