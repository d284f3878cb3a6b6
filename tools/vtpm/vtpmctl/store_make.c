// SPDX-License-Identifier: GPL-2.0-only
/* vtpmctl store create, delete. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "statedir.h"
#include "store.h"
#include "vtpmctl.h"

int target_create(struct target *target, struct error *err)
{
	struct state state = { .fd = -1 };
	struct error why;
	int ret = config_find_user(&target->config, &why);

	if (!ret)
		ret = statedir_prepare(&target->config, &why);
	if (!ret)
		ret = statedir_create(&target->config, &target->uuid, &target->policy, &state,
				      &why);
	if (ret)
		return error_set(err, -ret, "vTPM %s: %s", target->uuid_text, why.text);
	target->fd = state.fd;
	if (target_is_blank(target->fd))
		return 0;
	return error_set(err, EEXIST, "%s: is not empty. If it is the rest of an attempt that was "
			 "cut off, or no longer needed, remove it with 'vtpmctl store delete %s'",
			 target->file, target->uuid_text);
}

int target_created(struct target *target, struct error *err)
{
	int ret = freshness_record(target, err);

	if (ret)
		return ret;
	if (*target->policy.store)
		return statedir_replaced(&target->config, &target->uuid, &target->policy, err);
	return statedir_created(&target->config, &target->uuid, err);
}

void target_tell(const struct target *target, const char *what)
{
	struct policy policy;
	struct error err;

	printf("vTPM %s: a TPM %s was %s %s\n", target->uuid_text,
	       target->policy.tpm12 ? "1.2" : "2.0", what, target->file);
	if (config_read_policy(&target->config, &target->uuid, &policy, &err) ||
	    policy.tpm12 == target->policy.tpm12)
		return;
	printf("Set 'tpm-version = %s' in %s/%s.conf now: until then vtpmd refuses it.\n",
	       target->policy.tpm12 ? "1.2" : "2.0", target->config.policy_dir,
	       target->uuid_text);
}

static int run_create(const struct store_options *options, char **operands, struct error *err)
{
	struct target target;
	int ret = target_find(&target, options, *operands, err);

	if (!ret)
		ret = target_tpm(&target, options, err);
	if (!ret)
		ret = target_create(&target, err);
	if (!ret)
		ret = engine_try(&target, target.fd, true, err);
	if (!ret)
		ret = target_created(&target, err);
	if (!ret)
		target_tell(&target, "made in");
	target_close(&target);
	return ret;
}

const struct store_command create_command = {
	.name = "create",
	.usage =
	"Usage: vtpmctl store create UUID [--tpm 2.0|1.2] [--config FILE]\n"
	"Make a store and a new TPM in it, as vtpmd does at the first use, or in the file or on\n"
	"the volume that the policy names with 'store'. That must be empty.\n"
	"\n"
	"  -t, --tpm VERSION  kind of TPM (default: as the policy says)\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -h, --help         show this text and exit\n",
	.letters = "tc",
	.operands = 1,
	.run = run_create,
};

/* Nothing to open is nothing to wipe: an earlier attempt was cut off. */
static int open_for_delete(struct target *target, struct error *err)
{
	struct error none;
	char file[PATH_MAX];

	target->fd = open(target->file, O_RDWR | O_CLOEXEC);
	if (target->fd >= 0)
		return target_lock(target, err);
	if (errno != ENOENT)
		return error_set(err, errno, "%s: %s", target->file, strerror(errno));
	if (!statedir_find(&target->config, &target->uuid, &target->policy, file, &none))
		return 0;
	return error_set(err, ENOENT, "there is no vTPM %s: neither %s nor evidence that it was "
			 "made", target->uuid_text, target->file);
}

/* The lock is kept until all is gone: no engine gets hold of it in between. */
static int run_delete(const struct store_options *options, char **operands, struct error *err)
{
	struct target target;
	int ret = target_find(&target, options, *operands, err);

	if (!ret)
		ret = open_for_delete(&target, err);
	if (!ret && !options->yes &&
	    !confirm("Delete vTPM %s? All that its guest has encrypted or sealed with it is lost "
		     "for ever.", target.uuid_text))
		ret = STORE_FAILED;
	if (!ret && target.fd >= 0)
		ret = target_wipe(&target, err);
	if (!ret)
		ret = statedir_remove(&target.config, &target.uuid, &target.policy, err);
	if (!ret)
		ret = freshness_forget(&target, err);
	if (!ret)
		printf("vTPM %s was deleted; %s/%s.conf, if there is one, stays\n",
		       target.uuid_text, target.config.policy_dir, target.uuid_text);
	target_close(&target);
	return ret;
}

const struct store_command delete_command = {
	.name = "delete",
	.usage =
	"Usage: vtpmctl store delete UUID [--yes] [--config FILE]\n"
	"Wipe a vTPM's store, remove it, and forget that the TPM was ever made.\n"
	"\n"
	"  -y, --yes          do not ask\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -h, --help         show this text and exit\n",
	.letters = "yc",
	.operands = 1,
	.run = run_delete,
};
