// SPDX-License-Identifier: GPL-2.0-only
/* vtpm-hosttpm recorder: the test is the engine, swtpm the host's TPM. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "freshness.h"
#include "host_tpm.h"

#define UUID		"2f6c4a5e-98a1-4d5b-a0b5-6e1f3c9d7e42"
#define PATIENCE_MS	30000
#define ATTEMPTS	5

static struct host_tpm tpm;
static struct hosttpm_run run;

/* The recorder: its process, the engine's end of the socket, what it logs. */
static pid_t recorder;
static int engine, log_pipe;

static int set_up(void **state)
{
	(void)state;
	host_tpm_make(&tpm);
	engine = log_pipe = -1;
	return host_tpm_on(&tpm) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	if (recorder > 0) {
		kill(recorder, SIGKILL);
		waitpid(recorder, NULL, 0);
	}
	recorder = 0;
	close(engine);
	close(log_pipe);
	host_tpm_throw_away(&tpm);
	return 0;
}

static void start(void)
{
	char *argv[] = { "vtpm-hosttpm", "--tcti", tpm.tcti, "recorder", "--fd", "3", UUID, NULL };
	int sockets[2], pipes[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	recorder = hosttpm_start(argv, sockets[1], pipes[1], pipes[1]);
	assert_true(recorder > 0);
	close(sockets[1]);
	close(pipes[1]);
	engine = sockets[0];
	log_pipe = pipes[0];
}

static int end(void)
{
	int status = process_end(recorder);

	recorder = 0;
	return status;
}

static int hang_up(void)
{
	close(engine);
	engine = -1;
	return end();
}

static void send_packet(uint64_t generation, uint64_t flags)
{
	struct freshness_packet packet = { generation, flags };

	assert_int_equal(send(engine, &packet, sizeof(packet), MSG_NOSIGNAL), sizeof(packet));
}

static void assert_packet(uint64_t generation, uint64_t flags)
{
	struct pollfd pollfd = { .fd = engine, .events = POLLIN };
	struct freshness_packet packet[2];

	assert_int_equal(poll(&pollfd, 1, PATIENCE_MS), 1);
	assert_int_equal(recv(engine, packet, sizeof(packet), 0), sizeof(packet[0]));
	assert_int_equal(packet[0].generation, generation);
	assert_int_equal(packet[0].flags, flags);
}

static void assert_no_packet(void)
{
	char byte;

	assert_int_equal(recv(engine, &byte, 1, MSG_DONTWAIT), -1);
}

static void assert_recorded(const char *value)
{
	assert_int_equal(hosttpm(&run, "--tcti", tpm.tcti, "generation", "read", UUID, NULL), 0);
	assert_int_equal(run.out_size, strlen(value) + 1);
	assert_memory_equal(run.out, value, strlen(value));
}

/* Adds to @text what is logged until it contains @awaited, or ends. */
static void read_log(char *text, size_t room, const char *awaited)
{
	struct pollfd pollfd = { .fd = log_pipe, .events = POLLIN };
	size_t used = strlen(text);

	while (!awaited || !strstr(text, awaited)) {
		ssize_t n;

		assert_int_equal(poll(&pollfd, 1, PATIENCE_MS), 1);
		n = read(log_pipe, text + used, room - used - 1);
		if (n <= 0 && !awaited)
			break;
		assert_true(n > 0);
		used += n;
		text[used] = '\0';
	}
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

/* While it does not run, all that is sent waits together. */
static void stop_recorder(void)
{
	int status;

	kill(recorder, SIGSTOP);
	assert_int_equal(waitpid(recorder, &status, WUNTRACED), recorder);
	assert_true(WIFSTOPPED(status));
}

static void test_protocol(void **state)
{
	(void)state;
	start();
	assert_packet(0, FRESHNESS_NOTHING);
	send_packet(1, 0);
	assert_packet(1, 0);
	assert_recorded("1");
	send_packet(7, 0);
	assert_packet(7, 0);
	send_packet(6, 0);
	assert_packet(7, 0);
	send_packet(7, 0);
	assert_packet(7, 0);
	send_packet(8, 0);
	assert_packet(8, 0);
	assert_int_equal(hang_up(), 0);
	assert_recorded("8");

	start();
	assert_packet(8, 0);
	assert_int_equal(hang_up(), 0);
}

static void test_coalesced(void **state)
{
	(void)state;
	start();
	assert_packet(0, FRESHNESS_NOTHING);
	stop_recorder();
	send_packet(3, 0);
	send_packet(5, 0);
	send_packet(4, 0);
	kill(recorder, SIGCONT);
	assert_packet(5, 0);
	/* Were there other answers, they would come before this one. */
	send_packet(6, 0);
	assert_packet(6, 0);
	assert_no_packet();
	assert_int_equal(hang_up(), 0);
}

/* It does not wait to be spoken to first, but may be. */
static void test_early_request(void **state)
{
	(void)state;
	assert_int_equal(hosttpm(&run, "--tcti", tpm.tcti, "generation", "record", UUID, "9",
				 NULL), 0);
	host_tpm_off(&tpm);
	start();
	send_packet(2, 0);
	assert_true(host_tpm_on(&tpm));
	assert_packet(9, 0);
	assert_packet(9, 0);
	assert_int_equal(hang_up(), 0);
}

static void test_last_request(void **state)
{
	char text[512] = "";

	(void)state;
	start();
	assert_packet(0, FRESHNESS_NOTHING);
	stop_recorder();
	send_packet(3, 0);
	send_packet(9, 0);
	close(engine);
	engine = -1;
	kill(recorder, SIGCONT);
	assert_int_equal(end(), 0);
	assert_recorded("9");
	read_log(text, sizeof(text), NULL);
	assert_string_equal(text, "");
}

static void assert_offends(const void *packet, size_t size)
{
	char text[512] = "";

	start();
	assert_packet(0, FRESHNESS_NOTHING);
	assert_int_equal(send(engine, packet, size, MSG_NOSIGNAL), size);
	assert_int_equal(end(), 1);
	read_log(text, sizeof(text), NULL);
	assert_non_null(strstr(text, "no request"));
	assert_int_equal(count(text, "\n"), 1);
	close(engine);
	close(log_pipe);
}

static void test_bad_requests(void **state)
{
	static const struct freshness_packet packets[2] = { { 1, 0 } };
	static const struct freshness_packet flags = { 1, 2 }, none = { 0, 0 };

	(void)state;
	assert_offends(packets, 1);
	assert_offends(packets, sizeof(packets[0]) - 1);
	assert_offends(packets, sizeof(packets[0]) + 1);
	assert_offends(packets, sizeof(packets));
	assert_offends(&flags, sizeof(flags));
	assert_offends(&none, sizeof(none));
	assert_int_equal(hosttpm(&run, "--tcti", tpm.tcti, "generation", "read", UUID, NULL), 3);
	engine = log_pipe = -1;
}

static void test_tpm_gone(void **state)
{
	char text[2048] = "";

	(void)state;
	start();
	assert_packet(0, FRESHNESS_NOTHING);
	host_tpm_off(&tpm);
	send_packet(1, 0);
	read_log(text, sizeof(text), "\n");
	assert_non_null(strstr(text, "vtpm-hosttpm " UUID ": error: cannot open the host's TPM"));
	send_packet(2, 0);
	assert_no_packet();
	assert_true(host_tpm_on(&tpm));
	assert_packet(2, 0);
	read_log(text, sizeof(text), "works again");
	assert_recorded("2");
	/* The next failure is news again. */
	host_tpm_off(&tpm);
	send_packet(3, 0);
	text[0] = '\0';
	read_log(text, sizeof(text), "cannot open the host's TPM");
	assert_int_equal(hang_up(), 0);
}

/* Half a TPM: it can be connected to, and then its control channel is missing. */
static int half_a_tpm(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	host_tpm_off(&tpm);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", tpm.dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void no_tpm(int fd)
{
	char path[96];

	close(fd);
	snprintf(path, sizeof(path), "%s/s", tpm.dir);
	assert_int_equal(unlink(path), 0);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void await_attempt(int listener)
{
	struct pollfd pollfd = { .fd = listener, .events = POLLIN };
	int fd;

	assert_int_equal(poll(&pollfd, 1, PATIENCE_MS), 1);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
}

static void test_pauses(void **state)
{
	int listener = half_a_tpm();
	char text[2048] = "";
	int64_t begun = now_ms();

	(void)state;
	/* The transport loses a few bytes when it finds half a TPM. */
	setenv("LSAN_OPTIONS", "exitcode=0", 1);
	start();
	unsetenv("LSAN_OPTIONS");
	/* Pauses of 50 ms, 100 ms, 200 ms ... */
	for (int i = 0; i < ATTEMPTS; i++) {
		await_attempt(listener);
		assert_true(now_ms() - begun >= 50 * ((1 << i) - 1) - i);
	}
	assert_no_packet();
	no_tpm(listener);
	assert_true(host_tpm_on(&tpm));
	assert_packet(0, FRESHNESS_NOTHING);
	read_log(text, sizeof(text), "works again");
	/* One kind of failure, and perhaps another while the TPM starts. */
	assert_in_range(count(text, "trying again"), 1, 2);
	assert_int_equal(count(text, "works again"), 1);
	assert_int_equal(hang_up(), 0);
}

static void test_peer_gone_without_tpm(void **state)
{
	char text[2048] = "";

	(void)state;
	host_tpm_off(&tpm);
	start();
	read_log(text, sizeof(text), "trying again");
	send_packet(1, 0);
	assert_int_equal(hang_up(), 0);
}

static void assert_status(const char *name, const char *line)
{
	char path[64], text[4096];
	size_t size;
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/%d/%s", recorder, name);
	stream = fopen(path, "r");
	assert_non_null(stream);
	size = fread(text, 1, sizeof(text) - 1, stream);
	fclose(stream);
	text[size] = '\0';
	assert_non_null(strstr(text, line));
}

static void test_confined(void **state)
{
	(void)state;
	start();
	assert_packet(0, FRESHNESS_NOTHING);
	assert_status("status", "NoNewPrivs:\t1\n");
	assert_status("limits", "Max core file size        0                    0  ");
	assert_int_equal(hang_up(), 0);
}

/* Nothing is held between requests: others use the TPM, and one that restarts is no event. */
static void test_idle(void **state)
{
	char text[512] = "";

	(void)state;
	start();
	assert_packet(0, FRESHNESS_NOTHING);
	send_packet(1, 0);
	assert_packet(1, 0);
	host_tpm_off(&tpm);
	assert_true(host_tpm_on(&tpm));
	assert_int_equal(hosttpm(&run, "--tcti", tpm.tcti, "generation", "record", UUID, "5",
				 NULL), 0);
	send_packet(2, 0);
	assert_packet(5, 0);
	assert_int_equal(hang_up(), 0);
	read_log(text, sizeof(text), NULL);
	assert_string_equal(text, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(protocol),
		TEST(coalesced),
		TEST(early_request),
		TEST(last_request),
		TEST(bad_requests),
		TEST(tpm_gone),
		TEST(pauses),
		TEST(peer_gone_without_tpm),
		TEST(confined),
		TEST(idle),
	};

	setenv("TSS2_LOG", "all+none", 1);
	return cmocka_run_group_tests_name("recorder of generations", tests, NULL, NULL);
}
