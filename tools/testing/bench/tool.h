/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of bench-tool share. */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * fail() - end the program with a message that has errno's text
 * @what: what could not be done
 */
void fail(const char *what) __attribute__((noreturn));

/** now_ns() - CLOCK_MONOTONIC in ns */
uint64_t now_ns(void);

/**
 * stdin_is_readable() - whether a line, or the end, waits on standard input
 *
 * Return: true or false, at once.
 */
bool stdin_is_readable(void);

/**
 * events_bind() - take the other end of an event channel
 * @domid: domain at the other end
 * @port: its port
 *
 * Ends the program if that fails. There is one channel at a time.
 */
void events_bind(unsigned int domid, unsigned int port);

/**
 * events_ping() - send an event and wait for the one that comes back
 *
 * Return: how long that took, in ns.
 */
uint64_t events_ping(void);

/* The programs; each returns its exit status. */
int client_main(void);
int echo_main(unsigned int domid);
int null_main(const char *mode, const char *uuid);

#endif
