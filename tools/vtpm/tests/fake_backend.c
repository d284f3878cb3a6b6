// SPDX-License-Identifier: GPL-2.0-only
/* In the place of vtpmd/backend.c and vtpmd/domain.c: talks to fake_kernel.c. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend.h"
#include "domain.h"
#include "fake_kernel.h"

static int calls = -1;
static const char *kernel_path;

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

int backend_open(const char *path, struct error *err)
{
	const struct fake_request request = { .op = FAKE_EVENTS };
	int fd = connect_to(path);

	kernel_path = path;
	calls = connect_to(path);
	if (fd < 0 || calls < 0 || send(fd, &request, sizeof(request), 0) < 0)
		return error_set(err, ENOENT, "%s: no kernel", path);
	return fd;
}

int backend_read_event(int fd, struct vtpm_event *event)
{
	ssize_t n = recv(fd, event, sizeof(*event), MSG_DONTWAIT);

	if (n == sizeof(*event))
		return 1;
	return n < 0 && errno == EAGAIN ? 0 : -EIO;
}

static int call(const struct fake_request *request, struct fake_reply *reply)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} buffer = { 0 };
	struct iovec iov = { reply, sizeof(*reply) };
	struct msghdr hdr = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = buffer.bytes, .msg_controllen = sizeof(buffer.bytes),
	};
	struct cmsghdr *cmsg;
	int fd = -1;

	if (send(calls, request, sizeof(*request), MSG_NOSIGNAL) < 0 ||
	    recvmsg(calls, &hdr, MSG_CMSG_CLOEXEC) != sizeof(*reply))
		return -1;
	cmsg = CMSG_FIRSTHDR(&hdr);
	if (cmsg)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

int backend_accept(int fd, const struct vtpm_accept *accept)
{
	struct fake_request request = { .op = FAKE_ACCEPT, .accept = *accept };
	struct fake_reply reply = { .ret = -EIO };
	int conn = call(&request, &reply);

	(void)fd;
	return conn < 0 ? reply.ret : conn;
}

int backend_next(int fd, struct vtpm_info *info)
{
	struct fake_request request = { .op = FAKE_NEXT, .info = *info };
	struct fake_reply reply = { .ret = -EIO };

	(void)fd;
	call(&request, &reply);
	*info = reply.info;
	return reply.ret;
}

struct domains {
	int watch;
};

struct domains *domains_open(const struct log *log)
{
	static const struct fake_request request = { .op = FAKE_WATCH };
	static struct domains domains;

	(void)log;
	domains.watch = connect_to(kernel_path);
	send(domains.watch, &request, sizeof(request), MSG_NOSIGNAL);
	return &domains;
}

void domains_close(struct domains *domains)
{
	if (domains)
		close(domains->watch);
}

int domains_fd(const struct domains *domains)
{
	return domains->watch;
}

void domains_drain(struct domains *domains)
{
	char byte;

	while (recv(domains->watch, &byte, 1, MSG_DONTWAIT) > 0) {
		/* All of them mean the same. */
	}
}

void domain_look(struct domains *domains, uint32_t domid, struct domain_info *info)
{
	struct fake_request request = { .op = FAKE_LOOK, .domid = domid };
	struct fake_reply reply = { .ret = -EIO };

	(void)domains;
	call(&request, &reply);
	*info = (struct domain_info){
		.known = !reply.ret,
		.exists = !reply.domain.gone,
		.dying = reply.domain.dying,
		.suspended = reply.domain.suspended,
		.soft_reset = reply.domain.soft_reset,
	};
}

int domain_read_token(struct domains *domains, uint32_t domid, const char *uuid,
		      char token[DOMAIN_TOKEN_SIZE])
{
	struct fake_request request = { .op = FAKE_READ_TOKEN, .domid = domid };
	struct fake_reply reply = { .ret = -EIO };

	(void)domains;
	(void)uuid;
	call(&request, &reply);
	memcpy(token, reply.domain.token, DOMAIN_TOKEN_SIZE);
	if (reply.ret)
		return reply.ret;
	return *token && !reply.domain.gone ? 0 : -ENOENT;
}

int domain_write_token(struct domains *domains, uint32_t domid, const char *uuid,
		       const char *token)
{
	struct fake_request request = { .op = FAKE_WRITE_TOKEN, .domid = domid };
	struct fake_reply reply = { .ret = -EIO };

	(void)domains;
	(void)uuid;
	memcpy(request.token, token, DOMAIN_TOKEN_SIZE);
	call(&request, &reply);
	return reply.ret;
}
