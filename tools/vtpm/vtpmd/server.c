// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket: one JSON object a line in, one a line out.
 *
 * Request: {"command": NAME}. Response: what the command gives, or {"error": TEXT}.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "list.h"

#define LINE_MAX_SIZE	4096
#define CLIENTS_MAX	16
#define CLIENT_SECONDS	10

struct client {
	struct client *next;
	struct server *server;
	struct bufferevent *buffers;
	bool ending;		/* close it when all is written */
};

struct server {
	struct daemon *daemon;
	struct evconnlistener *listener;
	struct client *clients;
	unsigned int client_count;
	char path[CONFIG_PATH_SIZE + 16];
};

static void client_free(struct client *client)
{
	struct client **place = &client->server->clients;

	while (*place != client)
		place = &(*place)->next;
	*place = client->next;
	client->server->client_count--;
	bufferevent_free(client->buffers);
	free(client);
}

static json_t *make_error(const char *text)
{
	return json_pack("{s:s}", "error", text);
}

static json_t *answer(const struct daemon *daemon, const char *line)
{
	json_t *request = json_loads(line, 0, NULL);
	const char *command = json_string_value(json_object_get(request, "command"));
	json_t *response;

	if (!command)
		response = make_error("a request is an object with a member 'command'");
	else if (!strcmp(command, "list"))
		response = json_pack("{s:o}", "vtpms", list_vtpms(daemon));
	else
		response = make_error("this vtpmd does not know that command");
	json_decref(request);
	return response;
}

static void respond(struct client *client, json_t *response)
{
	char *text = response ? json_dumps(response, JSON_COMPACT) : NULL;

	if (text)
		evbuffer_add_printf(bufferevent_get_output(client->buffers), "%s\n", text);
	free(text);
	json_decref(response);
}

static void client_readable(struct bufferevent *buffers, void *arg)
{
	struct client *client = arg;
	struct evbuffer *input = bufferevent_get_input(buffers);
	char *line;

	while ((line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF))) {
		respond(client, answer(client->server->daemon, line));
		free(line);
	}
	if (evbuffer_get_length(input) < LINE_MAX_SIZE)
		return;
	respond(client, make_error("the request is too long"));
	client->ending = true;
	bufferevent_disable(buffers, EV_READ);
}

static void client_written(struct bufferevent *buffers, void *arg)
{
	struct client *client = arg;

	if (client->ending && !evbuffer_get_length(bufferevent_get_output(buffers)))
		client_free(client);
}

/* Who has said all it wants still gets the answer. */
static void client_ended(struct bufferevent *buffers, short what, void *arg)
{
	struct client *client = arg;

	if (what & BEV_EVENT_EOF && evbuffer_get_length(bufferevent_get_output(buffers)))
		client->ending = true;
	else
		client_free(client);
}

static void accept_client(struct evconnlistener *listener, evutil_socket_t fd,
			  struct sockaddr *address, int size, void *arg)
{
	static const struct timeval limit = { CLIENT_SECONDS, 0 };
	struct server *server = arg;
	struct client *client = NULL;

	(void)listener;
	(void)address;
	(void)size;
	if (server->client_count < CLIENTS_MAX)
		client = calloc(1, sizeof(*client));
	if (client)
		client->buffers = bufferevent_socket_new(server->daemon->base, fd,
							 BEV_OPT_CLOSE_ON_FREE);
	if (!client || !client->buffers) {
		free(client);
		close(fd);
		return;
	}
	client->server = server;
	client->next = server->clients;
	server->clients = client;
	server->client_count++;
	bufferevent_setcb(client->buffers, client_readable, client_written, client_ended, client);
	bufferevent_setwatermark(client->buffers, EV_READ, 0, LINE_MAX_SIZE);
	bufferevent_set_timeouts(client->buffers, &limit, &limit);
	bufferevent_enable(client->buffers, EV_READ | EV_WRITE);
}

/*
 * A socket that lies there belongs to no one: only the vtpmd that has the kernel's
 * device open gets here.
 */
static int listen_at(struct server *server, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = server->path;
	mode_t mask;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, ENAMETOOLONG, "%s: is too long for a socket", path);
	strcpy(address.sun_path, path);
	unlink(path);
	mask = umask(0177);
	server->listener = evconnlistener_new_bind(server->daemon->base, accept_client, server,
						   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
						   8, (struct sockaddr *)&address,
						   sizeof(address));
	umask(mask);
	if (!server->listener)
		return error_set(err, errno, "%s: cannot listen: %s", path, strerror(errno));
	return 0;
}

struct server *server_new(struct daemon *daemon, struct error *err)
{
	const char *dir = daemon->config.run_dir;
	struct server *server = calloc(1, sizeof(*server));

	if (!server) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	server->daemon = daemon;
	snprintf(server->path, sizeof(server->path), "%s/vtpmd.sock", dir);
	if (mkdir(dir, 0755) && errno != EEXIST)
		error_set(err, errno, "%s: cannot create: %s", dir, strerror(errno));
	else if (!listen_at(server, err))
		return server;
	free(server);
	return NULL;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	while (server->clients)
		client_free(server->clients);
	evconnlistener_free(server->listener);
	unlink(server->path);
	free(server);
}
