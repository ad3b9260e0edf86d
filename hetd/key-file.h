/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The syntax of platform files: groups of Key=value lines, as in systemd's units. GLib's parser does not tell the line
 * of a key, and merges what is there twice; here every entry has its line, and a second group or key of the same name
 * is an error.
 */

#include <glib.h>
#include <stddef.h>

typedef struct KeyFileEntry {
        char *key, *value;              /* without blanks around them */
        unsigned line;
} KeyFileEntry;

typedef struct KeyFileGroup {
        char *name;
        unsigned line;
        GPtrArray *entries;             /* of KeyFileEntry*, in the order of the file */
} KeyFileGroup;

/* group and key may be NULL. Called once for each error, in the order of the file. */
typedef void (*KeyFileErrorHandler)(void *userdata, unsigned line, const char *group, const char *key,
                                    const char *message);

/* Returns an array of KeyFileGroup*, with all that could be read */
GPtrArray *key_file_parse(const char *text, size_t size, KeyFileErrorHandler handler, void *userdata);
