/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "status.h"

#include <string.h>

static bool is_slave(const Processor *processor) {
        return strcmp(json_get_string(processor->properties, "Role"), "slave") == 0;
}

/* The sentence, or else the word */
static const char *get_reason(json_object *properties) {
        const char *text = json_get_string(properties, "ReasonText");

        return *text ? text : json_get_string(properties, "Reason");
}

static void add_columns(Table *table, bool rates) {
        table_add_column(table, "PROCESSOR", TABLE_CUT, 0);
        table_add_column(table, "ROLE", TABLE_LEFT, 6);
        table_add_column(table, "ID", TABLE_RIGHT, 5);
        table_add_column(table, "STATE", TABLE_LEFT, 0);
        table_add_column(table, "MACHINE", TABLE_CUT, 7);
        table_add_column(table, "WINDOW", TABLE_LEFT, 4);
        table_add_column(table, "PID", TABLE_RIGHT, 3);
        table_add_column(table, "BOOTS", TABLE_RIGHT, 2);
        table_add_column(table, "IPI-IN", TABLE_RIGHT, 1);
        table_add_column(table, "IPI-OUT", TABLE_RIGHT, 1);
        if (rates) {
                table_add_column(table, "IN/S", TABLE_RIGHT, 0);
                table_add_column(table, "OUT/S", TABLE_RIGHT, 0);
        }
        table_add_column(table, "REASON", TABLE_CUT, 0);
}

static void add_count(Table *table, bool shown, uint64_t n) {
        if (shown)
                table_add_cellf(table, COLOR_NONE, "%" PRIu64, n);
        else
                table_add_cell(table, COLOR_NONE, NULL);
}

static json_object *find_before(const StatusBefore *before, const Processor *processor) {
        json_object *interfaces = json_object_object_get(before->objects->root, processor->path);

        return json_object_object_get(interfaces, HETD_PROCESSOR);
}

static double get_rate(const StatusBefore *before, const Processor *processor, size_t counter) {
        json_object *earlier = find_before(before, processor);

        return earlier ? objects_rate(json_get_number_at(processor->properties, "Interrupts", counter),
                                      json_get_number_at(earlier, "Interrupts", counter), before->usec) : 0;
}

static void add_rate(Table *table, const StatusBefore *before, const Processor *processor, size_t counter) {
        if (is_slave(processor))
                table_add_cellf(table, COLOR_NONE, "%.0f", get_rate(before, processor, counter));
        else
                table_add_cell(table, COLOR_NONE, NULL);
}

/* On a terminal slaves hang from their master; for programs a name is a name */
static char *tree_name(const Client *client, const Processor *processor) {
        const GPtrArray *all = processor->platform->processors;
        bool last = g_ptr_array_index(all, all->len - 1) == processor;

        if (client_width(stdout) == 0 || !is_slave(processor))
                return g_strdup(processor_name(processor));

        return g_strconcat(!g_get_charset(NULL) ? last ? "`-" : "|-" : last ? "└─" : "├─", processor_name(processor), NULL);
}

static void add_processor_row(const Client *client, Table *table, const Processor *processor, const StatusBefore *before) {
        json_object *p = processor->properties;
        const char *state = json_get_string(p, "State");
        g_autofree char *window = text_window(json_get_number_at(p, "Window", 0), json_get_number_at(p, "Window", 1));
        g_autofree char *name = tree_name(client, processor);
        bool slave = is_slave(processor);

        table_add_row(table);
        table_add_cell(table, COLOR_NONE, name);
        table_add_cell(table, COLOR_NONE, json_get_string(p, "Role"));
        table_add_cellf(table, COLOR_NONE, "%" PRIu64, json_get_number(p, "Id"));
        table_add_cell(table, text_state_color(state), state);
        table_add_cell(table, COLOR_NONE, json_get_string(p, "Machine"));
        table_add_cell(table, COLOR_NONE, window);
        add_count(table, json_get_number(p, "Pid") > 0, json_get_number(p, "Pid"));
        add_count(table, true, json_get_number(p, "Boots"));
        add_count(table, slave, json_get_number_at(p, "Interrupts", INTERRUPTS_TO_SLAVE));
        add_count(table, slave, json_get_number_at(p, "Interrupts", INTERRUPTS_FROM_SLAVE));
        if (before) {
                add_rate(table, before, processor, INTERRUPTS_TO_SLAVE);
                add_rate(table, before, processor, INTERRUPTS_FROM_SLAVE);
        }
        table_add_cell(table, COLOR_NONE, get_reason(p));
}

static void print_state(const Client *client, const char *state) {
        Color color = text_state_color(state);

        if (client->color_out && color != COLOR_NONE)
                printf("%s%s%s", text_color(color), state, text_color(COLOR_NONE));
        else
                fputs(state, stdout);
}

/* "NAME: STATE, why" and its description */
static void print_platform_head(const Client *client, const Platform *platform) {
        g_autofree char *reason = text_clean(get_reason(platform->properties));
        g_autofree char *description = text_clean(json_get_string(platform->properties, "Description"));

        printf(client->color_out ? "\033[1m%s\033[0m: " : "%s: ", platform_name(platform));
        print_state(client, json_get_string(platform->properties, "State"));
        printf(*reason ? " - %s\n" : "%s\n", reason);
        if (*description)
                printf("  %s\n", description);
}

void status_print_platform(const Client *client, const Platform *platform, const StatusBefore *before) {
        g_autoptr(Table) table = table_new();

        print_platform_head(client, platform);
        add_columns(table, before);
        for (guint i = 0; i < platform->processors->len; i++)
                add_processor_row(client, table, g_ptr_array_index(platform->processors, i), before);

        g_autofree char *text = table_render(table, 2, client_width(stdout), client->color_out);

        fputs(text, stdout);
}

void status_print_all(const Client *client, const Objects *objects, const StatusBefore *before) {
        for (guint i = 0; i < objects->platforms->len; i++) {
                if (i > 0)
                        putchar('\n');
                status_print_platform(client, g_ptr_array_index(objects->platforms, i), before);
        }
        if (objects->platforms->len == 0)
                client_say(client, "No platforms. 'hetctl start FILE' starts one.");
}

static void print_line(const char *label, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void print_line(const char *label, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        g_autofree char *clean = text_clean(text);
        printf("%12s: %s\n", label, clean);
}

static void print_text(const char *label, const char *text) {
        if (*text)
                print_line(label, "%s", text);
}

static void print_processor_state(const Client *client, json_object *p) {
        g_autofree char *reason = text_clean(get_reason(p));
        uint64_t now = (uint64_t) g_get_real_time(), since = json_get_number(p, "StateChangeTimestamp");

        printf("%12s: ", "State");
        print_state(client, json_get_string(p, "State"));
        if (since > 0 && since <= now) {
                g_autofree char *duration = text_duration(now - since);

                printf(" for %s", duration);
        }
        printf(*reason ? " - %s\n" : "%s\n", reason);
}

static void print_processor_window(json_object *p) {
        g_autofree char *size = text_size(json_get_number_at(p, "Window", 1));

        if (json_get_number_at(p, "Window", 1) > 0)
                print_line("Window", "%s at 0x%" PRIx64 ", %s%s", size, json_get_number_at(p, "Window", 0),
                           strcmp(json_get_string(p, "Access"), "ro") == 0 ? "read-only, " : "",
                           json_get_bool(p, "MemoryGranted") ? "has its memory" : "has no memory now");
}

static void print_rates(const Processor *processor, const StatusBefore *before) {
        print_line("IPIs/s", "%.0f to it, %.0f from it", get_rate(before, processor, INTERRUPTS_TO_SLAVE),
                   get_rate(before, processor, INTERRUPTS_FROM_SLAVE));
}

static void print_interrupts(json_object *p) {
        print_line("IPIs to it", "%" PRIu64 " (%" PRIu64 " of them coalesced)",
                   json_get_number_at(p, "Interrupts", INTERRUPTS_TO_SLAVE),
                   json_get_number_at(p, "Interrupts", INTERRUPTS_TO_SLAVE_COALESCED));
        print_line("IPIs from it", "%" PRIu64 " (%" PRIu64 " of them coalesced)",
                   json_get_number_at(p, "Interrupts", INTERRUPTS_FROM_SLAVE),
                   json_get_number_at(p, "Interrupts", INTERRUPTS_FROM_SLAVE_COALESCED));
}

void status_print_processor(const Client *client, const Processor *processor, const StatusBefore *before) {
        json_object *p = processor->properties;
        const char *cpu = json_get_string(p, "CPU");

        printf(client->color_out ? "\033[1m%s/%s\033[0m\n" : "%s/%s\n", platform_name(processor->platform),
               processor_name(processor));
        print_processor_state(client, p);
        print_line("Role", "%s, id %" PRIu64, json_get_string(p, "Role"), json_get_number(p, "Id"));
        print_line("Machine", *cpu ? "%s with %s" : "%s%s", json_get_string(p, "Machine"), cpu);
        print_processor_window(p);
        if (json_get_number(p, "Pid") > 0)
                print_line("Process", "%" PRIu64, json_get_number(p, "Pid"));
        print_text("Unit", json_get_string(p, "Unit"));
        print_line("Boots", "%" PRIu64, json_get_number(p, "Boots"));
        if (is_slave(processor) && json_get_number(p, "Restarts") > 0)
                print_line("Restarts", "%" PRIu64, json_get_number(p, "Restarts"));
        if (is_slave(processor))
                print_interrupts(p);
        if (is_slave(processor) && before)
                print_rates(processor, before);
        print_text("Console", json_get_string(p, "Console"));
        print_text("Console log", json_get_string(p, "ConsoleLog"));
        print_text("Monitor", json_get_string(p, "Monitor"));
}
