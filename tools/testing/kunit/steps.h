/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the steps of a program are: their order in each target's table, and what they put into
 * pages, nodes, requests and answers. A program means the same to the drivers in a kernel
 * (fuzz.h) and in a process of libFuzzer (tools/testing/fuzz/kernel), so that both take each
 * other's inputs.
 */
#ifndef _VTPM_KUNIT_STEPS_H
#define _VTPM_KUNIT_STEPS_H

#include <linux/string.h>
#include <linux/types.h>
#include <linux/unaligned.h>

#include <xen/interface/io/tpmif.h>
#include <xen/vtpm.h>

/**
 * struct step - one step of a program
 * @what: number of the step in the target's table, modulo its size
 * @a: depends on the step, as do @b, @c and @value
 */
struct step {
	u8 what;
	u8 a;
	u8 b;
	u8 c;
	u32 value;
};

/**
 * struct action - a line in a target's table of steps
 * @run: does it
 * @may: whether it can happen now, in the middle of another step; NULL: never
 * @arms: does nothing by itself: what it has armed outlives it
 */
struct action {
	void (*run)(const struct step *step);
	bool (*may)(void);
	bool arms;
};

/*
 * The tables: run(STEP, MAY) or arm(STEP) for each line. The corpora have their numbers:
 * a new one goes to the end.
 */
#define BACKEND_STEPS(run, arm)		\
	run(guest_submit, always)	\
	run(guest_writes, always)	\
	run(guest_cancels, always)	\
	run(guest_controls, always)	\
	run(guest_notifies, always)	\
	run(guest_connects, bus_is_idle)	\
	run(frontend_state, bus_is_idle)	\
	run(store_writes, bus_is_idle)	\
	run(controller_accepts, free_of_all)	\
	run(engine_reads, always)	\
	run(engine_answers, free_of_all)	\
	run(engine_serves, free_of_all)	\
	run(engine_closes, unlocked)	\
	run(controller_reads, unlocked)	\
	run(controller_asks, unlocked)	\
	run(time_goes, unlocked)	\
	run(work_runs, unlocked)	\
	arm(arm_write)			\
	arm(arm_step)			\
	arm(arm_in_the_way)		\
	arm(arm_failure)		\
	run(controller_opens, alone)	\
	run(controller_closes, alone)	\
	run(device_goes, alone)		\
	run(device_comes, alone)

#define FRONTEND_STEPS(run, arm)	\
	run(backend_responds, always)	\
	run(backend_writes, always)	\
	run(backend_notifies, always)	\
	run(backend_obeys, always)	\
	run(everything_comes_up, alone)	\
	run(backend_connects, bus_is_idle)	\
	run(backend_state, bus_is_idle)	\
	run(store_writes, always)	\
	run(core_sends, core_is_idle)	\
	run(core_receives, core_is_idle)	\
	run(core_cancels, always)	\
	run(guest_suspends, bus_is_idle)	\
	run(guest_resumes, bus_is_idle)	\
	run(suspend_ends, bus_is_idle)	\
	run(work_runs, core_is_idle)	\
	arm(arm_write)			\
	arm(arm_step)			\
	arm(arm_failure)		\
	arm(arm_signal)			\
	run(device_goes, alone)		\
	run(device_comes, alone)

#define STEP_RUN(name, may)	{ name, may, false },
#define STEP_ARM(name)		{ name, NULL, true },
#define alone			NULL

#define STEP_SET_LOCALITY	0x20001000U	/* an ordinal that is for engines only */
#define STEP_HEADER		10		/* bytes before a packet's parameters */
#define STEP_LOCALITIES		0x1f

/* Values that many steps choose among. */

/* Lengths at which something changes, and others. */
static inline u32 step_length(u8 which)
{
	static const u32 lengths[] = {
		10, 12, 22, 11, 9, 1, 0, 100, 1024, 4086, 4087, 4088, 4089,
		4095, 4096, 4097, 4098, 8148, 8192, 65536, 1U << 31,
		0xffffffff - 8, 0xffffffff, 2048,
	};

	return lengths[which % ARRAY_SIZE(lengths)];
}

/* A number for a node of the store; NULL: there is no node. */
static inline const char *step_value(u8 which)
{
	static const char * const values[] = {
		"0", "1", "2", "3", "4", "8", "", "x", "-1", "4294967295",
		"4294967296", "1 2", NULL,
	};

	return values[which % ARRAY_SIZE(values)];
}

/* Likewise, for a feature. */
static inline const char *step_feature(u8 which)
{
	static const char * const values[] = {
		"1", "0", "", "x", "4294967296", "2", NULL,
	};

	return values[which % ARRAY_SIZE(values)];
}

/*
 * Writes into the @room bytes of the shared pages, a field or any place: one byte, or four or
 * eight in the order of this machine.
 */
static inline void step_write(u8 *pages, size_t room, const struct step *step)
{
	static const u16 places[] = {
		0, 4, 5, 7, 8, 12, 14, 18, 10, 16, 1, 4096, 4100,
		VTPM_TRAILER_OFFSET, VTPM_TRAILER_OFFSET + 8,
		VTPM_TRAILER_OFFSET + 24, VTPM_TRAILER_OFFSET + 28,
		VTPM_TRAILER_OFFSET + 4, 4095, 4064,
	};
	unsigned int where = step->a % 64;
	size_t size = step->c & 2 ? 1 : step->c & 1 ? 8 : 4;
	size_t at = where < ARRAY_SIZE(places) ? places[where] : step->value >> 8;
	u64 value = step->value;

	at %= room;
	if (at + size > room)
		size = 1;
	memcpy(pages + at, &value, size);
}

static inline void step_put_header(u8 *packet, u16 tag, u32 length, u32 code)
{
	put_unaligned_be16(tag, packet);
	put_unaligned_be32(length, packet + 2);
	put_unaligned_be32(code, packet + 6);
}

/* The guest of a backend. */

/* A command, all but the state. Most fields are good where the step has zeroes. */
static inline void step_put_command(u8 *pages, const struct step *step)
{
	static const u16 tags[] = {
		0x8001, 0x8002, 0x00c1, 0x00c2, 0x00c3, 0x00c4, 0, 0x8003,
	};
	static const u32 ordinals[] = { 0x144, STEP_SET_LOCALITY, 0, 0x17a };
	struct vtpm_shared_page *page = (struct vtpm_shared_page *)pages;
	struct vtpm_trailer *trailer = (void *)(pages + VTPM_TRAILER_OFFSET);
	u8 *packet = pages + VTPM_PACKET_OFFSET(page->nr_extra_pages == 1 ? 1 : 0);
	u32 length = step_length(step->a), said = length;

	memset(packet, 0x80 | step->value,
	       length < VTPM_PACKET_MAX ? length : VTPM_PACKET_MAX);
	if (step->c & 16)
		said += step->value & 8 ? 1 : -1;
	step_put_header(packet, tags[step->b % 8], said, ordinals[step->b / 8 % 4]);
	page->length = length;
	page->locality = step->c % 16 < 12 ? step->c % 4 : step->c;
	trailer->sequence += step->c & 32 ? 0 : 1;
}

/* Whether a command is one that an engine may be given, of a ring with @capacity bytes. */
static inline bool step_is_command(const u8 *command, size_t size, size_t capacity)
{
	u16 tag;

	if (size < STEP_HEADER || size > capacity)
		return false;
	tag = get_unaligned_be16(command);
	return ((tag >= 0xc1 && tag <= 0xc3) || tag == 0x8001 || tag == 0x8002) &&
	       get_unaligned_be32(command + 2) == size &&
	       get_unaligned_be32(command + 6) != STEP_SET_LOCALITY;
}

/* Its controller and engines. */

/* @latest: the identity of the connection that is there */
static inline struct vtpm_accept step_accept(const struct step *step, u64 latest)
{
	struct vtpm_accept accept = {
		.id = latest - (step->b & 128 ? 1 : 0),
		.mode = step->a & 16 ? step->value : step->a & 1,
		.features = step->a & 2 ? 3 : step->a & 4 ? step->value & 7 : 0,
		.localities = step->c ? step->c : STEP_LOCALITIES,
	};

	if (step->a & 8)
		accept.reserved[step->value % 3] = step->value;
	return accept;
}

/* A policy that the backend must not take. */
static inline bool step_is_bad_accept(const struct vtpm_accept *accept)
{
	return !accept->localities || accept->localities & ~STEP_LOCALITIES ||
	       accept->mode > VTPM_MODE_RAW ||
	       (accept->features && (accept->features != 3 || accept->mode)) ||
	       memchr_inv(accept->reserved, 0, sizeof(accept->reserved));
}

#define STEP_MAX_REQUEST	(sizeof(struct vtpm_request) + VTPM_MAX_TRANSFER)

/* How many bytes an engine asks for. */
static inline size_t step_read_size(u8 which)
{
	static const u16 sizes[] = {
		STEP_MAX_REQUEST, STEP_MAX_REQUEST - 1, 4096, 56, 55, 26, 16, 11, 0,
	};

	return sizes[which % ARRAY_SIZE(sizes)];
}

/* All that follows returns the number of bytes that it has put. */

static inline size_t step_put_response(u8 *at, const struct step *step)
{
	u32 length = step_length(step->c);

	if (length < STEP_HEADER)
		length = STEP_HEADER;
	if (length > VTPM_MAX_TRANSFER + 2)
		length = 4000;
	memset(at, 0x40 | (step->value & 0x3f), length);
	step_put_header(at, 0x8001, length, step->value & 0x100 ? 0x101 : 0);
	return length;
}

static inline size_t step_put_begin(u8 *at, const struct vtpm_begin *asked,
				    const struct step *step)
{
	struct vtpm_begin begin = *asked;

	if (begin.resume == VTPM_RESUME_FRESH)
		begin.sequence = step->value;
	begin.answered = 0;
	memset(begin.session, step->value, sizeof(begin.session));
	memcpy(at, &begin, sizeof(begin));
	return sizeof(begin);
}

/*
 * The answer to a request of this @kind and @sequence, with @asked in it if it was BEGIN. One
 * thing is wrong with it where the step says so.
 */
static inline size_t step_put_answer(u8 *at, u8 kind, u64 sequence,
				     const struct vtpm_begin *asked,
				     const struct step *step)
{
	struct vtpm_response header = { .sequence = sequence };
	u8 *body = at + sizeof(header);
	unsigned int wrong = step->b % 16;
	size_t size;

	if (kind == VTPM_REQUEST_COMMAND || wrong == 7)
		header.length = step_put_response(body, step);
	else if (kind == VTPM_REQUEST_BEGIN)
		header.length = step_put_begin(body, asked, step);
	size = sizeof(header) + header.length;
	header.sequence += wrong == 1;
	header.length += wrong == 2;
	header.reserved = wrong == 3;
	size -= wrong == 4;
	if (wrong == 5)
		size = step->value % sizeof(header);
	if (wrong == 6)
		body[step->value % 64]++;
	memcpy(at, &header, sizeof(header));
	return size;
}

/* A raw engine's answer to anything. */
static inline size_t step_put_raw(u8 *at, const struct step *step)
{
	return step_put_response(at, step) - (step->b & 1);
}

/* The backend of a frontend. */

/* A response, with the state. @packet has room for @capacity bytes. */
static inline void step_put_finish(u8 *pages, u8 *packet, u32 capacity,
				   const struct step *step)
{
	struct vtpm_shared_page *page = (struct vtpm_shared_page *)pages;
	u32 length = step_length(step->a);

	memset(packet, 0x40 | step->value, length < capacity ? length : capacity);
	step_put_header(packet, 0x8001, step->b & 1 ? step->value : length, 0);
	page->length = length;
	page->state = step->c & 1 ? step->c / 2 : VTPM_STATE_FINISH;
}

#endif
