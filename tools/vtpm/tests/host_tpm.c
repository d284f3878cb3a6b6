// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "host_tpm.h"

#define PATIENCE_MS	30000
#define MAX_ARGUMENTS	16

static void pause_ms(int ms)
{
	const struct timespec pause = { .tv_nsec = ms * 1000000L };

	nanosleep(&pause, NULL);
}

void host_tpm_make(struct host_tpm *tpm)
{
	*tpm = (struct host_tpm){ .dir = "/tmp/vtpm-test-XXXXXX" };
	if (!mkdtemp(tpm->dir)) {
		perror(tpm->dir);
		abort();
	}
	snprintf(tpm->tcti, sizeof(tpm->tcti), "swtpm:path=%s/s", tpm->dir);
}

static void run_swtpm(const struct host_tpm *tpm)
{
	char state[96], server[128], control[128];
	int null = open("/dev/null", O_RDWR);

	snprintf(state, sizeof(state), "dir=%s", tpm->dir);
	snprintf(server, sizeof(server), "type=unixio,path=%s/s", tpm->dir);
	snprintf(control, sizeof(control), "type=unixio,path=%s/s.ctrl", tpm->dir);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server,
	       "--ctrl", control, "--flags", "not-need-init,startup-clear", NULL);
	_exit(99);
}

ESYS_CONTEXT *host_tpm_open(const struct host_tpm *tpm)
{
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;

	if (Tss2_TctiLdr_Initialize(tpm->tcti, &tcti))
		return NULL;
	if (!Esys_Initialize(&esys, tcti, NULL))
		return esys;
	Tss2_TctiLdr_Finalize(&tcti);
	return NULL;
}

void host_tpm_close(ESYS_CONTEXT *esys)
{
	TSS2_TCTI_CONTEXT *tcti;

	Esys_GetTcti(esys, &tcti);
	Esys_Finalize(&esys);
	Tss2_TctiLdr_Finalize(&tcti);
}

static bool answers(const struct host_tpm *tpm)
{
	ESYS_CONTEXT *esys = host_tpm_open(tpm);
	TPM2B_DIGEST *bytes = NULL;
	TSS2_RC rc;

	if (!esys)
		return false;
	rc = Esys_GetRandom(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, 1, &bytes);
	Esys_Free(bytes);
	host_tpm_close(esys);
	return rc == 0;
}

bool host_tpm_on(struct host_tpm *tpm)
{
	tpm->pid = fork();
	if (tpm->pid == 0)
		run_swtpm(tpm);
	for (int ms = 0; ms < PATIENCE_MS; ms += 10) {
		if (answers(tpm))
			return true;
		if (waitpid(tpm->pid, NULL, WNOHANG) == tpm->pid)
			break;
		pause_ms(10);
	}
	tpm->pid = 0;
	return false;
}

void host_tpm_off(struct host_tpm *tpm)
{
	char path[96];

	if (!tpm->pid)
		return;
	kill(tpm->pid, SIGKILL);
	waitpid(tpm->pid, NULL, 0);
	tpm->pid = 0;
	snprintf(path, sizeof(path), "%s/s", tpm->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/s.ctrl", tpm->dir);
	unlink(path);
}

void host_tpm_throw_away(struct host_tpm *tpm)
{
	char command[96];

	host_tpm_off(tpm);
	snprintf(command, sizeof(command), "rm -r %s", tpm->dir);
	if (system(command))
		abort();
}

pid_t hosttpm_start(char **argv, int in, int out, int errors)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	if (in >= 0)
		dup2(in, 3);
	close_range(in >= 0 ? 4 : 3, ~0U, 0);
	execv(HOSTTPM, argv);
	_exit(99);
}

int process_end(pid_t pid)
{
	int status;

	for (int ms = 0; ms < PATIENCE_MS; ms += 2) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		pause_ms(2);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

static size_t read_back(int fd, void *bytes, size_t size)
{
	ssize_t n = pread(fd, bytes, size, 0);

	close(fd);
	return n < 0 ? 0 : n;
}

int hosttpm(struct hosttpm_run *run, ...)
{
	char *argv[MAX_ARGUMENTS] = { "vtpm-hosttpm" };
	int out = memfd_create("out", MFD_CLOEXEC);
	int errors = memfd_create("errors", MFD_CLOEXEC);
	int argc = 1;
	va_list args;

	va_start(args, run);
	while (argc < MAX_ARGUMENTS - 1 && (argv[argc] = va_arg(args, char *)))
		argc++;
	va_end(args);
	memset(run, 0, sizeof(*run));
	run->status = process_end(hosttpm_start(argv, -1, out, errors));
	run->out_size = read_back(out, run->out, sizeof(run->out) - 1);
	read_back(errors, run->errors, sizeof(run->errors) - 1);
	for (const char *at = run->errors; *at; at++)
		run->lines += *at == '\n';
	return run->status;
}
