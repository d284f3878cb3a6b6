// SPDX-License-Identifier: GPL-2.0-only
/* vtpmctl store snapshot, restore. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "statedir.h"
#include "store.h"
#include "vtpmctl.h"

#define TRIES_FOR_MOMENT	20
#define TRIES			40
#define CHUNK_SIZE		65536

/* The file itself, and its name. */
static int make_durable(int fd, const char *file, struct error *err)
{
	const char *slash = strrchr(file, '/');
	char dir[PATH_MAX] = ".";
	int dir_fd, ret = 0;

	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", slash > file ? (int)(slash - file) : 1, file);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 || fsync(fd) || fsync(dir_fd))
		ret = error_set(err, errno, "%s: cannot make it durable: %s", file,
				strerror(errno));
	if (dir_fd >= 0)
		close(dir_fd);
	return ret;
}

static int copy_bytes(int from, int to, uint64_t size)
{
	static uint8_t chunk[CHUNK_SIZE];
	uint64_t at = 0;
	ssize_t n = 1;

	while (n > 0 && at < size) {
		n = pread(from, chunk, size - at < CHUNK_SIZE ? size - at : CHUNK_SIZE, at);
		if (n > 0)
			n = pwrite(to, chunk, n, at);
		at += n > 0 ? n : 0;
	}
	explicit_bzero(chunk, sizeof(chunk));
	return n > 0 ? 0 : n ? -errno : -ENODATA;
}

/* Returns 1 if the copy is one of a moment, 0 if a commit came in between. */
static int try_copy(struct target *target, int fd, const char *file, struct error *err)
{
	uint64_t size = VNVRAM_HEADER_SIZE + 2 * target->info.slot_size;
	struct vnvram_info after;
	int ret = copy_bytes(target->fd, fd, size);

	if (ret)
		return error_set(err, -ret, "cannot copy %s to %s: %s", target->file, file,
				 strerror(-ret));
	ret = vnvram_inspect(target->fd, target->file, &vnvram_system_io, &after, err);
	return ret ? ret : after.generation == target->info.generation;
}

/*
 * Nothing but loading it tells that it can be loaded. Returns 0, or 1 if but one of its two slots
 * is whole; -EUCLEAN also if the one that is whole was outdated when the copy was begun.
 */
static int verify(struct target *target, int fd, const char *file, struct error *err)
{
	struct target copy = *target;
	int ret;

	copy.fd = fd;
	copy.store = NULL;
	snprintf(copy.file, sizeof(copy.file), "%s", file);
	ret = vnvram_inspect(fd, file, &vnvram_system_io, &copy.info, err);
	if (!ret)
		ret = target_load(&copy, TARGET_LOOK, NULL, err);
	if (!ret && vnvram_generation(copy.store) < target->info.generation)
		ret = -EUCLEAN;
	if (!ret) {
		target->info.generation = vnvram_generation(copy.store);
		ret = *vnvram_warning(copy.store) ? 1 : 0;
	}
	target_unload(&copy);
	return ret;
}

static int no_copy(struct target *target, struct error *err)
{
	int ret = target_load(target, TARGET_LOOK, NULL, err);

	return ret ? ret : error_set(err, EAGAIN, "%s: is written to all the time; pause the "
				     "guest for the snapshot", target->file);
}

/*
 * A copy of a moment is best, and whole. A guest that does not stop writing leaves no moment; then
 * any copy will do that can be loaded. One slot that copying again does not mend is the store's
 * own damage, and stays as it is.
 */
static int take_copy(struct target *target, int fd, const char *file, struct error *err)
{
	int ret;

	for (int i = 1; i <= TRIES; i++) {
		ret = vnvram_inspect(target->fd, target->file, &vnvram_system_io, &target->info,
				     err);
		if (!ret)
			ret = try_copy(target, fd, file, err);
		if (ret < 0)
			return ret;
		if (!ret && i <= TRIES_FOR_MOMENT)
			continue;
		ret = verify(target, fd, file, err);
		if (!ret || (ret > 0 && i == TRIES))
			return make_durable(fd, file, err);
		if (ret < 0 && ret != -EUCLEAN)
			return ret;
	}
	return no_copy(target, err);
}

static int snapshot(struct target *target, const char *file, struct error *err)
{
	int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int ret;

	if (fd < 0)
		return error_set(err, errno, "cannot create %s: %s", file, strerror(errno));
	ret = take_copy(target, fd, file, err);
	close(fd);
	if (ret)
		unlink(file);
	return ret;
}

static int run_snapshot(const struct store_options *options, char **operands, struct error *err)
{
	struct target target;
	int ret = target_find(&target, options, operands[0], err);

	if (!ret)
		ret = target_open(&target, O_RDONLY, err);
	if (!ret)
		ret = snapshot(&target, operands[1], err);
	if (!ret)
		printf("vTPM %s: generation %llu was copied to %s\n", target.uuid_text,
		       (unsigned long long)target.info.generation, operands[1]);
	target_close(&target);
	return ret;
}

const struct store_command snapshot_command = {
	.name = "snapshot",
	.usage =
	"Usage: vtpmctl store snapshot UUID FILE [--config FILE]\n"
	"Copy a store to a new file, also while an engine uses it, and see that the copy can be\n"
	"loaded. It is as secret as the store, and encrypted with the same key.\n"
	"\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -h, --help         show this text and exit\n",
	.letters = "c",
	.operands = 2,
	.run = run_snapshot,
};

static int load_copy(struct target *copy, const struct target *target,
		     const struct store_options *options, const char *file, struct error *err)
{
	enum vnvram_tpm wanted = target->policy.tpm12 ? VNVRAM_TPM_12 : VNVRAM_TPM_20;
	struct store_options loose = { .config = options->config, .file = file,
				       .key = options->key };
	int ret = target_find(copy, &loose, NULL, err);

	if (!ret)
		ret = target_open(copy, O_RDONLY, err);
	if (ret)
		return ret;
	if (!uuid_equal(&copy->uuid, &target->uuid))
		return error_set(err, EXDEV, "%s: is a copy of another vTPM, %s", file,
				 copy->uuid_text);
	if (copy->info.identity.tpm != wanted)
		return error_set(err, EXDEV, "%s: holds a TPM %s, and the policy says tpm-version = "
				 "%s; change that first, if the copy is the right one", file,
				 tpm_name(copy->info.identity.tpm), tpm_name(wanted));
	return target_load(copy, TARGET_LOOK, options->key ? NULL : &target->policy, err);
}

/* All that the copy holds, and nothing else. */
static int put_entries(struct target *target, const struct target *copy, struct error *err)
{
	const void *bytes;
	size_t size;
	int ret = 0;

	vnvram_skip(target->store, vnvram_generation(copy->store));
	for (const char *const *name = entry_names; *name && !ret; name++) {
		if (!vnvram_read(copy->store, *name, &bytes, &size))
			ret = vnvram_write_async(target->store, *name, bytes, size);
		else
			vnvram_clear_async(target->store, *name);
	}
	if (ret)
		return error_set(err, -ret, "%s: cannot take the copy's entries: %s", target->file,
				 strerror(-ret));
	return vnvram_process(target->store, err);
}

static int refuse_older(const struct target *target, const struct target *copy, struct error *err)
{
	unsigned long long ours = vnvram_generation(target->store);
	unsigned long long theirs = vnvram_generation(copy->store);

	return error_set(err, EPERM, "%s: is at generation %llu, the store at %llu. All that the "
			 "guest has done with its TPM in the %llu commits since is lost: keys, "
			 "counters, changed passwords. Nothing was done; --yes does it", copy->file,
			 theirs, ours, ours - theirs);
}

/* What opening or starting a store says where it cannot be read any more. */
static bool is_lost(int ret)
{
	return ret == -ENOENT || ret == -ENODATA || ret == -EINVAL || ret == -EUCLEAN;
}

/* The owner record of a lost store may be the last that knows how far it had come. */
static uint64_t last_generation(const struct target *target)
{
	const struct vnvram_info *info = &target->info;

	return info->owner.generation > info->generation ? info->owner.generation :
		info->generation;
}

static int replace_lost(struct target *target, const struct target *copy, struct error *err)
{
	uint64_t recorded, last = last_generation(target);
	struct state state;
	int ret = freshness_read(target, &recorded, err);

	if (ret)
		return ret;
	target_close(target);
	target->info = copy->info;
	ret = config_find_user(&target->config, err);
	if (!ret)
		ret = statedir_prepare(&target->config, err);
	if (!ret)
		ret = statedir_replace(&target->config, &target->uuid, &target->policy, &state, err);
	if (ret)
		return ret;
	target->fd = state.fd;
	ret = target_lock(target, err);
	if (!ret)
		ret = target_wipe(target, err);
	if (!ret)
		ret = target_format(target, err);
	if (ret)
		return ret;
	vnvram_skip(target->store, last > recorded ? last : recorded);
	ret = put_entries(target, copy, err);
	if (!ret)
		ret = freshness_record(target, err);
	return ret ? ret : statedir_replaced(&target->config, &target->uuid, &target->policy, err);
}

/* Above what the host's TPM knows, too: that the store is older than that may be the reason. */
static int put_over(struct target *target, const struct target *copy, struct error *err)
{
	uint64_t recorded;
	int ret = freshness_read(target, &recorded, err);

	if (ret)
		return ret;
	vnvram_skip(target->store, recorded);
	ret = put_entries(target, copy, err);
	return ret ? ret : freshness_record(target, err);
}

static int restore(struct target *target, const struct target *copy, bool yes, struct error *err)
{
	struct error why;
	int seen, ret = target_open(target, O_RDWR, &why);
	bool lost;

	if (target->info.writer < copy->info.writer)
		target->info.writer = copy->info.writer;
	seen = ret;
	if (!ret)
		ret = target_load(target, TARGET_CHANGE, NULL, &why);
	lost = (seen || target->keyed) && is_lost(ret);
	if (lost && (yes || seen == -ENOENT))
		return replace_lost(target, copy, err);
	if (lost)
		return error_set(err, -ret, "%s. To put the copy in its place, say --yes", why.text);
	if (ret)
		return error_set(err, -ret, "%s", why.text);
	if (vnvram_generation(copy->store) < vnvram_generation(target->store) && !yes)
		return refuse_older(target, copy, err);
	return put_over(target, copy, err);
}

static int run_restore(const struct store_options *options, char **operands, struct error *err)
{
	struct store_options without_key = *options;
	struct target target, copy = { .fd = -1 };
	int ret;

	without_key.key = NULL;
	ret = target_find(&target, &without_key, operands[0], err);
	if (!ret)
		ret = load_copy(&copy, &target, options, operands[1], err);
	if (!ret)
		ret = restore(&target, &copy, options->yes, err);
	if (!ret)
		printf("vTPM %s: holds what %s holds, as generation %llu\n", target.uuid_text,
		       copy.file, (unsigned long long)vnvram_generation(target.store));
	target_close(&copy);
	target_close(&target);
	return ret;
}

const struct store_command restore_command = {
	.name = "restore",
	.usage =
	"Usage: vtpmctl store restore UUID FILE [--key KEY] [--yes] [--config FILE]\n"
	"Put what a snapshot of this vTPM holds into its store, on top of what is there. A store\n"
	"that is missing or damaged is made anew.\n"
	"\n"
	"  -k, --key KEY      the snapshot's key: none, file:/PATH or tpm:/PATH\n"
	"                     (default: that of the vTPM)\n"
	"  -y, --yes          also if the store is newer than the snapshot, or damaged\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -h, --help         show this text and exit\n",
	.letters = "kyc",
	.operands = 2,
	.run = run_restore,
};
