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

int domain_exists(uint32_t domid)
{
	struct fake_request request = { .op = FAKE_DOMAIN_EXISTS, .domid = domid };
	struct fake_reply reply = { .ret = -EIO };

	call(&request, &reply);
	return reply.ret;
}
