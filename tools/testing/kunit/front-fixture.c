// SPDX-License-Identifier: GPL-2.0-only
/* What the frontend's tests share; see front-fixture.h. */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/task.h>
#include <linux/unaligned.h>
#include <linux/vmalloc.h>

#include "front-fixture.h"

/* What no test waits for, and what each silent backend costs. */
#define LONG_MS		20000
#define SHORT_MS	40

struct front front;

/* Held while the backend looks at the page, which must not go away under it. */
static DEFINE_MUTEX(peer_lock);

/* The bus. */

struct tpmfront *front_device(void)
{
	return dev_get_drvdata(&front.xdev.dev);
}

int front_probe(void)
{
	memset(&front.xdev, 0, sizeof(front.xdev));
	front.xdev.nodename = FRONT_DIR;
	front.xdev.otherend = FRONT_BACK_DIR;
	front.xdev.state = XenbusStateInitialising;
	front.xdev.dev.init_name = "vtpm-0";
	return double_frontend->probe(&front.xdev, double_frontend->ids);
}

void front_remove(void)
{
	if (!double_frontend)
		return;
	double_frontend->remove(&front.xdev);
	front.xdev.state = XenbusStateClosed;
}

void front_backend(enum xenbus_state state)
{
	double_frontend->otherend_changed(&front.xdev, state);
}

int front_suspend(void)
{
	return double_frontend->suspend(&front.xdev);
}

int front_resume(void)
{
	return double_frontend->resume(&front.xdev);
}

void front_complete(void)
{
	double_frontend->driver.pm->complete(&front.xdev.dev);
}

/* What holds between any two steps. A chip may be about to be registered. */
bool front_fits_together(void)
{
	struct tpmfront *device = front_device();
	bool up = device && device->page;
	int unregistered = double_chips() - double_tpm_registered();

	return double_is_clean() && double_rings() == up &&
	       double_lines() == up && double_ports() == up &&
	       (unregistered == 0 || unregistered == 1) &&
	       (device || !double_chips()) &&
	       (!device || !device->connected || up);
}

/* The backend. */

static bool peer_map(void)
{
	struct tpmfront *device = front_device();
	unsigned int i;

	front.nr_pages = device->nr_pages;
	for (i = 0; i < front.nr_pages; i++)
		front.pages[i] = double_granted(device->grefs[i]);
	for (i = 0; i < front.nr_pages; i++)
		if (!front.pages[i])
			return false;
	front.page = vmap(front.pages, front.nr_pages, VM_MAP, PAGE_KERNEL);
	return front.page;
}

bool front_map(void)
{
	bool mapped;

	mutex_lock(&peer_lock);
	mapped = peer_map();
	mutex_unlock(&peer_lock);
	return mapped;
}

static void peer_unmap(void)
{
	unsigned int i;

	vunmap(front.page);
	front.page = NULL;
	for (i = 0; i < front.nr_pages; i++)
		put_page(front.pages[i]);
}

/* It may keep the pages for longer than the frontend has a use for them. */
void front_unmap(void)
{
	mutex_lock(&peer_lock);
	if (front.page)
		peer_unmap();
	mutex_unlock(&peer_lock);
}

u8 *front_packet(void)
{
	return (u8 *)front.page + VTPM_PACKET_OFFSET(front.extended ? 1 : 0);
}

struct vtpm_trailer *front_trailer(void)
{
	return (struct vtpm_trailer *)((u8 *)front.page + VTPM_TRAILER_OFFSET);
}

u32 front_capacity(void)
{
	return front.extended ? VTPM_PACKET_MAX : VTPM_PACKET_MAX_SINGLE;
}

void front_publish(u8 state, u32 length)
{
	front.page->length = length;
	/* These come first. */
	smp_wmb();
	WRITE_ONCE(front.page->state, state);
	double_fire(double_irq());
}

/* A response whose header says as many bytes as there are. */
static void peer_answer(void)
{
	u32 fits = min_t(u32, front.answer, front_capacity());

	memset(front_packet(), 0x42, fits);
	if (fits >= 10) {
		put_unaligned_be16(0x8001, front_packet());
		put_unaligned_be32(front.answer, front_packet() + 2);
	}
	front_publish(VTPM_STATE_FINISH, front.answer);
}

static void peer_do(enum front_peer what)
{
	if (what == PEER_ANSWERS)
		peer_answer();
	else if (what == PEER_DROPS)
		front_publish(VTPM_STATE_IDLE, 0);
}

static void peer_take(void)
{
	front.sent_length = front.page->length;
	front.sequence = front.extended ? front_trailer()->sequence : 0;
	memcpy(front.sent, front_packet(),
	       min_t(u32, front.sent_length, sizeof(front.sent)));
	WRITE_ONCE(front.submits, front.submits + 1);
	peer_do(front.peer);
}

static void peer_control(void)
{
	u32 control = front_trailer()->control;

	if (!control || front_trailer()->answer == control)
		return;
	front.quiesces += control == VTPM_CONTROL_QUIESCE;
	front.continues += control == VTPM_CONTROL_CONTINUE;
	if (front.ignores_control)
		return;
	front_trailer()->answer = control;
	double_fire(double_irq());
}

static void peer_look_at_page(void)
{
	if (front.extended)
		peer_control();
	if (READ_ONCE(front.page->state) == VTPM_STATE_SUBMIT) {
		peer_take();
	} else if (READ_ONCE(front.page->state) == VTPM_STATE_CANCEL) {
		front.cancels++;
		peer_do(front.on_cancel);
	}
}

static void peer_look(struct work_struct *work)
{
	mutex_lock(&peer_lock);
	if (front.page)
		peer_look_at_page();
	mutex_unlock(&peer_lock);
}

static void peer_notified(unsigned int irq)
{
	queue_work(system_wq, &front.look);
}

/* What the backend does before it goes Connected. */
void front_begin(void)
{
	front.extended = front.offers && front.nr_pages == VTPM_EXTENSION_PAGES;
	store_set(FRONT_BACK_DIR, "feature-protocol-v2", "1");
	store_set(FRONT_BACK_DIR, "feature-exactly-once", "%d", front.offers);
	if (!front.extended)
		return;
	if (!memchr_inv(front_trailer()->session, 0, 16))
		front_trailer()->sequence = 500;
	memset(front_trailer()->session, 0x5e, 16);
}

/* The TPM core. */

int front_send(const void *command, u32 length)
{
	struct tpm_chip *chip = double_chip();

#ifdef COMPAT_TPM_SEND_WITHOUT_BUFSIZ
	return chip->ops->send(chip, (u8 *)command, length);
#else
	return chip->ops->send(chip, (u8 *)command, length, length);
#endif
}

int front_send_ordinary(void)
{
	static const u8 command[] = {
		0x80, 1, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 20,
	};

	return front_send(command, sizeof(command));
}

int front_receive(size_t size)
{
	struct tpm_chip *chip = double_chip();

	memset(front.received, 0, sizeof(front.received));
	return chip->ops->recv(chip, front.received, size);
}

/* Waits until the chip is registered, or has not been. */
void front_settle(void)
{
	flush_delayed_work(&front_device()->register_work);
	flush_work(&front.look);
}

static int sender_run(void *data)
{
	struct front_sender *sender = data;

	sender->err = front_send_ordinary();
	complete(&sender->done);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

void front_start_sender(struct kunit *test, struct front_sender *sender)
{
	init_completion(&sender->done);
	sender->err = 1;
	sender->task = kthread_run(sender_run, sender, "vtpm-kunit-sender");
	KUNIT_ASSERT_FALSE(test, IS_ERR(sender->task));
}

/* Returns what send() has returned; 1 if it does not return. */
int front_finish_sender(struct front_sender *sender)
{
	wait_for_completion_timeout(&sender->done, msecs_to_jiffies(LONG_MS));
	kthread_stop(sender->task);
	return sender->err;
}

/* Returns whether it came true, within a time that no test needs. */
bool front_await(bool (*done)(void))
{
	unsigned long end = jiffies + msecs_to_jiffies(LONG_MS);

	while (!done() && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	return done();
}

static unsigned int submits_before;

bool front_has_submitted(void)
{
	return READ_ONCE(front.submits) != submits_before;
}

static bool is_registered(void)
{
	return READ_ONCE(double_frontend);
}

/* All of it. */

void front_initialise(struct kunit *test, bool offers)
{
	front.offers = offers;
	KUNIT_ASSERT_EQ(test, front_probe(), 0);
	front_backend(XenbusStateInitWait);
	KUNIT_ASSERT_EQ(test, front.xdev.state, XenbusStateInitialised);
	KUNIT_ASSERT_TRUE(test, front_map());
	front_begin();
}

void front_connect(struct kunit *test, bool offers)
{
	front_initialise(test, offers);
	front_backend(XenbusStateConnected);
	KUNIT_ASSERT_EQ(test, front.xdev.state, XenbusStateConnected);
	front_settle();
	KUNIT_ASSERT_NOT_NULL(test, double_chip());
	submits_before = front.submits;
}

/* The init of each suite. */
int front_init(struct kunit *test)
{
	double_begin(test);
	memset(&front, 0, sizeof(front));
	INIT_WORK(&front.look, peer_look);
	front.answer = 10;
	front.on_cancel = PEER_SILENT;
	*double_command_timeout_ms = LONG_MS;
	*double_connect_timeout_ms = LONG_MS;
	*double_cancel_timeout_ms = SHORT_MS;
	*double_drain_timeout_ms = SHORT_MS;
	*double_quiesce_timeout_ms = SHORT_MS;
	*double_freeze_timeout_ms = LONG_MS;
	*double_exactly_once = true;
	double_hooks.on_notify = peer_notified;
	KUNIT_ASSERT_EQ(test, double_tpmfront_init(), 0);
	KUNIT_ASSERT_TRUE(test, front_await(is_registered));
	return 0;
}

/*
 * And the exit, also where the init did not come far. Removing a device that is not
 * bound does nothing, nor does it twice.
 */
void front_exit(struct kunit *test)
{
	double_fail_nth(0);
	front_remove();
	front_remove();
	front_unmap();
	double_hooks.on_notify = NULL;
	if (front.look.func)
		cancel_work_sync(&front.look);
	if (double_frontend)
		double_tpmfront_exit();
	memset(&front, 0, offsetof(struct front, look));
	double_end(test);
}
