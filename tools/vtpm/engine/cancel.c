// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "cancel.h"

#define REPEAT_NS	(2 * 1000 * 1000)
#define STACK_SIZE	(64 * 1024)

struct cancel {
	void (*cancel)(void);
	int epoll_fd;
	pthread_mutex_t lock;	/* protects fd and command */
	int fd;			/* connection whose command runs, or -1 */
	sem_t started;		/* the thread has done what the sandbox would forbid */
	uint64_t command;	/* counts the commands, so that one is not taken for another */
};

/* Returns whether @command still runs, and cancels it if its guest wants that. */
static bool cancel_if_asked(struct cancel *cancel, uint64_t command)
{
	struct pollfd pollfd = { .events = POLLPRI };
	bool runs;

	pthread_mutex_lock(&cancel->lock);
	runs = cancel->fd >= 0 && cancel->command == command;
	pollfd.fd = cancel->fd;
	if (runs && poll(&pollfd, 1, 0) == 1 && pollfd.revents & POLLPRI)
		cancel->cancel();
	pthread_mutex_unlock(&cancel->lock);
	return runs;
}

static void *cancel_thread(void *arg)
{
	static const struct timespec pause = { .tv_nsec = REPEAT_NS };
	struct cancel *cancel = arg;
	struct epoll_event event;

	sem_post(&cancel->started);
	for (;;) {
		int n = epoll_wait(cancel->epoll_fd, &event, 1, -1);

		if (n < 0 && errno != EINTR)
			return NULL;
		if (n != 1 || !(event.events & EPOLLPRI))
			continue;
		while (cancel_if_asked(cancel, event.data.u64))
			nanosleep(&pause, NULL);
	}
}

static int start_thread(struct cancel *cancel)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	ret = pthread_attr_init(&attr);
	if (ret)
		return -ret;
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&thread, &attr, cancel_thread, cancel);
	pthread_attr_destroy(&attr);
	if (ret)
		return -ret;
	while (sem_wait(&cancel->started)) {
		/* A signal came first. */
	}
	return 0;
}

struct cancel *cancel_new(void (*function)(void), struct error *err)
{
	struct cancel *cancel = calloc(1, sizeof(*cancel));
	int ret = -ENOMEM;

	if (!cancel)
		goto fail;
	cancel->cancel = function;
	cancel->fd = -1;
	pthread_mutex_init(&cancel->lock, NULL);
	sem_init(&cancel->started, 0, 0);
	cancel->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (cancel->epoll_fd < 0) {
		ret = -errno;
		goto fail;
	}
	ret = start_thread(cancel);
	if (ret)
		goto fail_epoll;
	return cancel;

fail_epoll:
	close(cancel->epoll_fd);
fail:
	free(cancel);
	error_set(err, -ret, "cannot start a thread: %s", strerror(-ret));
	return NULL;
}

/* One shot, or a guest that has gone would wake the thread over and over. */
void cancel_begin(struct cancel *cancel, int fd)
{
	struct epoll_event event = { .events = EPOLLPRI | EPOLLONESHOT };

	pthread_mutex_lock(&cancel->lock);
	cancel->fd = fd;
	event.data.u64 = ++cancel->command;
	pthread_mutex_unlock(&cancel->lock);
	epoll_ctl(cancel->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

void cancel_end(struct cancel *cancel)
{
	int fd;

	pthread_mutex_lock(&cancel->lock);
	fd = cancel->fd;
	cancel->fd = -1;
	pthread_mutex_unlock(&cancel->lock);
	epoll_ctl(cancel->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}
