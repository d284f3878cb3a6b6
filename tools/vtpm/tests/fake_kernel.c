// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fake_kernel.h"

#define MAX_CONNECTIONS	64
#define MAX_SOCKETS	8
#define MAX_DOMAINS	16

struct fake_connection {
	uint64_t id;
	uint32_t domid;
	struct uuid uuid;
	bool gone;
	int guest;		/* -1 before it was accepted */
	struct vtpm_accept accept;
	uint64_t sequence;	/* that it presents when it is accepted again */
	bool beginning;		/* the answer to BEGIN is still to come */
	bool begun;
	struct vtpm_begin begin;
};

struct fake_kernel {
	char path[108];
	int listener;
	int stop[2];
	pthread_t thread;
	pthread_mutex_t lock;	/* protects all below */
	int events;		/* socket for events, or -1 */
	int sockets[MAX_SOCKETS];
	unsigned int socket_count;
	struct fake_connection connections[MAX_CONNECTIONS];
	unsigned int connection_count;
	uint64_t next_id;
	int watch;		/* socket for domains, or -1 */
	struct fake_domain domains[MAX_DOMAINS];
	unsigned int domain_count;
	bool domains_hidden;
	struct vtpm_begin present;
};

static struct fake_connection *find(struct fake_kernel *kernel, uint64_t id)
{
	for (unsigned int i = 0; i < kernel->connection_count; i++)
		if (kernel->connections[i].id == id)
			return &kernel->connections[i];
	abort();
}

static void send_event(struct fake_kernel *kernel, const struct fake_connection *conn,
		       uint32_t type)
{
	struct vtpm_event event = {
		.type = type, .domid = conn->domid, .id = conn->id,
		.capacity = type == VTPM_EVENT_READY ? 4088 : 0,
	};

	memcpy(event.uuid, conn->uuid.b, UUID_SIZE);
	if (kernel->events >= 0)
		send(kernel->events, &event, sizeof(event), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_with_fd(int to, const struct fake_reply *reply, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} buffer = { 0 };
	struct iovec iov = { (void *)reply, sizeof(*reply) };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (fd >= 0) {
		hdr.msg_control = buffer.bytes;
		hdr.msg_controllen = sizeof(buffer.bytes);
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	sendmsg(to, &hdr, MSG_NOSIGNAL);
}

/* The other end of a pair hangs up once the last copy of it is closed. */
static bool is_open(const struct fake_connection *conn)
{
	struct pollfd pollfd = { .fd = conn->guest, .events = 0 };

	return conn->guest >= 0 && !(poll(&pollfd, 1, 0) == 1 && pollfd.revents & POLLHUP);
}

static void send_begin(const struct fake_connection *conn)
{
	struct {
		struct vtpm_request header;
		struct vtpm_begin begin;
	} packet = {
		.header = { .length = sizeof(packet.begin), .kind = VTPM_REQUEST_BEGIN },
		.begin = conn->begin,
	};

	send(conn->guest, &packet, sizeof(packet), MSG_NOSIGNAL);
}

/* The frontend connects, or goes on under another engine. */
static void begin(struct fake_kernel *kernel, struct fake_connection *conn)
{
	if (!conn->begun) {
		conn->begin = kernel->present;
	} else {
		conn->begin.resume = VTPM_RESUME_SESSION;
		conn->begin.sequence = conn->sequence;
	}
	conn->begin.answered = conn->begin.sequence ? conn->begin.sequence - 1 : 0;
	conn->begin.features = conn->accept.features;
	conn->beginning = true;
	conn->begun = false;
	send_begin(conn);
}

static void take_begun(struct fake_kernel *kernel, struct fake_connection *conn)
{
	struct {
		struct vtpm_response header;
		struct vtpm_begin begin;
	} packet;

	conn->beginning = false;
	if (recv(conn->guest, &packet, sizeof(packet), MSG_DONTWAIT) != sizeof(packet) ||
	    packet.header.length != sizeof(packet.begin))
		return;
	conn->begun = true;
	conn->begin = packet.begin;
	send_event(kernel, conn, VTPM_EVENT_READY);
}

static void do_accept(struct fake_kernel *kernel, int to, const struct vtpm_accept *accept)
{
	struct fake_reply reply = { .ret = -ENOENT };
	struct fake_connection *conn = NULL;
	int pair[2] = { -1, -1 };

	for (unsigned int i = 0; i < kernel->connection_count; i++)
		if (kernel->connections[i].id == accept->id && !kernel->connections[i].gone)
			conn = &kernel->connections[i];
	if (conn && is_open(conn))
		reply.ret = -EBUSY;
	else if (conn && !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		reply.ret = 0;
	send_with_fd(to, &reply, pair[1]);
	if (reply.ret)
		return;
	close(pair[1]);
	if (conn->guest >= 0)
		close(conn->guest);
	conn->guest = pair[0];
	conn->accept = *accept;
	if (accept->features)
		begin(kernel, conn);
	else
		send_event(kernel, conn, VTPM_EVENT_READY);
}

static void do_next(struct fake_kernel *kernel, int to, const struct vtpm_info *info)
{
	struct fake_reply reply = { .ret = -ENOENT };

	for (unsigned int i = 0; i < kernel->connection_count && reply.ret; i++) {
		const struct fake_connection *conn = &kernel->connections[i];

		if (conn->gone || conn->id <= info->id)
			continue;
		reply.ret = 0;
		reply.info.id = conn->id;
		reply.info.domid = conn->domid;
		reply.info.accepted = is_open(conn);
		reply.info.state = reply.info.accepted;
		reply.info.capacity = 4088;
		reply.info.commands = 7;
	}
	send_with_fd(to, &reply, -1);
}

static struct fake_domain *find_domain(struct fake_kernel *kernel, uint32_t domid)
{
	for (unsigned int i = 0; i < kernel->domain_count; i++)
		if (kernel->domains[i].domid == domid)
			return &kernel->domains[i];
	kernel->domains[kernel->domain_count].domid = domid;
	return &kernel->domains[kernel->domain_count++];
}

static void do_domain(struct fake_kernel *kernel, int to, const struct fake_request *request)
{
	struct fake_domain *domain = find_domain(kernel, request->domid);
	struct fake_reply reply = { 0 };

	if (kernel->domains_hidden)
		reply.ret = -ENODEV;
	else if (request->op == FAKE_WRITE_TOKEN)
		memcpy(domain->token, request->token, sizeof(domain->token));
	reply.domain = *domain;
	send_with_fd(to, &reply, -1);
}

static void handle(struct fake_kernel *kernel, int fd, const struct fake_request *request)
{
	switch (request->op) {
	case FAKE_EVENTS:
		kernel->events = fd;
		for (unsigned int i = 0; i < kernel->connection_count; i++)
			if (!kernel->connections[i].gone)
				send_event(kernel, &kernel->connections[i], VTPM_EVENT_ADDED);
		break;
	case FAKE_ACCEPT:
		do_accept(kernel, fd, &request->accept);
		break;
	case FAKE_NEXT:
		do_next(kernel, fd, &request->info);
		break;
	case FAKE_WATCH:
		kernel->watch = fd;
		break;
	case FAKE_LOOK:
	case FAKE_READ_TOKEN:
	case FAKE_WRITE_TOKEN:
		do_domain(kernel, fd, request);
		break;
	}
}

static void serve_socket(struct fake_kernel *kernel, unsigned int i)
{
	struct fake_request request;
	int fd = kernel->sockets[i];

	if (recv(fd, &request, sizeof(request), MSG_DONTWAIT) == sizeof(request)) {
		handle(kernel, fd, &request);
		return;
	}
	if (kernel->events == fd)
		kernel->events = -1;
	if (kernel->watch == fd)
		kernel->watch = -1;
	close(fd);
	kernel->sockets[i] = kernel->sockets[--kernel->socket_count];
}

/* Those whose answer to BEGIN is to come are polled too. */
static unsigned int add_beginning(struct fake_kernel *kernel, struct pollfd *fds,
				  struct fake_connection **conns)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < kernel->connection_count; i++) {
		struct fake_connection *conn = &kernel->connections[i];

		if (!conn->beginning || conn->gone)
			continue;
		conns[count] = conn;
		fds[count++] = (struct pollfd){ conn->guest, POLLIN, 0 };
	}
	return count;
}

static void serve_all(struct fake_kernel *kernel, struct pollfd *fds, unsigned int count)
{
	for (unsigned int i = count; i-- > 0;)
		if (fds[2 + i].revents)
			serve_socket(kernel, i);
	if (fds[1].revents && kernel->socket_count < MAX_SOCKETS)
		kernel->sockets[kernel->socket_count++] =
			accept4(kernel->listener, NULL, NULL, SOCK_CLOEXEC);
}

static void *kernel_thread(void *arg)
{
	struct fake_kernel *kernel = arg;
	struct pollfd fds[MAX_SOCKETS + 2 + MAX_CONNECTIONS];
	struct fake_connection *conns[MAX_CONNECTIONS];

	for (;;) {
		unsigned int count = kernel->socket_count, begins;

		fds[0] = (struct pollfd){ kernel->stop[0], POLLIN, 0 };
		fds[1] = (struct pollfd){ kernel->listener, POLLIN, 0 };
		for (unsigned int i = 0; i < count; i++)
			fds[2 + i] = (struct pollfd){ kernel->sockets[i], POLLIN, 0 };
		pthread_mutex_lock(&kernel->lock);
		begins = add_beginning(kernel, fds + 2 + count, conns);
		pthread_mutex_unlock(&kernel->lock);
		poll(fds, 2 + count + begins, -1);
		if (fds[0].revents)
			return NULL;
		pthread_mutex_lock(&kernel->lock);
		for (unsigned int i = 0; i < begins; i++)
			if (fds[2 + count + i].revents && !conns[i]->gone)
				take_begun(kernel, conns[i]);
		serve_all(kernel, fds, count);
		pthread_mutex_unlock(&kernel->lock);
	}
}

struct fake_kernel *fake_kernel_new(const char *path)
{
	struct fake_kernel *kernel = calloc(1, sizeof(*kernel));
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (!kernel)
		abort();
	kernel->events = kernel->watch = -1;
	kernel->next_id = 1;
	pthread_mutex_init(&kernel->lock, NULL);
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	kernel->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(kernel->listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(kernel->listener, 8) || pipe(kernel->stop))
		abort();
	pthread_create(&kernel->thread, NULL, kernel_thread, kernel);
	return kernel;
}

void fake_kernel_free(struct fake_kernel *kernel)
{
	if (write(kernel->stop[1], "", 1) != 1)
		abort();
	pthread_join(kernel->thread, NULL);
	for (unsigned int i = 0; i < kernel->connection_count; i++)
		if (kernel->connections[i].guest >= 0)
			close(kernel->connections[i].guest);
	for (unsigned int i = 0; i < kernel->socket_count; i++)
		close(kernel->sockets[i]);
	close(kernel->stop[0]);
	close(kernel->stop[1]);
	close(kernel->listener);
	free(kernel);
}

uint64_t fake_kernel_add(struct fake_kernel *kernel, uint32_t domid, const struct uuid *uuid)
{
	struct fake_connection *conn;
	uint64_t id;

	pthread_mutex_lock(&kernel->lock);
	conn = &kernel->connections[kernel->connection_count++];
	conn->id = id = kernel->next_id++;
	conn->domid = domid;
	conn->uuid = *uuid;
	conn->guest = -1;
	send_event(kernel, conn, VTPM_EVENT_ADDED);
	pthread_mutex_unlock(&kernel->lock);
	return id;
}

static void gone(struct fake_kernel *kernel, struct fake_connection *conn)
{
	if (conn->gone)
		return;
	conn->gone = true;
	if (conn->guest >= 0)
		shutdown(conn->guest, SHUT_RDWR);
	send_event(kernel, conn, VTPM_EVENT_GONE);
}

void fake_kernel_gone(struct fake_kernel *kernel, uint64_t id)
{
	pthread_mutex_lock(&kernel->lock);
	gone(kernel, find(kernel, id));
	pthread_mutex_unlock(&kernel->lock);
}

static void tell_watch(struct fake_kernel *kernel)
{
	if (kernel->watch >= 0)
		send(kernel->watch, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void fake_kernel_destroy(struct fake_kernel *kernel, uint32_t domid)
{
	pthread_mutex_lock(&kernel->lock);
	find_domain(kernel, domid)->gone = true;
	for (unsigned int i = 0; i < kernel->connection_count; i++)
		if (kernel->connections[i].domid == domid)
			gone(kernel, &kernel->connections[i]);
	tell_watch(kernel);
	pthread_mutex_unlock(&kernel->lock);
}

struct fake_domain fake_kernel_get_domain(struct fake_kernel *kernel, uint32_t domid)
{
	struct fake_domain domain;

	pthread_mutex_lock(&kernel->lock);
	domain = *find_domain(kernel, domid);
	pthread_mutex_unlock(&kernel->lock);
	return domain;
}

void fake_kernel_set_domain(struct fake_kernel *kernel, const struct fake_domain *domain,
			    bool tell)
{
	pthread_mutex_lock(&kernel->lock);
	*find_domain(kernel, domain->domid) = *domain;
	if (tell)
		tell_watch(kernel);
	pthread_mutex_unlock(&kernel->lock);
}

void fake_kernel_suspend(struct fake_kernel *kernel, uint32_t domid, bool suspended)
{
	struct fake_domain domain = fake_kernel_get_domain(kernel, domid);

	domain.suspended = suspended;
	fake_kernel_set_domain(kernel, &domain, suspended);
}

void fake_kernel_hide_domains(struct fake_kernel *kernel, bool hidden)
{
	pthread_mutex_lock(&kernel->lock);
	kernel->domains_hidden = hidden;
	pthread_mutex_unlock(&kernel->lock);
}

void fake_kernel_present(struct fake_kernel *kernel, const struct vtpm_begin *begin)
{
	static const struct vtpm_begin nothing;

	pthread_mutex_lock(&kernel->lock);
	kernel->present = begin ? *begin : nothing;
	kernel->present.resume = begin ? VTPM_RESUME_SESSION : VTPM_RESUME_FRESH;
	pthread_mutex_unlock(&kernel->lock);
}

void fake_kernel_sequence(struct fake_kernel *kernel, uint64_t id, uint64_t sequence)
{
	pthread_mutex_lock(&kernel->lock);
	find(kernel, id)->sequence = sequence;
	pthread_mutex_unlock(&kernel->lock);
}

static bool has_begun(struct fake_kernel *kernel, uint64_t id, struct vtpm_begin *answer)
{
	struct fake_connection *conn;
	bool begun;

	pthread_mutex_lock(&kernel->lock);
	conn = find(kernel, id);
	begun = conn->begun && !conn->beginning && is_open(conn);
	if (begun)
		*answer = conn->begin;
	pthread_mutex_unlock(&kernel->lock);
	return begun;
}

bool fake_kernel_wait_begun(struct fake_kernel *kernel, uint64_t id, struct vtpm_begin *answer,
			    int ms)
{
	static const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };

	for (; ms > 0 && !has_begun(kernel, id, answer); ms -= 5)
		nanosleep(&pause, NULL);
	return has_begun(kernel, id, answer);
}

bool fake_kernel_is_accepted(struct fake_kernel *kernel, uint64_t id)
{
	bool accepted;

	pthread_mutex_lock(&kernel->lock);
	accepted = is_open(find(kernel, id));
	pthread_mutex_unlock(&kernel->lock);
	return accepted;
}

bool fake_kernel_wait_accepted(struct fake_kernel *kernel, uint64_t id, int ms)
{
	static const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };

	for (; ms > 0 && !fake_kernel_is_accepted(kernel, id); ms -= 5)
		nanosleep(&pause, NULL);
	return fake_kernel_is_accepted(kernel, id);
}

struct vtpm_accept fake_kernel_accepted_with(struct fake_kernel *kernel, uint64_t id)
{
	struct vtpm_accept accept;

	pthread_mutex_lock(&kernel->lock);
	accept = find(kernel, id)->accept;
	pthread_mutex_unlock(&kernel->lock);
	return accept;
}

int fake_kernel_guest(struct fake_kernel *kernel, uint64_t id)
{
	int guest;

	pthread_mutex_lock(&kernel->lock);
	guest = find(kernel, id)->guest;
	pthread_mutex_unlock(&kernel->lock);
	return guest;
}
