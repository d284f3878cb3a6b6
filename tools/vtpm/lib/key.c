// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hosttpm.h"
#include "key.h"

static int check_file(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return error_set(err, errno, "key %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size != KEY_SIZE)
		return error_set(err, EINVAL, "key %s: is not a file of exactly %d bytes. Make one "
				 "with 'head -c %d /dev/urandom'", path, KEY_SIZE, KEY_SIZE);
	if (st.st_uid && st.st_uid != geteuid())
		return error_set(err, EPERM, "key %s: belongs to user %u, who can read it: 'chown "
				 "root' it", path, (unsigned int)st.st_uid);
	if (st.st_mode & 077)
		return error_set(err, EPERM, "key %s: others have rights to it: 'chmod 600' it, and "
				 "think about who has read it", path);
	return 0;
}

/* O_NONBLOCK: a pipe of that name shall not hold up anybody. */
static int open_file(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int ret;

	if (fd < 0)
		return error_set(err, errno, errno == ELOOP ? "key %s: is a link, and only the file "
				 "itself is taken (%s)" : "key %s: %s", path, strerror(errno));
	ret = check_file(fd, path, err);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int open_sealed(const char *path, const char *program, const char *tcti, struct error *err)
{
	char *argv[] = { "vtpm-hosttpm", "unseal", "--tcti", (char *)tcti, (char *)path, NULL };
	int ends[2], ret;

	if (access(path, R_OK))
		return error_set(err, errno, "sealed key %s: %s", path, strerror(errno));
	if (access(program, X_OK))
		return error_set(err, errno, "%s: cannot be run: %s. It is needed to unseal the key %s",
				 program, strerror(errno), path);
	if (pipe2(ends, O_CLOEXEC))
		return error_set(err, errno, "cannot make a pipe: %s", strerror(errno));
	ret = hosttpm_launch(program, argv, ends[1], STDOUT_FILENO);
	close(ends[1]);
	if (!ret)
		return ends[0];
	close(ends[0]);
	return error_set(err, -ret, "%s: cannot be started: %s", program, strerror(-ret));
}

int key_open(enum key_kind kind, const char *path, const char *hosttpm, const char *tcti,
	     struct error *err)
{
	return kind == KEY_TPM ? open_sealed(path, hosttpm, tcti, err) : open_file(path, err);
}

int key_read(int fd, uint8_t *key, const char *path, struct error *err)
{
	uint8_t bytes[KEY_SIZE + 1];
	size_t size = 0;
	ssize_t n = 1;

	while (n > 0 && size < sizeof(bytes)) {
		n = read(fd, bytes + size, sizeof(bytes) - size);
		size += n > 0 ? n : 0;
	}
	close(fd);
	memcpy(key, bytes, KEY_SIZE);
	explicit_bzero(bytes, sizeof(bytes));
	if (n == 0 && size == KEY_SIZE)
		return 0;
	explicit_bzero(key, KEY_SIZE);
	return error_set(err, ENOKEY, "key %s: %zu bytes came of it instead of %d; what went wrong "
			 "stands above, if the host's TPM holds it", path, size, KEY_SIZE);
}
