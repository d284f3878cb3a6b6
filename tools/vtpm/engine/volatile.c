// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which commands need no new copy of the volatile state.
 *
 * Everything that is not in a table pays for one, and so does everything that failed, everything with an
 * authorization session other than one password, since nonces roll on, and everything of a TPM
 * 1.2, whose state is small: a copy takes 2 us. What moves on by itself in a TPM 2.0 (its clock, the state of
 * its random number generator, which algorithms were tested) may be older in the copy: time is
 * brought up to date when the state is loaded, the generator is stirred then, and a test is
 * done once more.
 */
#include <stdbool.h>

#include "tpm.h"
#include "tpm_wire.h"
#include "volatile.h"

/* Bytes of an authorization by password, and its length, but for the password. */
#define PASSWORD_SIZE	9

/* Without authorization, these only read. */
static const struct {
	uint32_t code;
	const char *why;
} plain[] = {
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

/* With one password. */
static const struct {
	uint32_t code;
	unsigned int handles;
	enum effect effect;
	const char *why;
} authorized[] = {
	{ TPM2_CC_PCR_EXTEND, 1, EFFECT_REPEATABLE, "hashes what is in the command" },
	{ TPM2_CC_PCR_EVENT, 1, EFFECT_REPEATABLE, "likewise" },
	{ TPM2_CC_PCR_RESET, 1, EFFECT_REPEATABLE, "sets constants" },
	{ TPM2_CC_NV_READ, 2, EFFECT_NONE, "reads" },
	{ TPM2_CC_NV_WRITE, 2, EFFECT_NONE, "changes permanent state; see writes_nv()" },
	{ TPM2_CC_NV_INCREMENT, 2, EFFECT_NONE, "likewise" },
	{ TPM2_CC_NV_EXTEND, 2, EFFECT_NONE, "likewise" },
	{ TPM2_CC_NV_SET_BITS, 2, EFFECT_NONE, "likewise" },
	{ TPM2_CC_SIGN, 1, EFFECT_NONE, "moves the generator on, if anything; see tpm_commits()" },
};

static enum effect plain_effect(uint32_t code)
{
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (plain[i].code == code)
			return EFFECT_NONE;
	return EFFECT_UNKNOWN;
}

/* There is one authorization behind the handles, a password, which has no nonce. */
static bool has_one_password(const uint8_t *command, size_t size, unsigned int handles)
{
	const uint8_t *area = command + TPM_HEADER_SIZE + 4 * handles;
	size_t head = TPM_HEADER_SIZE + 4 * handles + 4;

	return size >= head + PASSWORD_SIZE && get_be32(area + 4) == TPM2_RS_PW &&
	       get_be16(area + 8) == 0 &&
	       get_be32(area) == PASSWORD_SIZE + (uint32_t)get_be16(area + 11);
}

static bool writes_nv(uint32_t code)
{
	return code == TPM2_CC_NV_WRITE || code == TPM2_CC_NV_INCREMENT ||
	       code == TPM2_CC_NV_EXTEND || code == TPM2_CC_NV_SET_BITS;
}

/* What the table cannot know. The index is the second handle of those that write to one. */
static bool has_more_effects(uint32_t code, const uint8_t *command)
{
	if (code == TPM2_CC_SIGN)
		return tpm_commits();
	return writes_nv(code) && tpm_nv_is_orderly(get_be32(command + TPM_HEADER_SIZE + 4));
}

static enum effect authorized_effect(uint32_t code, const uint8_t *command, size_t size)
{
	for (size_t i = 0; i < sizeof(authorized) / sizeof(authorized[0]); i++)
		if (authorized[i].code == code &&
		    has_one_password(command, size, authorized[i].handles))
			return authorized[i].effect;
	return EFFECT_UNKNOWN;
}

static enum effect effect_by_table(const uint8_t *command, size_t size, const uint8_t *response)
{
	uint32_t code = get_be32(command + 6);

	if (get_be16(command) == TPM2_ST_NO_SESSIONS)
		return plain_effect(code);
	return get_be32(response + 6) ? EFFECT_UNKNOWN : authorized_effect(code, command, size);
}

/* What is audited changes a digest as well. So might the question about an index. */
enum effect command_effect(enum vnvram_tpm tpm, const uint8_t *command, size_t size,
			   const uint8_t *response)
{
	enum effect effect = tpm == VNVRAM_TPM_20 ? effect_by_table(command, size, response) :
		EFFECT_UNKNOWN;

	if (effect == EFFECT_UNKNOWN || tpm_audits() ||
	    has_more_effects(get_be32(command + 6), command))
		return EFFECT_UNKNOWN;
	return effect;
}
