// SPDX-License-Identifier: GPL-2.0-only
/* Finding a store, opening it, and loading what it holds. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entries.h"
#include "statedir.h"
#include "store.h"

const char *const entry_names[] = {
	PERMANENT_ENTRY, VOLATILE_ENTRY, SAVESTATE_ENTRY, RECORD_ENTRY, NULL,
};

const char *tpm_name(enum vnvram_tpm tpm)
{
	return tpm == VNVRAM_TPM_20 ? "2.0" : "1.2";
}

static int set_key(struct target *target, const char *key, struct error *err)
{
	if (key && config_parse_key(key, &target->policy))
		return error_set(err, EINVAL, "--key cannot be '%s'; it is none, file:/PATH or "
				 "tpm:/PATH", key);
	return 0;
}

static int find_loose(struct target *target, const struct store_options *options,
		      struct error *err)
{
	target->loose = true;
	target->policy = target->config.policy;
	target->policy.key_kind = KEY_NONE;
	snprintf(target->file, sizeof(target->file), "%s", options->file);
	return set_key(target, options->key, err);
}

int target_find(struct target *target, const struct store_options *options, const char *uuid,
		struct error *err)
{
	int ret;

	memset(target, 0, sizeof(*target));
	target->fd = -1;
	ret = config_read(&target->config, options->config, err);
	if (ret)
		return ret;
	if (options->file)
		return find_loose(target, options, err);
	if (!uuid_parse(uuid, &target->uuid))
		return error_set(err, EINVAL, "'%s' is not a UUID", uuid);
	uuid_format(&target->uuid, target->uuid_text);
	ret = config_read_policy(&target->config, &target->uuid, &target->policy, err);
	if (ret)
		return ret;
	if (target->policy.engine == ENGINE_SWTPM)
		return error_set(err, EXDEV, "vTPM %s is run by swtpm and has no store; its state "
				 "is in %s/%s.swtpm", target->uuid_text, target->config.state_dir,
				 target->uuid_text);
	ret = statedir_find(&target->config, &target->uuid, &target->policy, target->file, err);
	if (ret == -EXDEV)
		return ret;
	return set_key(target, options->key, err);
}

int target_tpm(struct target *target, const struct store_options *options, struct error *err)
{
	if (!options->tpm)
		return 0;
	target->policy.tpm12 = !strcmp(options->tpm, "1.2");
	if (target->policy.tpm12 || !strcmp(options->tpm, "2.0"))
		return 0;
	return error_set(err, EINVAL, "--tpm: '%s' is neither 2.0 nor 1.2", options->tpm);
}

/* A cut may have left to vtpmd, or to us, to give a new TPM its final name. */
static int open_missing(struct target *target, int flags, struct error *err)
{
	char file[PATH_MAX];
	struct state state;
	struct error why;
	int ret = statedir_find(&target->config, &target->uuid, &target->policy, file, &why);

	if (!ret)
		ret = statedir_open(&target->config, &target->uuid, &target->policy, &state, &why);
	if (ret)
		return error_set(err, -ret, "vTPM %s: %s", target->uuid_text, why.text);
	close(state.fd);
	target->fd = open(file, flags | O_CLOEXEC);
	return target->fd < 0 ? error_set(err, errno, "%s: %s", file, strerror(errno)) : 0;
}

static int open_file(struct target *target, int flags, struct error *err)
{
	target->fd = open(target->file, flags | O_CLOEXEC);
	if (target->fd >= 0)
		return 0;
	if (errno == ENOENT && !target->loose)
		return open_missing(target, flags, err);
	return error_set(err, errno, "%s: %s", target->file, strerror(errno));
}

int target_open(struct target *target, int flags, struct error *err)
{
	int ret = open_file(target, flags, err);

	if (ret)
		return ret;
	ret = vnvram_inspect(target->fd, target->file, &vnvram_system_io, &target->info, err);
	if (!ret && target->loose) {
		target->uuid = target->info.identity.uuid;
		uuid_format(&target->uuid, target->uuid_text);
	}
	return ret;
}

int target_get_key(const struct config *config, const struct policy *policy, uint8_t *key,
		   struct error *err)
{
	int fd, ret;

	if (policy->key_kind == KEY_NONE)
		return 0;
	fd = key_open(policy->key_kind, policy->key_path, config->hosttpm, config->host_tpm, err);
	if (fd < 0)
		return fd;
	ret = key_read(fd, key, policy->key_path, err);
	return ret ? ret : 1;
}

static int give_key(struct target *target, const struct policy *policy, struct error *err)
{
	uint8_t key[VNVRAM_KEY_SIZE];
	int ret = target_get_key(&target->config, policy, key, err);

	if (ret > 0)
		vnvram_set_key(target->store, key);
	explicit_bzero(key, sizeof(key));
	target->keyed = ret >= 0;
	return ret < 0 ? ret : 0;
}

static int lock(struct target *target, struct error *err)
{
	struct error why;
	int ret = vnvram_lock(target->store, &why);

	if (!ret)
		return 0;
	return error_set(err, -ret, ret == -EBUSY ? "%s. Shut its guest down first" : "%s",
			 why.text);
}

static int start(struct target *target, enum target_use use, struct error *err)
{
	int ret;

	if (use == TARGET_LOOK)
		return vnvram_start_read_only(target->store, err);
	if (use == TARGET_FORCE)
		vnvram_force(target->store);
	ret = lock(target, err);
	if (!ret)
		ret = vnvram_start(target->store, err);
	return ret ? ret : vnvram_take(target->store, err);
}

static int prepare(struct target *target, struct error *err)
{
	struct vnvram_identity identity = target->info.identity;

	identity.uuid = target->uuid;
	identity.engine = target->info.writer;
	target->store = vnvram_new(&identity, &progress_io);
	if (!target->store || entries_register(target->store))
		return error_set(err, ENOMEM, "out of memory");
	vnvram_attach(target->store, target->fd, target->file);
	return 0;
}

int target_load(struct target *target, enum target_use use, const struct policy *policy,
		struct error *err)
{
	int ret = prepare(target, err);

	if (!ret)
		ret = give_key(target, policy ? policy : &target->policy, err);
	return ret ? ret : start(target, use, err);
}

int target_lock(struct target *target, struct error *err)
{
	int ret = prepare(target, err);

	return ret ? ret : lock(target, err);
}

int target_format(struct target *target, struct error *err)
{
	int ret = give_key(target, &target->policy, err);

	progress_begin("making the store", 0);
	if (!ret)
		ret = vnvram_format(target->store, err);
	progress_end();
	return ret ? ret : vnvram_take(target->store, err);
}

bool target_is_blank(int fd)
{
	uint8_t header[VNVRAM_HEADER_SIZE];
	ssize_t n = pread(fd, header, sizeof(header), 0);

	for (ssize_t i = 0; i < n; i++)
		if (header[i])
			return false;
	return n >= 0;
}

/*
 * A file in the state directory is ours whatever it holds. A volume that the policy names could
 * be the wrong one.
 */
static int may_wipe(const struct target *target, struct error *err)
{
	struct vnvram_info info;
	char text[UUID_TEXT_SIZE];
	int ret = vnvram_inspect(target->fd, target->file, &vnvram_system_io, &info, err);

	if (!ret && !uuid_equal(&info.identity.uuid, &target->uuid))
		return error_set(err, EXDEV, "%s: belongs to another vTPM, %s", target->file,
				 uuid_format(&info.identity.uuid, text));
	if (!ret && info.elsewhere)
		return error_set(err, EBUSY, "%s: is held by host %s. Only if that is surely down, "
				 "take it with 'vtpmctl store take %s' first", target->file,
				 info.owner.host, target->uuid_text);
	if (ret != -EINVAL || !*target->policy.store || target_is_blank(target->fd))
		return 0;
	return error_set(err, EINVAL, "%s: is neither a store nor empty, so it is not overwritten. "
			 "If it is the right one, empty it with 'wipefs' or 'dd'", target->file);
}

int target_wipe(struct target *target, struct error *err)
{
	off_t size = lseek(target->fd, 0, SEEK_END);
	int ret = may_wipe(target, err);

	if (ret || size <= 0)
		return ret;
	progress_begin("wiping", size);
	ret = vnvram_delete(target->store, err);
	progress_end();
	return ret;
}

/* A record that stays is no harm: this host takes it again. */
void target_unload(struct target *target)
{
	struct error err;

	if (target->store && vnvram_release(target->store, &err))
		fprintf(stderr, "vtpmctl: %s\n", err.text);
	vnvram_free(target->store);
	target->store = NULL;
}

void target_close(struct target *target)
{
	target_unload(target);
	if (target->fd >= 0)
		close(target->fd);
	target->fd = -1;
}
