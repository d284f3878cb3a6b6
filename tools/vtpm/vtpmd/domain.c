// SPDX-License-Identifier: GPL-2.0-only
/* One question to the xenstore, in its wire protocol (xen/io/xs_wire.h). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "domain.h"

#define XENBUS_DEVICE		"/dev/xen/xenbus"
#define IS_DOMAIN_INTRODUCED	17
#define ANSWER_MS		500

struct xs_message {
	uint32_t type;
	uint32_t request;
	uint32_t transaction;
	uint32_t length;
	char text[16];
};

#define XS_HEADER_SIZE	offsetof(struct xs_message, text)

/* Reads exactly @size bytes. */
static int read_whole(int fd, void *buf, size_t size)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	size_t done = 0;

	while (done < size) {
		ssize_t n;

		if (poll(&pollfd, 1, ANSWER_MS) != 1)
			return -ETIMEDOUT;
		n = read(fd, (char *)buf + done, size - done);
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

static int ask(int fd, uint32_t domid)
{
	struct xs_message msg = { .type = IS_DOMAIN_INTRODUCED };
	ssize_t size;
	int ret;

	msg.length = snprintf(msg.text, sizeof(msg.text), "%u", domid) + 1;
	size = XS_HEADER_SIZE + msg.length;
	if (write(fd, &msg, size) != size)
		return -EIO;
	ret = read_whole(fd, &msg, XS_HEADER_SIZE);
	if (ret)
		return ret;
	if (msg.type != IS_DOMAIN_INTRODUCED || !msg.length || msg.length > sizeof(msg.text))
		return -EPROTO;
	ret = read_whole(fd, msg.text, msg.length);
	return ret ? ret : msg.text[0] == 'T';
}

int domain_exists(uint32_t domid)
{
	int fd = open(XENBUS_DEVICE, O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ask(fd, domid);
	close(fd);
	return ret;
}
