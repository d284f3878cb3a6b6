/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xen-tpmrogue: one side of a vTPM device, which does whatever it is told. For
 * tests; README.md says what it can be told.
 *
 * main.c    loading, the control file, unloading
 * page.c    the pages and the event channel; /dev/vtpm-rogue
 * run.c     a thread that writes the page and notifies as fast as it can
 * front.c   in a guest: grants the pages
 * back.c    in the backend's domain: maps them
 *
 * There is one device at most, and one lock: rogue_lock. Whoever takes pages away
 * holds it, and stops the thread first; the interrupt only wakes.
 */
#ifndef _XEN_TPMROGUE_H
#define _XEN_TPMROGUE_H

#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/types.h>

#include <xen/interface/io/tpmif.h>

/**
 * struct rogue_side - frontend or backend
 * @name: as the control file shows it
 * @start: registers with xenbus; may sleep for long
 * @stop: undoes @start
 * @command: carries out a command that only this side has; -EOPNOTSUPP if it is
 *	none of them. rogue_lock is held
 * @show: writes what only this side knows, as words NAME=VALUE. rogue_lock is held
 */
struct rogue_side {
	const char *name;
	int (*start)(void);
	void (*stop)(void);
	int (*command)(const char *name, char *arguments);
	void (*show)(struct seq_file *file);
};

extern struct mutex rogue_lock;
extern const struct rogue_side rogue_front;
extern const struct rogue_side rogue_back;

/* page.c */
int page_init(void);
void page_exit(void);
irqreturn_t page_interrupt(int irq, void *data);
void *page_cookie(void);
void page_set(void *pages, unsigned int nr_pages, int irq);
void *page_take_away(void);
struct vtpm_shared_page *page_get(void);
struct vtpm_trailer *page_trailer(void);
size_t page_bytes(void);
void page_count_from(u64 sequence);
void page_notify(void);
int page_parse(const char *hex, u8 *bytes, size_t room);
int page_poke(char *arguments);
void page_show(struct seq_file *file);

/* run.c */
int run_start(char *arguments);
void run_stop(void);
void run_show(struct seq_file *file);

#endif
