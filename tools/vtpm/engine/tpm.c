// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_memory.h>

#include "tpm.h"
#include "tpm12.h"
#include "tpm_wire.h"

/* Bytes of host randomness for one stir. */
#define STIR_SIZE	48

/* See the top of tpm.h for why this is static. */
static struct {
	struct tpm_setup setup;
	bool resume;		/* offer setup.state to libtpms */
	bool changed;		/* the permanent state, since tpm_mark_saved() */
	bool commits;		/* see tpm_commits() */
	enum { AUDIT_UNKNOWN, AUDIT_NONE, AUDIT_SOME } audit;
	bool manufacture;	/* a missing permanent state means: make one */
	uint8_t locality;	/* of the command being executed */
	unsigned char *response;	/* owned by libtpms' allocator */
	uint32_t response_capacity;
	uint8_t failure[TPM_HEADER_SIZE];
} tpm;

static TPM_RESULT callback_init(void)
{
	return TPM_SUCCESS;
}

/*
 * TPM_RETRY means "there is none". For the permanent state libtpms then makes a
 * new TPM, which nobody may get by accident.
 */
static TPM_RESULT load_missing(const char *name)
{
	if (strcmp(name, PERMANENT_ENTRY) || tpm.manufacture)
		return TPM_RETRY;
	log_error(tpm.setup.log, "the permanent state is missing from the store");
	return TPM_FAIL;
}

static TPM_RESULT callback_load(unsigned char **data, uint32_t *length, uint32_t number,
				const char *name)
{
	const void *bytes;
	size_t size;

	(void)number;
	if (!strcmp(name, VOLATILE_ENTRY)) {
		/* libtpms would take up whatever is in the store, at each power-on. */
		if (!tpm.resume)
			return TPM_RETRY;
		bytes = tpm.setup.state;
		size = tpm.setup.state_size;
	} else if (vnvram_read(tpm.setup.store, name, &bytes, &size)) {
		return load_missing(name);
	}
	/* libtpms frees it with free(). Its own allocator is limited to 128 KB. */
	*data = malloc(size ? size : 1);
	if (!*data)
		return TPM_FAIL;
	if (size)
		memcpy(*data, bytes, size);
	*length = size;
	return TPM_SUCCESS;
}

/* Only keeps the bytes: the engine commits once, when the command is over. */
static TPM_RESULT callback_store(const unsigned char *data, uint32_t length, uint32_t number,
				 const char *name)
{
	int ret = vnvram_write_async(tpm.setup.store, name, data, length);

	(void)number;
	tpm.changed |= vnvram_dirty(tpm.setup.store);
	if (!ret)
		return TPM_SUCCESS;
	log_error(tpm.setup.log, "cannot keep %u bytes of %s: %s", length, name, strerror(-ret));
	return TPM_FAIL;
}

static TPM_RESULT callback_delete(uint32_t number, const char *name, TPM_BOOL must_exist)
{
	int ret = vnvram_clear_async(tpm.setup.store, name);

	(void)number;
	tpm.changed |= !ret;
	return ret && must_exist ? TPM_FAIL : TPM_SUCCESS;
}

static TPM_RESULT callback_locality(TPM_MODIFIER_INDICATOR *locality, uint32_t number)
{
	(void)number;
	*locality = tpm.locality;
	return TPM_SUCCESS;
}

/* Nobody stands at a virtual machine. TPM 1.2 has a command for it instead. */
static TPM_RESULT callback_presence(TPM_BOOL *present, uint32_t number)
{
	(void)number;
	*present = FALSE;
	return TPM_SUCCESS;
}

static int set_up_library(struct error *err)
{
	static struct libtpms_callbacks callbacks = {
		.sizeOfStruct = sizeof(callbacks),
		.tpm_nvram_init = callback_init,
		.tpm_nvram_loaddata = callback_load,
		.tpm_nvram_storedata = callback_store,
		.tpm_nvram_deletename = callback_delete,
		.tpm_io_init = callback_init,
		.tpm_io_getlocality = callback_locality,
		.tpm_io_getphysicalpresence = callback_presence,
	};
	TPMLIB_TPMVersion version = tpm.setup.version == VNVRAM_TPM_12 ?
		TPMLIB_TPM_VERSION_1_2 : TPMLIB_TPM_VERSION_2;

	if (TPMLIB_RegisterCallbacks(&callbacks) || TPMLIB_ChooseTPMVersion(version))
		return error_set(err, EIO, "libtpms does not support this kind of TPM");
	return 0;
}

static int set_buffer_size(struct error *err)
{
	uint32_t wanted = tpm.setup.buffer_size;
	uint32_t got = TPMLIB_SetBufferSize(wanted, NULL, NULL);

	if (got != wanted)
		return error_set(err, EINVAL, "libtpms cannot use a buffer of %u bytes, only of %u",
				 wanted, got);
	return 0;
}

static int power_on(struct error *err)
{
	TPM_RESULT result;
	int ret = set_buffer_size(err);

	if (ret)
		return ret;
	tpm.audit = AUDIT_UNKNOWN;
	tpm.commits = tpm.resume = tpm.setup.state;
	result = TPMLIB_MainInit();
	tpm.resume = false;
	if (!result)
		return 0;
	return error_set(err, EUCLEAN, "libtpms does not accept the TPM's %sstate (0x%x)",
			 tpm.setup.state ? "permanent or volatile " : "", result);
}

/*
 * A new TPM 1.2 needs some commands before a guest can use it, and then another
 * power-on, because the guest is the one who sends Startup.
 */
static int manufacture(struct error *err)
{
	int ret;

	tpm.manufacture = true;
	ret = power_on(err);
	tpm.manufacture = false;
	if (ret || tpm.setup.version != VNVRAM_TPM_12)
		return ret;
	ret = tpm12_prepare(err);
	TPMLIB_Terminate();
	return ret ? ret : power_on(err);
}

int tpm_start(const struct tpm_setup *setup, struct error *err)
{
	bool present = !vnvram_read(setup->store, PERMANENT_ENTRY, NULL, NULL);
	int ret;

	tpm.setup = *setup;
	if (present == setup->create)
		return error_set(err, EUCLEAN, present ? "there is a TPM in the store already" :
				 "the permanent state is missing from the store");
	ret = set_up_library(err);
	if (ret)
		return ret;
	ret = setup->create ? manufacture(err) : power_on(err);
	tpm.setup.state = NULL;
	if (!ret && vnvram_read(setup->store, PERMANENT_ENTRY, NULL, NULL))
		ret = error_set(err, EIO, "libtpms made a TPM without permanent state");
	return ret;
}

int tpm_power_cycle(uint32_t buffer_size, struct error *err)
{
	TPMLIB_Terminate();
	tpm.setup.buffer_size = buffer_size;
	return power_on(err);
}

int tpm_get_state(uint8_t **state, size_t *size)
{
	unsigned char *bytes = NULL;
	uint32_t length = 0;
	TPM_RESULT result = TPMLIB_GetState(TPMLIB_STATE_VOLATILE, &bytes, &length);

	*state = NULL;
	*size = 0;
	if (result || !bytes || length > VOLATILE_MAX) {
		log_error(tpm.setup.log, "libtpms does not give its volatile state (0x%x, %u bytes)",
			  result, length);
		tpm_free_state(bytes, length);
		return result || !bytes ? -EIO : -EFBIG;
	}
	*state = bytes;
	*size = length;
	return 0;
}

void tpm_free_state(uint8_t *state, size_t size)
{
	if (state)
		explicit_bzero(state, size);
	free(state);
}

/* TPM2_NV_ReadPublic answers with size, index, algorithm, attributes. */
bool tpm_nv_is_orderly(uint32_t index)
{
	uint8_t read_public[14] = { 0x80, 0x01, 0, 0, 0, sizeof(read_public), 0, 0, 0x01, 0x69 };
	const uint8_t *response;
	size_t size;

	put_be32(read_public + TPM_HEADER_SIZE, index);
	size = tpm_execute(0, read_public, sizeof(read_public), &response);
	if (size < TPM_HEADER_SIZE + 12 || get_be32(response + 6))
		return true;
	return get_be32(response + TPM_HEADER_SIZE + 8) & TPM2_NV_ORDERLY;
}

bool tpm_commits(void)
{
	return tpm.commits;
}

bool tpm_changed(void)
{
	return tpm.changed;
}

void tpm_mark_saved(void)
{
	tpm.changed = false;
}

void tpm_failure(uint8_t *response)
{
	bool tpm12 = tpm.setup.version == VNVRAM_TPM_12;

	put_be16(response, tpm12 ? TPM12_TAG_RESPONSE : TPM2_ST_NO_SESSIONS);
	put_be32(response + 2, TPM_HEADER_SIZE);
	put_be32(response + 6, tpm12 ? TPM_FAIL : TPM2_RC_FAILURE);
}

/* What the TPM may be in for, if this command succeeds. */
static void note_code(uint32_t code)
{
	if (code == TPM2_CC_SET_AUDIT_STATUS)
		tpm.audit = AUDIT_UNKNOWN;
	if (code == TPM2_CC_COMMIT || code == TPM2_CC_EC_EPHEMERAL)
		tpm.commits = true;
}

size_t tpm_execute(uint8_t locality, const uint8_t *command, size_t size,
		   const uint8_t **response)
{
	uint32_t length = 0;
	TPM_RESULT result;

	if (size >= TPM_HEADER_SIZE)
		note_code(get_be32(command + 6));
	tpm.locality = locality;
	result = TPMLIB_Process(&tpm.response, &length, &tpm.response_capacity,
				(unsigned char *)command, size);
	if (!result && length >= TPM_HEADER_SIZE && length <= tpm.setup.buffer_size) {
		*response = tpm.response;
		return length;
	}
	log_error(tpm.setup.log, "libtpms gave no usable response (0x%x, %u bytes)", result,
		  length);
	tpm_failure(tpm.failure);
	*response = tpm.failure;
	return sizeof(tpm.failure);
}

void tpm_cancel(void)
{
	TPMLIB_CancelCommand();
}

bool tpm_may_be_cancelled(const uint8_t *command, size_t size)
{
	if (size < TPM_HEADER_SIZE || tpm.setup.version != VNVRAM_TPM_20)
		return false;
	switch (get_be32(command + 6)) {
	case TPM2_CC_CREATE_PRIMARY:
	case TPM2_CC_CREATE:
	case TPM2_CC_CREATE_LOADED:
	case TPM2_CC_COMMIT:
	case TPM2_CC_SELF_TEST:
	case TPM2_CC_INCREMENTAL_SELF_TEST:
		return true;
	default:
		return false;
	}
}

/*
 * TPM 1.2 keeps what SaveState saved in an entry of its own. TPM 2.0 keeps it in its permanent
 * state, where Shutdown(CLEAR) invalidates it.
 */
void tpm_forget_saved_state(struct vnvram *store)
{
	vnvram_clear_async(store, SAVESTATE_ENTRY);
}

void tpm_shutdown(void)
{
	static const uint8_t shutdown_clear[] = {
		0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0x00, 0x00,
	};
	const uint8_t *response;

	if (tpm.setup.version == VNVRAM_TPM_20)
		tpm_execute(0, shutdown_clear, sizeof(shutdown_clear), &response);
}

void tpm_stir(void)
{
	uint8_t stir[12 + STIR_SIZE] = {
		0x80, 0x01, 0, 0, 0, sizeof(stir), 0, 0, 0x01, 0x46, 0, STIR_SIZE,
	};
	const uint8_t *response;

	if (tpm.setup.version != VNVRAM_TPM_20)
		return;
	if (getrandom(stir + 12, STIR_SIZE, 0) == STIR_SIZE)
		tpm_execute(0, stir, sizeof(stir), &response);
	explicit_bzero(stir, sizeof(stir));
}

int tpm_startup(void)
{
	static const uint8_t tpm2[] = { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0 };
	static const uint8_t tpm12[] = { 0x00, 0xc1, 0, 0, 0, 12, 0, 0, 0, 0x99, 0, 1 };
	const uint8_t *response;

	tpm_execute(0, tpm.setup.version == VNVRAM_TPM_20 ? tpm2 : tpm12, sizeof(tpm2), &response);
	return get_be32(response + 6) ? -EIO : 0;
}

/* Loads a state that was current a moment ago. */
static void go_back(uint8_t *state, size_t size)
{
	struct error err;

	TPMLIB_Terminate();
	tpm.setup.state = state;
	tpm.setup.state_size = size;
	if (power_on(&err))
		log_error(tpm.setup.log, "%s", err.text);
	tpm.setup.state = NULL;
}

/* Returns how many commands are audited, up to 2; 0, the TPM does not tell. */
static uint32_t count_audited(void)
{
	static const uint8_t get_audited[] = {
		0x80, 0x01, 0, 0, 0, 22, 0, 0, 0x01, 0x7a, 0, 0, 0, 4, 0, 0, 0x01, 0x1f,
		0, 0, 0, 2,
	};
	const uint8_t *response;
	size_t size = tpm_execute(0, get_audited, sizeof(get_audited), &response);

	return size >= 19 && !get_be32(response + 6) ? get_be32(response + 15) : 0;
}

/*
 * The question may be audited itself, and then changes the state that it is about. The
 * guest does not get to see that: the TPM goes back to what it was before. One command
 * is always audited, the one that sets what else is.
 */
bool tpm_audits(void)
{
	uint32_t count;
	uint8_t *state;
	size_t size;

	if (tpm.audit != AUDIT_UNKNOWN)
		return tpm.audit == AUDIT_SOME;
	if (tpm_get_state(&state, &size))
		return true;
	count = count_audited();
	if (count > 1)
		go_back(state, size);
	if (count)
		tpm.audit = count > 1 ? AUDIT_SOME : AUDIT_NONE;
	tpm_free_state(state, size);
	return tpm.audit != AUDIT_NONE;
}

void tpm_stop(void)
{
	TPMLIB_Terminate();
	TPM_Free(tpm.response);
	memset(&tpm, 0, sizeof(tpm));
}
