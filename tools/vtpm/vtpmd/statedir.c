// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "statedir.h"

#define MADE_NATIVE	"vtpm-engine\n"
#define MADE_SWTPM	"swtpm\n"

/* Where the parts of one vTPM's state are. */
struct paths {
	char uuid[UUID_TEXT_SIZE];
	char state[PATH_MAX];
	char new[PATH_MAX];
	char swtpm[PATH_MAX];
	char made[PATH_MAX];
	char made_dir[PATH_MAX];
};

static void set_paths(struct paths *paths, const struct config *config, const struct uuid *uuid)
{
	const char *dir = config->state_dir;

	uuid_format(uuid, paths->uuid);
	snprintf(paths->state, PATH_MAX, "%s/%s.vtpm", dir, paths->uuid);
	snprintf(paths->new, PATH_MAX, "%s/%s.new", dir, paths->uuid);
	snprintf(paths->swtpm, PATH_MAX, "%s/%s.swtpm", dir, paths->uuid);
	snprintf(paths->made, PATH_MAX, "%s/made/%s", dir, paths->uuid);
	snprintf(paths->made_dir, PATH_MAX, "%s/made", dir);
}

/* Makes a file, or the names in a directory, durable. */
static int flush(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int ret = 0;

	if (fd < 0 || fsync(fd))
		ret = error_set(err, errno, "%s: cannot make it durable: %s", path,
				strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

static bool exists(const char *path)
{
	struct stat st;

	/* What cannot be looked at is taken to be there: nothing is made over it. */
	return lstat(path, &st) == 0 || errno != ENOENT;
}

static int make_dir(const char *path, struct error *err)
{
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST)
		return error_set(err, errno, "%s: cannot create: %s", path, strerror(errno));
	if (lstat(path, &st) || !S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "%s: is not a directory", path);
	if (st.st_mode & 077 && chmod(path, 0700))
		return error_set(err, errno, "%s: cannot keep others out: %s", path,
				 strerror(errno));
	return 0;
}

int statedir_prepare(const struct config *config, struct error *err)
{
	char made[PATH_MAX];
	int ret = make_dir(config->state_dir, err);

	snprintf(made, sizeof(made), "%s/made", config->state_dir);
	if (!ret)
		ret = make_dir(made, err);
	return ret ? ret : flush(config->state_dir, err);
}

/* Fills in the text of the evidence; -ENOENT if there is none. */
static int read_evidence(const struct paths *paths, char *text, size_t size, struct error *err)
{
	int fd = open(paths->made, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return error_set(err, EIO, "%s: cannot be read, so nobody knows whether this "
				 "vTPM was ever made", paths->made);
	text[n] = '\0';
	return 0;
}

static int write_evidence(const struct paths *paths, const char *text, struct error *err)
{
	int fd = open(paths->made, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t size = strlen(text);
	int ret = 0;

	if (fd < 0 || write(fd, text, size) != size || fsync(fd))
		ret = error_set(err, errno ? errno : EIO, "%s: cannot be written: %s",
				paths->made, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret ? ret : flush(paths->made_dir, err);
}

/* An empty evidence was cut off while it was written: what follows tells the rest. */
static int check_evidence(const struct paths *paths, const char *text, const char *expected,
			  struct error *err)
{
	if (!*text || !strcmp(text, expected))
		return 0;
	return error_set(err, EXDEV, "it was made with %.*s; the policy names another "
			 "engine. Set 'engine' back, or see %s",
			 (int)strcspn(text, "\n"), text, paths->made);
}

static int refuse_creation(struct error *err)
{
	return error_set(err, EPERM, "it was never made, and the policy says create=no");
}

static int refuse_missing(const struct paths *paths, const char *file, struct error *err)
{
	return error_set(err, ENOENT, "its state %s is missing. Restore it from a backup; only to "
			 "begin with a new, empty TPM, remove %s", file, paths->made);
}

static int move_into_place(const struct config *config, const struct paths *paths,
			   struct error *err)
{
	if (rename(paths->new, paths->state))
		return error_set(err, errno, "%s: cannot be renamed: %s", paths->new,
				 strerror(errno));
	return flush(config->state_dir, err);
}

/* A name below /dev/mapper is a link. */
static int open_named(const struct policy *policy, const struct paths *paths,
		      struct state *state, struct error *err)
{
	state->fd = open(policy->store, O_RDWR | O_CLOEXEC);
	if (state->fd >= 0)
		return 0;
	if (errno == ENOENT)
		return refuse_missing(paths, policy->store, err);
	return error_set(err, errno, "cannot open %s: %s", policy->store, strerror(errno));
}

static int open_existing(const struct config *config, const struct policy *policy,
			 const struct paths *paths, struct state *state, struct error *err)
{
	int ret;

	if (*policy->store)
		return open_named(policy, paths, state, err);
	if (!exists(paths->state)) {
		if (!exists(paths->new))
			return refuse_missing(paths, paths->state, err);
		ret = move_into_place(config, paths, err);
		if (ret)
			return ret;
	}
	state->fd = open(paths->state, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (state->fd < 0)
		return error_set(err, errno, "cannot open %s: %s", paths->state,
				 strerror(errno));
	return 0;
}

/* The lock that an engine has on its store. It is the descriptor's, and goes along with it. */
static int lock_store(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock);
}

/* What a cut left behind. What somebody is busy making stays: the next try finds it done. */
static int remove_new(const struct paths *paths, struct error *err)
{
	int fd = open(paths->new, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int ret = 0;

	if (fd >= 0 && lock_store(fd))
		ret = error_set(err, ECHILD, "%s: somebody is making this TPM right now",
				paths->new);
	else if (unlink(paths->new) && errno != ENOENT)
		ret = error_set(err, errno, "%s: cannot be removed: %s", paths->new,
				strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

static int make_file(const struct config *config, const char *file, struct state *state,
		     struct error *err)
{
	state->fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (state->fd < 0)
		return error_set(err, errno, "cannot create %s: %s", file, strerror(errno));
	if (lock_store(state->fd))
		return error_set(err, errno, "%s: cannot lock: %s", file, strerror(errno));
	if (fchown(state->fd, config->uid, config->gid))
		return error_set(err, errno, "%s: cannot give it to user %s: %s", file,
				 config->user, strerror(errno));
	return 0;
}

/* vtpmd and vtpmctl may want to do it at the same time. */
static int open_new(const struct config *config, const struct paths *paths,
		    struct state *state, struct error *err)
{
	int dir, ret;

	if (exists(paths->state))
		return error_set(err, EEXIST, "there is %s, but no %s that says that it "
				 "was made here. If it is the right one, create that file, empty",
				 paths->state, paths->made);
	dir = open(config->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || flock(dir, LOCK_EX))
		ret = error_set(err, errno, "%s: cannot lock: %s", config->state_dir,
				strerror(errno));
	else
		ret = remove_new(paths, err);
	if (!ret)
		ret = make_file(config, paths->new, state, err);
	if (dir >= 0)
		close(dir);
	state->create = !ret;
	return ret;
}

/* Among the devices nothing is made: a volume of that name is only not active. */
static int open_place(const struct config *config, const char *file, struct state *state,
		      struct error *err)
{
	state->fd = open(file, O_RDWR | O_CLOEXEC);
	if (state->fd >= 0)
		return 0;
	if (errno != ENOENT)
		return error_set(err, errno, "cannot open %s: %s", file, strerror(errno));
	if (!strncmp(file, "/dev/", 5))
		return error_set(err, ENOENT, "there is no %s. Make or activate the volume first; "
				 "'vtpmctl store size' says how large it has to be", file);
	return make_file(config, file, state, err);
}

static int open_native(const struct config *config, const struct policy *policy,
		       const struct paths *paths, struct state *state, struct error *err)
{
	char text[32];
	int ret = read_evidence(paths, text, sizeof(text), err);

	if (!ret)
		ret = check_evidence(paths, text, MADE_NATIVE, err);
	if (!ret)
		return open_existing(config, policy, paths, state, err);
	if (ret != -ENOENT)
		return ret;
	if (*policy->store)
		return error_set(err, EPERM, "it was never made, and nothing is made on %s by "
				 "itself. Make it with 'vtpmctl store create %s'", policy->store,
				 paths->uuid);
	return policy->create ? open_new(config, paths, state, err) :
		refuse_creation(err);
}

static int make_swtpm_dir(const struct config *config, const struct paths *paths,
			  struct error *err)
{
	int ret = make_dir(paths->swtpm, err);

	if (!ret && chown(paths->swtpm, config->uid, config->gid))
		ret = error_set(err, errno, "%s: cannot give it to user %s: %s", paths->swtpm,
				config->user, strerror(errno));
	if (!ret)
		ret = flush(config->state_dir, err);
	return ret ? ret : write_evidence(paths, MADE_SWTPM, err);
}

static int open_swtpm(const struct config *config, const struct policy *policy,
		      const struct paths *paths, struct state *state, struct error *err)
{
	char text[32], file[PATH_MAX + 32];
	int ret = read_evidence(paths, text, sizeof(text), err);

	snprintf(state->dir, sizeof(state->dir), "%s", paths->swtpm);
	if (ret == -ENOENT) {
		if (!policy->create)
			return refuse_creation(err);
		state->create = true;
		return make_swtpm_dir(config, paths, err);
	}
	if (!ret)
		ret = check_evidence(paths, text, MADE_SWTPM, err);
	snprintf(file, sizeof(file), "%s/%s", paths->swtpm,
		 policy->tpm12 ? "tpm-00.permall" : "tpm2-00.permall");
	if (!ret && !exists(file))
		ret = refuse_missing(paths, file, err);
	return ret;
}

static int keep_or_close(struct state *state, int ret)
{
	if (ret && state->fd >= 0) {
		close(state->fd);
		state->fd = -1;
	}
	return ret;
}

static void set_state(struct paths *paths, const struct config *config, const struct uuid *uuid,
		      const struct policy *policy, struct state *state)
{
	set_paths(paths, config, uuid);
	memset(state, 0, sizeof(*state));
	state->fd = -1;
	snprintf(state->name, sizeof(state->name), "%s",
		 *policy->store ? policy->store : paths->state);
}

int statedir_open(const struct config *config, const struct uuid *uuid,
		  const struct policy *policy, struct state *state, struct error *err)
{
	struct paths paths;

	set_state(&paths, config, uuid, policy, state);
	if (policy->engine == ENGINE_SWTPM)
		return open_swtpm(config, policy, &paths, state, err);
	return keep_or_close(state, open_native(config, policy, &paths, state, err));
}

int statedir_create(const struct config *config, const struct uuid *uuid,
		    const struct policy *policy, struct state *state, struct error *err)
{
	struct paths paths;
	char text[32];
	int ret;

	set_state(&paths, config, uuid, policy, state);
	ret = read_evidence(&paths, text, sizeof(text), err);
	if (!ret)
		return error_set(err, EEXIST, "it was made already: %s says so", paths.made);
	if (ret != -ENOENT)
		return ret;
	ret = *policy->store ? open_place(config, policy->store, state, err) :
		open_new(config, &paths, state, err);
	state->create = !ret;
	return keep_or_close(state, ret);
}

int statedir_replace(const struct config *config, const struct uuid *uuid,
		     const struct policy *policy, struct state *state, struct error *err)
{
	struct paths paths;

	set_state(&paths, config, uuid, policy, state);
	return keep_or_close(state, open_place(config, state->name, state, err));
}

int statedir_find(const struct config *config, const struct uuid *uuid,
		  const struct policy *policy, char *file, struct error *err)
{
	struct paths paths;
	char text[32];
	int ret;

	set_paths(&paths, config, uuid);
	snprintf(file, PATH_MAX, "%s", *policy->store ? policy->store : paths.state);
	ret = read_evidence(&paths, text, sizeof(text), err);
	if (ret == -ENOENT)
		return error_set(err, ENOENT, "it was never made on this host: there is no %s",
				 paths.made);
	return ret ? ret : check_evidence(&paths, text, MADE_NATIVE, err);
}

/* Makes the name of a store durable that is not in the state directory. */
static int flush_name(const char *file, struct error *err)
{
	char dir[PATH_MAX];
	int length = strrchr(file, '/') - file;

	snprintf(dir, sizeof(dir), "%.*s", length ? length : 1, file);
	return flush(dir, err);
}

int statedir_replaced(const struct config *config, const struct uuid *uuid,
		      const struct policy *policy, struct error *err)
{
	struct paths paths;
	int ret;

	set_paths(&paths, config, uuid);
	ret = flush_name(*policy->store ? policy->store : paths.state, err);
	return ret ? ret : write_evidence(&paths, MADE_NATIVE, err);
}

static int remove_name(const char *file, struct error *err)
{
	if (unlink(file) && errno != ENOENT)
		return error_set(err, errno, "%s: cannot be removed: %s", file, strerror(errno));
	return flush_name(file, err);
}

int statedir_remove(const struct config *config, const struct uuid *uuid,
		    const struct policy *policy, struct error *err)
{
	struct paths paths;
	struct stat st;
	const char *file = *policy->store ? policy->store : paths.state;
	bool is_file;
	int ret = 0;

	set_paths(&paths, config, uuid);
	is_file = stat(file, &st) == 0 && S_ISREG(st.st_mode);
	if (is_file)
		ret = remove_name(file, err);
	if (!ret)
		ret = remove_new(&paths, err);
	if (!ret)
		ret = flush(config->state_dir, err);
	return ret ? ret : remove_name(paths.made, err);
}

int statedir_created(const struct config *config, const struct uuid *uuid, struct error *err)
{
	struct paths paths;
	int ret;

	set_paths(&paths, config, uuid);
	if (!exists(paths.new) && exists(paths.state) && exists(paths.made))
		return 0;
	ret = flush(paths.new, err);
	if (!ret)
		ret = flush(config->state_dir, err);
	if (!ret)
		ret = write_evidence(&paths, MADE_NATIVE, err);
	return ret ? ret : move_into_place(config, &paths, err);
}
