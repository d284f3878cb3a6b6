// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks on TPM commands, and the answers that the backend gives in the TPM's
 * place. Nothing here touches the shared page: the bytes are copies.
 *
 * Tags, ordinals and return codes: TPM Main Specification 1.2 part 2, and
 * TPM 2.0 Library Specification part 2.
 */
#include <linux/kernel.h>
#include <linux/unaligned.h>

#include "command.h"

#define TPM1_TAG_COMMAND	0x00c1
#define TPM1_TAG_AUTH1_COMMAND	0x00c2
#define TPM1_TAG_AUTH2_COMMAND	0x00c3
#define TPM1_TAG_RESPONSE	0x00c4
#define TPM2_TAG_NO_SESSIONS	0x8001
#define TPM2_TAG_SESSIONS	0x8002

/* Sets the locality of a software TPM; a guest must never get it through. */
#define ORDINAL_SET_LOCALITY	0x20001000

/* What each verdict is called in either family, and in the log. */
static const struct {
	u32 tpm1;
	u32 tpm2;
	const char *name;
} verdicts[] = {
	[TPM_VERDICT_GOOD] = { 0, 0, "good" },
	[TPM_VERDICT_SIZE] = { 0x19, 0x142, "its length is wrong" },
	[TPM_VERDICT_TAG] = { 0x1e, 0x1e, "its tag is unknown" },
	[TPM_VERDICT_CONTROL] = { 0x0a, 0x143, "it is a control command" },
	[TPM_VERDICT_LOCALITY] = { 0x3d, 0x907, "its locality is not allowed" },
	[TPM_VERDICT_UNSERVED] = { 0x09, 0x101, "no engine serves this vTPM" },
};

static bool tag_is_tpm1(u16 tag)
{
	return tag >= TPM1_TAG_COMMAND && tag <= TPM1_TAG_AUTH2_COMMAND;
}

static bool tag_is_tpm2(u16 tag)
{
	return tag == TPM2_TAG_NO_SESSIONS || tag == TPM2_TAG_SESSIONS;
}

/**
 * tpmback_command_check() - decide whether a command may be passed on
 * @command: a private copy of the command
 * @length: bytes that the frontend transferred
 * @locality: locality that the frontend asks for
 * @localities: bit n allows locality n
 *
 * The tag is checked before anything else is believed: some engines take a packet
 * with another start as a prefix that carries a locality.
 *
 * Context: any.
 * Return: TPM_VERDICT_GOOD, or the first thing that is wrong.
 */
enum tpm_verdict tpmback_command_check(const u8 *command, u32 length,
				       u8 locality, u32 localities)
{
	u16 tag;

	if (length < TPM_COMMAND_HEADER)
		return TPM_VERDICT_SIZE;
	tag = get_unaligned_be16(command);
	if (!tag_is_tpm1(tag) && !tag_is_tpm2(tag))
		return TPM_VERDICT_TAG;
	if (get_unaligned_be32(command + 2) != length)
		return TPM_VERDICT_SIZE;
	if (get_unaligned_be32(command + 6) == ORDINAL_SET_LOCALITY)
		return TPM_VERDICT_CONTROL;
	if (locality >= TPM_LOCALITIES || !(localities & BIT(locality)))
		return TPM_VERDICT_LOCALITY;
	return TPM_VERDICT_GOOD;
}

/**
 * tpmback_response_check() - tell whether an engine's response is well-formed
 * @response: a private copy of the response
 * @length: its bytes
 *
 * Context: any.
 * Return: true if it has a header, and its length there is @length.
 */
bool tpmback_response_check(const u8 *response, size_t length)
{
	return length >= TPM_COMMAND_HEADER &&
	       get_unaligned_be32(response + 2) == length;
}

/**
 * tpmback_command_error() - make the response that says why a command was refused
 * @response: the response is written here
 * @command: a private copy of the command
 * @length: its bytes, of which the first two tell the family
 * @verdict: what is wrong with it
 *
 * A TPM 2.0 answers an unknown tag with a TPM 1.2 response; so does this.
 *
 * Context: any.
 */
void tpmback_command_error(u8 response[TPM_ERROR_RESPONSE], const u8 *command,
			   u32 length, enum tpm_verdict verdict)
{
	u16 tag = length >= 2 ? get_unaligned_be16(command) : 0;

	if (tag_is_tpm2(tag)) {
		put_unaligned_be16(TPM2_TAG_NO_SESSIONS, response);
		put_unaligned_be32(verdicts[verdict].tpm2, response + 6);
	} else {
		put_unaligned_be16(TPM1_TAG_RESPONSE, response);
		put_unaligned_be32(verdicts[verdict].tpm1, response + 6);
	}
	put_unaligned_be32(TPM_ERROR_RESPONSE, response + 2);
}

/**
 * tpmback_command_set_locality() - make the command that sets an engine's locality
 * @buf: the command is written here
 * @command: the command that is to follow; it tells the family
 * @locality: 0 to 4
 *
 * Context: any.
 */
void tpmback_command_set_locality(u8 buf[TPM_SET_LOCALITY_SIZE],
				  const u8 *command, u8 locality)
{
	bool tpm1 = tag_is_tpm1(get_unaligned_be16(command));

	put_unaligned_be16(tpm1 ? TPM1_TAG_COMMAND : TPM2_TAG_SESSIONS, buf);
	put_unaligned_be32(TPM_SET_LOCALITY_SIZE, buf + 2);
	put_unaligned_be32(ORDINAL_SET_LOCALITY, buf + 6);
	buf[10] = locality;
}

/**
 * tpmback_response_is_success() - tell whether a response reports success
 * @response: a response that tpmback_response_check() has passed
 *
 * Context: any.
 * Return: true if the return code is 0.
 */
bool tpmback_response_is_success(const u8 *response)
{
	return get_unaligned_be32(response + 6) == 0;
}

/**
 * tpmback_verdict_name() - say a verdict in words
 * @verdict: one of &enum tpm_verdict
 *
 * Context: any.
 * Return: a clause for a log message, never NULL.
 */
const char *tpmback_verdict_name(enum tpm_verdict verdict)
{
	return verdicts[verdict].name;
}
