/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for drivers/char/tpm/tpm.h, which packages of kernel headers do not
 * have: the functions that the TPM core exports and xen-tpmfront calls. The
 * kernel's symbol versions are checked when the module is loaded.
 */
#ifndef _XEN_VTPM_COMPAT_TPM_H
#define _XEN_VTPM_COMPAT_TPM_H

#include <linux/tpm.h>

struct tpm_chip *tpm_chip_alloc(struct device *dev,
				const struct tpm_class_ops *ops);
int tpm_chip_register(struct tpm_chip *chip);
void tpm_chip_unregister(struct tpm_chip *chip);
int tpm_chip_start(struct tpm_chip *chip);
void tpm_chip_stop(struct tpm_chip *chip);
int tpm2_probe(struct tpm_chip *chip);
unsigned long tpm_calc_ordinal_duration(struct tpm_chip *chip, u32 ordinal);

#endif
