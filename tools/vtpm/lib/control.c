// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"

union fd_buffer {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int control_send(int fd, const struct control_message *msg, int passed_fd)
{
	struct iovec iov = { (void *)msg, sizeof(*msg) };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	union fd_buffer buffer = { 0 };
	struct cmsghdr *cmsg;

	if (passed_fd >= 0) {
		hdr.msg_control = buffer.bytes;
		hdr.msg_controllen = sizeof(buffer.bytes);
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &passed_fd, sizeof(int));
	}
	if (sendmsg(fd, &hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

/*
 * The room for one descriptor is, with its padding, room for two. Whoever sends them shall not
 * fill the table of the receiver. Returns how many there were; takes the only one.
 */
static size_t received_fds(struct msghdr *hdr, int *passed_fd)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(hdr);
	size_t count = 0;

	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < count; i++) {
		memcpy(passed_fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
		if (count > 1)
			close(*passed_fd);
	}
	if (count != 1)
		*passed_fd = -1;
	return count;
}

int control_receive(int fd, struct control_message *msg, int *passed_fd)
{
	struct iovec iov = { msg, sizeof(*msg) };
	union fd_buffer buffer = { 0 };
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = buffer.bytes,
		.msg_controllen = sizeof(buffer.bytes),
	};
	ssize_t n = recvmsg(fd, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	size_t count;

	*passed_fd = -1;
	if (n < 0)
		return -errno;
	count = received_fds(&hdr, passed_fd);
	if (n != sizeof(*msg) || count > 1 || hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		if (*passed_fd >= 0)
			close(*passed_fd);
		*passed_fd = -1;
		/* An empty packet looks like the end, but for what it may carry. */
		return n ? -EPROTO : 0;
	}
	if (msg->type != CONTROL_COUNTERS)
		msg->text[sizeof(msg->text) - 1] = '\0';
	return 1;
}
