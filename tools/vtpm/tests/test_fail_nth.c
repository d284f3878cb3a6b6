// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fails the Nth system call or allocation of each thing that is done with a store, for N from 1
 * until nothing fails any more; once, or for ever after. What reports success has to be
 * on the disk, whatever else is lost; what reports an error has changed nothing or all, and
 * succeeds when it is done again.
 */
#include "cut_store.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTENTS	5

/**
 * struct job - something that is done with a store
 * @name: for messages
 * @set_up: makes the file, and the store if the job needs one that is started
 * @run: does it; the store is left as it is, if it fails
 * @key: of the store before
 * @new_key: and after
 * @from: contents before; 0, there are none
 * @to: and after
 * @held: what the owner record has to say after; -1, it does not matter
 */
struct job {
	const char *name;
	void (*set_up)(void);
	int (*run)(struct error *err);
	unsigned int key, new_key;
	unsigned int from, to;
	int held;
};

/* The job that is being done. */
static struct {
	const struct job *job;
	int fd;
	struct vnvram *store;
	struct cut_log log;
} at;

static unsigned int runs;

/* Allocations: of the store's code by --wrap, of OpenSSL's by its own hooks. */
static struct {
	unsigned int nth, seen, hits;
	bool for_ever;
	int live;
} memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __real_free(void *data);
void __wrap_free(void *data);

static bool no_memory(void)
{
	if (!memory.nth || ++memory.seen < memory.nth ||
	    (memory.seen > memory.nth && !memory.for_ever))
		return false;
	memory.hits++;
	return true;
}

void *__wrap_malloc(size_t size)
{
	void *data = no_memory() ? NULL : __real_malloc(size);

	memory.live += !!data;
	return data;
}

void *__wrap_calloc(size_t count, size_t size)
{
	void *data = no_memory() ? NULL : __real_calloc(count, size);

	memory.live += !!data;
	return data;
}

void __wrap_free(void *data)
{
	memory.live -= !!data;
	__real_free(data);
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return no_memory() ? NULL : __real_malloc(size);
}

static void *crypto_realloc(void *data, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return no_memory() ? NULL : realloc(data, size);
}

static void crypto_free(void *data, const char *file, int line)
{
	(void)file;
	(void)line;
	__real_free(data);
}

/* Disks after a cut, and the file itself. */

static int disk(const struct cut *cut)
{
	int fd = new_file();

	assert_int_equal(pwrite(fd, cut->bytes, cut->size, 0), cut->size);
	return fd;
}

/* Starts it with the old key or the new one. Does not record. */
static unsigned int number_on(int fd, unsigned int key, unsigned int new_key, struct error *err)
{
	const struct io_plan plan = io_plan;
	struct vnvram *store;
	unsigned int number = 0;
	int ret;

	memset(&io_plan, 0, sizeof(io_plan));
	ret = start_store(fd, key, &store, err);
	if (ret && key != new_key)
		ret = start_store(fd, new_key, &store, err);
	if (!ret)
		number = contents_number(store);
	vnvram_free(store);
	io_plan = plan;
	return number;
}

/* At any cut of a job that failed: all of the old, or all of the new. */
static void old_or_new(const struct cut *cut, void *opaque)
{
	const struct job *job = opaque;
	int fd = disk(cut);
	struct error err = { "" };
	unsigned int number = number_on(fd, job->key, job->new_key, &err);

	close(fd);
	if (number != job->from && number != job->to)
		fail_msg("%s: cut %u after event %u: contents %u: %s", job->name, cut->number,
			 cut->at, number, err.text);
}

static void check_owner(const struct job *job, int fd)
{
	struct vnvram_info info;
	struct error err;

	if (vnvram_inspect(fd, "the-file", &vnvram_system_io, &info, &err))
		fail_msg("%s: %s", job->name, err.text);
	assert_int_equal(info.version, VNVRAM_FORMAT_VERSION);
	assert_int_equal(info.encrypted, job->new_key != 0 && job->to);
	if (job->held >= 0)
		assert_true(*info.owner.host && info.owner.held == (job->held == 1));
}

/* All that was not flushed is lost: a job that succeeded is done. */
static void is_done(const struct cut *cut, void *opaque)
{
	const struct job *job = opaque;
	int fd = disk(cut);
	struct error err = { "" };
	unsigned int number = number_on(fd, job->new_key, job->new_key, &err);

	if (number != job->to)
		fail_msg("%s: reported success, but has contents %u: %s", job->name, number,
			 err.text);
	if (!strcmp(job->name, "delete"))
		assert_non_null(strstr(err.text, "not the state of a vTPM"));
	else
		check_owner(job, fd);
	close(fd);
}

/* The jobs */

static void new_contents(unsigned int key, bool take)
{
	struct error err;

	at.fd = new_file();
	at.store = new_store(at.fd, key);
	if (vnvram_format(at.store, &err) || put_contents(at.store, CONTENTS - 1) ||
	    vnvram_process(at.store, &err) || put_contents(at.store, CONTENTS) ||
	    vnvram_process(at.store, &err) || (take && vnvram_take(at.store, &err)))
		fail_msg("%s", err.text);
}

static void not_started(void)
{
	vnvram_free(at.store);
	at.store = NULL;
}

static void set_up_empty(void)
{
	at.fd = new_file();
	at.store = NULL;
}

static void set_up_plain(void)
{
	new_contents(0, false);
	not_started();
}

static void set_up_encrypted(void)
{
	new_contents(1, false);
	not_started();
}

static void set_up_fixture(void)
{
	at.fd = fixture_file();
	at.store = NULL;
}

static void set_up_commit(void)
{
	new_contents(0, false);
	assert_int_equal(put_contents(at.store, CONTENTS + 1), 0);
}

static void set_up_encrypted_commit(void)
{
	new_contents(1, false);
	assert_int_equal(put_contents(at.store, CONTENTS + 1), 0);
}

static void set_up_started(void)
{
	new_contents(0, false);
}

static void set_up_encrypted_started(void)
{
	new_contents(1, false);
}

static void set_up_taken(void)
{
	new_contents(0, true);
}

/* What a first attempt left has to be deleted; that it may be one's own is for the user to say. */
static int run_format(struct error *err)
{
	int ret;

	not_started();
	at.store = new_store(at.fd, 0);
	if (!at.store)
		return error_set(err, ENOMEM, "out of memory");
	ret = vnvram_format(at.store, err);
	if (ret != -EEXIST)
		return ret;
	ret = vnvram_delete(at.store, err);
	return ret ? ret : vnvram_format(at.store, err);
}

static int run_start(struct error *err)
{
	not_started();
	return start_store(at.fd, at.job->key, &at.store, err);
}

static int run_commit(struct error *err)
{
	return vnvram_process(at.store, err);
}

/* Also what comes before it. */
static int run_write(struct error *err)
{
	int ret = put_contents(at.store, CONTENTS + 1);

	return ret ? ret : vnvram_process(at.store, err);
}

static int run_take(struct error *err)
{
	return vnvram_take(at.store, err);
}

static int run_release(struct error *err)
{
	return vnvram_release(at.store, err);
}

static int run_rekey(struct error *err)
{
	return vnvram_rekey(at.store, cut_keys[at.job->new_key], err);
}

static int run_delete(struct error *err)
{
	return vnvram_delete(at.store, err);
}

static const struct job jobs[] = {
	{ "format", set_up_empty, run_format, 0, 0, 0, 0, -1 },
	{ "start", set_up_plain, run_start, 0, 0, CONTENTS, CONTENTS, -1 },
	{ "start, encrypted", set_up_encrypted, run_start, 1, 1, CONTENTS, CONTENTS, -1 },
	{ "upgrade", set_up_fixture, run_start, 0, 0, FIXTURE_CONTENTS, FIXTURE_CONTENTS, -1 },
	{ "commit", set_up_commit, run_commit, 0, 0, CONTENTS, CONTENTS + 1, -1 },
	{ "commit, encrypted", set_up_encrypted_commit, run_commit, 1, 1, CONTENTS,
	  CONTENTS + 1, -1 },
	{ "write", set_up_started, run_write, 0, 0, CONTENTS, CONTENTS + 1, -1 },
	{ "take", set_up_started, run_take, 0, 0, CONTENTS, CONTENTS, 1 },
	{ "release", set_up_taken, run_release, 0, 0, CONTENTS, CONTENTS, 0 },
	{ "encrypt", set_up_started, run_rekey, 0, 1, CONTENTS, CONTENTS, -1 },
	{ "rekey", set_up_encrypted_started, run_rekey, 1, 2, CONTENTS, CONTENTS, -1 },
	{ "decrypt", set_up_encrypted_started, run_rekey, 1, 0, CONTENTS, CONTENTS, -1 },
	{ "delete", set_up_started, run_delete, 0, 0, CONTENTS, 0, -1 },
};

#define JOBS	(sizeof(jobs) / sizeof(jobs[0]))

static void begin(const struct job *job)
{
	memset(&io_plan, 0, sizeof(io_plan));
	at.job = job;
	job->set_up();
	cut_log_begin(&at.log, at.fd);
	io_plan.log = &at.log;
}

static void end(void)
{
	vnvram_free(at.store);
	at.store = NULL;
	close(at.fd);
	cut_log_end(&at.log);
	memset(&io_plan, 0, sizeof(io_plan));
	runs++;
}

static void plan(enum io_call call, unsigned int nth, bool for_ever, int code)
{
	io_plan.fail = call;
	io_plan.nth = nth;
	io_plan.for_ever = for_ever;
	io_plan.code = code;
	io_plan.seen = io_plan.hits = 0;
}

/* An empty file has no bytes of which a half could be read. */
static bool fault_counts(enum io_call call, int code)
{
	return io_plan.hits && (code || call != IO_READ || at.job->set_up != set_up_empty);
}

static void failed_well(int ret, int code)
{
	const struct job *job = at.job;

	if (ret != -(code ? code : EIO))
		fail_msg("%s: returned %d instead of %d", job->name, ret, -(code ? code : EIO));
	if (at.store && vnvram_had_fatal_error(at.store))
		fail_msg("%s: takes %s for fatal", job->name, strerror(code));
	cut_replay(&at.log, 4, 1, old_or_new, (void *)job);
}

/* The fault is over: once more, or the second fault of two is this one's. */
static int do_again(struct error *err)
{
	int ret = at.job->run(err);

	if (!ret)
		cut_replay_worst(&at.log, is_done, (void *)at.job);
	return ret;
}

static void succeeds(void)
{
	struct error err = { "" };

	plan(IO_NONE, 0, false, 0);
	if (do_again(&err))
		fail_msg("%s: does not succeed after the fault: %s", at.job->name, err.text);
}

/* True while something fails. */
static bool fail_nth(const struct job *job, enum io_call call, unsigned int nth, bool for_ever,
		     int code)
{
	struct error err = { "" };
	bool hit;
	int ret;

	begin(job);
	plan(call, nth, for_ever, code);
	ret = do_again(&err);
	hit = fault_counts(call, code);
	if (!hit && ret)
		fail_msg("%s: failed without a fault: %s", job->name, err.text);
	if (hit) {
		failed_well(ret, code);
		succeeds();
	}
	end();
	return hit;
}

static unsigned int fail_each(const struct job *job, enum io_call call, bool for_ever, int code)
{
	unsigned int nth = 1;

	while (fail_nth(job, call, nth, for_ever, code))
		nth++;
	return nth - 1;
}

static void test_system_calls(void **state)
{
	/* 0 is a half of what was asked for. */
	static const int codes[] = { EIO, ENOSPC, EROFS, EDQUOT, 0 };
	const size_t count = sizeof(codes) / sizeof(codes[0]);
	unsigned int hits = 0;

	(void)state;
	for (size_t i = 0; i < JOBS; i++)
		for (enum io_call call = IO_READ; call <= IO_FLUSH; call++)
			for (size_t code = 0; code < count - (call == IO_FLUSH); code++)
				hits += fail_each(&jobs[i], call, false, codes[code]) +
					fail_each(&jobs[i], call, true, codes[code]);
	printf("# %u failed calls\n", hits);
	assert_true(hits > 500);
}

/* A second fault while the job is done again; then it succeeds. */
static bool fail_twice(const struct job *job, enum io_call first, unsigned int nth,
		       enum io_call second, unsigned int mth)
{
	struct error err;
	bool hit;
	int ret;

	begin(job);
	plan(first, nth, false, EIO);
	assert_int_not_equal(do_again(&err), 0);
	plan(second, mth, false, ENOSPC);
	ret = do_again(&err);
	hit = io_plan.hits;
	if (hit) {
		failed_well(ret, ENOSPC);
		succeeds();
	}
	end();
	return hit;
}

static unsigned int count_calls(const struct job *job, enum io_call call)
{
	unsigned int count;
	struct error err;

	begin(job);
	plan(call, 1000000, false, EIO);
	assert_int_equal(job->run(&err), 0);
	count = io_plan.seen;
	end();
	return count;
}

static void fail_each_twice(const struct job *job, enum io_call first, unsigned int nth)
{
	for (enum io_call second = IO_READ; second <= IO_FLUSH; second++) {
		unsigned int mth = 1;

		while (fail_twice(job, first, nth, second, mth))
			mth++;
	}
}

static void test_second_fault(void **state)
{
	unsigned int before = runs;

	(void)state;
	for (size_t i = 0; i < JOBS; i++)
		for (enum io_call first = IO_WRITE; first <= IO_FLUSH; first++)
			for (unsigned int nth = count_calls(&jobs[i], first); nth; nth--)
				fail_each_twice(&jobs[i], first, nth);
	printf("# %u pairs of faults\n", runs - before);
	assert_true(runs - before > 200);
}

/* Without recording, which allocates. */
static bool fail_allocation(const struct job *job, unsigned int nth, bool for_ever)
{
	struct error err = { "" };
	int live = memory.live, ret;
	unsigned int number;
	bool hit;

	begin(job);
	io_plan.log = NULL;
	memory.seen = memory.hits = 0;
	memory.for_ever = for_ever;
	memory.nth = nth;
	ret = job->run(&err);
	memory.nth = 0;
	hit = memory.hits;
	if (ret && !hit)
		fail_msg("%s: failed without a fault: %s", job->name, err.text);
	number = number_on(at.fd, job->key, job->new_key, &err);
	if (number != job->from && number != job->to)
		fail_msg("%s: allocation %u failed: contents %u: %s", job->name, nth, number,
			 err.text);
	if (ret && job->run(&err))
		fail_msg("%s: does not succeed after allocation %u failed: %s", job->name, nth,
			 err.text);
	assert_int_equal(number_on(at.fd, job->new_key, job->new_key, &err), job->to);
	end();
	assert_int_equal(memory.live, live);
	return hit;
}

static void fail_each_allocation(const struct job *job, bool for_ever)
{
	unsigned int nth = 1;

	while (fail_allocation(job, nth, for_ever))
		nth++;
}

static void test_allocations(void **state)
{
	unsigned int before = runs;

	(void)state;
	for (size_t i = 0; i < JOBS; i++)
		for (int for_ever = 0; for_ever <= 1; for_ever++)
			fail_each_allocation(&jobs[i], for_ever);
	printf("# %u failed allocations\n", runs - before);
	assert_true(runs - before > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_calls),
		cmocka_unit_test(test_second_fault),
		cmocka_unit_test(test_allocations),
	};

	/* Before OpenSSL allocates anything. */
	if (!CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free))
		return 1;
	return cmocka_run_group_tests_name("failing calls", tests, NULL, NULL);
}
