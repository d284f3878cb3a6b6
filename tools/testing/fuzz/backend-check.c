// SPDX-License-Identifier: GPL-2.0-only
/* What has to hold, whatever guest, engines and controller do: see backend.c. */
#include "backend-check.h"

struct engine engines[SHIM_FDS];
struct file *controller;
unsigned int controller_busy, device_count, accepts;
bool watching;

/* What was before a step. */
static struct {
	struct file *files[SHIM_FDS];
	__poll_t ready[SHIM_FDS];
	unsigned int wakes[SHIM_FDS];
	struct file *controller;
	__poll_t controller_ready;
	unsigned int controller_wakes;
	struct tpmback_conn *conn;
	uint64_t id;
	enum tpmback_request request;
	uint64_t commands;
	uint32_t control;
	struct delayed_work stall;
	bool accepted;
	unsigned int accepts;
} before;

/* The last response that the guest was given, by whichever connection. */
static struct {
	uint8_t bytes[VTPM_PACKET_MAX];
	uint32_t length;
	uint64_t errors;
	uint64_t id;
} last;

/* The last command that an engine was given. */
static uint64_t last_id, last_sequence;

/* The controller has to be woken yet. */
static bool owed;

void check_start(void)
{
	memset(engines, 0, sizeof(engines));
	memset(&before, 0, sizeof(before));
	memset(&last, 0, sizeof(last));
	last_id = 0;
	last_sequence = 0;
	owed = false;
	controller_busy = 0;
	device_count = 0;
	accepts = 0;
	watching = false;
}

/* The live connection of the device, or NULL. */
struct tpmback_conn *check_conn(void)
{
	struct tpmback_device *dev = shim.device ? shim.device->dev.driver_data : NULL;

	return dev ? dev->conn : NULL;
}

void watched(void (*callback)(struct xenbus_watch *watch, const char *path, const char *token),
	     const struct step *step)
{
	if (!shim.device)
		return;
	watching = true;
	if (callback)
		callback(shim.watch, "", "");
	else
		shim.driver->otherend_changed(shim.device, step->a % 10);
	watching = false;
}

/* One EOI for each event, which says whether it had a cause; none once it is parked. */
bool target_interrupt(void)
{
	struct tpmback_conn *conn = check_conn();
	struct tpmback_conn old;
	unsigned int eois = shim.eois;
	bool news;

	if (!conn)
		return false;
	old = *conn;
	if (!shim_interrupt())
		return false;
	news = conn->stats.commands != old.stats.commands ||
	       conn->stats.cancelled != old.stats.cancelled ||
	       (old.request == REQUEST_NONE && conn->request == REQUEST_PENDING);
	require(shim.eois == eois + !conn->parked);
	require(conn->parked || !shim.eoi_flags == news);
	require(!old.parked || !news);
	return true;
}

/* What the guest sees. */

static bool is_error(const uint8_t *packet, uint32_t length)
{
	static const uint32_t codes[] = {
		0x19, 0x142, 0x1e, 0x0a, 0x143, 0x3d, 0x907, 0x09, 0x101,
	};

	if (length != TPM_ERROR_RESPONSE || get_be(packet + 2, 4) != length)
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(codes); i++)
		if (get_be(packet + 6, 4) == codes[i])
			return true;
	return false;
}

/* What an engine is just writing, and nothing was done with it before. */
static bool is_answer(const uint8_t *packet, uint32_t length)
{
	for (unsigned int fd = 0; fd < SHIM_FDS; fd++) {
		struct engine *engine = &engines[fd];
		size_t head = engine->raw ? 0 : sizeof(struct vtpm_response);

		if (!engine->answering || engine->answered || engine->setting ||
		    (!engine->raw && engine->kind != VTPM_REQUEST_COMMAND) ||
		    engine->size != head + length || memcmp(engine->answer + head, packet, length))
			continue;
		engine->answered = true;
		return true;
	}
	return false;
}

static void check_response(struct tpmback_conn *conn)
{
	const uint8_t *packet = (uint8_t *)conn->page + VTPM_PACKET_OFFSET(conn->extended);
	uint64_t errors = conn->stats.refused + conn->stats.failed;
	uint32_t length = conn->page->length;

	require(length >= TPM_COMMAND_HEADER && length <= conn->capacity);
	require_zeroes(packet + length, conn->capacity - length);
	if (last.id != conn->id)
		memset(&last, 0, sizeof(last));
	if (!is_answer(packet, length) && (errors == last.errors || !is_error(packet, length)))
		require(last.id == conn->id && last.length == length &&
			!memcmp(last.bytes, packet, length));
	last.id = conn->id;
	last.errors = errors;
	last.length = length;
	memcpy(last.bytes, packet, length);
}

/* The event comes after the state, and that after all else. */
void target_notified(void)
{
	struct tpmback_conn *conn = check_conn();
	size_t offset;

	require(conn && conn->page && conn->irq == SHIM_IRQ);
	if (shim_is_twice(conn->page))
		return;
	offset = (const uint8_t *)shim.last_write - (const uint8_t *)conn->page;
	if (conn->extended &&
	    offset == VTPM_TRAILER_OFFSET + offsetof(struct vtpm_trailer, answer))
		return;
	require(offset == offsetof(struct vtpm_shared_page, state));
	require(conn->page->state == conn->published);
	require(conn->published == VTPM_STATE_FINISH || conn->published == VTPM_STATE_IDLE);
	if (conn->published == VTPM_STATE_FINISH)
		check_response(conn);
}

void target_state(enum xenbus_state state)
{
	struct tpmback_conn *conn = check_conn();

	if (state == XenbusStateConnected)
		require(conn && conn->page && conn->begun && shim.bound);
	if (state == XenbusStateInitWait)
		require(conn && !shim.mapped && !shim.bound);
	if (state == XenbusStateClosed)
		require(!conn && !shim.mapped && !shim.bound);
}

/* The guest's part. */
void target_offered(void)
{
	require(!"the backend sets up a ring");
}

/* What the controller sees. */

void check_event(const struct vtpm_event *event)
{
	require(event->type >= VTPM_EVENT_ADDED && event->type <= VTPM_EVENT_GONE);
	require(event->domid == 1 && !event->handle && event->id);
	require(!event->reserved[0] && !event->reserved[1]);
	if (event->type == VTPM_EVENT_READY)
		require(event->capacity <= VTPM_PACKET_MAX && event->resume <= 1);
	else
		require(!event->capacity && !event->features && !event->sequence);
}

void check_info(const struct vtpm_info *info)
{
	require(info->state <= VTPM_CONNECTION_PARKED && info->accepted <= 1);
	require(info->capacity == 0 || info->capacity == VTPM_PACKET_MAX_SINGLE ||
		info->capacity == VTPM_PACKET_MAX);
	for (unsigned int i = 0; i < ARRAY_SIZE(info->reserved); i++)
		require(!info->reserved[i]);
}

/* What engines see. */

static void check_command(const struct tpmback_conn *conn, const uint8_t *command, size_t size)
{
	require(step_is_command(command, size, conn->extended ? VTPM_PACKET_MAX :
				VTPM_PACKET_MAX_SINGLE));
}

/* A raw engine gets the locality in the only command that the guest cannot give it. */
static void check_raw(struct engine *engine, const struct tpmback_conn *conn,
		      const uint8_t *packet, size_t size)
{
	engine->setting = size == TPM_SET_LOCALITY_SIZE && get_be(packet + 6, 4) == STEP_SET_LOCALITY;
	if (engine->setting) {
		engine->set = packet[10];
		require(engine->set < TPM_LOCALITIES && engine->localities & BIT(engine->set));
		return;
	}
	check_command(conn, packet, size);
	require(engine->localities & BIT(engine->locality));
}

static void check_begin(struct engine *engine, const struct tpmback_conn *conn,
			const uint8_t *body)
{
	struct vtpm_begin begin;

	memcpy(&begin, body, sizeof(begin));
	require(engine->features && !engine->begun);
	require(begin.features == (conn->extended ? 3 : 0) && begin.resume <= 1);
	require(begin.answered <= begin.sequence);
	if (begin.resume == VTPM_RESUME_FRESH)
		require(!begin.sequence && !begin.answered);
	engine->begin = begin;
}

static void check_native(struct engine *engine, const struct tpmback_conn *conn,
			 const uint8_t *packet, size_t size)
{
	struct vtpm_request header;
	const uint8_t *body = packet + sizeof(header);

	require(size >= sizeof(header));
	memcpy(&header, packet, sizeof(header));
	require(header.length == size - sizeof(header) && !header.reserved);
	engine->kind = header.kind;
	engine->sequence = header.sequence;
	if (header.kind == VTPM_REQUEST_BEGIN) {
		require(header.length == sizeof(struct vtpm_begin));
		check_begin(engine, conn, body);
		return;
	}
	require(!engine->features || engine->begun);
	if (header.kind != VTPM_REQUEST_COMMAND) {
		require(header.kind <= VTPM_REQUEST_CONTINUE && conn->extended && !header.length);
		return;
	}
	check_command(conn, body, header.length);
	require(header.locality < TPM_LOCALITIES && engine->localities & BIT(header.locality));
	/* Without the extension nothing is handed out twice. */
	require(conn->extended || conn->id != last_id || header.sequence > last_sequence);
	last_id = conn->id;
	last_sequence = header.sequence;
}

/* An answer has been taken: as the call says, or as the next request shows before it returns. */
static void settle(struct engine *engine)
{
	engine->asked = false;
	if (engine->raw && engine->setting && !get_be(engine->answer + 6, 4))
		engine->locality = engine->set;
	if (!engine->raw && engine->kind == VTPM_REQUEST_BEGIN)
		engine->begun = true;
}

void check_request(unsigned int fd, const uint8_t *packet, size_t size)
{
	const struct tpmback_conn *conn = shim.files[fd]->private_data;
	struct engine *engine = &engines[fd];

	if (engine->answering && engine->reads == engine->reads_before)
		settle(engine);
	/* One at a time. */
	require(!engine->asked);
	if (engine->raw)
		check_raw(engine, conn, packet, size);
	else
		check_native(engine, conn, packet, size);
	engine->asked = true;
	engine->reads++;
	/* What another thread is just writing without having been asked may be the answer. */
	if (engine->writing && !engine->answering) {
		engine->answering = true;
		engine->reads_before = engine->reads;
	}
}

void check_answer_begins(unsigned int fd, size_t size)
{
	struct engine *engine = &engines[fd];

	engine->size = size;
	engine->writing = true;
	engine->reads_before = engine->reads;
	engine->answering = engine->asked;
	engine->answered = false;
}

static void check_error(ssize_t err)
{
	static const int errors[] = {
		EINTR, ERESTARTSYS, EINVAL, EBADMSG, EMSGSIZE, EFAULT, EPIPE, ESTALE,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++)
		if (err == -errors[i])
			return;
	require(!"an error that the interface does not have");
}

/* A request is answered once; a command's answer is the guest's by then. */
void check_answer_ends(unsigned int fd, ssize_t done, size_t size)
{
	struct engine *engine = &engines[fd];
	size_t head = engine->raw ? 0 : sizeof(struct vtpm_response);
	bool command = engine->raw ? !engine->setting : engine->kind == VTPM_REQUEST_COMMAND;
	const struct tpmback_conn *conn = shim.files[fd]->private_data;
	bool answering = engine->answering;

	engine->writing = false;
	engine->answering = false;
	if (done < 0) {
		check_error(done);
		require(!engine->answered);
		return;
	}
	require(done == (ssize_t)size && answering);
	if (engine->reads != engine->reads_before)
		return;
	settle(engine);
	if (command && conn->page && !shim_is_twice(conn->page))
		require(engine->answered && get_be(engine->answer + head + 2, 4) == size - head);
}

/* Steps. */

static __poll_t ready(struct file *file)
{
	return file->f_op->poll(file, NULL);
}

static struct tpmback_conn *conn_of(struct file *file)
{
	return file->private_data;
}

void target_before(void)
{
	struct tpmback_conn *conn = check_conn();

	for (unsigned int fd = 0; fd < SHIM_FDS; fd++) {
		before.files[fd] = shim.files[fd];
		if (!shim.files[fd])
			continue;
		before.ready[fd] = ready(shim.files[fd]);
		before.wakes[fd] = conn_of(shim.files[fd])->wait.wakes;
	}
	before.controller = controller;
	before.controller_ready = controller ? ready(controller) : 0;
	before.controller_wakes = tpmback_connections_wait.wakes;
	before.conn = conn;
	before.accepts = accepts;
	if (!conn)
		return;
	before.id = conn->id;
	before.request = conn->request;
	before.commands = conn->stats.commands;
	before.control = conn->control;
	before.stall = conn->stall;
	before.accepted = conn->accepted;
}

/* Whoever can do something now that they could not before has been woken. */
static void check_wakes(void)
{
	for (unsigned int fd = 0; fd < SHIM_FDS; fd++) {
		struct file *file = shim.files[fd];

		if (file && file == before.files[fd] && ready(file) & ~before.ready[fd])
			require(conn_of(file)->wait.wakes != before.wakes[fd]);
	}
}

static bool connect_is_queued(void)
{
	struct tpmback_device *dev = shim.device ? shim.device->dev.driver_data : NULL;

	return dev && dev->connect_work.pending;
}

/* READY is there when the engine has said so, its wake comes when the guest was let in. */
static void check_controller_wakes(void)
{
	if (!controller || controller != before.controller || !ready(controller)) {
		owed = false;
		return;
	}
	if (!before.controller_ready)
		owed = true;
	if (tpmback_connections_wait.wakes != before.controller_wakes)
		owed = false;
	require(!owed || connect_is_queued());
}

/* A request that nobody serves is failed in the end, and the guest cannot put that off. */
static void check_stall(const struct tpmback_conn *conn)
{
	if (conn->request != REQUEST_PENDING || conn->accepted)
		return;
	require(conn->stall.pending);
	if (conn == before.conn && conn->id == before.id && accepts == before.accepts &&
	    before.request == REQUEST_PENDING && before.stall.pending && !before.accepted &&
	    conn->stats.commands == before.commands && conn->control == before.control)
		require((long)(conn->stall.due - before.stall.due) <= 0);
}

void target_after(void)
{
	struct tpmback_conn *conn;
	int most;

	conn = check_conn();
	require(!shim.mutexes && !shim.spinning && !shim.running);
	if (conn && conn->page) {
		require(shim.mapped == 1 && shim.bound);
		require(!shim.masked || conn->parked);
		check_stall(conn);
	} else {
		require(!shim.mapped && !shim.bound);
	}
	check_wakes();
	check_controller_wakes();
	/* A device has two connections at most, a connection four pieces of memory. */
	most = device_count * (2 + 2 * 4) + SHIM_FDS * 4;
	require(shim.allocations <= most);
}

void check_drained(struct tpmback_conn *conn)
{
	uint8_t state = conn->page->state;

	require(shim_is_twice(conn->page) || state == VTPM_STATE_IDLE ||
		state == VTPM_STATE_FINISH);
	require(conn->request == REQUEST_NONE);
}
