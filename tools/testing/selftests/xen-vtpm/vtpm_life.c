// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the life of a connection, as Documentation/dev-vtpm.md describes it: policy, BEGIN, raw
 * mode, closing, cancelling, hang-up. They need what those of vtpm_conn.c need.
 */
#include "kselftest_harness.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#include "conn.h"

#define FEATURES	(VTPM_FEATURE_EXACTLY_ONCE | VTPM_FEATURE_EXTRA_PAGES)

/* The descriptor is closed and the connection accepted anew. */
static int serve_again(int *fd, int controller, struct vtpm_info *info)
{
	close(*fd);
	*fd = serve(controller, info);
	return *fd;
}

TEST_F(conn, what_nobody_read_waits_for_the_next_engine)
{
	struct vtpm_info after;
	uint64_t sequence;

	ASSERT_LT(0, next_request(self->fd, &self->request));
	sequence = self->request.header.sequence;
	ASSERT_LT(0, answer(self->fd, sequence));
	ASSERT_EQ(POLLIN, ready(self->fd, POLLIN, PATIENCE));
	ASSERT_LE(0, serve_again(&self->fd, self->controller, &self->info));
	ASSERT_LT(0, next_request(self->fd, &self->request));
	EXPECT_EQ(sequence + 1, self->request.header.sequence);
	ASSERT_EQ(0, info_of(self->controller, self->info.id, &after));
	EXPECT_EQ(self->info.failed, after.failed);
	EXPECT_EQ(HEADER + 10, answer(self->fd, sequence + 1));
}

/* With the extension the next engine gets it again; without, nobody does. */
TEST_F(conn, what_was_read_is_not_lost_silently)
{
	struct vtpm_info after;
	uint64_t sequence;
	bool again = once(&self->info);

	ASSERT_LT(0, next_request(self->fd, &self->request));
	sequence = self->request.header.sequence;
	close(self->fd);
	ASSERT_EQ(0, info_of(self->controller, self->info.id, &after));
	EXPECT_EQ(self->info.failed + !again, after.failed);
	EXPECT_EQ(0, after.accepted);
	self->fd = serve(self->controller, &after);
	ASSERT_LE(0, self->fd);
	ASSERT_LT(0, next_request(self->fd, &self->request));
	EXPECT_EQ(sequence + !again, self->request.header.sequence);
}

TEST_F(conn, a_waiting_request_must_fit_the_new_policy)
{
	struct request begin;
	struct vtpm_info after;
	uint64_t sequence;

	ASSERT_LT(0, next_request(self->fd, &self->request));
	sequence = self->request.header.sequence;
	ASSERT_EQ(0, self->request.header.locality);
	ASSERT_LT(0, answer(self->fd, sequence));
	ASSERT_EQ(POLLIN, ready(self->fd, POLLIN, PATIENCE));
	close(self->fd);
	self->fd = accept_as(self->controller, self->info.id, VTPM_MODE_NATIVE,
			     self->info.features, 1U << 4);
	ASSERT_LE(0, self->fd);
	set_blocking(self->fd, false);
	if (once(&self->info)) {
		ASSERT_LT(0, next_request(self->fd, &begin));
		ASSERT_EQ(0, answer_begin(self->fd, &begin));
	}
	EXPECT_EQ(EAGAIN, error_of(read(self->fd, &self->request,
					sizeof(self->request))));
	ASSERT_EQ(0, info_of(self->controller, self->info.id, &after));
	EXPECT_LT(self->info.refused, after.refused);
}

/* BEGIN, which comes first on each descriptor of a connection accepted with features. */

struct begin_answer {
	struct vtpm_response header;
	struct vtpm_begin body;
	uint8_t more;
};

static int write_begin(int fd, const struct begin_answer *good,
		       ssize_t length, size_t offset, uint8_t bits)
{
	struct begin_answer changed = *good;

	changed.header.length = length;
	((uint8_t *)&changed.body)[offset] ^= bits;
	return error_of(write(fd, &changed, sizeof(changed.header) + length));
}

TEST_F(conn, begin)
{
	struct begin_answer good = { .header.length = sizeof(good.body) };
	const size_t size = sizeof(good.body);
	struct vtpm_begin *body = (struct vtpm_begin *)self->request.body;

	close(self->fd);
	self->fd = accept_as(self->controller, self->info.id, VTPM_MODE_NATIVE,
			     FEATURES, 0x1f);
	ASSERT_LE(0, self->fd);
	set_blocking(self->fd, false);
	EXPECT_EQ(EMSGSIZE, error_of(read(self->fd, body, HEADER + size - 1)));
	EXPECT_EQ(EFAULT, error_of(read(self->fd, edge(HEADER + size - 1),
					8192)));
	EXPECT_EQ(EBADMSG, error_of(write(self->fd, &good, HEADER + size)));
	ASSERT_EQ(HEADER + size, next_request(self->fd, &self->request));
	EXPECT_EQ(VTPM_REQUEST_BEGIN, self->request.header.kind);
	EXPECT_EQ(size, self->request.header.length);
	EXPECT_EQ(self->info.features, body->features);
	/* The command is there too, and has to wait for its turn. */
	EXPECT_EQ(EAGAIN, error_of(read(self->fd, edge(8192), 8192)));
	EXPECT_EQ(POLLOUT, ready(self->fd, POLLIN | POLLOUT, 0));

	good.header.sequence = self->request.header.sequence;
	good.body = *body;
	good.body.answered = 0;
	EXPECT_EQ(EBADMSG, write_begin(self->fd, &good, size - 1, 0, 0));
	EXPECT_EQ(EBADMSG, write_begin(self->fd, &good, size + 1, 0, 0));
	EXPECT_EQ(EBADMSG, write_begin(self->fd, &good, 0, 0, 0));
	EXPECT_EQ(EBADMSG, write_begin(self->fd, &good, size,
				       offsetof(struct vtpm_begin, features),
				       4));
	EXPECT_EQ(EBADMSG, write_begin(self->fd, &good, size,
				       offsetof(struct vtpm_begin, resume), 1));
	EXPECT_EQ(EBADMSG, write_begin(self->fd, &good, size,
				       offsetof(struct vtpm_begin, answered),
				       1));
	good.header.sequence++;
	EXPECT_EQ(ESTALE, write_begin(self->fd, &good, size, 0, 0));
	good.header.sequence--;
	EXPECT_EQ(0, write_begin(self->fd, &good, size, 0, 0));
	ASSERT_LT(0, next_request(self->fd, &self->request));
	EXPECT_EQ(VTPM_REQUEST_COMMAND, self->request.header.kind);
	EXPECT_EQ(HEADER + 10, answer(self->fd, self->request.header.sequence));
}

/* Raw mode. */

static int write_raw(int fd, size_t written, uint32_t inner)
{
	struct response response;

	make_response(&response, 0, 10);
	put_be32(response.body + 2, inner);
	return error_of(write(fd, response.body, written));
}

static void check_raw(struct __test_metadata *_metadata, int fd,
		      uint32_t capacity)
{
	uint8_t command[VTPM_MAX_TRANSFER];
	ssize_t n;

	EXPECT_EQ(ESTALE, write_raw(fd, 10, 10));
	EXPECT_EQ(EMSGSIZE, error_of(read(fd, command, 9)));
	EXPECT_EQ(EFAULT, error_of(read(fd, edge(9), sizeof(command))));
	n = read(fd, command, sizeof(command));
	ASSERT_LE(10, n);
	EXPECT_EQ(n, get_be32(command + 2));
	EXPECT_EQ(EBADMSG, write_raw(fd, 0, 10));
	EXPECT_EQ(EBADMSG, write_raw(fd, 9, 9));
	EXPECT_EQ(EBADMSG, write_raw(fd, 10, 11));
	EXPECT_EQ(EMSGSIZE, write_raw(fd, capacity + 1, capacity + 1));
	EXPECT_EQ(EMSGSIZE, write_raw(fd, 4097, 4097));
	EXPECT_EQ(EFAULT, error_of(write(fd, edge(9), 10)));
	EXPECT_EQ(POLLOUT, ready(fd, POLLIN | POLLOUT, 0));
	EXPECT_EQ(0, write_raw(fd, capacity, capacity));
	EXPECT_EQ(ESTALE, write_raw(fd, 10, 10));
}

TEST_F(conn, raw_mode)
{
	struct vtpm_info after;

	close(self->fd);
	self->fd = accept_as(self->controller, self->info.id, VTPM_MODE_RAW, 0,
			     1);
	if (once(&self->info)) {
		/* It has no room for what the frontend uses. */
		EXPECT_EQ(-1, self->fd);
		EXPECT_EQ(EINVAL, errno);
		return;
	}
	ASSERT_LE(0, self->fd);
	set_blocking(self->fd, false);
	ASSERT_EQ(POLLIN, ready(self->fd, POLLIN, PATIENCE));
	check_raw(_metadata, self->fd, self->info.capacity);
	ASSERT_EQ(0, info_of(self->controller, self->info.id, &after));
	EXPECT_EQ(VTPM_MODE_RAW, after.mode);
	EXPECT_EQ(self->info.responses + 1, after.responses);
}

/* What the frontend does beyond sending commands: commands of the environment make it do so. */

TEST_F(conn, cancel)
{
	const short all = POLLIN | POLLOUT | POLLPRI;
	struct vtpm_info after;

	if (!getenv("XEN_VTPM_CANCEL"))
		SKIP(return, "XEN_VTPM_CANCEL is not set");
	ASSERT_LT(0, next_request(self->fd, &self->request));
	EXPECT_EQ(POLLOUT, ready(self->fd, all, 0));
	ASSERT_EQ(0, run("XEN_VTPM_CANCEL"));
	ASSERT_TRUE(ready(self->fd, POLLPRI, PATIENCE) & POLLPRI);
	EXPECT_EQ(POLLOUT | POLLPRI, ready(self->fd, all, 0));
	EXPECT_EQ(EAGAIN, error_of(read(self->fd, edge(8192), 8192)));
	ASSERT_EQ(0, info_of(self->controller, self->info.id, &after));
	EXPECT_EQ(self->info.cancelled + 1, after.cancelled);
	EXPECT_EQ(HEADER + 10, answer(self->fd, self->request.header.sequence));
	EXPECT_EQ(POLLIN, ready(self->fd, all, PATIENCE));
}

/* Reads events until the one of this type; returns whether it came. */
static bool await_event(int controller, uint32_t type, uint32_t domid,
			struct vtpm_event *event)
{
	while (ready(controller, POLLIN, PATIENCE) &&
	       read(controller, event, sizeof(*event)) == sizeof(*event))
		if (event->type == type && event->domid == domid)
			return true;
	return false;
}

static void check_gone(struct __test_metadata *_metadata, int controller,
		       int fd, const struct vtpm_info *info, uint64_t sequence)
{
	struct response response;
	struct vtpm_info after;
	uint8_t c;

	EXPECT_EQ(POLLHUP, ready(fd, POLLIN | POLLOUT | POLLPRI, PATIENCE));
	EXPECT_EQ(0, read(fd, &c, 1));
	EXPECT_EQ(0, read(fd, edge(0), 4096));
	/* SIGPIPE would have killed this process. */
	EXPECT_EQ(EPIPE, error_of(answer(fd, sequence)));
	make_response(&response, 0, 11);
	EXPECT_EQ(EBADMSG, error_of(write(fd, &response, HEADER + 10)));
	EXPECT_EQ(ENOENT, error_of(accept_again(controller, info)));
	EXPECT_EQ(ENOENT, error_of(info_of(controller, info->id, &after)));
}

static void check_return(struct __test_metadata *_metadata, int controller,
			 struct vtpm_info *info)
{
	struct vtpm_event event;
	uint64_t gone = info->id;
	int fd;

	ASSERT_TRUE(await_event(controller, VTPM_EVENT_ADDED, info->domid,
				&event));
	EXPECT_LT(gone, event.id);
	EXPECT_EQ(info->handle, event.handle);
	EXPECT_EQ(0, memcmp(info->uuid, event.uuid, sizeof(event.uuid)));
	ASSERT_EQ(0, info_of(controller, event.id, info));
	EXPECT_EQ(VTPM_CONNECTION_WAITING, info->state);
	EXPECT_EQ(0, info->capacity);
	EXPECT_EQ(0, info->commands);
	fd = serve(controller, info);
	ASSERT_LE(0, fd)
		TH_LOG("%s", strerror(errno));
	ASSERT_TRUE(await_event(controller, VTPM_EVENT_READY, info->domid,
				&event));
	EXPECT_EQ(info->id, event.id);
	EXPECT_EQ(info->capacity, event.capacity);
	EXPECT_EQ(info->features, event.features);
	close(fd);
}

TEST_F_TIMEOUT(conn, hang_up, 120)
{
	struct vtpm_event event;
	uint64_t sequence;
	int status;
	pid_t pid;

	if (!getenv("XEN_VTPM_LEAVE") || !getenv("XEN_VTPM_RETURN"))
		SKIP(return, "XEN_VTPM_LEAVE and XEN_VTPM_RETURN are not set");
	while (read(self->controller, &event, sizeof(event)) > 0)
		;
	ASSERT_LT(0, next_request(self->fd, &self->request));
	sequence = self->request.header.sequence;
	set_blocking(self->fd, true);
	pid = child_reader(self->fd);
	ASSERT_TRUE(await_call(pid, SYS_read));
	ASSERT_EQ(0, run("XEN_VTPM_LEAVE"));
	/* Its read() returns 0, and so it ends with 1. */
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(1, WEXITSTATUS(status));
	check_gone(_metadata, self->controller, self->fd, &self->info,
		   sequence);
	ASSERT_TRUE(await_event(self->controller, VTPM_EVENT_GONE,
				self->info.domid, &event));
	EXPECT_EQ(self->info.id, event.id);
	ASSERT_EQ(0, run("XEN_VTPM_RETURN"));
	check_return(_metadata, self->controller, &self->info);
}
