// SPDX-License-Identifier: GPL-2.0-only
/* The engine's side of the control socket, and its signals. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "engine.h"

void engine_send(struct engine *engine, const struct control_message *msg)
{
	int ret;

	if (engine->options.control_fd < 0)
		return;
	ret = control_send(engine->options.control_fd, msg, -1);
	if (ret && ret != -EPIPE && ret != -ECONNRESET)
		log_warning(&engine->log, "cannot tell vtpmd: %s", strerror(-ret));
}

void engine_report(struct engine *engine, enum control_state state, const char *text)
{
	struct control_message msg = {
		.type = CONTROL_STATE,
		.value = state,
		.id = state == CONTROL_READY ? engine->session.record.features : 0,
	};

	snprintf(msg.text, sizeof(msg.text), "%s", text);
	engine_send(engine, &msg);
}

static void send_counters(struct engine *engine)
{
	struct control_message msg = { .type = CONTROL_COUNTERS };

	msg.counters = engine->counters;
	msg.counters.generation = vnvram_generation(engine->store);
	msg.counters.connections = engine->connection_count;
	engine_send(engine, &msg);
	session_report(engine, true);
}

/* Whoever sends nonsense gets the end that destroys nothing. */
static void stop(struct engine *engine, uint32_t end)
{
	engine->end = end <= CONTROL_KEEP ? (enum control_end)end : CONTROL_KEEP;
	engine->stopping = true;
}

static void handle_message(struct engine *engine, const struct control_message *msg, int fd)
{
	if (msg->type == CONTROL_ADD && fd >= 0) {
		connection_add(engine, fd, msg->id);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (msg->type == CONTROL_SHUTDOWN)
		stop(engine, msg->value);
	else if (msg->type == CONTROL_SUSPEND)
		engine->suspend_wanted = true;
	else if (msg->type == CONTROL_RESET)
		engine->reset_wanted = true;
	else if (msg->type == CONTROL_STATUS)
		send_counters(engine);
	else
		log_warning(&engine->log, "vtpmd sent a message that makes no sense (%u)",
			    msg->type);
}

void engine_read_control(struct engine *engine)
{
	struct control_message msg;
	int fd, ret;

	while ((ret = control_receive(engine->options.control_fd, &msg, &fd)) == 1)
		handle_message(engine, &msg, fd);
	if (ret == -EAGAIN)
		return;
	if (ret == -EPROTO) {
		log_warning(&engine->log, "vtpmd sent a message of the wrong form");
		return;
	}
	log_info(&engine->log, "vtpmd has gone, finishing");
	close(engine->options.control_fd);
	engine->options.control_fd = -1;
	if (!engine->stopping)
		stop(engine, CONTROL_KEEP);
}

void engine_read_signal(struct engine *engine)
{
	struct signalfd_siginfo info;

	if (read(engine->signal_fd, &info, sizeof(info)) == sizeof(info) && !engine->stopping)
		stop(engine, CONTROL_KEEP);
}
