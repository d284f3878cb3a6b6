// SPDX-License-Identifier: GPL-2.0-only
/* vtpmctl store rekey, take. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "store.h"
#include "vtpmctl.h"

/*
 * A rekey that was cut off leaves a store that has the old key still, or the new one
 * already. If it has neither, it is the old one that is missed.
 */
static int load_with_either(struct target *target, const struct policy *new, struct error *err)
{
	struct error second;
	int ret = target_load(target, TARGET_CHANGE, NULL, err);

	if (ret != -EKEYREJECTED && ret != -ENOKEY)
		return ret;
	target_unload(target);
	return target_load(target, TARGET_CHANGE, new, &second) ? ret : 0;
}

static bool same_key(const struct policy *a, const struct policy *b)
{
	return a->key_kind == b->key_kind && !strcmp(a->key_path, b->key_path);
}

static int rekey(struct target *target, const struct policy *new, struct error *err)
{
	uint8_t key[VNVRAM_KEY_SIZE];
	int ret, has_key = target_get_key(&target->config, new, key, err);

	ret = has_key < 0 ? has_key : target_open(target, O_RDWR, err);
	if (!ret)
		ret = load_with_either(target, new, err);
	if (!ret)
		ret = freshness_check(target, err);
	if (!ret)
		ret = vnvram_rekey(target->store, has_key ? key : NULL, err);
	if (!ret)
		ret = freshness_record(target, err);
	explicit_bzero(key, sizeof(key));
	return ret;
}

static int run_rekey(const struct store_options *options, char **operands, struct error *err)
{
	struct store_options without_key = *options;
	struct target target;
	struct policy new;
	int ret;

	without_key.key = NULL;
	ret = target_find(&target, &without_key, *operands, err);
	new = target.policy;
	if (!ret && (!options->key || config_parse_key(options->key, &new)))
		ret = error_set(err, EINVAL, "--key has to name the new key: none, file:/PATH or "
				"tpm:/PATH");
	if (!ret)
		ret = rekey(&target, &new, err);
	if (!ret) {
		printf("vTPM %s: %s is %s now\n", target.uuid_text, target.file,
		       new.key_kind == KEY_NONE ? "not encrypted" : "encrypted with the new key");
		if (!same_key(&new, &target.policy))
			printf("Set 'key = %s' in %s/%s.conf now: until then vtpmd refuses it.\n",
			       options->key, target.config.policy_dir, target.uuid_text);
	}
	target_close(&target);
	return ret;
}

const struct store_command rekey_command = {
	.name = "rekey",
	.usage =
	"Usage: vtpmctl store rekey UUID --key KEY [--config FILE]\n"
	"Encrypt a store with another key than the one that the policy names, or no longer.\n"
	"Nothing in it can be read with the old key afterwards. If it is cut off, do it again.\n"
	"\n"
	"  -k, --key KEY      the new key: none, file:/PATH or tpm:/PATH\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -h, --help         show this text and exit\n",
	.letters = "kc",
	.operands = 1,
	.run = run_rekey,
};

static bool really_take(const struct target *target)
{
	return confirm("Take vTPM %s from host %s? If that still runs it, or starts it again, the "
		       "TPM is damaged.", target->uuid_text, target->info.owner.host);
}

static int run_take(const struct store_options *options, char **operands, struct error *err)
{
	struct target target;
	int ret = target_find(&target, options, *operands, err);

	if (!ret)
		ret = target_open(&target, O_RDWR, err);
	if (!ret && !target.info.owner.held) {
		printf("vTPM %s: nobody has it\n", target.uuid_text);
		goto out;
	}
	if (!ret && !options->yes && !really_take(&target))
		ret = STORE_FAILED;
	if (!ret)
		ret = target_load(&target, TARGET_FORCE, NULL, err);
	if (!ret)
		ret = vnvram_release(target.store, err);
	if (!ret)
		printf("vTPM %s was taken from host %s; nobody has it now\n", target.uuid_text,
		       target.info.owner.host);
out:
	target_close(&target);
	return ret;
}

const struct store_command take_command = {
	.name = "take",
	.usage =
	"Usage: vtpmctl store take UUID [--yes] [--config FILE]\n"
	"Take a store from a host that has not given it back and is surely down. Two hosts that\n"
	"run one vTPM make a state that neither has.\n"
	"\n"
	"  -y, --yes          do not ask\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -h, --help         show this text and exit\n",
	.letters = "yc",
	.operands = 1,
	.run = run_take,
};
