// SPDX-License-Identifier: GPL-2.0-only
/* vtpmctl store check: could this host run the vTPM now? Finds all that is in the way. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "entries.h"
#include "statedir.h"
#include "store.h"
#include "vtpmctl.h"

/**
 * struct findings - what is in the way
 * @list: objects with "what" and "reason"
 */
struct findings {
	json_t *list;
};

static void add(struct findings *findings, const char *what, const struct error *err)
{
	json_array_append_new(findings->list, json_pack("{s:s, s:s}", "what", what, "reason",
							err->text));
}

static bool was_made(struct findings *findings, const struct target *target)
{
	char file[PATH_MAX];
	struct error err;

	if (target->loose ||
	    !statedir_find(&target->config, &target->uuid, &target->policy, file, &err))
		return true;
	add(findings, "evidence", &err);
	return false;
}

static void check_writable(struct findings *findings, const struct target *target)
{
	struct error err;

	if (!access(target->file, W_OK))
		return;
	error_set(&err, errno, "%s: cannot be written: %s", target->file, strerror(errno));
	add(findings, "file", &err);
}

static void check_kind(struct findings *findings, const struct target *target)
{
	enum vnvram_tpm wanted = target->policy.tpm12 ? VNVRAM_TPM_12 : VNVRAM_TPM_20;
	struct error err;

	if (target->loose || target->info.identity.tpm == wanted)
		return;
	error_set(&err, EXDEV, "%s: holds a TPM %s, and the policy says tpm-version = %s",
		  target->file, tpm_name(target->info.identity.tpm), tpm_name(wanted));
	add(findings, "tpm", &err);
}

/* As the store itself sees it: major and minor version count. */
static void check_engine(struct findings *findings, const struct target *target)
{
	uint32_t have, wrote = target->info.writer;
	struct error err;

	if (engine_version(&target->config, &have, &err)) {
		add(findings, "engine", &err);
	} else if (have >> 8 < wrote >> 8) {
		error_set(&err, EPROTO, "%s: was written by libtpms %u.%u.%u, and %s has %u.%u.%u: "
			  "install a newer one", target->file, wrote >> 16, wrote >> 8 & 255,
			  wrote & 255, target->config.engine, have >> 16, have >> 8 & 255,
			  have & 255);
		add(findings, "engine", &err);
	}
}

static void check_contents(struct findings *findings, struct target *target)
{
	struct error err;
	int ret = target_load(target, TARGET_LOOK, NULL, &err);
	bool key = !target->keyed || ret == -ENOKEY || ret == -EKEYREJECTED;

	if (ret)
		add(findings, key ? "key" : "contents", &err);
}

/* A file whose blocks are all there can be written on a full file system. */
static void check_space(struct findings *findings, const struct target *target)
{
	unsigned long long there, missing;
	struct statvfs fs;
	struct error err;
	struct stat st;

	if (fstat(target->fd, &st) || !S_ISREG(st.st_mode) || fstatvfs(target->fd, &fs))
		return;
	there = (unsigned long long)st.st_blocks * 512;
	if (there >= (unsigned long long)st.st_size)
		return;
	missing = st.st_size - there;
	if ((unsigned long long)fs.f_bavail * fs.f_frsize >= missing)
		return;
	error_set(&err, ENOSPC, "%s: has holes of %llu bytes, and the file system has no room for "
		  "them: make some", target->file, missing);
	add(findings, "space", &err);
}

static void check_holder(struct findings *findings, const struct target *target)
{
	const struct vnvram_owner *owner = &target->info.owner;
	struct error err;

	if (vnvram_locked(target->fd) > 0)
		error_set(&err, EBUSY, "%s: is in use by process %llu of host %s", target->file,
			  (unsigned long long)owner->pid, owner->held ? owner->host : "(unknown)");
	else if (target->info.elsewhere)
		error_set(&err, EBUSY, "%s: is held by host %s. Only if that is surely down, take "
			  "it with 'vtpmctl store take'", target->file, owner->host);
	else
		return;
	add(findings, "holder", &err);
}

static void check_all(struct findings *findings, struct target *target)
{
	bool made = was_made(findings, target);
	struct error err;

	if (target_open(target, O_RDONLY, &err)) {
		if (made || target->fd >= 0)
			add(findings, target->fd < 0 ? "file" : "contents", &err);
		return;
	}
	check_writable(findings, target);
	check_kind(findings, target);
	check_engine(findings, target);
	check_contents(findings, target);
	check_space(findings, target);
	check_holder(findings, target);
}

static void print_findings(const struct findings *findings, const struct target *target)
{
	const json_t *finding;
	size_t i;

	json_array_foreach(findings->list, i, finding)
		printf("%-10s%s\n", format_text(finding, "what"), format_text(finding, "reason"));
	if (!json_array_size(findings->list))
		printf("vTPM %s can run here, generation %llu\n", target->uuid_text,
		       (unsigned long long)target->info.generation);
	if (target->store && *vnvram_warning(target->store))
		printf("%-10s%s\n", "warning", vnvram_warning(target->store));
}

static int report(const struct findings *findings, const struct target *target, bool as_json)
{
	bool good = !json_array_size(findings->list);
	json_t *json;

	if (!as_json) {
		print_findings(findings, target);
		return good ? 0 : STORE_FAILED;
	}
	json = json_pack("{s:s, s:s, s:b, s:O, s:s}", "uuid", target->uuid_text, "file",
			 target->file, "good", good, "findings", findings->list, "warning",
			 target->store ? vnvram_warning(target->store) : "");
	if (print_json(json))
		good = false;
	json_decref(json);
	return good ? 0 : STORE_FAILED;
}

static int run_check(const struct store_options *options, char **operands, struct error *err)
{
	struct findings findings = { json_array() };
	struct target target;
	int ret = target_find(&target, options, *operands, err);

	if (!ret) {
		check_all(&findings, &target);
		ret = report(&findings, &target, options->json);
	}
	json_decref(findings.list);
	target_close(&target);
	return ret;
}

const struct store_command check_command = {
	.name = "check",
	.usage =
	"Usage: vtpmctl store check UUID|--file PATH [OPTION...]\n"
	"Find out whether this host could run the vTPM now, and all that is in the way.\n"
	"Takes nothing. The exit code is 0 if it could, else 1.\n"
	"\n"
	"  -f, --file PATH    a store that no vTPM here has, a copy for example\n"
	"  -k, --key KEY      its key: none, file:/PATH or tpm:/PATH\n"
	"                     (default: that of the vTPM, with --file none)\n"
	"  -c, --config FILE  vtpmd's configuration (default: " CONFIG_DEFAULT_FILE ")\n"
	"  -j, --json         write JSON\n"
	"  -h, --help         show this text and exit\n",
	.letters = "fkcj",
	.operands = 1,
	.run = run_check,
};
