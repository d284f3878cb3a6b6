// SPDX-License-Identifier: GPL-2.0-only
/* The way to the TPM, and what every use of it needs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include "hosttpm.h"

/* Format one codes carry the number of a handle, session or parameter. */
#define FORMAT_ONE_CODE	0xbf

TSS2_RC tpm_code(TSS2_RC rc)
{
	rc &= ~TSS2_RC_LAYER_MASK;
	return rc & TPM2_RC_FMT1 ? rc & FORMAT_ONE_CODE : rc;
}

static const char *advice(TSS2_RC rc)
{
	switch (rc & TSS2_RC_LAYER_MASK) {
	case TSS2_TCTI_RC_LAYER:
		return "; look whether the TPM works (dmesg), or choose another with --tcti";
	}
	switch (tpm_code(rc)) {
	case TPM2_RC_BAD_AUTH:
	case TPM2_RC_AUTH_FAIL:
		return "; the TPM's owner hierarchy must have an empty password";
	case TPM2_RC_HIERARCHY:
		return "; enable the TPM's owner (storage) hierarchy in the firmware's setup";
	case TPM2_RC_NV_SPACE:
		return "; remove NV indices that nobody needs (tpm2_nvundefine)";
	case TPM2_RC_INITIALIZE:
		return "; the firmware has not started the TPM";
	case TPM2_RC_LOCKOUT:
		return "; wait, or end the lockout (tpm2_dictionarylockout --clear-lockout)";
	default:
		return "";
	}
}

int tpm_error(struct error *err, TSS2_RC rc, const char *what)
{
	return error_set(err, EIO, "%s: %s%s", what, Tss2_RC_Decode(rc), advice(rc));
}

int tpm_open(struct tpm *tpm, const char *tcti, struct error *err)
{
	TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti, &tpm->tcti);
	char what[256];

	snprintf(what, sizeof(what), "cannot open the host's TPM (%s)", tcti);
	if (rc)
		return tpm_error(err, rc, what);
	rc = Esys_Initialize(&tpm->esys, tpm->tcti, NULL);
	if (rc) {
		Tss2_TctiLdr_Finalize(&tpm->tcti);
		return tpm_error(err, rc, what);
	}
	return 0;
}

void tpm_close(struct tpm *tpm)
{
	Esys_Finalize(&tpm->esys);
	Tss2_TctiLdr_Finalize(&tpm->tcti);
}

void tpm_flush(struct tpm *tpm, ESYS_TR handle)
{
	if (handle != ESYS_TR_NONE)
		Esys_FlushContext(tpm->esys, handle);
}

/* Part of the format of sealed keys: with another template they cannot be unsealed. */
static const TPM2B_PUBLIC primary_template = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
			TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
			TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		.parameters.eccDetail = {
			.symmetric = {
				.algorithm = TPM2_ALG_AES,
				.keyBits.aes = 128,
				.mode.aes = TPM2_ALG_CFB,
			},
			.scheme.scheme = TPM2_ALG_NULL,
			.curveID = TPM2_ECC_NIST_P256,
			.kdf.scheme = TPM2_ALG_NULL,
		},
	},
};

int tpm_primary(struct tpm *tpm, ESYS_TR *primary, struct error *err)
{
	static const TPM2B_SENSITIVE_CREATE sensitive;
	static const TPM2B_DATA outside;
	static const TPML_PCR_SELECTION no_pcrs;
	TSS2_RC rc;

	rc = Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				ESYS_TR_NONE, &sensitive, &primary_template, &outside, &no_pcrs,
				primary, NULL, NULL, NULL, NULL);
	if (!rc)
		return 0;
	*primary = ESYS_TR_NONE;
	return tpm_error(err, rc, "cannot make the storage key in the host's TPM");
}

int tpm_session(struct tpm *tpm, ESYS_TR primary, TPM2_SE type, TPMA_SESSION attributes,
		ESYS_TR *session, struct error *err)
{
	static const TPMT_SYM_DEF aes = {
		.algorithm = TPM2_ALG_AES,
		.keyBits.aes = 128,
		.mode.aes = TPM2_ALG_CFB,
	};
	TSS2_RC rc;

	rc = Esys_StartAuthSession(tpm->esys, primary, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
				   ESYS_TR_NONE, NULL, type, &aes, TPM2_ALG_SHA256, session);
	if (rc) {
		*session = ESYS_TR_NONE;
		return tpm_error(err, rc, "cannot start a session with the host's TPM");
	}
	attributes |= TPMA_SESSION_CONTINUESESSION;
	rc = Esys_TRSess_SetAttributes(tpm->esys, *session, attributes, 0xff);
	if (!rc)
		return 0;
	tpm_flush(tpm, *session);
	*session = ESYS_TR_NONE;
	return tpm_error(err, rc, "cannot encrypt a session with the host's TPM");
}
