// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "engine.h"

/* Places in the poll table; the connections follow. */
enum {
	SLOT_CONTROL,
	SLOT_SIGNAL,
	SLOT_CONNECTIONS,
};

static struct connection *first_in_line(struct engine *engine)
{
	struct connection *first = NULL;

	for (unsigned int i = 0; i < engine->connection_count; i++) {
		struct connection *connection = &engine->connections[i];

		if (connection->ticket && (!first || connection->ticket < first->ticket))
			first = connection;
	}
	return first;
}

/* Backwards, because closing one moves the last one into its place. */
static void look_at_connections(struct engine *engine, const struct pollfd *fds)
{
	for (unsigned int i = engine->connection_count; i-- > 0;) {
		struct connection *connection = &engine->connections[i];

		if (fds[i].revents & POLLIN) {
			if (!connection->ticket)
				connection->ticket = engine->next_ticket++;
		} else if (fds[i].revents) {
			connection_close(engine, connection, "the frontend has gone");
		}
	}
}

/* Waits for something to do, or only looks whether there is more of it. Quiet is used. */
static void wait_for_events(struct engine *engine, bool wait)
{
	struct pollfd fds[SLOT_CONNECTIONS + ENGINE_MAX_CONNECTIONS];
	unsigned int count = engine->connection_count;
	int ready;

	fds[SLOT_CONTROL] = (struct pollfd){ engine->options.control_fd, POLLIN, 0 };
	fds[SLOT_SIGNAL] = (struct pollfd){ engine->signal_fd, POLLIN, 0 };
	for (unsigned int i = 0; i < count; i++)
		fds[SLOT_CONNECTIONS + i] =
			(struct pollfd){ engine->connections[i].fd, POLLIN, 0 };
	ready = poll(fds, SLOT_CONNECTIONS + count, wait ? engine_idle_ms(engine) : 0);
	if (ready == 0 && wait)
		engine_idle(engine);
	if (ready <= 0)
		return;
	look_at_connections(engine, fds + SLOT_CONNECTIONS);
	if (fds[SLOT_SIGNAL].revents)
		engine_read_signal(engine);
	if (fds[SLOT_CONTROL].revents)
		engine_read_control(engine);
}

int engine_loop(struct engine *engine)
{
	struct connection *next;
	int ret = 0;

	engine->next_ticket = 1;
	while (!ret) {
		wait_for_events(engine, !first_in_line(engine));
		if (engine->stopping)
			break;
		ret = session_control(engine);
		next = first_in_line(engine);
		if (!ret && next)
			ret = connection_serve(engine, next);
	}
	return ret;
}
