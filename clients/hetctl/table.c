/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "table.h"

#include <string.h>

#define GAP             2U
#define CUT_MIN         24U     /* a cut column keeps that much before other columns are left out */

typedef struct Column {
        char *header;
        TableColumnFlags flags;
        unsigned omit;
        size_t width;           /* of its widest cell */
        size_t shown;           /* while rendering; 0: left out */
} Column;

typedef struct Cell {
        char *text;
        Color color;
} Cell;

struct Table {
        GArray *columns;        /* Column */
        GPtrArray *rows;        /* GArray of Cell */
};

static void column_clear(void *data) {
        g_free(((Column *) data)->header);
}

static void cell_clear(void *data) {
        g_free(((Cell *) data)->text);
}

Table *table_new(void) {
        Table *table = g_new0(Table, 1);

        table->columns = g_array_new(FALSE, TRUE, sizeof(Column));
        g_array_set_clear_func(table->columns, column_clear);
        table->rows = g_ptr_array_new_with_free_func((GDestroyNotify) g_array_unref);
        return table;
}

Table *table_free(Table *table) {
        if (table) {
                g_array_unref(table->columns);
                g_ptr_array_unref(table->rows);
                g_free(table);
        }

        return NULL;
}

void table_add_column(Table *table, const char *header, TableColumnFlags flags, unsigned omit) {
        Column column = { .header = g_strdup(header), .flags = flags, .omit = omit, .width = text_width(header) };

        g_assert(table->rows->len == 0);
        g_array_append_val(table->columns, column);
}

void table_add_row(Table *table) {
        GArray *row = g_array_new(FALSE, TRUE, sizeof(Cell));

        g_array_set_clear_func(row, cell_clear);
        g_ptr_array_add(table->rows, row);
}

void table_add_cell(Table *table, Color color, const char *text) {
        GArray *row = g_ptr_array_index(table->rows, table->rows->len - 1);
        Cell cell = { .text = text_clean(text && *text ? text : "-"), .color = color };

        g_assert(row->len < table->columns->len);

        Column *column = &g_array_index(table->columns, Column, row->len);

        column->width = MAX(column->width, text_width(cell.text));
        g_array_append_val(row, cell);
}

void table_add_cellf(Table *table, Color color, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        table_add_cell(table, color, text);
}

static size_t total_width(const Table *table) {
        size_t total = 0;

        for (guint i = 0; i < table->columns->len; i++) {
                size_t shown = g_array_index(table->columns, Column, i).shown;

                if (shown)
                        total += shown + (total ? GAP : 0);
        }

        return total;
}

/* Cuts what may be cut to no less than least, as far as it is needed. */
static void cut_columns(const Table *table, size_t width, size_t least) {
        for (guint i = table->columns->len; i-- > 0;) {
                Column *column = &g_array_index(table->columns, Column, i);
                size_t total = total_width(table), floor = MAX(least, text_width(column->header));

                if (total <= width)
                        return;
                if (column->shown > floor && column->flags & TABLE_CUT)
                        column->shown = MAX(floor, column->shown - MIN(column->shown, total - width));
        }
}

static Column *find_omittable(const Table *table) {
        Column *found = NULL;

        for (guint i = 0; i < table->columns->len; i++) {
                Column *column = &g_array_index(table->columns, Column, i);

                if (column->shown && column->omit && (!found || column->omit > found->omit))
                        found = column;
        }

        return found;
}

static void fit(const Table *table, size_t width) {
        Column *omitted = NULL;

        for (guint i = 0; i < table->columns->len; i++)
                g_array_index(table->columns, Column, i).shown = g_array_index(table->columns, Column, i).width;

        while (width && total_width(table) > width) {
                cut_columns(table, width, CUT_MIN);
                if (total_width(table) <= width)
                        break;
                omitted = find_omittable(table);
                if (!omitted) {
                        cut_columns(table, width, 1);
                        break;
                }
                omitted->shown = 0;
                /* what was cut may find room again */
                for (guint i = 0; i < table->columns->len; i++) {
                        Column *column = &g_array_index(table->columns, Column, i);

                        if (column->shown)
                                column->shown = column->width;
                }
        }
}

static void render_cell(GString *line, const Column *column, const char *text, Color color) {
        g_autofree char *cut = text_ellipsize(text, column->shown);
        size_t padding = column->shown - text_width(cut);

        if (column->flags & TABLE_RIGHT)
                g_string_append_printf(line, "%*s", (int) padding, "");
        if (color != COLOR_NONE)
                g_string_append(line, text_color(color));
        g_string_append(line, cut);
        if (color != COLOR_NONE)
                g_string_append(line, text_color(COLOR_NONE));
        if (!(column->flags & TABLE_RIGHT))
                g_string_append_printf(line, "%*s", (int) padding, "");
}

/* row NULL: the headers */
static void render_line(const Table *table, const GArray *row, size_t indent, bool colors, GString *out) {
        g_autoptr(GString) line = g_string_new(NULL);
        bool first = true;

        for (guint i = 0; i < table->columns->len && (!row || i < row->len); i++) {
                const Column *column = &g_array_index(table->columns, Column, i);
                const Cell *cell = row ? &g_array_index(row, Cell, i) : NULL;

                if (!column->shown)
                        continue;
                if (!first)
                        g_string_append_printf(line, "%*s", (int) GAP, "");
                first = false;
                render_cell(line, column, cell ? cell->text : column->header,
                            !colors ? COLOR_NONE
                            : cell  ? cell->color
                                    : COLOR_BOLD);
        }

        while (line->len && line->str[line->len - 1] == ' ')
                g_string_truncate(line, line->len - 1);
        g_string_append_printf(out, "%*s%s\n", (int) indent, "", line->str);
}

char *table_render(const Table *table, size_t indent, size_t width, bool colors) {
        g_autoptr(GString) out = g_string_new(NULL);

        fit(table, width > indent ? width - indent : width);

        render_line(table, NULL, indent, colors, out);
        for (guint i = 0; i < table->rows->len; i++)
                render_line(table, g_ptr_array_index(table->rows, i), indent, colors, out);

        return g_string_free(g_steal_pointer(&out), FALSE);
}
