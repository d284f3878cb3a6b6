// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rundir.h"

#define PATH_SIZE	(CONFIG_PATH_SIZE + 64)
#define OWNER_SUFFIX	".owner"
#define MEMORY_SUFFIX	".memory"

static void set_path(char path[PATH_SIZE], const struct config *config, const char *uuid,
		     const char *suffix)
{
	snprintf(path, PATH_SIZE, "%s/state/%s%s", config->run_dir, uuid, suffix);
}

static int make_dir(const char *path, mode_t mode, struct error *err)
{
	struct stat st;

	if (mkdir(path, mode) && errno != EEXIST)
		return error_set(err, errno, "%s: cannot create: %s", path, strerror(errno));
	if (lstat(path, &st) || !S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "%s: is not a directory", path);
	return 0;
}

int rundir_prepare(const struct config *config, struct error *err)
{
	char path[PATH_SIZE];
	int ret = make_dir(config->run_dir, 0755, err);

	set_path(path, config, "", "");
	if (!ret)
		ret = make_dir(path, 0700, err);
	if (!ret && chmod(path, 0700))
		ret = error_set(err, errno, "%s: cannot keep others out: %s", path,
				strerror(errno));
	return ret;
}

int rundir_open_memory(const struct config *config, const char *uuid, bool fresh,
		       struct error *err)
{
	char path[PATH_SIZE];
	int fd;

	set_path(path, config, uuid, MEMORY_SUFFIX);
	if (fresh && unlink(path) && errno != ENOENT)
		return error_set(err, errno, "%s: cannot be removed: %s", path, strerror(errno));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, errno, "cannot open %s: %s", path, strerror(errno));
	return fd;
}

static int write_text(const char *path, const char *text, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t size = strlen(text);
	int ret = 0;

	errno = 0;
	if (fd < 0 || write(fd, text, size) != size)
		ret = error_set(err, errno ? errno : EIO, "%s: cannot be written: %s", path,
				strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

int rundir_write_owner(const struct config *config, const char *uuid, uint32_t domid,
		       const char *token, bool suspended, struct error *err)
{
	char path[PATH_SIZE], temporary[PATH_SIZE], text[64];
	int ret;

	set_path(path, config, uuid, OWNER_SUFFIX);
	set_path(temporary, config, uuid, ".owner-new");
	snprintf(text, sizeof(text), "%u %s%s\n", domid, token, suspended ? " suspended" : "");
	ret = write_text(temporary, text, err);
	if (!ret && rename(temporary, path))
		ret = error_set(err, errno, "%s: cannot be renamed: %s", temporary,
				strerror(errno));
	return ret;
}

void rundir_remove_owner(const struct config *config, const char *uuid)
{
	char path[PATH_SIZE];

	set_path(path, config, uuid, OWNER_SUFFIX);
	unlink(path);
}

/* The owner first: memory alone is nobody's. */
void rundir_remove(const struct config *config, const char *uuid)
{
	char path[PATH_SIZE];

	rundir_remove_owner(config, uuid);
	set_path(path, config, uuid, MEMORY_SUFFIX);
	unlink(path);
}

static bool read_owner(const struct config *config, const char *uuid, uint32_t *domid,
		       char token[DOMAIN_TOKEN_SIZE], bool *suspended)
{
	char path[PATH_SIZE], text[64], last[16] = "";
	ssize_t n = -1;
	int fd;

	set_path(path, config, uuid, OWNER_SUFFIX);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n < 0 ? 0 : n] = '\0';
	n = sscanf(text, "%u %32[0-9a-f] %15s", domid, token, last);
	*suspended = !strcmp(last, "suspended");
	return n >= 2 && strlen(token) == DOMAIN_TOKEN_SIZE - 1;
}

/* Does the name of a file have this suffix after a UUID? */
static bool parse_name(const char *name, const char *suffix, char *text, struct uuid *uuid)
{
	snprintf(text, UUID_TEXT_SIZE, "%s", name);
	return strlen(name) >= UUID_TEXT_SIZE - 1 && uuid_parse(text, uuid) &&
	       !strcmp(name + UUID_TEXT_SIZE - 1, suffix);
}

void rundir_for_each_owner(const struct config *config,
			   void (*found)(void *arg, const struct uuid *uuid, uint32_t domid,
					 const char *token, bool suspended), void *arg)
{
	char path[PATH_SIZE], text[UUID_TEXT_SIZE], token[DOMAIN_TOKEN_SIZE];
	struct dirent *entry;
	struct uuid uuid;
	bool suspended;
	uint32_t domid;
	DIR *dir;

	set_path(path, config, "", "");
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (!parse_name(entry->d_name, OWNER_SUFFIX, text, &uuid) &&
		    !parse_name(entry->d_name, MEMORY_SUFFIX, text, &uuid))
			continue;
		if (!read_owner(config, text, &domid, token, &suspended))
			rundir_remove(config, text);
		else if (parse_name(entry->d_name, OWNER_SUFFIX, text, &uuid))
			found(arg, &uuid, domid, token, suspended);
	}
	if (dir)
		closedir(dir);
}
