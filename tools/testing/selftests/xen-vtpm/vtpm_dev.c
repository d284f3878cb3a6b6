// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of /dev/vtpm, as Documentation/dev-vtpm.md describes it: who may open it, events,
 * ioctls, and the errno of each wrong use.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common.h"
#include "main.h"

#define FEATURES	(VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES)
/* In each test: older harnesses go on with it after a SKIP() in its setup. */
#define NO_FRONTEND	"no guest has a vTPM of xen-tpmback"

/* How many events a test looks at. */
#define EVENTS		64

static void needs(void)
{
	need_root();
	need_device("/dev/vtpm", "load xen-tpmback, in dom0", "stop vtpmd first");
}

/* Reads what there is; returns the number of events. */
static size_t read_events(int fd, struct vtpm_event *events, size_t room)
{
	size_t n = 0;

	while (n < room &&
	       read(fd, &events[n], sizeof(*events)) == sizeof(*events))
		n++;
	return n;
}

static bool is_accepted(int fd, uint64_t id)
{
	struct vtpm_info info;

	return !info_of(fd, id, &info) && info.accepted;
}

/* Without a frontend. */

FIXTURE(dev) {
	int fd;
};

FIXTURE_SETUP(dev)
{
	self->fd = open_controller();
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(dev)
{
	close(self->fd);
}

TEST_F(dev, one_controller)
{
	static const int flags[] = { O_RDWR, O_RDONLY, O_WRONLY };
	int copy = dup(self->fd);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		EXPECT_EQ(EBUSY, error_of(open("/dev/vtpm", flags[i])));
	/* It is the open file that counts, not the descriptor. */
	close(self->fd);
	EXPECT_EQ(EBUSY, error_of(open("/dev/vtpm", O_RDWR)));
	close(copy);
	self->fd = open("/dev/vtpm", O_RDWR | O_NONBLOCK);
	EXPECT_LE(0, self->fd);
}

TEST_F(dev, a_child_keeps_it)
{
	int hold[2], done;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(hold));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(hold[1]);
		_exit(read(hold[0], &c, 1));
	}
	close(self->fd);
	EXPECT_EQ(EBUSY, error_of(open("/dev/vtpm", O_RDWR)));
	close(hold[1]);
	ASSERT_EQ(pid, waitpid(pid, &done, 0));
	self->fd = open("/dev/vtpm", O_RDWR);
	EXPECT_LE(0, self->fd);
}

TEST_F(dev, abi)
{
	uint32_t abi[2] = { 0, 0x5a5a5a5a };
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	size_t k;

	EXPECT_EQ(0, ioctl(self->fd, VTPM_IOC_GET_ABI, abi));
	EXPECT_EQ(VTPM_ABI_VERSION, abi[0]);
	EXPECT_EQ(0x5a5a5a5a, abi[1]);
	for (k = 0; k < sizeof(abi[0]); k++)
		EXPECT_EQ(EFAULT, error_of(ioctl(self->fd, VTPM_IOC_GET_ABI,
						 edge(k))));
	EXPECT_EQ(EFAULT, error_of(ioctl(self->fd, VTPM_IOC_GET_ABI, NULL)));
	EXPECT_EQ(EFAULT, error_of(ioctl(self->fd, VTPM_IOC_GET_ABI, page)));
	EXPECT_EQ(EFAULT, error_of(ioctl(self->fd, VTPM_IOC_GET_ABI, -4096L)));
}

TEST_F(dev, unknown_ioctls)
{
	uint8_t arg[256] = { 0 };
	static const unsigned long known[] = {
		VTPM_IOC_GET_ABI, VTPM_IOC_ACCEPT, VTPM_IOC_NEXT,
	};
	unsigned int nr;
	size_t i;

	for (nr = ARRAY_SIZE(known); nr < 256; nr++)
		EXPECT_EQ(ENOTTY, error_of(ioctl(self->fd,
						 _IO(VTPM_IOC_MAGIC, nr),
						 arg)));
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		nr = _IOC_NR(known[i]);
		/* Without its size, with another size, another magic. */
		EXPECT_EQ(ENOTTY, error_of(ioctl(self->fd,
						 _IO(VTPM_IOC_MAGIC, nr),
						 arg)));
		EXPECT_EQ(ENOTTY, error_of(ioctl(self->fd,
						 known[i] + (1UL << 16), arg)));
		EXPECT_EQ(ENOTTY, error_of(ioctl(self->fd,
						 known[i] ^ (1UL << 8), arg)));
	}
}

TEST_F(dev, accept_from_a_bad_address)
{
	struct vtpm_accept policy = { .id = ~0ULL, .localities = 1 };
	uint8_t *p;
	size_t k;

	for (k = 0; k < sizeof(policy); k++) {
		p = edge(k);
		memcpy(p, &policy, k);
		EXPECT_EQ(EFAULT, error_of(ioctl(self->fd, VTPM_IOC_ACCEPT,
						 p)));
	}
	EXPECT_EQ(EFAULT, error_of(ioctl(self->fd, VTPM_IOC_ACCEPT, NULL)));
	/* A whole one in the same place is read. */
	p = edge(sizeof(policy));
	memcpy(p, &policy, sizeof(policy));
	EXPECT_EQ(ENOENT, error_of(ioctl(self->fd, VTPM_IOC_ACCEPT, p)));
}

static const struct {
	struct vtpm_accept policy;
	int error;
} bad_policies[] = {
	{ { .localities = 1, .mode = 2 }, EINVAL },
	{ { .localities = 1, .mode = 0x80000000 }, EINVAL },
	{ { .localities = 1, .mode = 0xffffffff }, EINVAL },
	{ { .localities = 0 }, EINVAL },
	{ { .localities = 0x20 }, EINVAL },
	{ { .localities = 0x3f }, EINVAL },
	{ { .localities = 0x80000001 }, EINVAL },
	{ { .localities = 1, .features = 4 }, EINVAL },
	{ { .localities = 1, .features = 0x80000003 }, EINVAL },
	{ { .localities = 1, .features = 1 }, EOPNOTSUPP },
	{ { .localities = 1, .features = 2 }, EOPNOTSUPP },
	{ { .localities = 1, .features = 3, .mode = VTPM_MODE_RAW }, EOPNOTSUPP },
	{ { .localities = 1, .features = 1, .mode = VTPM_MODE_RAW }, EOPNOTSUPP },
	{ { .localities = 1, .reserved = { 1 } }, EINVAL },
	{ { .localities = 1, .reserved = { 0, 0x100 } }, EINVAL },
	{ { .localities = 1, .reserved = { 0, 0, 0x80000000 } }, EINVAL },
};

/* A connection that is there, or none: a bad policy is refused before it is looked for. */
TEST_F(dev, accept_by_a_bad_policy)
{
	struct vtpm_info info = { 0 };
	struct vtpm_accept policy;
	size_t i;

	find_frontend(self->fd, &info);
	for (i = 0; i < ARRAY_SIZE(bad_policies); i++) {
		policy = bad_policies[i].policy;
		policy.id = info.id;
		EXPECT_EQ(bad_policies[i].error,
			  error_of(ioctl(self->fd, VTPM_IOC_ACCEPT, &policy)))
			TH_LOG("policy %zu", i);
	}
	EXPECT_FALSE(is_accepted(self->fd, info.id));
}

TEST_F(dev, accept_what_is_not_there)
{
	struct vtpm_info info = { 0 };

	EXPECT_EQ(ENOENT, error_of(accept_as(self->fd, 0, 0, 0, 1)));
	EXPECT_EQ(ENOENT, error_of(accept_as(self->fd, ~0ULL, 0, 0, 1)));
	while (!ioctl(self->fd, VTPM_IOC_NEXT, &info))
		;
	/* The id of the last one, in the upper half too. */
	EXPECT_EQ(ENOENT, error_of(accept_as(self->fd, info.id + (1ULL << 32),
					     0, 0, 1)));
	EXPECT_EQ(ENOENT, error_of(accept_as(self->fd, info.id + 1000, 0, 0,
					     1)));
}

TEST_F(dev, next_at_the_end)
{
	struct vtpm_info info, before;

	memset(&before, 0xa5, sizeof(before));
	before.id = ~0ULL - 1;
	info = before;
	EXPECT_EQ(ENOENT, error_of(ioctl(self->fd, VTPM_IOC_NEXT, &info)));
	EXPECT_EQ(0, memcmp(&info, &before, sizeof(info)));
}

TEST_F(dev, next_at_a_bad_address)
{
	size_t k;

	for (k = 0; k < sizeof(struct vtpm_info); k++)
		EXPECT_EQ(EFAULT, error_of(ioctl(self->fd, VTPM_IOC_NEXT,
						 edge(k))));
	EXPECT_EQ(EFAULT, error_of(ioctl(self->fd, VTPM_IOC_NEXT, NULL)));
}

TEST_F(dev, small_reads)
{
	struct vtpm_event event;
	size_t k;

	for (k = 0; k < sizeof(event); k++)
		EXPECT_EQ(EINVAL, error_of(read(self->fd, &event, k)));
}

TEST_F(dev, no_event)
{
	struct vtpm_event events[EVENTS];

	read_events(self->fd, events, EVENTS);
	EXPECT_EQ(EAGAIN, error_of(read(self->fd, events, sizeof(events))));
	EXPECT_EQ(0, ready(self->fd, POLLIN | POLLOUT | POLLPRI, 0));
	EXPECT_EQ(EINVAL, error_of(read(self->fd, events, 1)));
}

TEST_F(dev, signals)
{
	struct vtpm_event events[EVENTS];

	read_events(self->fd, events, EVENTS);
	set_blocking(self->fd, true);
	EXPECT_EQ(READING_AS_IT_SHOULD, read_under_signals(self->fd));
}

/* With a frontend. */

FIXTURE(frontend) {
	int fd;
	struct vtpm_info info;
};

FIXTURE_SETUP(frontend)
{
	self->fd = open_controller();
	ASSERT_LE(0, self->fd);
	find_frontend(self->fd, &self->info);
}

FIXTURE_TEARDOWN(frontend)
{
	close(self->fd);
}

static bool is_plain(const struct vtpm_event *event)
{
	static const struct vtpm_event none;

	return !event->features && !event->resume && !event->capacity &&
	       !event->sequence &&
	       !memcmp(event->session, none.session, sizeof(none.session)) &&
	       !memcmp(event->reserved, none.reserved, sizeof(none.reserved));
}

/* Each connection that VTPM_IOC_NEXT knows has been told, as it is. */
static void check_replay(struct __test_metadata *_metadata, int fd,
			 const struct vtpm_event *events, size_t count)
{
	struct vtpm_info info = { 0 };
	size_t i;

	while (!ioctl(fd, VTPM_IOC_NEXT, &info)) {
		for (i = 0; i < count; i++)
			if (events[i].id == info.id &&
			    events[i].type == VTPM_EVENT_ADDED)
				break;
		ASSERT_LT(i, count);
		EXPECT_EQ(info.domid, events[i].domid);
		EXPECT_EQ(info.handle, events[i].handle);
		EXPECT_EQ(0, memcmp(info.uuid, events[i].uuid,
				    sizeof(info.uuid)));
		EXPECT_TRUE(is_plain(&events[i]));
	}
}

TEST_F(frontend, open_tells_of_all)
{
	struct vtpm_event events[EVENTS];
	size_t count, i;

	if (!self->info.id)
		SKIP(return, NO_FRONTEND);
	EXPECT_EQ(POLLIN, ready(self->fd, POLLIN, 0));
	count = read_events(self->fd, events, EVENTS);
	ASSERT_LT(0, count);
	check_replay(_metadata, self->fd, events, count);
	for (i = 0; i < count; i++)
		EXPECT_NE(VTPM_EVENT_GONE, events[i].type);
	/* And so does the next one. */
	close(self->fd);
	self->fd = open_controller();
	EXPECT_EQ(count, read_events(self->fd, events, EVENTS));
	check_replay(_metadata, self->fd, events, count);
}

TEST_F(frontend, a_bad_address_keeps_the_event)
{
	struct vtpm_event event;
	size_t k;

	if (!self->info.id)
		SKIP(return, NO_FRONTEND);
	for (k = 0; k < sizeof(event); k++)
		EXPECT_EQ(EFAULT, error_of(read(self->fd, edge(k),
						sizeof(event))));
	EXPECT_EQ(EINVAL, error_of(read(self->fd, &event, sizeof(event) - 1)));
	EXPECT_EQ(POLLIN, ready(self->fd, POLLIN, 0));
	ASSERT_EQ(sizeof(event), read(self->fd, edge(sizeof(event)),
				      2 * sizeof(event)));
	close(self->fd);
	self->fd = open_controller();
	ASSERT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
	EXPECT_EQ(VTPM_EVENT_ADDED, event.type);
}

TEST_F(frontend, one_event_per_read)
{
	uint8_t buf[4 * sizeof(struct vtpm_event)];
	size_t k;

	if (!self->info.id)
		SKIP(return, NO_FRONTEND);
	memset(buf, 0xa5, sizeof(buf));
	EXPECT_EQ(sizeof(struct vtpm_event), read(self->fd, buf, sizeof(buf)));
	for (k = sizeof(struct vtpm_event); k < sizeof(buf); k++)
		ASSERT_EQ(0xa5, buf[k]);
}

TEST_F(frontend, next_describes_all)
{
	struct vtpm_info info, first;
	uint64_t last = 0;

	if (!self->info.id)
		SKIP(return, NO_FRONTEND);
	/* Only the id is taken from the argument. */
	memset(&info, 0xff, sizeof(info));
	info.id = 0;
	ASSERT_EQ(0, ioctl(self->fd, VTPM_IOC_NEXT, &info));
	memset(&first, 0, sizeof(first));
	ASSERT_EQ(0, ioctl(self->fd, VTPM_IOC_NEXT, &first));
	EXPECT_EQ(first.id, info.id);
	EXPECT_EQ(first.domid, info.domid);
	do {
		EXPECT_LT(last, info.id);
		EXPECT_LT(0, info.domid);
		EXPECT_GE(VTPM_CONNECTION_PARKED, info.state);
		EXPECT_EQ(0, info.accepted);
		EXPECT_EQ(0, info.mode);
		EXPECT_EQ(0, info.localities);
		EXPECT_EQ(0, info.reserved[0] | info.reserved[1] |
			     info.reserved[2] | info.reserved[3]);
		last = info.id;
	} while (!ioctl(self->fd, VTPM_IOC_NEXT, &info));
}

TEST_F(frontend, next_to_read_only_memory)
{
	struct vtpm_info *info = mmap(NULL, 4096, PROT_READ,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!self->info.id)
		SKIP(return, NO_FRONTEND);
	EXPECT_EQ(EFAULT, error_of(ioctl(self->fd, VTPM_IOC_NEXT, info)));
}

static void *read_all(void *arg)
{
	struct vtpm_event *events = calloc(EVENTS + 1, sizeof(*events));

	/* The last one is left zero, as an end. */
	read_events(*(int *)arg, events, EVENTS);
	return events;
}

TEST_F(frontend, two_readers_share_the_events)
{
	struct vtpm_event all[EVENTS], *some[2];
	size_t count, seen, i, j, k;
	pthread_t threads[2];

	if (!self->info.id)
		SKIP(return, NO_FRONTEND);
	count = read_events(self->fd, all, EVENTS);
	close(self->fd);
	self->fd = open_controller();
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, read_all,
					    &self->fd));
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], (void **)&some[i]);
	for (k = 0; k < count; k++) {
		seen = 0;
		for (i = 0; i < 2; i++)
			for (j = 0; some[i][j].type; j++)
				seen += some[i][j].id == all[k].id &&
					some[i][j].type == all[k].type;
		EXPECT_EQ(1, seen);
	}
}

TEST_F(frontend, accept_is_close_on_exec_and_exclusive)
{
	struct vtpm_info info;
	int fd;

	if (!self->info.id)
		SKIP(return, NO_FRONTEND);
	fd = accept_as(self->fd, self->info.id, VTPM_MODE_NATIVE,
		       self->info.features, 0x1d);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(EBUSY, error_of(accept_as(self->fd, self->info.id,
					    VTPM_MODE_NATIVE,
					    self->info.features, 1)));
	ASSERT_EQ(0, info_of(self->fd, self->info.id, &info));
	EXPECT_EQ(1, info.accepted);
	EXPECT_EQ(VTPM_MODE_NATIVE, info.mode);
	EXPECT_EQ(0x1d, info.localities);
	EXPECT_EQ(0, close(fd));
	EXPECT_FALSE(is_accepted(self->fd, self->info.id));
}

TEST_F(frontend, accept_without_a_free_descriptor)
{
	struct rlimit old, none = { 0 };
	int fd;

	if (!self->info.id)
		SKIP(return, NO_FRONTEND);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none.rlim_max = old.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(EMFILE, error_of(accept_as(self->fd, self->info.id,
					     VTPM_MODE_NATIVE,
					     self->info.features, 1)));
	EXPECT_FALSE(is_accepted(self->fd, self->info.id));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	fd = accept_as(self->fd, self->info.id, VTPM_MODE_NATIVE,
		       self->info.features, 1);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_F(frontend, accepted_stays_so_under_another_controller)
{
	struct vtpm_event events[EVENTS];
	size_t count;
	int fd;

	if (!self->info.id)
		SKIP(return, NO_FRONTEND);
	fd = accept_as(self->fd, self->info.id, VTPM_MODE_NATIVE,
		       self->info.features, 1);
	ASSERT_LE(0, fd);
	close(self->fd);
	self->fd = open_controller();
	ASSERT_LE(0, self->fd);
	count = read_events(self->fd, events, EVENTS);
	check_replay(_metadata, self->fd, events, count);
	EXPECT_TRUE(is_accepted(self->fd, self->info.id));
	EXPECT_EQ(EBUSY, error_of(accept_as(self->fd, self->info.id,
					    VTPM_MODE_NATIVE,
					    self->info.features, 1)));
	close(fd);
	EXPECT_FALSE(is_accepted(self->fd, self->info.id));
}
