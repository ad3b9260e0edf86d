/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A table that fits a terminal: columns that may be cut are cut first, then columns that can be done without are left
 * out, those with the highest number first.
 */

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

typedef enum TableColumnFlags {
        TABLE_LEFT = 0,
        TABLE_RIGHT = 1 << 0,           /* numbers */
        TABLE_CUT = 1 << 1,             /* long text, may be cut */
} TableColumnFlags;

typedef struct Table Table;

Table *table_new(void);
Table *table_free(Table *table);        /* returns NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* omit: 0: always shown. Columns are added before rows. */
void table_add_column(Table *table, const char *header, TableColumnFlags flags, unsigned omit);
void table_add_row(Table *table);
/* The next cell of the last row; text is cleaned, an empty one is shown as "-" */
void table_add_cell(Table *table, Color color, const char *text);
void table_add_cellf(Table *table, Color color, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* width 0: as wide as it gets. Every line ends with a newline and has no spaces before it. */
char *table_render(const Table *table, size_t indent, size_t width, bool colors);
