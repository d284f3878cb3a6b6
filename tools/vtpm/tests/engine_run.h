/* SPDX-License-Identifier: GPL-2.0-only */
/* An engine as a child of the test, the way vtpmd would run it. */
#ifndef TESTS_ENGINE_RUN_H
#define TESTS_ENGINE_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "control.h"
#include "faulty_io.h"

#define ENGINE_UUID	"ab010000-0000-0000-0000-000000000000"

/**
 * struct engine_run - a running engine
 * @pid: the process, 0 once it has been waited for
 * @control: vtpmd's end of its control socket, or -1
 * @guest: the guest's end of its first connection, or -1
 * @faults: what its I/O does wrong
 */
struct engine_run {
	pid_t pid;
	int control;
	int guest;
	struct faults *faults;
};

/**
 * struct engine_how - how to start it
 * @store: path of the store
 * @tpm: "2.0" or "1.2"
 * @uuid: the vTPM, NULL for ENGINE_UUID
 * @memory: path of the state memory, NULL for none
 * @same: started for the same domain
 * @features: the policy offers VTPM_FEATURE_*
 * @create: make a new TPM
 * @log: descriptor of memory for a struct io_log, 0 for none
 * @tcp: make the connection a TCP one: it can report POLLPRI
 * @key: descriptor of the store's key, 0 for none
 * @recorder: socket to a freshness recorder, 0 for none
 * @user: user to run as, 0 for no change
 * @die_at: &enum fault_point at which it kills itself
 */
struct engine_how {
	const char *store;
	const char *tpm;
	const char *uuid;
	const char *memory;
	bool same;
	bool features;
	bool create;
	int log;
	bool tcp;
	int key;
	int recorder;
	uid_t user;
	enum fault_point die_at;
};

/* Starts an engine; does not wait for it. */
struct engine_run engine_start(const struct engine_how *how);
/* Waits for a message of this kind; false if none comes in 30 s. */
bool engine_wait(struct engine_run *run, enum control_type type, struct control_message *msg);
/* Waits until its TPM is up. */
bool engine_is_up(struct engine_run *run);
/* One more connection; returns the guest's end. */
int engine_connect(struct engine_run *run, uint64_t id);
/* Waits for its end; returns its exit code, 128 + signal, or -1 if it did not end. */
int engine_end(struct engine_run *run);
/* Tells it to end, and does that. */
int engine_shutdown(struct engine_run *run);
/* Tells it what becomes of the TPM, and waits for its end. */
int engine_finish(struct engine_run *run, enum control_end end);
/* Kills it, and does that. */
int engine_kill(struct engine_run *run);

#endif
