// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include <openssl/rand.h>

#include "tpm.h"
#include "tpm12.h"
#include "tpm_wire.h"

#define TAG		0x00, 0xc1
#define NONCE_OFFSET	10
#define NONCE_SIZE	20

struct step {
	const char *name;
	const uint8_t *command;
	size_t size;
};

#define STEP(what, bytes)	{ what, bytes, sizeof(bytes) }

static int run(const char *name, const uint8_t *command, size_t size, struct error *err)
{
	const uint8_t *response;
	uint32_t result;

	tpm_execute(0, command, size, &response);
	result = get_be32(response + 6);
	if (result)
		return error_set(err, EIO, "%s failed in a new TPM 1.2 (0x%x)", name, result);
	return 0;
}

/* 2048-bit RSA, OAEP with SHA-1, no signatures. */
static int create_endorsement_key(struct error *err)
{
	uint8_t command[] = {
		TAG, 0, 0, 0, 54, 0, 0, 0, 0x78,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 1, 0, 3, 0, 1,
		0, 0, 0, 12, 0, 0, 8, 0, 0, 0, 0, 2, 0, 0, 0, 0,
	};

	/* The nonce is only mixed into a checksum that nobody looks at. */
	if (RAND_bytes(command + NONCE_OFFSET, NONCE_SIZE) != 1)
		return error_set(err, EIO, "no random numbers");
	return run("TPM_CreateEndorsementKeyPair", command, sizeof(command), err);
}

int tpm12_prepare(struct error *err)
{
	static const uint8_t startup[] = { TAG, 0, 0, 0, 12, 0, 0, 0, 0x99, 0, 1 };
	static const uint8_t allow[] = { TAG, 0, 0, 0, 12, 0x40, 0, 0, 0x0a, 0, 0x20 };
	static const uint8_t present[] = { TAG, 0, 0, 0, 12, 0x40, 0, 0, 0x0a, 0, 0x08 };
	static const uint8_t enable[] = { TAG, 0, 0, 0, 10, 0, 0, 0, 0x6f };
	static const uint8_t activate[] = { TAG, 0, 0, 0, 11, 0, 0, 0, 0x72, 0 };
	static const struct step steps[] = {
		STEP("TPM_Startup", startup),
		STEP("TSC_PhysicalPresence(allow commands)", allow),
		STEP("TSC_PhysicalPresence(present)", present),
		STEP("TPM_PhysicalEnable", enable),
		STEP("TPM_PhysicalSetDeactivated", activate),
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int ret = run(steps[i].name, steps[i].command, steps[i].size, err);

		if (ret)
			return ret;
	}
	return create_endorsement_key(err);
}
