// SPDX-License-Identifier: GPL-2.0-only
/* The TPM core, as far as it knows of one chip. */
#include <linux/err.h>
#include <linux/slab.h>

#include "double.h"
#include "redirected.h"

static struct tpm_chip *registered;
static atomic_t chips;

struct tpm_chip *double_tpm_chip_alloc(struct device *dev,
				       const struct tpm_class_ops *ops)
{
	struct tpm_chip *chip = NULL;

	might_sleep();
	if (!double_fails("tpm_chip_alloc"))
		chip = kzalloc(sizeof(*chip), GFP_KERNEL);
	if (!chip)
		return ERR_PTR(-ENOMEM);
	chip->ops = ops;
	atomic_inc(&chips);
	return chip;
}

void double_put_device(struct device *dev)
{
	struct tpm_chip *chip = container_of(dev, struct tpm_chip, dev);

	if (registered == chip)
		double_wrong("a chip is freed that is registered");
	atomic_dec(&chips);
	kfree(chip);
}

int double_tpm_chip_start(struct tpm_chip *chip)
{
	return double_fails("tpm_chip_start") ? -EIO : 0;
}

void double_tpm_chip_stop(struct tpm_chip *chip)
{
}

int double_tpm2_probe(struct tpm_chip *chip)
{
	return double_fails("tpm2_probe") ? -EIO : 0;
}

int double_tpm_chip_register(struct tpm_chip *chip)
{
	might_sleep();
	if (double_fails("tpm_chip_register"))
		return -ENOMEM;
	if (registered)
		double_wrong("a second chip is registered");
	registered = chip;
	return 0;
}

void double_tpm_chip_unregister(struct tpm_chip *chip)
{
	might_sleep();
	if (registered != chip)
		double_wrong("a chip is unregistered that is not registered");
	registered = NULL;
}

unsigned long double_tpm_calc_ordinal_duration(struct tpm_chip *chip,
					       u32 ordinal)
{
	return msecs_to_jiffies(double_hooks.duration_ms);
}

bool double_freezing(struct task_struct *task)
{
	return READ_ONCE(double_hooks.wants_freeze);
}

/* The chip that is registered, or NULL. */
struct tpm_chip *double_chip(void)
{
	return READ_ONCE(registered);
}

int double_chips(void)
{
	return atomic_read(&chips);
}

int double_tpm_registered(void)
{
	return !!registered;
}

void double_tpm_reset(void)
{
	registered = NULL;
	atomic_set(&chips, 0);
}
