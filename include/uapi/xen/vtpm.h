/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/vtpm: how user space serves the virtual TPMs of Xen guests.
 *
 * The controller (a daemon) opens /dev/vtpm, reads events, and accepts
 * frontends. Each accepted frontend is one connection with a file descriptor of
 * its own, which is usually handed to the process that runs the TPM.
 * The whole interface is described in Documentation/dev-vtpm.md; this header is
 * the authority for layouts and numbers.
 *
 * All integers are in the byte order of the host. All structures have the same
 * layout for 32-bit and 64-bit callers. Reserved members are zero: the kernel
 * writes zeroes, and refuses anything else with EINVAL where it acts on what it
 * is given (VTPM_IOC_ACCEPT, and write() on a connection).
 */
#ifndef _UAPI_XEN_VTPM_H
#define _UAPI_XEN_VTPM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Number of this interface, as VTPM_IOC_GET_ABI returns it. */
#define VTPM_ABI_VERSION	1

#define VTPM_UUID_SIZE		16
#define VTPM_SESSION_SIZE	16

/*
 * The largest command or response, in bytes, that any frontend can carry. A
 * connection may carry less: see vtpm_info.capacity.
 */
#define VTPM_MAX_TRANSFER	4096

/**
 * enum vtpm_event_type - what an event tells
 * @VTPM_EVENT_ADDED: a connection can be accepted. It has an id that is never
 *	used again while the module is loaded.
 * @VTPM_EVENT_READY: the frontend has connected; requests may follow. Comes
 *	only after the connection has been accepted.
 * @VTPM_EVENT_GONE: the connection has ended: the frontend has closed or
 *	restarted, or the device was removed. Its file descriptor, if there is
 *	one, reports POLLHUP. When the frontend of a device that still exists
 *	starts anew, VTPM_EVENT_ADDED with a new id follows.
 */
enum vtpm_event_type {
	VTPM_EVENT_ADDED = 1,
	VTPM_EVENT_READY = 2,
	VTPM_EVENT_GONE = 3,
};

/**
 * enum vtpm_resume - what a frontend said of its past when it connected
 * @VTPM_RESUME_FRESH: nothing: it has just started, or does not know the
 *	exactly-once extension
 * @VTPM_RESUME_SESSION: it presented a session and a sequence
 */
enum vtpm_resume {
	VTPM_RESUME_FRESH = 0,
	VTPM_RESUME_SESSION = 1,
};

/*
 * Features of a connection: bits of vtpm_accept.features, vtpm_event.features and
 * vtpm_info.features. Version 2 of the protocol is always in use and
 * has no bit. The two go together: the extension's trailer is in the extra page.
 */
#define VTPM_FEATURE_EXACTLY_ONCE	(1U << 0)
#define VTPM_FEATURE_EXTRA_PAGES	(1U << 1)

/**
 * struct vtpm_event - one event, as read() on /dev/vtpm returns it
 * @type: &enum vtpm_event_type
 * @domid: domain of the frontend
 * @id: the connection
 * @handle: number of the vTPM within its domain
 * @features: VTPM_FEATURE_* in use (READY only)
 * @uuid: the vTPM, as the toolstack named it; in the order of its text form
 * @resume: &enum vtpm_resume (READY only)
 * @capacity: largest command and response in bytes (READY only)
 * @sequence: the sequence that the frontend presented (READY with
 *	VTPM_RESUME_SESSION only)
 * @session: the session that the frontend presented (likewise)
 * @reserved: 0
 *
 * read() returns exactly one event. The buffer must hold a whole one. After
 * open() the events that describe all existing connections come first, so
 * that a restarted controller misses nothing. Events of one
 * connection come in order; several changes that nobody has read yet may be
 * reported as their result only (a connection that came and went is not
 * reported at all).
 *
 * Errors of read(): EINVAL, the buffer is smaller than the structure; EAGAIN,
 * no event and O_NONBLOCK; EINTR, a signal came first; EFAULT, bad address.
 * None of them loses the event.
 * poll(): POLLIN if an event can be read.
 */
struct vtpm_event {
	__u32 type;
	__u32 domid;
	__u64 id;
	__u32 handle;
	__u32 features;
	__u8 uuid[VTPM_UUID_SIZE];
	__u32 resume;
	__u32 capacity;
	__u64 sequence;
	__u8 session[VTPM_SESSION_SIZE];
	__u64 reserved[2];
};

/**
 * enum vtpm_mode - what a connection's file descriptor speaks
 * @VTPM_MODE_NATIVE: &struct vtpm_request and &struct vtpm_response
 * @VTPM_MODE_RAW: plain TPM commands and responses, a change of locality as a
 *	command of its own before them (ordinal 0x20001000): what Linux's vTPM
 *	proxy speaks, so that swtpm can serve it
 */
enum vtpm_mode {
	VTPM_MODE_NATIVE = 0,
	VTPM_MODE_RAW = 1,
};

/**
 * struct vtpm_accept - argument of VTPM_IOC_ACCEPT
 * @id: the connection to accept, from &struct vtpm_event
 * @mode: &enum vtpm_mode
 * @features: VTPM_FEATURE_* that the frontend may use: 0, or both bits in native
 *	mode. With them, VTPM_REQUEST_BEGIN comes before all other requests
 * @localities: bit n allows locality n, 0 to 4; at least one bit
 * @reserved: 0
 */
struct vtpm_accept {
	__u64 id;
	__u32 mode;
	__u32 features;
	__u32 localities;
	__u32 reserved[3];
};

/**
 * enum vtpm_connection_state - state of a connection
 * @VTPM_CONNECTION_WAITING: not accepted yet, or the frontend has not connected yet
 * @VTPM_CONNECTION_CONNECTED: commands can flow
 * @VTPM_CONNECTION_PARKED: the frontend broke the protocol; nothing is taken from it
 *	until it starts anew
 */
enum vtpm_connection_state {
	VTPM_CONNECTION_WAITING = 0,
	VTPM_CONNECTION_CONNECTED = 1,
	VTPM_CONNECTION_PARKED = 2,
};

/**
 * struct vtpm_info - argument and result of VTPM_IOC_NEXT
 * @id: in: the id that the last call returned, 0 to begin; out: the connection
 *	that the other members describe
 * @domid: domain of the frontend
 * @handle: number of the vTPM within its domain
 * @uuid: the vTPM
 * @state: &enum vtpm_connection_state
 * @accepted: 1 while a file descriptor of the connection is open
 * @mode: &enum vtpm_mode, if accepted
 * @features: VTPM_FEATURE_* in use
 * @localities: allowed localities, if accepted
 * @capacity: largest command and response in bytes, 0 before READY
 * @commands: commands taken from the frontend that passed the checks
 * @responses: responses of the TPM that the frontend was given
 * @refused: commands that the backend answered itself because they were
 *	malformed or not allowed
 * @failed: commands that the backend answered with TPM failure because
 *	nobody served the connection
 * @cancelled: requests of the frontend to cancel a command
 * @reserved: 0
 */
struct vtpm_info {
	__u64 id;
	__u32 domid;
	__u32 handle;
	__u8 uuid[VTPM_UUID_SIZE];
	__u32 state;
	__u32 accepted;
	__u32 mode;
	__u32 features;
	__u32 localities;
	__u32 capacity;
	__u64 commands;
	__u64 responses;
	__u64 refused;
	__u64 failed;
	__u64 cancelled;
	__u64 reserved[4];
};

#define VTPM_IOC_MAGIC		0xbc

/**
 * VTPM_IOC_GET_ABI - get the number of this interface
 *
 * Writes VTPM_ABI_VERSION to the argument. A controller that knows a lower
 * number only should not go on. Errors: EFAULT.
 */
#define VTPM_IOC_GET_ABI	_IOR(VTPM_IOC_MAGIC, 0, __u32)

/**
 * VTPM_IOC_ACCEPT - accept a frontend
 *
 * Returns the connection's file descriptor, close-on-exec. May be called from
 * VTPM_EVENT_ADDED on, and again once the previous descriptor has
 * been closed everywhere: an engine can be replaced under a running guest.
 * The frontend is let in (its page is mapped) no sooner than this.
 * The descriptor stays valid when /dev/vtpm is closed.
 *
 * Errors: EFAULT, bad address; EINVAL, unknown mode or feature bits, no or
 * unknown localities, a reserved member that is not 0, or no features where
 * the connected frontend uses them; EOPNOTSUPP, one feature
 * without the other, or features in raw mode; ENOENT, no such connection, or it has gone; EBUSY,
 * it has an open descriptor already; EMFILE, ENFILE, ENOMEM.
 */
#define VTPM_IOC_ACCEPT		_IOW(VTPM_IOC_MAGIC, 1, struct vtpm_accept)

/**
 * VTPM_IOC_NEXT - describe the connection with the next higher id
 *
 * Errors: EFAULT, bad address; ENOENT, there is none with a higher id.
 */
#define VTPM_IOC_NEXT		_IOWR(VTPM_IOC_MAGIC, 2, struct vtpm_info)

/**
 * enum vtpm_request_kind - what the frontend wants
 * @VTPM_REQUEST_COMMAND: execute a TPM command
 * @VTPM_REQUEST_QUIESCE: bring the whole state into the store. No body; the
 *	response has none either
 * @VTPM_REQUEST_CONTINUE: a suspend was cancelled. As above
 * @VTPM_REQUEST_BEGIN: the frontend is connecting, or this descriptor takes the
 *	place of an earlier one. The body is a &struct vtpm_begin, and so is that
 *	of the response. The backend goes Connected when it has the response
 *
 * All but the first come on connections only that were accepted with
 * VTPM_FEATURE_EXACTLY_ONCE.
 */
enum vtpm_request_kind {
	VTPM_REQUEST_COMMAND = 0,
	VTPM_REQUEST_QUIESCE = 1,
	VTPM_REQUEST_CONTINUE = 2,
	VTPM_REQUEST_BEGIN = 3,
};

/**
 * struct vtpm_begin - body of VTPM_REQUEST_BEGIN and of its response
 * @features: VTPM_FEATURE_* in use; 0 for a frontend without the extension
 * @resume: &enum vtpm_resume
 * @sequence: in the request the last sequence that was handed in; in
 *	the response the last one that was executed in the session
 * @answered: in the request a sequence up to which everything has been answered, so that the
 *	last one executed lies between this and @sequence, both included;
 *	in the response 0
 * @session: in the request the frontend's session; in the response the session
 *	that the frontend shall have from now on
 *
 * With VTPM_RESUME_FRESH, @sequence, @answered and @session of the request are 0. In the
 * response @features and @resume are as they were in the request; where
 * @features is 0 its other members are not used.
 */
struct vtpm_begin {
	__u32 features;
	__u32 resume;
	__u64 sequence;
	__u64 answered;
	__u8 session[VTPM_SESSION_SIZE];
};

/**
 * struct vtpm_request - header of a request, read from a native connection
 * @sequence: number of the command. With the exactly-once extension the
 *	frontend's own, which is not checked by the kernel; without it counted
 *	by the kernel within the connection, from 1. In requests of other
 *	kinds only to be returned in the response
 * @length: bytes of the body that follows the header. Of a command 10 to
 *	VTPM_MAX_TRANSFER, and equal to the length in its own header
 * @locality: 0 to 4, allowed by the policy that the connection was accepted with
 * @kind: &enum vtpm_request_kind
 * @reserved: 0
 *
 * read() on a native connection returns this header and the command, in one
 * piece. There is at most one request at a time. One
 * that nobody has read waits for whoever accepts the connection next. One that was read
 * and not answered when the descriptor is closed is failed at once; with the
 * exactly-once extension it is handed out again to whoever accepts next.
 *
 * Errors of read(): EMSGSIZE, the buffer is too small for the request; EAGAIN,
 * no request and O_NONBLOCK; EINTR, a signal came first; EFAULT, bad address:
 * in all these cases the request stays. 0 (end of file): the frontend has gone.
 *
 * poll(): POLLIN, a request can be read; POLLOUT, a request has been read and
 * not been answered; POLLPRI, the guest asks to cancel that request (until it is
 * answered); POLLHUP, the frontend has gone and nothing will come any more.
 */
struct vtpm_request {
	__u64 sequence;
	__u32 length;
	__u8 locality;
	__u8 kind;
	__u16 reserved;
};

/**
 * struct vtpm_response - header of a response, written to a native connection
 * @sequence: number of the request that is answered
 * @length: bytes of the response that follow the header; equal to the length in
 *	the response's own header
 * @reserved: 0
 *
 * write() takes this header and the response, in one piece, and returns the
 * number of bytes written, which is all of them.
 *
 * Errors of write(), none of which changes anything: EINVAL, shorter than this
 * header, or a reserved member that is not 0; EBADMSG, the lengths do not agree
 * or the body does not have the form that the request's kind asks for; EMSGSIZE, the response is larger than
 * vtpm_info.capacity; ESTALE, the sequence is not that of a
 * request that was read and not answered; EFAULT, bad address; EINTR, a signal
 * came first; EPIPE, the frontend has gone (no signal is sent).
 *
 * In raw mode there are no headers; lengths are checked against the TPM's own header in
 * the same way, and a response without a request fails with ESTALE.
 */
struct vtpm_response {
	__u64 sequence;
	__u32 length;
	__u32 reserved;
};

#endif /* _UAPI_XEN_VTPM_H */
