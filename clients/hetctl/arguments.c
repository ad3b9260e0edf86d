/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "arguments.h"

#include <errno.h>
#include <string.h>

#include "failure.h"
#include "util/parse.h"

void arguments_expand_json(int argc, char **argv) {
        static char pretty[] = "--json=pretty";

        for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
                if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0)
                        argv[i] = pretty;
}

bool arguments_parse_json(const char *text, JsonFormat *ret, GError **error) {
        if (strcmp(text, "off") == 0)
                *ret = JSON_OFF;
        else if (strcmp(text, "short") == 0)
                *ret = JSON_SHORT;
        else if (strcmp(text, "pretty") == 0)
                *ret = JSON_PRETTY;
        else
                return failure_usage(error, NULL, "--json=%s: it is one of short, pretty and off.", text);

        return true;
}

bool arguments_parse_timeout(const char *text, uint64_t *ret_usec, GError **error) {
        uint64_t usec;

        if (parse_time_span(text, &usec) < 0 || usec == 0)
                return failure_usage(error, NULL,
                                     "--timeout=%s: a time above 0 is wanted, such as 30, 30s, 500ms, 2min or infinity.", text);

        *ret_usec = usec;
        return true;
}

bool arguments_parse_number(const char *what, const char *text, uint64_t max, uint64_t *ret, GError **error) {
        bool hexadecimal = g_ascii_strncasecmp(text, "0x", 2) == 0;
        const char *digits = hexadecimal ? text + 2 : text;
        char *end = NULL;

        errno = 0;
        uint64_t value = g_ascii_strtoull(digits, &end, hexadecimal ? 16 : 10);
        if (!g_ascii_isxdigit(*digits) || *end || errno != 0)
                return failure_usage(error, NULL,
                                     "%s: '%s' is not a number (decimal, or hexadecimal as in 0x60000000).", what,
                                     text);
        if (value > max)
                return failure_usage(error, NULL, "%s: %s is too large, the largest is %" PRIu64 ".", what, text, max);

        *ret = value;
        return true;
}

bool arguments_parse_assignment(const char *text, char **ret_name, char **ret_value, GError **error) {
        const char *equals = strchr(text, '=');

        if (!equals || equals == text)
                return failure_usage(error, NULL, "--set: '%s' is not of the form NAME=VALUE.", text);

        *ret_name = g_strndup(text, (size_t) (equals - text));
        *ret_value = g_strdup(equals + 1);
        return true;
}

bool arguments_split_name(const char *text, char **ret_platform, char **ret_name, GError **error) {
        const char *slash = strchr(text, '/');

        if (!*text || slash == text || (slash && (!slash[1] || strchr(slash + 1, '/'))))
                return failure_usage(error, NULL, "'%s' is not of the form PLATFORM/PROCESSOR, nor a name alone.",
                                     text);

        *ret_platform = slash ? g_strndup(text, (size_t) (slash - text)) : NULL;
        *ret_name = g_strdup(slash ? slash + 1 : text);
        return true;
}

bool arguments_is_file(const char *text) {
        return strchr(text, '/') || g_str_has_suffix(text, ".platform");
}
