/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Values that people write: sizes, numbers, spans of time, yes and no; and the name that somebody who mistyped one probably meant. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All: 0, -EINVAL (no number at all) or -ERANGE (too large); *ret is untouched on failure. No blanks, no signs. */

/* "4096", "64K", "16M", "1G", "2T" (units of 1024), "0x4000000" */
int parse_size(const char *s, uint64_t *ret);
/* "12" or "0xc", at most max */
int parse_uint(const char *s, uint64_t max, uint64_t *ret);
/*
 * A span of time in microseconds, as systemd.time(7) has it: "100ms", "1min 30s", "0.5" (seconds), "infinity" (TIME_SPAN_INFINITY).
 * Blanks may be between its parts.
 */
#define TIME_SPAN_INFINITY UINT64_MAX
int parse_time_span(const char *s, uint64_t *ret_usec);
/* yes, true, on, 1; no, false, off, 0 */
int parse_boolean(const char *s, bool *ret);

/* The other way round, exact: "64M", "1234". Returns buffer. */
#define FORMAT_SIZE_MAX 24
const char *format_size(uint64_t size, char buffer[static FORMAT_SIZE_MAX]);

/* "1min 30s", exact; "infinity" */
#define FORMAT_TIME_SPAN_MAX 64
const char *format_time_span(uint64_t usec, char buffer[static FORMAT_TIME_SPAN_MAX]);

/* The name that is nearest to s, or NULL where none is near. Upper and lower case are the same. */
const char *nearest_name(const char *s, const char *const *names, size_t n_names);
