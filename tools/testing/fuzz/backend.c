// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-tpmback, whole, against a guest, engines and a controller that do what they like, on
 * the kernel that kernel/shim.h makes. An input is a program of steps: actions[] has them.
 * What has to hold is in backend-check.c.
 */
#include "backend-check.h"

static const uint16_t tags[] = { 0x8001, 0x8002, 0x00c1, 0x00c2, 0x00c3, 0x00c4, 0, 0x8003 };
static const uint32_t ordinals[] = { 0x144, 0x20001000, 0, 0x17a };

/* The guest: its pages. */

static void set_state(uint8_t state)
{
	shim.memory[offsetof(struct vtpm_shared_page, state)] = state;
	shim.pending = shim.bound;
}

/* Most fields are good where the step has zeroes. */
static void guest_submit(const struct step *step)
{
	uint32_t length = step_length(step->a), said = length;
	uint8_t *packet = shim.memory + VTPM_PACKET_OFFSET(shim.memory[7] == 1 ? 1 : 0);
	uint32_t filled = length < VTPM_PACKET_MAX ? length : VTPM_PACKET_MAX;
	uint64_t sequence;

	memset(packet, 0x80 | step->value, filled);
	if (step->c & 16)
		said += (step->value & 8) ? 1 : -1;
	put_be(packet, tags[step->b % 8], 2);
	put_be(packet + 2, said, 4);
	put_be(packet + 6, ordinals[step->b / 8 % 4], 4);
	memcpy(shim.memory, &length, sizeof(length));
	shim.memory[5] = step->c % 16 < 12 ? step->c % 4 : step->c;
	memcpy(&sequence, shim.memory + VTPM_TRAILER_OFFSET, sizeof(sequence));
	sequence += step->c & 32 ? 0 : 1;
	memcpy(shim.memory + VTPM_TRAILER_OFFSET, &sequence, sizeof(sequence));
	set_state(VTPM_STATE_SUBMIT);
}

static void guest_writes(const struct step *step)
{
	step_write(step);
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

static const char *const values[] = {
	"0", "1", "2", "3", "4", "8", "", "x", "-1", "4294967295", "4294967296", "1 2", NULL,
};

static void store_writes(const struct step *step)
{
	static const char *const nodes[] = {
		"ring-ref", "event-channel", "feature-protocol-v2", "request-exactly-once",
	};
	const char *value = values[step->b % ARRAY_SIZE(values)];

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

	shim_store_set(SHIM_THEIRS, "ring-ref", values[step->a % 4]);
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
	struct vtpm_accept accept = { .id = latest_id() + (step->b & 128 ? -1 : 0) };
	struct engine fresh = { 0 };
	int fd;

	if (!controller)
		return;
	accept.mode = step->a & 1;
	accept.features = step->a & 2 ? 3 : step->a & 4 ? step->value & 7 : 0;
	accept.localities = step->c ? step->c : TPM_LOCALITY_MASK;
	accept.reserved[step->value % 3] = step->a & 8 ? step->value : 0;
	if (step->a & 16)
		accept.mode = step->value;
	fresh.raw = accept.mode;
	fresh.localities = accept.localities;
	fresh.features = accept.features;
	/* One that fails in the end has been an engine, too. */
	accepts++;
	fd = controller->f_op->unlocked_ioctl(controller, VTPM_IOC_ACCEPT, (unsigned long)&accept);
	require(fd < (int)SHIM_FDS);
	if (fd < 0)
		return;
	require(!(accept.localities & ~TPM_LOCALITY_MASK) && accept.localities);
	require(accept.mode <= 1 && (!accept.features || (accept.features == 3 && !accept.mode)));
	require(!accept.reserved[0] && !accept.reserved[1] && !accept.reserved[2]);
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
	static const uint16_t sizes[] = { MAX_PACKET, MAX_PACKET - 1, 4096, 56, 55, 26, 16, 11, 0 };
	size_t count = sizes[step->b % ARRAY_SIZE(sizes)];
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

static size_t put_response(uint8_t *packet, const struct step *step)
{
	uint32_t length = step_length(step->c);

	length = length < 10 ? 10 : length > VTPM_MAX_TRANSFER + 2 ? 4000 : length;
	memset(packet, 0x40 | (step->value & 0x3f), length);
	put_be(packet, 0x8001, 2);
	put_be(packet + 2, length, 4);
	put_be(packet + 6, step->value & 0x100 ? 0x101 : 0, 4);
	return length;
}

static size_t put_begin(uint8_t *packet, const struct engine *engine, const struct step *step)
{
	struct vtpm_begin begin = engine->begin;

	if (begin.resume == VTPM_RESUME_FRESH)
		begin.sequence = step->value;
	begin.answered = 0;
	memset(begin.session, step->value, sizeof(begin.session));
	memcpy(packet, &begin, sizeof(begin));
	return sizeof(begin);
}

/* The body of a good answer to what was read last. */
static size_t put_answer(uint8_t *body, const struct engine *engine, const struct step *step)
{
	if (engine->raw || engine->kind == VTPM_REQUEST_COMMAND)
		return put_response(body, step);
	return engine->kind == VTPM_REQUEST_BEGIN ? put_begin(body, engine, step) : 0;
}

/* One thing is wrong with it where the step says so. */
static size_t spoil(uint8_t *packet, size_t size, const struct engine *engine,
		    const struct step *step)
{
	struct vtpm_response header;

	if (engine->raw)
		return step->b & 1 ? (size ? size - 1 : 0) : size;
	memcpy(&header, packet, sizeof(header));
	switch (step->b % 16) {
	case 1:
		header.sequence++;
		break;
	case 2:
		header.length++;
		break;
	case 3:
		header.reserved = 1;
		break;
	case 4:
		size--;
		break;
	case 5:
		return step->value % sizeof(header);
	case 6:
		packet[sizeof(header) + step->value % 64]++;
		break;
	case 7:
		header.length = size = put_response(packet + sizeof(header), step);
		size += sizeof(header);
		break;
	}
	memcpy(packet, &header, sizeof(header));
	return size;
}

static void engine_answers(const struct step *step)
{
	unsigned int fd;
	struct file *file = engine_file(step, &fd);
	struct vtpm_response header = { 0 };
	struct engine *engine = &engines[fd];
	size_t size;
	ssize_t done;

	if (!file || shim.busy[fd])
		return;
	memset(engine->answer, 0, sizeof(engine->answer));
	if (engine->raw) {
		size = put_answer(engine->answer, engine, step);
	} else {
		header.sequence = engine->sequence;
		header.length = put_answer(engine->answer + sizeof(header), engine, step);
		memcpy(engine->answer, &header, sizeof(header));
		size = sizeof(header) + header.length;
	}
	size = spoil(engine->answer, size, engine, step);
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

static bool always(const struct step *step)
{
	(void)step;
	return true;
}

static bool unlocked(const struct step *step)
{
	(void)step;
	return shim_holds_no_driver_lock(false);
}

static bool free_of_all(const struct step *step)
{
	(void)step;
	return !shim.mutexes;
}

static bool bus_is_idle(const struct step *step)
{
	return unlocked(step) && !watching;
}

const struct action actions[] = {
	{ guest_submit, always },
	{ guest_writes, always },
	{ guest_cancels, always },
	{ guest_controls, always },
	{ guest_notifies, always },
	{ guest_connects, bus_is_idle },
	{ frontend_state, bus_is_idle },
	{ store_writes, bus_is_idle },
	{ controller_accepts, free_of_all },
	{ engine_reads, always },
	{ engine_answers, free_of_all },
	{ engine_serves, free_of_all },
	{ engine_closes, unlocked },
	{ controller_reads, unlocked },
	{ controller_asks, unlocked },
	{ time_goes, unlocked },
	{ work_runs, unlocked },
	{ arm_write, NULL, true },
	{ arm_step, NULL, true },
	{ arm_in_the_way, NULL, true },
	{ arm_failure, NULL, true },
	{ controller_opens, NULL },
	{ controller_closes, NULL },
	{ device_goes, NULL },
	{ device_comes, NULL },
};

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
