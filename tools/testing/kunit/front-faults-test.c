// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fail the Nth: in each operation every allocation, every call of Xen and of the TPM core
 * fails in turn, until the operation gets through without reaching the Nth (F7, F17). After each
 * failure all is balanced, and a backend that starts anew gets a frontend.
 */
#include "front-fixture.h"

/* The operation must have been tried with at least that many failures. */
struct operation {
	const char *name;
	void (*arrange)(struct kunit *test);
	void (*operate)(void);
	unsigned int calls;
};

static void nothing(struct kunit *test)
{
}

static void probed(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, front_probe(), 0);
}

static void initialised(struct kunit *test)
{
	front_initialise(test, false);
}

static void initialised_extended(struct kunit *test)
{
	front_initialise(test, true);
}

static void connected(struct kunit *test)
{
	front_connect(test, false);
}

static void connected_extended(struct kunit *test)
{
	front_connect(test, true);
}

static void do_probe(void)
{
	front_probe();
}

static void do_link_up(void)
{
	front_backend(XenbusStateInitWait);
}

/* One attempt: the next one comes after a pause, and without failures. */
static void do_connect(void)
{
	front_backend(XenbusStateConnected);
	front_settle();
}

static void do_send(void)
{
	if (!front_send_ordinary())
		front_receive(100);
}

static void do_suspend(void)
{
	front_suspend();
	front_complete();
}

static void do_resume(void)
{
	front_suspend();
	front_unmap();
	front_resume();
	front_complete();
}

static void do_close(void)
{
	front_backend(XenbusStateClosed);
}

static void do_remove(void)
{
	front_remove();
}

static const struct operation operations[] = {
	{ "probe", nothing, do_probe, 1 },
	{ "link-up", probed, do_link_up, 10 },
	{ "connect", initialised, do_connect, 7 },
	{ "connect-extended", initialised_extended, do_connect, 7 },
	{ "send", connected, do_send, 0 },
	{ "suspend", connected_extended, do_suspend, 0 },
	{ "resume", connected, do_resume, 9 },
	{ "resume-extended", connected_extended, do_resume, 9 },
	{ "close", connected, do_close, 1 },
	{ "remove", connected, do_remove, 0 },
};

static void operation_name(const struct operation *o, char *name)
{
	strscpy(name, o->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(operation, operations, operation_name);

/* A backend that closes and starts anew finds a frontend that follows. */
static void expect_recovery(struct kunit *test, const char *failed)
{
	front_unmap();
	if (!front_device())
		KUNIT_ASSERT_EQ_MSG(test, front_probe(), 0, "after %s", failed);
	front_backend(XenbusStateClosed);
	front_backend(XenbusStateInitWait);
	KUNIT_ASSERT_EQ_MSG(test, front.xdev.state, XenbusStateInitialised,
			    "after %s", failed);
	KUNIT_ASSERT_TRUE(test, front_map());
	front_begin();
	front_backend(XenbusStateConnected);
	front_settle();
	/* After a failed attempt the chip comes with the next one. */
	if (!double_chip())
		front_settle();
	KUNIT_ASSERT_NOT_NULL_MSG(test, double_chip(), "after %s", failed);
	KUNIT_EXPECT_EQ_MSG(test, front_send_ordinary(), 0, "after %s", failed);
	KUNIT_EXPECT_EQ(test, front_receive(100), 10);
}

/* Returns whether the nth call was reached. */
static bool try_nth(struct kunit *test, const struct operation *o,
		    unsigned int n)
{
	const char *failed;

	o->arrange(test);
	double_fail_nth(n);
	o->operate();
	failed = double_failed();
	double_fail_nth(0);
	KUNIT_EXPECT_TRUE_MSG(test, front_fits_together(),
			      "%s failed as call %u", failed ?: "nothing", n);
	KUNIT_EXPECT_EQ_MSG(test, double_memory_held(), !!front_device(),
			    "%s failed as call %u", failed ?: "nothing", n);
	/* Where the extension fell victim to the failure it is off for good. */
	if (front_device() && front_device()->extension == EXTENSION_OFF)
		front.offers = false;
	expect_recovery(test, failed ?: "nothing");
	return failed;
}

static void fail_the_nth(struct kunit *test)
{
	const struct operation *o = test->param_value;
	unsigned int n = 1;

	while (try_nth(test, o, n)) {
		front_exit(test);
		front_init(test);
		n++;
	}
	KUNIT_EXPECT_GE_MSG(test, n - 1, o->calls, "too few calls can fail");
	kunit_info(test, "%s: %u calls failed in turn", o->name, n - 1);
}

static struct kunit_case faults_cases[] = {
	KUNIT_CASE_PARAM(fail_the_nth, operation_gen_params),
	{}
};

static struct kunit_suite faults_suite = {
	.name = "front-faults",
	.init = front_init,
	.exit = front_exit,
	.test_cases = faults_cases,
};
kunit_test_suite(faults_suite);
