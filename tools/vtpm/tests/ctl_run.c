// SPDX-License-Identifier: GPL-2.0-only
#include "cmocka_all.h"

#include <fcntl.h>
#include <signal.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl_run.h"
#include "key.h"

char dir[64], said[16384];

char *path(const char *name)
{
	static char text[4][256];
	static unsigned int next;
	char *result = text[next++ % 4];

	snprintf(result, 256, "%s/%s", dir, name);
	return result;
}

bool there(const char *name)
{
	return access(path(name), F_OK) == 0;
}

void write_file(const char *name, const char *text)
{
	FILE *stream = fopen(path(name), "w");

	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
}

size_t read_file(const char *name, void *bytes, size_t room)
{
	int fd = open(path(name), O_RDONLY);
	ssize_t n = read(fd, bytes, room);

	assert_true(n >= 0);
	close(fd);
	return n;
}

void write_key(const char *name, char byte)
{
	char key[KEY_SIZE + 1] = "";

	memset(key, byte, KEY_SIZE);
	write_file(name, key);
	assert_int_equal(chmod(path(name), 0600), 0);
}

/* The program's own directory may be closed to others: engines are found in the test's. */
static int install_engine(void)
{
	char line[512];

#ifdef VTPM_SANITIZE
	snprintf(line, sizeof(line), "#!/bin/sh\nexec %s --no-sandbox \"$@\"\n",
		 TESTS_DIR "/vtpm-engine");
#else
	snprintf(line, sizeof(line), "#!/bin/sh\nexec %s \"$@\"\n", TESTS_DIR "/vtpm-engine");
#endif
	write_file("engine", line);
	return chmod(path("engine"), 0755);
}

int set_up(void **state)
{
	char text[512];

	(void)state;
	strcpy(dir, "/tmp/vtpm-test-XXXXXX");
	if (!mkdtemp(dir) || mkdir(path("vtpm.d"), 0700) || install_engine())
		return -1;
	snprintf(text, sizeof(text), "[vtpmd]\nstate-dir = %s\nengine = %s\nuser = %s\n"
		 "hosttpm = %s\nhost-tpm = the host's\n", path("state"), path("engine"),
		 getpwuid(geteuid())->pw_name, path("hosttpm"));
	write_file("vtpmd.conf", text);
	return 0;
}

int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* Appends text, with the directory where an @ is. */
static void expand(char *command, size_t size, const char *text)
{
	size_t used = strlen(command);

	for (; *text && used + sizeof(dir) < size; text++) {
		if (*text == '@')
			used += snprintf(command + used, size - used, "%s", dir);
		else
			command[used++] = *text;
		command[used] = '\0';
	}
}

static int run(const char *arguments)
{
	char command[2048];
	int status;

	snprintf(command, sizeof(command), "exec " TESTS_DIR "/vtpmctl ");
	expand(command, sizeof(command), arguments);
	expand(command, sizeof(command), " --config @/vtpmd.conf >@/said 2>&1 </dev/null");
	status = system(command);
	said[read_file("said", said, sizeof(said) - 1)] = '\0';
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int ctl(const char *fmt, ...)
{
	char arguments[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(arguments, sizeof(arguments), fmt, args);
	va_end(args);
	return run(arguments);
}

int ctl_cut(int step, const char *fmt, ...)
{
	char arguments[1024], number[16];
	va_list args;
	int ret;

	va_start(args, fmt);
	vsnprintf(arguments, sizeof(arguments), fmt, args);
	va_end(args);
	snprintf(number, sizeof(number), "%d", step);
	setenv(CUT_VARIABLE, number, 1);
	ret = run(arguments);
	unsetenv(CUT_VARIABLE);
	return ret;
}

struct engine_run run_store(const char *store, const char *uuid, const char *tpm)
{
	const struct engine_how how = { .store = path(store), .uuid = uuid, .tpm = tpm };
	struct engine_run engine = engine_start(&how);

	assert_true(engine_is_up(&engine));
	return engine;
}
