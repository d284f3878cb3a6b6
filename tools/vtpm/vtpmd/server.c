// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket: one JSON object a line in, one a line out.
 *
 * Request: {"command": NAME}, with "uuid" where it is about one vTPM. Response: what the
 * command gives, or {"error": TEXT}. Some answers need the engine's; who asked for one is not read
 * from until it is there, or its time is over.
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
#define SHOW_SECONDS	2	/* then the last known numbers have to do */
#define RESET_SECONDS	8

struct client {
	struct client *next;
	struct server *server;
	struct bufferevent *buffers;
	bool ending;		/* close it when all is written */
	enum {
		WAITS_FOR_NOTHING,
		WAITS_FOR_COUNTERS,
		WAITS_FOR_RESET,
	} waits;
	struct uuid uuid;	/* of the vTPM whose engine it waits for */
	struct event *limit;
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
	event_free(client->limit);
	bufferevent_free(client->buffers);
	free(client);
}

static json_t *make_error(const char *text)
{
	return json_pack("{s:s}", "error", text);
}

static void respond(struct client *client, json_t *response)
{
	char *text = response ? json_dumps(response, JSON_COMPACT) : NULL;

	if (text)
		evbuffer_add_printf(bufferevent_get_output(client->buffers), "%s\n", text);
	free(text);
	json_decref(response);
}

static struct vtpm *find(const struct daemon *daemon, const struct uuid *uuid)
{
	struct vtpm *vtpm = daemon->vtpms;

	while (vtpm && !uuid_equal(&vtpm->uuid, uuid))
		vtpm = vtpm->next;
	return vtpm;
}

/* libevent calls again and again for a full buffer that nobody takes anything from. */
static void wait_for(struct client *client, int what, const struct vtpm *vtpm, int seconds)
{
	const struct timeval limit = { seconds, 0 };

	bufferevent_disable(client->buffers, EV_READ);
	client->waits = what;
	client->uuid = vtpm->uuid;
	evtimer_add(client->limit, &limit);
}

static json_t *show(struct client *client, struct vtpm *vtpm)
{
	if (!vtpm_serves(vtpm) || vtpm->policy.engine != ENGINE_NATIVE ||
	    process_ask(vtpm, CONTROL_STATUS))
		return list_show(vtpm);
	wait_for(client, WAITS_FOR_COUNTERS, vtpm, SHOW_SECONDS);
	return NULL;
}

static json_t *reset(struct client *client, struct vtpm *vtpm)
{
	if (vtpm->policy.engine != ENGINE_NATIVE)
		return make_error("swtpm runs this vTPM, and has no reset: restart its guest");
	if (!vtpm_serves(vtpm))
		return make_error("the vTPM does not run: nothing to reset; it is "
				  "power-cycled when a new domain gets it");
	if (process_ask(vtpm, CONTROL_RESET))
		return make_error("its engine does not listen; try again");
	log_info(&vtpm->daemon->log, "vTPM %s: the administrator resets it", vtpm->uuid_text);
	wait_for(client, WAITS_FOR_RESET, vtpm, RESET_SECONDS);
	return NULL;
}

/* Returns NULL if the answer comes later. */
static json_t *answer_about_one(struct client *client, const json_t *request,
				json_t *(*what)(struct client *client, struct vtpm *vtpm))
{
	const char *text = json_string_value(json_object_get(request, "uuid"));
	struct vtpm *vtpm;
	struct uuid uuid;

	if (!text || !uuid_parse(text, &uuid))
		return make_error("that is not a UUID");
	vtpm = find(client->server->daemon, &uuid);
	if (!vtpm)
		return make_error("no domain has a vTPM with this UUID; 'vtpmctl list' shows "
				  "those that there are");
	return what(client, vtpm);
}

/* Returns NULL if the answer comes later. */
static json_t *answer(struct client *client, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));

	if (!command)
		return make_error("a request is an object with a member 'command'");
	if (!strcmp(command, "list"))
		return json_pack("{s:o}", "vtpms", list_vtpms(client->server->daemon));
	if (!strcmp(command, "show"))
		return answer_about_one(client, request, show);
	if (!strcmp(command, "reset"))
		return answer_about_one(client, request, reset);
	return make_error("this vtpmd does not know that command");
}

static void read_requests(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->buffers);
	json_t *request;
	char *line;

	while (!client->waits && (line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF))) {
		request = json_loads(line, 0, NULL);
		respond(client, answer(client, request));
		json_decref(request);
		free(line);
	}
	if (client->waits || evbuffer_get_length(input) < LINE_MAX_SIZE)
		return;
	respond(client, make_error("the request is too long"));
	client->ending = true;
	bufferevent_disable(client->buffers, EV_READ);
}

static void client_readable(struct bufferevent *buffers, void *arg)
{
	(void)buffers;
	read_requests(arg);
}

static void respond_late(struct client *client, json_t *response)
{
	client->waits = WAITS_FOR_NOTHING;
	evtimer_del(client->limit);
	bufferevent_enable(client->buffers, EV_READ);
	respond(client, response);
	read_requests(client);
}

static void limit_reached(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	const struct vtpm *vtpm = find(client->server->daemon, &client->uuid);

	(void)fd;
	(void)what;
	if (client->waits == WAITS_FOR_COUNTERS && vtpm)
		respond_late(client, list_show(vtpm));
	else if (client->waits)
		respond_late(client, make_error("the engine has not answered in time. It may be "
						"busy with a long command, and does it later"));
}

void server_session_said(struct server *server, const struct vtpm *vtpm, bool with_counters)
{
	struct client *client, *next;

	for (client = server->clients; client; client = next) {
		next = client->next;
		if (!uuid_equal(&client->uuid, &vtpm->uuid))
			continue;
		if (client->waits == WAITS_FOR_COUNTERS && with_counters)
			respond_late(client, list_show(vtpm));
		else if (client->waits == WAITS_FOR_RESET && !with_counters)
			respond_late(client, json_pack("{s:s}", "reset", vtpm->uuid_text));
	}
}

void server_engine_ended(struct server *server, const struct vtpm *vtpm)
{
	struct client *client, *next;

	for (client = server->clients; client; client = next) {
		next = client->next;
		if (!uuid_equal(&client->uuid, &vtpm->uuid))
			continue;
		if (client->waits == WAITS_FOR_COUNTERS)
			respond_late(client, list_show(vtpm));
		else if (client->waits == WAITS_FOR_RESET)
			respond_late(client, make_error("the engine has ended before it did that; "
							"look with 'vtpmctl show' how things stand"));
	}
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

	if (what & BEV_EVENT_EOF &&
	    (client->waits || evbuffer_get_length(bufferevent_get_output(buffers))))
		client->ending = true;
	else
		client_free(client);
}

static int client_set_up(struct client *client, const struct daemon *daemon, int fd)
{
	client->limit = evtimer_new(daemon->base, limit_reached, client);
	if (!client->limit)
		return -ENOMEM;
	client->buffers = bufferevent_socket_new(daemon->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->buffers)
		return 0;
	event_free(client->limit);
	return -ENOMEM;
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
	if (!client || client_set_up(client, server->daemon, fd)) {
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
