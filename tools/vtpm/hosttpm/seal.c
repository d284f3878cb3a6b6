// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that only this host's TPM gives back.
 *
 * The key goes to the TPM and comes back encrypted with a session key, which itself is agreed
 * with the storage key: whoever only listens on the bus learns nothing. Whoever can
 * send commands to the TPM can unseal what is not bound to PCRs, given the file.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "hosttpm.h"
#include "vnvram.h"

_Static_assert(HOSTTPM_KEY_SIZE == VNVRAM_KEY_SIZE, "a sealed key is the key of a store");

/* All memory of this program that holds a key, but for the library's copies. */
struct secrets {
	uint8_t key[HOSTTPM_KEY_SIZE];
	uint8_t check[HOSTTPM_KEY_SIZE];
	TPM2B_SENSITIVE_CREATE sensitive;
};

static int lock_secrets(struct secrets *secrets, struct error *err)
{
	memset(secrets, 0, sizeof(*secrets));
	/* With the library's copies, where that is allowed. */
	mlockall(MCL_CURRENT | MCL_FUTURE);
	if (!mlock(secrets, sizeof(*secrets)))
		return 0;
	return error_set(err, errno, "cannot keep the key out of the swap space: %s; "
			 "raise the limit of locked memory (ulimit -l)", strerror(errno));
}

static void wipe_secrets(struct secrets *secrets)
{
	explicit_bzero(secrets, sizeof(*secrets));
}

static int refused(const char *file, TSS2_RC rc, struct error *err)
{
	char what[256];

	if (tpm_code(rc) == TPM2_RC_POLICY_FAIL || tpm_code(rc) == TPM2_RC_PCR_CHANGED)
		return error_set(err, EKEYREJECTED, "%s: the host's PCRs are not what they were "
				 "when the key was sealed; boot what was booted then, or use a "
				 "backup of the key", file);
	if ((rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER) {
		snprintf(what, sizeof(what), "%s: cannot unseal it", file);
		return tpm_error(err, rc, what);
	}
	snprintf(what, sizeof(what), "%s: the host's TPM does not unseal it: another TPM's, or the "
		 "TPM was cleared, or the file was changed; use a backup of the key", file);
	return tpm_error(err, rc, what);
}

static int take_key(TPM2B_SENSITIVE_DATA *data, const char *file, uint8_t *key,
		    struct error *err)
{
	bool fits = data->size == HOSTTPM_KEY_SIZE;

	if (fits)
		memcpy(key, data->buffer, HOSTTPM_KEY_SIZE);
	explicit_bzero(data, sizeof(*data));
	Esys_Free(data);
	return fits ? 0 : error_set(err, EINVAL, "%s: what is sealed in it is not a key; "
				    "restore it from a backup", file);
}

static int unseal_loaded(struct tpm *tpm, ESYS_TR primary, ESYS_TR object, const char *file,
			 const struct pcrs *pcrs, uint8_t *key, struct error *err)
{
	TPM2_SE type = pcrs->hash ? TPM2_SE_POLICY : TPM2_SE_HMAC;
	TPM2B_SENSITIVE_DATA *data;
	struct error reason;
	ESYS_TR session;
	TSS2_RC rc;
	int ret;

	ret = tpm_session(tpm, primary, type, TPMA_SESSION_ENCRYPT, &session, err);
	if (ret)
		return ret;
	if (pcrs->hash && pcrs_policy(tpm, session, pcrs, &reason))
		ret = error_set(err, EIO, "%s: %s", file, reason.text);
	if (!ret) {
		rc = Esys_Unseal(tpm->esys, object, session, ESYS_TR_NONE, ESYS_TR_NONE, &data);
		ret = rc ? refused(file, rc, err) : take_key(data, file, key, err);
	}
	tpm_flush(tpm, session);
	return ret;
}

static int unseal(struct tpm *tpm, ESYS_TR primary, const char *file,
		  const struct sealed *sealed, uint8_t *key, struct error *err)
{
	ESYS_TR object;
	TSS2_RC rc;
	int ret;

	rc = Esys_Load(tpm->esys, primary, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
		       &sealed->private, &sealed->public, &object);
	if (rc)
		return refused(file, rc, err);
	ret = unseal_loaded(tpm, primary, object, file, &sealed->pcrs, key, err);
	tpm_flush(tpm, object);
	return ret;
}

/* With PCRs only their policy authorizes; without, an empty password does. */
static int make_template(struct tpm *tpm, ESYS_TR primary, const struct pcrs *pcrs,
			 TPM2B_PUBLIC *template, struct error *err)
{
	TPMT_PUBLIC *area = &template->publicArea;

	*template = (TPM2B_PUBLIC){ .publicArea = {
		.type = TPM2_ALG_KEYEDHASH,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
				    TPMA_OBJECT_NODA,
		.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
	} };
	if (!pcrs->hash) {
		area->objectAttributes |= TPMA_OBJECT_USERWITHAUTH;
		return 0;
	}
	area->objectAttributes |= TPMA_OBJECT_ADMINWITHPOLICY;
	return pcrs_policy_digest(tpm, primary, pcrs, &area->authPolicy, err);
}

static int create_object(struct tpm *tpm, ESYS_TR primary, const TPM2B_PUBLIC *template,
			 struct secrets *secrets, struct sealed *sealed, struct error *err)
{
	static const TPM2B_DATA outside;
	static const TPML_PCR_SELECTION no_pcrs;
	TPM2B_SENSITIVE_DATA *data = &secrets->sensitive.sensitive.data;
	TPM2B_PRIVATE *private;
	TPM2B_PUBLIC *public;
	ESYS_TR session;
	TSS2_RC rc;
	int ret;

	ret = tpm_session(tpm, primary, TPM2_SE_HMAC, TPMA_SESSION_DECRYPT, &session, err);
	if (ret)
		return ret;
	data->size = HOSTTPM_KEY_SIZE;
	memcpy(data->buffer, secrets->key, HOSTTPM_KEY_SIZE);
	rc = Esys_Create(tpm->esys, primary, session, ESYS_TR_NONE, ESYS_TR_NONE,
			 &secrets->sensitive, template, &outside, &no_pcrs, &private, &public,
			 NULL, NULL, NULL);
	tpm_flush(tpm, session);
	if (rc)
		return tpm_error(err, rc, "cannot seal a key in the host's TPM");
	sealed->public = *public;
	sealed->private = *private;
	Esys_Free(public);
	Esys_Free(private);
	return 0;
}

/* What cannot be unsealed now will not be later. */
static int check_sealed(struct tpm *tpm, ESYS_TR primary, const char *file,
			const struct sealed *sealed, struct secrets *secrets, struct error *err)
{
	int ret = unseal(tpm, primary, file, sealed, secrets->check, err);

	if (!ret && memcmp(secrets->check, secrets->key, HOSTTPM_KEY_SIZE))
		ret = error_set(err, EIO, "the host's TPM gives back another key than was sealed; "
				"it cannot be used");
	return ret;
}

static int seal(struct tpm *tpm, const char *file, struct secrets *secrets,
		struct sealed *sealed, struct error *err)
{
	TPM2B_PUBLIC template;
	ESYS_TR primary;
	int ret = tpm_primary(tpm, &primary, err);

	if (ret)
		return ret;
	ret = make_template(tpm, primary, &sealed->pcrs, &template, err);
	if (!ret)
		ret = create_object(tpm, primary, &template, secrets, sealed, err);
	if (!ret)
		ret = check_sealed(tpm, primary, file, sealed, secrets, err);
	tpm_flush(tpm, primary);
	return ret;
}

static int seal_into(const struct hosttpm_options *options, const char *file,
		     struct secrets *secrets, struct sealed *sealed, struct error *err)
{
	struct tpm tpm;
	int ret;

	if (getrandom(secrets->key, HOSTTPM_KEY_SIZE, 0) != HOSTTPM_KEY_SIZE)
		return error_set(err, EIO, "the kernel gives no random bytes: %s",
				 strerror(errno));
	ret = tpm_open(&tpm, options->tcti, err);
	if (ret)
		return ret;
	ret = seal(&tpm, file, secrets, sealed, err);
	tpm_close(&tpm);
	return ret ? ret : sealed_file_create(file, sealed, err);
}

static int print_key_id(const uint8_t *key, struct error *err)
{
	uint8_t id[VNVRAM_KEY_ID_SIZE];

	if (vnvram_key_id(key, id))
		return error_set(err, ENOMEM, "cannot compute the id of the key");
	for (int i = 0; i < VNVRAM_KEY_ID_SIZE; i++)
		printf("%02x", id[i]);
	putchar('\n');
	return fflush(stdout) ? error_set(err, errno, "the key is sealed, but its id cannot be "
					  "written to standard output: %s", strerror(errno)) : 0;
}

int command_seal(const struct hosttpm_options *options, struct error *err)
{
	const char *file = options->operands[0];
	struct sealed sealed = { 0 };
	struct secrets secrets;
	int ret;

	if (options->pcrs && pcrs_parse(options->pcrs, &sealed.pcrs, err))
		return HOSTTPM_EXIT_USAGE;
	if (!access(file, F_OK))
		return error_set(err, EEXIST, "%s: is there already, and may be the only way to a "
				 "key; give another name, or move it away", file);
	ret = lock_secrets(&secrets, err);
	if (!ret)
		ret = seal_into(options, file, &secrets, &sealed, err);
	if (!ret)
		ret = print_key_id(secrets.key, err);
	wipe_secrets(&secrets);
	return ret;
}

static int unseal_file(const struct hosttpm_options *options, const char *file, uint8_t *key,
		       struct error *err)
{
	struct sealed sealed;
	ESYS_TR primary;
	struct tpm tpm;
	int ret = sealed_file_read(file, &sealed, err);

	if (!ret)
		ret = tpm_open(&tpm, options->tcti, err);
	if (ret)
		return ret;
	ret = tpm_primary(&tpm, &primary, err);
	if (!ret) {
		ret = unseal(&tpm, primary, file, &sealed, key, err);
		tpm_flush(&tpm, primary);
	}
	tpm_close(&tpm);
	return ret;
}

int command_unseal(const struct hosttpm_options *options, struct error *err)
{
	struct secrets secrets;
	int ret;

	if (isatty(STDOUT_FILENO))
		return error_set(err, EINVAL, "a key is not for a terminal; redirect the standard "
				 "output into the program that needs it");
	ret = lock_secrets(&secrets, err);
	if (!ret)
		ret = unseal_file(options, options->operands[0], secrets.key, err);
	if (!ret && write(STDOUT_FILENO, secrets.key, HOSTTPM_KEY_SIZE) != HOSTTPM_KEY_SIZE)
		ret = error_set(err, EIO, "cannot write the key to standard output: %s",
				strerror(errno));
	wipe_secrets(&secrets);
	return ret;
}
