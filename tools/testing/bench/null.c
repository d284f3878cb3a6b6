// SPDX-License-Identifier: GPL-2.0-only
/*
 * An engine that has no TPM: it answers each command at once, with success and nothing else.
 * What a guest then waits for is the way there and back alone. It is the controller of
 * /dev/vtpm too, so vtpmd must not run; a guest that had an engine before finds this one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <xen/vtpm.h>

#include "tool.h"

#define FEATURES	(VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES)
#define PATIENCE_MS	30000

static const uint8_t success[] = { 0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0 };

static void parse_uuid(const char *text, uint8_t *uuid)
{
	unsigned int byte;

	for (int i = 0; i < VTPM_UUID_SIZE; i++) {
		text += *text == '-';
		if (sscanf(text, "%2x", &byte) != 1) {
			errno = EINVAL;
			fail("the UUID");
		}
		uuid[i] = byte;
		text += 2;
	}
}

/* The connection of this vTPM, which is there already or comes soon. */
static uint64_t find_connection(int controller, const uint8_t *uuid)
{
	struct pollfd pollfd = { .fd = controller, .events = POLLIN };
	struct vtpm_event event;

	while (poll(&pollfd, 1, PATIENCE_MS) == 1) {
		if (read(controller, &event, sizeof(event)) != sizeof(event))
			fail("/dev/vtpm: read");
		if (event.type == VTPM_EVENT_ADDED && !memcmp(event.uuid, uuid, VTPM_UUID_SIZE))
			return event.id;
	}
	errno = ETIMEDOUT;
	fail("/dev/vtpm: there is no such vTPM");
}

/* The engine before may be about to end. */
static int try_accept(int controller, struct vtpm_accept *policy)
{
	static const struct timespec pause = { .tv_nsec = 10000000 };
	uint64_t end = now_ns() + PATIENCE_MS * 1000000ull;
	int fd;

	do {
		fd = ioctl(controller, VTPM_IOC_ACCEPT, policy);
		if (fd >= 0 || errno != EBUSY)
			return fd;
		nanosleep(&pause, NULL);
	} while (now_ns() < end);
	return -1;
}

static int accept_connection(const char *uuid_text, enum vtpm_mode mode)
{
	int controller = open("/dev/vtpm", O_RDWR | O_CLOEXEC), fd;
	struct vtpm_accept policy = {
		.mode = mode,
		.features = mode == VTPM_MODE_NATIVE ? FEATURES : 0,
		.localities = 1,
	};
	uint8_t uuid[VTPM_UUID_SIZE];

	if (controller < 0)
		fail("/dev/vtpm");
	parse_uuid(uuid_text, uuid);
	policy.id = find_connection(controller, uuid);
	fd = try_accept(controller, &policy);
	if (fd < 0)
		fail("VTPM_IOC_ACCEPT");
	return fd;
}

/* Returns the bytes of the body of the response. */
static size_t answer(const struct vtpm_request *request, const void *body, void *response)
{
	struct vtpm_begin begin;

	switch (request->kind) {
	case VTPM_REQUEST_COMMAND:
		memcpy(response, success, sizeof(success));
		return sizeof(success);
	case VTPM_REQUEST_BEGIN:
		memcpy(&begin, body, sizeof(begin));
		begin.answered = 0;
		/* Whatever session it has had goes on; a new one is named by zeroes. */
		memcpy(response, &begin, sizeof(begin));
		return sizeof(begin);
	default:
		return 0;
	}
}

static void serve_native(int fd)
{
	uint8_t in[sizeof(struct vtpm_request) + VTPM_MAX_TRANSFER];
	uint8_t out[sizeof(struct vtpm_response) + sizeof(struct vtpm_begin)];
	struct vtpm_response header = { 0 };
	struct vtpm_request request;
	ssize_t size;

	while ((size = read(fd, in, sizeof(in))) > 0) {
		memcpy(&request, in, sizeof(request));
		header.sequence = request.sequence;
		header.length = answer(&request, in + sizeof(request), out + sizeof(header));
		memcpy(out, &header, sizeof(header));
		if (write(fd, out, sizeof(header) + header.length) < 0 && errno != ESTALE)
			fail("write");
	}
	if (size < 0)
		fail("read");
}

static void serve_raw(int fd)
{
	uint8_t in[VTPM_MAX_TRANSFER];
	ssize_t size;

	while ((size = read(fd, in, sizeof(in))) > 0)
		if (write(fd, success, sizeof(success)) < 0 && errno != ESTALE)
			fail("write");
	if (size < 0)
		fail("read");
}

int null_main(const char *mode, const char *uuid)
{
	bool raw = !strcmp(mode, "raw");
	int fd = accept_connection(uuid, raw ? VTPM_MODE_RAW : VTPM_MODE_NATIVE);

	puts("ready");
	if (raw)
		serve_raw(fd);
	else
		serve_native(fd);
	return 0;
}
