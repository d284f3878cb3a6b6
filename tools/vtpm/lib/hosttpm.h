/* SPDX-License-Identifier: GPL-2.0-only */
/* Starting vtpm-hosttpm. */
#ifndef VTPM_LIB_HOSTTPM_H
#define VTPM_LIB_HOSTTPM_H

/**
 * hosttpm_launch - start vtpm-hosttpm as nobody's child
 * @program: its path
 * @argv: its arguments
 * @fd: what it gets from the caller, who still owns it
 * @place: the descriptor that it finds @fd at. Standard input is empty, standard error
 *	the caller's
 *
 * A SIGCHLD for a process that was waited for already may reach the caller.
 *
 * Return: 0 or a negative errno. What goes wrong after that is said on standard error.
 */
int hosttpm_launch(const char *program, char *const *argv, int fd, int place);

#endif
