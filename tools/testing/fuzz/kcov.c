// SPDX-License-Identifier: GPL-2.0-only
/*
 * kcov [--merge] TARGET SECONDS SEED DIR...: run programs by xen-vtpm-fuzz/TARGET in
 * debugfs, those in the directories first, then changes of them for so many seconds. What
 * reaches something new by KCOV is kept, and changed in turn.
 *
 * Lines on standard output: "new HEX" for each program that was kept, "finding HEX" for one
 * that broke a rule, and at the end "done EXECUTIONS POINTS EDGES INPUTS". With --merge
 * "keep HEX" for each program that adds an edge to those of the first directory and to
 * the smaller ones.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/kcov.h>

#define KCOV		"/sys/kernel/debug/kcov"
#define TARGETS		"/sys/kernel/debug/xen-vtpm-fuzz"
#define TRACE		(1UL << 18)	/* points of one program, at most */
#define EDGES		(1U << 16)
#define POINTS		(1U << 14)
#define STEP		8
#define MAX_SIZE	(160 * STEP)
#define MAX_INPUTS	8192

struct input {
	uint8_t *bytes;
	size_t size;
	bool given;	/* is in the first directory */
};

static struct input inputs[MAX_INPUTS];
static size_t input_count;
static uint64_t *trace;
static int program_fd;
static uint64_t executions, random_state;

/* Of an edge: the classes of how often a program came along it; in one run, and in all. */
static uint8_t counts[EDGES], seen[EDGES];
static uint32_t touched[EDGES];
static size_t touched_count;
static unsigned int edges;

/* The points themselves, as a hash table. */
static uint64_t points[POINTS];
static unsigned int point_count;

static uint32_t number(uint32_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dULL >> 33) % below;
}

static uint32_t hash(uint64_t value)
{
	return value * 0x9e3779b97f4a7c15ULL >> 40;
}

/* Coverage. */

static void note_point(uint64_t point)
{
	uint32_t at = hash(point) % POINTS;

	while (points[at] && points[at] != point)
		at = (at + 1) % POINTS;
	if (points[at])
		return;
	points[at] = point;
	if (++point_count == POINTS - 1)
		errx(1, "more than %u points: make POINTS larger", POINTS);
}

static void note_edge(uint64_t from, uint64_t to)
{
	uint32_t edge = hash(from * 31 + to) % EDGES;

	if (!counts[edge])
		touched[touched_count++] = edge;
	if (counts[edge] < UINT8_MAX)
		counts[edge]++;
}

/* 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, more: a bit for each. */
static uint8_t class_of(uint8_t count)
{
	static const uint8_t from[] = { 2, 3, 4, 8, 16, 32, 128 };
	unsigned int i = 0;

	while (i < sizeof(from) && count >= from[i])
		i++;
	return 1U << i;
}

/* Returns whether the last run came where none was before. */
static bool take_coverage(bool classes)
{
	bool news = false;

	for (size_t i = 0; i < touched_count; i++) {
		uint8_t *old = &seen[touched[i]];
		uint8_t class = classes ? class_of(counts[touched[i]]) : 1;

		edges += !*old;
		news |= !(*old & class);
		*old |= class;
		counts[touched[i]] = 0;
	}
	touched_count = 0;
	return news;
}

static void put(const char *what, const struct input *input)
{
	printf("%s ", what);
	for (size_t i = 0; i < input->size; i++)
		printf("%02x", input->bytes[i]);
	printf("\n");
}

static void finish(void)
{
	printf("done %llu %u %u %zu\n", (unsigned long long)executions, point_count, edges,
	       input_count);
	fflush(stdout);
}

/* Run a program; one that breaks a rule is the last. */
static void execute(const struct input *input)
{
	uint64_t count, last = 0;
	ssize_t done;

	__atomic_store_n(&trace[0], 0, __ATOMIC_RELAXED);
	done = write(program_fd, input->bytes, input->size);
	count = __atomic_load_n(&trace[0], __ATOMIC_RELAXED);
	executions++;
	for (uint64_t i = 1; i <= count; i++) {
		note_point(trace[i]);
		note_edge(last, trace[i]);
		last = trace[i];
	}
	if (done >= 0)
		return;
	if (errno != EILSEQ)
		err(1, "writing a program");
	put("finding", input);
	finish();
	/* Now the kernel says what was broken. */
	close(program_fd);
	exit(3);
}

/* Inputs. */

static void keep(const struct input *input)
{
	struct input *copy = &inputs[input_count];

	if (input_count == MAX_INPUTS)
		return;
	copy->bytes = malloc(input->size + !input->size);
	if (!copy->bytes)
		err(1, "an input");
	memcpy(copy->bytes, input->bytes, input->size);
	copy->size = input->size;
	copy->given = input->given;
	input_count++;
}

static void read_input(const char *path, bool given)
{
	uint8_t bytes[MAX_SIZE];
	struct input input = { .bytes = bytes, .given = given };
	FILE *file = fopen(path, "r");

	if (!file)
		err(1, "%s", path);
	input.size = fread(bytes, 1, sizeof(bytes), file) / STEP * STEP;
	fclose(file);
	keep(&input);
}

static void read_directory(const char *path, bool given)
{
	struct dirent **entries;
	char name[PATH_MAX];
	int count = scandir(path, &entries, NULL, alphasort);

	if (count < 0)
		err(1, "%s", path);
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			read_input(name, given);
		free(entries[i]);
	}
	free(entries);
}

static int compare(const void *one, const void *other)
{
	const struct input *a = one, *b = other;

	if (a->given != b->given)
		return a->given ? -1 : 1;
	return (a->size > b->size) - (a->size < b->size);
}

/* Changes. */

static void insert(struct input *input, size_t at, const uint8_t *step)
{
	uint8_t copy[STEP];

	if (input->size == MAX_SIZE)
		return;
	memcpy(copy, step, STEP);
	memmove(input->bytes + at + STEP, input->bytes + at, input->size - at);
	memcpy(input->bytes + at, copy, STEP);
	input->size += STEP;
}

static void take_out(struct input *input, size_t at)
{
	input->size -= STEP;
	memmove(input->bytes + at, input->bytes + at + STEP, input->size - at);
}

/* From here on it goes on as another one does from somewhere. */
static void splice(struct input *input, size_t at)
{
	const struct input *other = &inputs[number(input_count)];
	size_t from, size;

	if (!other->size)
		return;
	from = number(other->size / STEP) * STEP;
	size = other->size - from;
	if (size > MAX_SIZE - at)
		size = MAX_SIZE - at;
	memcpy(input->bytes + at, other->bytes + from, size);
	input->size = at + size;
}

static void change_value(uint8_t *step)
{
	static const uint32_t values[] = { 0, 1, 2, 3, 9, 10, 4088, 4096, 0x144, UINT32_MAX };
	uint32_t value = number(3) ? values[number(sizeof(values) / sizeof(*values))] :
			 number(UINT32_MAX);

	memcpy(step + 4, &value, sizeof(value));
}

/* Many fields are good where they are small, or flags. */
static uint8_t field(void)
{
	unsigned int how = number(4);

	return how == 0 ? 0 : how == 1 ? number(32) : how == 2 ? 1U << number(8) : number(256);
}

static void change(struct input *input)
{
	const uint8_t fresh[STEP] = { number(32), field(), field(), field() };
	size_t count = input->size / STEP, at = count ? number(count) * STEP : 0;
	unsigned int how = count ? number(9) : 0;

	switch (how) {
	case 0:
	case 1:
		insert(input, at, fresh);
		break;
	case 2:
		insert(input, at, input->bytes + number(count) * STEP);
		break;
	case 3:
		take_out(input, at);
		break;
	case 4:
		input->bytes[at] = number(32);
		break;
	case 5:
		input->bytes[at + 1 + number(3)] = field();
		break;
	case 6:
		input->bytes[at + 1 + number(3)] ^= 1U << number(8);
		break;
	case 7:
		change_value(input->bytes + at);
		break;
	case 8:
		splice(input, at);
		break;
	}
}

/* What was found late is changed more often than what was there. */
static void mutate(struct input *input)
{
	size_t at = number(input_count);
	unsigned int times = 1 + number(5);

	if (number(2)) {
		size_t late = number(input_count);

		at = late > at ? late : at;
	}
	memcpy(input->bytes, inputs[at].bytes, inputs[at].size);
	input->size = inputs[at].size;
	while (times--)
		change(input);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void fuzz(double seconds)
{
	double end = now() + seconds;
	uint8_t bytes[MAX_SIZE];
	struct input input = { .bytes = bytes };

	while (now() < end) {
		mutate(&input);
		execute(&input);
		if (!take_coverage(true))
			continue;
		put("new", &input);
		keep(&input);
	}
}

static void run_inputs(bool merge)
{
	if (merge)
		qsort(inputs, input_count, sizeof(*inputs), compare);
	for (size_t i = 0; i < input_count; i++) {
		execute(&inputs[i]);
		if (take_coverage(!merge) && merge && !inputs[i].given)
			put("keep", &inputs[i]);
	}
}

static void open_all(const char *target)
{
	char path[PATH_MAX];
	int kcov = open(KCOV, O_RDWR);

	if (kcov < 0 || ioctl(kcov, KCOV_INIT_TRACE, TRACE))
		err(1, KCOV);
	trace = mmap(NULL, TRACE * sizeof(*trace), PROT_READ | PROT_WRITE, MAP_SHARED, kcov, 0);
	if (trace == MAP_FAILED || ioctl(kcov, KCOV_ENABLE, KCOV_TRACE_PC))
		err(1, KCOV);
	snprintf(path, sizeof(path), TARGETS "/%s", target);
	program_fd = open(path, O_WRONLY);
	if (program_fd < 0)
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	bool merge = argc > 1 && !strcmp(argv[1], "--merge");
	char **arguments = argv + 1 + merge;

	if (argc - merge < 5)
		errx(2, "usage: kcov [--merge] TARGET SECONDS SEED DIR...");
	random_state = strtoull(arguments[2], NULL, 0) * 2 + 1;
	for (int i = 3; arguments[i]; i++)
		read_directory(arguments[i], i == 3);
	if (!input_count)
		errx(1, "the directories are empty");
	open_all(arguments[0]);
	run_inputs(merge);
	fuzz(strtod(arguments[1], NULL));
	finish();
	if (close(program_fd))
		err(1, "%s", arguments[0]);
	return 0;
}
