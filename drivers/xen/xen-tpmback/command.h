/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little that the backend knows of TPM commands: enough to refuse what is
 * malformed, and to answer in the TPM's place.
 */
#ifndef _XEN_TPMBACK_COMMAND_H
#define _XEN_TPMBACK_COMMAND_H

#include <linux/types.h>

/* Bytes of the header that every command and response starts with. */
#define TPM_COMMAND_HEADER	10

/* Bytes of a response that consists of its header alone. */
#define TPM_ERROR_RESPONSE	TPM_COMMAND_HEADER

/* Bytes of the command that sets the locality on a raw connection. */
#define TPM_SET_LOCALITY_SIZE	11

/* Localities are 0 to 4 (TCG PC Client Platform TPM Profile, section 4). */
#define TPM_LOCALITIES		5
#define TPM_LOCALITY_MASK	((1U << TPM_LOCALITIES) - 1)

/**
 * enum tpm_verdict - what tpmback_command_check() thinks of a command
 * @TPM_VERDICT_GOOD: it may be passed on
 * @TPM_VERDICT_SIZE: its length is out of range, or differs from the one in its header
 * @TPM_VERDICT_TAG: no TPM knows its tag
 * @TPM_VERDICT_CONTROL: a software TPM would take it as a control command
 * @TPM_VERDICT_LOCALITY: its locality is not allowed
 * @TPM_VERDICT_UNSERVED: it is good, but there is nobody to execute it
 */
enum tpm_verdict {
	TPM_VERDICT_GOOD,
	TPM_VERDICT_SIZE,
	TPM_VERDICT_TAG,
	TPM_VERDICT_CONTROL,
	TPM_VERDICT_LOCALITY,
	TPM_VERDICT_UNSERVED,
};

enum tpm_verdict tpmback_command_check(const u8 *command, u32 length,
				       u8 locality, u32 localities);
bool tpmback_response_check(const u8 *response, size_t length);
void tpmback_command_error(u8 response[TPM_ERROR_RESPONSE], const u8 *command,
			   u32 length, enum tpm_verdict verdict);
void tpmback_command_set_locality(u8 buf[TPM_SET_LOCALITY_SIZE],
				  const u8 *command, u8 locality);
bool tpmback_response_is_success(const u8 *response);
const char *tpmback_verdict_name(enum tpm_verdict verdict);

#endif
