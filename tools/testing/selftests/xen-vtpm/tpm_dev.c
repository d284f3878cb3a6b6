// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of /dev/tpm0 in a guest, over xen-tpmfront: command sizes, wrong use, signals, several users,
 * and that the TPM can be used after each of these.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common.h"
#include "main.h"

#define TPM_BUFFER	4096
#define TPM_HEADER	10

/* The largest command that every backend takes, and the one that ours may take. */
#define CAPACITY	4088
#define CAPACITY_ONCE	4096

/* How often what depends on chance is tried. */
#define ROUNDS		20

/* GetRandom, 8 bytes. */
static const uint8_t random2[] = {
	0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8,
};

static const uint8_t random12[] = {
	0, 0xc1, 0, 0, 0, 14, 0, 0, 0, 0x46, 0, 0, 0, 8,
};

/* TPM2_CreatePrimary(owner, RSA 3072): takes seconds, even on a fast machine more than none. */
static const uint8_t slow2[] = {
	0x80, 0x02, 0, 0, 0, 67, 0, 0, 0x01, 0x31, 0x40, 0, 0, 1,
	0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0,
	0, 4, 0, 0, 0, 0,
	0, 26, 0, 1, 0, 11, 0, 3, 0, 0x72, 0, 0, 0, 6, 0, 0x80, 0, 0x43,
	0, 0x10, 0x0c, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0,
};

static char device[PATH_MAX];
static char manager[PATH_MAX];
static char sysfs[PATH_MAX];
static bool is_tpm2;

static const char *tpm_name(void)
{
	return getenv("XEN_TPM") ?: "tpm0";
}

static void need_our_driver(void)
{
	char path[PATH_MAX], target[PATH_MAX] = "";

	snprintf(path, sizeof(path), "/sys/class/tpm/%s/device/driver",
		 tpm_name());
	if (readlink(path, target, sizeof(target) - 1) < 0)
		skip_all("no /dev/%s: load xen-tpmfront, in a guest with a vTPM",
			 tpm_name());
	if (strcmp(basename(target), "xen-tpmfront"))
		skip_all("/dev/%s is of the driver '%s', not of xen-tpmfront",
			 tpm_name(), basename(target));
}

static void needs(void)
{
	char version = 0;
	int fd;

	need_root();
	need_our_driver();
	snprintf(device, sizeof(device), "/dev/%s", tpm_name());
	snprintf(manager, sizeof(manager), "/dev/tpmrm%s", tpm_name() + 3);
	snprintf(sysfs, sizeof(sysfs), "/sys/class/tpm/%s", tpm_name());
	need_device(device, "wait for udev", "stop the program that has it");
	fd = open(sysfs, O_RDONLY | O_DIRECTORY);
	fd = openat(fd, "tpm_version_major", O_RDONLY);
	if (read(fd, &version, 1) != 1)
		skip_all("%s/tpm_version_major cannot be read", sysfs);
	is_tpm2 = version == '2';
	close(fd);
}

static const uint8_t *random_command(void)
{
	return is_tpm2 ? random2 : random12;
}

static size_t random_size(void)
{
	return is_tpm2 ? sizeof(random2) : sizeof(random12);
}

static bool is_random(const uint8_t *response, ssize_t size)
{
	const ssize_t wanted = is_tpm2 ? 20 : 22;

	return size == wanted && get_be32(response + 2) == wanted &&
	       !get_be32(response + 6);
}

/* Asks for random bytes; returns whether it got them, and all of them. */
static bool works(int fd)
{
	uint8_t response[TPM_BUFFER];

	return write(fd, random_command(), random_size()) == random_size() &&
	       is_random(response, read(fd, response, sizeof(response))) &&
	       read(fd, response, sizeof(response)) == 0;
}

/* GetRandom with a size in its header, and as many bytes written. */
static ssize_t write_sized(int fd, size_t written, uint32_t size)
{
	uint8_t command[2 * TPM_BUFFER] = { 0 };

	memcpy(command, random_command(), random_size());
	put_be32(command + 2, size);
	return write(fd, command, written);
}

/* The device, once whoever had it before has ended. */
static int open_tpm(void)
{
	int left = PATIENCE;
	int fd;

	do {
		fd = open(device, O_RDWR | O_CLOEXEC);
		if (fd >= 0 || errno != EBUSY)
			return fd;
		usleep(1000);
	} while (left--);
	return -1;
}

FIXTURE(tpm) {
	int fd;
};

FIXTURE_SETUP(tpm)
{
	self->fd = open_tpm();
	ASSERT_LE(0, self->fd);
}

/* Whatever a test has done, the TPM works. */
FIXTURE_TEARDOWN(tpm)
{
	close(self->fd);
	self->fd = open_tpm();
	EXPECT_LE(0, self->fd);
	EXPECT_TRUE(works(self->fd));
	close(self->fd);
}

TEST_F(tpm, one_user)
{
	int copy;

	EXPECT_EQ(EBUSY, error_of(open(device, O_RDWR)));
	copy = dup(self->fd);
	close(self->fd);
	EXPECT_EQ(EBUSY, error_of(open(device, O_RDONLY)));
	close(copy);
	self->fd = open(device, O_RDWR);
	EXPECT_LE(0, self->fd);
}

TEST_F(tpm, commands_too_short)
{
	uint8_t response[TPM_BUFFER];
	size_t size;

	for (size = 0; size < 6; size++)
		EXPECT_EQ(EINVAL, error_of(write_sized(self->fd, size, size)));
	for (; size < TPM_HEADER; size++)
		EXPECT_NE(0, error_of(write_sized(self->fd, size, size)))
			TH_LOG("size %zu", size);
	/* The size in the header counts. */
	EXPECT_NE(0, error_of(write_sized(self->fd, 12, TPM_HEADER - 1)));
	EXPECT_EQ(ENODATA, error_of(write_sized(self->fd, 12, 0)));
	EXPECT_EQ(0, read(self->fd, response, sizeof(response)));
	EXPECT_TRUE(works(self->fd));
}

TEST_F(tpm, commands_shorter_than_they_say)
{
	static const uint32_t sizes[] = { 13, 4096, 4097, 0x7fffffff, 0x80000000, 0xffffffff };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(EINVAL, error_of(write_sized(self->fd, 12,
						       sizes[i])));
	EXPECT_TRUE(works(self->fd));
}

TEST_F(tpm, commands_longer_than_they_say)
{
	uint8_t response[TPM_BUFFER];
	size_t sizes[] = { random_size() + 1, CAPACITY, TPM_BUFFER };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(sizes[i], write_sized(self->fd, sizes[i],
						random_size()));
		EXPECT_TRUE(is_random(response, read(self->fd, response,
						     sizeof(response))));
	}
}

/* The TPM itself has something to say against them. */
static void check_error(struct __test_metadata *_metadata, int fd)
{
	uint8_t response[TPM_BUFFER];

	ASSERT_EQ(TPM_HEADER, read(fd, response, sizeof(response)));
	EXPECT_EQ(TPM_HEADER, get_be32(response + 2));
	EXPECT_NE(0, get_be32(response + 6));
}

TEST_F(tpm, commands_up_to_the_largest)
{
	static const size_t sizes[] = { TPM_HEADER, TPM_HEADER + 1, 4087, CAPACITY };
	bool once;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(sizes[i], write_sized(self->fd, sizes[i], sizes[i]));
		check_error(_metadata, self->fd);
	}
	/* With the extension all of these, without none. */
	once = write_sized(self->fd, CAPACITY + 1, CAPACITY + 1) > 0;
	for (i = CAPACITY + 1; i <= CAPACITY_ONCE; i++) {
		if (once) {
			check_error(_metadata, self->fd);
			EXPECT_EQ(i, write_sized(self->fd, i, i));
		} else {
			EXPECT_EQ(E2BIG, error_of(write_sized(self->fd, i, i)));
		}
	}
	if (once)
		check_error(_metadata, self->fd);
	EXPECT_EQ(E2BIG, error_of(write_sized(self->fd, 4097, 12)));
	EXPECT_EQ(E2BIG, error_of(write_sized(self->fd, 8192, 8192)));
}

TEST_F(tpm, a_command_at_a_bad_address)
{
	uint8_t *p;
	size_t k;

	for (k = 0; k < random_size(); k++) {
		p = edge(k);
		memcpy(p, random_command(), k);
		EXPECT_EQ(EFAULT, error_of(write(self->fd, p, random_size())));
	}
	EXPECT_TRUE(works(self->fd));
}

TEST_F(tpm, a_response_at_a_bad_address)
{
	size_t k;

	for (k = 0; k < 20; k += 5) {
		ASSERT_LT(0, write(self->fd, random_command(), random_size()));
		EXPECT_EQ(EFAULT, error_of(read(self->fd, edge(k), TPM_BUFFER)));
		/* Whether it is there still is the TPM core's business. */
		while (read(self->fd, edge(TPM_BUFFER), TPM_BUFFER) > 0)
			;
		EXPECT_TRUE(works(self->fd));
	}
}

TEST_F(tpm, a_response_stays_until_it_is_read)
{
	uint8_t response[TPM_BUFFER];
	size_t size = 0;

	EXPECT_EQ(0, read(self->fd, response, sizeof(response)));
	ASSERT_LT(0, write(self->fd, random_command(), random_size()));
	EXPECT_EQ(EBUSY, error_of(write(self->fd, random_command(),
					random_size())));
	/* Byte by byte. */
	while (size < sizeof(response) &&
	       read(self->fd, response + size, 1) == 1)
		size++;
	EXPECT_TRUE(is_random(response, size));
	EXPECT_TRUE(works(self->fd));
}

TEST_F(tpm, the_rest_of_a_response_goes_with_the_next_command)
{
	uint8_t response[TPM_BUFFER];

	ASSERT_LT(0, write(self->fd, random_command(), random_size()));
	EXPECT_EQ(TPM_HEADER, read(self->fd, response, TPM_HEADER));
	EXPECT_TRUE(works(self->fd));
}

TEST_F(tpm, a_response_ends_with_its_descriptor)
{
	uint8_t response[TPM_BUFFER];

	ASSERT_LT(0, write(self->fd, random_command(), random_size()));
	close(self->fd);
	self->fd = open_tpm();
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(0, read(self->fd, response, sizeof(response)));
}

TEST_F(tpm, poll)
{
	uint8_t response[TPM_BUFFER];

	EXPECT_EQ(POLLOUT, ready(self->fd, POLLIN | POLLOUT, 0));
	ASSERT_LT(0, write(self->fd, random_command(), random_size()));
	EXPECT_EQ(POLLIN, ready(self->fd, POLLIN | POLLOUT, 0));
	EXPECT_EQ(TPM_HEADER, read(self->fd, response, TPM_HEADER));
	EXPECT_EQ(POLLIN, ready(self->fd, POLLIN | POLLOUT, 0));
	EXPECT_LT(0, read(self->fd, response, sizeof(response)));
	EXPECT_EQ(POLLOUT, ready(self->fd, POLLIN | POLLOUT, 0));
}

TEST_F(tpm, without_blocking)
{
	uint8_t response[TPM_BUFFER];
	int i;

	set_blocking(self->fd, false);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(random_size(), write(self->fd, random_command(),
					       random_size()));
		EXPECT_EQ(EBUSY, error_of(write(self->fd, random_command(),
						random_size())));
		ASSERT_EQ(POLLIN, ready(self->fd, POLLIN, PATIENCE));
		EXPECT_TRUE(is_random(response, read(self->fd, response,
						     sizeof(response))));
	}
	/* What is wrong with a command that was only queued is told by read(). */
	EXPECT_EQ(6, write_sized(self->fd, 6, 6));
	ASSERT_EQ(POLLIN, ready(self->fd, POLLIN, PATIENCE));
	EXPECT_NE(0, error_of(read(self->fd, response, sizeof(response))));
	/* And one that nobody waits for. */
	EXPECT_LT(0, write(self->fd, random_command(), random_size()));
}

/* Several users. */

/* A child that uses the TPM's resource manager; 0 is success. */
static int use_manager(void)
{
	int fd = open(manager, O_RDWR);
	int bad = fd < 0;
	int i;

	for (i = 0; i < 5; i++)
		bad |= !works(fd);
	return bad;
}

TEST_F(tpm, many_users_of_the_resource_manager)
{
	int status, i;

	if (!is_tpm2) {
		EXPECT_EQ(ENOENT, error_of(open(manager, O_RDWR)));
		return;
	}
	for (i = 0; i < 8; i++)
		if (!fork())
			_exit(use_manager());
	/* And /dev/tpm0 beside them. */
	for (i = 0; i < 5; i++)
		EXPECT_TRUE(works(self->fd));
	for (i = 0; i < 8; i++) {
		ASSERT_LT(0, wait(&status));
		EXPECT_EQ(0, status);
	}
}

struct reading_thread {
	int fd;
	bool stop;
	int good;
	int bad;
};

static void *read_always(void *arg)
{
	struct reading_thread *thread = arg;
	uint8_t response[TPM_BUFFER];
	ssize_t n;

	while (!__atomic_load_n(&thread->stop, __ATOMIC_RELAXED)) {
		n = read(thread->fd, response, sizeof(response));
		if (!n)
			continue;
		if (is_random(response, n))
			__atomic_add_fetch(&thread->good, 1, __ATOMIC_RELAXED);
		else
			thread->bad++;
	}
	return NULL;
}

TEST_F(tpm, a_thread_reads_while_another_writes)
{
	struct reading_thread thread = { .fd = self->fd };
	pthread_t id;
	int i, left = PATIENCE;

	ASSERT_EQ(0, pthread_create(&id, NULL, read_always, &thread));
	for (i = 0; i < ROUNDS; i++) {
		while (error_of(write(self->fd, random_command(),
				      random_size())) == EBUSY)
			;
	}
	/* The last one may still be on its way to the reader. */
	while (__atomic_load_n(&thread.good, __ATOMIC_RELAXED) < ROUNDS &&
	       left--)
		usleep(1000);
	__atomic_store_n(&thread.stop, true, __ATOMIC_RELAXED);
	pthread_join(id, NULL);
	EXPECT_EQ(ROUNDS, thread.good);
	EXPECT_EQ(0, thread.bad);
}

/* Signals. */

static int signals_seen;

static void on_signal(int signal)
{
	__atomic_add_fetch(&signals_seen, 1, __ATOMIC_RELAXED);
}

static void write_under_signal(int fd, const uint8_t *command, size_t size)
{
	uint8_t response[TPM_BUFFER];
	sigset_t set;

	if (write(fd, command, size) != size ||
	    read(fd, response, sizeof(response)) < TPM_HEADER)
		_exit(1);
	/* It may come late, if the TPM is fast. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	while (!__atomic_load_n(&signals_seen, __ATOMIC_RELAXED))
		sigsuspend(&set);
	_exit(0);
}

/* A command may have been executed already: no signal but a deadly one ends the wait. */
TEST_F_TIMEOUT(tpm, a_signal_does_not_lose_the_response, 120)
{
	const uint8_t *command = is_tpm2 ? slow2 : random_command();
	size_t size = is_tpm2 ? sizeof(slow2) : random_size();
	struct sigaction action = { .sa_handler = on_signal };
	int status;
	pid_t pid;

	sigaction(SIGUSR1, &action, NULL);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		write_under_signal(self->fd, command, size);
	EXPECT_TRUE(!is_tpm2 || await_call(pid, SYS_write));
	kill(pid, SIGUSR1);
	ASSERT_EQ(pid, wait(&status));
	EXPECT_EQ(0, status);
}

static void use_forever(const uint8_t *command, size_t size)
{
	uint8_t response[TPM_BUFFER];
	int fd = open_tpm();

	while (write(fd, command, size) == size &&
	       read(fd, response, sizeof(response)) > 0)
		;
	_exit(1);
}

static void check_kill(struct __test_metadata *_metadata,
		       const uint8_t *command, size_t size)
{
	int status, fd;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		use_forever(command, size);
	EXPECT_TRUE(await_call(pid, SYS_write));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, wait(&status));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	fd = open_tpm();
	ASSERT_LE(0, fd);
	EXPECT_TRUE(works(fd));
	close(fd);
}

TEST_F_TIMEOUT(tpm, a_killed_user_leaves_the_tpm_to_others, 120)
{
	int i;

	close(self->fd);
	for (i = 0; i < ROUNDS; i++)
		check_kill(_metadata, random_command(), random_size());
	if (is_tpm2)
		check_kill(_metadata, slow2, sizeof(slow2));
	self->fd = open_tpm();
	EXPECT_LE(0, self->fd);
}

static void *cancel_always(void *arg)
{
	struct reading_thread *thread = arg;

	while (!__atomic_load_n(&thread->stop, __ATOMIC_RELAXED))
		if (write(thread->fd, "1", 1) == 1)
			thread->good++;
		else
			thread->bad++;
	return NULL;
}

/* A command that is cancelled has its response, or ECANCELED and none. */
static void check_cancelled(struct __test_metadata *_metadata, int fd)
{
	uint8_t response[TPM_BUFFER];
	ssize_t n = write(fd, random_command(), random_size());

	EXPECT_EQ(n < 0 ? ECANCELED : 0, error_of(n));
	n = read(fd, response, sizeof(response));
	EXPECT_TRUE(!n || is_random(response, n));
}

TEST_F(tpm, cancel_in_sysfs)
{
	struct reading_thread thread = { 0 };
	char path[PATH_MAX + 16];
	pthread_t id;
	int i;

	snprintf(path, sizeof(path), "%s/cancel", sysfs);
	thread.fd = open(path, O_WRONLY);
	if (is_tpm2) {
		/* The TPM core has it for TPM 1.2 only. */
		EXPECT_EQ(-1, thread.fd);
		return;
	}
	ASSERT_LE(0, thread.fd);
	ASSERT_EQ(1, write(thread.fd, "1", 1));
	EXPECT_TRUE(works(self->fd));
	ASSERT_EQ(0, pthread_create(&id, NULL, cancel_always, &thread));
	for (i = 0; i < 2 * ROUNDS; i++)
		check_cancelled(_metadata, self->fd);
	__atomic_store_n(&thread.stop, true, __ATOMIC_RELAXED);
	pthread_join(id, NULL);
	EXPECT_LT(0, thread.good);
	EXPECT_EQ(0, thread.bad);
	EXPECT_TRUE(works(self->fd));
}
