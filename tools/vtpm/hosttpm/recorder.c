// SPDX-License-Identifier: GPL-2.0-only
/*
 * Serves one engine: freshness.h has the protocol. The engine is not trusted; all
 * that it can do is to have its own vTPM's generation raised.
 *
 * The TPM is opened for each request: meanwhile nothing of it is held.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "freshness.h"
#include "hosttpm.h"
#include "log.h"

#define FIRST_PAUSE_MS	50
#define LONGEST_PAUSE_MS	5000
#define KINDS		4

/**
 * struct recorder - state of this process
 * @options: the command line
 * @log: where it says what fails, with the vTPM's name
 * @uuid: the vTPM
 * @wanted: the highest generation that was asked for
 * @asked: there are requests that have not been carried out
 * @pause: ms until the next attempt
 * @kinds: errors that were logged since it last worked
 * @kind_count: their number
 */
struct recorder {
	const struct hosttpm_options *options;
	struct log log;
	struct uuid uuid;
	uint64_t wanted;
	bool asked;
	int pause;
	char kinds[KINDS][ERROR_TEXT_SIZE];
	unsigned int kind_count;
};

/* What one attempt does: reads or records, and says what is recorded then. */
typedef int (*attempt_fn)(struct recorder *recorder, struct tpm *tpm,
			  struct generation *generation, struct error *err);

static int attempt_read(struct recorder *recorder, struct tpm *tpm,
			struct generation *generation, struct error *err)
{
	return generation_read(tpm, &recorder->uuid, generation, err);
}

static int attempt_record(struct recorder *recorder, struct tpm *tpm,
			  struct generation *generation, struct error *err)
{
	int ret = generation_record(tpm, &recorder->uuid, recorder->wanted, false,
				    &generation->value, err);

	if (ret && ret != -EEXIST)
		return ret;
	generation->any = true;
	recorder->asked = false;
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/*
 * Take requests, waiting for the first one if @wait. 1; 0, the engine has gone, and has asked for
 * nothing before; a negative errno, it does not keep to the protocol.
 */
static int receive(struct recorder *recorder, bool wait, struct error *err)
{
	int flags = MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT);

	while (1) {
		struct freshness_packet packet;
		ssize_t n = recv(recorder->options->fd, &packet, sizeof(packet), flags);

		/* A reset is reported once, before what is left to read. */
		if (n < 0 && (errno == EINTR || errno == ECONNRESET))
			continue;
		if (n < 0 && errno == EAGAIN)
			return 1;
		if (n == 0)
			return recorder->asked;
		if (n < 0)
			return error_set(err, errno, "cannot hear the engine: %s", strerror(errno));
		if (n != sizeof(packet) || packet.flags || !packet.generation)
			return error_set(err, EPROTO, "the engine sends something that is no "
					 "request; engine and recorder must be of one version");
		if (packet.generation > recorder->wanted)
			recorder->wanted = packet.generation;
		recorder->asked = true;
		flags |= MSG_DONTWAIT;
	}
}

/* Wait before the next attempt. False: the engine has gone meanwhile. */
static bool pause_attempts(struct recorder *recorder)
{
	int64_t end = now_ms() + recorder->pause, left = recorder->pause;
	/* Only for hang-ups: requests are not what is waited for. */
	struct pollfd pollfd = { .fd = recorder->options->fd };

	while (left > 0) {
		if (poll(&pollfd, 1, left) > 0)
			return false;
		left = end - now_ms();
	}
	recorder->pause *= 2;
	if (recorder->pause > LONGEST_PAUSE_MS)
		recorder->pause = LONGEST_PAUSE_MS;
	return true;
}

static void complain(struct recorder *recorder, const char *text)
{
	for (unsigned int i = 0; i < recorder->kind_count; i++)
		if (!strcmp(recorder->kinds[i], text))
			return;
	if (recorder->kind_count < KINDS)
		strcpy(recorder->kinds[recorder->kind_count++], text);
	log_error(&recorder->log, "%s; trying again", text);
}

static void succeed(struct recorder *recorder)
{
	if (recorder->kind_count)
		log_info(&recorder->log, "the host's TPM works again");
	recorder->kind_count = 0;
	recorder->pause = FIRST_PAUSE_MS;
}

static int try_once(struct recorder *recorder, attempt_fn attempt, struct generation *generation,
		    struct error *err)
{
	struct tpm tpm;
	int ret = tpm_open(&tpm, recorder->options->tcti, err);

	if (ret)
		return ret;
	ret = attempt(recorder, &tpm, generation, err);
	tpm_close(&tpm);
	return ret;
}

/* 1; 0, the engine has gone; a negative errno, it does not keep to the protocol. */
static int try_until_done(struct recorder *recorder, attempt_fn attempt,
			  struct generation *generation, struct error *err)
{
	struct error reason;
	int ret;

	while (try_once(recorder, attempt, generation, &reason)) {
		complain(recorder, reason.text);
		if (!pause_attempts(recorder))
			return 0;
		ret = receive(recorder, false, err);
		if (ret <= 0)
			return ret;
	}
	succeed(recorder);
	return 1;
}

static int answer(const struct recorder *recorder, const struct generation *generation,
		  struct error *err)
{
	struct freshness_packet packet = {
		.generation = generation->value,
		.flags = generation->any ? 0 : FRESHNESS_NOTHING,
	};

	if (send(recorder->options->fd, &packet, sizeof(packet), MSG_NOSIGNAL) > 0)
		return 1;
	if (errno == EPIPE || errno == ECONNRESET)
		return 0;
	return error_set(err, errno, "cannot answer the engine: %s", strerror(errno));
}

static int serve(struct recorder *recorder, struct error *err)
{
	struct generation generation = { 0 };
	int ret = try_until_done(recorder, attempt_read, &generation, err);

	while (ret > 0) {
		ret = answer(recorder, &generation, err);
		if (ret > 0 && !recorder->asked)
			ret = receive(recorder, true, err);
		if (ret > 0)
			ret = try_until_done(recorder, attempt_record, &generation, err);
	}
	return ret;
}

int command_recorder(const struct hosttpm_options *options, struct error *err)
{
	struct recorder recorder = { .options = options, .pause = FIRST_PAUSE_MS };
	char uuid[UUID_TEXT_SIZE], name[64];
	socklen_t size = sizeof(int);
	int type = 0;

	if (options->fd < 0 || !uuid_parse(options->operands[0], &recorder.uuid)) {
		error_set(err, EINVAL, "recorder: --fd N and a UUID are needed");
		return HOSTTPM_EXIT_USAGE;
	}
	if (getsockopt(options->fd, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_SEQPACKET)
		return error_set(err, ENOTSOCK, "--fd: %d is no SOCK_SEQPACKET socket; vtpmd starts "
				 "recorders", options->fd);
	snprintf(name, sizeof(name), "vtpm-hosttpm %s", uuid_format(&recorder.uuid, uuid));
	log_init(&recorder.log, STDERR_FILENO, name);
	return serve(&recorder, err);
}
