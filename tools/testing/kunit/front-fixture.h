/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the frontend's tests share: a device on a bus of doubles, and the backend on the
 * other side of it, which answers, lies or is silent. There is one of each.
 */
#ifndef _VTPM_KUNIT_FRONT_H
#define _VTPM_KUNIT_FRONT_H

#include "double.h"
#include "../../../drivers/char/tpm/xen-tpmfront.h"

#define FRONT_DIR	"device/vtpm/0"
#define FRONT_BACK_DIR	"backend/vtpm/1/0"

/**
 * enum front_peer - what the backend does with a command
 * @PEER_ANSWERS: a response of front.answer bytes, as it says
 * @PEER_SILENT: nothing
 * @PEER_DROPS: IDLE
 */
enum front_peer {
	PEER_ANSWERS,
	PEER_SILENT,
	PEER_DROPS,
};

/**
 * struct front - the device and the backend
 * @xdev: the device, as the bus has it
 * @page: its pages as the backend sees them; NULL: not mapped
 * @pages: these
 * @nr_pages: how many
 * @offers: the backend offers the exactly-once extension
 * @extended: both want it
 * @peer: what the backend does with commands
 * @on_cancel: and with CANCEL
 * @ignores_control: it does not carry control words out
 * @answer: bytes of its response, as it says
 * @look: the backend looks at the page
 * @submits: how many commands it has seen
 * @cancels: how many CANCELs
 * @quiesces: how many control words of either kind
 * @continues: of this one
 * @sent: the last command
 * @sent_length: its bytes
 * @sequence: and its number
 * @received: room for tpm_class_ops.recv()
 */
struct front {
	struct xenbus_device xdev;
	struct vtpm_shared_page *page;
	struct page *pages[VTPM_EXTENSION_PAGES];
	unsigned int nr_pages;
	bool offers;
	bool extended;
	enum front_peer peer;
	enum front_peer on_cancel;
	bool ignores_control;
	u32 answer;
	struct work_struct look;
	unsigned int submits;
	unsigned int cancels;
	unsigned int quiesces;
	unsigned int continues;
	u8 sent[VTPM_PACKET_MAX];
	u32 sent_length;
	u64 sequence;
	u8 received[VTPM_PACKET_MAX];
};

extern struct front front;

int front_init(struct kunit *test);
void front_exit(struct kunit *test);

/* The bus */
int front_probe(void);
void front_remove(void);
struct tpmfront *front_device(void);
void front_backend(enum xenbus_state state);
int front_suspend(void);
int front_resume(void);
void front_complete(void);
bool front_fits_together(void);

/* The backend */
bool front_map(void);
void front_unmap(void);
void front_begin(void);
void front_publish(u8 state, u32 length);
u8 *front_packet(void);
struct vtpm_trailer *front_trailer(void);
u32 front_capacity(void);

/* The TPM core */
int front_send(const void *command, u32 length);
int front_send_ordinary(void);
int front_receive(size_t size);
void front_settle(void);

/* A task that sends, which the test can watch meanwhile */
struct front_sender {
	struct task_struct *task;
	struct completion done;
	int err;
};

void front_start_sender(struct kunit *test, struct front_sender *sender);
int front_finish_sender(struct front_sender *sender);
bool front_await(bool (*done)(void));
bool front_has_submitted(void);

/* All of it up to a registered chip */
void front_initialise(struct kunit *test, bool offers);
void front_connect(struct kunit *test, bool offers);

#endif
