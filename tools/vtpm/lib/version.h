/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTPM_VERSION_H
#define VTPM_VERSION_H

#define VTPM_VERSION	"0.1.0"

#endif
