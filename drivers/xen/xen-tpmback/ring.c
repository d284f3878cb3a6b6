// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shared page: takes requests from it and puts answers into it.
 *
 * The other side is a guest and may write the page at any time, also while it is
 * being read here. So each field is read once, the packet is copied once, and
 * only the copies are looked at. Nothing that is read back from the page
 * decides about memory: offsets and sizes are fixed when connecting.
 *
 * All of it runs under the connection's lock, mostly in the interrupt.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/string.h>

#include <xen/events.h>

#include "tpmback.h"

static unsigned int engine_timeout_ms = 10000;
module_param(engine_timeout_ms, uint, 0644);
MODULE_PARM_DESC(engine_timeout_ms,
		 "How long a command waits for an engine when none serves the vTPM, in ms (10000)");

static unsigned int handover_timeout_ms = 60000;
module_param(handover_timeout_ms, uint, 0644);
MODULE_PARM_DESC(handover_timeout_ms,
		 "The same with the exactly-once extension, where a command that an engine has left behind waits for the next one, in ms (60000)");

static u8 *ring_packet(struct tpmback_conn *conn)
{
	return (u8 *)conn->page + VTPM_PACKET_OFFSET(conn->extended ? 1 : 0);
}

/* Only with the extension: the trailer is in a second page. */
static struct vtpm_trailer *ring_trailer(struct tpmback_conn *conn)
{
	return (struct vtpm_trailer *)((u8 *)conn->page + VTPM_TRAILER_OFFSET);
}

/*
 * Without the barrier the compiler may take a later look at the copy for a look at the
 * page, which is not the same thing.
 */
static void ring_copy(void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	barrier();
}

/* The one place where something becomes visible to the guest. */
static void ring_publish(struct tpmback_conn *conn, u8 state)
{
	/* The packet comes before the state; pairs with the reader's virt_rmb(). */
	virt_wmb();
	WRITE_ONCE(conn->page->state, state);
	conn->published = state;
	notify_remote_via_irq(conn->irq);
}

/*
 * What the response does not fill is zeroed, so that nothing of an earlier packet
 * stays in the page.
 */
static void ring_publish_response(struct tpmback_conn *conn)
{
	u8 *packet = ring_packet(conn);
	u32 length = conn->response_length;

	memcpy(packet, conn->response, length);
	memset(packet + length, 0, conn->capacity - length);
	WRITE_ONCE(conn->page->length, length);
	ring_publish(conn, VTPM_STATE_FINISH);
}

/*
 * A response that is not the TPM's says so: a frontend that counts what the TPM has
 * answered leaves it out.
 */
static void ring_disown_response(struct tpmback_conn *conn)
{
	if (conn->extended && conn->page)
		WRITE_ONCE(ring_trailer(conn)->sequence, 0);
}

static void ring_finish(struct tpmback_conn *conn)
{
	conn->request = REQUEST_NONE;
	conn->cancel = false;
	if (conn->page)
		ring_publish_response(conn);
}

static void ring_drop(struct tpmback_conn *conn)
{
	conn->request = REQUEST_NONE;
	conn->cancel = false;
	ring_publish(conn, VTPM_STATE_IDLE);
}

/* Say once per connection and cause what a guest did, and what came of it. */
static void ring_log(struct tpmback_conn *conn, enum tpm_verdict verdict)
{
	if (__test_and_set_bit(verdict, &conn->logged))
		return;
	pr_notice("domain %u, vTPM %pUb: command of %u bytes answered with a TPM error, because %s; more of these are not logged\n",
		  conn->dev->domid, &conn->dev->uuid, conn->length,
		  tpmback_verdict_name(verdict));
}

static void ring_refuse(struct tpmback_conn *conn, enum tpm_verdict verdict)
{
	tpmback_command_error(conn->response, conn->command,
			      min(conn->length, conn->capacity), verdict);
	conn->response_length = TPM_ERROR_RESPONSE;
	if (verdict == TPM_VERDICT_UNSERVED)
		conn->stats.failed++;
	else
		conn->stats.refused++;
	ring_log(conn, verdict);
	ring_disown_response(conn);
	ring_finish(conn);
}

static void ring_arm_stall(struct tpmback_conn *conn)
{
	unsigned int ms = conn->extended ? handover_timeout_ms :
					   engine_timeout_ms;

	if (!conn->accepted && !conn->gone)
		mod_delayed_work(system_wq, &conn->stall, msecs_to_jiffies(ms));
}

/* Returns whether a command was taken that somebody is going to execute. */
static bool ring_take(struct tpmback_conn *conn)
{
	enum tpm_verdict verdict = TPM_VERDICT_SIZE;

	/* The state comes before the packet; pairs with the writer's virt_wmb(). */
	virt_rmb();
	conn->length = READ_ONCE(conn->page->length);
	conn->locality = READ_ONCE(conn->page->locality);
	ring_copy(conn->command, ring_packet(conn),
		  min(conn->length, conn->capacity));
	conn->kind = VTPM_REQUEST_COMMAND;
	if (conn->extended)
		conn->sequence = READ_ONCE(ring_trailer(conn)->sequence);
	if (conn->length <= conn->capacity)
		verdict = tpmback_command_check(conn->command, conn->length,
						conn->locality, conn->localities);
	if (verdict != TPM_VERDICT_GOOD) {
		ring_refuse(conn, verdict);
		return false;
	}
	if (!conn->extended)
		conn->sequence++;
	conn->stats.commands++;
	conn->raw = RAW_COMMAND;
	conn->request = REQUEST_PENDING;
	ring_arm_stall(conn);
	wake_up_interruptible(&conn->wait);
	return true;
}

/* A control word that has not been carried out is a request without a packet. */
static bool ring_take_control(struct tpmback_conn *conn)
{
	u32 control;

	if (!conn->extended || conn->request != REQUEST_NONE)
		return false;
	control = READ_ONCE(ring_trailer(conn)->control);
	if (control == conn->control)
		return false;
	if (control == VTPM_CONTROL_QUIESCE)
		conn->kind = VTPM_REQUEST_QUIESCE;
	else if (control == VTPM_CONTROL_CONTINUE)
		conn->kind = VTPM_REQUEST_CONTINUE;
	else
		return false;
	conn->control = control;
	conn->length = 0;
	conn->locality = 0;
	conn->request = REQUEST_PENDING;
	ring_arm_stall(conn);
	wake_up_interruptible(&conn->wait);
	return true;
}

/*
 * A CANCEL without a command: it has overwritten either a FINISH, whose response is
 * still in the page and is published again, or a SUBMIT that was never seen.
 */
static bool ring_page_has_response(struct tpmback_conn *conn)
{
	return conn->published == VTPM_STATE_FINISH &&
	       READ_ONCE(conn->page->length) == conn->response_length &&
	       !memcmp(ring_packet(conn), conn->response,
		       conn->response_length);
}

/* Whether an engine may have executed the command, although none has answered it. */
static bool ring_was_handed_out(struct tpmback_conn *conn)
{
	return conn->extended && conn->hello.sequence >= conn->sequence;
}

/* Returns whether this is news. */
static bool ring_cancel(struct tpmback_conn *conn)
{
	if (conn->request == REQUEST_NONE) {
		if (ring_page_has_response(conn))
			ring_publish_response(conn);
		else
			ring_drop(conn);
		return false;
	}
	if (conn->kind != VTPM_REQUEST_COMMAND || conn->cancel)
		return false;
	conn->stats.cancelled++;
	if (conn->request == REQUEST_PENDING && !ring_was_handed_out(conn)) {
		ring_drop(conn);
		return true;
	}
	conn->cancel = true;
	wake_up_interruptible(&conn->wait);
	return true;
}

static void ring_park(struct tpmback_conn *conn, u8 state)
{
	conn->parked = true;
	pr_notice("domain %u, vTPM %pUb: the frontend wrote state %u, which does not exist; nothing is taken from it until it starts anew\n",
		  conn->dev->domid, &conn->dev->uuid, state);
}

/* Returns whether the event had a cause. */
static bool ring_look(struct tpmback_conn *conn)
{
	u8 state = READ_ONCE(conn->page->state);

	switch (state) {
	case VTPM_STATE_IDLE:
	case VTPM_STATE_FINISH:
		return ring_take_control(conn);
	case VTPM_STATE_SUBMIT:
		return conn->request == REQUEST_NONE && ring_take(conn);
	case VTPM_STATE_CANCEL:
		return ring_cancel(conn);
	default:
		ring_park(conn, state);
		return false;
	}
}

/**
 * tpmback_ring_event() - see what the frontend has written
 * @conn: the connection
 * @irq: of its event channel, through which it is answered
 * @parked: out: nothing is taken from the frontend any more
 *
 * Context: interrupt.
 * Return: whether there was a request that somebody is going to execute, or the end of one.
 */
bool tpmback_ring_event(struct tpmback_conn *conn, unsigned int irq, bool *parked)
{
	unsigned long flags;
	bool news;

	spin_lock_irqsave(&conn->lock, flags);
	conn->irq = irq;
	news = conn->page && !conn->parked && ring_look(conn);
	*parked = conn->parked;
	spin_unlock_irqrestore(&conn->lock, flags);
	return news;
}

/**
 * tpmback_ring_first_look() - see what else a frontend has granted
 * @page: its page, mapped for this
 * @gref: out: the grant reference of the first extra page
 *
 * Context: any.
 * Return: how many extra pages there are, by its word.
 */
u8 tpmback_ring_first_look(const struct vtpm_shared_page *page, grant_ref_t *gref)
{
	*gref = READ_ONCE(page->extra_pages[0]);
	return READ_ONCE(page->nr_extra_pages);
}

/* What the frontend says of its past; read once, before it is let in. */
static void ring_read_hello(struct tpmback_conn *conn)
{
	struct vtpm_begin *hello = &conn->hello;
	struct vtpm_trailer *trailer;
	u64 unanswered;

	memset(hello, 0, sizeof(*hello));
	if (!conn->extended)
		return;
	trailer = ring_trailer(conn);
	hello->features = VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES;
	ring_copy(hello->session, trailer->session, sizeof(hello->session));
	if (!memchr_inv(hello->session, 0, sizeof(hello->session)))
		return;
	hello->resume = VTPM_RESUME_SESSION;
	hello->sequence = READ_ONCE(trailer->sequence);
	unanswered = READ_ONCE(trailer->answer);
	hello->answered = hello->sequence - min(hello->sequence, unanswered);
}

/* Who is not offered the extension is let in without a word from the engine. */
static void ring_expect_begin(struct tpmback_conn *conn)
{
	if (!conn->page)
		return;
	if (conn->features)
		conn->begin = REQUEST_PENDING;
	else
		conn->begun = true;
}

/*
 * The answer to BEGIN. A frontend that is not connected yet finds session and
 * sequence in the trailer; for one that is, another engine has just taken over.
 */
static void ring_begin(struct tpmback_conn *conn)
{
	struct vtpm_begin *answer = (struct vtpm_begin *)conn->incoming;
	struct vtpm_trailer *trailer;

	conn->begin = REQUEST_NONE;
	if (conn->extended && !conn->begun) {
		trailer = ring_trailer(conn);
		memcpy(trailer->session, answer->session,
		       sizeof(trailer->session));
		memcpy(conn->hello.session, answer->session,
		       sizeof(conn->hello.session));
		if (conn->hello.resume == VTPM_RESUME_FRESH) {
			WRITE_ONCE(trailer->sequence, answer->sequence);
			conn->hello.sequence = answer->sequence;
			conn->hello.answered = answer->sequence;
		}
		conn->hello.resume = VTPM_RESUME_SESSION;
	}
	conn->begun = true;
	wake_up_interruptible(&conn->wait);
}

static void ring_control_done(struct tpmback_conn *conn)
{
	conn->request = REQUEST_NONE;
	WRITE_ONCE(ring_trailer(conn)->answer, conn->control);
	/* Seen before the event. */
	virt_wmb();
	notify_remote_via_irq(conn->irq);
	/* A command may have been handed in meanwhile. */
	ring_look(conn);
}

/**
 * tpmback_ring_open() - begin to use the frontend's pages
 * @conn: a connection without pages, of which it is known whether it is extended
 * @page: its pages, mapped side by side
 *
 * They are not cleared: a frontend may have submitted a command already.
 *
 * Context: process. The device's lock is held.
 */
void tpmback_ring_open(struct tpmback_conn *conn, struct vtpm_shared_page *page)
{
	spin_lock_irq(&conn->lock);
	conn->page = page;
	conn->capacity = conn->extended ? VTPM_PACKET_MAX :
					  VTPM_PACKET_MAX_SINGLE;
	ring_read_hello(conn);
	spin_unlock_irq(&conn->lock);
}

/**
 * tpmback_ring_bound() - the event channel of a connection is there
 * @conn: a connection after tpmback_ring_open()
 * @irq: of the event channel
 *
 * Context: process. The device's lock is held.
 */
void tpmback_ring_bound(struct tpmback_conn *conn, unsigned int irq)
{
	spin_lock_irq(&conn->lock);
	conn->irq = irq;
	ring_expect_begin(conn);
	spin_unlock_irq(&conn->lock);
	wake_up_interruptible(&conn->wait);
}

/**
 * tpmback_ring_close() - undo tpmback_ring_open()
 * @conn: the connection; the interrupt may still come, and finds nothing
 *
 * Context: process. The device's lock is held.
 * Return: the pages, to be unmapped; NULL if there were none.
 */
void *tpmback_ring_close(struct tpmback_conn *conn)
{
	void *page;

	spin_lock_irq(&conn->lock);
	page = conn->page;
	conn->page = NULL;
	conn->capacity = 0;
	spin_unlock_irq(&conn->lock);
	return page;
}

/**
 * tpmback_ring_handed_out() - an engine has got the command
 * @conn: the connection, whose lock is held
 *
 * From here on nobody but an engine can say what became of it.
 */
void tpmback_ring_handed_out(struct tpmback_conn *conn)
{
	if (conn->extended && conn->kind == VTPM_REQUEST_COMMAND &&
	    conn->sequence > conn->hello.sequence)
		conn->hello.sequence = conn->sequence;
}

/* Whether what the engine has written has the form of what it answers. */
static bool ring_form_is_good(struct tpmback_conn *conn, u32 length)
{
	struct vtpm_begin *answer = (struct vtpm_begin *)conn->incoming;

	if (conn->begin == REQUEST_DELIVERED)
		return length == sizeof(*answer) &&
		       answer->features == conn->hello.features &&
		       answer->resume == conn->hello.resume &&
		       !answer->answered;
	if (conn->request == REQUEST_DELIVERED &&
	    conn->kind != VTPM_REQUEST_COMMAND)
		return !length;
	return tpmback_response_check(conn->incoming, length);
}

static int ring_may_answer(struct tpmback_conn *conn, u32 length)
{
	if (!ring_form_is_good(conn, length))
		return -EBADMSG;
	if (conn->gone)
		return -EPIPE;
	if (conn->begin != REQUEST_DELIVERED &&
	    conn->request != REQUEST_DELIVERED)
		return -ESTALE;
	/* The frontend is just going. */
	if (!conn->page)
		return -EPIPE;
	return length > conn->capacity ? -EMSGSIZE : 0;
}

static void ring_respond(struct tpmback_conn *conn, u32 length)
{
	swap(conn->incoming, conn->response);
	conn->response_length = length;
	conn->stats.responses++;
	if (conn->extended)
		conn->hello.answered = conn->sequence;
	ring_finish(conn);
	/* A control word may have been written meanwhile. */
	ring_take_control(conn);
}

static void ring_take_answer(struct tpmback_conn *conn, u32 length)
{
	if (conn->begin == REQUEST_DELIVERED)
		ring_begin(conn);
	else if (conn->kind != VTPM_REQUEST_COMMAND)
		ring_control_done(conn);
	else
		ring_respond(conn, length);
}

/*
 * BEGIN is not part of the guest's count, in which the guest can go on before BEGIN has been
 * answered.
 */
static u64 ring_sequence(struct tpmback_conn *conn)
{
	return conn->begin == REQUEST_DELIVERED ? 0 : conn->sequence;
}

/**
 * tpmback_ring_answer() - take an engine's answer to what it has read
 * @conn: the connection, whose write_lock is held; the answer is in its
 *	incoming buffer
 * @sequence: of the request that is answered
 * @length: bytes of the answer
 *
 * Context: process.
 * Return: 0; -EBADMSG, -EPIPE, -ESTALE or -EMSGSIZE as &struct vtpm_response says.
 */
int tpmback_ring_answer(struct tpmback_conn *conn, u64 sequence, u32 length)
{
	int err;

	spin_lock_irq(&conn->lock);
	err = ring_may_answer(conn, length);
	if (!err && sequence != ring_sequence(conn))
		err = -ESTALE;
	if (!err)
		ring_take_answer(conn, length);
	spin_unlock_irq(&conn->lock);
	return err;
}

/* The engine has said whether it took the locality: go on with the command. */
static void ring_locality_set(struct tpmback_conn *conn)
{
	if (!tpmback_response_is_success(conn->incoming)) {
		ring_refuse(conn, TPM_VERDICT_LOCALITY);
		return;
	}
	conn->raw_locality = conn->locality;
	conn->raw = RAW_COMMAND;
	if (conn->cancel) {
		ring_drop(conn);
		return;
	}
	conn->request = REQUEST_PENDING;
	wake_up_interruptible(&conn->wait);
}

/**
 * tpmback_ring_answer_raw() - take a response from the engine of a raw connection
 * @conn: as for tpmback_ring_answer()
 * @length: bytes of the response
 *
 * The response may be that to the locality command, which the frontend never sees.
 *
 * Context: process.
 * Return: 0; -EPIPE, -ESTALE or -EMSGSIZE as &struct vtpm_response says.
 */
int tpmback_ring_answer_raw(struct tpmback_conn *conn, u32 length)
{
	int err;

	spin_lock_irq(&conn->lock);
	err = ring_may_answer(conn, length);
	if (!err && conn->raw == RAW_LOCALITY)
		ring_locality_set(conn);
	else if (!err)
		ring_respond(conn, length);
	spin_unlock_irq(&conn->lock);
	return err;
}

/**
 * tpmback_ring_serve() - a descriptor of a connection is being opened
 * @conn: the connection
 * @policy: what the controller asks for; it has been checked
 *
 * A request that waits for an engine must fit the new policy too.
 *
 * Context: process.
 * Return: 0; -ENOENT, the connection has ended; -EBUSY, it has a descriptor; -EINVAL, its
 * frontend uses features that the policy does not have.
 */
int tpmback_ring_serve(struct tpmback_conn *conn, const struct vtpm_accept *policy)
{
	int err = 0;

	spin_lock_irq(&conn->lock);
	if (conn->gone) {
		err = -ENOENT;
	} else if (conn->accepted) {
		err = -EBUSY;
	} else if (conn->page && conn->extended && !policy->features) {
		err = -EINVAL;
	} else {
		conn->accepted = true;
		conn->mode = policy->mode;
		conn->localities = policy->localities;
		conn->features = policy->features;
		ring_expect_begin(conn);
		conn->raw_locality = 0;
		if (conn->request == REQUEST_PENDING && conn->page &&
		    conn->kind == VTPM_REQUEST_COMMAND &&
		    !(conn->localities & BIT(conn->locality)))
			ring_refuse(conn, TPM_VERDICT_LOCALITY);
	}
	spin_unlock_irq(&conn->lock);
	return err;
}

/**
 * tpmback_ring_unserve() - the descriptor of a connection was closed
 * @conn: the connection
 *
 * A request that somebody has read is failed at once: whether it was executed is
 * not known, so nobody may get it again. One that nobody has read waits for
 * the next engine. With the extension both do: by its sequence the next engine
 * knows what became of it.
 *
 * Context: process.
 */
void tpmback_ring_unserve(struct tpmback_conn *conn)
{
	spin_lock_irq(&conn->lock);
	conn->accepted = false;
	conn->begin = REQUEST_NONE;
	if (conn->request == REQUEST_DELIVERED && conn->extended)
		conn->request = REQUEST_PENDING;
	if (conn->request == REQUEST_DELIVERED)
		ring_refuse(conn, TPM_VERDICT_UNSERVED);
	else if (conn->request == REQUEST_PENDING)
		ring_arm_stall(conn);
	spin_unlock_irq(&conn->lock);
}

/**
 * tpmback_ring_stall() - fail a request that has waited too long for an engine
 * @work: the connection's stall work
 *
 * It is armed when a request is taken and when a descriptor is closed; nothing
 * that the guest does meanwhile can put it off.
 *
 * Context: work queue.
 */
void tpmback_ring_stall(struct work_struct *work)
{
	struct tpmback_conn *conn = container_of(to_delayed_work(work),
						 struct tpmback_conn, stall);

	spin_lock_irq(&conn->lock);
	if (conn->request == REQUEST_PENDING && !conn->accepted && conn->page) {
		if (conn->kind == VTPM_REQUEST_COMMAND)
			ring_refuse(conn, TPM_VERDICT_UNSERVED);
		else
			conn->request = REQUEST_NONE;
	}
	spin_unlock_irq(&conn->lock);
}
