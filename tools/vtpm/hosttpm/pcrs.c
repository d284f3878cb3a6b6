// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hosttpm.h"

static const struct {
	const char *name;
	uint16_t hash;
} banks[] = {
	{ "sha1", TPM2_ALG_SHA1 },
	{ "sha256", TPM2_ALG_SHA256 },
	{ "sha384", TPM2_ALG_SHA384 },
	{ "sha512", TPM2_ALG_SHA512 },
};

static uint16_t find_bank(const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(banks) / sizeof(banks[0]); i++)
		if (strlen(banks[i].name) == size && !memcmp(banks[i].name, name, size))
			return banks[i].hash;
	return 0;
}

static int bad_pcrs(const char *text, struct error *err)
{
	return error_set(err, EINVAL, "--pcrs: '%s' is not a selection such as sha256:0,7 "
			 "(sha1, sha256, sha384 or sha512; registers 0 to 23)", text);
}

int pcrs_parse(const char *text, struct pcrs *pcrs, struct error *err)
{
	const char *at = strchr(text, ':');

	*pcrs = (struct pcrs){ .hash = at ? find_bank(text, at - text) : 0 };
	if (!pcrs->hash)
		return bad_pcrs(text, err);
	do {
		unsigned long number;
		char *end;

		at++;
		number = strtoul(at, &end, 10);
		if (*at < '0' || *at > '9' || number >= 8 * PCR_MASK_SIZE || (*end && *end != ','))
			return bad_pcrs(text, err);
		pcrs->mask[number / 8] |= 1 << number % 8;
		at = end;
	} while (*at);
	return 0;
}

static bool covers(const TPMS_PCR_SELECTION *bank, const struct pcrs *pcrs)
{
	if (bank->hash != pcrs->hash)
		return false;
	for (unsigned int i = 0; i < PCR_MASK_SIZE; i++)
		if (pcrs->mask[i] & ~(i < bank->sizeofSelect ? bank->pcrSelect[i] : 0))
			return false;
	return true;
}

int pcrs_check(struct tpm *tpm, const struct pcrs *pcrs, struct error *err)
{
	TPMS_CAPABILITY_DATA *data = NULL;
	bool found = false;
	TPMI_YES_NO more;
	TSS2_RC rc;

	rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_PCRS,
				0, 1, &more, &data);
	if (rc)
		return tpm_error(err, rc, "cannot ask the host's TPM for its PCR banks");
	for (unsigned int i = 0; i < data->data.assignedPCR.count; i++)
		found |= covers(&data->data.assignedPCR.pcrSelections[i], pcrs);
	Esys_Free(data);
	if (found)
		return 0;
	return error_set(err, ENOTSUP,
			 "the host's TPM does not have these PCRs; tpm2_getcap pcrs shows its banks");
}

int pcrs_policy(struct tpm *tpm, ESYS_TR session, const struct pcrs *pcrs, struct error *err)
{
	static const TPM2B_DIGEST present;
	TPML_PCR_SELECTION selection = {
		.count = 1,
		.pcrSelections[0] = { .hash = pcrs->hash, .sizeofSelect = PCR_MASK_SIZE },
	};
	TSS2_RC rc;

	memcpy(selection.pcrSelections[0].pcrSelect, pcrs->mask, PCR_MASK_SIZE);
	rc = Esys_PolicyPCR(tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &present,
			    &selection);
	return rc ? tpm_error(err, rc, "cannot make a policy of PCRs in the host's TPM") : 0;
}

int pcrs_policy_digest(struct tpm *tpm, ESYS_TR primary, const struct pcrs *pcrs,
		       TPM2B_DIGEST *digest, struct error *err)
{
	TPM2B_DIGEST *result = NULL;
	ESYS_TR session;
	TSS2_RC rc;
	int ret = pcrs_check(tpm, pcrs, err);

	if (!ret)
		ret = tpm_session(tpm, primary, TPM2_SE_TRIAL, 0, &session, err);
	if (ret)
		return ret;
	ret = pcrs_policy(tpm, session, pcrs, err);
	if (!ret) {
		rc = Esys_PolicyGetDigest(tpm->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
					  ESYS_TR_NONE, &result);
		if (rc)
			ret = tpm_error(err, rc, "cannot get a policy from the host's TPM");
		else
			*digest = *result;
	}
	Esys_Free(result);
	tpm_flush(tpm, session);
	return ret;
}
