// SPDX-License-Identifier: GPL-2.0-only
/*
 * The newest generation of each vTPM's store, in NV memory of the host's TPM.
 *
 * Each vTPM has an ordinary index of 24 bytes: its UUID, and the generation, most significant
 * byte first. The first two bytes of SHA-256(UUID), added to INDEX_BASE, are its
 * handle; where that one is somebody else's, one of the 63 behind it. The index says whose
 * it is from the moment that it is defined, before it is written: by its authPolicy, which
 * nothing is ever authorized with.
 */
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hosttpm.h"

#define INDEX_BASE	0x01a10000	/* in the owner's range, 0x01800000 to 0x01bfffff */
#define PROBES		64
#define INDEX_SIZE	(UUID_SIZE + 8)
#define INDEX_ATTRIBUTES	(TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD | \
				 TPMA_NV_OWNERWRITE | TPMA_NV_NO_DA)
#define DEFINE_ATTEMPTS	3

static const char owner_label[] = "xen-vtpm generation";

/**
 * struct place - where a vTPM's generation is, or can go
 * @free: the first handle that nobody uses; 0, there is none
 * @index: the vTPM's index, or ESYS_TR_NONE; close it
 * @written: it holds something
 */
struct place {
	TPM2_HANDLE free;
	ESYS_TR index;
	bool written;
};

static TPM2_HANDLE first_handle(const struct uuid *uuid)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256(uuid->b, UUID_SIZE, digest);
	return INDEX_BASE + (digest[0] << 8 | digest[1]);
}

static void index_public(TPM2_HANDLE handle, const struct uuid *uuid, TPM2B_NV_PUBLIC *public)
{
	uint8_t text[sizeof(owner_label) + UUID_SIZE];

	memcpy(text, owner_label, sizeof(owner_label));
	memcpy(text + sizeof(owner_label), uuid->b, UUID_SIZE);
	*public = (TPM2B_NV_PUBLIC){ .nvPublic = {
		.nvIndex = handle,
		.nameAlg = TPM2_ALG_SHA256,
		.attributes = INDEX_ATTRIBUTES,
		.authPolicy.size = SHA256_DIGEST_LENGTH,
		.dataSize = INDEX_SIZE,
	} };
	SHA256(text, sizeof(text), public->nvPublic.authPolicy.buffer);
}

static bool same_index(const TPMS_NV_PUBLIC *a, const TPMS_NV_PUBLIC *b)
{
	return a->nvIndex == b->nvIndex && a->nameAlg == b->nameAlg &&
	       !((a->attributes ^ b->attributes) & ~TPMA_NV_WRITTEN) &&
	       a->dataSize == b->dataSize && a->authPolicy.size == b->authPolicy.size &&
	       !memcmp(a->authPolicy.buffer, b->authPolicy.buffer, a->authPolicy.size);
}

/* Is the index with this handle the vTPM's? Then it is opened. */
static int look_at(struct tpm *tpm, TPM2_HANDLE handle, const struct uuid *uuid,
		   struct place *place, struct error *err)
{
	TPM2B_NV_PUBLIC ours, *public = NULL;
	ESYS_TR index = ESYS_TR_NONE;
	bool same = false;
	TSS2_RC rc;

	rc = Esys_TR_FromTPMPublic(tpm->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
				   &index);
	if (!rc)
		rc = Esys_NV_ReadPublic(tpm->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					&public, NULL);
	if (!rc) {
		index_public(handle, uuid, &ours);
		same = same_index(&ours.nvPublic, &public->nvPublic);
		place->written = public->nvPublic.attributes & TPMA_NV_WRITTEN;
	}
	Esys_Free(public);
	if (same)
		place->index = index;
	else if (index != ESYS_TR_NONE)
		Esys_TR_Close(tpm->esys, &index);
	return rc ? tpm_error(err, rc, "cannot look at an NV index of the host's TPM") : 0;
}

/* Handles come in ascending order; those behind the window are none of ours. */
static int look_through(struct tpm *tpm, const struct uuid *uuid, const TPML_HANDLE *used,
			struct place *place, struct error *err)
{
	TPM2_HANDLE first = first_handle(uuid), expected = first;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < used->count && place->index == ESYS_TR_NONE; i++) {
		if (used->handle[i] - first >= PROBES)
			break;
		if (used->handle[i] == expected)
			expected++;
		ret = look_at(tpm, used->handle[i], uuid, place, err);
	}
	place->free = expected - first < PROBES ? expected : 0;
	return ret;
}

static int search(struct tpm *tpm, const struct uuid *uuid, struct place *place,
		  struct error *err)
{
	TPMS_CAPABILITY_DATA *data;
	TPMI_YES_NO more;
	TSS2_RC rc;
	int ret;

	*place = (struct place){ .index = ESYS_TR_NONE };
	rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
				TPM2_CAP_HANDLES, first_handle(uuid), PROBES, &more, &data);
	if (rc)
		return tpm_error(err, rc, "cannot list the NV indices of the host's TPM");
	ret = look_through(tpm, uuid, &data->data.handles, place, err);
	Esys_Free(data);
	return ret;
}

static void leave(struct tpm *tpm, struct place *place)
{
	if (place->index != ESYS_TR_NONE)
		Esys_TR_Close(tpm->esys, &place->index);
}

static int read_index(struct tpm *tpm, const struct uuid *uuid, const struct place *place,
		      struct generation *generation, struct error *err)
{
	TPM2B_MAX_NV_BUFFER *data;
	bool ours;
	TSS2_RC rc;

	*generation = (struct generation){ .any = false };
	if (place->index == ESYS_TR_NONE || !place->written)
		return 0;
	rc = Esys_NV_Read(tpm->esys, place->index, place->index, ESYS_TR_PASSWORD, ESYS_TR_NONE,
			  ESYS_TR_NONE, INDEX_SIZE, 0, &data);
	if (rc)
		return tpm_error(err, rc, "cannot read a generation from the host's TPM");
	ours = data->size == INDEX_SIZE && !memcmp(data->buffer, uuid->b, UUID_SIZE);
	for (int i = UUID_SIZE; ours && i < INDEX_SIZE; i++)
		generation->value = generation->value << 8 | data->buffer[i];
	generation->any = ours;
	Esys_Free(data);
	return ours ? 0 : error_set(err, EUCLEAN, "the host's TPM has something else where this "
				    "vTPM's generation was; record it again with --force");
}

static int write_index(struct tpm *tpm, const struct uuid *uuid, const struct place *place,
		       uint64_t value, struct error *err)
{
	TPM2B_MAX_NV_BUFFER data = { .size = INDEX_SIZE };
	TSS2_RC rc;

	memcpy(data.buffer, uuid->b, UUID_SIZE);
	for (int i = INDEX_SIZE; i-- > UUID_SIZE; value >>= 8)
		data.buffer[i] = value;
	rc = Esys_NV_Write(tpm->esys, place->index, place->index, ESYS_TR_PASSWORD, ESYS_TR_NONE,
			   ESYS_TR_NONE, &data, 0);
	return rc ? tpm_error(err, rc, "cannot write a generation to the host's TPM") : 0;
}

/* -EAGAIN: somebody else has just taken the handle. */
static int define_index(struct tpm *tpm, const struct uuid *uuid, struct place *place,
			struct error *err)
{
	static const TPM2B_AUTH no_password;
	TPM2B_NV_PUBLIC public;
	TSS2_RC rc;

	if (!place->free)
		return error_set(err, ENOSPC, "the %d NV indices from 0x%08x on are all somebody "
				 "else's; remove one that nobody needs (tpm2_nvundefine)", PROBES,
				 first_handle(uuid));
	index_public(place->free, uuid, &public);
	rc = Esys_NV_DefineSpace(tpm->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				 ESYS_TR_NONE, &no_password, &public, &place->index);
	if (!rc)
		return 0;
	place->index = ESYS_TR_NONE;
	tpm_error(err, rc, "cannot define an NV index in the host's TPM");
	return tpm_code(rc) == TPM2_RC_NV_DEFINED ? -EAGAIN : -EIO;
}

static int find_or_define(struct tpm *tpm, const struct uuid *uuid, struct place *place,
			  struct error *err)
{
	int ret = -EAGAIN;

	for (int i = 0; ret == -EAGAIN && i < DEFINE_ATTEMPTS; i++) {
		ret = search(tpm, uuid, place, err);
		if (!ret && place->index == ESYS_TR_NONE)
			ret = define_index(tpm, uuid, place, err);
	}
	return ret;
}

int generation_read(struct tpm *tpm, const struct uuid *uuid, struct generation *generation,
		    struct error *err)
{
	struct place place;
	int ret = search(tpm, uuid, &place, err);

	if (!ret)
		ret = read_index(tpm, uuid, &place, generation, err);
	leave(tpm, &place);
	return ret;
}

static int is_higher(struct tpm *tpm, const struct uuid *uuid, const struct place *place,
		     uint64_t value, uint64_t *recorded, struct error *err)
{
	struct generation now;
	int ret = read_index(tpm, uuid, place, &now, err);

	if (ret || !now.any || value > now.value)
		return ret;
	*recorded = now.value;
	return error_set(err, EEXIST, "generation %llu is recorded; a lower one is only for a state "
			 "that was restored on purpose (--force)",
			 (unsigned long long)now.value);
}

int generation_record(struct tpm *tpm, const struct uuid *uuid, uint64_t value, bool force,
		      uint64_t *recorded, struct error *err)
{
	struct place place;
	int ret = find_or_define(tpm, uuid, &place, err);

	if (!ret && !force)
		ret = is_higher(tpm, uuid, &place, value, recorded, err);
	if (!ret) {
		ret = write_index(tpm, uuid, &place, value, err);
		*recorded = value;
	}
	leave(tpm, &place);
	return ret;
}

int generation_remove(struct tpm *tpm, const struct uuid *uuid, struct error *err)
{
	struct place place;
	int ret = search(tpm, uuid, &place, err);
	TSS2_RC rc;

	if (ret || place.index == ESYS_TR_NONE)
		return ret ? ret : -ENOENT;
	rc = Esys_NV_UndefineSpace(tpm->esys, ESYS_TR_RH_OWNER, place.index, ESYS_TR_PASSWORD,
				   ESYS_TR_NONE, ESYS_TR_NONE);
	if (!rc)
		return 0;	/* the library has closed it */
	leave(tpm, &place);
	return tpm_error(err, rc, "cannot remove an NV index of the host's TPM");
}

static int print_generation(const struct generation *generation, struct error *err)
{
	if (!generation->any) {
		error_set(err, ENOENT, "nothing recorded");
		return HOSTTPM_EXIT_NOTHING;
	}
	printf("%llu\n", (unsigned long long)generation->value);
	return fflush(stdout) ? error_set(err, errno, "cannot write to standard output: %s",
					  strerror(errno)) : 0;
}

static int run_read(struct tpm *tpm, const struct uuid *uuid, uint64_t value, bool force,
		    struct error *err)
{
	struct generation generation;
	int ret = generation_read(tpm, uuid, &generation, err);

	(void)value;
	(void)force;
	return ret ? ret : print_generation(&generation, err);
}

static int run_record(struct tpm *tpm, const struct uuid *uuid, uint64_t value, bool force,
		      struct error *err)
{
	uint64_t recorded;

	return generation_record(tpm, uuid, value, force, &recorded, err);
}

static int run_remove(struct tpm *tpm, const struct uuid *uuid, uint64_t value, bool force,
		      struct error *err)
{
	int ret = generation_remove(tpm, uuid, err);

	(void)value;
	(void)force;
	if (ret != -ENOENT)
		return ret;
	error_set(err, ENOENT, "nothing recorded");
	return HOSTTPM_EXIT_NOTHING;
}

static const struct action {
	const char *name;
	int (*run)(struct tpm *tpm, const struct uuid *uuid, uint64_t value, bool force,
		   struct error *err);
	bool records;
} actions[] = {
	{ "read", run_read, false },
	{ "record", run_record, true },
	{ "remove", run_remove, false },
};

static const struct action *find_action(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}

static int parse_generation(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return *text < '0' || *text > '9' || errno || *end || !*value ? -EINVAL : 0;
}

/* @value is 0 if the action has none. */
static int check_usage(const struct hosttpm_options *options, const struct action *action,
		       struct uuid *uuid, uint64_t *value, struct error *err)
{
	char **operands = options->operands;

	*value = 0;
	if (!action)
		return error_set(err, EINVAL, "generation: '%s' is none of read, record and remove",
				 operands[0]);
	if (!uuid_parse(operands[1], uuid))
		return error_set(err, EINVAL, "generation: '%s' is not a UUID", operands[1]);
	if (action->records != !!operands[2] || (options->force && !action->records))
		return error_set(err, EINVAL, "generation: a number and --force are for record; "
				 "--help shows the commands");
	if (action->records && parse_generation(operands[2], value))
		return error_set(err, EINVAL, "generation: '%s' is not a number from 1 on",
				 operands[2]);
	return 0;
}

int command_generation(const struct hosttpm_options *options, struct error *err)
{
	const struct action *action = find_action(options->operands[0]);
	struct uuid uuid;
	struct tpm tpm;
	uint64_t value;
	int ret;

	if (check_usage(options, action, &uuid, &value, err))
		return HOSTTPM_EXIT_USAGE;
	ret = tpm_open(&tpm, options->tcti, err);
	if (ret)
		return ret;
	ret = action->run(&tpm, &uuid, value, options->force, err);
	tpm_close(&tpm);
	return ret;
}
