/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTPM_ERROR_H
#define VTPM_ERROR_H

/* Longest text of an error, with its terminating zero. */
#define ERROR_TEXT_SIZE	448

/**
 * struct error - what went wrong, for a person to read
 * @text: one sentence that names the guilty thing and the cause; "" when unset
 *
 * Functions that can fail in ways a user has to understand return 0 or a
 * negative errno and fill in one of these.
 */
struct error {
	char text[ERROR_TEXT_SIZE];
};

/**
 * error_set - note an error
 * @err: where to note it; NULL to note it nowhere
 * @code: positive errno
 * @fmt: text, as for printf
 *
 * Return: -@code, so that a caller can return it at once.
 */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
