/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * tpmif: the wire between a guest's TPM frontend and its backend.
 *
 * This is version 2 of the protocol, as Xen and mainline Linux speak it, and an
 * extension of ours, exactly-once, that both sides have to want.
 *
 * Set-up through the xenstore
 * ---------------------------
 * The toolstack makes a frontend directory (device/vtpm/N in the guest) and a
 * backend directory (backend/vtpm/DOMID/N in the backend's domain).
 *
 *   node                    in        written by   meaning
 *   uuid                    backend   toolstack    names the vTPM
 *   feature-protocol-v2     backend   backend      1: version 2 is understood
 *   ring-ref                frontend  frontend     grant reference of the page
 *   event-channel           frontend  frontend     port to bind to
 *   feature-protocol-v2     frontend  frontend     1: version 2 is in use
 *
 * A frontend that does not write feature-protocol-v2 speaks version 1, whose
 * layout depends on the word size of the guest; backends of today refuse it.
 *
 *   frontend                          backend
 *   Initialising                      Initialising
 *                                     InitWait
 *   (writes its nodes) Initialised
 *                                     (maps, binds) Connected
 *   Connected
 *   Closing, Closed                   Closing, Closed
 *
 * A frontend may go to Connected without waiting in Initialised. It may submit
 * its first command before the backend has mapped the page: the backend neither
 * clears the page nor waits for an event before it looks.
 *
 * The page
 * --------
 * One page, granted by the frontend, read and written by both sides; see
 * struct vtpm_shared_page. The packet (a TPM command, later its response) starts
 * right behind the header and the grant references that the header announces:
 * at 8 + 4 * nr_extra_pages, so at 8 wherever no extra page is in use.
 * With no extra page 4088 bytes are left for it.
 * Integers are in the byte order of the guest, the packet in that of the TPM.
 *
 * One command is under way at a time. Who may write the page follows from its state:
 *
 *   IDLE    frontend: may write a command, then SUBMIT. Also the backend's answer
 *           to CANCEL: the command was dropped, there is no response
 *   SUBMIT  backend: takes the command, answers with FINISH or IDLE. The
 *           frontend may do one thing: replace SUBMIT by CANCEL
 *   FINISH  frontend: length and packet are the response; may write the next command
 *   CANCEL  backend: ends the command when it can, answers with IDLE, or with FINISH
 *           where there is a response after all
 *
 * After each change of state the writer notifies the event channel.
 * CANCEL can meet a FINISH that the backend has just written and take its place;
 * the backend then answers again with the same response, or with IDLE.
 *
 * Publishing is: packet and length, write barrier, state, event. Taking is: state,
 * read barrier, length and packet, each read once and checked as a copy.
 */
#ifndef _XEN_INTERFACE_IO_TPMIF_H
#define _XEN_INTERFACE_IO_TPMIF_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#endif

/**
 * enum vtpm_shared_page_state - who owns the page, and why
 * @VTPM_STATE_IDLE: no command; or the answer to @VTPM_STATE_CANCEL (backend)
 * @VTPM_STATE_SUBMIT: a command is in the page (frontend)
 * @VTPM_STATE_FINISH: its response is in the page (backend)
 * @VTPM_STATE_CANCEL: the command is to be ended early (frontend)
 */
enum vtpm_shared_page_state {
	VTPM_STATE_IDLE = 0,
	VTPM_STATE_SUBMIT = 1,
	VTPM_STATE_FINISH = 2,
	VTPM_STATE_CANCEL = 3,
};

/**
 * struct vtpm_shared_page - header of the shared page
 * @length: bytes of the packet
 * @state: &enum vtpm_shared_page_state
 * @locality: locality of the command, 0 to 4 (frontend)
 * @pad: 0
 * @nr_extra_pages: number of further pages that carry the packet on (frontend);
 *	0 unless the backend offers max-extra-pages. Read when connecting, and
 *	never again
 * @extra_pages: their grant references (frontend). Likewise
 */
struct vtpm_shared_page {
	uint32_t length;
	uint8_t state;
	uint8_t locality;
	uint8_t pad;
	uint8_t nr_extra_pages;
	uint32_t extra_pages[];
};

/* Size of a page of this protocol, in bytes, whatever the guest's page size. */
#define VTPM_SHARED_PAGE_SIZE		4096U

/* Where the packet starts, in bytes from the start of the page. */
#define VTPM_PACKET_OFFSET(nr_extra)	(8U + 4U * (nr_extra))

/* Bytes that a packet can have when there is no extra page. */
#define VTPM_PACKET_MAX_SINGLE		(VTPM_SHARED_PAGE_SIZE - VTPM_PACKET_OFFSET(0))

/*
 * The exactly-once extension
 * --------------------------
 * Told through two more nodes; Documentation/exactly-once.md has the rules.
 *
 *   node                    in        written by   meaning
 *   max-extra-pages = n     backend   backend      up to n extra pages may be granted
 *   feature-exactly-once=1  backend   backend      struct vtpm_trailer may be used
 *   request-exactly-once=1  frontend  frontend     the page has one extra page and a
 *                                                  struct vtpm_trailer
 *
 * The frontend proposes when it goes Initialised, the backend has decided when it goes
 * Connected. The extension is in use if both nodes are 1 then. If it is
 * not, the frontend sets nr_extra_pages to 0 before its first command.
 *
 * With one extra page 8148 bytes lie between the header and the trailer, which is the end
 * of the last page: room for the 4096 bytes of the largest TPM command.
 */
#define VTPM_EXTENSION_PAGES		2U
#define VTPM_TRAILER_SIZE		32U
#define VTPM_TRAILER_OFFSET		(VTPM_EXTENSION_PAGES * VTPM_SHARED_PAGE_SIZE - \
					 VTPM_TRAILER_SIZE)

/* Bytes that a packet can have when the extension is in use. */
#define VTPM_PACKET_MAX			4096U

/**
 * enum vtpm_control - what a frontend asks for besides commands
 * @VTPM_CONTROL_NONE: nothing
 * @VTPM_CONTROL_QUIESCE: bring the whole state of the TPM into its store
 * @VTPM_CONTROL_CONTINUE: the suspend was cancelled
 */
enum vtpm_control {
	VTPM_CONTROL_NONE = 0,
	VTPM_CONTROL_QUIESCE = 1,
	VTPM_CONTROL_CONTINUE = 2,
};

/**
 * struct vtpm_trailer - the last bytes of the last page
 * @sequence: number of the command in the page within its session, from 1 (frontend);
 *	0 with a response that is not the TPM's (backend).
 *	When connecting, the number of the last command that the frontend has
 *	handed in (frontend); a frontend without a session finds the session's last
 *	number here once the backend is Connected (backend)
 * @session: the session's secret. When connecting, zeroes, or the session that the
 *	frontend had (frontend); once the backend is Connected, the session (backend)
 * @control: &enum vtpm_control (frontend)
 * @answer: the value of @control that has been carried out (backend). When connecting, how
 *	many of the last commands the TPM has not answered (frontend); set to 0 by the
 *	frontend once the backend is Connected
 */
struct vtpm_trailer {
	uint64_t sequence;
	uint8_t session[16];
	uint32_t control;
	uint32_t answer;
};

static_assert(offsetof(struct vtpm_shared_page, length) == 0, "tpmif: length");
static_assert(offsetof(struct vtpm_shared_page, state) == 4, "tpmif: state");
static_assert(offsetof(struct vtpm_shared_page, locality) == 5, "tpmif: locality");
static_assert(offsetof(struct vtpm_shared_page, pad) == 6, "tpmif: pad");
static_assert(offsetof(struct vtpm_shared_page, nr_extra_pages) == 7,
	      "tpmif: nr_extra_pages");
static_assert(offsetof(struct vtpm_shared_page, extra_pages) == 8,
	      "tpmif: extra_pages");
static_assert(sizeof(struct vtpm_shared_page) == 8, "tpmif: size of the header");
static_assert(offsetof(struct vtpm_trailer, sequence) == 0, "tpmif: sequence");
static_assert(offsetof(struct vtpm_trailer, session) == 8, "tpmif: session");
static_assert(offsetof(struct vtpm_trailer, control) == 24, "tpmif: control");
static_assert(offsetof(struct vtpm_trailer, answer) == 28, "tpmif: answer");
static_assert(sizeof(struct vtpm_trailer) == VTPM_TRAILER_SIZE,
	      "tpmif: size of the trailer");
static_assert(VTPM_PACKET_OFFSET(1) + VTPM_PACKET_MAX <= VTPM_TRAILER_OFFSET,
	      "tpmif: the largest packet fits");

#endif /* _XEN_INTERFACE_IO_TPMIF_H */
