/* SPDX-License-Identifier: GPL-2.0-only */
/* vtpmctl: one file per subcommand; main.c has the table of them. */
#ifndef VTPMCTL_H
#define VTPMCTL_H

#include <stdbool.h>

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
 * format_text - a member as text
 * @object: the object
 * @key: the member
 *
 * Return: the text; "-" if there is none.
 */
const char *format_text(const json_t *object, const char *key);

/**
 * format_number - a member as a number
 * @object: the object
 * @key: the member
 * @buffer: where to write it
 * @size: bytes of @buffer, 24 are enough
 *
 * Return: @buffer; "-" if there is none.
 */
const char *format_number(const json_t *object, const char *key, char *buffer, size_t size);

/**
 * print_json - write a response as it is
 * @response: the response
 *
 * Return: code to exit with.
 */
int print_json(const json_t *response);

/**
 * struct choice - an option of a subcommand, besides --help
 * @name: its long form
 * @letter: its short form
 * @set: set to true when it is given; NULL if it has a value
 * @value: where to put its value; NULL if it has none
 */
struct choice {
	const char *name;
	char letter;
	bool *set;
	const char **value;
};

/**
 * struct arguments - what a subcommand takes
 * @usage: its help
 * @choices: its options, up to 16; one without a name ends them
 * @min_operands: how many words must follow
 * @max_operands: how many words may follow
 */
struct arguments {
	const char *usage;
	const struct choice *choices;
	int min_operands;
	int max_operands;
};

/**
 * parse_arguments - read the arguments of a subcommand
 * @arguments: what it takes
 * @argc: words from the subcommand on
 * @argv: likewise; the operands are at @argv[optind] afterwards
 *
 * Return: -1, go on; otherwise the code to exit with, and the help has been shown.
 */
int parse_arguments(const struct arguments *arguments, int argc, char **argv);

/**
 * show_usage - say how it would be right
 * @arguments: what the subcommand takes
 *
 * Return: code to exit with.
 */
int show_usage(const struct arguments *arguments);

/**
 * confirm - ask whether to go on
 * @fmt: the question, as for printf
 *
 * What is no clear yes is a no, and is said to be one.
 */
bool confirm(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * command_show - vtpmctl show
 * @socket: path of vtpmd's control socket
 * @argc: words from the subcommand on
 * @argv: likewise
 *
 * Return: code to exit with.
 */
int command_show(const char *socket, int argc, char **argv);

/**
 * command_reset - vtpmctl reset
 * @socket: path of vtpmd's control socket
 * @argc: words from the subcommand on
 * @argv: likewise
 *
 * Return: code to exit with.
 */
int command_reset(const char *socket, int argc, char **argv);

/**
 * command_list - vtpmctl list
 * @socket: path of vtpmd's control socket
 * @argc: words from the subcommand on
 * @argv: likewise
 *
 * Return: code to exit with.
 */
int command_list(const char *socket, int argc, char **argv);

/**
 * command_store - vtpmctl store
 * @socket: not used, these work on the files themselves
 * @argc: words from the subcommand on
 * @argv: likewise
 *
 * Return: code to exit with.
 */
int command_store(const char *socket, int argc, char **argv);

/**
 * command_import - vtpmctl import
 * @socket: not used
 * @argc: words from the subcommand on
 * @argv: likewise
 *
 * Return: code to exit with.
 */
int command_import(const char *socket, int argc, char **argv);

/**
 * command_export - vtpmctl export
 * @socket: not used
 * @argc: words from the subcommand on
 * @argv: likewise
 *
 * Return: code to exit with.
 */
int command_export(const char *socket, int argc, char **argv);

#endif
