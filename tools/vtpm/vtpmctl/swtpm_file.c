// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "swtpm_file.h"

#define VERSION		2
#define MIN_VERSION	1	/* the oldest reader that understands it */

#define FLAG_MIGRATION	0x4	/* comes from a running swtpm */
#define TAG_DATA	1
#define TAG_MIGRATION	4

/* All in network byte order. */
struct head {
	uint8_t version;
	uint8_t min_version;
	uint16_t size;		/* of this */
	uint16_t flags;
	uint32_t total;		/* bytes of the file */
} __attribute__((packed));

struct wrapper {
	uint16_t tag;
	uint32_t size;		/* of what follows */
} __attribute__((packed));

_Static_assert(sizeof(struct head) + sizeof(struct wrapper) == SWTPM_EXTRA, "size of a head");

const char *swtpm_file_name(const char *dir, bool tpm12, const char *name, char *path)
{
	snprintf(path, PATH_MAX, "%s/%s-00.%s", dir, tpm12 ? "tpm" : "tpm2", name);
	return path;
}

static int not_one(const char *path, struct error *err)
{
	return error_set(err, EINVAL, "%s: is not a state that swtpm has written, or damaged",
			 path);
}

static int encrypted(const char *path, struct error *err)
{
	return error_set(err, ENOKEY, "%s: is encrypted by swtpm. Start swtpm with its --key, let "
			 "'swtpm_ioctl --save permanent FILE' write the state, and import a "
			 "directory that has FILE under this name", path);
}

/* Goes into a wrapper, which has to be of this kind and hold all the rest. */
static int unwrap(uint16_t tag, const uint8_t **at, size_t *left)
{
	struct wrapper wrapper;

	if (*left < sizeof(wrapper))
		return -EINVAL;
	memcpy(&wrapper, *at, sizeof(wrapper));
	*at += sizeof(wrapper);
	*left -= sizeof(wrapper);
	return be16toh(wrapper.tag) == tag && be32toh(wrapper.size) == *left ? 0 : -EINVAL;
}

static int parse(const char *path, const uint8_t *bytes, size_t length, const uint8_t **state,
		 size_t *size, struct error *err)
{
	struct head head;
	uint16_t flags;
	int ret = 0;

	if (length < sizeof(head))
		return not_one(path, err);
	memcpy(&head, bytes, sizeof(head));
	if (be16toh(head.size) != sizeof(head) || be32toh(head.total) != length)
		return not_one(path, err);
	if (head.min_version > VERSION)
		return error_set(err, EINVAL, "%s: was written by a swtpm that is too new", path);
	flags = be16toh(head.flags);
	if (flags & ~FLAG_MIGRATION)
		return encrypted(path, err);
	*state = bytes + sizeof(head);
	*size = length - sizeof(head);
	if (flags & FLAG_MIGRATION)
		ret = unwrap(TAG_MIGRATION, state, size);
	if (!ret)
		ret = unwrap(TAG_DATA, state, size);
	return ret ? not_one(path, err) : 0;
}

static ssize_t read_all(int fd, uint8_t *bytes, size_t room)
{
	size_t size = 0;
	ssize_t n = 1;

	while (n > 0 && size < room) {
		n = read(fd, bytes + size, room - size);
		size += n > 0 ? n : 0;
	}
	return n < 0 ? -errno : (ssize_t)size;
}

int swtpm_file_read(const char *path, size_t max, const uint8_t **state, size_t *size,
		    uint8_t **memory, struct error *err)
{
	size_t room = max + SWTPM_EXTRA + sizeof(struct wrapper) + 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	*memory = NULL;
	if (fd < 0)
		return error_set(err, errno, "%s: %s", path, strerror(errno));
	*memory = malloc(room);
	n = *memory ? read_all(fd, *memory, room) : -ENOMEM;
	close(fd);
	if (n < 0)
		return error_set(err, -n, "%s: cannot read: %s", path, strerror(-n));
	if ((size_t)n == room)
		return error_set(err, EFBIG, "%s: is larger than any state", path);
	return parse(path, *memory, n, state, size, err);
}

int swtpm_file_write(const char *path, const void *state, size_t size, struct error *err)
{
	const struct head head = {
		.version = VERSION,
		.min_version = MIN_VERSION,
		.size = htobe16(sizeof(head)),
		.total = htobe32(SWTPM_EXTRA + size),
	};
	const struct wrapper wrapper = { htobe16(TAG_DATA), htobe32(size) };
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");
	int ret = 0;

	if (!stream)
		return error_set(err, errno, "cannot create %s: %s", path, strerror(errno));
	if (fwrite(&head, sizeof(head), 1, stream) != 1 ||
	    fwrite(&wrapper, sizeof(wrapper), 1, stream) != 1 ||
	    fwrite(state, size, 1, stream) != 1 || fflush(stream) || fsync(fd))
		ret = error_set(err, errno, "%s: cannot be written: %s", path, strerror(errno));
	fclose(stream);
	return ret;
}

/* It has a lock of the old kind on this file while it runs. */
bool swtpm_is_running(const char *dir)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];
	bool running;
	int fd;

	snprintf(path, sizeof(path), "%s/.lock", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	running = !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK;
	close(fd);
	return running;
}
