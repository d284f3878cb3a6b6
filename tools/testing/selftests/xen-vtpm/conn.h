/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftests of a connection's descriptor begin with; after kselftest_harness.h.
 */
#ifndef _XEN_VTPM_SELFTEST_CONN_H
#define _XEN_VTPM_SELFTEST_CONN_H

#include "common.h"
#include "main.h"

#define HEADER		sizeof(struct vtpm_request)

static void needs(void)
{
	struct vtpm_info info;
	int controller, fd;

	need_root();
	need_device("/dev/vtpm", "load xen-tpmback, in dom0", "stop vtpmd first");
	controller = open_controller();
	if (find_frontend(controller, &info))
		skip_all("no guest%s%s has a vTPM of xen-tpmback",
			 getenv("XEN_VTPM_DOMAIN") ? " of domain " : "",
			 getenv("XEN_VTPM_DOMAIN") ?: "");
	fd = serve(controller, &info);
	if (fd < 0)
		skip_all("domain %u does not use its TPM (%s): send commands in a loop there",
			 info.domid, strerror(errno));
	close(fd);
	close(controller);
}

/* Each test begins with a command that nobody has read. */
FIXTURE(conn) {
	int controller;
	int fd;
	struct vtpm_info info;
	struct request request;
};

FIXTURE_SETUP(conn)
{
	self->controller = open_controller();
	ASSERT_LE(0, self->controller);
	ASSERT_EQ(0, find_frontend(self->controller, &self->info));
	self->fd = serve(self->controller, &self->info);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(conn)
{
	close(self->fd);
	close(self->controller);
}

static bool once(const struct vtpm_info *info)
{
	return info->features & VTPM_FEATURE_EXACTLY_ONCE;
}

static int accept_again(int controller, const struct vtpm_info *info)
{
	return accept_as(controller, info->id, VTPM_MODE_NATIVE,
			 info->features, 0x1f);
}

/* A child that reads one request and ends; returns its pid. */
static pid_t child_reader(int fd)
{
	struct request request;
	pid_t pid = fork();

	if (!pid)
		_exit(read(fd, &request, sizeof(request)) <= 0);
	return pid;
}

#endif
