/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTPM_CHILD_H
#define VTPM_CHILD_H

#include <signal.h>

/**
 * child_reset_signals - after fork: forget what the parent does with signals
 *
 * What is blocked or ignored would stay so over exec.
 */
static inline void child_reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
}

#endif
