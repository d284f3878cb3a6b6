// SPDX-License-Identifier: GPL-2.0-only
/*
 * What durability costs: NV_Write through the engine, a bare write and flush of as many
 * bytes, the same by another process that is asked over a socket, and NV_Write through swtpm,
 * which flushes nothing. By turns, on the same file system.
 *
 *   bench-store DIRECTORY
 *
 * Prints the median of each round, in us, as JSON.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

/* A process that does nothing but write and flush when it is asked: no engine can be faster. */
struct writer {
	pid_t pid;
	int fd;
};

enum kind { ENGINE, RAW, WRITER, SWTPM, KINDS };

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
static struct raw make_raw(const char *store, const char *name)
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
	raw.fd = open(path(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
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

static void serve(int fd, struct raw *raw)
{
	uint8_t request[4096];
	unsigned int number = 0;

	while (read(fd, request, sizeof(request)) > 0) {
		raw_write(raw, number++);
		need(write(fd, request, 10) == 10, "answering");
	}
	_exit(0);
}

static struct writer start_writer(const char *store)
{
	struct raw raw = make_raw(store, "written");
	struct writer writer;
	int fds[2];

	need(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), "a socket");
	writer.pid = fork();
	need(writer.pid >= 0, "a process");
	if (writer.pid == 0) {
		close(fds[0]);
		serve(fds[1], &raw);
	}
	close(fds[1]);
	close(raw.fd);
	writer.fd = fds[0];
	return writer;
}

static void ask_writer(const struct writer *writer, unsigned int number)
{
	const struct packet request = nv_write(number);
	uint8_t answer[10];

	need(write(writer->fd, request.bytes, request.size) == (ssize_t)request.size &&
	     read(writer->fd, answer, sizeof(answer)) == sizeof(answer), "asking for a write");
}

/* What is measured, by turns. */
struct sides {
	struct engine_run run;
	struct raw raw;
	struct writer writer;
	struct swtpm swtpm;
};

static void do_one(struct sides *sides, enum kind kind, unsigned int number)
{
	switch (kind) {
	case ENGINE:
		need(!guest_do(sides->run.guest, nv_write(number)), "the engine: NV_Write");
		break;
	case RAW:
		raw_write(&sides->raw, number);
		break;
	case WRITER:
		ask_writer(&sides->writer, number);
		break;
	default:
		need(!swtpm_do(&sides->swtpm, nv_write(number)), "swtpm: NV_Write");
		break;
	}
}

/* Who comes next finds the disk as the last one has left it: each follows each other once. */
static enum kind turn_of(unsigned int number, unsigned int turn)
{
	static const uint8_t orders[][KINDS] = {
		{ ENGINE, RAW, SWTPM, WRITER }, { RAW, WRITER, ENGINE, SWTPM },
		{ WRITER, SWTPM, RAW, ENGINE }, { SWTPM, ENGINE, WRITER, RAW },
	};

	return orders[number % KINDS][turn];
}

static void bench(struct sides *sides, struct samples *samples)
{
	static unsigned int number;
	double us[KINDS][WRITES];

	for (int round = -1; round < ROUNDS; round++) {
		for (int i = 0; i < WRITES; i++) {
			number++;
			for (int turn = 0; turn < KINDS; turn++) {
				enum kind kind = turn_of(number, turn);
				double begin = now_us();

				do_one(sides, kind, number);
				us[kind][i] = now_us() - begin;
			}
		}
		/* The first round warms up. */
		for (int kind = 0; kind < KINDS && round >= 0; kind++)
			samples[kind].us[round] = median(us[kind], WRITES);
	}
}

int main(int argc, char **argv)
{
	struct samples samples[KINDS];
	char store[PATH_MAX];
	struct sides sides;

	if (argc != 2 || strlen(argv[1]) >= sizeof(directory)) {
		fputs("Usage: bench-store DIRECTORY\n", stderr);
		return 2;
	}
	strcpy(directory, argv[1]);
	snprintf(store, sizeof(store), "%s", path("store"));
	sides.run = start_engine(store);
	sides.swtpm = start_swtpm();
	sides.raw = make_raw(store, "raw");
	sides.writer = start_writer(store);
	bench(&sides, samples);
	print_json(json_pack("{s:i, s:o, s:o, s:o, s:o}", "bytes", (int)sides.raw.size,
			     "engine_us", json_numbers(samples[ENGINE].us, ROUNDS),
			     "raw_us", json_numbers(samples[RAW].us, ROUNDS),
			     "writer_us", json_numbers(samples[WRITER].us, ROUNDS),
			     "swtpm_us", json_numbers(samples[SWTPM].us, ROUNDS)));
	close(sides.writer.fd);
	need(waitpid(sides.writer.pid, NULL, 0) == sides.writer.pid, "the writer's end");
	engine_shutdown(&sides.run);
	swtpm_end(&sides.swtpm);
	return 0;
}
