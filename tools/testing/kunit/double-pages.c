// SPDX-License-Identifier: GPL-2.0-only
/*
 * Granted pages. Either side sees them through an address of its own, which is good for
 * nothing once it has been given back; KASAN and the MMU see to that.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/vmalloc.h>

#include <xen/interface/io/tpmif.h>

#include "double.h"
#include "redirected.h"

#define FIRST_RING_GREF	100

struct area {
	void *address;
	unsigned int count;
	grant_ref_t grefs[VTPM_EXTENSION_PAGES];
};

static DEFINE_MUTEX(pages_lock);	/* protects all below */
static struct {
	grant_ref_t gref;
	struct page *page;
} grants[DOUBLE_MAX];
static struct area mappings[DOUBLE_MAX];
static struct area rings[DOUBLE_MAX];
static grant_ref_t next_gref;

static struct area *area_find(struct area *areas, const void *address)
{
	int i;

	for (i = 0; i < DOUBLE_MAX; i++)
		if (areas[i].address == address)
			return &areas[i];
	return NULL;
}

static int areas_used(const struct area *areas)
{
	int i, used = 0;

	for (i = 0; i < DOUBLE_MAX; i++)
		used += !!areas[i].address;
	return used;
}

static void grant_set(grant_ref_t gref, struct page *page)
{
	int i, chosen = -1;

	for (i = 0; i < DOUBLE_MAX; i++)
		if (grants[i].page && grants[i].gref == gref)
			chosen = i;
	for (i = 0; i < DOUBLE_MAX && chosen < 0; i++)
		if (!grants[i].page)
			chosen = i;
	if (chosen < 0) {
		double_wrong("too many grants");
		return;
	}
	grants[chosen].gref = gref;
	grants[chosen].page = page;
}

/* Grant @page, or nothing any more if it is NULL; the caller keeps the page. */
void double_grant(grant_ref_t gref, struct page *page)
{
	mutex_lock(&pages_lock);
	grant_set(gref, page);
	mutex_unlock(&pages_lock);
}

void double_revoke(grant_ref_t gref)
{
	double_grant(gref, NULL);
}

static struct page *grant_page(grant_ref_t gref)
{
	int i;

	for (i = 0; i < DOUBLE_MAX; i++)
		if (grants[i].page && grants[i].gref == gref)
			return grants[i].page;
	return NULL;
}

/* Returns the page that is granted, referenced, or NULL. */
struct page *double_granted(grant_ref_t gref)
{
	struct page *page;

	mutex_lock(&pages_lock);
	page = grant_page(gref);
	if (page)
		get_page(page);
	mutex_unlock(&pages_lock);
	return page;
}

/* Whether an address lies in a mapping of the backend's; no lock, for hooks. */
bool double_is_mapped(const void *p)
{
	const u8 *start;
	int i;

	for (i = 0; i < DOUBLE_MAX; i++) {
		start = mappings[i].address;
		if (start && (const u8 *)p >= start &&
		    (const u8 *)p < start + mappings[i].count * PAGE_SIZE)
			return true;
	}
	return false;
}

static int pages_map(const grant_ref_t *grefs, unsigned int count,
		     void **address)
{
	struct page *pages[VTPM_EXTENSION_PAGES];
	struct area *area = area_find(mappings, NULL);
	unsigned int i;

	for (i = 0; i < count; i++) {
		pages[i] = grant_page(grefs[i]);
		if (!pages[i])
			return -EINVAL;
	}
	*address = vmap(pages, count, VM_MAP, PAGE_KERNEL);
	if (!*address || !area)
		return -ENOMEM;
	area->address = *address;
	area->count = count;
	return 0;
}

int double_xenbus_map_ring_valloc(struct xenbus_device *xdev,
				  grant_ref_t *grefs, unsigned int count,
				  void **address)
{
	int err;

	might_sleep();
	*address = NULL;
	if (count < 1 || count > VTPM_EXTENSION_PAGES) {
		double_wrong("%u pages are mapped", count);
		return -EINVAL;
	}
	if (double_fails("xenbus_map_ring_valloc"))
		return -ENOMEM;
	mutex_lock(&pages_lock);
	err = pages_map(grefs, count, address);
	mutex_unlock(&pages_lock);
	return err;
}

int double_xenbus_unmap_ring_vfree(struct xenbus_device *xdev, void *address)
{
	struct area *area;

	might_sleep();
	mutex_lock(&pages_lock);
	area = address ? area_find(mappings, address) : NULL;
	if (!area) {
		double_wrong("what is not mapped is unmapped");
	} else {
		area->address = NULL;
		vunmap(address);
	}
	mutex_unlock(&pages_lock);
	return area ? 0 : -ENOENT;
}

static void ring_free(struct page **pages, unsigned int count)
{
	while (count--)
		put_page(pages[count]);
}

static int ring_make(struct area *area, unsigned int count, gfp_t flags)
{
	struct page *pages[VTPM_EXTENSION_PAGES];
	unsigned int i;

	for (i = 0; i < count; i++) {
		pages[i] = alloc_page(flags | __GFP_ZERO);
		if (!pages[i]) {
			ring_free(pages, i);
			return -ENOMEM;
		}
	}
	area->address = vmap(pages, count, VM_MAP, PAGE_KERNEL);
	if (!area->address) {
		ring_free(pages, count);
		return -ENOMEM;
	}
	area->count = count;
	for (i = 0; i < count; i++) {
		area->grefs[i] = next_gref++;
		grant_set(area->grefs[i], pages[i]);
	}
	return 0;
}

int double_xenbus_setup_ring(struct xenbus_device *xdev, gfp_t flags,
			     void **address, unsigned int count,
			     grant_ref_t *grefs)
{
	struct area *area;
	int err;

	might_alloc(flags);
	*address = NULL;
	memset(grefs, 0xff, count * sizeof(*grefs));
	if (double_fails("xenbus_setup_ring"))
		return -ENOMEM;
	mutex_lock(&pages_lock);
	area = area_find(rings, NULL);
	err = area ? ring_make(area, count, flags) : -ENOMEM;
	if (!err) {
		*address = area->address;
		memcpy(grefs, area->grefs, count * sizeof(*grefs));
	}
	mutex_unlock(&pages_lock);
	return err;
}

static void ring_unmake(struct area *area)
{
	unsigned int i;
	struct page *page;

	vunmap(area->address);
	area->address = NULL;
	for (i = 0; i < area->count; i++) {
		page = grant_page(area->grefs[i]);
		grant_set(area->grefs[i], NULL);
		put_page(page);
	}
}

void double_xenbus_teardown_ring(void **address, unsigned int count,
				 grant_ref_t *grefs)
{
	struct area *area;

	might_sleep();
	if (double_lines())
		double_wrong("a ring is torn down whose event channel is bound");
	mutex_lock(&pages_lock);
	area = *address ? area_find(rings, *address) : NULL;
	if (!area || area->count != count ||
	    memcmp(area->grefs, grefs, count * sizeof(*grefs)))
		double_wrong("a ring is torn down that is not set up");
	else
		ring_unmake(area);
	mutex_unlock(&pages_lock);
	*address = NULL;
	memset(grefs, 0xff, count * sizeof(*grefs));
}

int double_mappings(void)
{
	return areas_used(mappings);
}

int double_rings(void)
{
	return areas_used(rings);
}

void double_pages_reset(void)
{
	memset(grants, 0, sizeof(grants));
	memset(mappings, 0, sizeof(mappings));
	memset(rings, 0, sizeof(rings));
	next_gref = FIRST_RING_GREF;
}
