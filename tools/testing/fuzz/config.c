// SPDX-License-Identifier: GPL-2.0-only
/*
 * vtpmd.conf and the file of one vTPM, with any contents. The first byte of an input says
 * which of them the rest is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "fuzz.h"

static char dir[256], file[320];
static const struct uuid uuid = { { 1, 2, 3 } };

static void remove_files(void)
{
	unlink(file);
	rmdir(dir);
}

/* The name is a policy's; vtpmd.conf may have any. */
static void prepare(void)
{
	const char *where = getenv("TMPDIR");
	char text[UUID_TEXT_SIZE];

	snprintf(dir, sizeof(dir), "%s/fuzz-config-XXXXXX", where ? where : "/tmp");
	require(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/%s.conf", dir, uuid_format(&uuid, text));
	atexit(remove_files);
}

static void write_file(const uint8_t *data, size_t size)
{
	int fd = open(file, O_WRONLY | O_CREAT, 0600);

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size && !ftruncate(fd, size));
	close(fd);
}

/* Text that is cut off, or was never set, would show here. */
static void require_text(const char *text, size_t size)
{
	require(memchr(text, 0, size));
}

static void require_policy(const struct policy *policy)
{
	require(policy->localities && policy->localities < 1U << 5);
	require(policy->engine == ENGINE_NATIVE || policy->engine == ENGINE_SWTPM);
}

static void require_answer(int ret, const struct error *err)
{
	require(ret <= 0);
	require_text(err->text, sizeof(err->text));
	/* An error names its file. */
	require(!ret == !*err->text && (!ret || !strncmp(err->text, file, strlen(file))));
}

static void read_config(void)
{
	struct config config, again;
	struct error err = { "" };
	int ret = config_read(&config, file, &err);

	require_answer(ret, &err);
	require(config_read(&again, file, &err) == ret);
	if (ret)
		return;
	require_text(config.user, sizeof(config.user));
	require(config.state_dir[0] == '/' && config.run_dir[0] == '/' &&
		config.device[0] == '/' && config.engine[0] == '/' && config.user[0]);
	require_policy(&config.policy);
	require(!strcmp(config.state_dir, again.state_dir) && !strcmp(config.user, again.user));
}

static void read_policy(void)
{
	struct config config = { .policy = { .localities = 1 } };
	struct policy policy, general = config.policy;
	struct error err = { "" };
	int ret;

	strcpy(config.policy_dir, dir);
	ret = config_read_policy(&config, &uuid, &policy, &err);
	require_answer(ret, &err);
	require(config_check_policies(&config, &err) == ret);
	if (!ret)
		require_policy(&policy);
	require(!memcmp(&general, &config.policy, sizeof(general)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!*file)
		prepare();
	write_file(data + !!size, size ? size - 1 : 0);
	if (size && data[0] & 1)
		read_policy();
	else
		read_config();
	return 0;
}
