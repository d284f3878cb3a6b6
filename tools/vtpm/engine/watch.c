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
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"

#define REPEAT_NS	(2 * 1000 * 1000)
#define STACK_SIZE	(64 * 1024)

/* Commands are counted from 1 on. */
#define TIMER_EVENT	0

struct watch {
	struct watch_actions actions;
	int epoll_fd;
	int timer_fd;
	sem_t started;		/* the thread has done what the sandbox would forbid */
	pthread_mutex_t lock;	/* protects what follows */
	int fd;			/* connection whose command runs, or -1 */
	uint64_t command;	/* counts the commands, so that one is not taken for another */
	bool expecting;
	bool late;
};

/* Returns whether @command still runs, and cancels it if its guest wants that. */
static bool cancel_if_asked(struct watch *watch, uint64_t command)
{
	struct pollfd pollfd = { .events = POLLPRI };
	bool runs;

	pthread_mutex_lock(&watch->lock);
	runs = watch->fd >= 0 && watch->command == command;
	pollfd.fd = watch->fd;
	if (runs && poll(&pollfd, 1, 0) == 1 && pollfd.revents & POLLPRI)
		watch->actions.cancel();
	pthread_mutex_unlock(&watch->lock);
	return runs;
}

/* The timer may have been for something that is over. */
static void say_late(struct watch *watch)
{
	uint64_t count;

	if (read(watch->timer_fd, &count, sizeof(count)) != sizeof(count))
		return;
	pthread_mutex_lock(&watch->lock);
	if (watch->expecting && !watch->late) {
		watch->late = true;
		watch->actions.late(watch->actions.arg);
	}
	pthread_mutex_unlock(&watch->lock);
}

static void *watch_thread(void *arg)
{
	static const struct timespec pause = { .tv_nsec = REPEAT_NS };
	struct watch *watch = arg;
	struct epoll_event event;

	sem_post(&watch->started);
	for (;;) {
		int n = epoll_wait(watch->epoll_fd, &event, 1, -1);

		if (n < 0 && errno != EINTR)
			return NULL;
		if (n == 1 && event.data.u64 == TIMER_EVENT)
			say_late(watch);
		else if (n == 1 && event.events & EPOLLPRI)
			while (cancel_if_asked(watch, event.data.u64))
				nanosleep(&pause, NULL);
	}
}

static int open_descriptors(struct watch *watch)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = TIMER_EVENT };

	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watch->epoll_fd < 0 || watch->timer_fd < 0 ||
	    epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, watch->timer_fd, &event))
		return -errno;
	return 0;
}

static int start_thread(struct watch *watch)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	ret = pthread_attr_init(&attr);
	if (ret)
		return -ret;
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&thread, &attr, watch_thread, watch);
	pthread_attr_destroy(&attr);
	if (ret)
		return -ret;
	while (sem_wait(&watch->started)) {
		/* A signal came first. */
	}
	return 0;
}

struct watch *watch_new(const struct watch_actions *actions, struct error *err)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int ret = -ENOMEM;

	if (!watch)
		goto fail;
	watch->actions = *actions;
	watch->fd = -1;
	watch->epoll_fd = -1;
	watch->timer_fd = -1;
	pthread_mutex_init(&watch->lock, NULL);
	sem_init(&watch->started, 0, 0);
	ret = open_descriptors(watch);
	if (!ret)
		ret = start_thread(watch);
	if (!ret)
		return watch;
	if (watch->epoll_fd >= 0)
		close(watch->epoll_fd);
	if (watch->timer_fd >= 0)
		close(watch->timer_fd);
fail:
	free(watch);
	error_set(err, -ret, "cannot start a thread: %s", strerror(-ret));
	return NULL;
}

/* One shot, or a guest that has gone would wake the thread over and over. */
void watch_command(struct watch *watch, int fd)
{
	struct epoll_event event = { .events = EPOLLPRI | EPOLLONESHOT };

	pthread_mutex_lock(&watch->lock);
	watch->fd = fd;
	event.data.u64 = ++watch->command;
	pthread_mutex_unlock(&watch->lock);
	epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

void watch_command_end(struct watch *watch)
{
	int fd;

	pthread_mutex_lock(&watch->lock);
	fd = watch->fd;
	watch->fd = -1;
	pthread_mutex_unlock(&watch->lock);
	epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void set_timer(struct watch *watch, int ms)
{
	struct itimerspec when = { .it_value = { ms / 1000, ms % 1000 * 1000 * 1000L } };

	timerfd_settime(watch->timer_fd, 0, &when, NULL);
}

void watch_expect(struct watch *watch, int ms)
{
	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	watch->expecting = true;
	watch->late = false;
	pthread_mutex_unlock(&watch->lock);
	set_timer(watch, ms);
}

bool watch_expect_end(struct watch *watch)
{
	bool late;

	if (!watch)
		return false;
	set_timer(watch, 0);
	pthread_mutex_lock(&watch->lock);
	watch->expecting = false;
	late = watch->late;
	pthread_mutex_unlock(&watch->lock);
	return late;
}
