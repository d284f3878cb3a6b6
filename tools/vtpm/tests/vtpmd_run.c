// SPDX-License-Identifier: GPL-2.0-only
#include "cmocka_all.h"

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vtpmd_run.h"

const struct uuid first = { { 0xab, 1 } }, second = { { 0xab, 2 } };

char dir[64];
struct fake_kernel *kernel;
pid_t vtpmd;

char *path(const char *name)
{
	static char text[4][256];
	static unsigned int next;
	char *result = text[next++ % 4];

	snprintf(result, 256, "%s/%s", dir, name);
	return result;
}

void write_file(const char *name, const char *text)
{
	FILE *stream = fopen(path(name), "w");

	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
}

bool there(const char *name)
{
	return access(path(name), F_OK) == 0;
}

void pause_ms(int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

void start_vtpmd(void)
{
	vtpmd = fork();
	if (vtpmd == 0) {
		execl(TESTS_DIR "/vtpmd", "vtpmd", "--verbose", "--config",
		      path("vtpmd.conf"), NULL);
		_exit(99);
	}
}

/* Returns its exit code, 128 + signal, or -1 if it did not end. */
int end_vtpmd(int sig)
{
	pid_t pid = vtpmd;
	int status;

	vtpmd = 0;
	kill(pid, sig);
	for (int ms = 0; ms < PATIENCE_MS; ms += 5) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		pause_ms(5);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

void write_config(const char *user)
{
	char text[1024];

	snprintf(text, sizeof(text), "[vtpmd]\nstate-dir = %s\nrun-dir = %s\ndevice = %s\n"
		 "engine = %s\nuser = %s\n", path("state"), path("run"), path("dev"),
		 path("engine"), user);
	write_file("vtpmd.conf", text);
}

/*
 * A copy in the test's own directory, because the user that engines run as may not
 * get into that of the build.
 */
static int install_engine(void)
{
	char line[512];

	/* A sanitizer makes system calls of its own. */
#ifdef VTPM_SANITIZE
	snprintf(line, sizeof(line), "#!/bin/sh\nexec %s --no-sandbox \"$@\"\n",
		 path("vtpm-engine"));
#else
	snprintf(line, sizeof(line), "#!/bin/sh\nexec %s \"$@\"\n", path("vtpm-engine"));
#endif
	write_file("engine", line);
	snprintf(line, sizeof(line), "cp %s %s", TESTS_DIR "/vtpm-engine", path("vtpm-engine"));
	return chmod(path("engine"), 0755) || system(line);
}

int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/vtpm-test-XXXXXX");
	if (!mkdtemp(dir) || mkdir(path("vtpm.d"), 0700))
		return -1;
	if (install_engine())
		return -1;
	write_config(getpwuid(geteuid())->pw_name);
	kernel = fake_kernel_new(path("dev"));
	start_vtpmd();
	return 0;
}

int tear_down(void **state)
{
	char line[128];

	(void)state;
	if (vtpmd)
		end_vtpmd(SIGTERM);
	fake_kernel_free(kernel);
	snprintf(line, sizeof(line), "rm -r %s", dir);
	return system(line);
}

/* Runs vtpmctl; returns its exit code. */
int vtpmctl(const char *arguments, char *output, size_t size)
{
	char line[512];
	FILE *stream;
	size_t n;

	snprintf(line, sizeof(line), VTPMCTL " --socket %s %s 2>&1", path("run/vtpmd.sock"),
		 arguments);
	stream = popen(line, "r");
	n = fread(output, 1, size - 1, stream);
	output[n] = '\0';
	return WEXITSTATUS(pclose(stream));
}

/* What vtpmd says about a vTPM; a new reference, or NULL. */
json_t *describe(const char *uuid)
{
	char output[65536];
	json_t *all, *vtpm, *result = NULL;
	size_t i;

	if (vtpmctl("list --json", output, sizeof(output)))
		return NULL;
	all = json_loads(output, 0, NULL);
	assert_non_null(all);
	json_array_foreach(json_object_get(all, "vtpms"), i, vtpm)
		if (!strcmp(json_string_value(json_object_get(vtpm, "uuid")), uuid))
			result = json_incref(vtpm);
	json_decref(all);
	return result;
}

bool has_state(const char *uuid, const char *wanted, const char *reason)
{
	json_t *vtpm = describe(uuid);
	const char *state = json_string_value(json_object_get(vtpm, "state"));
	const char *text = json_string_value(json_object_get(vtpm, "reason"));
	bool is = state && !strcmp(state, wanted) && (!reason || (text && strstr(text, reason)));

	json_decref(vtpm);
	return is;
}

void wait_for_state(const char *uuid, const char *wanted, const char *reason)
{
	for (int ms = 0; ms < PATIENCE_MS; ms += 20) {
		if (has_state(uuid, wanted, reason))
			return;
		pause_ms(20);
	}
	fail_msg("vTPM %s never was %s", uuid, wanted);
}

pid_t engine_of(const char *uuid)
{
	json_t *vtpm = describe(uuid);
	pid_t pid = json_integer_value(json_object_get(vtpm, "pid"));

	json_decref(vtpm);
	return pid;
}

/* A frontend appears and is served; returns the guest's end. */
int attach(uint32_t domid, const struct uuid *uuid, uint64_t *id)
{
	*id = fake_kernel_add(kernel, domid, uuid);
	assert_true(fake_kernel_wait_accepted(kernel, *id, PATIENCE_MS));
	return fake_kernel_guest(kernel, *id);
}

void define_and_write(int guest, const char *text)
{
	struct packet response;

	assert_int_equal(guest_do(guest, tpm2_nv_define(INDEX, strlen(text))), 0);
	assert_int_equal(guest_retry(guest, tpm2_nv_write(INDEX, text), &response), 0);
}

bool pcr_is_zero(int guest)
{
	static const uint8_t zeroes[32];
	struct packet response, read = tpm2_pcr_read(16);

	assert_int_equal(guest_run(guest, &read, &response), 0);
	return !memcmp(response.bytes + 30, zeroes, sizeof(zeroes));
}

/* Makes a vTPM with something in a PCR and in its NV. */
int attach_used(uint32_t domid, const struct uuid *uuid, uint64_t *id)
{
	int guest = attach(domid, uuid, id);

	assert_int_equal(guest_do(guest, tpm2_startup()), 0);
	assert_int_equal(guest_do(guest, tpm2_pcr_extend(16)), 0);
	define_and_write(guest, "kept");
	return guest;
}
