// SPDX-License-Identifier: GPL-2.0-only
/* One connection: its requests and responses, as include/uapi/xen/vtpm.h has them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "tpm.h"

static void report_closed(struct engine *engine, uint64_t id, const char *why)
{
	struct control_message msg = { .type = CONTROL_CLOSED, .id = id };

	log_info(&engine->log, "connection %llu closed: %s", (unsigned long long)id, why);
	if (engine->options.control_fd < 0)
		return;
	snprintf(msg.text, sizeof(msg.text), "%s", why);
	control_send(engine->options.control_fd, &msg, -1);
}

void connection_add(struct engine *engine, int fd, uint64_t id)
{
	int flags = fcntl(fd, F_GETFL);

	if (engine->connection_count == ENGINE_MAX_CONNECTIONS || flags < 0 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		close(fd);
		report_closed(engine, id, "too many connections, or not one");
		return;
	}
	engine->connections[engine->connection_count++] =
		(struct connection){ .fd = fd, .id = id };
}

void connection_close(struct engine *engine, struct connection *connection, const char *why)
{
	uint64_t id = connection->id;

	close(connection->fd);
	*connection = engine->connections[--engine->connection_count];
	report_closed(engine, id, why);
	session_report(engine, false);
}

/* Whether a body may have this size; one of an unknown kind is answered with failure. */
static bool body_is_valid(uint8_t kind, uint32_t length)
{
	switch (kind) {
	case VTPM_REQUEST_BEGIN:
		return length == sizeof(struct vtpm_begin);
	case VTPM_REQUEST_QUIESCE:
	case VTPM_REQUEST_CONTINUE:
		return length == 0;
	default:
		return length >= TPM_HEADER_SIZE;
	}
}

/*
 * The kernel has checked all this. If it does not hold, the other side is no
 * kernel, and there is nothing to be said to it.
 */
static bool request_is_valid(const struct vtpm_request *request, ssize_t size)
{
	return size >= (ssize_t)sizeof(*request) &&
	       request->length == size - sizeof(*request) &&
	       body_is_valid(request->kind, request->length) &&
	       request->locality <= 4 && request->reserved == 0;
}

/* Returns 1 if there is a request, 0 if not; the connection may be closed then. */
static int take_request(struct engine *engine, struct connection *connection,
			struct vtpm_request *request)
{
	ssize_t size;

	memset(request, 0, sizeof(*request));
	size = read(connection->fd, engine->request, sizeof(engine->request));

	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (size <= 0) {
		connection_close(engine, connection,
				 size < 0 ? strerror(errno) : "the frontend has gone");
		return 0;
	}
	memcpy(request, engine->request,
	       (size_t)size < sizeof(*request) ? (size_t)size : sizeof(*request));
	if (request_is_valid(request, size))
		return 1;
	log_error(&engine->log, "connection %llu: malformed request of %zd bytes",
		  (unsigned long long)connection->id, size);
	connection_close(engine, connection, "malformed request");
	return 0;
}

/* Puts the response into @packet and returns its bytes. */
static size_t run(struct engine *engine, const struct connection *connection,
		  const struct vtpm_request *request, uint8_t *packet)
{
	const uint8_t *command = engine->request + sizeof(*request);
	const uint8_t *response;
	bool cancellable;
	size_t size;

	cancellable = tpm_may_be_cancelled(command, request->length);
	if (cancellable)
		watch_command(engine->watch, connection->fd);
	size = tpm_execute(request->locality, command, request->length, &response);
	if (cancellable)
		watch_command_end(engine->watch);
	engine->counters.commands++;
	memcpy(packet, response, size);
	return size;
}

static int serve_command(struct engine *engine, struct connection *connection,
			 const struct vtpm_request *request, uint8_t *packet, size_t *size)
{
	int ret = connection->begun ? 0 : session_begin_plain(engine, connection);

	tpm_failure(packet);
	*size = TPM_HEADER_SIZE;
	if (ret || connection->apart)
		return ret;
	ret = session_unmark(engine);
	if (ret)
		return ret;
	*size = session_kept_response(engine, connection, request->sequence, packet);
	if (*size)
		return 0;
	*size = run(engine, connection, request, packet);
	/* Save before response: nothing leaves before it would survive. */
	return session_executed(engine, connection, request, packet, *size);
}

static int serve_begin(struct engine *engine, struct connection *connection, uint8_t *packet,
		       size_t *size)
{
	struct vtpm_begin begin;
	int ret;

	memcpy(&begin, engine->request + sizeof(struct vtpm_request), sizeof(begin));
	ret = session_begin(engine, connection, &begin);
	memcpy(packet, &begin, sizeof(begin));
	*size = sizeof(begin);
	return ret;
}

/* Puts the body of the response into @packet and its bytes into @size. */
static int serve_request(struct engine *engine, struct connection *connection,
			 const struct vtpm_request *request, uint8_t *packet, size_t *size)
{
	*size = 0;
	switch (request->kind) {
	case VTPM_REQUEST_COMMAND:
		return serve_command(engine, connection, request, packet, size);
	case VTPM_REQUEST_QUIESCE:
		return session_quiesce(engine);
	case VTPM_REQUEST_CONTINUE:
		return connection->begun && !connection->apart ? session_unmark(engine) : 0;
	case VTPM_REQUEST_BEGIN:
		return serve_begin(engine, connection, packet, size);
	default:
		tpm_failure(packet);
		*size = TPM_HEADER_SIZE;
		return 0;
	}
}

static ssize_t write_response(struct engine *engine, const struct connection *connection,
			      uint64_t sequence, size_t size)
{
	struct vtpm_response header = { .sequence = sequence, .length = size };

	memcpy(engine->response, &header, sizeof(header));
	return write(connection->fd, engine->response, sizeof(header) + size);
}

/*
 * ESTALE: the request was taken back, nobody waits any more. EMSGSIZE cannot be, the
 * TPM's buffer has the size of the frontend's page; still the guest is not left waiting.
 */
static void answer(struct engine *engine, struct connection *connection, uint64_t sequence,
		   size_t size)
{
	ssize_t n = write_response(engine, connection, sequence, size);

	if (n < 0 && errno == EMSGSIZE) {
		log_error(&engine->log, "a response of %zu bytes is too large for connection %llu",
			  size, (unsigned long long)connection->id);
		tpm_failure(engine->response + sizeof(struct vtpm_response));
		n = write_response(engine, connection, sequence, TPM_HEADER_SIZE);
	}
	if (n >= 0 || errno == ESTALE)
		return;
	connection_close(engine, connection,
			 errno == EPIPE ? "the frontend has gone" : strerror(errno));
}

int connection_serve(struct engine *engine, struct connection *connection)
{
	struct vtpm_request request;
	uint8_t *packet = engine->response + sizeof(struct vtpm_response);
	size_t size;
	int ret;

	connection->ticket = 0;
	if (!take_request(engine, connection, &request))
		return 0;
	ret = serve_request(engine, connection, &request, packet, &size);
	if (!ret)
		answer(engine, connection, request.sequence, size);
	explicit_bzero(engine->request, sizeof(request) + request.length);
	explicit_bzero(engine->response, sizeof(struct vtpm_response) + size);
	session_report(engine, false);
	return ret;
}
