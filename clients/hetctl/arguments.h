/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What users type, turned into values. Failures are usage errors (failure.h) that say what would be right. */

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#define TIMEOUT_INFINITE UINT64_MAX

typedef enum JsonFormat {
        JSON_OFF,
        JSON_SHORT,             /* one line */
        JSON_PRETTY,
} JsonFormat;

/*
 * "--json" and "-j" alone become "--json=pretty", up to "--": GLib would take the next word for its value. argv's
 * strings may be replaced by static ones.
 */
void arguments_expand_json(int argc, char **argv);
bool arguments_parse_json(const char *text, JsonFormat *ret, GError **error);

/* "5", "5s", "500ms", "2min", "infinity" */
bool arguments_parse_timeout(const char *text, uint64_t *ret_usec, GError **error);

/* Decimal, or hexadecimal with 0x; what is for the message */
bool arguments_parse_number(const char *what, const char *text, uint64_t max, uint64_t *ret, GError **error);

/* "NAME=VALUE" */
bool arguments_parse_assignment(const char *text, char **ret_name, char **ret_value, GError **error);

/* "PLATFORM/PROCESSOR", or one name alone: then *ret_platform is NULL and the name is in *ret_name */
bool arguments_split_name(const char *text, char **ret_platform, char **ret_name, GError **error);

/* Whether the argument of start is a file: it has a slash in it, or ends in ".platform" */
bool arguments_is_file(const char *text);
