// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every state of the frontend's in every situation of the backend's (B21): the table
 * "What the backend does when the frontend changes state" in Documentation/protocol.md.
 * And what ends a device: closing, detaching, removing (B4, B5, B10).
 */
#include "back-fixture.h"

/* In which situation the backend is when the frontend changes its state. */
enum situation {
	WAITING,		/* InitWait, nobody has accepted */
	ACCEPTED,		/* InitWait, accepted, not connected */
	MAPPED,			/* InitWait, connected, BEGIN is not answered */
	CONNECTED,
	FAILED,			/* Closing after an error, no connection */
	CLOSING,
	CLOSED,
	SITUATIONS,
};

static const char * const situation_names[SITUATIONS] = {
	"waiting", "accepted", "mapped", "connected", "failed", "closing",
	"closed",
};

/* What becomes of the connection. */
enum fate {
	SAME,			/* it is what it was */
	ENDED,			/* there is none any more */
	ANEW,			/* there is another one */
	UP,			/* it is the same, and connected */
	REMOVED,		/* the device has gone */
};

struct outcome {
	enum xenbus_state state;
	enum fate fate;
};

#define KEEP(s)		{ XenbusState##s, SAME }
#define END(s)		{ XenbusState##s, ENDED }
#define NEW		{ XenbusStateInitWait, ANEW }
#define GO		{ XenbusStateConnected, UP }
#define GONE		{ XenbusStateClosed, REMOVED }

/* By the frontend's state, then by the situation. The device is online. */
static const struct outcome table[][SITUATIONS] = {
	[XenbusStateUnknown] = { GONE, GONE, GONE, GONE, GONE, GONE, GONE },
	[XenbusStateInitialising] = { KEEP(InitWait), KEEP(InitWait), NEW, NEW,
				      NEW, NEW, NEW },
	[XenbusStateInitWait] = { KEEP(InitWait), KEEP(InitWait),
				  KEEP(InitWait), KEEP(Connected),
				  KEEP(Closing), KEEP(Closing), KEEP(Closed) },
	[XenbusStateInitialised] = { KEEP(InitWait), GO, KEEP(InitWait),
				     KEEP(Connected), KEEP(Closing),
				     KEEP(Closing), KEEP(Closed) },
	[XenbusStateConnected] = { KEEP(InitWait), GO, KEEP(InitWait),
				   KEEP(Connected), KEEP(Closing),
				   KEEP(Closing), KEEP(Closed) },
	[XenbusStateClosing] = { END(Closing), END(Closing), END(Closing),
				 END(Closing), END(Closing), END(Closing),
				 END(Closing) },
	[XenbusStateClosed] = { END(Closed), END(Closed), END(Closed),
				END(Closed), END(Closed), END(Closed),
				END(Closed) },
	[XenbusStateReconfiguring] = { KEEP(InitWait), KEEP(InitWait),
				       KEEP(InitWait), KEEP(Connected),
				       KEEP(Closing), KEEP(Closing),
				       KEEP(Closed) },
	[XenbusStateReconfigured] = { KEEP(InitWait), KEEP(InitWait),
				      KEEP(InitWait), KEEP(Connected),
				      KEEP(Closing), KEEP(Closing),
				      KEEP(Closed) },
};

static void map_only(struct kunit *test)
{
	back.policy.features = BACK_EXTENDED;
	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_write_nodes(true);
	back_frontend(XenbusStateInitialised);
	back_settle();
	KUNIT_ASSERT_EQ(test, double_mappings(), 1);
}

static void fail(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_frontend(XenbusStateInitialised);
	back_settle();
	KUNIT_ASSERT_EQ(test, back.xdev.state, XenbusStateClosing);
	back_write_nodes(false);
}

static void arrange(struct kunit *test, enum situation situation)
{
	switch (situation) {
	case WAITING:
	case ACCEPTED:
		KUNIT_ASSERT_EQ(test, back_probe(), 0);
		if (situation == ACCEPTED)
			KUNIT_ASSERT_GE(test, back_accept(), 0);
		back_write_nodes(false);
		break;
	case MAPPED:
		map_only(test);
		break;
	case FAILED:
		fail(test);
		break;
	default:
		back_connect(test);
		if (situation == CLOSING)
			back_frontend(XenbusStateClosing);
		else if (situation == CLOSED)
			back_frontend(XenbusStateClosed);
	}
}

/* A reference keeps the old connection's address from being that of the new one. */
static void expect_fate(struct kunit *test, enum fate fate,
			struct tpmback_conn *before, bool was_connected)
{
	struct tpmback_conn *now = back_conn();
	bool connected = now && tpmback_conn_is_connected(now);

	if (fate == SAME || fate == UP)
		KUNIT_EXPECT_PTR_EQ(test, now, before);
	else if (fate == ANEW)
		KUNIT_EXPECT_TRUE(test, now && now != before);
	else
		KUNIT_EXPECT_PTR_EQ(test, now, NULL);
	KUNIT_EXPECT_EQ(test, connected,
			fate == UP || (fate == SAME && was_connected));
	KUNIT_EXPECT_EQ(test, !back_device(), fate == REMOVED);
	KUNIT_EXPECT_EQ(test, double_unregistered(), fate == REMOVED);
	KUNIT_EXPECT_EQ(test, double_mappings(), connected);
	KUNIT_EXPECT_EQ(test, double_lines(), connected);
}

static void try_pair(struct kunit *test, enum situation situation,
		     enum xenbus_state state)
{
	const struct outcome *expected = &table[state][situation];
	struct tpmback_conn *before;
	bool was_connected;

	arrange(test, situation);
	before = back_conn();
	was_connected = before && tpmback_conn_is_connected(before);
	if (before)
		tpmback_conn_get(before);
	back_frontend(state);
	back_settle();
	KUNIT_EXPECT_EQ_MSG(test, back.xdev.state, expected->state,
			    "backend %s, frontend %d",
			    situation_names[situation], state);
	expect_fate(test, expected->fate, before, was_connected);
	if (before)
		tpmback_conn_put(before);
}

static const struct state_case {
	const char *name;
	enum situation situation;
} state_cases[] = {
	{ "waiting", WAITING }, { "accepted", ACCEPTED }, { "mapped", MAPPED },
	{ "connected", CONNECTED }, { "failed", FAILED },
	{ "closing", CLOSING }, { "closed", CLOSED },
};

static void state_name(const struct state_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(state, state_cases, state_name);

static void frontend_state(struct kunit *test)
{
	const struct state_case *c = test->param_value;
	int state;

	for (state = 0; state < ARRAY_SIZE(table); state++) {
		try_pair(test, c->situation, state);
		back_exit(test);
		back_init(test);
	}
}

/* What no xenbus knows. */
static void states_that_do_not_exist(struct kunit *test)
{
	static const int states[] = { -1, 9, 255, INT_MAX };
	int i;

	back_connect(test);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		back_frontend(states[i]);
		back_settle();
		KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateConnected);
		KUNIT_EXPECT_EQ(test, double_mappings(), 1);
	}
}

/* A frontend that resumed comes with another page, without a word of the old one. */
static void another_ring(struct kunit *test)
{
	struct tpmback_conn *before;

	back_connect(test);
	before = back_conn();
	tpmback_conn_get(before);
	store_set(BACK_FRONT_DIR, "event-channel", "%u", BACK_PORT + 1);
	back_frontend(XenbusStateInitialised);
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateInitWait);
	KUNIT_EXPECT_PTR_NE(test, back_conn(), before);
	KUNIT_EXPECT_EQ(test, double_mappings(), 0);
	tpmback_conn_put(before);
	back_close();
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_settle();
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateConnected);
	KUNIT_EXPECT_EQ(test, double_line(double_irq()).port, BACK_PORT + 1);
}

static void an_unreadable_ring_changes_nothing(struct kunit *test)
{
	back_connect(test);
	store_set(BACK_FRONT_DIR, "ring-ref", "x");
	back_frontend(XenbusStateConnected);
	back_settle();
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateConnected);
	KUNIT_EXPECT_EQ(test, double_mappings(), 1);
}

/* Values that the guest has written (B20). */
static const struct node_case {
	const char *name;
	const char *node;
	const char *value;	/* NULL: it is not there */
	int err;
} node_cases[] = {
	{ "no-version", "feature-protocol-v2", NULL, -EPROTONOSUPPORT },
	{ "version-0", "feature-protocol-v2", "0", -EPROTONOSUPPORT },
	{ "version-2", "feature-protocol-v2", "2", -EPROTONOSUPPORT },
	{ "version-word", "feature-protocol-v2", "one", -EPROTONOSUPPORT },
	{ "no-ring", "ring-ref", NULL, -EINVAL },
	{ "ring-word", "ring-ref", "ring", -EINVAL },
	{ "ring-empty", "ring-ref", "", -EINVAL },
	{ "ring-foreign", "ring-ref", "77", -EINVAL },
	{ "ring-huge", "ring-ref", "4294967295", -EINVAL },
	/* Each is 2^32 more than what is good. */
	{ "ring-wraps", "ring-ref", "4294967306", -EINVAL },
	{ "port-wraps", "event-channel", "4294967316", -EINVAL },
	{ "ring-and-more", "ring-ref", "10 or 11", -EINVAL },
	{ "no-port", "event-channel", NULL, -EINVAL },
	{ "port-word", "event-channel", "port", -EINVAL },
	{ "port-0", "event-channel", "0", -EINVAL },
	{ "port-huge", "event-channel", "4294967295", -EINVAL },
};

static_assert(BACK_GREF == 10 && BACK_PORT == 20);

static void node_name(const struct node_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(node, node_cases, node_name);

static void frontend_node(struct kunit *test)
{
	const struct node_case *c = test->param_value;

	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_write_nodes(false);
	if (c->value)
		store_set(BACK_FRONT_DIR, c->node, "%s", c->value);
	else
		store_rm(BACK_FRONT_DIR, c->node);
	back_frontend(XenbusStateInitialised);
	back_settle();
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateClosing);
	KUNIT_EXPECT_EQ(test, double_fatal(), c->err);
	KUNIT_EXPECT_PTR_EQ(test, back_conn(), NULL);
	KUNIT_EXPECT_EQ(test, double_mappings(), 0);
	KUNIT_EXPECT_EQ(test, double_lines(), 0);
	/* It is this device alone, and it may start anew. */
	back_write_nodes(false);
	back_close();
	back_frontend(XenbusStateInitialising);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_frontend(XenbusStateInitialised);
	back_settle();
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateConnected);
}

/*
 * The frontend has left the page that the store still names, and has set up the next link
 * before it learns that the device is closing because of that page.
 */
static void second_chance(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_write_nodes(false);
	store_set(BACK_FRONT_DIR, "ring-ref", "77");
	back_frontend(XenbusStateConnected);
	back_settle();
	KUNIT_ASSERT_EQ(test, back.xdev.state, XenbusStateClosing);
	KUNIT_EXPECT_EQ(test, double_fatal(), -EINVAL);
	back_close();
	back_write_nodes(false);
	back_frontend(XenbusStateInitialised);
	back_settle();
	KUNIT_ASSERT_EQ(test, back.xdev.state, XenbusStateClosing);
	back_frontend(XenbusStateClosed);
	KUNIT_ASSERT_EQ(test, back.xdev.state, XenbusStateClosed);
	back_settle();
	KUNIT_ASSERT_EQ(test, back.xdev.state, XenbusStateInitWait);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_frontend(XenbusStateInitialised);
	back_settle();
	KUNIT_ASSERT_EQ(test, back.xdev.state, XenbusStateConnected);
	/* One chance: a frontend that closes after a link that was good has reasons. */
	back_frontend(XenbusStateClosed);
	back_settle();
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateClosed);
}

/* Nothing is watched but what the toolstack alone can write (B4). */
static void the_watch_is_on_online(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	KUNIT_ASSERT_NOT_NULL(test, double_watch());
	KUNIT_EXPECT_STREQ(test, double_watch()->node, BACK_DIR "/online");
}

static const struct offline_case {
	const char *name;
	enum xenbus_state frontend;
	bool ends;		/* the backend acts by itself */
} offline_cases[] = {
	{ "never-there", XenbusStateUnknown, true },
	{ "initialising", XenbusStateInitialising, true },
	{ "initialised", XenbusStateInitialised, false },
	{ "connected", XenbusStateConnected, false },
	{ "closing", XenbusStateClosing, false },
	{ "closed", XenbusStateClosed, true },
};

static void offline_name(const struct offline_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(offline, offline_cases, offline_name);

static void offline(struct kunit *test)
{
	const struct offline_case *c = test->param_value;

	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	if (c->frontend != XenbusStateUnknown)
		back_frontend(c->frontend);
	back_online(false);
	KUNIT_EXPECT_EQ(test, double_unregistered(), c->ends);
	if (!c->ends)
		back_frontend(XenbusStateClosed);
	KUNIT_EXPECT_EQ(test, double_unregistered(), 1);
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateClosed);
	KUNIT_EXPECT_PTR_EQ(test, back_device(), NULL);
}

/* Removed under whoever has its descriptor open. */
static void remove_while_served(struct kunit *test)
{
	back_connect(test);
	back_submit(20);
	back_remove();
	KUNIT_EXPECT_EQ(test, double_mappings(), 0);
	KUNIT_EXPECT_EQ(test, double_lines(), 0);
	KUNIT_EXPECT_EQ(test, back_read(), 0);
	KUNIT_EXPECT_EQ(test, back_respond(20), -EPIPE);
	back_remove();
}

/* In the order that the guest relies on: unbound, then unmapped, then Closed. */
static void the_interrupt_after_the_end(struct kunit *test)
{
	unsigned int irq;

	back_connect(test);
	irq = double_irq();
	back_command(20);
	back_state(VTPM_STATE_SUBMIT);
	back_frontend(XenbusStateClosed);
	KUNIT_EXPECT_FALSE(test, double_fire(irq));
	KUNIT_EXPECT_EQ(test, back.page->state, VTPM_STATE_SUBMIT);
}

static void a_new_device_stays_in_initwait(struct kunit *test)
{
	unsigned long begun = jiffies;

	*double_initwait_ms = 200;
	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_write_nodes(false);
	back_frontend(XenbusStateInitialised);
	KUNIT_EXPECT_EQ(test, back.xdev.state, XenbusStateInitWait);
	KUNIT_EXPECT_GE(test, back_device()->connect_after,
			begun + msecs_to_jiffies(200));
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&back_device()->connect_work));
}

static struct kunit_case states_cases[] = {
	KUNIT_CASE_PARAM(frontend_state, state_gen_params),
	KUNIT_CASE(states_that_do_not_exist),
	KUNIT_CASE(another_ring),
	KUNIT_CASE(an_unreadable_ring_changes_nothing),
	KUNIT_CASE_PARAM(frontend_node, node_gen_params),
	KUNIT_CASE(second_chance),
	KUNIT_CASE(the_watch_is_on_online),
	KUNIT_CASE_PARAM(offline, offline_gen_params),
	KUNIT_CASE(remove_while_served),
	KUNIT_CASE(the_interrupt_after_the_end),
	KUNIT_CASE(a_new_device_stays_in_initwait),
	{}
};

static struct kunit_suite states_suite = {
	.name = "back-states",
	.init = back_init,
	.exit = back_exit,
	.test_cases = states_cases,
};
kunit_test_suite(states_suite);
