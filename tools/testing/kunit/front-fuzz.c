// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs for xen-tpmfront: a backend that does what it likes, a TPM core that sends, and
 * suspends.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "front-fixture.h"
#include "fuzz.h"

static bool watching;		/* xenwatch does one thing at a time */
static bool sending;		/* and so does the TPM core */
static bool pending;		/* the backend has sent an event */
static bool submitted;		/* the command in the page is the backend's */
static unsigned int handled;
static enum tpmfront_extension extension;

static u8 *pages(size_t *size)
{
	struct tpmfront *device = front_device();

	if (!device || !device->page)
		return NULL;
	*size = device->nr_pages * PAGE_SIZE;
	return (u8 *)device->page;
}

static bool is_page(const void *at)
{
	size_t size;
	u8 *start = pages(&size);

	return start && (const u8 *)at >= start && (const u8 *)at < start + size;
}

static u8 *packet_of(const struct tpmfront *device)
{
	return (u8 *)device->page +
	       VTPM_PACKET_OFFSET(tpmfront_is_extended(device) ? 1 : 0);
}

/* NULL: there is none in a single page. */
static struct vtpm_trailer *trailer(void)
{
	size_t size;
	u8 *start = pages(&size);

	if (!start || size <= VTPM_TRAILER_OFFSET)
		return NULL;
	return (struct vtpm_trailer *)(start + VTPM_TRAILER_OFFSET);
}

/* What has to hold. */

/* One EOI for each event, which says whether there was something that was waited for. */
static bool front_interrupt(void)
{
	struct tpmfront *device = front_device();
	struct double_line before = double_line(double_irq()), after;
	bool in_flight, quiescing, done;
	u32 command_length, response_length;

	if (!pending || !device || !device->page)
		return false;
	command_length = device->command_length;
	pending = false;
	in_flight = device->in_flight;
	quiescing = device->quiescing;
	if (!double_fire(double_irq()))
		return false;
	handled++;
	after = double_line(double_irq());
	done = in_flight && !device->in_flight;
	fuzz_require(after.eois == before.eois + 1);
	fuzz_require((after.spurious == before.spurious) ==
		     (done || (quiescing && !device->quiescing)));
	if (!done)
		return true;
	submitted = false;
	fuzz_require(device->length <= tpmfront_capacity(device));
	/*
	 * Responses hold secrets too. What the backend writes behind one is its
	 * own affair.
	 */
	response_length = device->answer == ANSWER_RESPONSE ? device->length : 0;
	fuzz_require(fuzz_is_zero(packet_of(device),
				  max(command_length, response_length)));
	return true;
}

/* A command is handed in whole, once, and only into a page that is ours. */
static void check_submit(const struct tpmfront *device)
{
	fuzz_require(device->in_flight && device->connected && !device->removed);
	fuzz_require(!device->suspended || device->again);
	fuzz_require(!submitted);
	submitted = true;
	fuzz_require(device->page->length == device->command_length &&
		     device->command_length <= tpmfront_capacity(device));
	fuzz_require(!device->page->locality);
	fuzz_require(!memcmp(packet_of(device), device->command,
			     device->command_length));
	if (tpmfront_is_extended(device))
		fuzz_require(trailer()->sequence == device->sequence);
}

/* The state says that there is a command, which nobody has handed in yet. */
static void notified(unsigned int irq)
{
	struct tpmfront *device = front_device();

	fuzz_require(device && device->page && device->irq == irq);
	if (device->in_flight && !submitted &&
	    device->page->state == VTPM_STATE_SUBMIT)
		check_submit(device);
}

/* A page that is offered shows nothing but what it is to show. */
static void check_offer(const struct tpmfront *device)
{
	u8 *page = (u8 *)device->page;
	size_t head = device->nr_pages == VTPM_EXTENSION_PAGES ? 12 : 8;
	size_t end = device->nr_pages == VTPM_EXTENSION_PAGES ?
		     VTPM_TRAILER_OFFSET : PAGE_SIZE;

	submitted = false;
	fuzz_require(!device->connected && double_lines() == 1);
	fuzz_require(fuzz_is_zero(page, 7));
	fuzz_require(page[7] == device->nr_pages - 1);
	fuzz_require(fuzz_is_zero(page + head, end - head));
}

static void goes_to(struct xenbus_device *xdev, enum xenbus_state state)
{
	struct tpmfront *device = front_device();

	if (!device)
		return;
	if (state == XenbusStateInitialised)
		check_offer(device);
	else if (state == XenbusStateConnected)
		fuzz_require(device->connected && device->page);
	else if (state == XenbusStateClosed)
		fuzz_require(!device->page && !double_rings() && !double_lines());
}

static void front_check(void)
{
	struct tpmfront *device = front_device();

	fuzz_require(front_fits_together());
	if (!device)
		return;
	if (!device->in_flight)
		fuzz_require(fuzz_is_zero(device->command,
					  sizeof(device->command)));
	/* The first backend decides, for good. */
	fuzz_require(extension == EXTENSION_UNDECIDED ||
		     extension == device->extension);
	extension = device->extension;
}

/* The backend: pages. */

static void backend_writes(const struct step *step)
{
	fuzz_write_page(step);
	pending |= step->b & 1;
}

static void backend_notifies(const struct step *step)
{
	pending = true;
	front_interrupt();
}

static void backend_responds(const struct step *step)
{
	struct tpmfront *device = front_device();

	if (!device || !device->page)
		return;
	step_put_finish((u8 *)device->page, packet_of(device),
			tpmfront_capacity(device), step);
	if (step->b & 2 && trailer())
		trailer()->sequence = 0;
	pending = true;
}

/* What was asked for besides commands is done. */
static void backend_obeys(const struct step *step)
{
	if (trailer())
		trailer()->answer = trailer()->control;
	pending = true;
}

/* The backend: store and states. */

static void store_writes(const struct step *step)
{
	fuzz_set_node(FRONT_BACK_DIR, step->a & 1 ? "feature-exactly-once" :
		      "feature-protocol-v2", step_feature(step->b));
}

static void bus_says(enum xenbus_state state)
{
	if (!front_device())
		return;
	watching = true;
	front_backend(state);
	watching = false;
}

static void backend_state(const struct step *step)
{
	bus_says(step->a % 10);
}

/* All that a backend does until it is connected. */
static void backend_connects(const struct step *step)
{
	store_set(FRONT_BACK_DIR, "feature-protocol-v2", "1");
	fuzz_set_node(FRONT_BACK_DIR, "feature-exactly-once",
		      step->b & 1 ? NULL : "1");
	bus_says(XenbusStateInitWait);
	if (step->b & 2 && trailer()) {
		memset(trailer()->session, 1 | step->c,
		       sizeof(trailer()->session));
		trailer()->sequence = step->value;
	}
	bus_says(XenbusStateConnected);
}

/* The guest: TPM core, suspends, the bus. */

static void core_sends(const struct step *step)
{
	static u8 command[VTPM_PACKET_MAX + 64];
	u32 length = min_t(u32, step_length(step->a), sizeof(command));
	int err;

	if (!double_chip() || sending)
		return;
	memset(command, step->value | 0x80, length);
	sending = true;
	err = front_send(command, length);
	sending = false;
	fuzz_require(!err || err == -E2BIG || err == -EINTR || err == -ETIME ||
		     err == -ECANCELED || err == -EPIPE);
	fuzz_require(err == -E2BIG || (length >= TPM_HEADER_SIZE &&
				       length <= VTPM_PACKET_MAX));
}

static void core_receives(const struct step *step)
{
	u32 count = min_t(u32, step_length(step->a), VTPM_PACKET_MAX);
	struct tpm_chip *chip = double_chip();
	u8 *bytes;
	int size;

	if (!chip || sending)
		return;
	/* Of this size, so that KASAN sees what is written behind it. */
	bytes = kmalloc(count ?: 1, GFP_KERNEL);
	if (!bytes)
		return;
	size = chip->ops->recv(chip, bytes, count);
	fuzz_require(size == -EIO || (size >= 0 && size <= count));
	kfree(bytes);
	fuzz_require(fuzz_is_zero(front_device()->response,
				  sizeof(front_device()->response)));
}

static void core_cancels(const struct step *step)
{
	struct tpm_chip *chip = double_chip();

	if (!chip)
		return;
	chip->ops->cancel(chip);
	chip->ops->req_canceled(chip, chip->ops->status(chip));
}

static void guest_suspends(const struct step *step)
{
	if (!front_device())
		return;
	watching = true;
	fuzz_require(!front_suspend());
	watching = false;
}

static void guest_resumes(const struct step *step)
{
	if (!front_device())
		return;
	watching = true;
	front_resume();
	watching = false;
}

static void suspend_ends(const struct step *step)
{
	if (!front_device())
		return;
	watching = true;
	front_complete();
	watching = false;
	fuzz_require(!front_device()->suspended);
}

static void work_runs(const struct step *step)
{
	bool was = sending;

	if (!front_device())
		return;
	sending = true;
	double_run_work(&front_device()->register_work);
	sending = was;
}

static void device_comes(const struct step *step)
{
	if (front_device())
		return;
	extension = EXTENSION_UNDECIDED;
	submitted = false;
	front_probe();
}

static void device_goes(const struct step *step)
{
	front_remove();
}

/* All until there is a chip: the TPM answers while the work waits for it. */
static void everything_comes_up(const struct step *step)
{
	backend_connects(step);
	work_runs(step);
}

static bool bus_is_idle(void)
{
	return !watching;
}

static bool core_is_idle(void)
{
	return !sending;
}

static const struct action actions[] = {
	FRONTEND_STEPS(STEP_RUN, STEP_ARM)
};

/* Before and after a program. */

static int front_open(struct kunit *test)
{
	int err = front_init(test);

	double_hooks.on_notify = notified;
	double_hooks.on_state = goes_to;
	return err;
}

static void front_begin_program(void)
{
	static const struct step good;

	double_store_reset();
	watching = false;
	sending = false;
	pending = false;
	device_comes(&good);
}

static void front_end_program(void)
{
	front_remove();
	front_remove();
}

const struct fuzz_target fuzz_front = {
	.name = "frontend",
	.actions = actions,
	.count = ARRAY_SIZE(actions),
	.open = front_open,
	.close = front_exit,
	.begin = front_begin_program,
	.end = front_end_program,
	.interrupt = front_interrupt,
	.check = front_check,
	.is_page = is_page,
	.page = pages,
};
