// SPDX-License-Identifier: GPL-2.0-only
/*
 * vtpm-engine: runs one TPM. It gets everything as open descriptors and opens
 * nothing itself once it is up.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <libtpms/tpm_library.h>

#include "crypto.h"
#include "engine.h"
#include "key.h"
#include "sandbox.h"
#include "tpm.h"

/* Signals arrive at a descriptor; a guest that has gone sends no signal. */
static int set_up_signals(struct engine *engine, struct error *err)
{
	sigset_t signals;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	engine->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (engine->signal_fd < 0)
		return error_set(err, errno, "cannot take signals: %s", strerror(errno));
	return 0;
}

/* The key is nowhere else in the process when this is over. */
static int read_key(struct engine *engine, struct error *err)
{
	uint8_t key[VNVRAM_KEY_SIZE];
	int ret;

	if (engine->options.key_fd < 0)
		return 0;
	ret = key_read(engine->options.key_fd, key, engine->options.store_name, err);
	if (!ret)
		vnvram_set_key(engine->store, key);
	explicit_bzero(key, sizeof(key));
	return ret;
}

static int start_store(struct engine *engine, struct error *err)
{
	int ret = vnvram_lock(engine->store, err);

	if (!ret)
		ret = engine->options.create ? vnvram_format(engine->store, err) :
			vnvram_start(engine->store, err);
	if (!ret && *vnvram_warning(engine->store))
		log_warning(&engine->log, "%s", vnvram_warning(engine->store));
	return ret;
}

static int open_store(struct engine *engine, struct error *err)
{
	const struct engine_options *options = &engine->options;
	const struct vnvram_identity identity = {
		.uuid = options->uuid,
		.tpm = options->tpm,
		.engine = TPMLIB_GetVersion(),
	};
	int ret;

	engine->store = vnvram_new(&identity, &vnvram_system_io);
	if (!engine->store || entries_register(engine->store))
		return error_set(err, ENOMEM, "out of memory");
	vnvram_attach(engine->store, options->store_fd, options->store_name);
	ret = read_key(engine, err);
	return ret ? ret : start_store(engine, err);
}

static int open_memory(struct engine *engine, struct error *err)
{
	const struct engine_options *options = &engine->options;

	engine->memory = memory_open(options->memory_fd, &options->uuid, options->tpm, err);
	if (!engine->memory)
		return -ENOMEM;
	if (*err->text)
		log_warning(&engine->log, "%s", err->text);
	return 0;
}

/* The state memory was written by an engine of this host since it was switched on. */
static int check_generation(struct engine *engine, struct error *err)
{
	unsigned long long was = memory_generation(engine->memory, vnvram_id(engine->store));
	unsigned long long is = vnvram_generation(engine->store);

	if (was > is)
		return error_set(err, EUCLEAN, "%s: is older than it was: it had generation %llu "
				 "already, and what is whole of it has %llu. It was damaged, or an "
				 "old copy was put in its place", engine->options.store_name, was, is);
	return freshness_start(engine, err);
}

static int bring_up(struct engine *engine, struct error *err)
{
	int ret = sandbox_prepare(&engine->log, err);
	struct watch_actions actions;

	/* One heap is enough, the second thread allocates nothing. */
	mallopt(M_ARENA_MAX, 1);
	if (!ret)
		ret = crypto_set_up(err);
	if (!ret)
		ret = set_up_signals(engine, err);
	if (!ret)
		ret = open_store(engine, err);
	if (!ret)
		ret = open_memory(engine, err);
	if (!ret)
		ret = check_generation(engine, err);
	if (!ret)
		ret = session_start(engine, err);
	/* A store that is refused stays as it is. */
	if (!ret)
		ret = vnvram_take(engine->store, err);
	if (ret)
		return ret;
	actions = (struct watch_actions){ tpm_cancel, engine_disk_is_late, engine };
	engine->watch = watch_new(&actions, err);
	if (!engine->watch)
		return -ENOMEM;
	/* There is one engine for each guest: setting up needed more than serving will. */
	malloc_trim(0);
	return engine->options.sandbox ? sandbox_enter(err) : 0;
}

/* The state is at fault, and trying again would not help. */
static bool state_is_refused(int ret)
{
	return ret == -EINVAL || ret == -ENODATA || ret == -EPROTO || ret == -EXDEV ||
	       ret == -EUCLEAN || ret == -EFBIG || ret == -EEXIST || ret == -ENOKEY ||
	       ret == -EKEYREJECTED;
}

static enum engine_exit refuse(struct engine *engine, int ret, const struct error *err)
{
	/* vtpmd tries again, and says so itself. */
	if (ret != -EBUSY)
		log_error(&engine->log, "%s", err->text);
	engine_report(engine, state_is_refused(ret) ? CONTROL_REFUSED : CONTROL_FAILED,
		      err->text);
	if (ret == -EBUSY)
		return ENGINE_EXIT_LOCKED;
	return state_is_refused(ret) ? ENGINE_EXIT_REFUSED : ENGINE_EXIT_FAILED;
}

/* A state that awaits its domain goes on doing so: whoever came was another one. */
static int power_off(struct engine *engine)
{
	if (engine->session.awaited)
		return 0;
	tpm_shutdown();
	return session_drop(engine);
}

static int settle(struct engine *engine)
{
	switch (engine->end) {
	case CONTROL_POWER_OFF:
		return power_off(engine);
	case CONTROL_SUSPENDED:
		return session_suspend(engine);
	default:
		return 0;
	}
}

/* A store that is not given back is no harm: this host takes it again. */
static int finish(struct engine *engine)
{
	struct error err;
	int ret = settle(engine);

	if (!ret && vnvram_release(engine->store, &err))
		log_warning(&engine->log, "%s", err.text);
	return ret;
}

static enum engine_exit serve(struct engine *engine)
{
	static const char *const ends[] = {
		[CONTROL_POWER_OFF] = "down",
		[CONTROL_SUSPENDED] = "suspended",
		[CONTROL_KEEP] = "left to the next engine",
	};
	int ret;

	/* What it took to start does not count as work. */
	engine->counters.commits = 0;
	for (unsigned int i = 0; i < engine->options.conn_count; i++)
		connection_add(engine, engine->options.conn_fds[i], engine->options.conn_fds[i]);
	log_info(&engine->log, "TPM %s is up, generation %llu",
		 engine->options.tpm == VNVRAM_TPM_20 ? "2.0" : "1.2",
		 (unsigned long long)vnvram_generation(engine->store));
	engine_report(engine, CONTROL_READY, "");
	session_report(engine, true);
	ret = engine_loop(engine);
	if (!ret)
		ret = finish(engine);
	if (!ret)
		log_info(&engine->log, "TPM is %s, generation %llu", ends[engine->end],
			 (unsigned long long)vnvram_generation(engine->store));
	tpm_stop();
	return ret ? ENGINE_EXIT_FAILED : ENGINE_EXIT_OK;
}

int main(int argc, char **argv)
{
	static struct engine engine;
	char uuid[UUID_TEXT_SIZE], name[64];
	enum engine_exit code;
	struct error err = { "" };
	int ret;

	ret = options_parse(&engine.options, argc, argv, &err);
	if (ret > 0)
		return ENGINE_EXIT_OK;
	snprintf(name, sizeof(name), "vtpm-engine %s",
		 ret ? "" : uuid_format(&engine.options.uuid, uuid));
	log_init(&engine.log, ret ? STDERR_FILENO : engine.options.log_fd, name);
	if (ret) {
		log_error(&engine.log, "%s", err.text);
		return ENGINE_EXIT_USAGE;
	}
	ret = bring_up(&engine, &err);
	code = ret ? refuse(&engine, ret, &err) : serve(&engine);
	memory_close(engine.memory);
	vnvram_free(engine.store);
	explicit_bzero(&engine.session, sizeof(engine.session));
	return code;
}
