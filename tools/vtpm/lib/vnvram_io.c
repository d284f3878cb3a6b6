// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "vnvram.h"

const struct vnvram_io vnvram_system_io = {
	.pread = pread,
	.pwrite = pwrite,
	.fdatasync = fdatasync,
};
