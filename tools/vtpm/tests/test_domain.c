// SPDX-License-Identifier: GPL-2.0-only
/* vtpmd/domain.c with another hypervisor and another xenstore below. */
#include "cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/domctl.h>
#include <xen/sched.h>
#include <xen/xen.h>
#include <xencall.h>
#include <xenstore.h>

#include "domain.h"

/* What the hypervisor is like. */
static uint32_t version;
static int refusal;			/* errno that everything is answered with, or 0 */
static unsigned int calls;
static const struct {
	uint16_t domid;
	uint32_t flags;
} domains[] = {
	{ 0, XEN_DOMINF_running },
	{ 3, XEN_DOMINF_shutdown | SHUTDOWN_suspend << XEN_DOMINF_shutdownshift },
	{ 4, XEN_DOMINF_shutdown | SHUTDOWN_reboot << XEN_DOMINF_shutdownshift },
	{ 5, XEN_DOMINF_dying | XEN_DOMINF_shutdown |
	     SHUTDOWN_suspend << XEN_DOMINF_shutdownshift },
	{ 6, SHUTDOWN_suspend << XEN_DOMINF_shutdownshift },
	{ 8, XEN_DOMINF_shutdown | SHUTDOWN_soft_reset << XEN_DOMINF_shutdownshift },
};

static bool store_answers;
static char store_path[128], store_value[64];

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned int flags)
{
	static int handle;

	(void)logger;
	(void)flags;
	return (xencall_handle *)&handle;
}

int xencall_close(xencall_handle *call)
{
	(void)call;
	return 0;
}

void *xencall_alloc_buffer(xencall_handle *call, size_t size)
{
	(void)call;
	return malloc(size);
}

void xencall_free_buffer(xencall_handle *call, void *buffer)
{
	(void)call;
	free(buffer);
}

static int answer_with(int code)
{
	errno = code;
	return -1;
}

int xencall1(xencall_handle *call, unsigned int op, uint64_t arg)
{
	struct xen_domctl *domctl = (struct xen_domctl *)(uintptr_t)arg;

	(void)call;
	calls++;
	assert_int_equal(op, __HYPERVISOR_domctl);
	assert_int_equal(domctl->cmd, XEN_DOMCTL_getdomaininfo);
	if (refusal || domctl->interface_version != version)
		return answer_with(refusal ? refusal : EACCES);
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		if (domains[i].domid < domctl->domain)
			continue;
		memset(&domctl->u, 0xff, sizeof(domctl->u));
		domctl->domain = domctl->u.getdomaininfo.domain = domains[i].domid;
		domctl->u.getdomaininfo.flags = domains[i].flags;
		return 0;
	}
	return answer_with(ESRCH);
}

struct xs_handle *xs_open(unsigned long flags)
{
	static int handle;

	(void)flags;
	errno = ENOENT;
	return store_answers ? (struct xs_handle *)&handle : NULL;
}

void xs_close(struct xs_handle *store)
{
	(void)store;
}

bool xs_watch(struct xs_handle *store, const char *path, const char *token)
{
	(void)store;
	(void)token;
	return !strcmp(path, "@releaseDomain");
}

char **xs_check_watch(struct xs_handle *store)
{
	(void)store;
	return NULL;
}

int xs_fileno(struct xs_handle *store)
{
	(void)store;
	return 42;
}

bool xs_is_domain_introduced(struct xs_handle *store, unsigned int domid)
{
	(void)store;
	return domid == 3;
}

void *xs_read(struct xs_handle *store, xs_transaction_t t, const char *path, unsigned int *size)
{
	(void)store;
	(void)t;
	errno = ENOENT;
	if (strcmp(path, store_path))
		return NULL;
	*size = strlen(store_value);
	return strdup(store_value);
}

bool xs_write(struct xs_handle *store, xs_transaction_t t, const char *path, const void *data,
	      unsigned int size)
{
	(void)store;
	(void)t;
	snprintf(store_path, sizeof(store_path), "%s", path);
	snprintf(store_value, sizeof(store_value), "%.*s", (int)size, (const char *)data);
	return true;
}

static struct domains *open_with(uint32_t new_version, int new_refusal, bool store)
{
	static struct log log = { .fd = -1 };
	struct domains *result;

	version = new_version;
	refusal = new_refusal;
	store_answers = store;
	result = domains_open(&log);
	assert_non_null(result);
	return result;
}

static void check(struct domains *handle, uint32_t domid, struct domain_info expected)
{
	struct domain_info info;

	domain_look(handle, domid, &info);
	assert_int_equal(info.known, expected.known);
	assert_int_equal(info.exists, expected.exists);
	assert_int_equal(info.dying, expected.dying);
	assert_int_equal(info.suspended, expected.suspended);
	assert_int_equal(info.soft_reset, expected.soft_reset);
}

static void check_all(struct domains *handle)
{
	check(handle, 0, (struct domain_info){ .known = true, .exists = true });
	check(handle, 1, (struct domain_info){ .known = true });
	check(handle, 3, (struct domain_info){ .known = true, .exists = true,
					       .suspended = true });
	check(handle, 4, (struct domain_info){ .known = true, .exists = true });
	check(handle, 5, (struct domain_info){ .known = true, .exists = true, .dying = true,
					       .suspended = true });
	/* A reason without a shutdown means nothing. */
	check(handle, 6, (struct domain_info){ .known = true, .exists = true });
	check(handle, 7, (struct domain_info){ .known = true });
	check(handle, 8, (struct domain_info){ .known = true, .exists = true,
					       .soft_reset = true });
	check(handle, 9, (struct domain_info){ .known = true });
}

static void test_all_releases(void **state)
{
	(void)state;
	for (uint32_t v = 0x0f; v <= 0x30; v++) {
		struct domains *handle = open_with(v, 0, true);
		unsigned int before = calls;

		check_all(handle);
		assert_int_equal(calls - before, 9);
		domains_close(handle);
	}
}

static void test_unknown_release(void **state)
{
	struct domains *handle = open_with(0x31, 0, false);

	(void)state;
	check(handle, 3, (struct domain_info){ 0 });
	domains_close(handle);
}

/* A domain that the hypervisor does not answer: it asks once. */
static void test_driver_domain(void **state)
{
	unsigned int before = calls;
	struct domains *handle = open_with(0x15, EPERM, true);

	(void)state;
	assert_int_equal(calls - before, 1);
	errno = 0;
	check(handle, 3, (struct domain_info){ .known = true, .exists = true });
	check(handle, 4, (struct domain_info){ .known = true });
	domains_close(handle);
}

static void test_hypervisor_fails_later(void **state)
{
	struct domains *handle = open_with(0x15, 0, true);

	(void)state;
	refusal = EFAULT;
	check(handle, 3, (struct domain_info){ 0 });
	domains_close(handle);
}

static void test_token(void **state)
{
	struct domains *handle = open_with(0x15, 0, true);
	char token[DOMAIN_TOKEN_SIZE];

	(void)state;
	assert_int_equal(domain_read_token(handle, 7, "some-uuid", token), -ENOENT);
	assert_int_equal(domain_write_token(handle, 7, "some-uuid",
					    "00112233445566778899aabbccddeeff"), 0);
	assert_string_equal(store_path, "/local/domain/7/vtpm/some-uuid");
	assert_int_equal(domain_read_token(handle, 7, "some-uuid", token), 0);
	assert_string_equal(token, "00112233445566778899aabbccddeeff");
	assert_int_equal(domain_read_token(handle, 8, "some-uuid", token), -ENOENT);
	strcpy(store_value, "short");
	assert_int_equal(domain_read_token(handle, 7, "some-uuid", token), -ENOENT);
	domains_close(handle);
	handle = open_with(0x15, 0, false);
	assert_int_equal(domains_fd(handle), -1);
	assert_int_equal(domain_read_token(handle, 7, "some-uuid", token), -ENODEV);
	domains_close(handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_releases),
		cmocka_unit_test(test_unknown_release),
		cmocka_unit_test(test_driver_domain),
		cmocka_unit_test(test_hypervisor_fails_later),
		cmocka_unit_test(test_token),
	};

	return cmocka_run_group_tests_name("domain", tests, NULL, NULL);
}
