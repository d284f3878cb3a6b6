/* SPDX-License-Identifier: GPL-2.0-only */
/* swtpm as the host's TPM, and vtpm-hosttpm beside it. */
#ifndef TESTS_HOST_TPM_H
#define TESTS_HOST_TPM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <tss2/tss2_esys.h>

/**
 * struct host_tpm - a TPM
 * @dir: its state, and its sockets
 * @tcti: for --tcti
 * @pid: of swtpm; 0, it is off
 */
struct host_tpm {
	char dir[64];
	char tcti[96];
	pid_t pid;
};

/**
 * host_tpm_make - make a new TPM, which is off
 * @tpm: filled in
 */
void host_tpm_make(struct host_tpm *tpm);

/**
 * host_tpm_on - switch it on, and wait until it answers
 * @tpm: the TPM
 *
 * Return: false, it does not.
 */
bool host_tpm_on(struct host_tpm *tpm);

/**
 * host_tpm_off - cut its power
 * @tpm: the TPM
 */
void host_tpm_off(struct host_tpm *tpm);

/**
 * host_tpm_throw_away - off, and remove its state
 * @tpm: the TPM
 */
void host_tpm_throw_away(struct host_tpm *tpm);

/**
 * host_tpm_open - talk to it directly
 * @tpm: the TPM, which is on
 *
 * Return: a context for host_tpm_close(), or NULL.
 */
ESYS_CONTEXT *host_tpm_open(const struct host_tpm *tpm);

/**
 * host_tpm_close - end it
 * @esys: from host_tpm_open()
 */
void host_tpm_close(ESYS_CONTEXT *esys);

/**
 * struct hosttpm_run - a vtpm-hosttpm that has ended
 * @status: exit status; -1, it had to be killed
 * @out: standard output
 * @out_size: bytes of it
 * @errors: standard error, with a zero at its end
 * @lines: lines of that
 */
struct hosttpm_run {
	int status;
	uint8_t out[512];
	size_t out_size;
	char errors[2048];
	unsigned int lines;
};

/**
 * hosttpm - run vtpm-hosttpm and wait for it
 * @run: the result
 * @...: arguments, up to a NULL
 *
 * Return: the exit status.
 */
int hosttpm(struct hosttpm_run *run, ...) __attribute__((sentinel));

/**
 * hosttpm_start - start vtpm-hosttpm
 * @argv: its arguments, the program's name first
 * @in: becomes its descriptor 3; -1, there is none
 * @out: becomes its standard output
 * @errors: becomes its standard error
 *
 * Return: its process.
 */
pid_t hosttpm_start(char **argv, int in, int out, int errors);

/**
 * process_end - wait for the end of a process
 * @pid: the process
 *
 * Return: exit status, 128 and a signal's number, or -1, it had to be killed.
 */
int process_end(pid_t pid);

#endif
