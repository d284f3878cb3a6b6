// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backend.h"

static int cannot_open(const char *path, int code, struct error *err)
{
	if (code == EBUSY)
		return error_set(err, code, "%s: another controller has it open; is vtpmd running "
				 "already?", path);
	if (code == ENOENT)
		return error_set(err, code, "%s: does not exist; load the backend driver with "
				 "'modprobe xen-tpmback'", path);
	return error_set(err, code, "%s: cannot open: %s", path, strerror(code));
}

int backend_open(const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	__u32 abi = 0;
	int ret = 0;

	if (fd < 0)
		return cannot_open(path, errno, err);
	if (ioctl(fd, VTPM_IOC_GET_ABI, &abi))
		ret = error_set(err, errno, "%s: is not the vTPM backend: %s", path,
				strerror(errno));
	else if (abi > VTPM_ABI_VERSION)
		ret = error_set(err, EPROTO, "%s: the driver speaks version %u of its interface, "
				"this vtpmd only version %u; install a newer one", path, abi,
				VTPM_ABI_VERSION);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

int backend_read_event(int fd, struct vtpm_event *event)
{
	ssize_t n = read(fd, event, sizeof(*event));

	if (n == sizeof(*event))
		return 1;
	if (n >= 0)
		return -EIO;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int backend_accept(int fd, const struct vtpm_accept *accept)
{
	int conn = ioctl(fd, VTPM_IOC_ACCEPT, accept);

	return conn < 0 ? -errno : conn;
}

int backend_next(int fd, struct vtpm_info *info)
{
	return ioctl(fd, VTPM_IOC_NEXT, info) ? -errno : 0;
}
