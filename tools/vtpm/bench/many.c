// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many engines on one host, and as many swtpms: how long until all of them have answered
 * their guest's Startup, the memory and the processor time of each, how often they wake up while nobody asks for
 * anything, and whether one that works notices the others. Guests are simulated: a socket is in
 * the place of each connection.
 *
 *   bench-many DIRECTORY MEMORY COUNT ROUNDS [SECONDS]
 *
 * MEMORY is a directory on tmpfs. SECONDS is how long to count wake-ups; 0 or none, not at all.
 * Prints what was measured in each round, as JSON.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "engine_run.h"

#define COUNT_MAX	4000
#define ROUNDS_MAX	100
#define READS		20000	/* PCR_Reads in a sample */
#define SETTLE_S	2	/* by then everything is in the stores, which is no event */

struct host {
	const char *directory;
	const char *memory;
	unsigned int count;
	struct engine_run engines[COUNT_MAX];
	struct swtpm swtpms[COUNT_MAX];
};

struct results {
	double engine_ms[ROUNDS_MAX];
	double swtpm_ms[ROUNDS_MAX];
	double engine_private_kb[ROUNDS_MAX];
	double engine_host_kb[ROUNDS_MAX];	/* of the machine's memory, the kernel's part included */
	double engine_cpu_ms[ROUNDS_MAX];
	double swtpm_private_kb[ROUNDS_MAX];
	double alone_us[2][ROUNDS_MAX];	/* median, p99 */
	double beside_us[2][ROUNDS_MAX];
};

static struct host host;
static struct results results;

/* --- engines */

static void start_engine(unsigned int i, bool create)
{
	char store[PATH_MAX], state[PATH_MAX], uuid[40];
	const struct engine_how how = {
		.store = store, .memory = state, .tpm = "2.0", .uuid = uuid, .create = create,
	};

	snprintf(uuid, sizeof(uuid), "ab010000-0000-0000-0000-%012u", i);
	snprintf(store, sizeof(store), "%s/%u", host.directory, i);
	snprintf(state, sizeof(state), "%s/%u", host.memory, i);
	host.engines[i] = engine_start(&how);
	need(host.engines[i].pid > 0, "fork");
}

/* The command waits in the socket until the engine is up. */
static void start_engines(unsigned int from, bool create)
{
	const struct packet startup = tpm2_startup();
	uint64_t sequences[COUNT_MAX] = { 0 };
	struct packet response;

	for (unsigned int i = from; i < host.count; i++) {
		start_engine(i, create);
		sequences[i] = guest_send(host.engines[i].guest, &startup, 0);
	}
	for (unsigned int i = from; i < host.count; i++)
		need(guest_receive(host.engines[i].guest, sequences[i], &response, 120000) &&
		     !be32(response.bytes + 6), "the engine: Startup");
}

static void end_engines(void)
{
	const struct control_message msg = {
		.type = CONTROL_SHUTDOWN, .value = CONTROL_POWER_OFF,
	};

	for (unsigned int i = 0; i < host.count; i++)
		need(!control_send(host.engines[i].control, &msg, -1), "control");
	for (unsigned int i = 0; i < host.count; i++)
		need(engine_end(&host.engines[i]) == 0, "the engine's end");
}

/* --- swtpm */

static void start_swtpms(void)
{
	char directory[PATH_MAX];

	for (unsigned int i = 0; i < host.count; i++) {
		snprintf(directory, sizeof(directory), "%s/swtpm-%u", host.directory, i);
		need(!mkdir(directory, 0700) || errno == EEXIST, directory);
		host.swtpms[i] = swtpm_start(directory, "not-need-init");
	}
	for (unsigned int i = 0; i < host.count; i++)
		need(!swtpm_do(&host.swtpms[i], tpm2_startup()), "swtpm: Startup");
}

static void end_swtpms(void)
{
	for (unsigned int i = 0; i < host.count; i++)
		swtpm_end(&host.swtpms[i]);
}

/* --- what the kernel says of them */

/* The sum of the numbers behind one word or the other in a file. */
static double sum_of(const char *path, const char *word, const char *other)
{
	FILE *file = fopen(path, "r");
	char line[256];
	double sum = 0;

	need(file != NULL, path);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, word, strlen(word)) || !strncmp(line, other, strlen(other)))
			sum += strtod(strchr(line, ':') + 1, NULL);
	fclose(file);
	return sum;
}

/* Pages of files that nobody has written to are not counted: one more process shares them. */
static double private_kb(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	return sum_of(path, "Private_Dirty:", "Private_Hugetlb:");
}

/* What programs could still have, in KB. */
static double available_kb(void)
{
	return sum_of("/proc/meminfo", "MemAvailable:", "MemAvailable:");
}

/* Processor time of all its threads since it was started, in ms. */
static double cpu_ms(pid_t pid)
{
	struct timespec time;
	clockid_t clock;

	need(!clock_getcpuclockid(pid, &clock) && !clock_gettime(clock, &time), "processor time");
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

/* How often all threads of a process have given up the processor, or lost it. */
static double switches_of(pid_t pid)
{
	char path[64], status[400];
	struct dirent *entry;
	double sum = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	need(tasks != NULL, path);
	while ((entry = readdir(tasks))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(status, sizeof(status), "%s/%s/status", path, entry->d_name);
		sum += sum_of(status, "voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:");
	}
	closedir(tasks);
	return sum;
}

static double switches(void)
{
	double sum = 0;

	for (unsigned int i = 0; i < host.count; i++)
		sum += switches_of(host.engines[i].pid);
	return sum;
}

static void settle(void)
{
	static const struct timespec pause = { .tv_sec = SETTLE_S };

	nanosleep(&pause, NULL);
}

static double idle_switches(unsigned int seconds)
{
	const struct timespec measured = { .tv_sec = seconds };
	double before;

	settle();
	before = switches();
	nanosleep(&measured, NULL);
	return switches() - before;
}

/* --- rounds */

/* Latency of the first engine: median and p99, in us. */
static void sample(double *half, double *p99)
{
	const struct packet packet = tpm2_pcr_read(16);
	static double us[READS];

	settle();
	for (unsigned int i = 0; i < READS; i++) {
		double begin = now_us();

		need(!guest_do(host.engines[0].guest, packet), "PCR_Read");
		us[i] = now_us() - begin;
	}
	*half = median(us, READS);
	*p99 = us[READS * 99 / 100];
}

/* All at once; what each has of its own is looked at while all are there. */
static void run_engines(unsigned int round)
{
	double available = available_kb(), begin = now_us(), kb = 0, ms = 0;

	start_engines(0, false);
	results.engine_ms[round] = (now_us() - begin) / 1e3;
	results.engine_host_kb[round] = (available - available_kb()) / host.count;
	for (unsigned int i = 0; i < host.count; i++) {
		kb += private_kb(host.engines[i].pid);
		ms += cpu_ms(host.engines[i].pid);
	}
	results.engine_private_kb[round] = kb / host.count;
	results.engine_cpu_ms[round] = ms / host.count;
	if (host.count > 1)
		sample(&results.beside_us[0][round], &results.beside_us[1][round]);
	end_engines();
}

/* One, which the others are compared with. */
static void run_alone(unsigned int round)
{
	unsigned int count = host.count;

	host.count = 1;
	start_engines(0, false);
	sample(&results.alone_us[0][round], &results.alone_us[1][round]);
	end_engines();
	host.count = count;
}

static void run_swtpms(unsigned int round)
{
	double begin = now_us(), kb = 0;

	start_swtpms();
	results.swtpm_ms[round] = (now_us() - begin) / 1e3;
	for (unsigned int i = 0; i < host.count; i++)
		kb += private_kb(host.swtpms[i].pid);
	results.swtpm_private_kb[round] = kb / host.count;
	end_swtpms();
}

static void set_numbers(json_t *json, const char *name, const double *values, unsigned int count)
{
	need(!json_object_set_new(json, name, json_numbers(values, count)), "out of memory");
}

static json_t *run(unsigned int rounds)
{
	json_t *json = json_object();

	for (unsigned int round = 0; round < rounds; round++) {
		run_engines(round);
		run_swtpms(round);
		if (host.count > 1)
			run_alone(round);
	}
	set_numbers(json, "engine_ms", results.engine_ms, rounds);
	set_numbers(json, "swtpm_ms", results.swtpm_ms, rounds);
	set_numbers(json, "engine_private_kb", results.engine_private_kb, rounds);
	set_numbers(json, "engine_host_kb", results.engine_host_kb, rounds);
	set_numbers(json, "engine_cpu_ms", results.engine_cpu_ms, rounds);
	set_numbers(json, "swtpm_private_kb", results.swtpm_private_kb, rounds);
	if (host.count == 1)
		return json;
	set_numbers(json, "alone_median_us", results.alone_us[0], rounds);
	set_numbers(json, "alone_p99_us", results.alone_us[1], rounds);
	set_numbers(json, "beside_median_us", results.beside_us[0], rounds);
	set_numbers(json, "beside_p99_us", results.beside_us[1], rounds);
	return json;
}

/* Two sockets for each. */
static void allow_files(void)
{
	struct rlimit limit;

	need(!getrlimit(RLIMIT_NOFILE, &limit), "the limit of open files");
	limit.rlim_cur = limit.rlim_max;
	need(!setrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur > 4 * host.count,
	     "the limit of open files");
}

/* New TPMs, which no round counts. */
static void make(void)
{
	start_engines(0, true);
	end_engines();
	start_swtpms();
	end_swtpms();
}

int main(int argc, char **argv)
{
	unsigned int rounds, seconds;
	json_t *json;

	host.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	rounds = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
	seconds = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
	if (!host.count || host.count > COUNT_MAX || !rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "Usage: bench-many DIRECTORY MEMORY COUNT ROUNDS [SECONDS]\n"
			"COUNT is 1 to %d, ROUNDS 1 to %d\n", COUNT_MAX, ROUNDS_MAX);
		return 2;
	}
	host.directory = argv[1];
	host.memory = argv[2];
	allow_files();
	make();
	json = run(rounds);
	if (seconds) {
		start_engines(0, false);
		json_object_set_new(json, "idle_switches", json_real(idle_switches(seconds)));
		json_object_set_new(json, "idle_seconds", json_integer(seconds));
		end_engines();
	}
	print_json(json);
	return 0;
}
