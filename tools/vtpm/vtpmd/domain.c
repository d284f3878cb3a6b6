// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains, through libxenstore and libxencall.
 *
 * That a domain is suspended is known to the hypervisor only; the question for it is
 * XEN_DOMCTL_getdomaininfo. libxenctrl asks it, but is made anew with each release of Xen,
 * and a vtpmd linked with it would run under that one only. libxencall does not
 * change, so the question is asked here. What makes it differ between releases is its interface
 * version: any but the hypervisor's own is answered with EACCES, before anything is
 * done. So versions are tried out, once. The part of the answer that is read here,
 * domain and flags, has been where it is since Xen 3.
 *
 * All calls wait for the answer. No TPM command waits for vtpmd.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xencall.h>
#include <xenstore.h>

#include "domain.h"

#define HYPERVISOR_DOMCTL	36
#define DOMCTL_GETDOMAININFO	5
#define DOMCTL_VERSION_FIRST	0x0f
#define DOMCTL_VERSION_LAST	0x30
/* The structure has 144 bytes. The hypervisor writes all it has, so there is room to grow. */
#define DOMCTL_BUFFER_SIZE	1024

#define DOMINF_DYING		(1U << 0)
#define DOMINF_SHUTDOWN		(1U << 2)
#define DOMINF_REASON(flags)	((flags) >> 16 & 255)
#define SHUTDOWN_SUSPEND	2
#define SHUTDOWN_SOFT_RESET	5

/* The beginning of struct xen_domctl, see xen/domctl.h. */
struct domctl {
	uint32_t cmd;
	uint32_t version;
	uint16_t domid;
	uint16_t pad[3];
	/* struct xen_domctl_getdomaininfo */
	uint16_t found;
	uint16_t pad1;
	uint32_t flags;
};

_Static_assert(sizeof(struct domctl) == 24, "size of the beginning of a domctl");

struct domains {
	const struct log *log;
	struct xs_handle *store;
	xencall_handle *call;
	struct domctl *domctl;		/* in memory that the hypervisor can reach */
	uint32_t version;		/* of the domctl interface, 0 if none is accepted */
};

/* Returns 0 or a negative errno; -ESRCH, there is no domain with this or a higher id. */
static int ask(struct domains *domains, uint32_t version, uint32_t domid)
{
	struct domctl *domctl = domains->domctl;

	memset(domctl, 0, DOMCTL_BUFFER_SIZE);
	domctl->cmd = DOMCTL_GETDOMAININFO;
	domctl->version = version;
	domctl->domid = domid;
	if (xencall1(domains->call, HYPERVISOR_DOMCTL, (uintptr_t)domctl) >= 0)
		return 0;
	return errno ? -errno : -EIO;
}

/* Domain 0 always exists. */
static int find_version(struct domains *domains)
{
	int ret = -EACCES;

	for (uint32_t v = DOMCTL_VERSION_FIRST; v <= DOMCTL_VERSION_LAST && ret == -EACCES; v++) {
		ret = ask(domains, v, 0);
		if (!ret)
			domains->version = v;
	}
	return ret;
}

static int open_hypervisor(struct domains *domains)
{
	domains->call = xencall_open(NULL, 0);
	if (!domains->call)
		return -errno;
	domains->domctl = xencall_alloc_buffer(domains->call, DOMCTL_BUFFER_SIZE);
	return domains->domctl ? find_version(domains) : -ENOMEM;
}

static void open_store(struct domains *domains)
{
	domains->store = xs_open(0);
	if (!domains->store)
		log_warning(domains->log, "cannot reach the xenstore (%s): after a restart of "
			    "vtpmd no domain will be known again, and TPMs are power-cycled",
			    strerror(errno));
	else if (!xs_watch(domains->store, "@releaseDomain", "release"))
		log_warning(domains->log, "the xenstore does not tell when domains go (%s), "
			    "they are looked at every now and then", strerror(errno));
}

struct domains *domains_open(const struct log *log)
{
	struct domains *domains = calloc(1, sizeof(*domains));
	int ret;

	if (!domains)
		return NULL;
	domains->log = log;
	open_store(domains);
	ret = open_hypervisor(domains);
	if (ret)
		log_warning(log, "cannot ask the hypervisor about domains (%s): whether one is "
			    "suspended stays unknown, and the TPM of a guest that is saved and "
			    "restored, or migrated, is power-cycled. Run vtpmd in dom0, as root",
			    strerror(-ret));
	return domains;
}

void domains_close(struct domains *domains)
{
	if (!domains)
		return;
	if (domains->domctl)
		xencall_free_buffer(domains->call, domains->domctl);
	if (domains->call)
		xencall_close(domains->call);
	xs_close(domains->store);
	free(domains);
}

int domains_fd(const struct domains *domains)
{
	return domains->store ? xs_fileno(domains->store) : -1;
}

void domains_drain(struct domains *domains)
{
	char **event;

	while ((event = xs_check_watch(domains->store)))
		free(event);
}

/* The hypervisor answers for the next domain if there is none with this id. */
static void look_by_hypervisor(struct domains *domains, uint32_t domid,
			       struct domain_info *info)
{
	const struct domctl *domctl = domains->domctl;
	int ret = ask(domains, domains->version, domid);
	bool shut_down;

	info->known = !ret || ret == -ESRCH;
	info->exists = !ret && domctl->found == domid;
	if (!info->exists)
		return;
	info->dying = domctl->flags & DOMINF_DYING;
	shut_down = domctl->flags & DOMINF_SHUTDOWN;
	info->suspended = shut_down && DOMINF_REASON(domctl->flags) == SHUTDOWN_SUSPEND;
	info->soft_reset = shut_down && DOMINF_REASON(domctl->flags) == SHUTDOWN_SOFT_RESET;
}

void domain_look(struct domains *domains, uint32_t domid, struct domain_info *info)
{
	memset(info, 0, sizeof(*info));
	if (domains->version) {
		look_by_hypervisor(domains, domid, info);
		return;
	}
	if (!domains->store)
		return;
	errno = 0;
	info->exists = xs_is_domain_introduced(domains->store, domid);
	info->known = info->exists || !errno;
}

static void token_path(char *path, size_t size, uint32_t domid, const char *uuid)
{
	snprintf(path, size, "/local/domain/%u/vtpm/%s", domid, uuid);
}

int domain_read_token(struct domains *domains, uint32_t domid, const char *uuid,
		      char token[DOMAIN_TOKEN_SIZE])
{
	unsigned int size;
	char path[128], *text;

	if (!domains->store)
		return -ENODEV;
	token_path(path, sizeof(path), domid, uuid);
	text = xs_read(domains->store, XBT_NULL, path, &size);
	if (!text)
		return errno ? -errno : -EIO;
	snprintf(token, DOMAIN_TOKEN_SIZE, "%s", text);
	free(text);
	return size == DOMAIN_TOKEN_SIZE - 1 ? 0 : -ENOENT;
}

int domain_write_token(struct domains *domains, uint32_t domid, const char *uuid,
		       const char *token)
{
	char path[128];

	if (!domains->store)
		return -ENODEV;
	token_path(path, sizeof(path), domid, uuid);
	return xs_write(domains->store, XBT_NULL, path, token, strlen(token)) ? 0 : -errno;
}
