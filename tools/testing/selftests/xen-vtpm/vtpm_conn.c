// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the descriptor that /dev/vtpm gives for a connection, as Documentation/dev-vtpm.md
 * describes it: requests, responses, and those who read and write at once. They answer
 * the frontend's commands in the place of a TPM, and need one that sends commands all the
 * time; see README.md.
 */
#include "kselftest_harness.h"

#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "conn.h"

/* Commands that go through a descriptor with two threads. */
#define COMMANDS	40

TEST_F(conn, has_no_other_calls)
{
	struct vtpm_info info = { 0 };
	char c;

	EXPECT_EQ(ENOTTY, error_of(ioctl(self->fd, VTPM_IOC_GET_ABI, &info)));
	EXPECT_EQ(ENOTTY, error_of(ioctl(self->fd, VTPM_IOC_ACCEPT, &info)));
	EXPECT_EQ(ENOTTY, error_of(ioctl(self->fd, VTPM_IOC_NEXT, &info)));
	EXPECT_EQ(ENOTTY, error_of(ioctl(self->fd, FIONREAD, &info)));
	EXPECT_EQ(ESPIPE, error_of(lseek(self->fd, 0, SEEK_CUR)));
	EXPECT_EQ(ESPIPE, error_of(pread(self->fd, &c, 1, 0)));
	EXPECT_EQ(ESPIPE, error_of(pwrite(self->fd, &c, 1, 0)));
}

TEST_F(conn, poll_tells_whose_turn_it_is)
{
	const short all = POLLIN | POLLOUT | POLLPRI;

	EXPECT_EQ(POLLIN, ready(self->fd, all, 0));
	ASSERT_LT(0, next_request(self->fd, &self->request));
	EXPECT_EQ(POLLOUT, ready(self->fd, all, 0));
	ASSERT_LT(0, answer(self->fd, self->request.header.sequence));
	/* Nothing, or the next request already. */
	EXPECT_EQ(0, ready(self->fd, all, 0) & ~POLLIN);
	EXPECT_EQ(POLLIN, ready(self->fd, all, PATIENCE));
}

TEST_F(conn, requests_have_their_form)
{
	struct vtpm_request *header = &self->request.header;
	uint64_t last = 0;
	ssize_t n;
	int i;

	for (i = 0; i < 3; i++) {
		n = next_request(self->fd, &self->request);
		ASSERT_LT(HEADER, n);
		EXPECT_EQ(n - HEADER, header->length);
		EXPECT_LE(10, header->length);
		EXPECT_GE(self->info.capacity, header->length);
		EXPECT_EQ(header->length, get_be32(self->request.body + 2));
		EXPECT_GE(4, header->locality);
		EXPECT_EQ(VTPM_REQUEST_COMMAND, header->kind);
		EXPECT_EQ(0, header->reserved);
		EXPECT_LT(0, header->sequence);
		EXPECT_EQ(last ? last + 1 : header->sequence, header->sequence);
		last = header->sequence;
		ASSERT_LT(0, answer(self->fd, last));
	}
}

TEST_F(conn, counters_count)
{
	struct vtpm_info before, after;

	ASSERT_LT(0, next_request(self->fd, &self->request));
	ASSERT_EQ(0, info_of(self->controller, self->info.id, &before));
	EXPECT_EQ(VTPM_CONNECTION_CONNECTED, before.state);
	EXPECT_EQ(once(&before) ? 4096 : 4088, before.capacity);
	ASSERT_LT(0, answer(self->fd, self->request.header.sequence));
	ASSERT_LT(0, next_request(self->fd, &self->request));
	ASSERT_EQ(0, info_of(self->controller, self->info.id, &after));
	EXPECT_EQ(before.commands + 1, after.commands);
	EXPECT_EQ(before.responses + 1, after.responses);
	EXPECT_EQ(before.failed, after.failed);
	EXPECT_EQ(before.refused, after.refused);
}

TEST_F(conn, a_small_buffer_keeps_the_request)
{
	static const size_t sizes[] = { 0, 1, 9, HEADER - 1, HEADER, HEADER + 1 };
	uint8_t buf[sizeof(struct request)];
	ssize_t n;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(EMSGSIZE, error_of(read(self->fd, buf, sizes[i])));
	EXPECT_EQ(POLLIN, ready(self->fd, POLLIN | POLLOUT, 0));
	n = next_request(self->fd, &self->request);
	ASSERT_LT(HEADER, n);
	ASSERT_LT(0, answer(self->fd, self->request.header.sequence));
	/* The next one is of the same size, if the guest is as README.md wants it. */
	ASSERT_EQ(POLLIN, ready(self->fd, POLLIN, PATIENCE));
	EXPECT_EQ(EMSGSIZE, error_of(read(self->fd, buf, n - 1)))
		TH_LOG("the guest's commands are not all alike?");
	EXPECT_EQ(n, read(self->fd, buf, n));
}

TEST_F(conn, a_bad_address_keeps_the_request)
{
	static const size_t there[] = { 0, 1, HEADER - 1, HEADER, HEADER + 1, HEADER + 9 };
	uint64_t sequence;
	uint8_t *p;
	ssize_t n;
	size_t i;

	ASSERT_LT(0, next_request(self->fd, &self->request));
	sequence = self->request.header.sequence;
	ASSERT_LT(0, answer(self->fd, sequence));
	ASSERT_EQ(POLLIN, ready(self->fd, POLLIN, PATIENCE));
	for (i = 0; i < ARRAY_SIZE(there); i++)
		EXPECT_EQ(EFAULT, error_of(read(self->fd, edge(there[i]),
						sizeof(self->request))));
	EXPECT_EQ(POLLIN, ready(self->fd, POLLIN | POLLOUT, 0));
	n = HEADER + self->request.header.length;
	p = edge(n);
	/* More is said to be there, less is needed. */
	ASSERT_EQ(n, read(self->fd, p, sizeof(self->request)));
	memcpy(&self->request, p, n);
	EXPECT_EQ(sequence + 1, self->request.header.sequence);
	EXPECT_EQ(n - HEADER, get_be32(self->request.body + 2));
}

TEST_F(conn, a_request_comes_once)
{
	struct request again;
	size_t k;

	ASSERT_LT(0, next_request(self->fd, &self->request));
	for (k = 0; k < sizeof(again); k += 1024)
		EXPECT_EQ(EAGAIN, error_of(read(self->fd, &again, k)));
}

TEST_F(conn, signals)
{
	ASSERT_LT(0, next_request(self->fd, &self->request));
	set_blocking(self->fd, true);
	EXPECT_EQ(READING_AS_IT_SHOULD, read_under_signals(self->fd));
	EXPECT_LT(0, answer(self->fd, self->request.header.sequence));
}

/* Writing. */

TEST_F(conn, an_answer_needs_a_request_that_was_read)
{
	uint64_t sequence;

	/* It is there, and unread; 1 is its sequence on a new connection. */
	EXPECT_EQ(ESTALE, error_of(answer(self->fd, 1)));
	ASSERT_LT(0, next_request(self->fd, &self->request));
	sequence = self->request.header.sequence;
	EXPECT_EQ(ESTALE, error_of(answer(self->fd, 0)));
	EXPECT_EQ(ESTALE, error_of(answer(self->fd, sequence - 1)));
	EXPECT_EQ(ESTALE, error_of(answer(self->fd, sequence + 1)));
	EXPECT_EQ(ESTALE, error_of(answer(self->fd, sequence + (1ULL << 32))));
	EXPECT_EQ(ESTALE, error_of(answer(self->fd, ~0ULL)));
	EXPECT_EQ(HEADER + 10, answer(self->fd, sequence));
	EXPECT_EQ(ESTALE, error_of(answer(self->fd, sequence)));
}

/* The sizes of a wrong answer: what is written, the header's length, the TPM header's. */
static const struct {
	int written;
	uint32_t length;
	uint32_t inner;
	uint32_t reserved;
	int error;
} bad_answers[] = {
	{ -16, 0, 10, 0, EINVAL },
	{ -15, 10, 10, 0, EINVAL },
	{ -1, 10, 10, 0, EINVAL },
	{ 10, 10, 10, 1, EINVAL },
	{ 10, 10, 10, 0x80000000, EINVAL },
	{ 10, 9, 10, 0, EBADMSG },
	{ 10, 11, 10, 0, EBADMSG },
	{ 10, 0, 10, 0, EBADMSG },
	{ 10, 0xffffffff, 10, 0, EBADMSG },
	{ 0, 10, 10, 0, EBADMSG },
	{ 0, 0, 10, 0, EBADMSG },
	{ 1, 1, 1, 0, EBADMSG },
	{ 9, 9, 9, 0, EBADMSG },
	{ 10, 10, 9, 0, EBADMSG },
	{ 10, 10, 11, 0, EBADMSG },
	{ 10, 10, 0xffffffff, 0, EBADMSG },
	{ 4097, 4097, 4097, 0, EMSGSIZE },
};

TEST_F(conn, bad_answers)
{
	struct response response;
	size_t i;

	ASSERT_LT(0, next_request(self->fd, &self->request));
	for (i = 0; i < ARRAY_SIZE(bad_answers); i++) {
		make_response(&response, self->request.header.sequence, 10);
		response.header.length = bad_answers[i].length;
		response.header.reserved = bad_answers[i].reserved;
		put_be32(response.body + 2, bad_answers[i].inner);
		EXPECT_EQ(bad_answers[i].error,
			  error_of(write(self->fd, &response,
					 HEADER + bad_answers[i].written)))
			TH_LOG("answer %zu", i);
		EXPECT_EQ(POLLOUT, ready(self->fd, POLLIN | POLLOUT, 0));
	}
	/* None of them has changed anything. */
	EXPECT_EQ(HEADER + 10, answer(self->fd, self->request.header.sequence));
}

TEST_F(conn, answers_up_to_the_capacity)
{
	uint32_t capacity = self->info.capacity;
	struct response response;
	uint64_t sequence;
	uint32_t length;
	size_t n;

	ASSERT_LT(0, next_request(self->fd, &self->request));
	sequence = self->request.header.sequence;
	for (length = capacity + 1; length <= VTPM_MAX_TRANSFER; length++) {
		n = make_response(&response, sequence, length);
		EXPECT_EQ(EMSGSIZE, error_of(write(self->fd, &response, n)));
	}
	n = make_response(&response, sequence, capacity);
	EXPECT_EQ(n, write(self->fd, &response, n));
}

/* In the order in which dev-vtpm.md says that they are looked for. */
TEST_F(conn, errors_have_their_order)
{
	struct response response;
	uint8_t *p;

	make_response(&response, 0, 10);
	response.header.reserved = 1;
	response.header.length = 4097;
	p = edge(HEADER);
	memcpy(p, &response, HEADER);
	EXPECT_EQ(EINVAL, error_of(write(self->fd, p, HEADER + 4096)));
	response.header.reserved = 0;
	memcpy(p, &response, HEADER);
	EXPECT_EQ(EBADMSG, error_of(write(self->fd, p, HEADER + 4096)));
	EXPECT_EQ(EMSGSIZE, error_of(write(self->fd, p, HEADER + 4097)));
	response.header.length = 10;
	memcpy(p, &response, HEADER);
	EXPECT_EQ(EFAULT, error_of(write(self->fd, p, HEADER + 10)));
	put_be32(response.body + 2, 11);
	EXPECT_EQ(EBADMSG, error_of(write(self->fd, &response, HEADER + 10)));
	make_response(&response, 0, 4096);
	EXPECT_EQ(ESTALE, error_of(write(self->fd, &response, HEADER + 4096)));
}

TEST_F(conn, an_answer_at_a_bad_address)
{
	struct response response;
	uint8_t *p;
	size_t k, n;

	ASSERT_LT(0, next_request(self->fd, &self->request));
	n = make_response(&response, self->request.header.sequence, 10);
	for (k = 0; k < n; k++) {
		p = edge(k);
		memcpy(p, &response, k);
		EXPECT_EQ(EFAULT, error_of(write(self->fd, p, n)));
	}
	EXPECT_EQ(POLLOUT, ready(self->fd, POLLIN | POLLOUT, 0));
	p = edge(n);
	memcpy(p, &response, n);
	EXPECT_EQ(n, write(self->fd, p, n));
}

/* Several who use it at once. */

TEST_F(conn, one_of_two_readers_gets_the_request)
{
	pid_t pids[2], first;
	uint64_t sequence;
	int status, i;

	ASSERT_LT(0, next_request(self->fd, &self->request));
	sequence = self->request.header.sequence;
	set_blocking(self->fd, true);
	for (i = 0; i < 2; i++) {
		pids[i] = child_reader(self->fd);
		ASSERT_TRUE(await_call(pids[i], SYS_read));
	}
	ASSERT_LT(0, answer(self->fd, sequence));
	first = wait(&status);
	EXPECT_EQ(0, status);
	EXPECT_TRUE(await_call(first == pids[0] ? pids[1] : pids[0],
			       SYS_read));
	EXPECT_EQ(POLLOUT, ready(self->fd, POLLIN | POLLOUT, 0));
	EXPECT_LT(0, answer(self->fd, sequence + 1));
	EXPECT_LT(0, wait(&status));
	EXPECT_EQ(0, status);
	EXPECT_LT(0, answer(self->fd, sequence + 2));
}

struct traffic {
	int fd;
	int pipe[2];
	bool stop;
	uint64_t odd;		/* sequences that were not one more than the last */
	uint64_t wrong;		/* stale answers that were taken */
};

static void *read_requests(void *arg)
{
	struct traffic *traffic = arg;
	struct request request;
	uint64_t last = 0;
	int i;

	for (i = 0; i < COMMANDS; i++) {
		if (read(traffic->fd, &request, sizeof(request)) < 0)
			break;
		traffic->odd += last && request.header.sequence != last + 1;
		last = request.header.sequence;
		if (write(traffic->pipe[1], &last, sizeof(last)) < 0)
			break;
	}
	close(traffic->pipe[1]);
	return NULL;
}

static void *write_stale(void *arg)
{
	struct traffic *traffic = arg;

	while (!__atomic_load_n(&traffic->stop, __ATOMIC_RELAXED))
		traffic->wrong += error_of(answer(traffic->fd, ~0ULL)) !=
				  ESTALE;
	return NULL;
}

TEST_F(conn, threads_read_and_write_at_once)
{
	struct traffic traffic = { .fd = self->fd };
	pthread_t reader, liar;
	uint64_t sequence;
	int answered = 0;

	ASSERT_EQ(0, pipe(traffic.pipe));
	set_blocking(self->fd, true);
	ASSERT_EQ(0, pthread_create(&reader, NULL, read_requests, &traffic));
	ASSERT_EQ(0, pthread_create(&liar, NULL, write_stale, &traffic));
	while (read(traffic.pipe[0], &sequence, sizeof(sequence)) ==
	       sizeof(sequence))
		answered += answer(self->fd, sequence) == HEADER + 10;
	__atomic_store_n(&traffic.stop, true, __ATOMIC_RELAXED);
	pthread_join(reader, NULL);
	pthread_join(liar, NULL);
	EXPECT_EQ(COMMANDS, answered);
	EXPECT_EQ(0, traffic.odd);
	EXPECT_EQ(0, traffic.wrong);
}

TEST_F(conn, copies_are_one_descriptor)
{
	int copy = dup(self->fd);
	int hold[2], status;
	pid_t pid;
	char c;

	ASSERT_LE(0, copy);
	ASSERT_EQ(0, pipe(hold));
	ASSERT_LT(0, next_request(self->fd, &self->request));
	close(self->fd);
	EXPECT_EQ(EBUSY, error_of(accept_again(self->controller, &self->info)));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Answered in a child, when the parent has no copy left. */
		close(hold[1]);
		status = read(hold[0], &c, 1);
		status |= answer(copy, self->request.header.sequence) < 0;
		status |= error_of(accept_again(self->controller,
						&self->info)) != EBUSY;
		_exit(status);
	}
	close(copy);
	close(hold[1]);
	EXPECT_EQ(pid, wait(&status));
	EXPECT_EQ(0, status);
	self->fd = serve(self->controller, &self->info);
	EXPECT_LE(0, self->fd);
}

TEST_F(conn, outlives_the_controller)
{
	close(self->controller);
	ASSERT_LT(0, next_request(self->fd, &self->request));
	EXPECT_LT(0, answer(self->fd, self->request.header.sequence));
	self->controller = open_controller();
	ASSERT_LE(0, self->controller);
	EXPECT_EQ(EBUSY, error_of(accept_again(self->controller, &self->info)));
	ASSERT_LT(0, next_request(self->fd, &self->request));
	EXPECT_LT(0, answer(self->fd, self->request.header.sequence));
}
