/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "util/parse.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NEAREST_NAME_MAX 64U

/* Digits up to the first other character, which *ret_end is set to */
static int parse_digits(const char *s, unsigned base, uint64_t *ret, const char **ret_end) {
        uint64_t value = 0;
        const char *p;

        for (p = s; g_ascii_isxdigit(*p); p++) {
                unsigned digit = (unsigned) g_ascii_xdigit_value(*p);

                if (digit >= base)
                        break;
                if (__builtin_mul_overflow(value, (uint64_t) base, &value) ||
                    __builtin_add_overflow(value, (uint64_t) digit, &value))
                        return -ERANGE;
        }

        if (p == s)
                return -EINVAL;

        *ret = value;
        *ret_end = p;
        return 0;
}

static bool is_hexadecimal(const char *s) {
        return s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
}

int parse_size(const char *s, uint64_t *ret) {
        static const char units[] = "KMGT";
        const char *end, *unit;
        uint64_t value;
        int r;

        if (is_hexadecimal(s))
                return parse_uint(s, UINT64_MAX, ret);

        r = parse_digits(s, 10, &value, &end);
        if (r < 0)
                return r;

        if (*end != '\0') {
                unit = strchr(units, g_ascii_toupper(*end));
                if (!unit || end[1] != '\0')
                        return -EINVAL;

                unsigned shift = 10U * (unsigned) (unit - units + 1);

                if (value > UINT64_MAX >> shift)
                        return -ERANGE;
                value <<= shift;
        }

        *ret = value;
        return 0;
}

int parse_uint(const char *s, uint64_t max, uint64_t *ret) {
        bool hexadecimal = is_hexadecimal(s);
        const char *end;
        uint64_t value;
        int r;

        r = parse_digits(hexadecimal ? s + 2 : s, hexadecimal ? 16 : 10, &value, &end);
        if (r < 0)
                return r;
        if (*end != '\0')
                return -EINVAL;
        if (value > max)
                return -ERANGE;

        *ret = value;
        return 0;
}

#define SECOND  UINT64_C(1000000)
#define MINUTE  (60 * SECOND)
#define HOUR    (60 * MINUTE)
#define DAY     (24 * HOUR)
#define WEEK    (7 * DAY)

static const struct {
        const char *name;
        uint64_t usec;
} time_units[] = {
        /* The first name of each is what format_time_span() writes */
        { "w", WEEK },     { "week", WEEK },     { "weeks", WEEK },
        { "d", DAY },      { "day", DAY },       { "days", DAY },
        { "h", HOUR },     { "hour", HOUR },     { "hours", HOUR },     { "hr", HOUR },
        { "min", MINUTE }, { "minute", MINUTE }, { "minutes", MINUTE }, { "m", MINUTE },
        { "s", SECOND },   { "second", SECOND }, { "seconds", SECOND }, { "sec", SECOND },
        { "ms", 1000 },    { "msec", 1000 },
        { "us", 1 },       { "usec", 1 },        { "\302\265s", 1 },
};

static bool find_time_unit(const char *name, size_t length, uint64_t *ret_usec) {
        for (size_t i = 0; i < G_N_ELEMENTS(time_units); i++)
                if (strlen(time_units[i].name) == length && strncmp(time_units[i].name, name, length) == 0) {
                        *ret_usec = time_units[i].usec;
                        return true;
                }

        return false;
}

/* One number and its unit; *s is set behind it, and behind blanks that follow */
static int parse_time_part(const char **s, uint64_t *ret_usec) {
        const char *digits, *unit;
        uint64_t value, usec = SECOND, part = 0;
        size_t length;
        int r;

        r = parse_digits(*s, 10, &value, &digits);
        if (r < 0)
                return r;

        unit = *digits == '.' ? digits + 1 + strspn(digits + 1, "0123456789") : digits;
        if (unit == digits + 1)
                return -EINVAL;

        unit += strspn(unit, " \t");
        length = strcspn(unit, "0123456789. \t");
        if (length > 0 && !find_time_unit(unit, length, &usec))
                return -EINVAL;

        if (*digits == '.')
                for (uint64_t scale = usec / 10; g_ascii_isdigit(*++digits); scale /= 10)
                        part += scale * (uint64_t) g_ascii_digit_value(*digits);
        if (__builtin_mul_overflow(value, usec, &value) || __builtin_add_overflow(value, part, &value))
                return -ERANGE;

        *ret_usec = value;
        *s = unit + length + strspn(unit + length, " \t");
        return 0;
}

int parse_time_span(const char *s, uint64_t *ret_usec) {
        uint64_t sum = 0, part;
        int r;

        if (strcmp(s, "infinity") == 0) {
                *ret_usec = TIME_SPAN_INFINITY;
                return 0;
        }

        do {
                r = parse_time_part(&s, &part);
                if (r < 0)
                        return r;
                if (__builtin_add_overflow(sum, part, &sum) || sum == TIME_SPAN_INFINITY)
                        return -ERANGE;
        } while (*s != '\0');

        *ret_usec = sum;
        return 0;
}

int parse_boolean(const char *s, bool *ret) {
        static const char *const words[][2] = { { "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" } };

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
                for (unsigned value = 0; value < 2; value++)
                        if (g_ascii_strcasecmp(s, words[i][value]) == 0) {
                                *ret = value;
                                return 0;
                        }

        return -EINVAL;
}

const char *format_size(uint64_t size, char buffer[static FORMAT_SIZE_MAX]) {
        static const char units[] = "\0KMGT";
        unsigned unit = 0;

        while (size != 0 && size % 1024 == 0 && unit < 4) {
                size /= 1024;
                unit++;
        }

        (void) snprintf(buffer, FORMAT_SIZE_MAX, "%" PRIu64 "%.1s", size, units + unit);
        return buffer;
}

const char *format_time_span(uint64_t usec, char buffer[static FORMAT_TIME_SPAN_MAX]) {
        uint64_t last = TIME_SPAN_INFINITY;
        size_t n = 0;

        if (usec == TIME_SPAN_INFINITY || usec == 0) {
                (void) g_strlcpy(buffer, usec == 0 ? "0" : "infinity", FORMAT_TIME_SPAN_MAX);
                return buffer;
        }

        for (size_t i = 0; i < G_N_ELEMENTS(time_units); i++) {
                uint64_t unit = time_units[i].usec;

                if (unit == last || usec < unit)
                        continue;
                n += (size_t) snprintf(buffer + n, FORMAT_TIME_SPAN_MAX - n, "%s%" PRIu64 "%s", n > 0 ? " " : "", usec / unit,
                                       time_units[i].name);
                usec %= unit;
                last = unit;
        }

        return buffer;
}

/* Levenshtein's distance; both no longer than NEAREST_NAME_MAX */
static unsigned edit_distance(const char *a, const char *b) {
        unsigned row[NEAREST_NAME_MAX + 1];
        size_t n = strlen(b);

        for (unsigned j = 0; j <= n; j++)
                row[j] = j;

        for (unsigned i = 1; a[i - 1] != '\0'; i++) {
                unsigned diagonal = row[0];

                row[0] = i;
                for (unsigned j = 1; j <= n; j++) {
                        unsigned above = row[j];
                        unsigned replaced = diagonal + (g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]));

                        row[j] = MIN(replaced, MIN(above, row[j - 1]) + 1);
                        diagonal = above;
                }
        }

        return row[n];
}

const char *nearest_name(const char *s, const char *const *names, size_t n_names) {
        size_t length = strlen(s);
        unsigned best = UINT32_MAX;
        const char *nearest = NULL;

        if (length > NEAREST_NAME_MAX)
                return NULL;

        for (size_t i = 0; i < n_names; i++) {
                if (strlen(names[i]) > NEAREST_NAME_MAX)
                        continue;

                unsigned distance = edit_distance(s, names[i]);

                if (distance < best) {
                        best = distance;
                        nearest = names[i];
                }
        }

        /* One slip in three letters: more is another word */
        return best <= (length + 2) / 3 ? nearest : NULL;
}
