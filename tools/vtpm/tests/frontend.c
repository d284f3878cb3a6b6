// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "frontend.h"

#define PATIENCE_MS	30000

static void hand_in(int fd, uint8_t kind, uint64_t sequence, const void *body, size_t size)
{
	uint8_t buffer[sizeof(struct vtpm_request) + GUEST_BUFFER];
	struct vtpm_request header = { .sequence = sequence, .length = size, .kind = kind };

	memcpy(buffer, &header, sizeof(header));
	if (size)
		memcpy(buffer + sizeof(header), body, size);
	send(fd, buffer, sizeof(header) + size, MSG_NOSIGNAL);
}

/* Returns the bytes of the body, or -1. */
static ssize_t take_answer(int fd, uint64_t sequence, void *body, size_t size)
{
	uint8_t buffer[sizeof(struct vtpm_response) + GUEST_BUFFER];
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	struct vtpm_response header;
	ssize_t n;

	if (poll(&pollfd, 1, PATIENCE_MS) != 1)
		return -1;
	n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n < (ssize_t)sizeof(header))
		return -1;
	memcpy(&header, buffer, sizeof(header));
	n -= sizeof(header);
	if (header.sequence != sequence || header.length != n || header.reserved ||
	    n > (ssize_t)size)
		return -1;
	memcpy(body, buffer + sizeof(header), n);
	return n;
}

bool frontend_begin(struct frontend *frontend, int fd)
{
	struct vtpm_begin begin = {
		.features = frontend->features,
		.resume = frontend->resume ? VTPM_RESUME_SESSION : VTPM_RESUME_FRESH,
	}, answer;

	frontend->fd = fd;
	if (frontend->resume) {
		begin.sequence = frontend->sequence;
		begin.answered = begin.sequence;
		if (begin.sequence && !frontend->sure)
			begin.answered -= 1 + frontend->refused;
		memcpy(begin.session, frontend->session, sizeof(begin.session));
	}
	hand_in(fd, VTPM_REQUEST_BEGIN, 4711, &begin, sizeof(begin));
	if (take_answer(fd, 4711, &answer, sizeof(answer)) != sizeof(answer) ||
	    answer.features != begin.features || answer.resume != begin.resume)
		return false;
	memcpy(frontend->session, answer.session, sizeof(answer.session));
	if (!frontend->resume)
		frontend->sequence = answer.sequence;
	frontend->resume = frontend->features;
	return true;
}

void frontend_send(struct frontend *frontend, uint64_t sequence, const struct packet *packet)
{
	hand_in(frontend->fd, VTPM_REQUEST_COMMAND, sequence, packet->bytes, packet->size);
}

uint32_t frontend_again(struct frontend *frontend, struct packet packet,
			struct packet *response)
{
	ssize_t n;

	frontend_send(frontend, frontend->sequence, &packet);
	n = take_answer(frontend->fd, frontend->sequence, response->bytes,
			sizeof(response->bytes));
	if (n < 10 || be32(response->bytes + 2) != n)
		return GUEST_NOTHING;
	response->size = n;
	return be32(response->bytes + 6);
}

uint32_t frontend_run(struct frontend *frontend, struct packet packet, struct packet *response)
{
	frontend->sequence++;
	return frontend_again(frontend, packet, response);
}

uint32_t frontend_do(struct frontend *frontend, struct packet packet)
{
	struct packet response;

	return frontend_run(frontend, packet, &response);
}

bool frontend_ask(struct frontend *frontend, enum vtpm_request_kind kind)
{
	uint8_t none;

	hand_in(frontend->fd, kind, 4712, NULL, 0);
	return take_answer(frontend->fd, 4712, &none, sizeof(none)) == 0;
}
