// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which commands need no new copy of the volatile state.
 *
 * Everything that is not in the table pays for one, and so does everything with an
 * authorization session, whose nonces roll on, and everything of a TPM 1.2, whose state is
 * small: a copy takes 2 us. What moves on by itself in a TPM 2.0 (its clock, the state of
 * its random number generator, which algorithms were tested) may be older in the copy: time is
 * brought up to date when the state is loaded, the generator is stirred then, and a test is
 * done once more.
 */
#include "tpm_wire.h"
#include "volatile.h"

struct read_only {
	uint32_t code;
	const char *why;
};

static const struct read_only table[] = {
	{ TPM2_CC_GET_RANDOM, "moves the generator on, which is stirred after a load" },
	{ TPM2_CC_PCR_READ, "reads registers" },
	{ TPM2_CC_GET_CAPABILITY, "reads properties" },
	{ TPM2_CC_READ_CLOCK, "reads the clock" },
	{ TPM2_CC_READ_PUBLIC, "reads a loaded object" },
	{ TPM2_CC_NV_READ_PUBLIC, "reads the definition of an index" },
	{ TPM2_CC_GET_TEST_RESULT, "reads the result of the self test" },
	{ TPM2_CC_TEST_PARMS, "checks its own parameters" },
	{ TPM2_CC_ECC_PARAMETERS, "reads constants" },
	{ TPM2_CC_HASH, "computes from its parameters, and a proof that is permanent" },
};

bool command_is_read_only(enum vnvram_tpm tpm, const uint8_t *command)
{
	uint32_t code = get_be32(command + 6);

	if (tpm != VNVRAM_TPM_20 || get_be16(command) != TPM2_ST_NO_SESSIONS)
		return false;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].code == code)
			return true;
	return false;
}
