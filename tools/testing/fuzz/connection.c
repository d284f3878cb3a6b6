// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an engine reads: requests from its connections, messages of vtpmd. An input is a
 * script of connections that come, send packets and go, of messages, of quiet moments and
 * of engines that die. All but libtpms and the disk is the engine's own.
 *
 * Promises that have to hold at each step: a sequence is executed once, nothing is
 * answered before it is in the state memory or in the store, and a guest that is apart
 * executes nothing. The next engine has the state that the last one had.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine.h"
#include "fuzz.h"
#include "tpm.h"
#include "tpm_wire.h"
#include "volatile.h"

#define GUESTS		3
#define MAX_STEPS	48
#define MAX_EXTRA	4200

static struct engine engine;
static int vtpmd = -1;			/* the other end of the control socket */
static int guests[GUESTS];		/* the other ends of the connections */
static const struct connection *serving;
static uint8_t response[VTPM_MAX_TRANSFER];
static uint32_t executed;		/* the TPM's permanent state, so to speak */
static uint32_t effects;		/* and its volatile one */
static bool loaded;			/* which it was given when it was started last */
static bool changed, audits;

/* A disk that takes everything; nothing is read here. */
static ssize_t disk_pread(int fd, void *buf, size_t size, off_t offset)
{
	(void)fd;
	(void)buf;
	(void)size;
	(void)offset;
	return 0;
}

static ssize_t disk_pwrite(int fd, const void *buf, size_t size, off_t offset)
{
	(void)fd;
	(void)buf;
	(void)offset;
	return size;
}

static int disk_fdatasync(int fd)
{
	(void)fd;
	return 0;
}

static const struct vnvram_io disk = { disk_pread, disk_pwrite, disk_fdatasync };

ssize_t __wrap_getrandom(void *buf, size_t size, unsigned int flags);
ssize_t __wrap_getrandom(void *buf, size_t size, unsigned int flags)
{
	static uint8_t value;

	(void)flags;
	memset(buf, ++value, size);
	return size;
}

/* libtpms and the second thread. */
static void put_permanent(void)
{
	require(!vnvram_write_async(engine.store, PERMANENT_ENTRY, &executed, sizeof(executed)));
	changed = true;
}

int tpm_start(const struct tpm_setup *setup, struct error *err)
{
	(void)err;
	changed = false;
	loaded = setup->state;
	effects = 0;
	if (loaded)
		memcpy(&effects, setup->state, sizeof(effects));
	if (setup->create)
		put_permanent();
	return 0;
}

int tpm_power_cycle(uint32_t buffer_size, struct error *err)
{
	(void)buffer_size;
	(void)err;
	effects = 0;
	return 0;
}

int tpm_get_state(uint8_t **state, size_t *size)
{
	*size = sizeof(effects);
	*state = malloc(*size);
	memcpy(*state, &effects, *size);
	return 0;
}

void tpm_free_state(uint8_t *state, size_t size)
{
	(void)size;
	free(state);
}

void tpm_stir(void)
{
}

int tpm_startup(void)
{
	return 0;
}

bool tpm_changed(void)
{
	return changed;
}

void tpm_mark_saved(void)
{
	changed = false;
}

bool tpm_audits(void)
{
	return audits;
}

bool tpm_commits(void)
{
	return false;
}

bool tpm_nv_is_orderly(uint32_t index)
{
	return index & 1;
}

/* As its response will be: what has an authorization succeeds. */
static enum effect effect_of(const uint8_t *command, size_t size)
{
	static const uint8_t success[TPM_HEADER_SIZE];

	return command_effect(VNVRAM_TPM_20, command, size, success);
}

static void execute_for_guest(const uint8_t *command, size_t size, enum effect effect)
{
	struct vtpm_request request;

	memcpy(&request, engine.request, sizeof(request));
	require(!serving->apart && request.length == size);
	require(!serving->once || request.sequence > engine.session.record.sequence);
	executed++;
	if (command[9] & 16 &&
	    (effect != EFFECT_NONE || get_be16(command) != TPM2_ST_NO_SESSIONS))
		put_permanent();
}

/*
 * The response's size, and whether there is a change that is permanent, are in the code. Without a guest
 * it is a journal that is executed.
 */
size_t tpm_execute(uint8_t locality, const uint8_t *command, size_t size, const uint8_t **result)
{
	size_t bytes = TPM_HEADER_SIZE + (command[9] & 15) * 272;
	enum effect effect;

	require(locality <= 4 && size >= TPM_HEADER_SIZE && size <= VTPM_MAX_TRANSFER);
	effect = effect_of(command, size);
	if (serving)
		execute_for_guest(command, size, effect);
	else
		require(effect == EFFECT_REPEATABLE && loaded);
	effects += effect != EFFECT_NONE;
	memset(response, 0, sizeof(response));
	put_be32(response + 2, bytes);
	put_be32(response + 6, get_be16(command) == TPM2_ST_NO_SESSIONS ? executed : 0);
	*result = response;
	return bytes;
}

void tpm_cancel(void)
{
}

bool tpm_may_be_cancelled(const uint8_t *command, size_t size)
{
	return size && command[size - 1] & 1;
}

void tpm_failure(uint8_t *bytes)
{
	memset(bytes, 0, TPM_HEADER_SIZE);
	put_be32(bytes + 2, TPM_HEADER_SIZE);
}

void tpm_shutdown(void)
{
	put_permanent();
}

void tpm_forget_saved_state(struct vnvram *store)
{
	vnvram_clear_async(store, SAVESTATE_ENTRY);
}

void tpm_stop(void)
{
}

void watch_command(struct watch *watch, int fd)
{
	(void)watch;
	require(fd == serving->fd);
}

void watch_command_end(struct watch *watch)
{
	(void)watch;
}

void watch_expect(struct watch *watch, int ms)
{
	(void)watch;
	require(ms > 0);
}

bool watch_expect_end(struct watch *watch)
{
	(void)watch;
	return false;
}

/* What the engine says to vtpmd is well-formed, and no descriptor comes with it. */
static void read_reports(void)
{
	struct control_message msg;
	int fd;

	while (control_receive(vtpmd, &msg, &fd) == 1)
		require(fd < 0 && msg.type >= CONTROL_STATE && msg.type <= CONTROL_SESSION);
}

static void start_engine(bool create, uint8_t options)
{
	uint32_t before = effects;
	struct error err;
	int pair[2];

	memset(&engine.session, 0, sizeof(engine.session));
	require(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	engine.options = (struct engine_options){
		.control_fd = pair[0], .store_name = "store", .tpm = VNVRAM_TPM_20,
		.domain = options & 1 ? ENGINE_DOMAIN_SAME : ENGINE_DOMAIN_NEW,
		.features = options & 2 ? VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES : 0,
		.buffer_size = ENGINE_BUFFER_SIZE, .create = create,
	};
	serving = NULL;
	audits = false;
	vtpmd = pair[1];
	engine.stopping = engine.suspend_wanted = engine.reset_wanted = false;
	require(!session_start(&engine, &err));
	require(effects == (loaded ? before : 0));
	audits = options & 4;
}

static void stop_engine(void)
{
	while (engine.connection_count)
		connection_close(&engine, &engine.connections[0], "the end");
	for (unsigned int i = 0; i < GUESTS; i++) {
		if (guests[i] >= 0)
			close(guests[i]);
		guests[i] = -1;
	}
	read_reports();
	if (engine.options.control_fd >= 0)
		close(engine.options.control_fd);
	close(vtpmd);
}

static void set_up(uint8_t options)
{
	const struct vnvram_identity identity = { .tpm = VNVRAM_TPM_20 };
	struct error err;

	memset(&engine, 0, sizeof(engine));
	memset(guests, 0xff, sizeof(guests));
	executed = 0;
	engine.log = (struct log){ .fd = -1, .level = LOG_LEVEL_DEBUG, .name = "engine" };
	engine.signal_fd = -1;
	engine.freshness.fd = -1;
	engine.store = vnvram_new(&identity, &disk);
	require(engine.store && !entries_register(engine.store));
	vnvram_attach(engine.store, -1, "store");
	require(!vnvram_format(engine.store, NULL));
	engine.memory = memory_open(-1, &identity.uuid, VNVRAM_TPM_20, &err);
	require(engine.memory);
	start_engine(true, options);
}

static struct connection *find(unsigned int guest)
{
	for (unsigned int i = 0; i < engine.connection_count; i++)
		if (engine.connections[i].id == guest)
			return &engine.connections[i];
	return NULL;
}

/* The record of the session is in the state memory, as it is now. */
static void require_kept(void)
{
	static uint8_t bytes[RECORD_MAX];
	struct memory_contents kept;

	require(memory_read(engine.memory, &kept));
	require(record_encode(&engine.session.record, bytes) == kept.record_size);
	require(!memcmp(bytes, kept.record, kept.record_size));
	require(!vnvram_dirty(engine.store) && !changed);
}

/* Nothing of a command stays behind. */
static void require_wiped(size_t size)
{
	if (size < sizeof(struct vtpm_request))
		return;
	for (size_t i = 0; i < size && i < sizeof(engine.request); i++)
		require(!engine.request[i]);
}

static void read_response(unsigned int guest, const uint8_t *packet)
{
	static uint8_t bytes[sizeof(engine.response) + 1];
	ssize_t size = recv(guests[guest], bytes, sizeof(bytes), MSG_DONTWAIT);
	struct vtpm_response header;

	if (size <= 0)
		return;
	memcpy(&header, bytes, sizeof(header));
	require(size >= (ssize_t)sizeof(header) && header.length == size - sizeof(header));
	require(!header.reserved && !memcmp(&header.sequence, packet, sizeof(header.sequence)));
}

static void serve(unsigned int guest, const uint8_t *packet, size_t size)
{
	struct connection *connection = find(guest);

	if (!connection || send(guests[guest], packet, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
	serving = connection;
	require(!connection_serve(&engine, connection));
	require_kept();
	if (find(guest))
		require_wiped(size);
	read_response(guest, packet);
}

static void guest_comes(unsigned int guest)
{
	int pair[2];

	if (find(guest))
		return;
	if (guests[guest] >= 0)
		close(guests[guest]);
	require(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	guests[guest] = pair[1];
	connection_add(&engine, pair[0], guest);
}

/* Any bytes. */
static void guest_babbles(unsigned int guest, struct input *input)
{
	static uint8_t packet[sizeof(engine.request) + MAX_EXTRA];
	size_t size = input_byte(input) * (size_t)(input_byte(input) % 64);

	size = size < sizeof(packet) ? size : sizeof(packet);
	input_take(input, packet, size);
	guest_comes(guest);
	serve(guest, packet, size);
}

/* One password behind one or two handles, the second of which is odd or even. */
static void authorize(uint8_t *command, uint8_t handle, bool two)
{
	uint8_t *area = command + TPM_HEADER_SIZE + (two ? 8 : 4);

	put_be16(command, 0x8002);
	area[-1] = handle;
	put_be32(area, 9);
	put_be32(area + 4, TPM2_RS_PW);
}

/* A request as the kernel would hand it over: a command, or what belongs to its kind. */
static void guest_asks(unsigned int guest, struct input *input)
{
	static uint8_t packet[sizeof(engine.request)];
	struct vtpm_request request = { .kind = input_byte(input) % 6 };
	struct vtpm_begin begin = { 0 };
	uint8_t *body = packet + sizeof(request);

	memset(packet, 0, sizeof(packet));
	request.sequence = input_byte(input);
	request.locality = input_byte(input) % 5;
	if (request.kind == VTPM_REQUEST_BEGIN) {
		begin.features = input_byte(input);
		begin.resume = input_byte(input) & 1;
		begin.sequence = input_byte(input);
		begin.answered = input_byte(input);
		memcpy(begin.session, engine.session.record.session, sizeof(begin.session));
		begin.session[0] ^= input_byte(input) & 1;
		request.length = sizeof(begin);
		memcpy(body, &begin, sizeof(begin));
	} else if (request.kind != VTPM_REQUEST_QUIESCE && request.kind != VTPM_REQUEST_CONTINUE) {
		uint8_t length = input_byte(input);

		request.length = TPM_HEADER_SIZE + (length & 0x7f) * 32;
		request.length = request.length < VTPM_MAX_TRANSFER ? request.length :
				 VTPM_MAX_TRANSFER;
		put_be16(body, TPM2_ST_NO_SESSIONS);
		put_be16(body + 8, 0x100 | input_byte(input));
		if (length & 0x80)
			authorize(body, request.sequence, length & 0x40);
	}
	memcpy(packet, &request, sizeof(request));
	guest_comes(guest);
	serve(guest, packet, sizeof(request) + request.length);
}

static void guest_goes(unsigned int guest)
{
	struct connection *connection = find(guest);

	if (guests[guest] >= 0)
		close(guests[guest]);
	guests[guest] = -1;
	if (connection) {
		serving = connection;
		require(!connection_serve(&engine, connection));
	}
	require(!find(guest));
}

static void vtpmd_speaks(struct input *input)
{
	static const uint32_t types[] = {
		CONTROL_STATUS, CONTROL_SUSPEND, CONTROL_RESET, CONTROL_ADD, 0, CONTROL_SHUTDOWN,
	};
	struct control_message msg = { .type = types[input_byte(input) % 6] };

	msg.value = input_byte(input);
	msg.id = GUESTS + input_byte(input);
	/* Its own control socket is as good as any descriptor. */
	control_send(vtpmd, &msg, msg.type == CONTROL_ADD ? vtpmd : -1);
	engine_read_control(&engine);
	require(!session_control(&engine));
	require_kept();
	if (engine.connection_count && engine.connections[engine.connection_count - 1].id >= GUESTS)
		connection_close(&engine, &engine.connections[engine.connection_count - 1], "");
}

static void step(struct input *input)
{
	unsigned int what = input_byte(input), guest = what % GUESTS;

	switch (what / GUESTS % 8) {
	case 0:
	case 1:
	case 2:
		guest_asks(guest, input);
		break;
	case 3:
		guest_babbles(guest, input);
		break;
	case 4:
		guest_goes(guest);
		break;
	case 5:
		vtpmd_speaks(input);
		break;
	case 6:
		engine_idle(&engine);
		require_kept();
		break;
	case 7:
		stop_engine();
		start_engine(false, input_byte(input));
		require_kept();
		break;
	}
	read_reports();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	set_up(input_byte(&input));
	for (unsigned int i = 0; i < MAX_STEPS && input.left && !engine.stopping; i++)
		step(&input);
	stop_engine();
	memory_close(engine.memory);
	vnvram_free(engine.store);
	return 0;
}
