// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that changes bytes of the pages to and fro and notifies, as fast as it can,
 * while the other side works with them.
 */
#include <linux/kthread.h>
#include <linux/jiffies.h>
#include <linux/sched/task.h>
#include <linux/string.h>

#include "rogue.h"

#define RUN_PLACES	8
#define RUN_BYTES	64

/* Bytes that are one thing in even rounds and another one in odd rounds. */
struct run_place {
	u32 offset;
	int size;
	u8 bytes[2][RUN_BYTES];
};

/* Written under rogue_lock, while the thread is not there. */
static struct run_place places[RUN_PLACES];
static unsigned int nr_places;
static unsigned int run_ms;
static unsigned int run_every;
static struct task_struct *run_task;

static bool running;
static unsigned long rounds;

static void run_round(unsigned long round)
{
	struct run_place *place;

	for (place = places; place < places + nr_places; place++)
		memcpy((u8 *)page_get() + place->offset,
		       place->bytes[round & 1], place->size);
	/* Written again in each round, whatever the compiler thinks of it. */
	barrier();
	if (run_every && round % run_every == 0)
		page_notify();
}

static int run_thread(void *data)
{
	unsigned long end = jiffies + msecs_to_jiffies(run_ms);
	unsigned long round;

	for (round = 0; time_before(jiffies, end) && !kthread_should_stop();
	     round++) {
		run_round(round);
		WRITE_ONCE(rounds, round + 1);
		cond_resched();
	}
	WRITE_ONCE(running, false);
	return 0;
}

/* "OFFSET:HEX" or "OFFSET:HEX:HEX" */
static int run_parse_place(char *text, struct run_place *place)
{
	char *offset = strsep(&text, ":");
	char *first = strsep(&text, ":");

	if (!first || kstrtou32(offset, 0, &place->offset))
		return -EINVAL;
	place->size = page_parse(first, place->bytes[0], RUN_BYTES);
	if (place->size < 0 || place->offset > page_bytes() ||
	    place->size > page_bytes() - place->offset)
		return -EINVAL;
	if (page_parse(text ?: first, place->bytes[1], RUN_BYTES) != place->size)
		return -EINVAL;
	return 0;
}

static int run_parse(char *arguments)
{
	char *ms = strsep(&arguments, " ");
	char *every = strsep(&arguments, " ");
	char *place;

	if (!every || kstrtouint(ms, 0, &run_ms) ||
	    kstrtouint(every, 0, &run_every))
		return -EINVAL;
	for (nr_places = 0; (place = strsep(&arguments, " ")); nr_places++) {
		if (nr_places == RUN_PLACES ||
		    run_parse_place(place, &places[nr_places]))
			return -EINVAL;
	}
	return 0;
}

/**
 * run_start() - start the thread
 * @arguments: "MS EVERY [OFFSET:HEX[:HEX]]..." runs for MS milliseconds, notifies in each
 *	EVERY-th round (0: never), and in each round writes these bytes at these
 *	offsets, by turns the first and the second
 *
 * Return: 0; -ENOTCONN, there are no pages; -EINVAL, not such arguments; what
 * making a thread fails with.
 */
int run_start(char *arguments)
{
	struct task_struct *task;
	int err;

	run_stop();
	if (!page_get())
		return -ENOTCONN;
	err = run_parse(arguments);
	if (err)
		return err;
	task = kthread_create(run_thread, NULL, "vtpm-rogue");
	if (IS_ERR(task))
		return PTR_ERR(task);
	get_task_struct(task);
	run_task = task;
	rounds = 0;
	running = true;
	wake_up_process(task);
	return 0;
}

/**
 * run_stop() - wait for the end of the thread, if there is one
 */
void run_stop(void)
{
	if (!run_task)
		return;
	kthread_stop(run_task);
	put_task_struct(run_task);
	run_task = NULL;
	running = false;
}

void run_show(struct seq_file *file)
{
	seq_printf(file, "running=%u rounds=%lu ", READ_ONCE(running),
		   READ_ONCE(rounds));
}
