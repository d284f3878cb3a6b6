/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_WITHOUT_KEEP_H
#define BENCH_WITHOUT_KEEP_H

/* In the environment of a bench engine: it does not keep its volatile state, if the value is... */
#define WITHOUT_KEEP	"BENCH_WITHOUT_KEEP"

/* ...this, but has libtpms put it into bytes all the same. */
#define WITHOUT_COPY	"copy"

#endif
