// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "vtpmctl.h"

const char *format_text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "-";
}

const char *format_number(const json_t *object, const char *key, char *buffer, size_t size)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		return "-";
	snprintf(buffer, size, "%lld", (long long)json_integer_value(value));
	return buffer;
}

int print_json(const json_t *response)
{
	int ret = json_dumpf(response, stdout, JSON_INDENT(2));

	putchar('\n');
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

bool confirm(const char *fmt, ...)
{
	char line[16] = "";
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(" [y/N] ");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y'))
		return true;
	fputs("vtpmctl: nothing was done\n", stderr);
	return false;
}
