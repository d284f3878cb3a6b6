// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs for xen-tpmback: a guest, the toolstack, engines and a controller that do what
 * they like. The steps are those of tools/testing/fuzz/backend.c.
 */
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <linux/vmalloc.h>

#include "back-fixture.h"
#include "fuzz.h"

#define SET_LOCALITY	0x20001000
#define PAGES_SIZE	(VTPM_EXTENSION_PAGES * PAGE_SIZE)

/* What an engine behind a descriptor has been told, and what it has read last. */
static struct engine {
	unsigned int busy;
	struct vtpm_accept policy;
	bool asked;
	bool setting;
	u8 kind;
	u64 sequence;
	struct vtpm_begin begin;
	bool begun;
} engines[DOUBLE_MAX];

static bool watching;		/* xenwatch does one thing at a time */
static bool pending;		/* the guest has sent an event */
static bool controller_is_busy;
static u8 packet[sizeof(struct vtpm_request) + VTPM_MAX_TRANSFER + 8];

static struct file *engine_file(unsigned int i)
{
	return double_file(DOUBLE_FIRST_FD + i);
}

/* The one that a step means, or the next one that is there. */
static struct file *engine_of(const struct fuzz_step *step, unsigned int *i)
{
	unsigned int tries;

	for (tries = 0; tries < DOUBLE_MAX; tries++) {
		*i = (step->a % 4 + tries) % DOUBLE_MAX;
		if (engine_file(*i))
			return engine_file(*i);
	}
	return NULL;
}

/* What has to hold. */

static u8 *conn_packet(struct tpmback_conn *conn)
{
	return (u8 *)conn->page + VTPM_PACKET_OFFSET(conn->extended ? 1 : 0);
}

/* The guest may grant one page for both; then each spoils the other. */
static bool is_twice(struct tpmback_conn *conn)
{
	return conn->capacity == VTPM_PACKET_MAX &&
	       vmalloc_to_page(conn->page) ==
	       vmalloc_to_page((u8 *)conn->page + PAGE_SIZE);
}

/* The page holds a response and zeroes, and nothing has changed it since. */
static void check_response(struct tpmback_conn *conn)
{
	u32 length = conn->page->length;

	if (is_twice(conn))
		return;
	fuzz_require(conn->page->state == VTPM_STATE_FINISH);
	fuzz_require(length >= TPM_COMMAND_HEADER && length <= conn->capacity);
	if (length > conn->capacity)
		return;
	fuzz_require(fuzz_is_zero(conn_packet(conn) + length,
				  conn->capacity - length));
}

static u64 errors_of(struct tpmback_conn *conn)
{
	return conn->stats.refused + conn->stats.failed;
}

/* One EOI for each event, which says whether it had a cause; none once it is parked. */
static bool back_interrupt(void)
{
	struct tpmback_conn *conn = back_conn();
	struct double_line before = double_line(double_irq()), after;
	struct tpmback_conn old;
	bool news;

	if (!pending || !conn || !conn->page)
		return false;
	pending = false;
	old = *conn;
	if (!back_event())
		return false;
	after = double_line(double_irq());
	news = conn->stats.commands != old.stats.commands ||
	       conn->stats.cancelled != old.stats.cancelled ||
	       (old.request == REQUEST_NONE && conn->request == REQUEST_PENDING);
	fuzz_require(!old.parked);
	fuzz_require(after.eois == before.eois + !conn->parked);
	fuzz_require(conn->parked ||
		     (after.spurious == before.spurious) == news);
	if (errors_of(conn) != errors_of(&old) && !conn->parked)
		check_response(conn);
	return true;
}

static void check_command(const struct tpmback_conn *conn, const u8 *command,
			  size_t size)
{
	u16 tag;

	fuzz_require(size >= TPM_COMMAND_HEADER);
	fuzz_require(size <= conn->capacity);
	if (size < TPM_COMMAND_HEADER)
		return;
	tag = get_unaligned_be16(command);
	fuzz_require((tag >= 0xc1 && tag <= 0xc3) || tag == 0x8001 ||
		     tag == 0x8002);
	fuzz_require(get_unaligned_be32(command + 2) == size);
	fuzz_require(get_unaligned_be32(command + 6) != SET_LOCALITY);
}

static bool may_have(const struct engine *engine, u8 locality)
{
	return locality < TPM_LOCALITIES &&
	       engine->policy.localities & BIT(locality);
}

/* A raw engine gets the locality in the only command that the guest cannot give it. */
static void check_raw(struct engine *engine, const struct tpmback_conn *conn,
		      size_t size)
{
	engine->setting = size == TPM_SET_LOCALITY_SIZE &&
			  get_unaligned_be32(packet + 6) == SET_LOCALITY;
	if (engine->setting)
		fuzz_require(may_have(engine, packet[10]));
	else
		check_command(conn, packet, size);
}

static void check_begin(struct engine *engine, const struct tpmback_conn *conn)
{
	memcpy(&engine->begin, packet + sizeof(struct vtpm_request),
	       sizeof(engine->begin));
	fuzz_require(engine->policy.features && !engine->begun);
	fuzz_require(engine->begin.features ==
		     (conn->extended ? BACK_EXTENDED : 0));
	fuzz_require(engine->begin.answered <= engine->begin.sequence);
}

static void check_native(struct engine *engine, const struct tpmback_conn *conn,
			 size_t size)
{
	struct vtpm_request header;

	fuzz_require(size >= sizeof(header));
	memcpy(&header, packet, sizeof(header));
	fuzz_require(header.length == size - sizeof(header) && !header.reserved);
	engine->kind = header.kind;
	engine->sequence = header.sequence;
	if (header.kind == VTPM_REQUEST_BEGIN) {
		check_begin(engine, conn);
		return;
	}
	fuzz_require(!engine->policy.features || engine->begun);
	fuzz_require(may_have(engine, header.locality) ||
		     header.kind != VTPM_REQUEST_COMMAND);
	if (header.kind == VTPM_REQUEST_COMMAND)
		check_command(conn, packet + sizeof(header), header.length);
	else
		fuzz_require(conn->extended && !header.length);
}

/* What the engine has written is what the guest has got. */
static void check_answer(struct tpmback_conn *conn, const u8 *response,
			 size_t size)
{
	if (!conn->page || is_twice(conn))
		return;
	check_response(conn);
	fuzz_require(conn->page->length == size);
	fuzz_require(!memcmp(conn_packet(conn), response, size));
}

static void back_check(void)
{
	fuzz_require(back_fits_together());
}

/* The guest: its pages. */

static void set_state(u8 state)
{
	back.page->state = state;
	pending = true;
}

/* Most fields are good where the step has zeroes. */
static void guest_submit(const struct fuzz_step *step)
{
	static const u16 tags[] = {
		0x8001, 0x8002, 0x00c1, 0x00c2, 0x00c3, 0x00c4, 0, 0x8003,
	};
	static const u32 ordinals[] = { 0x144, SET_LOCALITY, 0, 0x17a };
	u32 length = fuzz_length(step->a), said = length;
	u8 *at = (u8 *)back.page +
		 VTPM_PACKET_OFFSET(back.page->nr_extra_pages == 1 ? 1 : 0);

	memset(at, 0x80 | step->value, min_t(u32, length, VTPM_PACKET_MAX));
	if (step->c & 16)
		said += step->value & 8 ? 1 : -1;
	back_put_header(at, tags[step->b % 8], said, ordinals[step->b / 8 % 4]);
	back.page->length = length;
	back.page->locality = step->c % 16 < 12 ? step->c % 4 : step->c;
	back_trailer()->sequence += step->c & 32 ? 0 : 1;
	set_state(VTPM_STATE_SUBMIT);
}

static void guest_writes(const struct fuzz_step *step)
{
	fuzz_write_page(step);
	pending |= step->b & 1;
}

static void guest_cancels(const struct fuzz_step *step)
{
	set_state(VTPM_STATE_CANCEL);
}

static void guest_controls(const struct fuzz_step *step)
{
	back_trailer()->control = step->a % 4;
	pending = true;
}

static void guest_notifies(const struct fuzz_step *step)
{
	pending = true;
	back_interrupt();
}

/* The guest, and the toolstack: the store and the states. */

static void bus_says(enum xenbus_state state)
{
	watching = true;
	back_frontend(state);
	watching = false;
}

static void store_writes(const struct fuzz_step *step)
{
	static const char * const nodes[] = {
		"ring-ref", "event-channel", "feature-protocol-v2",
		"request-exactly-once",
	};
	const char *value = fuzz_value(step->b);
	struct xenbus_watch *watch = double_watch();

	if (step->a % 5 < ARRAY_SIZE(nodes)) {
		fuzz_set_node(BACK_FRONT_DIR, nodes[step->a % 5], value);
		return;
	}
	fuzz_set_node(BACK_DIR, "online", value);
	if (!watch)
		return;
	watching = true;
	watch->callback(watch, watch->node, "");
	watching = false;
}

static void frontend_state(const struct fuzz_step *step)
{
	bus_says(step->a % 10);
}

static void run_connect_work(void)
{
	if (back_device())
		double_run_work(&back_device()->connect_work);
}

/* All that a frontend does until its page is there. */
static void guest_connects(const struct fuzz_step *step)
{
	u8 *first = (u8 *)back.page + (step->a % 2) * PAGE_SIZE;
	bool extended = step->b & 1;

	fuzz_set_node(BACK_FRONT_DIR, "ring-ref", fuzz_value(step->a % 4));
	store_set(BACK_FRONT_DIR, "event-channel", "1");
	store_set(BACK_FRONT_DIR, "feature-protocol-v2", "1");
	store_set(BACK_FRONT_DIR, "request-exactly-once", "%d", extended);
	first[offsetof(struct vtpm_shared_page, nr_extra_pages)] = extended;
	if (extended)
		put_unaligned_le32(step->c % 4, first +
				   offsetof(struct vtpm_shared_page, extra_pages));
	bus_says(step->c & 8 ? XenbusStateConnected : XenbusStateInitialised);
	run_connect_work();
}

static void device_goes(const struct fuzz_step *step)
{
	back_remove();
}

static void device_comes(const struct fuzz_step *step)
{
	if (back_device())
		return;
	store_set(BACK_DIR, "handle", "0");
	store_set(BACK_DIR, "uuid", "%s", step->b & 1 ? "0123" :
		  "01234567-89ab-cdef-0123-456789abcdef");
	store_set(BACK_DIR, "online", "1");
	back_probe();
}

/* The controller. */

static void controller_opens(const struct fuzz_step *step)
{
	struct file *file = double_open(double_misc()->fops,
					step->a & 1 ? 0 : O_NONBLOCK);

	fuzz_require(IS_ERR(file) == !!back.controller);
	if (!IS_ERR(file))
		back.controller = file;
}

static void controller_closes(const struct fuzz_step *step)
{
	if (!back.controller || controller_is_busy)
		return;
	double_release(back.controller);
	back.controller = NULL;
}

static void controller_reads(const struct fuzz_step *step)
{
	struct vtpm_event event;
	loff_t pos = 0;
	ssize_t size;

	if (!back.controller || controller_is_busy)
		return;
	controller_is_busy = true;
	size = back.controller->f_op->read(back.controller, (char __user *)&event,
					   sizeof(event) - (step->b & 1), &pos);
	controller_is_busy = false;
	fuzz_require(size < 0 || size == sizeof(event));
	if (size < 0)
		return;
	fuzz_require(event.type >= VTPM_EVENT_ADDED &&
		     event.type <= VTPM_EVENT_GONE);
	fuzz_require(event.id && fuzz_is_zero(event.reserved,
					      sizeof(event.reserved)));
	fuzz_require(event.capacity <= VTPM_PACKET_MAX);
	fuzz_require(event.type == VTPM_EVENT_READY ||
		     (!event.capacity && !event.features && !event.sequence));
}

static void controller_asks(const struct fuzz_step *step)
{
	struct vtpm_info info = { .id = 0 };
	u32 version = 0;

	if (!back.controller)
		return;
	while (!back_ioctl(VTPM_IOC_NEXT, &info)) {
		fuzz_require(info.state <= VTPM_CONNECTION_PARKED);
		fuzz_require(fuzz_is_zero(info.reserved, sizeof(info.reserved)));
	}
	fuzz_require(back_ioctl(step->a, NULL) == -ENOTTY);
	if (!back_ioctl(VTPM_IOC_GET_ABI, &version))
		fuzz_require(version == VTPM_ABI_VERSION);
}

static void controller_accepts(const struct fuzz_step *step)
{
	struct vtpm_accept accept = { .mode = step->a & 1 };
	int fd;

	if (!back.controller)
		return;
	accept.id = (back_conn() ? back_conn()->id : 1) -
		    (step->b & 128 ? 1 : 0);
	accept.features = step->a & 2 ? BACK_EXTENDED :
			  step->a & 4 ? step->value & 7 : 0;
	accept.localities = step->c ?: TPM_LOCALITY_MASK;
	if (step->a & 8)
		accept.reserved[step->value % 3] = step->value;
	if (step->a & 16)
		accept.mode = step->value;
	fd = back_ioctl(VTPM_IOC_ACCEPT, &accept);
	if (fd < 0)
		return;
	fuzz_require(!(accept.localities & ~TPM_LOCALITY_MASK));
	fuzz_require(accept.mode <= VTPM_MODE_RAW &&
		     fuzz_is_zero(accept.reserved, sizeof(accept.reserved)));
	engines[fd - DOUBLE_FIRST_FD] = (struct engine) { .policy = accept };
}

/* Engines. */

static void engine_reads(const struct fuzz_step *step)
{
	static const u16 sizes[] = { sizeof(packet) - 8, 4096, 56, 55, 26, 16, 11, 0 };
	size_t count = sizes[step->b % ARRAY_SIZE(sizes)];
	unsigned int i;
	struct file *file = engine_of(step, &i);
	struct engine *engine = &engines[i];
	loff_t pos = 0;
	ssize_t size;
	u8 *buffer;

	if (!file || engine->busy)
		return;
	/* Of this size, so that KASAN sees what is written behind it. */
	buffer = kmalloc(count ?: 1, GFP_KERNEL);
	if (!buffer)
		return;
	engine->busy++;
	file->f_flags = step->c & 1 ? 0 : O_NONBLOCK;
	size = file->f_op->read(file, (char __user *)buffer, count, &pos);
	engine->busy--;
	fuzz_require(size <= (ssize_t)count);
	if (size > 0) {
		memcpy(packet, buffer, size);
		/* One at a time. */
		fuzz_require(!engine->asked);
		if (engine->policy.mode == VTPM_MODE_RAW)
			check_raw(engine, file->private_data, size);
		else
			check_native(engine, file->private_data, size);
		engine->asked = true;
	}
	kfree(buffer);
}

static size_t put_response(u8 *at, const struct fuzz_step *step)
{
	u32 length = fuzz_length(step->c);

	if (length < TPM_COMMAND_HEADER)
		length = TPM_COMMAND_HEADER;
	if (length > VTPM_MAX_TRANSFER + 2)
		length = 4000;
	memset(at, 0x40 | (step->value & 0x3f), length);
	back_put_header(at, 0x8001, length, step->value & 0x100 ? 0x101 : 0);
	return length;
}

static size_t put_begin(u8 *at, const struct engine *engine,
			const struct fuzz_step *step)
{
	struct vtpm_begin begin = engine->begin;

	if (begin.resume == VTPM_RESUME_FRESH)
		begin.sequence = step->value;
	begin.answered = 0;
	memset(begin.session, step->value, sizeof(begin.session));
	memcpy(at, &begin, sizeof(begin));
	return sizeof(begin);
}

/* One thing is wrong with it where the step says so. Returns its size. */
static size_t put_native(u8 *at, const struct engine *engine,
			 const struct fuzz_step *step)
{
	struct vtpm_response header = { .sequence = engine->sequence };
	u8 *body = at + sizeof(header);
	size_t size;

	if (engine->kind == VTPM_REQUEST_COMMAND || step->b % 16 == 7)
		header.length = put_response(body, step);
	else if (engine->kind == VTPM_REQUEST_BEGIN)
		header.length = put_begin(body, engine, step);
	size = sizeof(header) + header.length;
	header.sequence += step->b % 16 == 1;
	header.length += step->b % 16 == 2;
	header.reserved = step->b % 16 == 3;
	size -= step->b % 16 == 4;
	if (step->b % 16 == 5)
		size = step->value % sizeof(header);
	if (step->b % 16 == 6)
		body[step->value % 64]++;
	memcpy(at, &header, sizeof(header));
	return size;
}

/* It was taken: the guest has got it, unless it has gone or was not waiting for it. */
static void answer_was_taken(unsigned int i, struct engine *engine,
			     const u8 *response, size_t size)
{
	struct tpmback_conn *conn = engine_file(i)->private_data;
	bool raw = engine->policy.mode == VTPM_MODE_RAW;

	fuzz_require(engine->asked);
	engine->asked = false;
	if (raw ? !engine->setting : engine->kind == VTPM_REQUEST_COMMAND)
		check_answer(conn, raw ? response : response +
			     sizeof(struct vtpm_response),
			     raw ? size : size - sizeof(struct vtpm_response));
	else if (!raw && engine->kind == VTPM_REQUEST_BEGIN)
		engine->begun = true;
}

static void engine_answers(const struct fuzz_step *step)
{
	static u8 responses[DOUBLE_MAX][sizeof(packet)];
	unsigned int i;
	struct file *file = engine_of(step, &i);
	struct engine *engine = &engines[i];
	u8 *response = responses[i];
	loff_t pos = 0;
	ssize_t done;
	size_t size;

	if (!file || engine->busy)
		return;
	memset(response, 0, sizeof(responses[i]));
	if (engine->policy.mode == VTPM_MODE_RAW)
		size = put_response(response, step) - (step->b & 1);
	else
		size = put_native(response, engine, step);
	engine->busy++;
	done = file->f_op->write(file, (const char __user *)response, size, &pos);
	engine->busy--;
	fuzz_require(done < 0 || done == size);
	if (done >= 0)
		answer_was_taken(i, engine, response, size);
}

static void engine_serves(const struct fuzz_step *step)
{
	struct fuzz_step read = { .a = step->a }, answer = *step;

	answer.b = 0;
	engine_reads(&read);
	engine_answers(&answer);
}

static void engine_closes(const struct fuzz_step *step)
{
	unsigned int i;

	if (!engine_of(step, &i) || engines[i].busy)
		return;
	double_close(DOUBLE_FIRST_FD + i);
}

/* Time. */

static void work_runs(const struct fuzz_step *step)
{
	if (step->a & 1 && back_conn())
		double_run_work(&back_conn()->stall);
	else
		run_connect_work();
}

/* So much of it that nobody has come for the request, or less. */
static void time_goes(const struct fuzz_step *step)
{
	run_connect_work();
	if (step->a >= 128 && back_conn())
		double_run_work(&back_conn()->stall);
}

static bool bus_is_idle(void)
{
	return !watching;
}

static const struct fuzz_action actions[] = {
	{ guest_submit, fuzz_always },
	{ guest_writes, fuzz_always },
	{ guest_cancels, fuzz_always },
	{ guest_controls, fuzz_always },
	{ guest_notifies, fuzz_always },
	{ guest_connects, bus_is_idle },
	{ frontend_state, bus_is_idle },
	{ store_writes, bus_is_idle },
	{ controller_accepts, fuzz_always },
	{ engine_reads, fuzz_always },
	{ engine_answers, fuzz_always },
	{ engine_serves, fuzz_always },
	{ engine_closes, fuzz_always },
	{ controller_reads, fuzz_always },
	{ controller_asks, fuzz_always },
	{ time_goes, fuzz_always },
	{ work_runs, fuzz_always },
	{ fuzz_arm_write, NULL, true },
	{ fuzz_arm_step, NULL, true },
	{ fuzz_arm_nothing, NULL, true },
	{ fuzz_arm_failure, NULL, true },
	{ controller_opens, NULL },
	{ controller_closes, NULL },
	{ device_goes, NULL },
	{ device_comes, NULL },
};

/* Before and after a program. */

static int back_open(struct kunit *test)
{
	int err = back_init(test);

	if (err)
		return err;
	double_grant(0, back.pages);
	double_grant(1, back.pages + 1);
	double_release(back.controller);
	back.controller = NULL;
	return 0;
}

static void back_begin(void)
{
	static const struct fuzz_step good;

	double_store_reset();
	memset(back.page, 0, PAGES_SIZE);
	memset(engines, 0, sizeof(engines));
	watching = false;
	pending = false;
	controller_is_busy = false;
	device_comes(&good);
	controller_opens(&good);
}

static void back_end(void)
{
	unsigned int i;

	back_remove();
	back_remove();
	for (i = 0; i < DOUBLE_MAX; i++)
		double_close(DOUBLE_FIRST_FD + i);
	if (back.controller)
		double_release(back.controller);
	back.controller = NULL;
}

static u8 *back_pages(size_t *size)
{
	*size = PAGES_SIZE;
	return (u8 *)back.page;
}

const struct fuzz_target fuzz_back = {
	.name = "backend",
	.actions = actions,
	.count = ARRAY_SIZE(actions),
	.open = back_open,
	.close = back_exit,
	.begin = back_begin,
	.end = back_end,
	.interrupt = back_interrupt,
	.check = back_check,
	.is_page = double_is_mapped,
	.page = back_pages,
};
