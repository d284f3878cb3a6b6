// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-tpmback, whole, against a guest, engines and a controller that do what they like, on
 * the kernel that kernel/shim.h makes. An input is a program of BACKEND_STEPS.
 * What has to hold is in backend-check.c.
 */
#include "backend-check.h"

/* The guest: its pages. */

static void set_state(uint8_t state)
{
	shim.memory[offsetof(struct vtpm_shared_page, state)] = state;
	shim.pending = shim.bound;
}

static void guest_submit(const struct step *step)
{
	step_put_command(shim.memory, step);
	set_state(VTPM_STATE_SUBMIT);
}

static void guest_writes(const struct step *step)
{
	step_write(shim.memory, VTPM_EXTENSION_PAGES * VTPM_SHARED_PAGE_SIZE, step);
	if (step->b & 1)
		shim.pending = shim.bound;
}

static void guest_cancels(const struct step *step)
{
	(void)step;
	set_state(VTPM_STATE_CANCEL);
}

static void guest_controls(const struct step *step)
{
	uint32_t control = step->a % 4;

	memcpy(shim.memory + VTPM_TRAILER_OFFSET + offsetof(struct vtpm_trailer, control),
	       &control, sizeof(control));
	shim.pending = shim.bound;
}

static void guest_notifies(const struct step *step)
{
	(void)step;
	shim.pending = shim.bound;
	target_interrupt();
}

/* The guest, and the toolstack: the store and the states. */

static void store_writes(const struct step *step)
{
	static const char *const nodes[] = {
		"ring-ref", "event-channel", "feature-protocol-v2", "request-exactly-once",
	};
	const char *value = step_value(step->b);

	if (step->a % 5 < 4)
		shim_store_set(SHIM_THEIRS, nodes[step->a % 5], value);
	else
		shim_store_set(SHIM_OURS, "online", value);
	if (step->a % 5 == 4 && shim.watch)
		watched(shim.watch->callback, step);
}

static void frontend_state(const struct step *step)
{
	watched(NULL, step);
}

/* All that a frontend does until its page is there. */
static void guest_connects(const struct step *step)
{
	struct step state = { .a = step->c & 8 ? XenbusStateConnected : XenbusStateInitialised };
	bool extended = step->b & 1;
	uint32_t extra = step->c % 4;

	shim_store_set(SHIM_THEIRS, "ring-ref", step_value(step->a % 4));
	shim_store_set(SHIM_THEIRS, "event-channel", "1");
	shim_store_set(SHIM_THEIRS, "feature-protocol-v2", "1");
	shim_store_set(SHIM_THEIRS, "request-exactly-once", extended ? "1" : NULL);
	shim.memory[step->a % 4 * 4096 + 7] = extended;
	if (extended)
		memcpy(shim.memory + step->a % 4 * 4096 + 8, &extra, sizeof(extra));
	watched(NULL, &state);
	shim_jiffies += 2 * HZ;
	shim_run_due_work();
}

/* Nobody is told of changes while a device goes, or comes: xenbus watches later, and less long. */
static void device_goes(const struct step *step)
{
	(void)step;
	watching = true;
	shim_remove();
	watching = false;
}

static void device_comes(const struct step *step)
{
	(void)step;
	if (shim.device || device_count == MAX_DEVICES)
		return;
	shim_store_set(SHIM_OURS, "handle", "0");
	shim_store_set(SHIM_OURS, "uuid", step->b & 1 ? "0123" :
		       "01234567-89ab-cdef-0123-456789abcdef");
	shim_store_set(SHIM_OURS, "online", "1");
	watching = true;
	if (!shim_probe())
		device_count++;
	watching = false;
}

/* The controller. */

static void controller_opens(const struct step *step)
{
	struct file *file = shim_open(shim.misc, step->a & 1 ? 0 : O_NONBLOCK);
	int err = file->f_op->open(NULL, file);

	require(err == (controller ? -EBUSY : 0));
	if (err)
		free(file);
	else
		controller = file;
}

static void controller_closes(const struct step *step)
{
	struct file *file = controller;

	(void)step;
	if (!file || controller_busy)
		return;
	controller = NULL;
	shim_close(file);
}

static void controller_reads(const struct step *step)
{
	struct vtpm_event event;
	ssize_t size;

	if (!controller)
		return;
	controller_busy++;
	size = controller->f_op->read(controller, (char *)&event, sizeof(event) - (step->b & 1),
				      NULL);
	controller_busy--;
	require(size < 0 || size == sizeof(event));
	if (size > 0)
		check_event(&event);
}

static void controller_asks(const struct step *step)
{
	struct vtpm_info info = { .id = 0 };
	unsigned int count = 0;
	uint32_t version = 0;

	if (!controller)
		return;
	while (!controller->f_op->unlocked_ioctl(controller, VTPM_IOC_NEXT, (unsigned long)&info)) {
		check_info(&info);
		require(++count <= 2 * MAX_DEVICES);
	}
	require(controller->f_op->unlocked_ioctl(controller, step->a, 0) == -ENOTTY);
	if (!controller->f_op->unlocked_ioctl(controller, VTPM_IOC_GET_ABI,
					      (unsigned long)&version))
		require(version == VTPM_ABI_VERSION);
}

static uint64_t latest_id(void)
{
	struct tpmback_conn *conn = check_conn();

	return conn ? conn->id : 1;
}

static void controller_accepts(const struct step *step)
{
	struct vtpm_accept accept = step_accept(step, latest_id());
	struct engine fresh = { 0 };
	int fd;

	if (!controller)
		return;
	fresh.raw = accept.mode;
	fresh.localities = accept.localities;
	fresh.features = accept.features;
	/* One that fails in the end has been an engine, too. */
	accepts++;
	fd = controller->f_op->unlocked_ioctl(controller, VTPM_IOC_ACCEPT, (unsigned long)&accept);
	require(fd < (int)SHIM_FDS);
	if (fd < 0)
		return;
	require(!step_is_bad_accept(&accept));
	engines[fd] = fresh;
}

/* Engines. */

static struct file *engine_file(const struct step *step, unsigned int *fd)
{
	*fd = step->a % SHIM_FDS;
	for (unsigned int i = 0; i < SHIM_FDS && !shim.files[*fd]; i++)
		*fd = (*fd + 1) % SHIM_FDS;
	return shim.files[*fd];
}

static void engine_reads(const struct step *step)
{
	size_t count = step_read_size(step->b);
	unsigned int fd;
	struct file *file = engine_file(step, &fd);
	uint8_t *packet;
	ssize_t size;

	if (!file)
		return;
	/* Of this size, so that what is written behind it is seen. */
	packet = malloc(count + 1);
	require(packet);
	shim.busy[fd]++;
	file->f_flags = step->c & 1 ? 0 : O_NONBLOCK;
	size = file->f_op->read(file, (char *)packet, count, NULL);
	shim.busy[fd]--;
	require(size <= (ssize_t)count);
	if (size > 0)
		check_request(fd, packet, size);
	free(packet);
}

static void engine_answers(const struct step *step)
{
	unsigned int fd;
	struct file *file = engine_file(step, &fd);
	struct engine *engine = &engines[fd];
	size_t size;
	ssize_t done;

	if (!file || shim.busy[fd])
		return;
	memset(engine->answer, 0, sizeof(engine->answer));
	if (engine->raw)
		size = step_put_raw(engine->answer, step);
	else
		size = step_put_answer(engine->answer, engine->kind, engine->sequence,
				       &engine->begin, step);
	check_answer_begins(fd, size);
	shim.busy[fd]++;
	done = file->f_op->write(file, (char *)engine->answer, size, NULL);
	shim.busy[fd]--;
	check_answer_ends(fd, done, size);
}

static void engine_serves(const struct step *step)
{
	struct step read = { .a = step->a }, answer = *step;

	answer.b = 0;
	engine_reads(&read);
	engine_answers(&answer);
}

static void engine_closes(const struct step *step)
{
	unsigned int fd;
	struct file *file = engine_file(step, &fd);

	if (!file || shim.busy[fd])
		return;
	memset(&engines[fd], 0, sizeof(engines[fd]));
	shim_close(file);
}

/* Time. */

static void time_goes(const struct step *step)
{
	shim_jiffies += step->a;
	shim_run_due_work();
}

static void work_runs(const struct step *step)
{
	shim_run_work(step->a);
}

/* What can happen in the middle of something else. */

static bool always(void)
{
	return true;
}

static bool unlocked(void)
{
	return shim_holds_no_driver_lock(false);
}

static bool free_of_all(void)
{
	return !shim.mutexes;
}

static bool bus_is_idle(void)
{
	return unlocked() && !watching;
}

const struct action actions[] = { BACKEND_STEPS(STEP_RUN, STEP_ARM) };
const unsigned int action_count = ARRAY_SIZE(actions);

/* Nobody is in the way any more: what the guest has asked for is answered. */
static void drain(void)
{
	struct step accept = { .a = 2 }, step = { 0 };
	struct tpmback_conn *conn;

	for (unsigned int fd = 0; fd < SHIM_FDS; fd++)
		if (shim.files[fd] && shim.files[fd]->private_data != check_conn())
			engine_closes(&(struct step){ .a = fd });
	for (unsigned int i = 0; i < 8; i++) {
		conn = check_conn();
		if (!conn || !conn->page || conn->parked)
			return;
		controller_opens(&step);
		if (!conn->accepted)
			controller_accepts(&accept);
		guest_notifies(&step);
		for (unsigned int fd = 0; fd < SHIM_FDS; fd++) {
			struct step serve = { .a = fd };

			if (shim.files[fd] && shim.files[fd]->private_data == conn)
				engine_serves(&serve);
		}
	}
	check_drained(conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step = { 0 };

	check_start();
	shim_start();
	require(!shim_module_init());
	device_comes(&step);
	controller_opens(&step);
	steps_run(data, size);
	drain();
	controller_closes(&step);
	shim_finish();
	shim_module_exit();
	return 0;
}
