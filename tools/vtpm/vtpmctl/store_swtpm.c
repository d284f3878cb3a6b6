// SPDX-License-Identifier: GPL-2.0-only
/* vtpmctl import, export: between a store and a state directory of swtpm. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entries.h"
#include "record.h"
#include "statedir.h"
#include "store.h"
#include "swtpm_file.h"
#include "vtpmctl.h"

/* What a page of a frontend without extensions carries. */
#define BUFFER_SIZE	4088

/*
 * What libtpms puts at the beginning, behind a version of 2 bytes. Other states are for the
 * engine to judge.
 */
static bool looks_right(const uint8_t *state, size_t size, bool tpm12)
{
	static const uint8_t tpm2[] = { 0xab, 0x36, 0x47, 0x23 }, tpm1[] = { 0x00, 0x22 };

	return tpm12 ? size > 4 && !memcmp(state + 2, tpm1, sizeof(tpm1)) :
		size > 6 && !memcmp(state + 2, tpm2, sizeof(tpm2));
}

static int import_entry(struct target *target, const char *dir, const char *name, size_t max,
			struct error *err)
{
	const uint8_t *state;
	char path[PATH_MAX];
	uint8_t *memory;
	size_t size;
	int ret;

	swtpm_file_name(dir, target->policy.tpm12, name, path);
	ret = swtpm_file_read(path, max, &state, &size, &memory, err);
	if (!ret && !strcmp(name, PERMANENT_ENTRY) &&
	    !looks_right(state, size, target->policy.tpm12))
		ret = error_set(err, EINVAL, "%s: does not hold the state of a TPM %s", path,
				target->policy.tpm12 ? "1.2" : "2.0");
	if (!ret)
		ret = vnvram_write_async(target->store, name, state, size);
	if (ret == -EFBIG)
		error_set(err, EFBIG, "%s: is larger than a store has room for", path);
	if (memory)
		explicit_bzero(memory, max);
	free(memory);
	return ret;
}

/* A volatile state is that of a suspended guest: the TPM goes on with it, and awaits it. */
static int mark_suspended(struct target *target, struct error *err)
{
	static struct record record = {
		.flags = RECORD_SUSPENDED, .buffer_size = BUFFER_SIZE, .steps = 1,
	};
	uint8_t bytes[RECORD_MAX];

	if (getrandom(record.session, sizeof(record.session), 0) != sizeof(record.session))
		return error_set(err, EIO, "no random numbers");
	return vnvram_write_async(target->store, RECORD_ENTRY, bytes,
				  record_encode(&record, bytes));
}

static int import_entries(struct target *target, const char *dir, struct error *err)
{
	int ret = import_entry(target, dir, PERMANENT_ENTRY, PERMANENT_MAX, err);

	if (!ret) {
		ret = import_entry(target, dir, VOLATILE_ENTRY, VOLATILE_MAX, err);
		ret = ret == -ENOENT ? 0 : ret ? ret : mark_suspended(target, err);
	}
	if (!ret && target->policy.tpm12) {
		ret = import_entry(target, dir, SAVESTATE_ENTRY, SAVESTATE_MAX, err);
		ret = ret == -ENOENT ? 0 : ret;
	}
	return ret ? ret : vnvram_process(target->store, err);
}

/* Says what is there instead of what the policy wants. */
static int check_dir(const struct target *target, const char *dir, struct error *err)
{
	bool tpm12 = target->policy.tpm12;
	char wanted[PATH_MAX], other[PATH_MAX];

	swtpm_file_name(dir, tpm12, PERMANENT_ENTRY, wanted);
	swtpm_file_name(dir, !tpm12, PERMANENT_ENTRY, other);
	if (swtpm_is_running(dir))
		return error_set(err, EBUSY, "%s: a swtpm uses it; end that first", dir);
	if (!access(wanted, F_OK))
		return 0;
	if (!access(other, F_OK))
		return error_set(err, ENOENT, "%s: holds a TPM %s, and a TPM %s is wanted; say "
				 "--tpm %s", dir, tpm12 ? "2.0" : "1.2", tpm12 ? "1.2" : "2.0",
				 tpm12 ? "2.0" : "1.2");
	return error_set(err, ENOENT, "%s: is not a state directory of swtpm: it has no "
			 "tpm2-00.permall and no tpm-00.permall", dir);
}

/* The store is given back before an engine tries it. */
static int fill(struct target *target, const char *dir, struct error *err)
{
	int ret;

	target->info.identity.uuid = target->uuid;
	target->info.identity.tpm = target->policy.tpm12 ? VNVRAM_TPM_12 : VNVRAM_TPM_20;
	ret = engine_version(&target->config, &target->info.writer, err);
	if (!ret)
		ret = target_lock(target, err);
	if (!ret)
		ret = target_format(target, err);
	if (!ret)
		ret = import_entries(target, dir, err);
	target_unload(target);
	return ret;
}

/* Nobody has seen it yet: what was not accepted does not stay. */
static void undo(struct target *target)
{
	struct error err;

	if (target_lock(target, &err) || target_wipe(target, &err))
		fprintf(stderr, "vtpmctl: %s\n", err.text);
	target_close(target);
	if (!*target->policy.store)
		statedir_remove(&target->config, &target->uuid, &target->policy, &err);
}

static int import_tpm(struct target *target, const char *dir, struct error *err)
{
	struct error why;
	int ret = target_create(target, err);

	if (ret)
		return ret;
	ret = fill(target, dir, err);
	if (!ret && engine_try(target, target->fd, false, &why))
		ret = error_set(err, EIO, "%s: is not accepted: %s", dir, why.text);
	if (ret) {
		undo(target);
		return ret;
	}
	return target_created(target, err);
}

static int run_import(const struct store_options *options, char **operands, struct error *err)
{
	struct target target;
	int ret = target_find(&target, options, operands[0], err);

	if (!ret)
		ret = target_tpm(&target, options, err);
	if (!ret)
		ret = check_dir(&target, operands[1], err);
	if (!ret)
		ret = import_tpm(&target, operands[1], err);
	if (!ret) {
		target_tell(&target, "imported into");
		printf("Never run swtpm on %s again: two that run one TPM have the same keys.\n",
		       operands[1]);
	}
	target_close(&target);
	return ret;
}

static const struct store_command import_command = {
	.name = "import",
	.usage =
	"Usage: vtpmctl import UUID DIR [--tpm 2.0|1.2] [--config FILE]\n"
	"Make a vTPM of the state that swtpm has in a directory. An engine has to accept it\n"
	"before it becomes the vTPM's. DIR is not changed.\n"
	"\n"
	"  -t, --tpm VERSION  kind of TPM (default: as the policy says)\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -h, --help         show this text and exit\n",
	.letters = "tc",
	.operands = 2,
	.run = run_import,
};

int command_import(const char *socket, int argc, char **argv)
{
	(void)socket;
	return store_run(&import_command, argc, argv);
}

static bool is_suspended(const struct vnvram *store)
{
	static struct record record;
	const void *bytes;
	size_t size;

	return !vnvram_read(store, RECORD_ENTRY, &bytes, &size) &&
	       !record_decode(&record, bytes, size) && record.flags & RECORD_SUSPENDED;
}

static int export_entry(const struct target *target, const char *dir, const char *name,
			struct error *err)
{
	const void *bytes;
	char path[PATH_MAX];
	size_t size;

	if (vnvram_read(target->store, name, &bytes, &size))
		return 0;
	swtpm_file_name(dir, target->info.identity.tpm == VNVRAM_TPM_12, name, path);
	return swtpm_file_write(path, bytes, size, err);
}

/* The permanent state last: without it the directory is none. */
static int export_entries(const struct target *target, const char *dir, struct error *err)
{
	bool suspended = is_suspended(target->store);
	int ret = 0;

	if (vnvram_read(target->store, PERMANENT_ENTRY, NULL, NULL))
		return error_set(err, ENODATA, "%s: holds no TPM", target->file);
	if (suspended)
		ret = export_entry(target, dir, VOLATILE_ENTRY, err);
	if (!ret && suspended)
		ret = export_entry(target, dir, SAVESTATE_ENTRY, err);
	return ret ? ret : export_entry(target, dir, PERMANENT_ENTRY, err);
}

static int make_dir(const char *dir, struct error *err)
{
	if (!mkdir(dir, 0700) || errno == EEXIST)
		return 0;
	return error_set(err, errno, "cannot create %s: %s", dir, strerror(errno));
}

static int flush_dir(const char *dir, struct error *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0 || fsync(fd))
		ret = error_set(err, errno, "%s: cannot make it durable: %s", dir,
				strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

/* With the lock: what an engine writes meanwhile would be missing there. */
static int run_export(const struct store_options *options, char **operands, struct error *err)
{
	const char *dir = operands[1];
	struct target target;
	int ret = target_find(&target, options, operands[0], err);

	if (!ret)
		ret = target_open(&target, O_RDWR, err);
	if (!ret)
		ret = target_load(&target, TARGET_CHANGE, NULL, err);
	if (!ret)
		ret = make_dir(dir, err);
	if (!ret)
		ret = export_entries(&target, dir, err);
	if (!ret)
		ret = flush_dir(dir, err);
	if (!ret)
		printf("vTPM %s: its TPM %s is in %s too. Run only one of the two: 'vtpmctl store "
		       "delete' removes the one here.\n", target.uuid_text,
		       tpm_name(target.info.identity.tpm), dir);
	target_close(&target);
	return ret;
}

static const struct store_command export_command = {
	.name = "export",
	.usage =
	"Usage: vtpmctl export UUID DIR [--config FILE]\n"
	"Write the state of a vTPM to a directory that swtpm can start from, not encrypted. The\n"
	"state of a suspended guest goes along; otherwise the TPM is off there.\n"
	"\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -h, --help         show this text and exit\n",
	.letters = "c",
	.operands = 2,
	.run = run_export,
};

int command_export(const char *socket, int argc, char **argv)
{
	(void)socket;
	return store_run(&export_command, argc, argv);
}
