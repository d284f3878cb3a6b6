/* SPDX-License-Identifier: GPL-2.0-only */
/* vtpmctl: one file per subcommand; main.c has the table of them. */
#ifndef VTPMCTL_H
#define VTPMCTL_H

#include <jansson.h>

#define EXIT_USAGE	2
#define DEFAULT_SOCKET	"/run/xen-vtpm/vtpmd.sock"

/**
 * client_request - ask vtpmd
 * @socket: path of its control socket
 * @request: the request; the reference is taken over
 *
 * Whatever goes wrong, and an error that vtpmd answers with, is written to stderr.
 *
 * Return: the response, a new reference; NULL if something went wrong.
 */
json_t *client_request(const char *socket, json_t *request);

/**
 * command_list - vtpmctl list
 * @socket: path of vtpmd's control socket
 * @argc: words from the subcommand on
 * @argv: likewise
 *
 * Return: code to exit with.
 */
int command_list(const char *socket, int argc, char **argv);

#endif
