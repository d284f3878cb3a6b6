// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "hosttpm.h"

static void run(const char *program, char *const *argv, int fd, int place)
{
	char *environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int kept = place > STDERR_FILENO ? place : STDERR_FILENO;

	child_reset_signals();
	setpgid(0, 0);
	/* One that is in its place already would be closed by exec. */
	if (fd == place)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, place + 1);
	if (null >= 0 && fd >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	    dup2(null, STDOUT_FILENO) >= 0 && dup2(fd, place) >= 0 && !chdir("/") &&
	    !close_range(kept + 1, ~0U, 0))
		execve(program, argv, environment);
	dprintf(STDERR_FILENO, "%s: cannot be started: %s\n", program, strerror(errno));
	_exit(1);
}

/* The process between is waited for here, the one that works is init's. */
int hosttpm_launch(const char *program, char *const *argv, int fd, int place)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			run(program, argv, fd, place);
		_exit(pid < 0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}
