// SPDX-License-Identifier: GPL-2.0-only
/* In an engine for benchmarks: leave out what engine_keep() does, on demand. */
#include <stdlib.h>

#include "../engine/engine.h"
#include "without_keep.h"

int __real_engine_keep(struct engine *engine, bool with_state);
int __wrap_engine_keep(struct engine *engine, bool with_state);

int __wrap_engine_keep(struct engine *engine, bool with_state)
{
	static int without = -1;

	if (without < 0)
		without = getenv(WITHOUT_KEEP) != NULL;
	return without ? 0 : __real_engine_keep(engine, with_state);
}
