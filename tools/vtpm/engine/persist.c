// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>

#include "engine.h"

#define FIRST_PAUSE_MS	50
#define LONGEST_PAUSE_MS	10000

/* Waits, but not longer than until the engine is told something. */
static void pause_ms(struct engine *engine, int ms)
{
	struct pollfd fds[] = {
		{ .fd = engine->options.control_fd, .events = POLLIN },
		{ .fd = engine->signal_fd, .events = POLLIN },
	};

	if (poll(fds, 2, ms) <= 0)
		return;
	if (fds[0].revents)
		engine_read_control(engine);
	if (fds[1].revents)
		engine_read_signal(engine);
}

static int give_up(struct engine *engine, const struct error *err)
{
	log_error(&engine->log, "%s; the running command stays unanswered", err->text);
	engine_report(engine, CONTROL_FAILED, err->text);
	return -EIO;
}

static void complain(struct engine *engine, const struct error *err, int pause)
{
	log_error(&engine->log, "%s; trying again in %d ms, the guest waits", err->text, pause);
	if (!engine->store_waits)
		engine_report(engine, CONTROL_STORE_WAITS, err->text);
	engine->store_waits = true;
}

int engine_persist(struct engine *engine)
{
	int pause = FIRST_PAUSE_MS;
	struct error err;

	if (!vnvram_dirty(engine->store))
		return 0;
	while (vnvram_commit(engine->store, &err)) {
		if (vnvram_had_fatal_error(engine->store) || engine->stopping)
			return give_up(engine, &err);
		complain(engine, &err, pause);
		pause_ms(engine, pause);
		pause = pause * 2 < LONGEST_PAUSE_MS ? pause * 2 : LONGEST_PAUSE_MS;
	}
	engine->counters.commits++;
	if (engine->store_waits) {
		log_info(&engine->log, "the store can be written again");
		engine_report(engine, CONTROL_READY, "");
		engine->store_waits = false;
	}
	return 0;
}
