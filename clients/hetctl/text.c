/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "text.h"

const char *text_color(Color color) {
        static const char *const sequences[_COLOR_MAX] = {
                [COLOR_NONE] = "\033[0m",
                [COLOR_RED] = "\033[31m",
                [COLOR_GREEN] = "\033[32m",
                [COLOR_YELLOW] = "\033[33m",
                [COLOR_CYAN] = "\033[36m",
                [COLOR_GREY] = "\033[90m",
                [COLOR_BOLD] = "\033[1m",
        };

        return sequences[color];
}

Color text_state_color(const char *state) {
        static const struct {
                const char *state;
                Color color;
        } colors[] = {
                { "running", COLOR_GREEN },
                { "ready", COLOR_CYAN },
                { "waiting", COLOR_CYAN },
                { "starting", COLOR_YELLOW },
                { "stopping", COLOR_YELLOW },
                { "paused", COLOR_YELLOW },
                { "crashed", COLOR_RED },
                { "failed", COLOR_RED },
                { "lost", COLOR_RED },
                { "available", COLOR_GREY },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(colors); i++)
                if (g_strcmp0(state, colors[i].state) == 0)
                        return colors[i].color;

        return COLOR_NONE;
}

char *text_size(uint64_t bytes) {
        static const char units[] = "KMGTPE";
        int unit = -1;

        while (bytes && bytes % 1024 == 0 && unit < (int) sizeof(units) - 2) {
                bytes /= 1024;
                unit++;
        }

        return unit < 0 ? g_strdup_printf("%" PRIu64, bytes) : g_strdup_printf("%" PRIu64 "%c", bytes, units[unit]);
}

char *text_window(uint64_t address, uint64_t size) {
        if (size == 0)
                return g_strdup("-");

        g_autofree char *bytes = text_size(size);

        return g_strdup_printf("%s@0x%" PRIx64, bytes, address);
}

char *text_duration(uint64_t usec) {
        uint64_t seconds = usec / G_USEC_PER_SEC;

        if (seconds < 1)
                return g_strdup_printf("%" PRIu64 " ms", usec / 1000);
        if (seconds < 60)
                return g_strdup_printf("%" PRIu64 " s", seconds);
        if (seconds < 3600)
                return g_strdup_printf("%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
        if (seconds < 86400)
                return g_strdup_printf("%" PRIu64 " h %" PRIu64 " min", seconds / 3600, seconds % 3600 / 60);
        return g_strdup_printf("%" PRIu64 " d %" PRIu64 " h", seconds / 86400, seconds % 86400 / 3600);
}

char *text_clean(const char *text) {
        g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
        g_autoptr(GString) clean = g_string_new(NULL);

        for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);

                g_string_append_unichar(clean, g_unichar_iscntrl(c) ? ' ' : c);
        }

        return g_string_free(g_steal_pointer(&clean), FALSE);
}

static size_t character_width(gunichar c) {
        return g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
}

size_t text_width(const char *text) {
        size_t width = 0;

        for (const char *p = text; *p; p = g_utf8_next_char(p))
                width += character_width(g_utf8_get_char(p));

        return width;
}

char *text_ellipsize(const char *text, size_t width) {
        const char *dots = g_get_charset(NULL) ? "…" : "...";
        size_t room, used = 0;
        const char *p;

        if (text_width(text) <= width)
                return g_strdup(text);
        if (width < text_width(dots))
                return g_strndup("...", width);

        room = width - text_width(dots);
        for (p = text; *p; p = g_utf8_next_char(p)) {
                size_t more = character_width(g_utf8_get_char(p));

                if (used + more > room)
                        break;
                used += more;
        }

        g_autofree char *kept = g_strndup(text, (size_t) (p - text));

        return g_strconcat(kept, dots, NULL);
}
