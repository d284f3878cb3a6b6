// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the TPM core sees: one command at a time is sent, waited for and received.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/freezer.h>
#include <linux/module.h>
#include <linux/unaligned.h>

#include "tpm.h"
#include "xen-tpmfront.h"

static unsigned int command_timeout_ms = 90000;
module_param(command_timeout_ms, uint, 0644);
MODULE_PARM_DESC(command_timeout_ms,
		 "How long to wait for a response, in ms; the durations made for TPM chips do not fit one that writes to disk first. The creation of keys may take what the TPM core allows for it, if that is longer (90000)");

static unsigned int cancel_timeout_ms = 10000;
module_param(cancel_timeout_ms, uint, 0644);
MODULE_PARM_DESC(cancel_timeout_ms,
		 "How long to wait until a cancelled command has ended, in ms (10000)");

static unsigned int connect_timeout_ms = 60000;
module_param(connect_timeout_ms, uint, 0644);
MODULE_PARM_DESC(connect_timeout_ms,
		 "How long a command waits for the backend to connect again, in ms (60000)");

static unsigned int freeze_timeout_ms = 8000;
module_param(freeze_timeout_ms, uint, 0644);
MODULE_PARM_DESC(freeze_timeout_ms,
		 "How long a task that is to be frozen goes on waiting for its response first, in ms; those who wait for the TPM behind it cannot be frozen meanwhile, and the kernel gives up after 20 s (8000)");

/* How often a waiting task looks whether it is to be frozen, in ms. */
#define FREEZE_LOOK	250

/* What the TPM core allows for a command of which it knows nothing, in ms. */
#define DURATION_UNKNOWN	120000

/* Pauses between attempts to register the chip, in seconds. */
#define REGISTER_PAUSE_MIN	1
#define REGISTER_PAUSE_MAX	64

/* What status() tells the TPM core, which looks at it in old ways of use only. */
enum tpmfront_status {
	STATUS_BUSY = 0x01,
	STATUS_DONE = 0x02,
	STATUS_CANCELED = 0x04,
};

static void front_cancel(struct tpmfront *front)
{
	spin_lock_irq(&front->lock);
	if (front->connected && front->in_flight)
		tpmfront_page_cancel(front);
	spin_unlock_irq(&front->lock);
}

/* Waiting. */

static bool front_is_ready(struct tpmfront *front)
{
	bool ready;

	spin_lock_irq(&front->lock);
	ready = front->removed || (front->connected && !front->in_flight &&
				   !front->suspended);
	spin_unlock_irq(&front->lock);
	return ready;
}

/**
 * tpmfront_is_answered() - tell whether no command is under way
 * @front: the device
 *
 * Context: any but the device's lock held or interrupts off.
 */
bool tpmfront_is_answered(struct tpmfront *front)
{
	bool answered;

	spin_lock_irq(&front->lock);
	answered = !front->in_flight;
	spin_unlock_irq(&front->lock);
	return answered;
}

/*
 * Waits for @done, at most @timeout jiffies, or until the task is killed. A task that
 * is to be frozen goes on waiting for a while, so that those who wait for the TPM core's
 * lock behind it get their turn and can be frozen too. Then it lets itself be frozen
 * here, with the lock held: what it waits for is taken by the interrupt.
 *
 * Returns what is left of @timeout, at least 1; 0, it is over; -ERESTARTSYS.
 */
static long front_wait(struct tpmfront *front,
		       bool (*done)(struct tpmfront *front), long timeout)
{
	long grace = msecs_to_jiffies(freeze_timeout_ms);
	unsigned int state = TASK_KILLABLE;
	long left = timeout;
	long slice, rest;

	while (left > 0) {
		slice = min_t(long, left, msecs_to_jiffies(FREEZE_LOOK));
		rest = ___wait_event(front->wait,
				     ___wait_cond_timeout(done(front)), state,
				     0, slice, __ret = schedule_timeout(__ret));
		if (rest)
			return rest < 0 ? rest : left;
		left -= slice;
		if (freezing(current))
			grace -= slice;
		if (grace <= 0)
			state = TASK_KILLABLE | TASK_FREEZABLE_UNSAFE;
	}
	return 0;
}

/* What the TPM core calls. */

/*
 * How long to wait for the page. Behind a command that was given up since nothing answers
 * it is a short time: those who wait for the TPM core's lock cannot be killed, and the
 * kernel calls them hung after two minutes.
 */
static unsigned long front_patience(struct tpmfront *front)
{
	unsigned long longest = msecs_to_jiffies(connect_timeout_ms);
	unsigned long shortest = msecs_to_jiffies(cancel_timeout_ms);
	unsigned long end = front->submitted +
			    msecs_to_jiffies(command_timeout_ms);

	if (tpmfront_is_answered(front) || time_after(end, jiffies + shortest))
		return longest;
	return min(shortest, longest);
}

/*
 * Waits until the page is ours: the backend has connected, no suspend is under way, and
 * a command that was given up earlier has ended.
 */
static int front_wait_ready(struct tpmfront *front)
{
	long left = front_wait(front, front_is_ready, front_patience(front));

	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIME;
}

static int front_submit(struct tpmfront *front, const u8 *command, u32 length)
{
	int err = 0;

	spin_lock_irq(&front->lock);
	if (front->removed)
		err = -EPIPE;
	else if (!front->connected || front->in_flight || front->suspended)
		err = -EAGAIN;
	else if (length > tpmfront_capacity(front))
		err = -E2BIG;
	if (!err) {
		front->answer = ANSWER_NONE;
		front->in_flight = true;
		front->again = false;
		front->sequence++;
		front->submitted = jiffies;
		memcpy(front->command, command, length);
		front->command_length = length;
		tpmfront_page_submit(front);
	}
	spin_unlock_irq(&front->lock);
	return err;
}

static int front_send(struct tpmfront *front, const u8 *command, u32 length)
{
	int err;

	do {
		err = front_wait_ready(front);
		if (!err)
			err = front_submit(front, command, length);
	} while (err == -EAGAIN);
	return err;
}

/*
 * The TPM core knows of commands that take minutes. Its shorter limits are for chips; and
 * the durations of a TPM 1.2 are what it says of itself: hours, if the backend likes.
 */
static unsigned long front_duration(struct tpm_chip *chip, const u8 *command)
{
	unsigned long patience = msecs_to_jiffies(command_timeout_ms);
	unsigned long duration;

	if (!(chip->flags & TPM_CHIP_FLAG_TPM2))
		return patience;
	duration = tpm_calc_ordinal_duration(chip,
					     get_unaligned_be32(command + 6));
	if (duration <= msecs_to_jiffies(DURATION_UNKNOWN))
		return patience;
	return max(duration, patience);
}

static int front_outcome(struct tpmfront *front)
{
	enum tpmfront_answer answer;

	spin_lock_irq(&front->lock);
	answer = front->answer;
	spin_unlock_irq(&front->lock);

	switch (answer) {
	case ANSWER_RESPONSE:
		return 0;
	case ANSWER_DROPPED:
		return -ECANCELED;
	case ANSWER_LOST:
		return -EPIPE;
	default:
		return -ETIME;
	}
}

/*
 * Returns 0 if there is a response after all. One that comes later than this
 * waits for finds nobody, and is thrown away.
 */
static int front_give_up(struct tpmfront *front)
{
	front_cancel(front);
	wait_event_timeout(front->wait, tpmfront_is_answered(front),
			   msecs_to_jiffies(cancel_timeout_ms));
	return front_outcome(front);
}

static int tpmfront_send(struct tpm_chip *chip, u8 *buf, size_t bufsiz,
			 size_t len)
{
	struct tpmfront *front = dev_get_drvdata(&chip->dev);
	long left;
	int err;

	if (len < TPM_HEADER_SIZE || len > VTPM_PACKET_MAX)
		return -E2BIG;
	err = front_send(front, buf, len);
	if (err)
		return err;
	left = front_wait(front, tpmfront_is_answered, front_duration(chip, buf));
	if (left > 0)
		return front_outcome(front);
	err = front_give_up(front);
	return err && left < 0 ? -EINTR : err;
}

static int tpmfront_recv(struct tpm_chip *chip, u8 *buf, size_t count)
{
	struct tpmfront *front = dev_get_drvdata(&chip->dev);
	int length;

	spin_lock_irq(&front->lock);
	length = front->answer == ANSWER_RESPONSE ? front->length : -EIO;
	if (length > (int)count)
		length = -EIO;
	if (length > 0)
		memcpy(buf, front->response, length);
	front->answer = ANSWER_NONE;
	memzero_explicit(front->response, front->length);
	front->length = 0;
	spin_unlock_irq(&front->lock);
	return length;
}

static void tpmfront_cancel(struct tpm_chip *chip)
{
	front_cancel(dev_get_drvdata(&chip->dev));
}

static u8 tpmfront_status(struct tpm_chip *chip)
{
	struct tpmfront *front = dev_get_drvdata(&chip->dev);
	u8 status = STATUS_DONE;

	spin_lock_irq(&front->lock);
	if (front->in_flight)
		status = STATUS_BUSY;
	else if (front->answer == ANSWER_DROPPED)
		status = STATUS_CANCELED;
	spin_unlock_irq(&front->lock);
	return status;
}

static bool tpmfront_req_canceled(struct tpm_chip *chip, u8 status)
{
	return status == STATUS_CANCELED;
}

static const struct tpm_class_ops tpmfront_ops = {
	.flags = TPM_OPS_AUTO_STARTUP,
	.req_complete_mask = STATUS_DONE,
	.req_complete_val = STATUS_DONE,
	.req_canceled = tpmfront_req_canceled,
	.status = tpmfront_status,
	.send = tpmfront_send,
	.recv = tpmfront_recv,
	.cancel = tpmfront_cancel,
};

/* The chip. */

/*
 * No firmware has started this TPM. One that is 1.2, or was started before, answers
 * with an error, which is as good; the TPM core sees to a TPM 1.2 itself.
 */
static int chip_startup(struct tpm_chip *chip)
{
	static const u8 startup_clear[] = {
		0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0,
	};
	u8 buf[sizeof(startup_clear)];
	int err;

	memcpy(buf, startup_clear, sizeof(buf));
	err = tpmfront_send(chip, buf, sizeof(buf), sizeof(buf));
	if (!err)
		err = tpmfront_recv(chip, buf, sizeof(buf));
	return err < 0 ? err : 0;
}

static int chip_probe(struct tpm_chip *chip)
{
	int err = tpm_chip_start(chip);

	if (err)
		return err;
	err = chip_startup(chip);
	if (!err)
		err = tpm2_probe(chip);
	tpm_chip_stop(chip);
	return err;
}

static int front_register_chip(struct tpmfront *front)
{
	struct tpm_chip *chip;
	int err;

	chip = tpm_chip_alloc(&front->xdev->dev, &tpmfront_ops);
	if (IS_ERR(chip))
		return PTR_ERR(chip);
	chip->flags |= TPM_CHIP_FLAG_IRQ;
	dev_set_drvdata(&chip->dev, front);
	err = chip_probe(chip);
	if (!err)
		err = tpm_chip_register(chip);
	if (err) {
		put_device(&chip->dev);
		return err;
	}
	front->chip = chip;
	return 0;
}

/* A chip that failed to register is of no more use; each attempt has its own. */
static void tpmfront_register_work(struct work_struct *work)
{
	struct tpmfront *front = container_of(to_delayed_work(work),
					      struct tpmfront, register_work);
	int err;

	if (front->chip)
		return;
	err = front_register_chip(front);
	if (!err || READ_ONCE(front->removed))
		return;
	dev_err(&front->xdev->dev,
		"the TPM does not answer as it should (error %d), next attempt in %u s; see vtpmctl list on the host\n",
		err, front->register_pause);
	schedule_delayed_work(&front->register_work,
			      front->register_pause * HZ);
	front->register_pause = min(front->register_pause * 2,
				    REGISTER_PAUSE_MAX);
}

/**
 * tpmfront_chip_init() - get ready to register the chip
 * @front: the device
 *
 * It is registered by &tpmfront.register_work once the link has come up.
 *
 * Context: any.
 */
void tpmfront_chip_init(struct tpmfront *front)
{
	front->register_pause = REGISTER_PAUSE_MIN;
	INIT_DELAYED_WORK(&front->register_work, tpmfront_register_work);
}

/**
 * tpmfront_chip_exit() - take the chip from the TPM core
 * @front: the device, where &tpmfront.removed is set: nothing waits for the backend any more
 *
 * Context: process; may sleep.
 */
void tpmfront_chip_exit(struct tpmfront *front)
{
	cancel_delayed_work_sync(&front->register_work);
	if (!front->chip)
		return;
	tpm_chip_unregister(front->chip);
	put_device(&front->chip->dev);
}
