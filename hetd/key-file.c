/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Key files with line numbers. Called by platform-file.c. */

#include "key-file.h"

#include <stdbool.h>
#include <string.h>

#define SHOWN_MAX 60    /* characters of a line that is quoted */

typedef struct Reader {
        const char *next, *end;         /* the text that is left */
        unsigned line;                  /* of what was read last */
        GPtrArray *groups;
        KeyFileGroup *group;            /* NULL: none yet */
        bool skip;                      /* the group's header was wrong: its entries are not looked at */
        KeyFileErrorHandler handler;
        void *userdata;
} Reader;

static void entry_free(KeyFileEntry *entry) {
        g_free(entry->key);
        g_free(entry->value);
        g_free(entry);
}

static void group_free(KeyFileGroup *group) {
        g_free(group->name);
        g_ptr_array_unref(group->entries);
        g_free(group);
}

static void complain(Reader *r, unsigned line, const char *key, const char *format, ...) G_GNUC_PRINTF(4, 5);

static void complain(Reader *r, unsigned line, const char *key, const char *format, ...) {
        g_autofree char *message = NULL;
        va_list args;

        va_start(args, format);
        message = g_strdup_vprintf(format, args);
        va_end(args);

        r->handler(r->userdata, line, r->group ? r->group->name : NULL, key, message);
}

/* The next line without blanks at its ends; NULL at the end of the text */
static char *read_line(Reader *r) {
        const char *newline;
        char *line;

        if (r->next == r->end)
                return NULL;

        newline = memchr(r->next, '\n', (size_t) (r->end - r->next));
        line = g_strndup(r->next, (size_t) ((newline ? newline : r->end) - r->next));
        r->next = newline ? newline + 1 : r->end;
        r->line++;
        return g_strstrip(line);
}

/* Lines that end with a backslash go on in the next one, which is joined with a blank */
static char *read_logical_line(Reader *r, unsigned *ret_line) {
        char *first = read_line(r);

        *ret_line = r->line;
        if (!first || first[0] == '#' || first[0] == ';' || !g_str_has_suffix(first, "\\"))
                return first;

        g_autoptr(GString) joined = g_string_new(first);
        g_free(first);

        while (joined->len > 0 && joined->str[joined->len - 1] == '\\') {
                g_autofree char *more = NULL;

                g_string_truncate(joined, joined->len - 1);
                more = read_line(r);
                if (!more)
                        break;
                g_string_append_c(joined, ' ');
                g_string_append(joined, more);
        }

        return g_strstrip(g_string_free(g_steal_pointer(&joined), FALSE));
}

static KeyFileGroup *find_group(Reader *r, const char *name) {
        for (unsigned i = 0; i < r->groups->len; i++) {
                KeyFileGroup *group = g_ptr_array_index(r->groups, i);

                if (strcmp(group->name, name) == 0)
                        return group;
        }

        return NULL;
}

static void read_group(Reader *r, char *text, unsigned line) {
        size_t length = strlen(text);
        KeyFileGroup *group, *first;
        char *name;

        r->group = NULL;
        r->skip = true;

        if (text[length - 1] != ']') {
                complain(r, line, NULL,
                         "'%s' has no closing bracket; a group is written [Platform] or [Processor NAME]", text);
                return;
        }

        text[length - 1] = '\0';
        name = g_strstrip(text + 1);
        first = find_group(r, name);
        if (first) {
                r->group = first;
                complain(r, line, NULL, "is there twice, first in line %u; put its keys together", first->line);
                r->group = NULL;
                return;
        }

        group = g_new0(KeyFileGroup, 1);
        group->name = g_strdup(name);
        group->line = line;
        group->entries = g_ptr_array_new_with_free_func((GDestroyNotify) entry_free);
        g_ptr_array_add(r->groups, group);
        r->group = group;
        r->skip = false;
}

static bool is_key(const char *s) {
        if (!g_ascii_isalpha(*s))
                return false;

        for (; *s != '\0'; s++)
                if (!g_ascii_isalnum(*s))
                        return false;

        return true;
}

/* Counted in characters: half of one is no text, and who sends that over D-Bus is thrown off the bus */
static char *beginning_of(const char *text) {
        return g_utf8_substring(text, 0, MIN(g_utf8_strlen(text, -1), SHOWN_MAX));
}

static void read_entry(Reader *r, char *text, unsigned line) {
        char *equals = strchr(text, '=');
        KeyFileEntry *entry;

        if (!equals) {
                g_autofree char *shown = beginning_of(text);

                complain(r, line, NULL, "'%s' is neither a group nor Key=value nor a comment (# or ;)", shown);
                return;
        }

        *equals = '\0';
        g_strstrip(text);
        if (!is_key(text)) {
                g_autofree char *shown = beginning_of(text);

                complain(r, line, NULL, "'%s' is no key; keys are letters and digits, as in Memory=", shown);
                return;
        }

        if (!r->group) {
                if (!r->skip)
                        complain(r, line, text, "stands before the first group; begin with [Platform]");
                return;
        }

        for (unsigned i = 0; i < r->group->entries->len; i++) {
                KeyFileEntry *first = g_ptr_array_index(r->group->entries, i);

                if (strcmp(first->key, text) == 0) {
                        complain(r, line, text, "is there twice, first in line %u; remove one", first->line);
                        return;
                }
        }

        entry = g_new0(KeyFileEntry, 1);
        entry->key = g_strdup(text);
        entry->value = g_strdup(g_strstrip(equals + 1));
        entry->line = line;
        g_ptr_array_add(r->group->entries, entry);
}

static unsigned count_lines(const char *text, const char *end) {
        unsigned n = 1;

        for (; text < end; text++)
                n += *text == '\n';

        return n;
}

GPtrArray *key_file_parse(const char *text, size_t size, KeyFileErrorHandler handler, void *userdata) {
        g_autoptr(GPtrArray) groups = g_ptr_array_new_with_free_func((GDestroyNotify) group_free);
        Reader r = { .next = text, .end = text + size, .groups = groups, .handler = handler, .userdata = userdata };
        const char *invalid;

        /* A NUL byte is invalid here as well */
        if (!g_utf8_validate(text, (gssize) size, &invalid)) {
                complain(&r, count_lines(text, invalid), NULL, "has a byte (0x%02x) that is not UTF-8 text",
                         (unsigned char) *invalid);
                return g_steal_pointer(&groups);
        }

        for (;;) {
                g_autofree char *line = NULL;
                unsigned number;

                line = read_logical_line(&r, &number);
                if (!line)
                        break;

                if (line[0] == '[')
                        read_group(&r, line, number);
                else if (line[0] != '\0' && line[0] != '#' && line[0] != ';')
                        read_entry(&r, line, number);
        }

        return g_steal_pointer(&groups);
}
