// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-tpmfront, whole, against a backend that does what it likes, a TPM core that sends,
 * and suspends, on the kernel that kernel/shim.h makes. An input is a program of
 * FRONTEND_STEPS. While a sender sleeps, the program goes on.
 */
#define SHIM_ITSELF
#include "kernel/steps.h"
#include "tpm.h"
#include "xen-tpmfront.h"

#define MAX_PROBES	3U

static unsigned int probes;
static bool watching, sending;

/* The command in the page is the backend's; in the ring with this number. */
static bool submitted;
static int submitted_ring;

static enum tpmfront_extension extension;

static struct tpmfront *front_of(void)
{
	return shim.device ? shim.device->dev.driver_data : NULL;
}

static uint8_t *trailer(void)
{
	return shim.memory + VTPM_TRAILER_OFFSET;
}

static uint8_t *packet_of(const struct tpmfront *front)
{
	return shim.memory + VTPM_PACKET_OFFSET(tpmfront_is_extended(front));
}

/* What has to hold. */

/* One EOI for each event, which says whether there was something that was waited for. */
bool target_interrupt(void)
{
	struct tpmfront *front = front_of();
	unsigned int eois = shim.eois;
	bool in_flight, quiescing, done;
	u32 command_length, response_length;

	if (!front)
		return false;
	in_flight = front->in_flight;
	command_length = front->command_length;
	quiescing = front->quiescing;
	if (!shim_interrupt())
		return false;
	done = in_flight && !front->in_flight;
	require(shim.eois == eois + 1);
	require(!shim.eoi_flags == (done || (quiescing && !front->quiescing)));
	if (!done)
		return true;
	submitted = false;
	require(front->length <= tpmfront_capacity(front));
	/* Responses hold secrets too. What the backend writes behind one is its own affair. */
	response_length = front->answer == ANSWER_RESPONSE ? front->length : 0;
	require_zeroes(packet_of(front), command_length > response_length ? command_length :
		       response_length);
	return true;
}

/* A command is handed in whole, once, and only into a page that is ours. */
static void check_submit(const struct tpmfront *front)
{
	const struct vtpm_shared_page *page = (const void *)shim.memory;
	uint64_t sequence;

	require(front->in_flight && front->connected && !front->removed);
	require(!front->suspended || front->again);
	require(!submitted || submitted_ring != shim.rings);
	submitted = true;
	submitted_ring = shim.rings;
	require(page->length == front->command_length && page->length <= tpmfront_capacity(front));
	require(!page->locality);
	require(!memcmp(packet_of(front), front->command, page->length));
	if (!tpmfront_is_extended(front))
		return;
	memcpy(&sequence, trailer(), sizeof(sequence));
	require(sequence == front->sequence);
}

/* The event comes after the state or the control word, and that after all else. */
void target_notified(void)
{
	struct tpmfront *front = front_of();
	size_t offset;

	require(front && front->page && front->irq == SHIM_IRQ);
	offset = (const uint8_t *)shim.last_write - (const uint8_t *)front->page;
	if (offset == offsetof(struct vtpm_shared_page, state)) {
		if (front->page->state == VTPM_STATE_SUBMIT)
			check_submit(front);
		else
			require(front->page->state == VTPM_STATE_CANCEL && front->in_flight);
		return;
	}
	require(tpmfront_is_extended(front));
	require(offset == VTPM_TRAILER_OFFSET + offsetof(struct vtpm_trailer, control));
}

/* A page that is offered shows nothing but what it is to show. */
void target_offered(void)
{
	const struct tpmfront *front = front_of();
	size_t head = front->nr_pages == 2 ? 12 : 8;

	require(!front->connected);
	require_zeroes(shim.memory, 7);
	require(shim.memory[7] == front->nr_pages - 1);
	require_zeroes(shim.memory + head, VTPM_TRAILER_OFFSET - head);
	if (front->nr_pages == 2)
		require(!memcmp(trailer() + 8, front->session, sizeof(front->session)));
	else
		require_zeroes(trailer(), VTPM_TRAILER_SIZE);
}

void target_state(enum xenbus_state state)
{
	struct tpmfront *front = front_of();

	if (!front)
		return;
	if (state == XenbusStateInitialised)
		require(front->page && shim.mapped == 1 && shim.bound && !front->connected);
	if (state == XenbusStateConnected)
		require(front->connected && front->page);
	if (state == XenbusStateClosed)
		require(!shim.mapped && !shim.bound && !front->page);
}

void target_before(void)
{
}

void target_after(void)
{
	struct tpmfront *front = front_of();

	require(!shim.spinning && !shim.running && !shim.ports && !shim.transactions);
	require(!shim.bound || !shim.masked);
	require(!!front == !!shim.device);
	if (!front)
		return;
	require(shim.mapped == !!front->page && shim.bound == !!front->page);
	require(!front->connected || front->page);
	require(shim.xdev.state != XenbusStateConnected || front->connected);
	if (!front->in_flight)
		require_zeroes(front->command, sizeof(front->command));
	/* The first backend decides, for good. */
	require(extension == EXTENSION_UNDECIDED || extension == front->extension);
	extension = front->extension;
	require(shim.allocations <= 2);
}

/* The backend: pages. */

static void backend_writes(const struct step *step)
{
	step_write(shim.memory, VTPM_EXTENSION_PAGES * VTPM_SHARED_PAGE_SIZE, step);
	if (step->b & 1)
		shim.pending = shim.bound;
}

static void backend_notifies(const struct step *step)
{
	(void)step;
	shim.pending = shim.bound;
	target_interrupt();
}

static void backend_responds(const struct step *step)
{
	struct tpmfront *front = front_of();

	if (!front)
		return;
	step_put_finish(shim.memory, packet_of(front), VTPM_PACKET_MAX, step);
	if (step->b & 2)
		memset(trailer(), 0, sizeof(uint64_t));
	shim.pending = shim.bound;
}

/* What was asked for besides commands is done. */
static void backend_obeys(const struct step *step)
{
	(void)step;
	memcpy(trailer() + offsetof(struct vtpm_trailer, answer),
	       trailer() + offsetof(struct vtpm_trailer, control), sizeof(uint32_t));
	shim.pending = shim.bound;
}

/* The backend: store and states. */

static void store_writes(const struct step *step)
{
	static const char *const nodes[] = { "feature-protocol-v2", "feature-exactly-once" };

	shim_store_set(SHIM_THEIRS, nodes[step->a % ARRAY_SIZE(nodes)], step_feature(step->b));
}

static void backend_state(const struct step *step)
{
	if (!shim.device)
		return;
	watching = true;
	shim.driver->otherend_changed(shim.device, step->a % 10);
	watching = false;
}

/* All that a backend does until it is connected. */
static void backend_connects(const struct step *step)
{
	struct step wait = { .a = XenbusStateInitWait }, connected = { .a = XenbusStateConnected };

	shim_store_set(SHIM_THEIRS, "feature-protocol-v2", "1");
	shim_store_set(SHIM_THEIRS, "feature-exactly-once", step->b & 1 ? NULL : "1");
	backend_state(&wait);
	if (step->b & 2) {
		memset(trailer() + 8, 1 | step->c, sizeof(front_of()->session));
		memcpy(trailer(), &step->value, sizeof(step->value));
	}
	backend_state(&connected);
}

/* The guest: TPM core, suspends, the bus. */

static void core_sends(const struct step *step)
{
	static uint8_t command[VTPM_PACKET_MAX + 64];
	uint32_t length = step_length(step->a);
	int err;

	if (!shim.chip || sending)
		return;
	if (length > sizeof(command))
		length = sizeof(command);
	memset(command, step->value | 0x80, length);
	sending = true;
	err = shim.chip->ops->send(shim.chip, command, sizeof(command), length);
	sending = false;
	require(!err || err == -E2BIG || err == -EINTR || err == -ETIME || err == -ECANCELED ||
		err == -EPIPE);
	require(err == -E2BIG || (length >= TPM_HEADER_SIZE && length <= VTPM_PACKET_MAX));
}

static void core_receives(const struct step *step)
{
	uint32_t count = step_length(step->a);
	unsigned int handled = shim.handled;
	uint8_t *bytes;
	int size;

	if (!shim.chip || sending)
		return;
	if (count > VTPM_PACKET_MAX)
		count = VTPM_PACKET_MAX;
	/* Of this size, so that what is written behind it is seen. */
	bytes = malloc(count + !count);
	require(bytes);
	size = shim.chip->ops->recv(shim.chip, bytes, count);
	require(size == -EIO || (size >= 0 && (uint32_t)size <= count));
	free(bytes);
	/* The response to a command that was given up may have come meanwhile. */
	if (shim.handled == handled)
		require_zeroes(front_of()->response, sizeof(front_of()->response));
}

static void core_cancels(const struct step *step)
{
	const struct tpm_class_ops *ops = shim.chip ? shim.chip->ops : NULL;

	(void)step;
	if (!ops)
		return;
	ops->cancel(shim.chip);
	ops->req_canceled(shim.chip, ops->status(shim.chip));
}

static void guest_suspends(const struct step *step)
{
	(void)step;
	if (!shim.device)
		return;
	watching = true;
	require(!shim.driver->suspend(shim.device));
	watching = false;
}

/* After the other domain's memory has been made from this one's. */
static void guest_resumes(const struct step *step)
{
	(void)step;
	if (!shim.device)
		return;
	watching = true;
	shim.driver->resume(shim.device);
	watching = false;
}

static void suspend_ends(const struct step *step)
{
	(void)step;
	if (!shim.device)
		return;
	watching = true;
	shim.driver->driver.pm->complete(&shim.device->dev);
	watching = false;
	require(!front_of()->suspended);
}

static void work_runs(const struct step *step)
{
	bool was = sending;

	sending = true;
	shim_jiffies += step->a * HZ;
	shim_run_due_work();
	sending = was;
}

/* Nobody is told of changes while a device comes or goes: xenbus watches later, and less long. */
static void device_comes(const struct step *step)
{
	(void)step;
	if (shim.device || probes == MAX_PROBES)
		return;
	probes++;
	extension = EXTENSION_UNDECIDED;
	submitted = false;
	watching = true;
	shim_probe();
	watching = false;
}

static void device_goes(const struct step *step)
{
	(void)step;
	watching = true;
	shim_remove();
	watching = false;
}

/* All until there is a chip: the TPM answers while the work waits for it. */
static void everything_comes_up(const struct step *step)
{
	struct step work = { .a = 0 };

	backend_connects(step);
	work_runs(&work);
}

static bool always(void)
{
	return true;
}

static bool bus_is_idle(void)
{
	return !watching;
}

static bool core_is_idle(void)
{
	return !sending;
}

const struct action actions[] = { FRONTEND_STEPS(STEP_RUN, STEP_ARM) };
const unsigned int action_count = ARRAY_SIZE(actions);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step = { 0 };

	probes = 0;
	watching = false;
	sending = false;
	shim_start();
	require(!shim_module_init());
	device_comes(&step);
	steps_run(data, size);
	shim_finish();
	shim_module_exit();
	return 0;
}
