// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests are told. It is a module of its own, loaded before theirs: KUnit runs the
 * tests of a module before the parameters of the module are read.
 */
#include <linux/module.h>

#include "options.h"

unsigned long long vtpm_kunit_seed = 1;
EXPORT_SYMBOL_GPL(vtpm_kunit_seed);
module_param_named(seed, vtpm_kunit_seed, ullong, 0444);
MODULE_PARM_DESC(seed, "Where the random walks begin (1)");

unsigned int vtpm_kunit_rounds = 10000;
EXPORT_SYMBOL_GPL(vtpm_kunit_rounds);
module_param_named(rounds, vtpm_kunit_rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "Steps of each random walk (10000)");

char *vtpm_kunit_only;
EXPORT_SYMBOL_GPL(vtpm_kunit_only);
module_param_named(only, vtpm_kunit_only, charp, 0444);
MODULE_PARM_DESC(only, "Name of the one case to run, the others are skipped");

MODULE_DESCRIPTION("Options of the KUnit tests of xen-tpmback and xen-tpmfront");
MODULE_LICENSE("GPL");
