/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_CRYPTO_H
#define ENGINE_CRYPTO_H

#include "error.h"

/**
 * crypto_set_up - set libcrypto up for a process that there are a thousand of
 * @err: filled in on failure
 *
 * To be called before anything else uses it.
 *
 * Return: 0; -EIO, libcrypto refuses.
 */
int crypto_set_up(struct error *err);

#endif
