// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "vtpmctl.h"

#define ANSWER_SECONDS	10

static int complain(const char *path, int code)
{
	if (code == ENOENT || code == ECONNREFUSED)
		fprintf(stderr, "vtpmctl: vtpmd is not running (%s: %s)\n", path, strerror(code));
	else
		fprintf(stderr, "vtpmctl: cannot talk to vtpmd: %s: %s\n", path, strerror(code));
	return -1;
}

static int client_connect(const char *path)
{
	const struct timeval limit = { ANSWER_SECONDS, 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return complain(path, ENAMETOOLONG);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return complain(path, errno);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int code = errno;

		close(fd);
		return complain(path, code);
	}
	return fd;
}

static int write_line(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n < 0)
			return -1;
		text += n;
		left -= n;
	}
	return send(fd, "\n", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static json_t *exchange(const char *path, int fd, const char *text)
{
	FILE *stream = fdopen(fd, "r");
	json_t *response = NULL;
	char *line = NULL;
	size_t size = 0;

	if (!stream) {
		close(fd);
		return NULL;
	}
	if (write_line(fd, text) || getline(&line, &size, stream) <= 0)
		complain(path, errno ? errno : ECONNRESET);
	else if (!(response = json_loads(line, 0, NULL)))
		fprintf(stderr, "vtpmctl: vtpmd's answer makes no sense\n");
	free(line);
	fclose(stream);
	return response;
}

json_t *client_request(const char *path, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	int fd = text ? client_connect(path) : -1;
	json_t *response = NULL;
	const char *error;

	json_decref(request);
	errno = 0;
	if (fd >= 0)
		response = exchange(path, fd, text);
	free(text);
	error = json_string_value(json_object_get(response, "error"));
	if (!error)
		return response;
	fprintf(stderr, "vtpmctl: %s\n", error);
	json_decref(response);
	return NULL;
}
