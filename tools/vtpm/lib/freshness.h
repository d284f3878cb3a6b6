/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an engine and its freshness recorder (vtpm-hosttpm recorder) say to each other.
 *
 * They share a pair of AF_UNIX SOCK_SEQPACKET sockets. Each message is one packet of
 * exactly sizeof(struct freshness_packet) bytes, in the byte order of the host. The
 * recorder speaks first and says what is recorded. Then the engine asks for generations to
 * be recorded, and the recorder answers once that is done; it may answer several
 * requests at once, with the highest. It never answers with a failure: while nothing
 * can be recorded it is silent, and tries again. Either side ends the relation by closing
 * its socket.
 */
#ifndef VTPM_FRESHNESS_H
#define VTPM_FRESHNESS_H

#include <stdint.h>

/* In the recorder's first packet: nothing was ever recorded for this vTPM. */
#define FRESHNESS_NOTHING	1

/**
 * struct freshness_packet - one message, either way
 * @generation: from the engine: generation of the store to record, from 1 on. From the
 *	recorder: the generation that is recorded, which outlives the host's power; 0 with
 *	FRESHNESS_NOTHING. It is never lower than what was asked for, and higher if a
 *	higher one was recorded before: recording never goes back
 * @flags: FRESHNESS_NOTHING in the first packet, 0 otherwise
 */
struct freshness_packet {
	uint64_t generation;
	uint64_t flags;
};

_Static_assert(sizeof(struct freshness_packet) == 16, "size of a freshness packet");

#endif
