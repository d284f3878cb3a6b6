// SPDX-License-Identifier: GPL-2.0-only
/*
 * What durability costs: NV_Write through the engine, a bare write and flush of as many
 * bytes, and NV_Write through swtpm, which flushes nothing. By turns, on the same file system.
 *
 *   bench-store DIRECTORY
 *
 * Prints the median of each round, in us, as JSON.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "engine_run.h"
#include "vnvram.h"

#define ROUNDS		40
#define WRITES		50	/* of each kind in a round */
#define INDEX		0x01500001
#define TPM2_RC_RETRY	0x922

static char directory[PATH_MAX - 32];

struct raw {
	int fd;
	size_t size;
	off_t slot_size;
	unsigned int slot;
};

struct samples {
	double us[ROUNDS];
};

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

static struct swtpm start_swtpm(void)
{
	struct swtpm swtpm = swtpm_start(directory, "not-need-init,startup-clear");

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

int main(int argc, char **argv)
{
	struct samples samples[3];
	struct engine_run run;
	struct swtpm swtpm;
	struct raw raw;
	char store[PATH_MAX];

	if (argc != 2 || strlen(argv[1]) >= sizeof(directory)) {
		fputs("Usage: bench-store DIRECTORY\n", stderr);
		return 2;
	}
	strcpy(directory, argv[1]);
	snprintf(store, sizeof(store), "%s", path("store"));
	run = start_engine(store);
	swtpm = start_swtpm();
	raw = make_raw(store);
	bench(&run, &raw, &swtpm, samples);
	print_json(json_pack("{s:i, s:o, s:o, s:o}", "bytes", (int)raw.size,
			     "engine_us", json_numbers(samples[0].us, ROUNDS),
			     "raw_us", json_numbers(samples[1].us, ROUNDS),
			     "swtpm_us", json_numbers(samples[2].us, ROUNDS)));
	engine_shutdown(&run);
	swtpm_end(&swtpm);
	return 0;
}
