/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Doubles of what the drivers call: what a test says to them, and what they
 * have seen. The functions that take the place of the kernel's are in
 * redirect.h; each keeps to the interface of the function whose name it bears.
 *
 * The doubles watch the rules that hold at any time, whatever a test does; a
 * breach is noted by double_wrong() and fails the test in double_end().
 */
#ifndef _VTPM_KUNIT_DOUBLE_H
#define _VTPM_KUNIT_DOUBLE_H

#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/tpm.h>
#include <linux/workqueue.h>

#include <xen/grant_table.h>
#include <xen/xenbus.h>

/* Neither can be read nor written by copy_to_user() and the like. */
#define DOUBLE_BAD_ADDRESS	((void *)16)

/* The largest number of lines, mappings, rings, grants that exist at a time. */
#define DOUBLE_MAX		8

/* Descriptors begin here; at most DOUBLE_MAX are open. */
#define DOUBLE_FIRST_FD		3

/**
 * struct double_hooks - where a test can step in; NULL where it does not
 * @after_read: a driver has just read @size bytes at @from; any context
 * @during_copy: a copy to or from user memory is about to happen; process context
 * @on_notify: a driver has notified the other side; any context
 * @on_state: a driver goes to @state; process context
 * @on_sleep: a driver sleeps; process context. Returns whether the driver is to look
 *	again; otherwise its time is over, or where it has no limit it is killed
 * @holds_work: delayed work does not run by itself, only by double_run_work()
 * @wants_freeze: what freezing() tells
 * @duration_ms: what tpm_calc_ordinal_duration() tells, in ms
 */
struct double_hooks {
	void (*after_read)(const void *from, size_t size);
	void (*during_copy)(void);
	void (*on_notify)(unsigned int irq);
	void (*on_state)(struct xenbus_device *xdev, enum xenbus_state state);
	bool (*on_sleep)(void);
	bool holds_work;
	bool wants_freeze;
	unsigned int duration_ms;
};

extern struct double_hooks double_hooks;

/* double-faults.c */
int double_begin(struct kunit *test);
void double_end(struct kunit *test);
bool double_fails(const char *what);
void double_fail_nth(unsigned int n);
const char *double_failed(void);
__printf(1, 2) void double_wrong(const char *fmt, ...);
bool double_is_clean(void);
unsigned int double_random(unsigned int below);
unsigned int double_rounds(void);

/* What is held at the moment; all are 0 when a device has gone. */
struct double_held {
	int memory;
	int files;
	int watches;
	int mappings;
	int lines;
	int ports;
	int rings;
	int chips;
	int registered;
};

struct double_held double_held(void);
bool double_holds_nothing(void);

/* double-memory.c */
int double_memory_held(void);

/* double-files.c */
struct file *double_open(const struct file_operations *fops, unsigned int flags);
int double_release(struct file *file);
struct file *double_file(int fd);
int double_close(int fd);
int double_files_held(void);
struct miscdevice *double_misc(void);
void double_files_reset(void);

/* double-sleep.c */
bool double_run_work(struct delayed_work *work);
void double_kill(bool kill);

/* double-store.c */
__printf(3, 4) void store_set(const char *dir, const char *node,
			      const char *fmt, ...);
void store_rm(const char *dir, const char *node);
int store_get(const char *dir, const char *node);
void store_conflict(unsigned int times);
unsigned int store_untransacted(void);
void double_store_reset(void);

/* double-bus.c */
extern struct xenbus_driver *double_backend;
extern struct xenbus_driver *double_frontend;
struct xenbus_watch *double_watch(void);
unsigned int double_fatals(void);
int double_fatal(void);
unsigned int double_unregistered(void);
int double_bus_held(void);
void double_bus_reset(void);

/* double-pages.c */
void double_grant(grant_ref_t gref, struct page *page);
void double_revoke(grant_ref_t gref);
struct page *double_granted(grant_ref_t gref);
bool double_is_mapped(const void *p);
int double_mappings(void);
int double_rings(void);
void double_pages_reset(void);

/**
 * struct double_line - an event channel that a driver has bound
 * @irq: its number, never used again; 0: the slot is free
 * @port: the port that was bound
 * @fired: how often the handler was called
 * @eois: how many EOIs it has given
 * @spurious: how many of them with XEN_EOI_FLAG_SPURIOUS
 * @notified: how often the other side was notified
 */
struct double_line {
	unsigned int irq;
	evtchn_port_t port;
	unsigned int fired;
	unsigned int eois;
	unsigned int spurious;
	unsigned int notified;
};

/* double-lines.c */
bool double_fire(unsigned int irq);
unsigned int double_irq(void);
struct double_line double_line(unsigned int irq);
int double_lines(void);
int double_ports(void);
void double_lines_reset(void);

/* double-tpm.c */
struct tpm_chip *double_chip(void);
int double_chips(void);
int double_tpm_registered(void);
void double_tpm_reset(void);

/* From the drivers' module_init() and module_exit(). */
int double_tpmback_init(void);
void double_tpmback_exit(void);
int double_tpmfront_init(void);
void double_tpmfront_exit(void);

/* Their module parameters. */
extern unsigned int * const double_engine_timeout_ms;
extern unsigned int * const double_handover_timeout_ms;
extern unsigned int * const double_initwait_ms;
extern unsigned int * const double_command_timeout_ms;
extern unsigned int * const double_cancel_timeout_ms;
extern unsigned int * const double_connect_timeout_ms;
extern unsigned int * const double_freeze_timeout_ms;
extern unsigned int * const double_drain_timeout_ms;
extern unsigned int * const double_quiesce_timeout_ms;
extern bool * const double_exactly_once;

#endif
