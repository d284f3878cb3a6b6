// SPDX-License-Identifier: GPL-2.0-only
#include "entries.h"

int entries_register(struct vnvram *store)
{
	static const struct {
		const char *name;
		size_t max;
	} entries[] = {
		{ PERMANENT_ENTRY, PERMANENT_MAX },
		{ VOLATILE_ENTRY, VOLATILE_MAX },
		{ SAVESTATE_ENTRY, SAVESTATE_MAX },
		{ RECORD_ENTRY, RECORD_MAX },
	};
	int ret = 0;

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]) && !ret; i++)
		ret = vnvram_register(store, entries[i].name, entries[i].max, NULL, NULL);
	return ret;
}
