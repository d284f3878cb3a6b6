// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of TPM devices that is told what to do, line by line; and pings.
 *
 *   open NAME DEVICE        from now on NAME is this device
 *   do NAME HEX             one command: "= HEX" is its response, whatever that says
 *   time NAME COUNT HEX     as often as that: "= NS NS NS ..."
 *   until NAME HEX          until the next line comes: "= COUNT NS BEGIN END", how many, the
 *                           time for all, and when the longest began and ended
 *   await DEVICE HEX        until the device is there and answers without an error
 *   bind DOMID PORT         take the other end of an event channel
 *   ping COUNT              "= NS NS NS ..."
 *
 * HEX is a command; eight letters N in it are a number that is another one each time.
 * Instead of "=" there is "! WHY" if something is wrong, and then the program ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define DEVICES		16
#define PACKET_MAX	4096
#define HEADER_SIZE	10
#define AWAIT_NS	(60 * 1000000000ull)

struct device {
	char name[32];
	int fd;
};

/* @number: where the number is in @bytes, 0 for nowhere */
struct packet {
	size_t size;
	size_t number;
	uint8_t bytes[PACKET_MAX];
};

static struct device devices[DEVICES];

static void wrong(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void wrong(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("! ", stdout);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
	exit(1);
}

/* The next word of the line that is being read. */
static char *word(void)
{
	char *text = strtok(NULL, " \n");

	if (!text)
		wrong("a word is missing");
	return text;
}

static struct device *find(const char *name)
{
	for (int i = 0; i < DEVICES; i++)
		if (!strcmp(devices[i].name, name))
			return &devices[i];
	wrong("there is no device %s", name);
}

static void open_device(const char *name, const char *path)
{
	struct device *device = find("");

	device->fd = open(path, O_RDWR | O_CLOEXEC);
	if (device->fd < 0)
		wrong("%s: %s", path, strerror(errno));
	snprintf(device->name, sizeof(device->name), "%s", name);
	puts("=");
}

static unsigned int digit(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c);

	if (!c || !at)
		wrong("'%c' is not a hexadecimal digit", c);
	return at - digits;
}

static void parse(const char *hex, struct packet *packet)
{
	const char *number = strstr(hex, "NNNNNNNN");

	packet->size = strlen(hex) / 2;
	packet->number = number ? (number - hex) / 2 : 0;
	if (packet->size < HEADER_SIZE || packet->size > PACKET_MAX)
		wrong("a command of %zu bytes", packet->size);
	for (size_t i = 0; i < packet->size; i++)
		packet->bytes[i] = hex[2 * i] == 'N' ? 0 :
				   digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]);
}

static void put_number(struct packet *packet)
{
	static uint32_t number;

	if (!packet->number)
		return;
	number++;
	memcpy(packet->bytes + packet->number, &number, sizeof(number));
}

/* Returns how long it took, in ns, and puts the response's size into @size. */
static uint64_t transfer(const struct device *device, struct packet *packet, uint8_t *response,
			 ssize_t *size)
{
	uint64_t begin, end;

	put_number(packet);
	begin = now_ns();
	if (write(device->fd, packet->bytes, packet->size) != (ssize_t)packet->size)
		wrong("%s: write: %s", device->name, strerror(errno));
	*size = read(device->fd, response, PACKET_MAX);
	end = now_ns();
	if (*size < HEADER_SIZE)
		wrong("%s: a response of %zd bytes: %s", device->name, *size, strerror(errno));
	return end - begin;
}

/* The same, for a command that has to succeed. */
static uint64_t succeed(const struct device *device, struct packet *packet)
{
	static const uint8_t success[4];
	uint8_t response[PACKET_MAX];
	ssize_t size;
	uint64_t ns = transfer(device, packet, response, &size);

	if (memcmp(response + 6, success, sizeof(success)))
		wrong("%s: TPM error %02x%02x%02x%02x", device->name, response[6], response[7],
		      response[8], response[9]);
	return ns;
}

static void do_once(const char *name, const char *hex)
{
	uint8_t response[PACKET_MAX];
	struct packet packet;
	ssize_t size;

	parse(hex, &packet);
	transfer(find(name), &packet, response, &size);
	fputs("= ", stdout);
	for (ssize_t i = 0; i < size; i++)
		printf("%02x", response[i]);
	putchar('\n');
}

static void print_all(const uint64_t *ns, unsigned int count)
{
	putchar('=');
	for (unsigned int i = 0; i < count; i++)
		printf(" %" PRIu64, ns[i]);
	putchar('\n');
}

static uint64_t *make_room(unsigned int count)
{
	uint64_t *ns = calloc(count, sizeof(*ns));

	if (!ns)
		wrong("no memory for %u results", count);
	return ns;
}

static void time_commands(const char *name, unsigned int count, const char *hex)
{
	const struct device *device = find(name);
	uint64_t *ns = make_room(count);
	struct packet packet;

	parse(hex, &packet);
	for (unsigned int i = 0; i < count; i++)
		ns[i] = succeed(device, &packet);
	print_all(ns, count);
	free(ns);
}

static void run_until(const char *name, const char *hex)
{
	const struct device *device = find(name);
	uint64_t start = now_ns(), longest = 0, end = start, longest_end = start, ns;
	struct packet packet;
	unsigned int count;

	parse(hex, &packet);
	for (count = 0; !stdin_is_readable(); count++) {
		ns = succeed(device, &packet);
		end = now_ns();
		if (ns > longest) {
			longest = ns;
			longest_end = end;
		}
	}
	printf("= %u %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", count, end - start,
	       longest_end - longest, longest_end);
}

/* Whether the device is there and answers; it may still be on its way. */
static bool answers(const char *path, struct packet *packet)
{
	uint8_t response[PACKET_MAX];
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool good;

	if (fd < 0)
		return false;
	good = write(fd, packet->bytes, packet->size) == (ssize_t)packet->size &&
	       read(fd, response, sizeof(response)) >= HEADER_SIZE &&
	       !memcmp(response + 6, "\0\0\0\0", 4);
	close(fd);
	return good;
}

static void await_device(const char *path, const char *hex)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t end = now_ns() + AWAIT_NS;
	struct packet packet;

	parse(hex, &packet);
	while (!answers(path, &packet)) {
		if (now_ns() > end)
			wrong("%s does not answer in 60 s", path);
		nanosleep(&pause, NULL);
	}
	puts("=");
}

static void bind_channel(unsigned int domid, unsigned int port)
{
	events_bind(domid, port);
	puts("=");
}

static void ping(unsigned int count)
{
	uint64_t *ns = make_room(count);

	for (unsigned int i = 0; i < count; i++)
		ns[i] = events_ping();
	print_all(ns, count);
	free(ns);
}

static unsigned int number(void)
{
	return strtoul(word(), NULL, 10);
}

/* Words are taken in the order in which they stand. */
static void obey(const char *verb)
{
	char *name, *second;
	unsigned int count;

	if (!strcmp(verb, "ping")) {
		ping(number());
		return;
	}
	if (!strcmp(verb, "bind")) {
		count = number();
		bind_channel(count, number());
		return;
	}
	name = word();
	if (!strcmp(verb, "time")) {
		count = number();
		time_commands(name, count, word());
		return;
	}
	second = word();
	if (!strcmp(verb, "open"))
		open_device(name, second);
	else if (!strcmp(verb, "do"))
		do_once(name, second);
	else if (!strcmp(verb, "until"))
		run_until(name, second);
	else if (!strcmp(verb, "await"))
		await_device(name, second);
	else
		wrong("'%s' is not known", verb);
}

int client_main(void)
{
	char *line = NULL, *verb;
	size_t room = 0;

	/* What comes behind a line must be seen by poll(). */
	setvbuf(stdin, NULL, _IONBF, 0);
	while (getline(&line, &room, stdin) > 0) {
		verb = strtok(line, " \n");
		if (verb)
			obey(verb);
	}
	free(line);
	return 0;
}
