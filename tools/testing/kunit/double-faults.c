// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every test begins and ends with: breaches of rules, calls that fail, and
 * what is still held.
 */
#include <linux/module.h>
#include <linux/prandom.h>

#include "double.h"
#include "options.h"

struct double_hooks double_hooks;

static DEFINE_SPINLOCK(faults_lock);	/* protects all below */
static unsigned int calls;
static unsigned int fail_at;
static const char *failed;
static unsigned int wrongs;
static char first_wrong[160];
static struct rnd_state random;

/**
 * double_wrong() - a rule that holds at any time was broken
 * @fmt: what happened
 *
 * Context: any. Only the first one is kept, the others follow from it.
 */
void double_wrong(const char *fmt, ...)
{
	unsigned long flags;
	va_list args;

	spin_lock_irqsave(&faults_lock, flags);
	if (!wrongs++) {
		va_start(args, fmt);
		vsnprintf(first_wrong, sizeof(first_wrong), fmt, args);
		va_end(args);
	}
	spin_unlock_irqrestore(&faults_lock, flags);
}

bool double_is_clean(void)
{
	return !READ_ONCE(wrongs);
}

/**
 * double_fail_nth() - let a call fail
 * @n: the nth call from now of all that can fail; 0: none
 */
void double_fail_nth(unsigned int n)
{
	spin_lock_irq(&faults_lock);
	calls = 0;
	fail_at = n;
	failed = NULL;
	spin_unlock_irq(&faults_lock);
}

/**
 * double_failed() - tell which call has failed
 *
 * Return: its name, or NULL if none was reached yet.
 */
const char *double_failed(void)
{
	return READ_ONCE(failed);
}

/**
 * double_fails() - ask by a double that can fail
 * @what: name of the call
 *
 * Return: whether it has to fail this time.
 */
bool double_fails(const char *what)
{
	unsigned long flags;
	bool fails;

	spin_lock_irqsave(&faults_lock, flags);
	fails = fail_at && ++calls == fail_at;
	if (fails)
		failed = what;
	spin_unlock_irqrestore(&faults_lock, flags);
	return fails;
}

/**
 * double_random() - the next number of a walk
 * @below: at least 1
 *
 * Return: a number below @below, the same ones in each test for the same seed.
 */
unsigned int double_random(unsigned int below)
{
	unsigned long flags;
	u32 value;

	spin_lock_irqsave(&faults_lock, flags);
	value = prandom_u32_state(&random);
	spin_unlock_irqrestore(&faults_lock, flags);
	return value % below;
}

unsigned int double_rounds(void)
{
	return vtpm_kunit_rounds;
}

struct double_held double_held(void)
{
	return (struct double_held) {
		.memory = double_memory_held(),
		.files = double_files_held(),
		.watches = double_bus_held(),
		.mappings = double_mappings(),
		.lines = double_lines(),
		.ports = double_ports(),
		.rings = double_rings(),
		.chips = double_chips(),
		.registered = double_tpm_registered(),
	};
}

bool double_holds_nothing(void)
{
	struct double_held held = double_held();

	return !memchr_inv(&held, 0, sizeof(held));
}

/**
 * double_begin() - the init of each suite, or a part of it
 * @test: the test
 *
 * Return: 0.
 */
int double_begin(struct kunit *test)
{
	if (vtpm_kunit_only && strcmp(vtpm_kunit_only, test->name))
		kunit_skip(test, "only %s is wanted", vtpm_kunit_only);
	spin_lock_irq(&faults_lock);
	wrongs = 0;
	first_wrong[0] = '\0';
	prandom_seed_state(&random, vtpm_kunit_seed);
	spin_unlock_irq(&faults_lock);
	memset(&double_hooks, 0, sizeof(double_hooks));
	double_fail_nth(0);
	double_store_reset();
	double_bus_reset();
	double_files_reset();
	double_pages_reset();
	double_lines_reset();
	double_tpm_reset();
	return 0;
}

/**
 * double_end() - the exit of each suite, or a part of it
 * @test: the test; it fails if something is still held, or a rule was broken
 */
void double_end(struct kunit *test)
{
	struct double_held held = double_held();
	unsigned int broken = READ_ONCE(wrongs);

	double_fail_nth(0);
	/* KUnit prints the expression too: what a macro makes of it leaves no room. */
	KUNIT_EXPECT_EQ_MSG(test, broken, 0, "%s", first_wrong);
	KUNIT_EXPECT_EQ(test, held.memory, 0);
	KUNIT_EXPECT_EQ(test, held.files, 0);
	KUNIT_EXPECT_EQ(test, held.watches, 0);
	KUNIT_EXPECT_EQ(test, held.mappings, 0);
	KUNIT_EXPECT_EQ(test, held.lines, 0);
	KUNIT_EXPECT_EQ(test, held.ports, 0);
	KUNIT_EXPECT_EQ(test, held.rings, 0);
	KUNIT_EXPECT_EQ(test, held.chips, 0);
	KUNIT_EXPECT_EQ(test, held.registered, 0);
}

MODULE_DESCRIPTION("KUnit tests of xen-tpmback and xen-tpmfront");
MODULE_LICENSE("GPL");
