// SPDX-License-Identifier: GPL-2.0-only
/*
 * What durability costs: NV_Write through the engine, a bare write and flush of as many
 * bytes, and NV_Write through swtpm, which flushes nothing. By turns, on the same file system.
 *
 *   bench-store DIRECTORY [REPORT]
 *
 * Writes the ratios into REPORT (JSON): each with the median over the rounds, and as low and
 * high what one round in ten is below or above.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine_run.h"
#include "guest.h"
#include "vnvram.h"

#define ROUNDS		40
#define WRITES		50	/* of each kind in a round */
#define INDEX		0x01500001
#define TPM2_RC_RETRY	0x922

static char directory[PATH_MAX - 32];

struct swtpm {
	pid_t pid;
	int fd;
};

struct raw {
	int fd;
	size_t size;
	off_t slot_size;
	unsigned int slot;
};

struct samples {
	double us[ROUNDS];
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench-store: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static const char *path(const char *name)
{
	static char text[PATH_MAX];

	snprintf(text, sizeof(text), "%s/%s", directory, name);
	return text;
}

static struct packet nv_write(unsigned int number)
{
	char text[65];

	snprintf(text, sizeof(text), "%064u", number);
	return tpm2_nv_write(INDEX, text);
}

/* swtpm's own interface has no header. */
static uint32_t swtpm_do(const struct swtpm *swtpm, struct packet packet)
{
	uint8_t response[4096];

	need(write(swtpm->fd, packet.bytes, packet.size) == (ssize_t)packet.size, "swtpm");
	need(read(swtpm->fd, response, sizeof(response)) >= 10, "swtpm");
	return be32(response + 6);
}

static struct swtpm start_swtpm(void)
{
	char fd_text[16], state[PATH_MAX];
	struct swtpm swtpm;
	int pair[2];

	snprintf(state, sizeof(state), "dir=%s", directory);
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	swtpm.pid = fork();
	if (!swtpm.pid) {
		close(pair[0]);
		snprintf(fd_text, sizeof(fd_text), "%d", pair[1]);
		execlp("swtpm", "swtpm", "chardev", "--tpm2", "--fd", fd_text, "--tpmstate", state,
		       "--flags", "not-need-init,startup-clear", NULL);
		_exit(99);
	}
	close(pair[1]);
	swtpm.fd = pair[0];
	need(!swtpm_do(&swtpm, tpm2_nv_define(INDEX, 64)), "swtpm: NV_DefineSpace");
	while (swtpm_do(&swtpm, nv_write(0)) == TPM2_RC_RETRY)
		;
	return swtpm;
}

static struct engine_run start_engine(const char *store)
{
	const struct engine_how how = { .store = store, .tpm = "2.0", .create = true };
	struct engine_run run = engine_start(&how);
	struct packet response;

	need(engine_is_up(&run) && !guest_do(run.guest, tpm2_startup()) &&
	     !guest_do(run.guest, tpm2_nv_define(INDEX, 64)) &&
	     !guest_retry(run.guest, nv_write(0), &response), "the engine");
	return run;
}

/* As many bytes as the engine's last commit, to slots like the engine's. */
static struct raw make_raw(const char *store)
{
	struct raw raw = { 0 };
	struct vnvram_info info;
	struct error err;
	uint8_t head[4];
	int fd = open(store, O_RDONLY);
	char *zeroes;

	need(!vnvram_inspect(fd, store, &vnvram_system_io, &info, &err), "the store");
	need(pread(fd, head, 4, VNVRAM_HEADER_SIZE +
		   (info.slots[1] > info.slots[0] ? info.slot_size : 0)) == 4 && head[1] == 0x82,
	     "the store's slot");
	close(fd);
	raw.size = 4 + head[2] * 256 + head[3];
	raw.slot_size = info.slot_size;
	raw.fd = open(path("raw"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	zeroes = calloc(1, VNVRAM_HEADER_SIZE + 2 * info.slot_size);
	need(zeroes && write(raw.fd, zeroes, VNVRAM_HEADER_SIZE + 2 * info.slot_size) > 0 &&
	     !fsync(raw.fd), "a file to write to");
	free(zeroes);
	return raw;
}

static void raw_write(struct raw *raw, unsigned int number)
{
	static uint8_t bytes[65536];

	memset(bytes, number, raw->size);
	raw->slot = !raw->slot;
	need(pwrite(raw->fd, bytes, raw->size, VNVRAM_HEADER_SIZE + raw->slot * raw->slot_size) ==
	     (ssize_t)raw->size && !fdatasync(raw->fd), "bare write");
}

static void bench(struct engine_run *run, struct raw *raw, struct swtpm *swtpm,
		  struct samples *samples)
{
	static unsigned int number;
	double us[3][WRITES];

	for (int round = -1; round < ROUNDS; round++) {
		for (int i = 0; i < WRITES; i++) {
			double begin = now_us(), raw_begin, swtpm_begin;

			number++;
			need(!guest_do(run->guest, nv_write(number)), "the engine: NV_Write");
			raw_begin = now_us();
			raw_write(raw, number);
			swtpm_begin = now_us();
			need(!swtpm_do(swtpm, nv_write(number)), "swtpm: NV_Write");
			us[0][i] = raw_begin - begin;
			us[1][i] = swtpm_begin - raw_begin;
			us[2][i] = now_us() - swtpm_begin;
		}
		/* The first round warms up. */
		for (int kind = 0; kind < 3 && round >= 0; kind++)
			samples[kind].us[round] = median(us[kind], WRITES);
	}
}

static json_t *ratio(const struct samples *a, const struct samples *b, double goal)
{
	double values[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		values[i] = a->us[i] / b->us[i];
	median(values, ROUNDS);
	return json_pack("{s:f, s:f, s:f, s:f}", "value", values[ROUNDS / 2], "low",
			 values[ROUNDS / 10], "high", values[ROUNDS - 1 - ROUNDS / 10], "goal", goal);
}

static void tell(const char *name, json_t *key)
{
	printf("%-28s %.2f (%.2f to %.2f), goal at most %.2f\n", name,
	       json_real_value(json_object_get(key, "value")),
	       json_real_value(json_object_get(key, "low")),
	       json_real_value(json_object_get(key, "high")),
	       json_real_value(json_object_get(key, "goal")));
}

static void report(struct samples *samples, size_t bytes, const char *file)
{
	json_t *over_raw = ratio(&samples[0], &samples[1], 1.3);
	json_t *over_swtpm = ratio(&samples[0], &samples[2], 1.0);
	json_t *all = json_pack("{s:O, s:O}", "durable_commit_over_raw", over_raw,
				"durable_commit_over_swtpm", over_swtpm);

	printf("NV_Write of 64 bytes, a commit of %zu bytes: engine %.0f us, bare write and flush "
	       "%.0f us, swtpm without a flush %.0f us\n", bytes, median(samples[0].us, ROUNDS),
	       median(samples[1].us, ROUNDS), median(samples[2].us, ROUNDS));
	tell("durable_commit_over_raw", over_raw);
	tell("durable_commit_over_swtpm", over_swtpm);
	if (file)
		need(!json_dump_file(all, file, JSON_INDENT(1) | JSON_REAL_PRECISION(4)), file);
	json_decref(over_raw);
	json_decref(over_swtpm);
	json_decref(all);
}

int main(int argc, char **argv)
{
	struct samples samples[3];
	struct engine_run run;
	struct swtpm swtpm;
	struct raw raw;
	char store[PATH_MAX];

	if (argc < 2 || argc > 3 || strlen(argv[1]) >= sizeof(directory)) {
		fputs("Usage: bench-store DIRECTORY [REPORT]\n", stderr);
		return 2;
	}
	strcpy(directory, argv[1]);
	snprintf(store, sizeof(store), "%s", path("store"));
	run = start_engine(store);
	swtpm = start_swtpm();
	raw = make_raw(store);
	bench(&run, &raw, &swtpm, samples);
	report(samples, raw.size, argc == 3 ? argv[2] : NULL);
	engine_shutdown(&run);
	close(swtpm.fd);
	waitpid(swtpm.pid, NULL, 0);
	return 0;
}
