/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an engine and a freshness recorder (vtpm-hosttpm) say to each other, over a
 * connected SOCK_SEQPACKET socket, in the byte order of the host.
 *
 * The recorder speaks first: it says the generation that it has for the vTPM, or
 * that it has none. Then the engine sends the generation of each commit, and the
 * recorder answers with the generation that it has, once it is durable. Of several that
 * wait it may record only the highest.
 */
#ifndef VTPM_FRESHNESS_H
#define VTPM_FRESHNESS_H

#include <stdint.h>

#define FRESHNESS_NONE	1	/* nothing is recorded for this vTPM */

/**
 * struct freshness_packet - one packet, in either direction
 * @generation: to the recorder: to be recorded; from it: recorded
 * @flags: FRESHNESS_NONE, in the first packet of the recorder; otherwise 0
 */
struct freshness_packet {
	uint64_t generation;
	uint64_t flags;
};

#endif
