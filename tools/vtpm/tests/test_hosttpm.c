// SPDX-License-Identifier: GPL-2.0-only
/* vtpm-hosttpm with swtpm as the host's TPM: keys, generations, and its command line. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host_tpm.h"
#include "uuid.h"
#include "vnvram.h"

#define UUID		"2f6c4a5e-98a1-4d5b-a0b5-6e1f3c9d7e42"
#define OTHER_UUID	"2f6c4a5e-98a1-4d5b-a0b5-6e1f3c9d7e43"
#define KEY_SIZE	32
#define PCR		7
#define PROBES		64
/* What the DER of "sha256:7" takes at the end of a file. */
#define PCRS_SIZE	10
#define NV_BASE		0x01a10000

static struct host_tpm tpm;
static struct hosttpm_run run;
static char file[96];

static int set_up(void **state)
{
	(void)state;
	host_tpm_make(&tpm);
	snprintf(file, sizeof(file), "%s/key", tpm.dir);
	return host_tpm_on(&tpm) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	host_tpm_throw_away(&tpm);
	return 0;
}

static void power_cycle(void)
{
	host_tpm_off(&tpm);
	assert_true(host_tpm_on(&tpm));
}

/* Refused, with one line that says this. */
static void assert_refused(const char *text)
{
	assert_int_equal(run.status, 1);
	assert_int_equal(run.lines, 1);
	assert_non_null(strstr(run.errors, text));
	assert_int_equal(run.out_size, 0);
}

static void seal(const char *pcrs)
{
	assert_int_equal(hosttpm(&run, "--tcti", tpm.tcti, "seal", file, pcrs ? "--pcrs" : NULL,
				 pcrs, NULL), 0);
	assert_string_equal(run.errors, "");
}

static int unseal(const struct host_tpm *from, const char *name)
{
	return hosttpm(&run, "unseal", name, "--tcti", from->tcti, NULL);
}

static size_t read_file(const char *name, uint8_t *bytes, size_t room)
{
	FILE *stream = fopen(name, "r");
	size_t size;

	assert_non_null(stream);
	size = fread(bytes, 1, room, stream);
	fclose(stream);
	return size;
}

static void write_file(const char *name, const uint8_t *bytes, size_t size)
{
	FILE *stream = fopen(name, "w");

	assert_non_null(stream);
	assert_int_equal(fwrite(bytes, 1, size, stream), size);
	assert_int_equal(fclose(stream), 0);
}

static uint32_t handles(ESYS_CONTEXT *esys, TPM2_HANDLE first)
{
	TPMS_CAPABILITY_DATA *data;
	TPMI_YES_NO more;
	uint32_t count;

	assert_int_equal(Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					    TPM2_CAP_HANDLES, first, 64, &more, &data), 0);
	count = data->data.handles.count;
	Esys_Free(data);
	return count;
}

/* Without a resource manager, what is left in the TPM stays there. */
static void assert_nothing_left(void)
{
	ESYS_CONTEXT *esys = host_tpm_open(&tpm);

	assert_non_null(esys);
	assert_int_equal(handles(esys, 0x80000000), 0);
	assert_int_equal(handles(esys, 0x02000000), 0);
	host_tpm_close(esys);
}

static void extend(ESYS_TR pcr)
{
	TPML_DIGEST_VALUES values = { .count = 1, .digests[0].hashAlg = TPM2_ALG_SHA256 };
	ESYS_CONTEXT *esys = host_tpm_open(&tpm);

	assert_non_null(esys);
	assert_int_equal(Esys_PCR_Extend(esys, pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					 &values), 0);
	host_tpm_close(esys);
}

static void test_round_trip(void **state)
{
	uint8_t id[VNVRAM_KEY_ID_SIZE], first[KEY_SIZE];
	char text[2 * VNVRAM_KEY_ID_SIZE + 2], printed[sizeof(run.out)];
	struct stat st;

	(void)state;
	seal(NULL);
	memcpy(printed, run.out, sizeof(printed));
	assert_nothing_left();
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(unseal(&tpm, file), 0);
		assert_string_equal(run.errors, "");
		assert_int_equal(run.out_size, KEY_SIZE);
		assert_nothing_left();
		power_cycle();
	}
	memcpy(first, run.out, KEY_SIZE);
	assert_int_equal(vnvram_key_id(first, id), 0);
	for (int i = 0; i < VNVRAM_KEY_ID_SIZE; i++)
		sprintf(text + 2 * i, "%02x", id[i]);
	assert_string_equal(printed, strcat(text, "\n"));

	unlink(file);
	seal(NULL);
	assert_int_equal(unseal(&tpm, file), 0);
	assert_memory_not_equal(first, run.out, KEY_SIZE);
}

static void test_file_there(void **state)
{
	(void)state;
	write_file(file, (const uint8_t *)"mine", 4);
	hosttpm(&run, "--tcti", tpm.tcti, "seal", file, NULL);
	assert_refused("there already");
	assert_int_equal(read_file(file, run.out, sizeof(run.out)), 4);
	assert_memory_equal(run.out, "mine", 4);
}

static void test_no_directory(void **state)
{
	(void)state;
	hosttpm(&run, "--tcti", tpm.tcti, "seal", "/nowhere/key", NULL);
	assert_refused("/nowhere/key: cannot make it");
	unseal(&tpm, "/nowhere/key");
	assert_refused("/nowhere/key: cannot read it");
}

static void test_other_tpm(void **state)
{
	struct host_tpm other;

	(void)state;
	seal(NULL);
	host_tpm_make(&other);
	assert_true(host_tpm_on(&other));
	unseal(&other, file);
	host_tpm_throw_away(&other);
	assert_refused("another TPM's");
	assert_int_equal(unseal(&tpm, file), 0);
}

static void test_no_tpm(void **state)
{
	(void)state;
	seal(NULL);
	host_tpm_off(&tpm);
	unseal(&tpm, file);
	assert_refused("cannot open the host's TPM");
	unlink(file);
	hosttpm(&run, "--tcti", tpm.tcti, "seal", file, NULL);
	assert_refused("cannot open the host's TPM");
	assert_int_equal(access(file, F_OK), -1);
}

static void test_pcrs(void **state)
{
	(void)state;
	seal("sha256:7,0");
	assert_int_equal(unseal(&tpm, file), 0);
	extend(ESYS_TR_PCR8);
	assert_int_equal(unseal(&tpm, file), 0);
	extend(ESYS_TR_PCR7);
	unseal(&tpm, file);
	assert_refused("the host's PCRs are not what they were");
	assert_nothing_left();
	/* They are zero again. */
	power_cycle();
	assert_int_equal(unseal(&tpm, file), 0);
	assert_int_equal(run.out_size, KEY_SIZE);
}

/* Values at the time of sealing count, not those of a TPM that was just started. */
static void test_pcrs_extended(void **state)
{
	(void)state;
	extend(ESYS_TR_PCR7);
	seal("sha256:7");
	assert_int_equal(unseal(&tpm, file), 0);
	power_cycle();
	unseal(&tpm, file);
	assert_refused("the host's PCRs are not what they were");
}

static void test_bank_missing(void **state)
{
	TPML_PCR_SELECTION selection = { .count = 2, .pcrSelections = {
		{ TPM2_ALG_SHA1, 3, { 0 } },
		{ TPM2_ALG_SHA256, 3, { 0xff, 0xff, 0xff } },
	} };
	ESYS_CONTEXT *esys = host_tpm_open(&tpm);
	uint32_t most, needed, there;
	TPMI_YES_NO done = 0;

	(void)state;
	assert_non_null(esys);
	assert_int_equal(Esys_PCR_Allocate(esys, ESYS_TR_RH_PLATFORM, ESYS_TR_PASSWORD,
					   ESYS_TR_NONE, ESYS_TR_NONE, &selection, &done, &most,
					   &needed, &there), 0);
	assert_int_equal(done, 1);
	host_tpm_close(esys);
	power_cycle();
	hosttpm(&run, "--tcti", tpm.tcti, "seal", file, "--pcrs", "sha1:7", NULL);
	assert_refused("does not have these PCRs");
	assert_int_equal(access(file, F_OK), -1);
	assert_nothing_left();
	seal("sha256:7");
}

static void assert_useless(const uint8_t *bytes, size_t size)
{
	char name[128];

	snprintf(name, sizeof(name), "%s.bad", file);
	write_file(name, bytes, size);
	unseal(&tpm, name);
	assert_refused(name);
}

static void test_tampered(void **state)
{
	uint8_t bytes[512];
	size_t size;

	(void)state;
	seal("sha256:7");
	size = read_file(file, bytes, sizeof(bytes));
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 1;
		assert_useless(bytes, size);
		bytes[i] ^= 1;
	}
	assert_nothing_left();
	assert_int_equal(unseal(&tpm, file), 0);
}

static void test_truncated(void **state)
{
	uint8_t bytes[512] = { 0 };
	size_t size;

	(void)state;
	seal(NULL);
	size = read_file(file, bytes, sizeof(bytes));
	assert_useless(bytes, size + 1);
	for (size_t i = 0; i < size; i++)
		assert_useless(bytes, i);
	assert_useless(bytes, 0);
}

/* The file does not ask for the policy any more; the object does. */
static void test_policy_dropped(void **state)
{
	uint8_t bytes[512];
	size_t size, inside;

	(void)state;
	seal("sha256:7");
	size = read_file(file, bytes, sizeof(bytes));
	assert_int_equal(bytes[1], 0x82);
	inside = size - PCRS_SIZE - 4;
	bytes[2] = inside >> 8;
	bytes[3] = inside;
	assert_int_equal(bytes[size - PCRS_SIZE], 0x30);
	assert_useless(bytes, size - PCRS_SIZE);
	assert_non_null(strstr(run.errors, "does not unseal it"));
	assert_null(strstr(run.errors, "damaged"));
}

/* Does the traffic have the sealed part of the file in it, and so all of it, and no key? */
static void assert_secret(const char *traffic, const uint8_t *key)
{
	uint8_t bytes[16384], sealed[512];
	size_t size = read_file(traffic, bytes, sizeof(bytes));
	size_t sealed_size = read_file(file, sealed, sizeof(sealed));

	assert_in_range(size, 1000, sizeof(bytes) - 1);
	assert_non_null(memmem(bytes, size, sealed + sealed_size - 64, 64));
	for (int i = 0; i + 8 <= KEY_SIZE; i++)
		assert_null(memmem(bytes, size, key + i, 8));
	unlink(traffic);
}

static void test_bus(void **state)
{
	char traffic[96], tcti[128], second[96];
	uint8_t key[KEY_SIZE];

	(void)state;
	snprintf(traffic, sizeof(traffic), "%s/traffic", tpm.dir);
	snprintf(second, sizeof(second), "%s/second", tpm.dir);
	snprintf(tcti, sizeof(tcti), "pcap:%s", tpm.tcti);
	setenv("TCTI_PCAP_FILE", traffic, 1);
	assert_int_equal(hosttpm(&run, "--tcti", tcti, "seal", file, NULL), 0);
	setenv("TCTI_PCAP_FILE", second, 1);
	assert_int_equal(hosttpm(&run, "--tcti", tcti, "unseal", file, NULL), 0);
	unsetenv("TCTI_PCAP_FILE");
	assert_int_equal(run.out_size, KEY_SIZE);
	memcpy(key, run.out, KEY_SIZE);
	assert_secret(traffic, key);
	assert_secret(second, key);
}

static void test_terminal(void **state)
{
	char *argv[] = { "vtpm-hosttpm", "--tcti", tpm.tcti, "unseal", file, NULL };
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), null, user;
	char byte;

	(void)state;
	seal(NULL);
	assert_true(terminal >= 0 && !grantpt(terminal) && !unlockpt(terminal));
	user = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(process_end(hosttpm_start(argv, -1, user, null)), 1);
	fcntl(terminal, F_SETFL, O_NONBLOCK);
	assert_int_equal(read(terminal, &byte, 1), -1);
	close(null);
	close(user);
	close(terminal);
}

static const char *const wrong[][5] = {
	{ NULL }, { "keep" }, { "--what" }, { "seal" }, { "seal", "/tmp/a", "/tmp/b" },
	{ "unseal" }, { "seal", "/tmp/a", "--force" }, { "unseal", "/tmp/a", "--pcrs", "sha256:7" },
	{ "seal", "/tmp/a", "--fd", "3" },
	{ "generation", "read" }, { "generation", "look", UUID }, { "generation", "read", "2f6c" },
	{ "generation", "read", UUID, "1" }, { "generation", "read", UUID, "--force" },
	{ "generation", "remove", UUID, "1" }, { "generation", "record", UUID },
	{ "generation", "record", UUID, "0" }, { "generation", "record", UUID, "-1" },
	{ "generation", "record", UUID, "" }, { "generation", "record", UUID, "1x" },
	{ "generation", "record", UUID, "18446744073709551616" },
	{ "recorder", UUID }, { "recorder", "--fd", "3" }, { "recorder", "--fd", "x", UUID },
	{ "recorder", "--fd", "3", "2f6c" },
	{ "seal", "/tmp/a", "--pcrs", "" }, { "seal", "/tmp/a", "--pcrs", "7" },
	{ "seal", "/tmp/a", "--pcrs", "md5:7" }, { "seal", "/tmp/a", "--pcrs", "sha256:" },
	{ "seal", "/tmp/a", "--pcrs", "sha256:24" }, { "seal", "/tmp/a", "--pcrs", "sha256:-1" },
	{ "seal", "/tmp/a", "--pcrs", "sha256:7," }, { "seal", "/tmp/a", "--pcrs", "sha256:7+8" },
	{ "seal", "/tmp/a", "--pcrs", "sha2:7" }, { "seal", "/tmp/a", "--pcrs", "sha256:,7" },
};

static void test_usage(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		hosttpm(&run, "--tcti", tpm.tcti, wrong[i][0], wrong[i][1], wrong[i][2],
			wrong[i][3], wrong[i][4], NULL);
		if (run.status != 2 || run.lines != 1 || run.out_size)
			fail_msg("wrong usage %zu: status %d, '%s'", i, run.status, run.errors);
	}
	assert_int_equal(hosttpm(&run, "--help", NULL), 0);
	assert_non_null(strstr((char *)run.out, "Usage: vtpm-hosttpm"));
	assert_int_equal(hosttpm(&run, "--version", NULL), 0);
	assert_non_null(strstr((char *)run.out, "vtpm-hosttpm 0."));
}

static int generation(const char *action, const char *uuid, const char *value, const char *force)
{
	if (!value)
		return hosttpm(&run, "--tcti", tpm.tcti, "generation", action, uuid, NULL);
	return hosttpm(&run, "--tcti", tpm.tcti, "generation", action, uuid, value, force, NULL);
}

static void assert_recorded(const char *uuid, const char *value)
{
	assert_int_equal(generation("read", uuid, NULL, NULL), 0);
	assert_int_equal(run.out_size, strlen(value) + 1);
	assert_memory_equal(run.out, value, strlen(value));
	assert_string_equal(run.errors, "");
}

static void assert_nothing_recorded(const char *action, const char *uuid)
{
	assert_int_equal(generation(action, uuid, NULL, NULL), 3);
	assert_non_null(strstr(run.errors, "nothing recorded"));
	assert_int_equal(run.lines, 1);
	assert_int_equal(run.out_size, 0);
}

static void record(const char *uuid, const char *value)
{
	assert_int_equal(generation("record", uuid, value, NULL), 0);
	assert_string_equal(run.errors, "");
}

static void test_generation(void **state)
{
	(void)state;
	assert_nothing_recorded("read", UUID);
	record(UUID, "5");
	assert_recorded(UUID, "5");
	assert_nothing_recorded("read", OTHER_UUID);
	generation("record", UUID, "5", NULL);
	assert_refused("generation 5 is recorded");
	generation("record", UUID, "4", NULL);
	assert_refused("generation 5 is recorded");
	assert_recorded(UUID, "5");
	record(UUID, "256");
	power_cycle();
	assert_recorded(UUID, "256");
	assert_int_equal(generation("record", UUID, "3", "--force"), 0);
	assert_recorded(UUID, "3");
	record(OTHER_UUID, "18446744073709551615");
	assert_recorded(OTHER_UUID, "18446744073709551615");
	assert_int_equal(generation("remove", UUID, NULL, NULL), 0);
	assert_nothing_recorded("read", UUID);
	assert_nothing_recorded("remove", UUID);
	assert_recorded(OTHER_UUID, "18446744073709551615");
	assert_nothing_left();
}

static TPM2_HANDLE first_handle(void)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	struct uuid uuid;

	assert_true(uuid_parse(UUID, &uuid));
	SHA256(uuid.b, UUID_SIZE, digest);
	return NV_BASE + 256 * digest[0] + digest[1];
}

static const TPM2B_NV_PUBLIC somebody_elses = { .nvPublic = {
	.nameAlg = TPM2_ALG_SHA256,
	.attributes = TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD |
		      TPMA_NV_OWNERWRITE | TPMA_NV_NO_DA,
	.dataSize = 24,
} };

static void define(ESYS_CONTEXT *esys, TPM2_HANDLE handle, const TPM2B_NV_PUBLIC *like)
{
	TPM2B_NV_PUBLIC public = *like;
	TPM2B_AUTH auth = { 0 };
	ESYS_TR index;

	public.nvPublic.nvIndex = handle;
	public.nvPublic.attributes &= ~TPMA_NV_WRITTEN;
	assert_int_equal(Esys_NV_DefineSpace(esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					     ESYS_TR_NONE, &auth, &public, &index), 0);
	assert_int_equal(Esys_TR_Close(esys, &index), 0);
}

static ESYS_TR find(ESYS_CONTEXT *esys, TPM2_HANDLE handle)
{
	ESYS_TR index;

	assert_int_equal(Esys_TR_FromTPMPublic(esys, handle, ESYS_TR_NONE, ESYS_TR_NONE,
					       ESYS_TR_NONE, &index), 0);
	return index;
}

static void undefine(ESYS_CONTEXT *esys, TPM2_HANDLE handle)
{
	assert_int_equal(Esys_NV_UndefineSpace(esys, ESYS_TR_RH_OWNER, find(esys, handle),
					       ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE), 0);
}

static void write_index(ESYS_CONTEXT *esys, TPM2_HANDLE handle, uint8_t first_byte)
{
	TPM2B_MAX_NV_BUFFER data = { .size = 24, .buffer = { first_byte } };
	ESYS_TR index = find(esys, handle);

	assert_int_equal(Esys_NV_Write(esys, index, index, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				       ESYS_TR_NONE, &data, 0), 0);
	assert_int_equal(Esys_TR_Close(esys, &index), 0);
}

static void read_index(ESYS_CONTEXT *esys, TPM2_HANDLE handle, uint8_t *bytes)
{
	ESYS_TR index = find(esys, handle);
	TPM2B_MAX_NV_BUFFER *data;

	assert_int_equal(Esys_NV_Read(esys, index, index, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				      ESYS_TR_NONE, 24, 0, &data), 0);
	memcpy(bytes, data->buffer, 24);
	Esys_Free(data);
	assert_int_equal(Esys_TR_Close(esys, &index), 0);
}

static void test_foreign_index(void **state)
{
	ESYS_CONTEXT *esys = host_tpm_open(&tpm);
	TPM2_HANDLE handle = first_handle();
	uint8_t bytes[24], ours[24] = { [22] = 1, [23] = 2 };
	struct uuid uuid;

	(void)state;
	assert_non_null(esys);
	assert_true(uuid_parse(UUID, &uuid));
	memcpy(ours, uuid.b, UUID_SIZE);
	/* One that was written, and one that was not. */
	define(esys, handle, &somebody_elses);
	write_index(esys, handle, 99);
	define(esys, handle + 1, &somebody_elses);
	assert_nothing_recorded("read", UUID);
	record(UUID, "258");
	assert_recorded(UUID, "258");
	read_index(esys, handle + 2, bytes);
	assert_memory_equal(bytes, ours, sizeof(ours));
	read_index(esys, handle, bytes);
	assert_int_equal(bytes[0], 99);

	/* Still there when the handles before it are free. */
	undefine(esys, handle + 1);
	undefine(esys, handle);
	assert_recorded(UUID, "258");
	record(UUID, "259");
	assert_int_equal(handles(esys, handle), 1);
	define(esys, handle, &somebody_elses);
	assert_int_equal(generation("remove", UUID, NULL, NULL), 0);
	assert_int_equal(handles(esys, handle), 1);
	assert_nothing_recorded("read", UUID);

	/* The first handle that is free is taken. */
	define(esys, handle + 2, &somebody_elses);
	record(UUID, "258");
	read_index(esys, handle + 1, bytes);
	assert_memory_equal(bytes, ours, sizeof(ours));
	assert_recorded(UUID, "258");
	host_tpm_close(esys);
}

static void test_no_handle_free(void **state)
{
	ESYS_CONTEXT *esys = host_tpm_open(&tpm);
	TPM2_HANDLE handle = first_handle();

	(void)state;
	assert_non_null(esys);
	for (int i = 0; i < PROBES - 1; i++)
		define(esys, handle + i, &somebody_elses);
	/* The last one is used, too. */
	record(UUID, "1");
	assert_recorded(UUID, "1");
	undefine(esys, handle + PROBES - 1);
	define(esys, handle + PROBES - 1, &somebody_elses);
	assert_nothing_recorded("read", UUID);
	generation("record", UUID, "1", NULL);
	assert_refused("are all somebody else's");
	host_tpm_close(esys);
}

/* The power was cut before the new index was written. */
static void test_index_unwritten(void **state)
{
	ESYS_CONTEXT *esys = host_tpm_open(&tpm);
	TPM2_HANDLE handle = first_handle();
	TPM2B_NV_PUBLIC *public;
	ESYS_TR index;

	(void)state;
	assert_non_null(esys);
	record(UUID, "8");
	index = find(esys, handle);
	assert_int_equal(Esys_NV_ReadPublic(esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					    &public, NULL), 0);
	assert_int_equal(Esys_TR_Close(esys, &index), 0);
	undefine(esys, handle);
	define(esys, handle, public);
	Esys_Free(public);
	assert_nothing_recorded("read", UUID);
	record(UUID, "2");
	assert_recorded(UUID, "2");
	assert_int_equal(handles(esys, handle), 1);

	/* Ours, and yet something else in it. */
	write_index(esys, handle, 99);
	generation("read", UUID, NULL, NULL);
	assert_refused("has something else");
	generation("record", UUID, "3", NULL);
	assert_refused("has something else");
	assert_int_equal(generation("record", UUID, "3", "--force"), 0);
	assert_recorded(UUID, "3");
	host_tpm_close(esys);
}

static void test_owner_password(void **state)
{
	TPM2B_AUTH auth = { .size = 1, .buffer = { 'x' } };
	ESYS_CONTEXT *esys = host_tpm_open(&tpm);

	(void)state;
	assert_non_null(esys);
	assert_int_equal(Esys_HierarchyChangeAuth(esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
						  ESYS_TR_NONE, ESYS_TR_NONE, &auth), 0);
	host_tpm_close(esys);
	hosttpm(&run, "--tcti", tpm.tcti, "seal", file, NULL);
	assert_refused("must have an empty password");
	generation("record", UUID, "1", NULL);
	assert_refused("must have an empty password");
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(round_trip),
		TEST(file_there),
		TEST(no_directory),
		TEST(other_tpm),
		TEST(no_tpm),
		TEST(pcrs),
		TEST(pcrs_extended),
		TEST(bank_missing),
		TEST(tampered),
		TEST(truncated),
		TEST(policy_dropped),
		TEST(bus),
		TEST(terminal),
		TEST(usage),
		TEST(generation),
		TEST(foreign_index),
		TEST(no_handle_free),
		TEST(index_unwritten),
		TEST(owner_password),
	};

	setenv("TSS2_LOG", "all+none", 1);
	return cmocka_run_group_tests_name("host TPM", tests, NULL, NULL);
}
