/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xen-tpmback: what its parts share.
 *
 * xenbus.c       the devices: probe, state changes, connect, remove
 * connection.c   the life of a connection, and the list of all of them
 * link.c         the frontend's pages and event channel: map, bind, and let go
 * ring.c         the request in the shared page; the only file that touches it
 * command.c      checks on TPM commands
 * chardev.c      /dev/vtpm
 * connfd.c       the descriptors that /dev/vtpm hands out
 *
 * Lifetimes. A device lives from probe to remove. It has at most one live connection,
 * which begins when the device enters InitWait and ends when the
 * frontend leaves, restarts, or the device is removed. A connection is
 * counted: the device, the list and the open descriptor hold one reference each. A connection
 * holds a reference on its device, so that its connect work can be queued
 * by whoever accepts it.
 *
 * Locks, outermost first:
 *   tpmback_device.lock (mutex): device state, connect and disconnect
 *   connections_lock (mutex): the list and what the controller has been told
 *   tpmback_conn.lock (spinlock, irqs off): the page, the request, its answer
 * tpmback_conn.write_lock (a mutex) lets one writer of a descriptor copy at a
 * time; only connfd.c takes it, before all of the above. One reader at a time is
 * what REQUEST_READING is for. No lock that xenwatch or the interrupt takes is
 * held while user memory is touched.
 */
#ifndef _XEN_TPMBACK_H
#define _XEN_TPMBACK_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/uuid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <xen/grant_table.h>
#include <xen/interface/io/tpmif.h>
#include <xen/vtpm.h>
#include <xen/xenbus.h>

#include "command.h"

/**
 * struct tpmback_device - one vTPM device of one domain
 * @ref: the xenbus device and every connection hold one
 * @lock: protects all below
 * @xdev: the xenbus device; NULL once it was removed
 * @conn: the live connection, or NULL
 * @frontend_state: what the frontend was last seen in
 * @online_watch: on the node with which the toolstack says that it detaches
 * @connect_work: maps and binds when all conditions are met, or starts anew
 * @connect_after: not before this time, in jiffies
 * @link_failed: the last frontend's page or event channel could not be had
 * @faults: how often the frontend has misbehaved lately
 * @fault_time: when it last did, in jiffies
 * @gref: grant reference of the page of the live connection, once connected
 * @port: likewise the port of its event channel
 * @uuid: the vTPM; fixed
 * @domid: the frontend's domain; fixed
 * @handle: number within the domain; fixed
 */
struct tpmback_device {
	struct kref ref;
	struct mutex lock;
	struct xenbus_device *xdev;
	struct tpmback_conn *conn;
	enum xenbus_state frontend_state;
	struct xenbus_watch online_watch;
	struct delayed_work connect_work;
	unsigned long connect_after;
	bool link_failed;
	unsigned int faults;
	unsigned long fault_time;
	grant_ref_t gref;
	evtchn_port_t port;
	uuid_t uuid;
	u32 domid;
	u32 handle;
};

/**
 * enum tpmback_request - where the one request of a connection is
 * @REQUEST_NONE: there is none; of BEGIN: it is over, or never was
 * @REQUEST_PENDING: taken from the page, nobody has read it
 * @REQUEST_READING: a reader is copying it; the buffer must not change
 * @REQUEST_DELIVERED: read, to be answered
 */
enum tpmback_request {
	REQUEST_NONE,
	REQUEST_PENDING,
	REQUEST_READING,
	REQUEST_DELIVERED,
};

/**
 * enum tpmback_raw - which packet of a request a raw connection is at
 * @RAW_COMMAND: the command itself
 * @RAW_LOCALITY: the command that sets the locality, which comes first
 */
enum tpmback_raw {
	RAW_COMMAND,
	RAW_LOCALITY,
};

/**
 * struct tpmback_conn - one frontend attached to one vTPM
 * @ref: device, list and descriptor hold one each
 * @dev: the device, referenced
 * @id: its number towards user space; fixed
 *
 * @node: in the list of connections; under connections_lock, as are:
 * @told_added: the controller was told VTPM_EVENT_ADDED
 * @told_ready: the controller was told VTPM_EVENT_READY
 *
 * @lock: protects all below
 * @page: the mapped page; NULL unless connected
 * @irq: of the event channel, while connected
 * @accepted: a descriptor is open
 * @gone: the connection has ended
 * @parked: the frontend broke the protocol
 * @logged: verdicts that have been logged, a bit each
 * @mode: &enum vtpm_mode
 * @localities: bit n allows locality n
 * @features: VTPM_FEATURE_* that the frontend may use
 * @extended: the exactly-once extension is in use
 * @capacity: bytes of the largest packet
 * @begin: where BEGIN is, which comes before all requests of a new descriptor
 * @begun: an engine has answered BEGIN
 * @hello: what BEGIN says: the frontend's past, later also the session that it was given
 * @request: where the request is
 * @kind: &enum vtpm_request_kind of the request
 * @cancel: the frontend wants the request to be cancelled
 * @sequence: of the request
 * @control: the frontend's control word that was carried out last
 * @length: bytes of @command
 * @locality: of the request
 * @raw: which packet of the request a raw connection is at
 * @raw_locality: what the engine of a raw connection was last set to
 * @set_locality: the command that sets it
 * @published: the state last written to the page
 * @response_length: bytes of @response
 * @command: the request; the interrupt writes it in REQUEST_NONE only
 * @response: the last response, kept for a frontend whose CANCEL overwrote it
 * @stats: what VTPM_IOC_NEXT reports
 *
 * @wait: readers and pollers of the descriptor
 * @stall: fails a request that nobody has come for
 * @write_lock: one writer at a time; protects @incoming
 * @incoming: a response on its way in
 */
struct tpmback_conn {
	struct kref ref;
	struct tpmback_device *dev;
	u64 id;

	struct list_head node;
	bool told_added;
	bool told_ready;

	spinlock_t lock;
	struct vtpm_shared_page *page;
	unsigned int irq;
	bool accepted;
	bool gone;
	bool parked;
	unsigned long logged;
	u32 mode;
	u32 localities;
	u32 features;
	bool extended;
	u32 capacity;
	enum tpmback_request begin;
	bool begun;
	struct vtpm_begin hello;
	enum tpmback_request request;
	u8 kind;
	bool cancel;
	u64 sequence;
	u32 control;
	u32 length;
	u8 locality;
	enum tpmback_raw raw;
	u8 raw_locality;
	u8 set_locality[TPM_SET_LOCALITY_SIZE];
	u8 published;
	u32 response_length;
	u8 *command;
	u8 *response;
	struct {
		u64 commands;
		u64 responses;
		u64 refused;
		u64 failed;
		u64 cancelled;
	} stats;

	wait_queue_head_t wait;
	struct delayed_work stall;
	struct mutex write_lock;
	u8 *incoming;
};

/* xenbus.c */
void tpmback_device_get(struct tpmback_device *dev);
void tpmback_device_put(struct tpmback_device *dev);
void tpmback_device_try_connect(struct tpmback_device *dev);

/* connection.c */
struct tpmback_conn *tpmback_conn_new(struct tpmback_device *dev);
void tpmback_conn_get(struct tpmback_conn *conn);
void tpmback_conn_put(struct tpmback_conn *conn);
void tpmback_conn_end(struct tpmback_conn *conn);
bool tpmback_conn_is_accepted(struct tpmback_conn *conn);
bool tpmback_conn_is_connected(struct tpmback_conn *conn);
bool tpmback_conn_is_begun(struct tpmback_conn *conn);
bool tpmback_conn_is_at_fault(struct tpmback_conn *conn);
u32 tpmback_conn_features(struct tpmback_conn *conn);
struct tpmback_conn *tpmback_connections_find(u64 id);
int tpmback_connections_info(struct vtpm_info *info);
void tpmback_connections_forget(void);
void tpmback_connections_notify(void);
bool tpmback_connections_have_event(void);
int tpmback_connections_wait_for_news(void);
struct tpmback_conn *tpmback_connections_next_event(struct vtpm_event *event);
void tpmback_connections_untell(struct tpmback_conn *conn, u32 type);
extern struct wait_queue_head tpmback_connections_wait;

/* link.c */
int tpmback_link_connect(struct tpmback_conn *conn, struct xenbus_device *xdev,
			 grant_ref_t gref, evtchn_port_t port, bool requested);
void tpmback_link_disconnect(struct tpmback_conn *conn, struct xenbus_device *xdev);

/* ring.c */
u8 tpmback_ring_first_look(const struct vtpm_shared_page *page, grant_ref_t *gref);
void tpmback_ring_open(struct tpmback_conn *conn, struct vtpm_shared_page *page);
void tpmback_ring_bound(struct tpmback_conn *conn, unsigned int irq);
void *tpmback_ring_close(struct tpmback_conn *conn);
bool tpmback_ring_event(struct tpmback_conn *conn, unsigned int irq, bool *parked);
int tpmback_ring_serve(struct tpmback_conn *conn, const struct vtpm_accept *policy);
void tpmback_ring_unserve(struct tpmback_conn *conn);
int tpmback_ring_answer(struct tpmback_conn *conn, u64 sequence, u32 length);
void tpmback_ring_handed_out(struct tpmback_conn *conn);
int tpmback_ring_answer_raw(struct tpmback_conn *conn, u32 length);
void tpmback_ring_stall(struct work_struct *work);

/* chardev.c */
int tpmback_chardev_init(void);
void tpmback_chardev_exit(void);

/* connfd.c */
int tpmback_connfd_open(struct tpmback_conn *conn, const struct vtpm_accept *accept);

#endif
