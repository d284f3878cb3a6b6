// SPDX-License-Identifier: GPL-2.0-only
/*
 * What reaches vtpmd over sockets: requests of vtpmctl, and messages of an engine that a
 * guest has taken over. An input is a script of clients that come, speak and go, and
 * of the engine's messages. All but files, the kernel, the hypervisor and
 * processes is vtpmd's own.
 */
#include "../../vtpm/vtpmd/process.c"
#undef CONN_FD
#include "../../vtpm/vtpmd/server.c"

#include <event2/event.h>

#include "backend.h"
#include "fuzz.h"

#define CLIENTS		3
#define MAX_STEPS	32
#define FAKE_PID	4194304	/* more than Linux gives */

static struct daemon fake = {
	.backend = -1, .log = { .fd = -1, .level = LOG_LEVEL_DEBUG, .name = "vtpmd" },
};
static struct server server = { .daemon = &fake };
static int engine = -1;		/* the engine's end of its socket */
static int clients[CLIENTS];
static struct vtpm_info info;

pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
	errno = EAGAIN;
	return -1;
}

int __wrap_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig)
{
	require(pid == FAKE_PID && sig > 0);
	return 0;
}

/* Files, kernel and hypervisor, which are not what is tried here. */
int config_read_policy(const struct config *config, const struct uuid *uuid,
		       struct policy *policy, struct error *err)
{
	(void)uuid;
	(void)err;
	*policy = config->policy;
	return 0;
}

int statedir_open(const struct config *config, const struct uuid *uuid,
		  const struct policy *policy, struct state *state, struct error *err)
{
	(void)config;
	(void)uuid;
	(void)policy;
	memset(state, 0, sizeof(*state));
	state->fd = -1;
	return error_set(err, ENOENT, "there is no state");
}

int statedir_created(const struct config *config, const struct uuid *uuid, struct error *err)
{
	(void)config;
	(void)uuid;
	return info.commands & 1 ? error_set(err, EIO, "no room") : 0;
}

int key_open(enum key_kind kind, const char *path, const char *hosttpm, const char *tcti,
	     struct error *err)
{
	(void)hosttpm;
	(void)tcti;
	return error_set(err, ENOENT, "key %s of kind %d", path, kind);
}

int hosttpm_launch(const char *program, char *const *argv, int fd, int place)
{
	(void)program;
	(void)argv;
	(void)fd;
	return place ? 0 : -ENOENT;
}

int rundir_open_memory(const struct config *config, const char *uuid, bool fresh,
		       struct error *err)
{
	(void)config;
	(void)uuid;
	(void)fresh;
	return error_set(err, EIO, "no room");
}

int rundir_write_owner(const struct config *config, const char *uuid, uint32_t domid,
		       const char *token, bool suspended, struct error *err)
{
	(void)config;
	(void)uuid;
	(void)domid;
	(void)token;
	(void)suspended;
	return info.commands & 2 ? error_set(err, EIO, "no room") : 0;
}

void rundir_remove_owner(const struct config *config, const char *uuid)
{
	(void)config;
	(void)uuid;
}

void rundir_remove(const struct config *config, const char *uuid)
{
	(void)config;
	(void)uuid;
}

void rundir_for_each_owner(const struct config *config,
			   void (*found)(void *arg, const struct uuid *uuid, uint32_t domid,
					 const char *token, bool suspended), void *arg)
{
	(void)config;
	(void)found;
	(void)arg;
}

int backend_read_event(int fd, struct vtpm_event *event)
{
	(void)fd;
	(void)event;
	return 0;
}

int backend_accept(int fd, const struct vtpm_accept *accept)
{
	(void)fd;
	(void)accept;
	return -ENOENT;
}

int backend_next(int fd, struct vtpm_info *next)
{
	(void)fd;
	if (info.responses & 1)
		return -ENOENT;
	info.id = next->id + 1;
	*next = info;
	return 0;
}

void domain_look(struct domains *domains, uint32_t domid, struct domain_info *look)
{
	(void)domains;
	(void)domid;
	*look = (struct domain_info){ .known = info.failed & 1, .exists = info.failed & 2,
				      .dying = info.failed & 4, .suspended = info.failed & 8 };
}

int domain_read_token(struct domains *domains, uint32_t domid, const char *uuid,
		      char token[DOMAIN_TOKEN_SIZE])
{
	(void)domains;
	(void)domid;
	(void)uuid;
	token[0] = '\0';
	return 0;
}

int domain_write_token(struct domains *domains, uint32_t domid, const char *uuid,
		       const char *token)
{
	(void)domains;
	(void)domid;
	(void)uuid;
	(void)token;
	return 0;
}

/* A vTPM with a frontend, whose engine says things over a socket. */
static void make_vtpm(struct input *input)
{
	static const struct uuid uuid = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };
	struct vtpm *vtpm = vtpm_get(&fake, &uuid);
	int pair[2];

	require(vtpm && !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	vtpm->frontends = calloc(1, sizeof(*vtpm->frontends));
	require(vtpm->frontends && !watch_control(vtpm, pair[0]));
	engine = pair[1];
	vtpm->frontends->id = 7;
	vtpm->frontends->domid = 3;
	vtpm->frontends->accepted = true;
	vtpm->owner.known = true;
	vtpm->owner.domid = 3;
	vtpm->pid = FAKE_PID;
	vtpm->state = 1 + input_byte(input) % 4;
	vtpm->creating = input_byte(input) & 1;
	info.commands = input_byte(input);
	info.responses = input_byte(input);
	info.failed = input_byte(input);
	vtpm->policy.engine = info.failed & 0x10 ? ENGINE_SWTPM : ENGINE_NATIVE;
}

static void run_events(void)
{
	event_base_loop(fake.base, EVLOOP_NONBLOCK);
}

static void client_comes(unsigned int i)
{
	int pair[2];

	if (clients[i] >= 0)
		return;
	require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
	clients[i] = pair[1];
	accept_client(NULL, pair[0], NULL, 0, &server);
}

/* All that is there, and what vtpmd has more of once that is gone. */
static size_t receive(int fd, char *buffer, size_t room)
{
	size_t used = 0;
	ssize_t size;

	do {
		size = recv(fd, buffer + used, room - used, MSG_DONTWAIT);
		used += size > 0 ? size : 0;
		run_events();
	} while (size > 0 && used < room);
	require(used < room);
	return used;
}

/* Answers are lines, each a JSON object. */
static void read_answers(int fd)
{
	static char buffer[4 << 20];
	size_t size = receive(fd, buffer, sizeof(buffer));
	char *line = buffer, *end;
	json_t *object;

	for (; (end = memchr(line, '\n', buffer + size - line)); line = end + 1) {
		*end = '\0';
		object = json_loads(line, 0, NULL);
		require(json_is_object(object));
		json_decref(object);
	}
	require(line == buffer + size);
}

static void client_goes(unsigned int i)
{
	if (clients[i] < 0)
		return;
	read_answers(clients[i]);
	close(clients[i]);
	clients[i] = -1;
}

static void client_speaks(unsigned int i, struct input *input)
{
	static uint8_t line[16384];
	size_t size = input_byte(input), times = size & 0x80 ? 40 : 1;

	size &= 0x7f;
	size = input_take(input, line, size);
	for (size_t n = 1; n < times; n++)
		memcpy(line + n * size, line, size);
	client_comes(i);
	send(clients[i], line, size * times, MSG_NOSIGNAL | MSG_DONTWAIT);
	run_events();
	read_answers(clients[i]);
}

/* A packet of any size, with any number of descriptors. */
static void engine_sends(struct input *input, const void *packet, size_t size)
{
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} buffer = { { 0 } };
	struct iovec iov = { (void *)packet, size };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = buffer.bytes };
	unsigned int count = input_byte(input) % 16;
	struct cmsghdr *cmsg = &buffer.align;

	if (count > 0 && count <= 4) {
		for (unsigned int i = 0; i < count; i++)
			memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &engine, sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
		hdr.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	sendmsg(engine, &hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void engine_speaks(struct input *input)
{
	static const uint32_t types[] = {
		CONTROL_STATE, CONTROL_CLOSED, CONTROL_COUNTERS, CONTROL_MARK, CONTROL_SESSION,
	};
	struct control_message msg;
	unsigned int kind = input_byte(input);
	size_t size = input_byte(input);

	memset(&msg, 'x', sizeof(msg));
	msg.type = kind < 250 ? types[kind % 5] : kind;
	msg.value = input_byte(input);
	msg.id = input_byte(input);
	if (size < 0x80)
		input_take(input, msg.text, size);
	engine_sends(input, &msg, size == 0xff ? input_byte(input) : sizeof(msg));
	run_events();
}

/* As if waitpid() had said so, or a timer, which nobody waits for here. */
static void engine_ends(int status)
{
	struct vtpm *vtpm = fake.vtpms;

	if (!vtpm->pid)
		return;
	process_drain(vtpm);
	vtpm_exited(vtpm, status);
}

static void time_passes(void)
{
	struct client *client, *next;

	for (client = server.clients; client; client = next) {
		next = client->next;
		limit_reached(-1, EV_TIMEOUT, client);
	}
	vtpm_check_owners(-1, EV_TIMEOUT, &fake);
}

static void step(struct input *input)
{
	unsigned int what = input_byte(input), i = what % CLIENTS;

	switch (what / CLIENTS % 8) {
	case 0:
		client_comes(i);
		break;
	case 1:
		client_goes(i);
		break;
	case 2:
	case 3:
		client_speaks(i, input);
		break;
	case 4:
	case 5:
		engine_speaks(input);
		break;
	case 6:
		engine_ends(input_byte(input) << 8);
		break;
	case 7:
		info.failed = input_byte(input);
		time_passes();
		break;
	}
	run_events();
}

static void clean_up(void)
{
	for (unsigned int i = 0; i < CLIENTS; i++)
		client_goes(i);
	run_events();
	while (server.clients)
		client_free(server.clients);
	/* libevent closes what it has let go in its loop. */
	run_events();
	require(!server.client_count);
	for (struct vtpm *vtpm = fake.vtpms; vtpm; vtpm = vtpm->next) {
		require(memchr(vtpm->reason.text, 0, sizeof(vtpm->reason.text)));
		require(memchr(vtpm->session_reason.text, 0, sizeof(vtpm->session_reason.text)));
		forget_control(vtpm);
	}
	vtpm_free_all(&fake);
	close(engine);
}

static unsigned int count_descriptors(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 64; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	unsigned int before;

	if (!fake.base) {
		signal(SIGPIPE, SIG_IGN);
		fake.base = event_base_new();
		fake.server = &server;
		fake.config.policy.localities = 1;
		memset(clients, 0xff, sizeof(clients));
	}
	before = count_descriptors();
	make_vtpm(&input);
	for (unsigned int i = 0; i < MAX_STEPS && input.left && fake.vtpms; i++)
		step(&input);
	clean_up();
	/* Whatever came over the sockets, no descriptor has stayed. */
	require(count_descriptors() == before);
	return 0;
}
