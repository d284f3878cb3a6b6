// SPDX-License-Identifier: GPL-2.0-only
/* Who may use a store: the lock, and the record of who has it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "der.h"
#include "vnvram_internal.h"

static const char machine_file[] = "/etc/machine-id";

/* machine-id(5) is 32 hexadecimal digits. Zeroes where there is none. */
static void read_machine(uint8_t *machine)
{
	int fd = open(machine_file, O_RDONLY | O_CLOEXEC);
	char text[33] = "";
	bool ok = fd >= 0 && read(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1;

	memset(machine, 0, 16);
	for (int i = 0; i < 16 && ok; i++) {
		unsigned int byte;

		ok = sscanf(text + 2 * i, "%2x", &byte) == 1;
		machine[i] = byte;
	}
	if (fd >= 0)
		close(fd);
}

/* Asks for all that a sandbox would forbid later. */
static void identify_self(struct vnvram_owner *self)
{
	struct utsname name;

	if (uname(&name))
		strcpy(name.nodename, "unknown");
	snprintf(self->host, sizeof(self->host), "%.*s", VNVRAM_HOST_SIZE - 1, name.nodename);
	read_machine(self->machine);
	self->pid = getpid();
}

static bool same_host(const struct vnvram_owner *a, const struct vnvram_owner *b)
{
	return !strcmp(a->host, b->host) && !memcmp(a->machine, b->machine, sizeof(a->machine));
}

const char *owner_describe(const struct vnvram_owner *owner, char *text, size_t size)
{
	time_t since = owner->since;
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&since, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	snprintf(text, size, "process %llu of host %s, since %s", (unsigned long long)owner->pid,
		 owner->host, when);
	return text;
}

static size_t content_size(const struct vnvram_owner *owner)
{
	return der_size(strlen(owner->host)) + der_size(sizeof(owner->machine)) +
	       der_number_size(owner->pid) + der_number_size(owner->since) +
	       der_number_size(owner->generation) + der_number_size(owner->held);
}

static int owner_encode(const struct vnvram *store, const struct vnvram_owner *owner,
			uint8_t *sector)
{
	size_t size = content_size(owner);
	struct bytes parts[2] = { { store->header_digest, DIGEST_SIZE } };
	uint8_t *at = sector;

	memset(sector, 0, SECTOR_SIZE);
	at = der_put_start(at, DER_SEQUENCE, der_size(size) + der_size(DIGEST_SIZE));
	parts[1] = (struct bytes){ at, der_size(size) };
	at = der_put_start(at, DER_SEQUENCE, size);
	at = der_put(at, DER_UTF8, owner->host, strlen(owner->host));
	at = der_put(at, DER_OCTETS, owner->machine, sizeof(owner->machine));
	at = der_put_number(at, DER_INTEGER, owner->pid);
	at = der_put_number(at, DER_INTEGER, owner->since);
	at = der_put_number(at, DER_INTEGER, owner->generation);
	at = der_put_number(at, DER_BOOLEAN, owner->held);
	at = der_put_start(at, DER_OCTETS, DIGEST_SIZE);
	return digest_parts(parts, 2, at);
}

/* Leaves @owner without a host if this is no record of this store. */
static int owner_decode(const struct vnvram *store, const uint8_t *sector,
			struct vnvram_owner *owner)
{
	struct der_reader reader = { sector, SECTOR_SIZE }, outer, content;
	uint8_t written[DIGEST_SIZE], computed[DIGEST_SIZE];
	struct bytes parts[2] = { { store->header_digest, DIGEST_SIZE } };
	struct vnvram_owner read;
	uint64_t held;

	memset(owner, 0, sizeof(*owner));
	if (der_enter(&reader, DER_SEQUENCE, &outer))
		return 0;
	parts[1].at = outer.at;
	if (der_enter(&outer, DER_SEQUENCE, &content))
		return 0;
	parts[1].size = outer.at - (const uint8_t *)parts[1].at;
	if (der_read_fixed(&outer, written, DIGEST_SIZE) || outer.left)
		return 0;
	if (digest_parts(parts, 2, computed))
		return -ENOMEM;
	if (memcmp(written, computed, DIGEST_SIZE) ||
	    der_read_text(&content, read.host, sizeof(read.host)) ||
	    der_read_fixed(&content, read.machine, sizeof(read.machine)) ||
	    der_read_number(&content, DER_INTEGER, &read.pid) ||
	    der_read_number(&content, DER_INTEGER, &read.since) ||
	    der_read_number(&content, DER_INTEGER, &read.generation) ||
	    der_read_number(&content, DER_BOOLEAN, &held) || content.left)
		return 0;
	read.held = held;
	*owner = read;
	return 0;
}

int owner_read(const struct vnvram *store, struct vnvram_owner *owner)
{
	uint8_t sector[SECTOR_SIZE];
	int ret = store_read(store, sector, sizeof(sector), OWNER_OFFSET);

	return ret ? ret : owner_decode(store, sector, owner);
}

/*
 * A lock on a file is known to the host that shares the file; one on a block device
 * is not, there the record is all there is.
 */
static bool locks_are_shared(const struct vnvram *store)
{
	struct stat st;

	return fstat(store->fd, &st) == 0 && S_ISREG(st.st_mode);
}

int owner_check(struct vnvram *store, const struct vnvram_owner *owner, struct error *err)
{
	char text[160];

	if (!*owner->host)
		return 0;
	if (owner->generation > store->generation)
		return error_set(err, EUCLEAN, "%s: is older than it was: it had generation %llu "
				 "already, and what is whole of it has %llu. It was damaged, or an "
				 "old copy was put in its place", store->file,
				 (unsigned long long)owner->generation,
				 (unsigned long long)store->generation);
	if (!owner->held || same_host(owner, &store->self) || store->read_only)
		return 0;
	owner_describe(owner, text, sizeof(text));
	if (!locks_are_shared(store) && !store->forced)
		return error_set(err, EBUSY, "%s: is held by %s. Only if that host is surely down, "
				 "take it with 'vtpmctl store take'", store->file, text);
	error_set(&store->warning, 0, "%s: was held by %s, which did not give it back and has "
		  "lost its lock; going on with it", store->file, text);
	return 0;
}

void vnvram_force(struct vnvram *store)
{
	store->forced = true;
}

static int owner_write(struct vnvram *store, bool held, struct error *err)
{
	uint8_t sector[SECTOR_SIZE];
	int ret;

	store->self.since = time(NULL);
	store->self.generation = store->generation;
	store->self.held = held;
	ret = owner_encode(store, &store->self, sector);
	if (!ret)
		ret = store_write(store, sector, sizeof(sector), OWNER_OFFSET);
	if (!ret)
		ret = store_flush(store);
	return ret ? error_set(err, -ret, "%s: cannot write whose it is: %s", store->file,
			       strerror(-ret)) : 0;
}

int vnvram_take(struct vnvram *store, struct error *err)
{
	int ret = owner_write(store, true, err);

	store->taken |= !ret;
	return ret;
}

int vnvram_release(struct vnvram *store, struct error *err)
{
	int ret = store->taken ? owner_write(store, false, err) : 0;

	store->taken &= !!ret;
	return ret;
}

int vnvram_locked(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_GETLK, &lock))
		return -errno;
	return lock.l_type != F_UNLCK;
}

/* The record is for people here, whatever is wrong with it. */
static int locked_by(struct vnvram *store, struct error *err)
{
	struct vnvram_owner owner = { 0 };
	struct header header;
	char text[160];

	if (!read_header(store, &header, NULL)) {
		memcpy(store->header_digest, header.digest, DIGEST_SIZE);
		owner_read(store, &owner);
	}
	if (!*owner.host || !owner.held)
		return error_set(err, EBUSY, "%s: another process uses this vTPM", store->file);
	return error_set(err, EBUSY, "%s: is in use by %s", store->file,
			 owner_describe(&owner, text, sizeof(text)));
}

int vnvram_lock(struct vnvram *store, struct error *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	identify_self(&store->self);
	if (fcntl(store->fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return locked_by(store, err);
	return error_set(err, errno, "%s: cannot lock: %s", store->file, strerror(errno));
}

int vnvram_inspect(int fd, const char *file, const struct vnvram_io *io,
		   struct vnvram_info *info, struct error *err)
{
	struct vnvram store = { .fd = fd, .io = io };
	struct slot_info slot;
	struct header header;
	int ret;

	memset(info, 0, sizeof(*info));
	snprintf(store.file, sizeof(store.file), "%s", file);
	ret = read_header(&store, &header, err);
	if (ret)
		return ret;
	memcpy(store.header_digest, header.digest, DIGEST_SIZE);
	info->version = header.version;
	info->identity = header.identity;
	info->slot_size = header.slot_size;
	for (unsigned int i = 0; i < SLOTS && !ret; i++) {
		ret = read_slot(&store, &header, i, &slot);
		info->whole[i] = slot.whole;
		info->slots[i] = slot.whole ? slot.generation : 0;
		if (!ret && slot.whole && slot.generation > info->generation) {
			info->generation = slot.generation;
			info->encrypted = slot.encrypted;
			info->writer = slot.writer;
			memcpy(info->key_id, slot.key_id, VNVRAM_KEY_ID_SIZE);
		}
		forget_slot(&slot);
	}
	if (!ret)
		ret = owner_read(&store, &info->owner);
	identify_self(&store.self);
	info->elsewhere = info->owner.held && !same_host(&info->owner, &store.self) &&
			  !locks_are_shared(&store);
	return ret ? error_set(err, -ret, "%s: cannot read: %s", file, strerror(-ret)) : 0;
}
