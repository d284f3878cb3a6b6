// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-vtpm-fuzz/backend and frontend in debugfs: each write() is a program, which runs in
 * the task that writes, so that KCOV sees all of it. Sleeps, delayed work and events
 * happen where the program has them. EILSEQ: a rule was broken, the log says which.
 */
#include <linux/debug_locks.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/panic_notifier.h>
#include <linux/uaccess.h>

#include <xen/interface/io/tpmif.h>

#include "double.h"
#include "fuzz.h"
#include "options.h"

#define MAX_STEPS	160
#define MAX_ARMED	6
#define MAX_DEPTH	3

/* What happens at the so-many-th chance from now. */
struct armed {
	unsigned int left;
	struct step step;
};

static unsigned long busy;	/* bit 0: a file is open; it owns all below */
static const struct fuzz_target *target;
static struct kunit fuzz_test;
static struct double_held at_rest;
static struct step program[MAX_STEPS];
static unsigned int steps, next;
static struct armed writes[MAX_ARMED], interruptions[MAX_ARMED];
static unsigned int depth;

/* What targets use. */

bool fuzz_is_zero(const void *bytes, size_t size)
{
	return !size || !memchr_inv(bytes, 0, size);
}

void fuzz_set_node(const char *dir, const char *node, const char *value)
{
	if (value)
		store_set(dir, node, "%s", value);
	else
		store_rm(dir, node);
}

void fuzz_write_page(const struct step *step)
{
	size_t room;
	u8 *page = target->page(&room);

	if (page)
		step_write(page, room, step);
}

bool always(void)
{
	return true;
}

/* Programs. */

static const struct step *take(void)
{
	return next < steps ? &program[next++] : NULL;
}

static const struct action *action_of(const struct step *step)
{
	return &target->actions[step->what % target->count];
}

static void arm(struct armed *armed, unsigned int left,
		const struct step *step)
{
	int i;

	for (i = 0; i < MAX_ARMED; i++) {
		if (!armed[i].left) {
			armed[i].left = left + 1;
			armed[i].step = *step;
			return;
		}
	}
}

static void disarm(void)
{
	memset(writes, 0, sizeof(writes));
	memset(interruptions, 0, sizeof(interruptions));
	double_fail_nth(0);
	double_hooks.wants_freeze = false;
	double_kill(false);
}

/* The other side writes after the driver has read for the so-many-th time. */
void arm_write(const struct step *step)
{
	struct step write = *step;

	write.a = step->c;
	write.c = step->c >> 6;
	arm(writes, step->a % 24, &write);
}

/* The next step happens where this one says, in the middle of the one after it. */
void arm_step(const struct step *step)
{
	const struct step *later = take();

	if (later && !action_of(later)->arms)
		arm(interruptions, step->a % 32, later);
}

void arm_failure(const struct step *step)
{
	double_fail_nth(step->a % 48);
}

/* Who sleeps is killed, or is to be frozen. */
void arm_signal(const struct step *step)
{
	double_kill(step->a & 1);
	double_hooks.wants_freeze = step->a & 2;
}

/* Of no meaning where mutexes are real. */
void arm_in_the_way(const struct step *step)
{
}

static void page_was_read(const void *from, size_t size)
{
	int i;

	if (!size || !target->is_page(from))
		return;
	for (i = 0; i < MAX_ARMED; i++)
		if (writes[i].left && !--writes[i].left)
			fuzz_write_page(&writes[i].step);
}

static bool interrupt_with(const struct step *step)
{
	const struct action *action = action_of(step);

	if (depth >= MAX_DEPTH || !action->may || !action->may())
		return false;
	depth++;
	action->run(step);
	depth--;
	return true;
}

/* A driver copies from or to user memory, which may take any time. */
void fuzz_preempt(void)
{
	int i;

	for (i = 0; i < MAX_ARMED; i++)
		if (interruptions[i].left && !--interruptions[i].left)
			interrupt_with(&interruptions[i].step);
}

/* A driver sleeps: interrupts come, and the program goes on. */
static bool asleep(void)
{
	const struct step *step;

	if (target->interrupt())
		return true;
	step = depth < MAX_DEPTH && double_is_clean() ? take() : NULL;
	if (!step)
		return false;
	if (!action_of(step)->arms)
		return interrupt_with(step);
	action_of(step)->run(step);
	return true;
}

/* What the kernel only writes into its log makes a program a finding too. */
static void check_kernel(void)
{
	if (!debug_locks || test_taint(TAINT_WARN))
		double_wrong("the kernel has complained");
}

static void check_rest(void)
{
	struct double_held held = double_held();

	if (memcmp(&held, &at_rest, sizeof(held)))
		double_wrong("left: memory %d, files %d, watches %d, mappings %d, lines %d, ports %d, rings %d, chips %d",
			     held.memory - at_rest.memory,
			     held.files - at_rest.files,
			     held.watches - at_rest.watches, held.mappings,
			     held.lines, held.ports, held.rings, held.chips);
}

static void run_step(const struct step *step)
{
	const struct action *action = action_of(step);

	action->run(step);
	if (action->arms)
		return;
	target->interrupt();
	disarm();
	target->check();
}

static void run_program(void)
{
	const struct step *step;

	depth = 0;
	next = 0;
	target->begin();
	while (double_is_clean() && (step = take()))
		run_step(step);
	disarm();
	target->end();
	double_kill(false);
	check_kernel();
	check_rest();
}

/* The files. */

/* Who looks at the log of a kernel that has died finds the program there. */
static int say_program(struct notifier_block *block, unsigned long event,
		       void *reason)
{
	unsigned int i;

	for (i = 0; i < steps; i++)
		pr_emerg("xen-vtpm-fuzz: %s: step %*phN\n", target->name,
			 (int)sizeof(program[i]), &program[i]);
	return NOTIFY_DONE;
}

static struct notifier_block panic_block = { .notifier_call = say_program };

/* The text of what was broken is printed by double_end(). */
static void fuzz_finish(void)
{
	memset(&double_hooks, 0, sizeof(double_hooks));
	target->close(&fuzz_test);
	kunit_cleanup(&fuzz_test);
	clear_bit_unlock(0, &busy);
}

static int fuzz_open(struct inode *inode, struct file *file)
{
	int err;

	if (test_and_set_bit_lock(0, &busy))
		return -EBUSY;
	target = inode->i_private;
	kunit_init_test(&fuzz_test, vtpm_kunit_only ?: "fuzz", NULL);
	err = target->open(&fuzz_test);
	double_hooks.after_read = page_was_read;
	double_hooks.during_copy = fuzz_preempt;
	double_hooks.on_sleep = asleep;
	double_hooks.holds_work = true;
	at_rest = double_held();
	if (err)
		fuzz_finish();
	return err;
}

static ssize_t fuzz_write(struct file *file, const char __user *buf,
			  size_t count, loff_t *pos)
{
	size_t size = min(count, sizeof(program));

	steps = size / sizeof(program[0]);
	if (copy_from_user(program, buf, size))
		return -EFAULT;
	run_program();
	steps = 0;
	return double_is_clean() ? count : -EILSEQ;
}

static int fuzz_release(struct inode *inode, struct file *file)
{
	fuzz_finish();
	return 0;
}

static const struct file_operations fuzz_fops = {
	.owner = THIS_MODULE,
	.open = fuzz_open,
	.write = fuzz_write,
	.release = fuzz_release,
	.llseek = noop_llseek,
};

static struct dentry *directory;

static int __init fuzz_init(void)
{
	directory = debugfs_create_dir("xen-vtpm-fuzz", NULL);
	debugfs_create_file("backend", 0200, directory, (void *)&fuzz_back,
			    &fuzz_fops);
	debugfs_create_file("frontend", 0200, directory, (void *)&fuzz_front,
			    &fuzz_fops);
	atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
	return 0;
}
module_init(fuzz_init);

static void __exit fuzz_exit(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
	debugfs_remove(directory);
}
module_exit(fuzz_exit);
