// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs for xen-tpmback: a guest, the toolstack, engines and a controller that do what
 * they like.
 */
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <linux/vmalloc.h>

#include "back-fixture.h"
#include "fuzz.h"

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
static u8 packet[STEP_MAX_REQUEST + 8];

static struct file *engine_file(unsigned int i)
{
	return double_file(DOUBLE_FIRST_FD + i);
}

/* The one that a step means, or the next one that is there. */
static struct file *engine_of(const struct step *step, unsigned int *i)
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
	fuzz_require(!old.parked || !news);
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
	fuzz_require(step_is_command(command, size, conn->extended ?
				     VTPM_PACKET_MAX : VTPM_PACKET_MAX_SINGLE));
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
			  get_unaligned_be32(packet + 6) == STEP_SET_LOCALITY;
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

static void guest_submit(const struct step *step)
{
	step_put_command((u8 *)back.page, step);
	set_state(VTPM_STATE_SUBMIT);
}

static void guest_writes(const struct step *step)
{
	fuzz_write_page(step);
	pending |= step->b & 1;
}

static void guest_cancels(const struct step *step)
{
	set_state(VTPM_STATE_CANCEL);
}

static void guest_controls(const struct step *step)
{
	back_trailer()->control = step->a % 4;
	pending = true;
}

static void guest_notifies(const struct step *step)
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

static void store_writes(const struct step *step)
{
	static const char * const nodes[] = {
		"ring-ref", "event-channel", "feature-protocol-v2",
		"request-exactly-once",
	};
	const char *value = step_value(step->b);
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

static void frontend_state(const struct step *step)
{
	bus_says(step->a % 10);
}

static void run_connect_work(void)
{
	if (back_device())
		double_run_work(&back_device()->connect_work);
}

/* All that a frontend does until its page is there. */
static void guest_connects(const struct step *step)
{
	u8 *first = (u8 *)back.page + (step->a % 2) * PAGE_SIZE;
	bool extended = step->b & 1;

	fuzz_set_node(BACK_FRONT_DIR, "ring-ref", step_value(step->a % 4));
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

static void device_goes(const struct step *step)
{
	back_remove();
}

static void device_comes(const struct step *step)
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

static void controller_opens(const struct step *step)
{
	struct file *file = double_open(double_misc()->fops,
					step->a & 1 ? 0 : O_NONBLOCK);

	fuzz_require(IS_ERR(file) == !!back.controller);
	if (!IS_ERR(file))
		back.controller = file;
}

static void controller_closes(const struct step *step)
{
	if (!back.controller || controller_is_busy)
		return;
	double_release(back.controller);
	back.controller = NULL;
}

static void controller_reads(const struct step *step)
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

static void controller_asks(const struct step *step)
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

static void controller_accepts(const struct step *step)
{
	struct vtpm_accept accept = step_accept(step, back_conn() ?
						back_conn()->id : 1);
	int fd;

	if (!back.controller)
		return;
	fd = back_ioctl(VTPM_IOC_ACCEPT, &accept);
	if (fd < 0)
		return;
	fuzz_require(!step_is_bad_accept(&accept));
	engines[fd - DOUBLE_FIRST_FD] = (struct engine) { .policy = accept };
}

/* Engines. */

static void engine_reads(const struct step *step)
{
	size_t count = step_read_size(step->b);
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

static void engine_answers(const struct step *step)
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
		size = step_put_raw(response, step);
	else
		size = step_put_answer(response, engine->kind, engine->sequence,
				       &engine->begin, step);
	engine->busy++;
	done = file->f_op->write(file, (const char __user *)response, size, &pos);
	engine->busy--;
	fuzz_require(done < 0 || done == size);
	if (done >= 0)
		answer_was_taken(i, engine, response, size);
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
	unsigned int i;

	if (!engine_of(step, &i) || engines[i].busy)
		return;
	double_close(DOUBLE_FIRST_FD + i);
}

/* Time. */

static void work_runs(const struct step *step)
{
	if (step->a & 1 && back_conn())
		double_run_work(&back_conn()->stall);
	else
		run_connect_work();
}

/* So much of it that nobody has come for the request, or less. */
static void time_goes(const struct step *step)
{
	run_connect_work();
	if (step->a >= 128 && back_conn())
		double_run_work(&back_conn()->stall);
}

static bool bus_is_idle(void)
{
	return !watching;
}

/* A program is one task: no mutex can be held where a step happens in the middle of another. */
#define unlocked	always
#define free_of_all	always

static const struct action actions[] = {
	BACKEND_STEPS(STEP_RUN, STEP_ARM)
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
	static const struct step good;

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
