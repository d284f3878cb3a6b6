// SPDX-License-Identifier: GPL-2.0-only
/* A xenstore of a few nodes. */
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "double.h"
#include "redirected.h"

#define STORE_NODES	24
#define STORE_TEXT	64

struct store_node {
	char path[STORE_TEXT];
	char value[STORE_TEXT];
};

static DEFINE_MUTEX(store_lock);	/* protects all below */
static struct store_node nodes[STORE_NODES];
static struct store_node saved[STORE_NODES];	/* for a transaction to roll back to */
static bool in_transaction;
static unsigned int conflicts;
static unsigned int untransacted;

static struct store_node *store_find(const char *dir, const char *node)
{
	char path[STORE_TEXT];
	int i;

	snprintf(path, sizeof(path), "%s/%s", dir, node);
	for (i = 0; i < STORE_NODES; i++)
		if (!strcmp(nodes[i].path, path))
			return &nodes[i];
	return NULL;
}

static void store_put(const char *dir, const char *node, const char *fmt,
		      va_list args)
{
	struct store_node *found = store_find(dir, node);
	int i;

	for (i = 0; !found && i < STORE_NODES; i++)
		if (!nodes[i].path[0])
			found = &nodes[i];
	if (!found) {
		double_wrong("the store is full");
		return;
	}
	snprintf(found->path, sizeof(found->path), "%s/%s", dir, node);
	vsnprintf(found->value, sizeof(found->value), fmt, args);
}

/**
 * store_set() - write a node as the toolstack or the other side
 * @dir: its directory
 * @node: its name
 * @fmt: its value
 */
void store_set(const char *dir, const char *node, const char *fmt, ...)
{
	va_list args;

	mutex_lock(&store_lock);
	va_start(args, fmt);
	store_put(dir, node, fmt, args);
	va_end(args);
	mutex_unlock(&store_lock);
}

void store_rm(const char *dir, const char *node)
{
	struct store_node *found;

	mutex_lock(&store_lock);
	found = store_find(dir, node);
	if (found)
		memset(found, 0, sizeof(*found));
	mutex_unlock(&store_lock);
}

/* Returns the number in a node, or -ENOENT. */
int store_get(const char *dir, const char *node)
{
	struct store_node *found;
	int value = -ENOENT;

	mutex_lock(&store_lock);
	found = store_find(dir, node);
	if (found && kstrtoint(found->value, 10, &value))
		value = -EINVAL;
	mutex_unlock(&store_lock);
	return value;
}

/* The next @times transactions do not succeed, and must be tried again. */
void store_conflict(unsigned int times)
{
	conflicts = times;
}

/* How many nodes drivers have written outside of a transaction. */
unsigned int store_untransacted(void)
{
	return untransacted;
}

void double_store_reset(void)
{
	memset(nodes, 0, sizeof(nodes));
	in_transaction = false;
	conflicts = 0;
	untransacted = 0;
}

/* What the drivers call. */

int double_xenbus_printf(struct xenbus_transaction xbt, const char *dir,
			 const char *node, const char *fmt, ...)
{
	va_list args;

	might_sleep();
	if (!strcmp(node, "state"))
		double_wrong("the state is written past xenbus_switch_state()");
	if (double_fails("xenbus_printf"))
		return -EIO;
	mutex_lock(&store_lock);
	if (!xbt.id)
		untransacted++;
	else if (!in_transaction)
		double_wrong("%s is written in a transaction that is over", node);
	va_start(args, fmt);
	store_put(dir, node, fmt, args);
	va_end(args);
	mutex_unlock(&store_lock);
	return 0;
}

int double_xenbus_rm(struct xenbus_transaction xbt, const char *dir,
		     const char *node)
{
	might_sleep();
	if (double_fails("xenbus_rm"))
		return -EIO;
	store_rm(dir, node);
	return 0;
}

int double_xenbus_exists(struct xenbus_transaction xbt, const char *dir,
			 const char *node)
{
	bool exists;

	might_sleep();
	if (double_fails("xenbus_exists"))
		return 0;
	mutex_lock(&store_lock);
	exists = store_find(dir, node);
	mutex_unlock(&store_lock);
	return exists;
}

void *double_xenbus_read(struct xenbus_transaction xbt, const char *dir,
			 const char *node, unsigned int *length)
{
	struct store_node *found;
	char *value = NULL;

	might_sleep();
	if (double_fails("xenbus_read"))
		return ERR_PTR(-EIO);
	mutex_lock(&store_lock);
	found = store_find(dir, node);
	if (found) {
		value = double_kzalloc(STORE_TEXT, GFP_KERNEL);
		if (value)
			strscpy(value, found->value, STORE_TEXT);
	}
	mutex_unlock(&store_lock);
	if (!found)
		return ERR_PTR(-ENOENT);
	return value ?: ERR_PTR(-ENOMEM);
}

static int store_vscanf(const char *dir, const char *node, const char *fmt,
			va_list args)
{
	struct store_node *found;
	int count = -ENOENT;

	mutex_lock(&store_lock);
	found = store_find(dir, node);
	if (found)
		count = vsscanf(found->value, fmt, args) ?: -ERANGE;
	mutex_unlock(&store_lock);
	return count;
}

int double_xenbus_scanf(struct xenbus_transaction xbt, const char *dir,
			const char *node, const char *fmt, ...)
{
	va_list args;
	int count;

	might_sleep();
	if (double_fails("xenbus_scanf"))
		return -EIO;
	va_start(args, fmt);
	count = store_vscanf(dir, node, fmt, args);
	va_end(args);
	return count;
}

static int store_scan_into(void *value, const char *dir, const char *node,
			   const char *fmt, ...)
{
	va_list args;
	int count;

	va_start(args, fmt);
	count = store_vscanf(dir, node, fmt, args);
	va_end(args);
	return count;
}

unsigned int double_xenbus_read_unsigned(const char *dir, const char *node,
					 unsigned int otherwise)
{
	unsigned int value;

	might_sleep();
	if (double_fails("xenbus_read_unsigned") ||
	    store_scan_into(&value, dir, node, "%u", &value) != 1)
		return otherwise;
	return value;
}

int double_xenbus_transaction_start(struct xenbus_transaction *xbt)
{
	might_sleep();
	if (double_fails("xenbus_transaction_start"))
		return -ENOMEM;
	mutex_lock(&store_lock);
	if (in_transaction)
		double_wrong("a transaction within a transaction");
	in_transaction = true;
	memcpy(saved, nodes, sizeof(saved));
	mutex_unlock(&store_lock);
	xbt->id = 1;
	return 0;
}

int double_xenbus_transaction_end(struct xenbus_transaction xbt, int abort)
{
	int err = 0;

	might_sleep();
	if (!abort && double_fails("xenbus_transaction_end"))
		err = -EIO;
	mutex_lock(&store_lock);
	if (!in_transaction)
		double_wrong("the end of no transaction");
	in_transaction = false;
	if (!abort && !err && conflicts) {
		conflicts--;
		err = -EAGAIN;
	}
	if (abort || err)
		memcpy(nodes, saved, sizeof(nodes));
	mutex_unlock(&store_lock);
	return err;
}
