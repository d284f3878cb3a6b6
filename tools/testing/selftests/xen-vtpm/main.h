/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The main function of the selftests of xen-vtpm; after kselftest_harness.h.
 */
#ifndef _XEN_VTPM_SELFTEST_MAIN_H
#define _XEN_VTPM_SELFTEST_MAIN_H

/* Tests that passed do not hide those that could not run. */
static void skip_is_no_pass(void)
{
	if (ksft_get_xskip_cnt() && !ksft_get_fail_cnt()) {
		fflush(stdout);
		_exit(KSFT_SKIP);
	}
}

/* What the program needs; it ends there if that is missing. */
static void needs(void);

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	needs();
	atexit(skip_is_no_pass);
	return test_harness_run(argc, argv);
}

#endif
