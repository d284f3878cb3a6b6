// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "engine.h"
#include "freshness.h"

#include "../lib/freshness.h"

/* A TPM that has just been powered on tests itself first. */
#define START_MS	20000

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Takes one packet, or -EAGAIN when the time is over. */
static int receive(int fd, int ms, struct freshness_packet *packet)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	int64_t end = now_ms() + ms;
	int ready;

	do {
		int64_t left = end - now_ms();

		ready = poll(&pollfd, 1, left > 0 ? left : 0);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return -EAGAIN;
	if (ready < 0 || recv(fd, packet, sizeof(*packet), MSG_DONTWAIT) != sizeof(*packet))
		return -EIO;
	return 0;
}

static int compare(struct engine *engine, const struct freshness_packet *packet,
		   struct error *err)
{
	const char *name = engine->options.store_name;
	unsigned long long is = vnvram_generation(engine->store), was = packet->generation;

	if (engine->options.create && !(packet->flags & FRESHNESS_NOTHING))
		return error_set(err, EUCLEAN, "%s: is to be made, but the host's TPM has generation "
				 "%llu of it. If it was deleted, 'vtpm-hosttpm generation remove' "
				 "makes the TPM forget it", name, was);
	if (!engine->options.create && packet->flags & FRESHNESS_NOTHING)
		return error_set(err, EUCLEAN, "%s: the host's TPM has no generation of it. If this is "
				 "the right state, 'vtpm-hosttpm generation record' gives it one",
				 name);
	if (is < was)
		return error_set(err, EUCLEAN, "%s: is an old copy: it has generation %llu, and the "
				 "host's TPM says that it had %llu already", name, is, was);
	if (is > was + 1)
		return error_set(err, EUCLEAN, "%s: has generation %llu, but the host's TPM has %llu "
				 "of it: they do not belong together", name, is, was);
	return 0;
}

int freshness_start(struct engine *engine, struct error *err)
{
	struct freshness *freshness = &engine->freshness;
	struct freshness_packet packet;
	int ret;

	freshness->fd = engine->options.freshness_fd;
	if (freshness->fd < 0)
		return 0;
	if (receive(freshness->fd, START_MS, &packet))
		return error_set(err, EIO, "the host's TPM does not say which generation it has");
	ret = compare(engine, &packet, err);
	if (ret)
		return ret;
	freshness->recorded = packet.generation;
	freshness->sent = packet.generation;
	freshness_record(engine);
	return 0;
}

/* One that could not be sent is sent with the next question whether it has arrived. */
void freshness_record(struct engine *engine)
{
	struct freshness *freshness = &engine->freshness;
	struct freshness_packet packet = { .generation = vnvram_generation(engine->store) };

	if (freshness->fd < 0 || packet.generation == freshness->sent)
		return;
	if (send(freshness->fd, &packet, sizeof(packet), MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    sizeof(packet))
		freshness->sent = packet.generation;
}

int freshness_allows(struct engine *engine, int ms, struct error *err)
{
	struct freshness *freshness = &engine->freshness;
	int64_t end = now_ms() + ms;

	if (freshness->fd < 0)
		return 0;
	freshness_record(engine);
	while (freshness->recorded < vnvram_generation(engine->store)) {
		struct freshness_packet packet;
		int64_t left = end - now_ms();
		int ret = receive(freshness->fd, left > 0 ? left : 0, &packet);

		if (ret == -EAGAIN)
			return error_set(err, EAGAIN, "the host's TPM has not recorded generation %llu",
					 (unsigned long long)vnvram_generation(engine->store));
		freshness->gone = ret;
		if (ret)
			return error_set(err, EIO, "the recorder of the host's TPM has gone");
		freshness->recorded = packet.generation;
	}
	return 0;
}
