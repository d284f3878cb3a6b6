// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "ini_file.h"

#define POLICY_SUFFIX	".conf"
#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static int parse_path(const char *value, void *target)
{
	if (value[0] != '/' || strlen(value) >= CONFIG_PATH_SIZE)
		return -EINVAL;
	strcpy(target, value);
	return 0;
}

static int parse_user(const char *value, void *target)
{
	struct config *config = target;

	if (!*value || strlen(value) >= sizeof(config->user))
		return -EINVAL;
	strcpy(config->user, value);
	return 0;
}

static int parse_tcti(const char *value, void *target)
{
	if (!*value || strlen(value) >= CONFIG_TCTI_SIZE)
		return -EINVAL;
	strcpy(target, value);
	return 0;
}

int config_parse_key(const char *text, struct policy *policy)
{
	policy->key_path[0] = '\0';
	policy->key_kind = KEY_NONE;
	if (!strcmp(text, "none"))
		return 0;
	if (!strncmp(text, "file:", 5))
		policy->key_kind = KEY_FILE;
	else if (!strncmp(text, "tpm:", 4))
		policy->key_kind = KEY_TPM;
	else
		return -EINVAL;
	return parse_path(strchr(text, ':') + 1, policy->key_path);
}

static int parse_key(const char *value, void *target)
{
	return config_parse_key(value, target);
}

static int parse_freshness(const char *value, void *target)
{
	enum freshness_kind *kind = target;

	*kind = !strcmp(value, "tpm") ? FRESHNESS_TPM : FRESHNESS_NONE;
	return *kind == FRESHNESS_TPM || !strcmp(value, "none") ? 0 : -EINVAL;
}

static int parse_yes_no(const char *value, void *target)
{
	bool *result = target;

	*result = !strcmp(value, "yes");
	return *result || !strcmp(value, "no") ? 0 : -EINVAL;
}

static int parse_tpm_version(const char *value, void *target)
{
	bool *tpm12 = target;

	*tpm12 = !strcmp(value, "1.2");
	return *tpm12 || !strcmp(value, "2.0") ? 0 : -EINVAL;
}

static int parse_engine(const char *value, void *target)
{
	enum engine_kind *kind = target;

	*kind = !strcmp(value, "swtpm") ? ENGINE_SWTPM : ENGINE_NATIVE;
	return *kind == ENGINE_SWTPM || !strcmp(value, "vtpm-engine") ? 0 : -EINVAL;
}

/* Takes "2" or "2-4" from *@text on; returns its bits, 0 if it is neither. */
static uint32_t parse_range(const char **text)
{
	const char *p = *text;
	int first, last;

	if (*p < '0' || *p > '4')
		return 0;
	first = last = *p++ - '0';
	if (*p == '-') {
		if (p[1] < '0' || p[1] > '4')
			return 0;
		last = p[1] - '0';
		p += 2;
	}
	*text = p;
	return last < first ? 0 : (2U << last) - (1U << first);
}

static int parse_localities(const char *value, void *target)
{
	uint32_t mask = 0, range;

	for (;;) {
		range = parse_range(&value);
		mask |= range;
		if (!range || *value != ',')
			break;
		value++;
	}
	if (!range || *value)
		return -EINVAL;
	*(uint32_t *)target = mask;
	return 0;
}

#define POLICY_KEYS(section, policy)							\
	{ section, "create", parse_yes_no, &(policy)->create, "yes or no" },		\
	{ section, "tpm-version", parse_tpm_version, &(policy)->tpm12, "2.0 or 1.2" },	\
	{ section, "localities", parse_localities, &(policy)->localities,		\
	  "a list of numbers and ranges from 0 to 4, as in 0,2-4" },			\
	{ section, "exactly-once", parse_yes_no, &(policy)->exactly_once, "yes or no" },\
	{ section, "key", parse_key, policy, "none, file:/PATH or tpm:/PATH" },		\
	{ section, "freshness", parse_freshness, &(policy)->freshness, "none or tpm" }

static void set_defaults(struct config *config, const char *file)
{
	const char *slash = strrchr(file, '/');
	int length = slash ? slash - file : 1;

	memset(config, 0, sizeof(*config));
	snprintf(config->file, sizeof(config->file), "%s", file);
	snprintf(config->policy_dir, sizeof(config->policy_dir), "%.*s/vtpm.d",
		 length < CONFIG_PATH_SIZE ? length : 0, slash ? file : ".");
	strcpy(config->state_dir, "/var/lib/xen-vtpm");
	strcpy(config->run_dir, "/run/xen-vtpm");
	strcpy(config->device, "/dev/vtpm");
	strcpy(config->engine, "/usr/libexec/xen-vtpm/vtpm-engine");
	strcpy(config->hosttpm, "/usr/libexec/xen-vtpm/vtpm-hosttpm");
	strcpy(config->host_tpm, "device:/dev/tpmrm0");
	strcpy(config->user, "xen-vtpm");
	config->policy.create = true;
	config->policy.localities = 1;
}

static const char path[] = "a path that begins with /";

int config_read(struct config *config, const char *file, struct error *err)
{
	const struct ini_key keys[] = {
		{ "vtpmd", "state-dir", parse_path, config->state_dir, path },
		{ "vtpmd", "run-dir", parse_path, config->run_dir, path },
		{ "vtpmd", "device", parse_path, config->device, path },
		{ "vtpmd", "engine", parse_path, config->engine, path },
		{ "vtpmd", "user", parse_user, config, "the name of a user" },
		{ "vtpmd", "hosttpm", parse_path, config->hosttpm, path },
		{ "vtpmd", "host-tpm", parse_tcti, config->host_tpm,
		  "a TCTI, as in device:/dev/tpmrm0" },
		POLICY_KEYS("policy", &config->policy),
	};
	int ret;

	set_defaults(config, file);
	ret = ini_read(file, keys, COUNT(keys), err);
	return ret == -ENOENT && !strcmp(file, CONFIG_DEFAULT_FILE) ? 0 : ret;
}

int config_find_user(struct config *config, struct error *err)
{
	struct passwd *user = getpwnam(config->user);

	if (!user)
		return error_set(err, ENOENT, "there is no user '%s' to run engines as: create it "
				 "with 'useradd --system --home-dir / --shell /usr/sbin/nologin "
				 "%s', or name another one as [vtpmd] user in %s",
				 config->user, config->user, config->file);
	config->uid = user->pw_uid;
	config->gid = user->pw_gid;
	return 0;
}

static int read_policy_file(const char *file, struct policy *policy, struct error *err)
{
	const struct ini_key keys[] = {
		POLICY_KEYS("", policy),
		{ "", "engine", parse_engine, &policy->engine, "vtpm-engine or swtpm" },
		{ "", "store", parse_path, policy->store, path },
	};

	return ini_read(file, keys, COUNT(keys), err);
}

int config_read_policy(const struct config *config, const struct uuid *uuid,
		       struct policy *policy, struct error *err)
{
	char file[PATH_MAX], text[UUID_TEXT_SIZE];
	int ret;

	*policy = config->policy;
	snprintf(file, sizeof(file), "%s/%s" POLICY_SUFFIX, config->policy_dir,
		 uuid_format(uuid, text));
	ret = read_policy_file(file, policy, err);
	return ret == -ENOENT ? 0 : ret;
}

/* A file whose name is not quite a UUID would never be read, and nobody would know. */
static int check_policy(const struct config *config, const char *name, struct error *err)
{
	char file[PATH_MAX], text[UUID_TEXT_SIZE], expected[UUID_TEXT_SIZE];
	struct policy policy = config->policy;
	struct uuid uuid;

	snprintf(file, sizeof(file), "%s/%s", config->policy_dir, name);
	snprintf(text, sizeof(text), "%s", name);
	if (!uuid_parse(text, &uuid) || strcmp(name + UUID_TEXT_SIZE - 1, POLICY_SUFFIX) ||
	    strcmp(text, uuid_format(&uuid, expected)))
		return error_set(err, EINVAL, "%s: is not named UUID.conf, in lower case", file);
	return read_policy_file(file, &policy, err);
}

int config_check_policies(const struct config *config, struct error *err)
{
	DIR *dir = opendir(config->policy_dir);
	struct dirent *entry;
	int ret = 0;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return error_set(err, errno, "%s: %s", config->policy_dir, strerror(errno));
	while (!ret && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			ret = check_policy(config, entry->d_name, err);
	closedir(dir);
	return ret;
}
