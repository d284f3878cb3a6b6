// SPDX-License-Identifier: GPL-2.0-only
/* vtpmctl store info, size, dump: they change nothing and take nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "entries.h"
#include "store.h"
#include "vtpmctl.h"

static const char *hex(const uint8_t *bytes, size_t size, char *text)
{
	for (size_t i = 0; i < size; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	return text;
}

/* The first version of the format does not tell. */
static const char *version_text(uint32_t version, char *text, size_t size)
{
	if (!version)
		return "unknown";
	snprintf(text, size, "libtpms %u.%u.%u", version >> 16, version >> 8 & 255, version & 255);
	return text;
}

static json_t *owner_json(const struct vnvram_owner *owner)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:b}", "host", owner->host, "pid",
			 (json_int_t)owner->pid, "since", (json_int_t)owner->since, "generation",
			 (json_int_t)owner->generation, "held", owner->held);
}

static json_t *info_json(const struct target *target, int locked)
{
	const struct vnvram_info *info = &target->info;
	char uuid[UUID_TEXT_SIZE], key[2 * VNVRAM_KEY_ID_SIZE + 1], writer[24];
	json_t *json, *slots = json_array();

	for (int i = 0; i < 2; i++)
		json_array_append_new(slots, json_pack("{s:b, s:I}", "whole", info->whole[i],
				      "generation", (json_int_t)info->slots[i]));
	json = json_pack("{s:s, s:I, s:s, s:s, s:I, s:I, s:o, s:b, s:s, s:b}",
			 "file", target->file, "version", (json_int_t)info->version,
			 "uuid", uuid_format(&info->identity.uuid, uuid),
			 "tpm", tpm_name(info->identity.tpm),
			 "slot-size", (json_int_t)info->slot_size,
			 "generation", (json_int_t)info->generation, "slots", slots,
			 "encrypted", info->encrypted,
			 "writer", version_text(info->writer, writer, sizeof(writer)),
			 "locked", locked > 0);
	if (info->encrypted)
		json_object_set_new(json, "key-id",
				    json_string(hex(info->key_id, VNVRAM_KEY_ID_SIZE, key)));
	if (*info->owner.host)
		json_object_set_new(json, "owner", owner_json(&info->owner));
	return json;
}

static void print_owner(const struct vnvram_owner *owner)
{
	time_t since = owner->since;
	struct tm tm = { 0 };
	char when[40];

	if (!*owner->host)
		return;
	gmtime_r(&since, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	printf("%-14s%s host %s, process %llu, %s, at generation %llu\n", "Owner",
	       owner->held ? "held by" : "given back by", owner->host,
	       (unsigned long long)owner->pid, when, (unsigned long long)owner->generation);
}

static void print_info(const struct target *target, int locked)
{
	char uuid[UUID_TEXT_SIZE], key[2 * VNVRAM_KEY_ID_SIZE + 1], writer[24];
	const struct vnvram_info *info = &target->info;

	printf("%-14s%s\n", "Store", target->file);
	printf("%-14s%u\n", "Format", info->version);
	printf("%-14s%s\n", "UUID", uuid_format(&info->identity.uuid, uuid));
	printf("%-14s%s\n", "TPM", tpm_name(info->identity.tpm));
	printf("%-14s%llu bytes\n", "Slot size", (unsigned long long)info->slot_size);
	for (int i = 0; i < 2; i++)
		if (info->whole[i])
			printf("Copy %d        generation %llu\n", i,
			       (unsigned long long)info->slots[i]);
		else
			printf("Copy %d        not whole, or never written\n", i);
	printf("%-14s%s\n", "Encrypted", info->encrypted ? "yes" : "no");
	if (info->encrypted)
		printf("%-14s%s\n", "Key id", hex(info->key_id, VNVRAM_KEY_ID_SIZE, key));
	printf("%-14s%s\n", "Written by", version_text(info->writer, writer, sizeof(writer)));
	print_owner(&info->owner);
	printf("%-14s%s\n", "In use", locked > 0 ? "yes" : "no");
}

static int run_info(const struct store_options *options, char **operands, struct error *err)
{
	struct target target;
	int locked, ret = target_find(&target, options, *operands, err);

	if (!ret)
		ret = target_open(&target, O_RDONLY, err);
	if (!ret) {
		locked = vnvram_locked(target.fd);
		if (options->json) {
			json_t *json = info_json(&target, locked);

			ret = print_json(json) ? STORE_FAILED : 0;
			json_decref(json);
		} else {
			print_info(&target, locked);
		}
	}
	target_close(&target);
	return ret;
}

const struct store_command info_command = {
	.name = "info",
	.usage =
	"Usage: vtpmctl store info UUID|--file PATH [--config FILE] [--json]\n"
	"Show what can be seen of a store without its key, also while an engine uses it.\n"
	"\n"
	"  -f, --file PATH    a store that no vTPM here has, a copy for example\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -j, --json         write JSON\n"
	"  -h, --help         show this text and exit\n",
	.letters = "fcj",
	.operands = 1,
	.run = run_info,
};

static int run_size(const struct store_options *options, char **operands, struct error *err)
{
	struct target target = { .fd = -1 };
	struct vnvram_identity identity = { .tpm = VNVRAM_TPM_20 };
	int ret = config_read(&target.config, options->config, err);
	unsigned long long size;
	struct vnvram *store;

	(void)operands;
	target.policy = target.config.policy;
	if (!ret)
		ret = target_tpm(&target, options, err);
	if (ret)
		return ret;
	if (target.policy.tpm12)
		identity.tpm = VNVRAM_TPM_12;
	store = vnvram_new(&identity, &vnvram_system_io);
	if (!store || entries_register(store))
		return error_set(err, ENOMEM, "out of memory");
	size = vnvram_needed_size(store);
	vnvram_free(store);
	if (options->json)
		printf("{\"size\": %llu}\n", size);
	else
		printf("%llu\n", size);
	return 0;
}

const struct store_command size_command = {
	.name = "size",
	.usage =
	"Usage: vtpmctl store size [--tpm 2.0|1.2] [--config FILE] [--json]\n"
	"Show how many bytes a store needs, for making a volume.\n"
	"\n"
	"  -t, --tpm VERSION  kind of TPM (default: as [policy] says)\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -j, --json         write JSON\n"
	"  -h, --help         show this text and exit\n",
	.letters = "tcj",
	.operands = 0,
	.run = run_size,
};

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0)
			return -errno;
		bytes += n;
		size -= n;
	}
	return 0;
}

static int open_output(const char *file, struct error *err)
{
	int fd;

	if (!file && isatty(STDOUT_FILENO))
		return error_set(err, EPERM, "what a TPM keeps secret is not written to a terminal: "
				 "name a file with --output");
	if (!file)
		return dup(STDOUT_FILENO);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, errno, "cannot create %s: %s", file, strerror(errno));
	return fd;
}

static int dump_entry(const struct target *target, const struct store_options *options,
		      struct error *err)
{
	const void *bytes;
	size_t size;
	int fd, ret;

	if (vnvram_read(target->store, options->entry, &bytes, &size))
		return error_set(err, ENOENT, "%s: has no entry '%s'; 'vtpmctl store dump' without "
				 "--entry lists them", target->file, options->entry);
	fd = open_output(options->output, err);
	if (fd < 0)
		return fd;
	ret = write_all(fd, bytes, size);
	if (close(fd) && !ret)
		ret = -errno;
	return ret ? error_set(err, -ret, "cannot write entry '%s': %s", options->entry,
			       strerror(-ret)) : 0;
}

static int list_entries(const struct target *target, bool as_json)
{
	json_t *json = json_array();
	size_t size;
	int ret = 0;

	for (const char *const *name = entry_names; *name; name++) {
		if (vnvram_read(target->store, *name, NULL, &size))
			continue;
		if (!as_json)
			printf("%-24s%8zu\n", *name, size);
		json_array_append_new(json, json_pack("{s:s, s:I}", "name", *name, "size",
						      (json_int_t)size));
	}
	if (as_json) {
		json_t *object = json_pack("{s:O, s:I}", "entries", json, "generation",
					   (json_int_t)vnvram_generation(target->store));

		ret = print_json(object) ? STORE_FAILED : 0;
		json_decref(object);
	}
	json_decref(json);
	return ret;
}

static int run_dump(const struct store_options *options, char **operands, struct error *err)
{
	struct target target;
	int ret = target_find(&target, options, *operands, err);

	if (!ret && options->output && !options->entry)
		ret = error_set(err, EINVAL, "--output is for one entry: name it with --entry");
	if (!ret)
		ret = target_open(&target, O_RDONLY, err);
	if (!ret)
		ret = target_load(&target, TARGET_LOOK, NULL, err);
	if (!ret)
		ret = options->entry ? dump_entry(&target, options, err) :
			list_entries(&target, options->json);
	target_close(&target);
	return ret;
}

const struct store_command dump_command = {
	.name = "dump",
	.usage =
	"Usage: vtpmctl store dump UUID|--file PATH [--entry NAME [--output FILE]] [OPTION...]\n"
	"List the entries of a store with their sizes, or write the bytes of one. They are the\n"
	"TPM's secrets.\n"
	"\n"
	"  -e, --entry NAME   write this one\n"
	"  -o, --output FILE  to a new file (default: to stdout, unless that is a terminal)\n"
	"  -f, --file PATH    a store that no vTPM here has, a copy for example\n"
	"  -k, --key KEY      its key: none, file:/PATH or tpm:/PATH\n"
	"                     (default: that of the vTPM, with --file none)\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -j, --json         list in JSON\n"
	"  -h, --help         show this text and exit\n",
	.letters = "eofkcj",
	.operands = 1,
	.run = run_dump,
};
