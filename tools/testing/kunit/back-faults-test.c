// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fail the Nth: in each operation every allocation and every call of Xen fails in turn,
 * until the operation gets through without reaching the Nth (B7, B15). After each failure all
 * is balanced, and the guest can start anew.
 */
#include "back-fixture.h"

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
	KUNIT_ASSERT_EQ(test, back_probe(), 0);
}

static void accepted(struct kunit *test)
{
	probed(test);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_write_nodes(back.policy.features);
}

static void accepted_extended(struct kunit *test)
{
	back.policy.features = BACK_EXTENDED;
	accepted(test);
}

/* The nodes of an offer that does not hold any more. */
static void accepted_after_offer(struct kunit *test)
{
	accepted(test);
	store_set(BACK_DIR, "feature-exactly-once", "1");
	store_set(BACK_DIR, "max-extra-pages", "1");
}

static void mapped_extended(struct kunit *test)
{
	accepted_extended(test);
	back_frontend(XenbusStateInitialised);
	back_settle();
}

static void submitted(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
}

static void delivered(struct kunit *test)
{
	submitted(test);
	KUNIT_ASSERT_GT(test, back_read(), 0);
}

static void delivered_raw(struct kunit *test)
{
	back_connect_raw(test);
	back_submit(20);
	KUNIT_ASSERT_GT(test, back_read(), 0);
}

static void do_probe(void)
{
	back_probe();
}

static void do_accept(void)
{
	back_accept();
}

static void do_connect(void)
{
	back_frontend(XenbusStateInitialised);
	back_settle();
}

static void do_begin(void)
{
	back_answer_begin();
	back_settle();
}

static void do_read(void)
{
	back_read();
}

static void do_write(void)
{
	back_respond(20);
}

static void do_restart(void)
{
	back_frontend(XenbusStateInitialising);
}

static void do_close(void)
{
	back_frontend(XenbusStateClosed);
}

static void do_remove(void)
{
	back_remove();
}

static void do_offline(void)
{
	back_online(false);
}

static void do_ioctls(void)
{
	struct vtpm_info info = {};
	u32 abi;

	back_ioctl(VTPM_IOC_GET_ABI, &abi);
	back_ioctl(VTPM_IOC_NEXT, &info);
}

static void do_event(void)
{
	struct vtpm_event event;
	loff_t pos = 0;

	back.controller->f_op->read(back.controller, (char __user *)&event,
				    sizeof(event), &pos);
}

static const struct operation operations[] = {
	{ "probe", nothing, do_probe, 10 },
	{ "accept", probed, do_accept, 3 },
	{ "connect", accepted, do_connect, 8 },
	{ "connect-after-offer", accepted_after_offer, do_connect, 10 },
	{ "connect-extended", accepted_extended, do_connect, 7 },
	{ "begin", mapped_extended, do_begin, 5 },
	{ "read", submitted, do_read, 2 },
	{ "write", delivered, do_write, 2 },
	{ "write-raw", delivered_raw, do_write, 1 },
	{ "restart", delivered, do_restart, 5 },
	{ "close", delivered, do_close, 2 },
	{ "offline", probed, do_offline, 2 },
	{ "remove", delivered, do_remove, 0 },
	{ "ioctls", submitted, do_ioctls, 3 },
	{ "event", submitted, do_event, 1 },
};

static void operation_name(const struct operation *o, char *name)
{
	strscpy(name, o->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(operation, operations, operation_name);

/* From wherever a failure has left things, a frontend that starts anew gets in. */
static void expect_recovery(struct kunit *test, const char *failed)
{
	back_close();
	store_set(BACK_DIR, "online", "1");
	if (!back_device())
		KUNIT_ASSERT_EQ_MSG(test, back_probe(), 0, "after %s", failed);
	back_frontend(XenbusStateInitialising);
	KUNIT_ASSERT_GE_MSG(test, back_accept(), 0, "after %s", failed);
	back_write_nodes(back.policy.features);
	back_state(VTPM_STATE_IDLE);
	back_frontend(XenbusStateInitialised);
	back_settle();
	if (back.policy.features)
		KUNIT_EXPECT_GT(test, back_answer_begin(), 0);
	back_settle();
	KUNIT_EXPECT_EQ_MSG(test, back.xdev.state, XenbusStateConnected,
			    "after %s", failed);
	back_submit(20);
	KUNIT_EXPECT_EQ_MSG(test, back_read(),
			    back.policy.mode == VTPM_MODE_RAW ?
			    20 : sizeof(back.request.header) + 20,
			    "after %s", failed);
	KUNIT_EXPECT_GT(test, back_respond(20), 0);
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
	KUNIT_EXPECT_TRUE_MSG(test, back_fits_together(),
			      "%s failed as call %u", failed ?: "nothing", n);
	if (!back_device())
		KUNIT_EXPECT_EQ_MSG(test, double_memory_held(),
				    double_file(back.fd) ? 5 : 0,
				    "%s failed as call %u", failed ?: "nothing", n);
	expect_recovery(test, failed ?: "nothing");
	return failed;
}

static void fail_the_nth(struct kunit *test)
{
	const struct operation *o = test->param_value;
	unsigned int n = 1;

	while (try_nth(test, o, n)) {
		back_exit(test);
		back_init(test);
		n++;
	}
	KUNIT_EXPECT_GE_MSG(test, n - 1, o->calls, "too few calls can fail");
	kunit_info(test, "%s: %u calls failed in turn", o->name, n - 1);
}

static void module_init_fails(struct kunit *test)
{
	unsigned int n;
	int err;

	for (n = 1;; n++) {
		double_fail_nth(n);
		err = double_tpmback_init();
		if (!double_failed())
			break;
		KUNIT_EXPECT_LT(test, err, 0);
		KUNIT_EXPECT_TRUE(test, double_holds_nothing());
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, n, 3);
	double_tpmback_exit();
	double_end(test);
}

static struct kunit_case faults_cases[] = {
	KUNIT_CASE_PARAM(fail_the_nth, operation_gen_params),
	{}
};

static struct kunit_suite faults_suite = {
	.name = "back-faults",
	.init = back_init,
	.exit = back_exit,
	.test_cases = faults_cases,
};

static struct kunit_case module_cases[] = {
	KUNIT_CASE(module_init_fails),
	{}
};

static struct kunit_suite module_suite = {
	.name = "back-module",
	.init = double_begin,
	.test_cases = module_cases,
};
kunit_test_suites(&faults_suite, &module_suite);
