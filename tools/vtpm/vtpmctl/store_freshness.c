// SPDX-License-Identifier: GPL-2.0-only
/* What the host's TPM knows of a store that a command has changed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store.h"

/* "nothing is recorded", of vtpm-hosttpm generation read */
#define EXIT_NOTHING	3

/* Starts vtpm-hosttpm with its output in a pipe; it complains on standard error itself. */
static int spawn(const struct target *target, char *const *argv, int out, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int ret;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	ret = posix_spawn(pid, target->config.hosttpm, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -ret;
}

/* vtpm-hosttpm generation WHAT UUID [NUMBER]; returns its exit status, or a negative errno. */
static int generation(const struct target *target, const char *what, const char *number,
		      char *output, size_t size)
{
	char *argv[] = {
		"vtpm-hosttpm", "--tcti", (char *)target->config.host_tpm, "generation",
		(char *)what, (char *)target->uuid_text, (char *)number, NULL,
	};
	int ends[2], status, ret;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	ret = spawn(target, argv, ends[1], &pid);
	close(ends[1]);
	n = ret ? 0 : read(ends[0], output, size - 1);
	output[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	if (ret)
		return ret;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

static bool has_freshness(const struct target *target)
{
	return !target->loose && target->policy.freshness == FRESHNESS_TPM;
}

static int fail(const struct target *target, const char *what, int ret, struct error *err)
{
	return error_set(err, EIO, "vTPM %s: %s did not %s its generation%s%s", target->uuid_text,
			 target->config.hosttpm, what, ret < 0 ? ": " : "; it says why above",
			 ret < 0 ? strerror(-ret) : "");
}

int freshness_read(const struct target *target, uint64_t *recorded, struct error *err)
{
	char output[64];
	int ret;

	*recorded = 0;
	if (!has_freshness(target))
		return 0;
	ret = generation(target, "read", NULL, output, sizeof(output));
	if (ret && ret != EXIT_NOTHING)
		return fail(target, "tell", ret, err);
	*recorded = strtoull(output, NULL, 10);
	return 0;
}

int freshness_check(const struct target *target, struct error *err)
{
	uint64_t recorded, is = vnvram_generation(target->store);
	int ret = freshness_read(target, &recorded, err);

	if (ret || is >= recorded)
		return ret;
	return error_set(err, EUCLEAN, "%s: is an old copy: it has generation %" PRIu64 ", and the "
			 "host's TPM says that it had %" PRIu64 " already. Put the right one back, or "
			 "go on from this one with 'vtpmctl store restore'", target->file, is,
			 recorded);
}

int freshness_record(const struct target *target, struct error *err)
{
	struct vnvram_info info;
	char output[64], number[24];
	int ret;

	if (!has_freshness(target))
		return 0;
	ret = vnvram_inspect(target->fd, target->file, &vnvram_system_io, &info, err);
	if (ret)
		return ret;
	snprintf(number, sizeof(number), "%" PRIu64, info.generation);
	ret = generation(target, "record", number, output, sizeof(output));
	return ret ? fail(target, "record", ret, err) : 0;
}

int freshness_forget(const struct target *target, struct error *err)
{
	char output[64];
	int ret;

	if (!has_freshness(target))
		return 0;
	ret = generation(target, "remove", NULL, output, sizeof(output));
	return ret && ret != EXIT_NOTHING ? fail(target, "forget", ret, err) : 0;
}
