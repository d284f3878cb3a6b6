/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_TPM12_H
#define ENGINE_TPM12_H

#include "error.h"

/**
 * tpm12_prepare - make a new TPM 1.2 usable
 * @err: filled in on failure
 *
 * A TPM 1.2 leaves its maker without an endorsement key, disabled and deactivated.
 * This does what a vendor and a BIOS would: create the key, enable, activate.
 * Physical presence by command stays allowed and is neither asserted nor
 * locked, so that the guest's administrator can do what needs it.
 *
 * Return: 0; -EIO, a command failed.
 */
int tpm12_prepare(struct error *err);

#endif
