// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cuts the power at each point of what is done with a store, and looks at what is left.
 * power_cut.h says which cuts there are.
 */
#include "cut_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Random cuts at each point, beside the regular ones. */
#define RANDOM		24
#define RANDOM_AGAIN	6
/* Each so many recoveries are themselves cut. */
#define CUT_AGAIN	41

/* What is running. */
static struct {
	const char *name;
	int fd;
	unsigned int key;
	struct vnvram *store;
	struct cut_log log;
	unsigned int every;	/* of all cuts */
	unsigned int cuts, recoveries;
} run;

static unsigned int total;

#define MUST(call) do {								\
	struct error err;							\
	if (call)								\
		fail_msg("%s: " #call ": %s", run.name, err.text);		\
} while (0)

/* What the disk holds after a cut, as a file that can be written. */
static int disk(const struct cut *cut)
{
	int fd = new_file();

	assert_int_equal(pwrite(fd, cut->bytes, cut->size, 0), cut->size);
	return fd;
}

static void blame(const struct cut *cut, const char *what, const char *why)
{
	fail_msg("%s: cut %u, after event %u (contents %u to %u): %s%s", run.name, cut->number,
		 cut->at, cut->oldest, cut->newest, what, why);
}

/* With any of the keys that may be the right one; exactly one of them is. */
static int open_disk(const struct cut *cut, int fd, struct vnvram **store, struct error *err)
{
	int ret = -ENOKEY;

	for (unsigned int key = cut->oldest_key; key <= cut->newest_key; key++) {
		ret = start_store(fd, key, store, err);
		if (ret != -ENOKEY && ret != -EKEYREJECTED)
			break;
	}
	return ret;
}

static void check_again(const struct cut *cut, void *opaque)
{
	int fd = disk(cut);
	struct vnvram *store;
	struct error err;
	unsigned int number;

	(void)opaque;
	if (open_disk(cut, fd, &store, &err))
		blame(cut, "refused after a cut recovery: ", err.text);
	number = contents_number(store);
	if (number != cut->oldest && number != cut->newest)
		blame(cut, "a cut recovery left other contents", "");
	vnvram_free(store);
	close(fd);
}

static void commit_on(struct vnvram *store, unsigned int number)
{
	MUST(vnvram_take(store, &err));
	assert_int_equal(put_contents(store, number), 0);
	MUST(vnvram_process(store, &err));
	MUST(vnvram_release(store, &err));
}

static struct cut_log no_log(void)
{
	return (struct cut_log){ 0 };
}

/* The store goes on after the cut: it is written and read again, and that is cut too. */
static void recover(const struct cut *cut, int fd, unsigned int number)
{
	bool again = run.recoveries++ % CUT_AGAIN == 0;
	struct cut_log log = no_log();
	struct vnvram *store;
	struct error err;

	if (again) {
		cut_log_begin(&log, fd);
		log.marks = (struct cut_marks){ number, number, cut->newest_key, cut->oldest_key };
		io_plan.log = &log;
	}
	if (open_disk(cut, fd, &store, &err))
		blame(cut, "refused the second time: ", err.text);
	log.marks.begun = cut->newest + 1;
	commit_on(store, cut->newest + 1);
	log.marks.acked = log.marks.begun;
	vnvram_free(store);
	io_plan.log = NULL;
	if (open_disk(cut, fd, &store, &err))
		blame(cut, "refused after it was written again: ", err.text);
	assert_int_equal(contents_number(store), cut->newest + 1);
	vnvram_free(store);
	if (again)
		run.cuts += cut_replay(&log, RANDOM_AGAIN, 1, check_again, NULL);
	cut_log_end(&log);
}

/* Nothing was acknowledged: whoever made it makes it again. */
static void make_again(const struct cut *cut, int fd)
{
	struct vnvram *store = new_store(fd, cut->newest_key);
	struct error err;

	if (vnvram_delete(store, &err) || vnvram_format(store, &err))
		blame(cut, "cannot be made again: ", err.text);
	commit_on(store, cut->newest + 1);
	vnvram_free(store);
	if (open_disk(cut, fd, &store, &err))
		blame(cut, "refused after it was made again: ", err.text);
	assert_int_equal(contents_number(store), cut->newest + 1);
	vnvram_free(store);
}

static void check_cut(const struct cut *cut, void *opaque)
{
	int fd = disk(cut), ret;
	struct vnvram *store;
	struct error err;
	unsigned int number;

	(void)opaque;
	ret = open_disk(cut, fd, &store, &err);
	if (ret && cut->oldest)
		blame(cut, "refused: ", err.text);
	if (ret && ret != -ENODATA && ret != -EINVAL && ret != -EUCLEAN)
		blame(cut, "refused as somebody else's: ", err.text);
	if (ret) {
		make_again(cut, fd);
		close(fd);
		return;
	}
	number = contents_number(store);
	vnvram_free(store);
	if (!number || number < (cut->oldest ? cut->oldest : cut->newest) || number > cut->newest)
		blame(cut, "it has other contents", "");
	recover(cut, fd, number);
	close(fd);
}

static void begin(const char *name, int fd, unsigned int key)
{
	run.name = name;
	run.fd = fd;
	run.key = key;
	run.store = NULL;
	run.every = 1;
	run.cuts = 0;
	memset(&io_plan, 0, sizeof(io_plan));
	cut_log_begin(&run.log, fd);
	run.log.marks.key_begun = run.log.marks.key_acked = key;
	io_plan.log = &run.log;
}

static void end(unsigned int least)
{
	vnvram_free(run.store);
	close(run.fd);
	memset(&io_plan, 0, sizeof(io_plan));
	run.cuts += cut_replay(&run.log, RANDOM, run.every, check_cut, NULL);
	cut_log_end(&run.log);
	if (run.every == 1)
		printf("# %s: %u power cuts\n", run.name, run.cuts);
	if (run.cuts < least)
		fail_msg("%s: only %u power cuts instead of %u", run.name, run.cuts, least);
	total += run.cuts;
}

/* Whoever has started it has seen its contents. */
static void start(void)
{
	MUST(start_store(run.fd, run.key, &run.store, &err));
	run.log.marks.acked = contents_number(run.store);
	assert_int_not_equal(run.log.marks.acked, 0);
	if (run.log.marks.begun < run.log.marks.acked)
		run.log.marks.begun = run.log.marks.acked;
}

static int try_commit(void)
{
	struct error err;

	run.log.marks.begun++;
	assert_int_equal(put_contents(run.store, run.log.marks.begun), 0);
	if (vnvram_process(run.store, &err))
		return -1;
	run.log.marks.acked = run.log.marks.begun;
	return 0;
}

static void commits(unsigned int count)
{
	while (count--)
		assert_int_equal(try_commit(), 0);
}

/* Numbers begin after that of the fixture. */
static void format(void)
{
	run.log.marks.begun = FIXTURE_CONTENTS;
	run.store = new_store(run.fd, run.key);
	MUST(vnvram_format(run.store, &err));
}

static void restart(void)
{
	vnvram_free(run.store);
	start();
}

static void new_and_commits(const char *name, unsigned int key, unsigned int size,
			    unsigned int least)
{
	int fd = new_file();

	assert_int_equal(ftruncate(fd, size), 0);
	begin(name, fd, key);
	format();
	commits(3);
	restart();
	commits(20);
	end(least);
}

static void test_commits(void **state)
{
	(void)state;
	new_and_commits("a new store in a file", 0, 0, 1500);
	new_and_commits("an encrypted one", 1, 0, 1500);
	new_and_commits("one on a block device", 0, 1 << 16, 1500);
	entry_max = ENTRY_MAX;
	new_and_commits("a small one", 0, 0, 900);
}

static void take_and_release(const char *name, unsigned int key)
{
	begin(name, new_file(), key);
	format();
	commits(1);
	for (int i = 0; i < 8; i++) {
		MUST(vnvram_take(run.store, &err));
		commits(i % 3);
		MUST(vnvram_release(run.store, &err));
		restart();
	}
	end(500);
}

static void test_owner(void **state)
{
	(void)state;
	take_and_release("taken and released", 0);
	take_and_release("taken and released, encrypted", 1);
}

static void rekey(unsigned int key)
{
	run.key = key;
	run.log.marks.key_begun = key > run.log.marks.key_begun ? key : run.log.marks.key_begun;
	run.log.marks.key_acked = key < run.log.marks.key_acked ? key : run.log.marks.key_acked;
	MUST(vnvram_rekey(run.store, cut_keys[key], &err));
	run.log.marks.key_begun = run.log.marks.key_acked = key;
	commits(2);
	restart();
	commits(2);
}

/* 0 is no key. */
static void test_rekey(void **state)
{
	static const unsigned int order[] = { 1, 2, 0, 2, 1, 0 };

	(void)state;
	begin("rekeyed", new_file(), 0);
	format();
	commits(2);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		rekey(order[i]);
	end(2000);
}

static void test_upgrade(void **state)
{
	(void)state;
	begin("upgraded from version 1", fixture_file(), 0);
	run.log.marks.acked = run.log.marks.begun = FIXTURE_CONTENTS;
	start();
	commits(3);
	restart();
	commits(1);
	end(200);
}

/* Made anew where there was one: the old contents, none, or the new ones. */
static void test_made_anew(void **state)
{
	(void)state;
	begin("deleted and made anew", new_file(), 0);
	format();
	commits(3);
	run.log.marks.acked = 0;
	MUST(vnvram_delete(run.store, &err));
	MUST(vnvram_format(run.store, &err));
	commits(3);
	end(200);
}

/*
 * Not the power goes, but the process, at its @nth call of this kind; at a flush, that flush
 * may have failed or never been made. Another process goes on, and sees what is not on the
 * disk yet. Then the power is cut.
 */
static void die_from(unsigned int nth, enum io_call call)
{
	io_plan.fail = call;
	io_plan.nth = nth;
	io_plan.for_ever = true;
	io_plan.code = EIO;
	io_plan.seen = io_plan.hits = 0;
}

static bool go_on(void)
{
	bool died = io_plan.hits;

	io_plan.fail = IO_NONE;
	restart();
	MUST(vnvram_take(run.store, &err));
	commits(2);
	run.every = 3;
	end(100);
	return died;
}

static bool die_in_commits(unsigned int nth, enum io_call call)
{
	begin("killed in a commit", new_file(), 0);
	format();
	commits(2);
	die_from(nth, call);
	for (int i = 0; i < 3; i++)
		if (try_commit())
			break;
	return go_on();
}

static bool die_in_upgrade(unsigned int nth, enum io_call call)
{
	struct error err;

	begin("killed in an upgrade", fixture_file(), 0);
	run.log.marks.acked = run.log.marks.begun = FIXTURE_CONTENTS;
	die_from(nth, call);
	start_store(run.fd, run.key, &run.store, &err);
	return go_on();
}

/* Either key may be the right one until the next process has found out. */
static bool die_in_rekey(unsigned int nth, enum io_call call)
{
	struct error err;

	begin("killed in a rekey", new_file(), 0);
	format();
	commits(2);
	run.log.marks.key_begun = 1;
	die_from(nth, call);
	vnvram_rekey(run.store, cut_keys[1], &err);
	vnvram_free(run.store);
	io_plan.fail = IO_NONE;
	run.key = start_store(run.fd, 0, &run.store, &err) ? 1 : 0;
	return go_on();
}

static void test_killed(void **state)
{
	static bool (*const die_in[])(unsigned int, enum io_call) = {
		die_in_commits, die_in_upgrade, die_in_rekey,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(die_in) / sizeof(die_in[0]); i++) {
		unsigned int nth = 1, before = total;

		entry_max = die_in[i] == die_in_upgrade ? ENTRY_MAX : BIG_ENTRY_MAX;
		while (die_in[i](nth, IO_WRITE))
			nth++;
		assert_true(nth > 3);
		for (nth = 1; die_in[i](nth, IO_FLUSH); nth++)
			;
		assert_true(nth > 3);
		printf("# %s: %u power cuts\n", run.name, total - before);
	}
}

/* A flush fails: the same process tries again, until it succeeds. */
static void test_failed_flush(void **state)
{
	(void)state;
	begin("flushes that fail", new_file(), 0);
	format();
	commits(2);
	for (int i = 0; i < 4; i++) {
		struct error err;

		io_plan = (struct io_plan){
			.log = &run.log, .fail = IO_FLUSH, .nth = 1, .code = EIO,
		};
		assert_int_equal(try_commit(), -1);
		assert_int_equal(vnvram_process(run.store, &err), 0);
		run.log.marks.acked = run.log.marks.begun;
		commits(1);
	}
	end(1000);
}

static int small_entries(void **state)
{
	(void)state;
	entry_max = ENTRY_MAX;
	return 0;
}

static int big_entries(void **state)
{
	(void)state;
	entry_max = BIG_ENTRY_MAX;
	return 0;
}

#define SMALL(test)	cmocka_unit_test_setup(test, small_entries)
#define BIG(test)	cmocka_unit_test_setup(test, big_entries)

static void test_enough(void **state)
{
	(void)state;
	printf("# %u power cuts in all\n", total);
	assert_true(total >= 15000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BIG(test_commits),
		SMALL(test_owner),
		BIG(test_rekey),
		SMALL(test_upgrade),
		BIG(test_made_anew),
		BIG(test_killed),
		BIG(test_failed_flush),
		cmocka_unit_test(test_enough),
	};

	return cmocka_run_group_tests_name("power cuts", tests, NULL, NULL);
}
