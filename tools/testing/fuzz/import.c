// SPDX-License-Identifier: GPL-2.0-only
/* The files of swtpm that vtpmctl imports, with any contents. */
#include <sys/mman.h>

#include "fuzz.h"

#include "../../vtpm/vtpmctl/swtpm_file.c"

#define MAX	512	/* bytes of a state */

static int give(const uint8_t *data, size_t size, char *path)
{
	int fd = memfd_create("state", MFD_CLOEXEC);

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	sprintf(path, "/proc/self/fd/%d", fd);
	return fd;
}

/* What was read is written as a file that gives it again. */
static void read_again(const uint8_t *state, size_t size)
{
	struct head head = {
		.version = VERSION, .min_version = MIN_VERSION, .size = htobe16(sizeof(head)),
		.total = htobe32(SWTPM_EXTRA + size),
	};
	struct wrapper wrapper = { htobe16(TAG_DATA), htobe32(size) };
	uint8_t bytes[SWTPM_EXTRA + MAX + sizeof(wrapper)];
	const uint8_t *again;
	size_t again_size;

	require(size <= MAX + sizeof(wrapper));
	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), &wrapper, sizeof(wrapper));
	if (size)
		memcpy(bytes + SWTPM_EXTRA, state, size);
	require(!parse("again", bytes, SWTPM_EXTRA + size, &again, &again_size, NULL));
	require(again_size == size && (!size || !memcmp(again, state, size)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *memory = NULL;
	const uint8_t *state;
	struct error err = { "" };
	size_t state_size;
	char path[64];
	int fd = give(data, size, path);
	int ret = swtpm_file_read(path, MAX, &state, &state_size, &memory, &err);

	if (ret) {
		require(strstr(err.text, path));
	} else {
		require(state >= memory && state + state_size == memory + size);
		read_again(state, state_size);
	}
	free(memory);
	close(fd);
	return 0;
}
