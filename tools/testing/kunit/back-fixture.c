// SPDX-License-Identifier: GPL-2.0-only
/* What the backend's tests share; see back-fixture.h. */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/unaligned.h>

#include "back-fixture.h"

/* Longer than any test takes. */
#define NEVER_MS	3600000

struct back back;

/* What commands are filled with, from a place that their length chooses. */
static u8 filling[VTPM_PACKET_MAX + 256];

/* The bus. */

struct tpmback_device *back_device(void)
{
	return dev_get_drvdata(&back.xdev.dev);
}

struct tpmback_conn *back_conn(void)
{
	return back_device() ? back_device()->conn : NULL;
}

/* Whoever is told Closed may take the pages away: they are unmapped by then. */
void back_check_state(struct xenbus_device *xdev, enum xenbus_state state)
{
	if (state == XenbusStateClosed && (double_mappings() || double_lines()))
		double_wrong("Closed with a page mapped or a channel bound");
}

int back_probe(void)
{
	memset(&back.xdev, 0, sizeof(back.xdev));
	back.xdev.nodename = BACK_DIR;
	back.xdev.otherend = BACK_FRONT_DIR;
	back.xdev.otherend_id = 1;
	back.xdev.state = XenbusStateInitialising;
	back.xdev.dev.init_name = "vtpm-1-0";
	return double_backend->probe(&back.xdev, double_backend->ids);
}

/* The bus says Closed in the driver's name. */
void back_remove(void)
{
	if (!double_backend)
		return;
	double_backend->remove(&back.xdev);
	back_check_state(&back.xdev, XenbusStateClosed);
	back.xdev.state = XenbusStateClosed;
}

/* What holds between any two steps. */
bool back_fits_together(void)
{
	struct tpmback_conn *conn = back_conn();
	bool connected = conn && tpmback_conn_is_connected(conn);

	return double_is_clean() && double_mappings() == connected &&
	       double_lines() == connected && double_ports() == connected &&
	       !!double_watch() == !!back_device() &&
	       (back.xdev.state != XenbusStateConnected || connected);
}

void back_frontend(enum xenbus_state state)
{
	if (back_device())
		double_backend->otherend_changed(&back.xdev, state);
}

/* The toolstack attaches or detaches the device. */
void back_online(bool online)
{
	struct xenbus_watch *watch = double_watch();

	store_set(BACK_DIR, "online", "%d", online);
	if (watch)
		watch->callback(watch, BACK_DIR "/online", "");
}

/* Waits for what the driver does by itself. */
void back_settle(void)
{
	if (back_device())
		flush_delayed_work(&back_device()->connect_work);
}

/* What a frontend has written when it goes Initialised. */
void back_write_nodes(bool extension)
{
	store_set(BACK_FRONT_DIR, "ring-ref", "%u", BACK_GREF);
	store_set(BACK_FRONT_DIR, "event-channel", "%u", BACK_PORT);
	store_set(BACK_FRONT_DIR, "feature-protocol-v2", "1");
	store_set(BACK_FRONT_DIR, "request-exactly-once", "%d", extension);
	back.page->nr_extra_pages = extension;
	/* Without an extra page the packet begins here. */
	if (extension)
		back.page->extra_pages[0] = BACK_GREF + 1;
}

/* The controller and the engine. */

long back_ioctl(unsigned int command, void *arg)
{
	return back.controller->f_op->unlocked_ioctl(back.controller, command,
						     (unsigned long)arg);
}

/* Accept the live connection by back.policy; returns the descriptor or an errno. */
int back_accept(void)
{
	back.policy.id = back_conn() ? back_conn()->id : 0;
	back.fd = back_ioctl(VTPM_IOC_ACCEPT, &back.policy);
	return back.fd;
}

void back_close(void)
{
	if (double_file(back.fd))
		double_close(back.fd);
	back.fd = -1;
}

ssize_t back_read(void)
{
	struct file *file = double_file(back.fd);
	loff_t pos = 0;

	memset(&back.request, 0, sizeof(back.request));
	back.body = back.policy.mode == VTPM_MODE_RAW ?
		    (u8 *)&back.request : back.request.body;
	back.got = file->f_op->read(file, (char __user *)&back.request,
				    sizeof(back.request), &pos);
	return back.got;
}

static ssize_t engine_write(const void *from, size_t size)
{
	struct file *file = double_file(back.fd);
	loff_t pos = 0;

	return file->f_op->write(file, (const char __user *)from, size, &pos);
}

ssize_t back_write(u64 sequence, const void *body, size_t length)
{
	back.out.header.sequence = sequence;
	back.out.header.length = length;
	back.out.header.reserved = 0;
	if (body != back.out.body)
		memcpy(back.out.body, body, length);
	return engine_write(&back.out, sizeof(back.out.header) + length);
}

ssize_t back_write_raw(const void *body, size_t length)
{
	return engine_write(body, length);
}

/* A response to what was read last, in either mode; its filling is its length. */
ssize_t back_respond(u32 length)
{
	memset(back.out.body, length & 0xff ?: 0xff, length);
	back_put_header(back.out.body, 0x8001, length, 0);
	if (back.policy.mode == VTPM_MODE_RAW)
		return back_write_raw(back.out.body, length);
	return back_write(back.request.header.sequence, back.out.body, length);
}

/* Read BEGIN, and give the frontend the session 0x5e 0x5e... at sequence 100. */
ssize_t back_answer_begin(void)
{
	struct vtpm_begin begin;

	if (back_read() != sizeof(back.request.header) + sizeof(begin) ||
	    back.request.header.kind != VTPM_REQUEST_BEGIN)
		return -ENOMSG;
	memcpy(&begin, back.body, sizeof(begin));
	begin.answered = 0;
	if (begin.resume == VTPM_RESUME_FRESH) {
		begin.sequence = 100;
		memset(begin.session, 0x5e, sizeof(begin.session));
	}
	return back_write(back.request.header.sequence, &begin, sizeof(begin));
}

__poll_t back_poll(void)
{
	struct file *file = double_file(back.fd);

	return file->f_op->poll(file, NULL);
}

/* What VTPM_IOC_NEXT says: &enum vtpm_connection_state. */
u32 back_connection_state(void)
{
	struct vtpm_info info = { .id = back_conn()->id - 1 };

	return back_ioctl(VTPM_IOC_NEXT, &info) ? U32_MAX : info.state;
}

/* The guest. */

u8 *back_packet(void)
{
	return (u8 *)back.page +
	       VTPM_PACKET_OFFSET(back.policy.features ? 1 : 0);
}

struct vtpm_trailer *back_trailer(void)
{
	return (struct vtpm_trailer *)((u8 *)back.page + VTPM_TRAILER_OFFSET);
}

void back_put_header(u8 *at, u16 tag, u32 length, u32 ordinal)
{
	put_unaligned_be16(tag, at);
	put_unaligned_be32(length, at + 2);
	put_unaligned_be32(ordinal, at + 6);
}

/* Put a good command of this length into the page, without a word to anybody. */
void back_command(u32 length)
{
	u8 header[TPM_COMMAND_HEADER];

	memcpy(back_packet(), filling + length % 256,
	       min_t(u32, length, VTPM_PACKET_MAX));
	back_put_header(header, BACK_TAG, length, BACK_ORDINAL);
	memcpy(back_packet(), header, sizeof(header));
	back.page->length = length;
	back.page->locality = 0;
	if (back.policy.features)
		back_trailer()->sequence++;
}

void back_state(u8 state)
{
	/* The packet comes first. */
	smp_wmb();
	WRITE_ONCE(back.page->state, state);
}

bool back_event(void)
{
	return double_fire(double_irq());
}

void back_submit(u32 length)
{
	back_command(length);
	back_state(VTPM_STATE_SUBMIT);
	back_event();
}

/* Whether the page holds just this error, and zeroes behind it. */
bool back_is_refused(u16 tag, u32 code)
{
	u32 capacity = back.policy.features ? VTPM_PACKET_MAX :
					      VTPM_PACKET_MAX_SINGLE;
	u8 expected[TPM_ERROR_RESPONSE];

	back_put_header(expected, tag, sizeof(expected), code);
	return back.page->state == VTPM_STATE_FINISH &&
	       back.page->length == sizeof(expected) &&
	       !memcmp(back_packet(), expected, sizeof(expected)) &&
	       !memchr_inv(back_packet() + sizeof(expected), 0,
			   capacity - sizeof(expected));
}

/* All of it. */

static void back_connect_by(struct kunit *test, u32 mode, u32 features)
{
	back.policy.mode = mode;
	back.policy.features = features;
	KUNIT_ASSERT_EQ(test, back_probe(), 0);
	KUNIT_ASSERT_EQ(test, back.xdev.state, XenbusStateInitWait);
	KUNIT_ASSERT_GE(test, back_accept(), 0);
	back_write_nodes(features);
	back_frontend(XenbusStateInitialised);
	back_settle();
	if (features)
		KUNIT_ASSERT_EQ(test, back_answer_begin(),
				sizeof(struct vtpm_response) +
				sizeof(struct vtpm_begin));
	back_settle();
	KUNIT_ASSERT_EQ(test, back.xdev.state, XenbusStateConnected);
	if (features)
		back_trailer()->answer = 0;
}

void back_connect(struct kunit *test)
{
	back_connect_by(test, VTPM_MODE_NATIVE, 0);
}

void back_connect_extended(struct kunit *test)
{
	back_connect_by(test, VTPM_MODE_NATIVE, BACK_EXTENDED);
}

void back_connect_raw(struct kunit *test)
{
	back_connect_by(test, VTPM_MODE_RAW, 0);
}

static void fill(void)
{
	size_t i;

	for (i = 0; i < sizeof(filling); i++)
		filling[i] = i * 7;
}

/* The init of each suite. */
int back_init(struct kunit *test)
{
	if (!filling[1])
		fill();
	double_begin(test);
	memset(&back, 0, sizeof(back));
	back.fd = -1;
	back.policy.localities = BIT(0);
	*double_initwait_ms = 0;
	*double_engine_timeout_ms = NEVER_MS;
	*double_handover_timeout_ms = NEVER_MS;
	double_hooks.on_state = back_check_state;
	KUNIT_ASSERT_EQ(test, double_tpmback_init(), 0);
	back.pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, 1);
	KUNIT_ASSERT_NOT_NULL(test, back.pages);
	back.page = page_address(back.pages);
	double_grant(BACK_GREF, back.pages);
	double_grant(BACK_GREF + 1, back.pages + 1);
	store_set(BACK_DIR, "handle", "0");
	store_set(BACK_DIR, "online", "1");
	store_set(BACK_DIR, "uuid", "01234567-89ab-cdef-0123-456789abcdef");
	back.controller = double_open(double_misc()->fops, O_NONBLOCK);
	KUNIT_ASSERT_FALSE(test, IS_ERR(back.controller));
	return 0;
}

/*
 * And the exit, also where the init did not come far. Removing a device that is not
 * bound does nothing, nor does it twice.
 */
void back_exit(struct kunit *test)
{
	double_fail_nth(0);
	back_remove();
	back_remove();
	back_close();
	if (!IS_ERR_OR_NULL(back.controller))
		double_release(back.controller);
	if (double_backend)
		double_tpmback_exit();
	if (back.pages)
		__free_pages(back.pages, 1);
	memset(&back, 0, sizeof(back));
	double_end(test);
}
