// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of a sealed key, in DER:
 *
 *	SealedKey ::= SEQUENCE {
 *		format	UTF8String ("xen-vtpm sealed key"),
 *		version	INTEGER (1),
 *		public	OCTET STRING,	-- a TPM2B_PUBLIC
 *		private	OCTET STRING,	-- a TPM2B_PRIVATE
 *		pcrs	SEQUENCE {
 *			hash	INTEGER,		-- a TPM_ALG_ID
 *			mask	OCTET STRING (SIZE (3))	-- bit n % 8 of byte n / 8: PCR n
 *		} OPTIONAL
 *	}
 *
 * The parent of the object is not in it: it is made from the template in tpm.c, which
 * belongs to the version.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_mu.h>
#include <unistd.h>

#include "der.h"
#include "hosttpm.h"

#define FORMAT		"xen-vtpm sealed key"
#define VERSION		1
#define MAX_FILE_SIZE	4096

/* Both areas of a TPM object, as a TPM writes them. */
struct areas {
	uint8_t public[sizeof(TPM2B_PUBLIC)];
	size_t public_size;
	uint8_t private[sizeof(TPM2B_PRIVATE)];
	size_t private_size;
};

static int marshal(const struct sealed *sealed, struct areas *areas)
{
	areas->public_size = areas->private_size = 0;
	return Tss2_MU_TPM2B_PUBLIC_Marshal(&sealed->public, areas->public,
					    sizeof(areas->public), &areas->public_size) ||
	       Tss2_MU_TPM2B_PRIVATE_Marshal(&sealed->private, areas->private,
					     sizeof(areas->private), &areas->private_size) ?
	       -EINVAL : 0;
}

static size_t pcrs_size(const struct pcrs *pcrs)
{
	return pcrs->hash ? der_number_size(pcrs->hash) + der_size(PCR_MASK_SIZE) : 0;
}

static size_t encode(const struct areas *areas, const struct pcrs *pcrs, uint8_t *bytes)
{
	size_t size = der_size(strlen(FORMAT)) + der_number_size(VERSION) +
		      der_size(areas->public_size) + der_size(areas->private_size);
	uint8_t *at = bytes;

	if (pcrs->hash)
		size += der_size(pcrs_size(pcrs));
	if (der_size(size) > MAX_FILE_SIZE)
		return 0;
	at = der_put_start(at, DER_SEQUENCE, size);
	at = der_put(at, DER_UTF8, FORMAT, strlen(FORMAT));
	at = der_put_number(at, DER_INTEGER, VERSION);
	at = der_put(at, DER_OCTETS, areas->public, areas->public_size);
	at = der_put(at, DER_OCTETS, areas->private, areas->private_size);
	if (pcrs->hash) {
		at = der_put_start(at, DER_SEQUENCE, pcrs_size(pcrs));
		at = der_put_number(at, DER_INTEGER, pcrs->hash);
		at = der_put(at, DER_OCTETS, pcrs->mask, PCR_MASK_SIZE);
	}
	return at - bytes;
}

static int decode_pcrs(struct der_reader *file, struct pcrs *pcrs)
{
	struct der_reader inside;
	uint64_t hash;

	*pcrs = (struct pcrs){ 0 };
	if (!file->left)
		return 0;
	if (der_enter(file, DER_SEQUENCE, &inside) || file->left ||
	    der_read_number(&inside, DER_INTEGER, &hash) || !hash || hash > UINT16_MAX ||
	    der_read_fixed(&inside, pcrs->mask, PCR_MASK_SIZE) || inside.left)
		return -EINVAL;
	pcrs->hash = hash;
	return 0;
}

static int decode_areas(struct der_reader *file, struct sealed *sealed)
{
	struct der_reader public, private;
	size_t public_used = 0, private_used = 0;

	memset(sealed, 0, sizeof(*sealed));
	return der_enter(file, DER_OCTETS, &public) || der_enter(file, DER_OCTETS, &private) ||
	       Tss2_MU_TPM2B_PUBLIC_Unmarshal(public.at, public.left, &public_used,
					      &sealed->public) ||
	       Tss2_MU_TPM2B_PRIVATE_Unmarshal(private.at, private.left, &private_used,
					       &sealed->private) ||
	       public_used != public.left || private_used != private.left ? -EINVAL : 0;
}

static int decode(const char *file, const uint8_t *bytes, size_t size, struct sealed *sealed,
		  struct error *err)
{
	struct der_reader reader = { bytes, size }, inside;
	char format[sizeof(FORMAT)];
	uint64_t version;

	if (der_enter(&reader, DER_SEQUENCE, &inside) ||
	    der_read_text(&inside, format, sizeof(format)) || strcmp(format, FORMAT))
		return error_set(err, EINVAL, "%s: not a sealed key, or truncated; restore it "
				 "from a backup", file);
	if (der_read_number(&inside, DER_INTEGER, &version) || version != VERSION)
		return error_set(err, EPROTO, "%s: of another version than %d; use the "
				 "vtpm-hosttpm that made it", file, VERSION);
	if (reader.left || decode_areas(&inside, sealed) || decode_pcrs(&inside, &sealed->pcrs))
		return error_set(err, EUCLEAN, "%s: damaged; restore it from a backup", file);
	return 0;
}

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0)
			return -errno;
		bytes += n;
		size -= n;
	}
	return fsync(fd) ? -errno : 0;
}

static int sync_directory(const char *file)
{
	char copy[PATH_MAX];
	int fd, ret;

	if (strlen(file) >= sizeof(copy))
		return -ENAMETOOLONG;
	fd = open(dirname(strcpy(copy, file)), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = fsync(fd) ? -errno : 0;
	close(fd);
	return ret;
}

int sealed_file_create(const char *file, const struct sealed *sealed, struct error *err)
{
	uint8_t bytes[MAX_FILE_SIZE];
	struct areas areas;
	size_t size;
	int fd, ret;

	size = marshal(sealed, &areas) ? 0 : encode(&areas, &sealed->pcrs, bytes);
	if (!size)
		return error_set(err, EFBIG, "%s: what the TPM gave does not fit", file);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err, errno, "%s: cannot make it: %s", file, strerror(errno));
	ret = write_all(fd, bytes, size);
	close(fd);
	if (!ret)
		ret = sync_directory(file);
	if (!ret)
		return 0;
	unlink(file);
	return error_set(err, -ret, "%s: cannot write it: %s", file, strerror(-ret));
}

int sealed_file_read(const char *file, struct sealed *sealed, struct error *err)
{
	uint8_t bytes[MAX_FILE_SIZE + 1];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t n = -1;

	while (fd >= 0 && size < sizeof(bytes)) {
		n = read(fd, bytes + size, sizeof(bytes) - size);
		if (n <= 0)
			break;
		size += n;
	}
	if (n < 0)
		error_set(err, errno, "%s: cannot read it: %s", file, strerror(errno));
	if (fd >= 0)
		close(fd);
	return n < 0 ? -EIO : decode(file, bytes, size, sealed, err);
}
