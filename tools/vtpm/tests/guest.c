// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <xen/vtpm.h>

#include "guest.h"

#define PATIENCE_MS	30000

uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

struct packet command(const char *fmt, ...)
{
	struct packet packet = { 0 };
	char text[2 * GUEST_BUFFER];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	for (const char *p = text; *p;) {
		if (*p == ' ') {
			p++;
			continue;
		}
		packet.bytes[packet.size++] = hex_digit(p[0]) << 4 | hex_digit(p[1]);
		p += 2;
	}
	for (int i = 0; i < 4; i++)
		packet.bytes[2 + i] = packet.size >> (24 - 8 * i);
	return packet;
}

uint64_t guest_send(int fd, const struct packet *packet, uint8_t locality)
{
	static uint64_t sequence;
	uint8_t buffer[sizeof(struct vtpm_request) + GUEST_BUFFER];
	struct vtpm_request header = {
		.sequence = ++sequence, .length = packet->size, .locality = locality,
	};

	memcpy(buffer, &header, sizeof(header));
	memcpy(buffer + sizeof(header), packet->bytes, packet->size);
	send(fd, buffer, sizeof(header) + packet->size, MSG_NOSIGNAL);
	return sequence;
}

bool guest_receive(int fd, uint64_t sequence, struct packet *response, int ms)
{
	uint8_t buffer[sizeof(struct vtpm_response) + GUEST_BUFFER];
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	struct vtpm_response header;
	ssize_t n;

	if (poll(&pollfd, 1, ms) != 1)
		return false;
	n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n < (ssize_t)sizeof(header) + 10)
		return false;
	memcpy(&header, buffer, sizeof(header));
	response->size = n - sizeof(header);
	memcpy(response->bytes, buffer + sizeof(header), response->size);
	return header.sequence == sequence && header.length == response->size &&
	       !header.reserved && be32(response->bytes + 2) == response->size;
}

uint32_t guest_run(int fd, const struct packet *packet, struct packet *response)
{
	uint64_t sequence = guest_send(fd, packet, 0);

	if (!guest_receive(fd, sequence, response, PATIENCE_MS))
		return GUEST_NOTHING;
	return be32(response->bytes + 6);
}

uint32_t guest_do(int fd, struct packet packet)
{
	struct packet response;

	return guest_run(fd, &packet, &response);
}

uint32_t guest_retry(int fd, struct packet packet, struct packet *response)
{
	static const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	uint32_t rc;

	while ((rc = guest_run(fd, &packet, response)) == 0x922)
		nanosleep(&pause, NULL);
	return rc;
}

/* An empty password. */
#define PASSWORD	"00000009 40000009 0000 00 0000"

struct packet tpm2_startup(void)
{
	return command("8001 00000000 00000144 0000");
}

struct packet tpm2_get_random(unsigned int bytes)
{
	return command("8001 00000000 0000017b %04x", bytes);
}

struct packet tpm2_pcr_extend(unsigned int pcr)
{
	return command("8002 00000000 00000182 %08x " PASSWORD " 00000001 000b"
		       " 1111111111111111111111111111111111111111111111111111111111111111", pcr);
}

struct packet tpm2_pcr_read(unsigned int pcr)
{
	uint32_t mask = 1U << pcr;

	return command("8001 00000000 0000017e 00000001 000b 03 %02x%02x%02x", mask & 255,
		       mask >> 8 & 255, mask >> 16 & 255);
}

struct packet tpm2_nv_define(uint32_t index, unsigned int size)
{
	return command("8002 00000000 0000012a 40000001 " PASSWORD
		       " 0000 000e %08x 000b 00040004 0000 %04x", index, size);
}

struct packet tpm2_nv_write(uint32_t index, const char *text)
{
	char hex[512] = "";

	for (size_t i = 0; text[i] && i < 200; i++)
		sprintf(hex + 2 * i, "%02x", (unsigned char)text[i]);
	return command("8002 00000000 00000137 %08x %08x " PASSWORD " %04x %s 0000", index,
		       index, (unsigned int)strlen(text), hex);
}

struct packet tpm2_nv_read(uint32_t index, unsigned int size)
{
	return command("8002 00000000 0000014e %08x %08x " PASSWORD " %04x 0000", index, index,
		       size);
}

struct packet tpm2_nv_define_counter(uint32_t index)
{
	return command("8002 00000000 0000012a 40000001 " PASSWORD
		       " 0000 000e %08x 000b 00040014 0000 0008", index);
}

struct packet tpm2_nv_increment(uint32_t index)
{
	return command("8002 00000000 00000134 %08x %08x " PASSWORD, index, index);
}

struct packet tpm2_create_primary_rsa(void)
{
	return command("8002 00000000 00000131 40000001 " PASSWORD " 0004 00000000"
		       " 001a 0001 000b 00030072 0000 0006 0080 0043 0010 0800 00000000 0000"
		       " 0000 00000000");
}

struct packet tpm2_create_primary_ecc(void)
{
	return command("8002 00000000 00000131 40000001 " PASSWORD " 0004 00000000"
		       " 0018 0023 000b 00040072 0000 0010 0018 000b 0003 0010 0000 0000"
		       " 0000 00000000");
}

struct packet tpm2_create_rsa(uint32_t parent)
{
	return command("8002 00000000 00000153 %08x " PASSWORD " 0004 00000000"
		       " 0016 0001 000b 00060072 0000 0010 0010 0800 00000000 0000"
		       " 0000 00000000", parent);
}

struct packet tpm2_flush(uint32_t handle)
{
	return command("8001 00000000 00000165 %08x", handle);
}

struct packet tpm2_clear(void)
{
	return command("8002 00000000 00000126 4000000a " PASSWORD);
}

/* TPM2_PT_LOCKOUT_COUNTER is the last word of the response. */
struct packet tpm2_get_lockout_counter(void)
{
	return command("8001 00000000 0000017a 00000006 0000020e 00000001");
}

struct packet tpm12_startup(void)
{
	return command("00c1 00000000 00000099 0001");
}

struct packet tpm12_get_random(unsigned int bytes)
{
	return command("00c1 00000000 00000046 %08x", bytes);
}

struct packet tpm12_extend(unsigned int pcr)
{
	return command("00c1 00000000 00000014 %08x 1111111111111111111111111111111111111111",
		       pcr);
}

struct packet tpm12_pcr_read(unsigned int pcr)
{
	return command("00c1 00000000 00000015 %08x", pcr);
}

struct packet tpm12_read_pubek(void)
{
	return command("00c1 00000000 0000007c 0000000000000000000000000000000000000000");
}

struct packet tpm12_get_permanent_flags(void)
{
	return command("00c1 00000000 00000065 00000004 00000004 00000108");
}

bool guest_nv_holds(int fd, uint32_t index, const char *text)
{
	struct packet response;

	if (guest_retry(fd, tpm2_nv_read(index, strlen(text)), &response))
		return false;
	return response.size > 16 + strlen(text) &&
	       !memcmp(response.bytes + 16, text, strlen(text));
}
