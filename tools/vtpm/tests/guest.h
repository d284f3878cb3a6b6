/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest at the other end of a native connection, and what it says to its TPM. */
#ifndef TESTS_GUEST_H
#define TESTS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_BUFFER	8192

/* What guest_run() returns when no response comes. */
#define GUEST_NOTHING	0xffffffff

/**
 * struct packet - a command, or a response
 * @size: its bytes
 * @bytes: the bytes
 */
struct packet {
	size_t size;
	uint8_t bytes[GUEST_BUFFER];
};

/* A command from hexadecimal digits and blanks; its length field is filled in. */
struct packet command(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Hands in a command; returns its sequence. */
uint64_t guest_send(int fd, const struct packet *packet, uint8_t locality);
/* Waits for a response; false if none comes in time or the engine has gone. */
bool guest_receive(int fd, uint64_t sequence, struct packet *response, int ms);
/* Both, at locality 0; returns the TPM's return code. */
uint32_t guest_run(int fd, const struct packet *packet, struct packet *response);
/* Likewise, for a command whose response does not matter. */
uint32_t guest_do(int fd, struct packet packet);
/* Again while the TPM says TPM_RC_RETRY, as the kernel does. */
uint32_t guest_retry(int fd, struct packet packet, struct packet *response);

uint32_t be32(const uint8_t *p);

/* TPM 2.0 */
struct packet tpm2_startup(void);
struct packet tpm2_get_random(unsigned int bytes);
struct packet tpm2_pcr_extend(unsigned int pcr);
struct packet tpm2_pcr_read(unsigned int pcr);
struct packet tpm2_nv_define(uint32_t index, unsigned int size);
struct packet tpm2_nv_write(uint32_t index, const char *text);
struct packet tpm2_nv_read(uint32_t index, unsigned int size);
/* A counter: increments, and nothing else, change it. */
struct packet tpm2_nv_define_counter(uint32_t index);
struct packet tpm2_nv_increment(uint32_t index);
struct packet tpm2_create_primary_rsa(void);
struct packet tpm2_create_primary_ecc(void);
struct packet tpm2_create_rsa(uint32_t parent);
struct packet tpm2_flush(uint32_t handle);
struct packet tpm2_clear(void);
struct packet tpm2_get_lockout_counter(void);

/* TPM 1.2 */
struct packet tpm12_startup(void);
struct packet tpm12_get_random(unsigned int bytes);
struct packet tpm12_extend(unsigned int pcr);
struct packet tpm12_pcr_read(unsigned int pcr);
struct packet tpm12_read_pubek(void);
struct packet tpm12_get_permanent_flags(void);

/* Does the NV index hold this text? */
bool guest_nv_holds(int fd, uint32_t index, const char *text);

#endif
