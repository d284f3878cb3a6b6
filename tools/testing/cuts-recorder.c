// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into a TPM by cuts-compared: notes what it does to files below one directory
 * (CUTS_DIRECTORY), in the order in which it does it, in a log (CUTS_LOG). One record is a line
 *
 *   create NAME | size NAME SIZE | write NAME OFFSET SIZE | rename FROM TO | unlink NAME |
 *   flush NAME
 *
 * and SIZE raw bytes after that of a write. Writes into a shared mapping are noted when it is
 * flushed: the whole file, of which the reader finds what has changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define real(name)	((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define PATH_SIZE	4096

static struct {
	const void *at;
	char name[PATH_SIZE];
} mapped;

static void put(const void *bytes, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = real(open)(getenv("CUTS_LOG"), O_WRONLY | O_APPEND | O_CLOEXEC);
	if (real(write)(fd, bytes, size) != (ssize_t)size)
		abort();
}

/* Below the directory: the rest of the name. */
static const char *below(const char *path)
{
	const char *directory = getenv("CUTS_DIRECTORY");
	size_t size = strlen(directory);

	return strncmp(path, directory, size) || path[size] != '/' ? NULL : path + size + 1;
}

static const char *absolute(const char *path, char *buffer)
{
	if (*path == '/')
		return path;
	if (!getcwd(buffer, PATH_SIZE / 2))
		abort();
	strcat(buffer, "/");
	return strncat(buffer, path, PATH_SIZE / 2 - 2);
}

static const char *name_of(int fd, char *buffer)
{
	char link[64];
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, buffer, PATH_SIZE - 1);
	if (size < 0)
		return NULL;
	buffer[size] = 0;
	return below(buffer);
}

static void note(const char *format, ...)
{
	char line[2 * PATH_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	put(line, strlen(line));
}

static void note_write(const char *name, off_t offset, const void *bytes, size_t size)
{
	note("write %s %lld %zu\n", name, (long long)offset, size);
	put(bytes, size);
}

static int note_open(int fd, int flags)
{
	char buffer[PATH_SIZE];
	const char *name = fd < 0 ? NULL : name_of(fd, buffer);

	if (name && flags & O_CREAT)
		note("create %s\n", name);
	if (name && flags & O_TRUNC)
		note("size %s 0\n", name);
	return fd;
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

#define OPEN(function)								\
int function(const char *path, int flags, ...)					\
{										\
	va_list args;								\
	mode_t mode;								\
										\
	va_start(args, flags);							\
	mode = mode_of(flags, args);						\
	va_end(args);								\
	return note_open(real(function)(path, flags, mode), flags);		\
}

OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *bytes, size_t size)
{
	off_t offset = lseek(fd, 0, SEEK_CUR);
	ssize_t n = real(write)(fd, bytes, size);
	char buffer[PATH_SIZE];
	const char *name = n > 0 && offset >= 0 ? name_of(fd, buffer) : NULL;

	if (name)
		note_write(name, offset, bytes, n);
	return n;
}

#define PWRITE(function)							\
ssize_t function(int fd, const void *bytes, size_t size, off_t offset)		\
{										\
	ssize_t n = real(function)(fd, bytes, size, offset);			\
	char buffer[PATH_SIZE];							\
	const char *name = n > 0 ? name_of(fd, buffer) : NULL;			\
										\
	if (name)								\
		note_write(name, offset, bytes, n);				\
	return n;								\
}

PWRITE(pwrite)
PWRITE(pwrite64)

#define TRUNCATE(function)							\
int function(int fd, off_t size)						\
{										\
	int ret = real(function)(fd, size);					\
	char buffer[PATH_SIZE];							\
	const char *name = ret ? NULL : name_of(fd, buffer);			\
										\
	if (name)								\
		note("size %s %lld\n", name, (long long)size);			\
	return ret;								\
}

TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int rename(const char *from, const char *to)
{
	char buffers[2][PATH_SIZE];
	const char *a = below(absolute(from, buffers[0])), *b = below(absolute(to, buffers[1]));
	int ret = real(rename)(from, to);

	if (!ret && a && b)
		note("rename %s %s\n", a, b);
	return ret;
}

int unlink(const char *path)
{
	char buffer[PATH_SIZE];
	const char *name = below(absolute(path, buffer));
	int ret = real(unlink)(path);

	if (!ret && name)
		note("unlink %s\n", name);
	return ret;
}

static int note_flush(int ret, int fd)
{
	char buffer[PATH_SIZE];
	const char *name = ret ? NULL : name_of(fd, buffer);

	if (name)
		note("flush %s\n", name);
	return ret;
}

int fsync(int fd)
{
	return note_flush(real(fsync)(fd), fd);
}

int fdatasync(int fd)
{
	return note_flush(real(fdatasync)(fd), fd);
}

static void *note_mapping(void *at, int flags, int fd)
{
	char buffer[PATH_SIZE];
	const char *name = at != MAP_FAILED && flags & MAP_SHARED ? name_of(fd, buffer) : NULL;

	if (name) {
		mapped.at = at;
		strcpy(mapped.name, name);
	}
	return at;
}

#define MAP(function)								\
void *function(void *at, size_t size, int protection, int flags, int fd, off_t offset)	\
{										\
	return note_mapping(real(function)(at, size, protection, flags, fd, offset),	\
			    flags, fd);						\
}

MAP(mmap)
MAP(mmap64)

/* The size of the mapping that is given may be more than the file's. */
int msync(void *at, size_t size, int flags)
{
	char path[2 * PATH_SIZE];
	struct stat st;
	int ret;

	if (at != mapped.at)
		return real(msync)(at, size, flags);
	snprintf(path, sizeof(path), "%s/%s", getenv("CUTS_DIRECTORY"), mapped.name);
	if (!stat(path, &st))
		note_write(mapped.name, 0, at, st.st_size);
	ret = real(msync)(at, size, flags);
	if (!ret)
		note("flush %s\n", mapped.name);
	return ret;
}
