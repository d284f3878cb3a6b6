// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections: their making and their end, the list of all of them, and what the controller
 * is told of it.
 *
 * Events are not queued. Each connection remembers what the controller knows of it, and the next
 * event is whatever it does not know yet. So memory does not grow when
 * nobody reads: per device there is at most the live connection
 * and one that has ended but whose beginning was told.
 */
#include <linux/slab.h>

#include "tpmback.h"

/* Protects the list, the told_ flags in it, last_id and news. */
static DEFINE_MUTEX(connections_lock);
static LIST_HEAD(connections);		/* in the order of their ids */
static u64 last_id;
static bool news;	/* there may be an event; a hint for those who sleep */

DECLARE_WAIT_QUEUE_HEAD(tpmback_connections_wait);

static void conn_free(struct tpmback_conn *conn)
{
	kfree_sensitive(conn->incoming);
	kfree_sensitive(conn->response);
	kfree_sensitive(conn->command);
	tpmback_device_put(conn->dev);
	kfree_sensitive(conn);
}

static void conn_release(struct kref *ref)
{
	conn_free(container_of(ref, struct tpmback_conn, ref));
}

void tpmback_conn_get(struct tpmback_conn *conn)
{
	kref_get(&conn->ref);
}

void tpmback_conn_put(struct tpmback_conn *conn)
{
	kref_put(&conn->ref, conn_release);
}

static struct tpmback_conn *conn_alloc(struct tpmback_device *dev)
{
	struct tpmback_conn *conn = kzalloc(sizeof(*conn), GFP_KERNEL);

	if (!conn)
		return NULL;
	tpmback_device_get(dev);
	conn->dev = dev;
	conn->command = kzalloc(VTPM_MAX_TRANSFER, GFP_KERNEL);
	conn->response = kzalloc(VTPM_MAX_TRANSFER, GFP_KERNEL);
	conn->incoming = kzalloc(VTPM_MAX_TRANSFER, GFP_KERNEL);
	if (!conn->command || !conn->response || !conn->incoming) {
		conn_free(conn);
		return NULL;
	}
	kref_init(&conn->ref);
	spin_lock_init(&conn->lock);
	mutex_init(&conn->write_lock);
	init_waitqueue_head(&conn->wait);
	INIT_DELAYED_WORK(&conn->stall, tpmback_ring_stall);
	return conn;
}

/**
 * tpmback_conn_new() - begin a connection
 * @dev: the device, which has no live connection
 *
 * Context: process; may sleep. The device's lock is held.
 * Return: the connection, whose reference belongs to the device; NULL if
 * memory is short.
 */
struct tpmback_conn *tpmback_conn_new(struct tpmback_device *dev)
{
	struct tpmback_conn *conn = conn_alloc(dev);

	if (!conn)
		return NULL;
	mutex_lock(&connections_lock);
	conn->id = ++last_id;
	tpmback_conn_get(conn);
	list_add_tail(&conn->node, &connections);
	mutex_unlock(&connections_lock);
	tpmback_connections_notify();
	return conn;
}

static void conn_forget(struct tpmback_conn *conn)
{
	list_del(&conn->node);
	tpmback_conn_put(conn);
}

/**
 * tpmback_conn_end() - end a connection
 * @conn: a connection that is no longer connected
 *
 * Whoever holds its descriptor sees POLLHUP. Drops the device's reference.
 *
 * Context: process; may sleep. The device's lock is held.
 */
void tpmback_conn_end(struct tpmback_conn *conn)
{
	mutex_lock(&connections_lock);
	spin_lock_irq(&conn->lock);
	conn->gone = true;
	conn->request = REQUEST_NONE;
	conn->begin = REQUEST_NONE;
	spin_unlock_irq(&conn->lock);
	if (!conn->told_added)
		conn_forget(conn);
	mutex_unlock(&connections_lock);

	cancel_delayed_work_sync(&conn->stall);
	wake_up_interruptible_all(&conn->wait);
	tpmback_connections_notify();
	tpmback_conn_put(conn);
}

/**
 * tpmback_conn_is_accepted() - tell whether a descriptor of the connection is open
 * @conn: the connection
 *
 * Context: any but the connection's lock held.
 */
bool tpmback_conn_is_accepted(struct tpmback_conn *conn)
{
	unsigned long flags;
	bool accepted;

	spin_lock_irqsave(&conn->lock, flags);
	accepted = conn->accepted;
	spin_unlock_irqrestore(&conn->lock, flags);
	return accepted;
}

/**
 * tpmback_conn_is_connected() - tell whether the frontend's page is mapped
 * @conn: the connection
 *
 * Context: any but the connection's lock held.
 */
bool tpmback_conn_is_connected(struct tpmback_conn *conn)
{
	unsigned long flags;
	bool connected;

	spin_lock_irqsave(&conn->lock, flags);
	connected = conn->page;
	spin_unlock_irqrestore(&conn->lock, flags);
	return connected;
}

/**
 * tpmback_conn_is_begun() - tell whether an engine knows of the frontend
 * @conn: the connection
 *
 * Context: any but the connection's lock held.
 */
bool tpmback_conn_is_begun(struct tpmback_conn *conn)
{
	unsigned long flags;
	bool begun;

	spin_lock_irqsave(&conn->lock, flags);
	begun = conn->page && conn->begun;
	spin_unlock_irqrestore(&conn->lock, flags);
	return begun;
}

/**
 * tpmback_conn_is_at_fault() - tell whether the frontend has broken the protocol
 * @conn: the connection
 *
 * Context: any but the connection's lock held.
 * Return: whether there was something that went into the log.
 */
bool tpmback_conn_is_at_fault(struct tpmback_conn *conn)
{
	unsigned long flags;
	bool fault;

	spin_lock_irqsave(&conn->lock, flags);
	fault = conn->parked || conn->logged & ~BIT(TPM_VERDICT_UNSERVED);
	spin_unlock_irqrestore(&conn->lock, flags);
	return fault;
}

/**
 * tpmback_conn_features() - tell what the frontend may use
 * @conn: a connection that has been accepted
 *
 * Context: any but the connection's lock held.
 * Return: VTPM_FEATURE_*.
 */
u32 tpmback_conn_features(struct tpmback_conn *conn)
{
	unsigned long flags;
	u32 features;

	spin_lock_irqsave(&conn->lock, flags);
	features = conn->features;
	spin_unlock_irqrestore(&conn->lock, flags);
	return features;
}

/**
 * tpmback_connections_find() - look a connection up
 * @id: its number
 *
 * Context: process; may sleep.
 * Return: the connection, referenced; NULL if there is none or it has ended.
 */
struct tpmback_conn *tpmback_connections_find(u64 id)
{
	struct tpmback_conn *conn, *found = NULL;

	mutex_lock(&connections_lock);
	list_for_each_entry(conn, &connections, node) {
		if (conn->id == id && !READ_ONCE(conn->gone)) {
			tpmback_conn_get(conn);
			found = conn;
			break;
		}
	}
	mutex_unlock(&connections_lock);
	return found;
}

static void conn_describe(struct tpmback_conn *conn, struct vtpm_info *info)
{
	memset(info, 0, sizeof(*info));
	info->id = conn->id;
	info->domid = conn->dev->domid;
	info->handle = conn->dev->handle;
	export_uuid(info->uuid, &conn->dev->uuid);

	spin_lock_irq(&conn->lock);
	if (conn->parked)
		info->state = VTPM_CONNECTION_PARKED;
	else if (conn->page)
		info->state = VTPM_CONNECTION_CONNECTED;
	info->accepted = conn->accepted;
	info->mode = conn->accepted ? conn->mode : 0;
	info->localities = conn->accepted ? conn->localities : 0;
	info->features = conn->hello.features;
	info->capacity = conn->capacity;
	info->commands = conn->stats.commands;
	info->responses = conn->stats.responses;
	info->refused = conn->stats.refused;
	info->failed = conn->stats.failed;
	info->cancelled = conn->stats.cancelled;
	spin_unlock_irq(&conn->lock);
}

/**
 * tpmback_connections_info() - describe the live connection with the next higher id
 * @info: in: the id that the last call returned, or 0; out: all of it
 *
 * Context: process; may sleep.
 * Return: 0, or -ENOENT if there is none.
 */
int tpmback_connections_info(struct vtpm_info *info)
{
	struct tpmback_conn *conn;
	int err = -ENOENT;

	mutex_lock(&connections_lock);
	list_for_each_entry(conn, &connections, node) {
		if (conn->id > info->id && !READ_ONCE(conn->gone)) {
			conn_describe(conn, info);
			err = 0;
			break;
		}
	}
	mutex_unlock(&connections_lock);
	return err;
}

static void connections_news(void)
{
	WRITE_ONCE(news, true);
	wake_up_interruptible(&tpmback_connections_wait);
}

/**
 * tpmback_connections_notify() - let the controller look for events
 *
 * Context: process; may sleep.
 */
void tpmback_connections_notify(void)
{
	mutex_lock(&connections_lock);
	connections_news();
	mutex_unlock(&connections_lock);
}

/**
 * tpmback_connections_wait_for_news() - sleep until there may be an event
 *
 * Context: process; may sleep.
 * Return: 0, or -ERESTARTSYS if a signal came first.
 */
int tpmback_connections_wait_for_news(void)
{
	return wait_event_interruptible(tpmback_connections_wait, READ_ONCE(news));
}

/* What the controller does not know yet of this connection, or 0. */
static u32 conn_untold(struct tpmback_conn *conn)
{
	if (READ_ONCE(conn->gone))
		return conn->told_added ? VTPM_EVENT_GONE : 0;
	if (!conn->told_added)
		return VTPM_EVENT_ADDED;
	if (!conn->told_ready && tpmback_conn_is_begun(conn))
		return VTPM_EVENT_READY;
	return 0;
}

/**
 * tpmback_connections_have_event() - tell whether there is something to read
 *
 * Context: process; may sleep.
 */
bool tpmback_connections_have_event(void)
{
	struct tpmback_conn *conn;
	bool have = false;

	mutex_lock(&connections_lock);
	list_for_each_entry(conn, &connections, node)
		have |= conn_untold(conn) != 0;
	mutex_unlock(&connections_lock);
	return have;
}

static void conn_event(struct tpmback_conn *conn, u32 type,
		       struct vtpm_event *event)
{
	memset(event, 0, sizeof(*event));
	event->type = type;
	event->id = conn->id;
	event->domid = conn->dev->domid;
	event->handle = conn->dev->handle;
	export_uuid(event->uuid, &conn->dev->uuid);
	if (type != VTPM_EVENT_READY)
		return;
	spin_lock_irq(&conn->lock);
	event->features = conn->hello.features;
	event->resume = conn->hello.resume;
	event->sequence = conn->hello.sequence;
	memcpy(event->session, conn->hello.session, sizeof(event->session));
	event->capacity = conn->capacity;
	spin_unlock_irq(&conn->lock);
}

static void conn_tell(struct tpmback_conn *conn, u32 type)
{
	if (type == VTPM_EVENT_ADDED)
		conn->told_added = true;
	else if (type == VTPM_EVENT_READY)
		conn->told_ready = true;
	else
		conn_forget(conn);
}

/**
 * tpmback_connections_next_event() - get the next event, and take it as told
 * @event: the event is written here
 *
 * Context: process; may sleep.
 * Return: the connection, referenced, for tpmback_connections_untell(); NULL if there is
 * no event.
 */
struct tpmback_conn *tpmback_connections_next_event(struct vtpm_event *event)
{
	struct tpmback_conn *conn, *found = NULL;
	u32 type;

	mutex_lock(&connections_lock);
	list_for_each_entry(conn, &connections, node) {
		type = conn_untold(conn);
		if (type) {
			tpmback_conn_get(conn);
			conn_event(conn, type, event);
			conn_tell(conn, type);
			found = conn;
			break;
		}
	}
	if (!found)
		WRITE_ONCE(news, false);
	mutex_unlock(&connections_lock);
	return found;
}

/**
 * tpmback_connections_untell() - take tpmback_connections_next_event() back
 * @conn: what it returned
 * @type: type of the event that did not reach the controller
 *
 * Context: process; may sleep.
 */
void tpmback_connections_untell(struct tpmback_conn *conn, u32 type)
{
	mutex_lock(&connections_lock);
	if (type == VTPM_EVENT_GONE) {
		tpmback_conn_get(conn);
		list_add(&conn->node, &connections);
	} else if (type == VTPM_EVENT_READY) {
		conn->told_ready = false;
	} else {
		conn->told_added = false;
		if (READ_ONCE(conn->gone))
			conn_forget(conn);
	}
	connections_news();
	mutex_unlock(&connections_lock);
}

/**
 * tpmback_connections_forget() - a controller has gone: the next one knows nothing
 *
 * Context: process; may sleep.
 */
void tpmback_connections_forget(void)
{
	struct tpmback_conn *conn, *next;

	mutex_lock(&connections_lock);
	list_for_each_entry_safe(conn, next, &connections, node) {
		conn->told_added = false;
		conn->told_ready = false;
		if (READ_ONCE(conn->gone))
			conn_forget(conn);
	}
	connections_news();
	mutex_unlock(&connections_lock);
}
