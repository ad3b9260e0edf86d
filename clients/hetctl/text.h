/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Values as people read them. What comes from elsewhere (descriptions, QEMU's errors) is cleaned before it meets a
 * terminal. */

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum Color {
        COLOR_NONE,
        COLOR_RED,
        COLOR_GREEN,
        COLOR_YELLOW,
        COLOR_CYAN,
        COLOR_GREY,
        COLOR_BOLD,
        _COLOR_MAX,
} Color;

const char *text_color(Color color);            /* escape sequence; of COLOR_NONE: the one that ends a colour */
Color text_state_color(const char *state);      /* of a platform or a processor */

char *text_size(uint64_t bytes);                /* exact: "64M", "1536K", "100" */
char *text_window(uint64_t address, uint64_t size);     /* as in a platform file: "64M@0x60000000"; "-" with no size */
char *text_duration(uint64_t usec);             /* "850 ms", "12 s", "3 min 20 s", "5 h 2 min", "3 d 4 h" */

/* One line of printable UTF-8: controls become spaces, broken encoding is shown as such */
char *text_clean(const char *text);
size_t text_width(const char *text);            /* columns on a terminal */
char *text_ellipsize(const char *text, size_t width);   /* not wider than width; ends in "..." or "…" if cut */
