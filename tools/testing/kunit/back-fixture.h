/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the backend's tests share: a device on a bus of doubles, the guest on one side of
 * it and a controller with an engine on the other. There is one of each.
 */
#ifndef _VTPM_KUNIT_BACK_H
#define _VTPM_KUNIT_BACK_H

#include "double.h"
#include "../../../drivers/xen/xen-tpmback/tpmback.h"

#define BACK_DIR	"backend/vtpm/1/0"
#define BACK_FRONT_DIR	"device/vtpm/0"
#define BACK_GREF	10
#define BACK_PORT	20

/* Features of a connection that may use the exactly-once extension. */
#define BACK_EXTENDED	(VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES)

/* An ordinal and a tag that a TPM 2.0 takes. */
#define BACK_ORDINAL	0x0000017a
#define BACK_TAG	0x8001

/**
 * struct back - the device, the guest and the engine
 * @xdev: the device, as the bus has it
 * @pages: the guest's two pages
 * @page: as the guest sees them, side by side
 * @controller: /dev/vtpm, open
 * @policy: what back_accept() asks for
 * @fd: the connection's descriptor, or a negative number
 * @request: what the engine has read last
 * @body: the bytes behind it, or of a raw packet all bytes
 * @got: how many bytes the engine has read, both together
 * @out: room for what the engine writes
 */
struct back {
	struct xenbus_device xdev;
	struct page *pages;
	struct vtpm_shared_page *page;
	struct file *controller;
	struct vtpm_accept policy;
	int fd;
	struct {
		struct vtpm_request header;
		u8 body[VTPM_MAX_TRANSFER];
	} __packed request;
	u8 *body;
	ssize_t got;
	struct {
		struct vtpm_response header;
		u8 body[VTPM_MAX_TRANSFER + 1];
	} __packed out;
};

extern struct back back;

int back_init(struct kunit *test);
void back_exit(struct kunit *test);

/* The bus */
int back_probe(void);
void back_remove(void);
struct tpmback_device *back_device(void);
struct tpmback_conn *back_conn(void);
void back_frontend(enum xenbus_state state);
void back_online(bool online);
void back_settle(void);
void back_write_nodes(bool extension);
void back_check_state(struct xenbus_device *xdev, enum xenbus_state state);
bool back_fits_together(void);

/* The controller and the engine */
long back_ioctl(unsigned int command, void *arg);
int back_accept(void);
void back_close(void);
ssize_t back_read(void);
ssize_t back_write(u64 sequence, const void *body, size_t length);
ssize_t back_write_raw(const void *body, size_t length);
ssize_t back_respond(u32 length);
ssize_t back_answer_begin(void);
__poll_t back_poll(void);
u32 back_connection_state(void);

/* The guest */
u8 *back_packet(void);
struct vtpm_trailer *back_trailer(void);
void back_put_header(u8 *at, u16 tag, u32 length, u32 ordinal);
void back_command(u32 length);
void back_state(u8 state);
void back_submit(u32 length);
bool back_event(void);
bool back_is_refused(u16 tag, u32 code);

/* All of it up to Connected */
void back_connect(struct kunit *test);
void back_connect_extended(struct kunit *test);
void back_connect_raw(struct kunit *test);

#endif
