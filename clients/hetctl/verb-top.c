/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* top: what the processors do, again and again: interrupts a second, and what their QEMU processes take of the host. */

#include <errno.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "bus-json.h"
#include "loop.h"
#include "objects.h"
#include "table.h"
#include "text.h"
#include "verb.h"

#define CLEAR_SCREEN    "\033[H\033[J"

static int option_iterations;
static char *option_interval;

static const GOptionEntry top_options[] = {
        { "interval", 'd', 0, G_OPTION_ARG_STRING, &option_interval, "Time between two looks (default 1s)", "TIME" },
        { "iterations", 'n', 0, G_OPTION_ARG_INT, &option_iterations, "End after N looks (default 0: when it is interrupted)", "N" },
        {}
};

/* What a processor had counted at the last look */
typedef struct Sample {
        uint64_t usec;
        uint64_t pid, cpu_usec;
        uint64_t to, from;
        uint64_t rss;
} Sample;

typedef struct Top {
        Client *client;
        sd_event *event;
        const char *name;               /* of a platform or processor; NULL: all */
        uint64_t interval_usec;
        int looks;
        GHashTable *samples;            /* object path → Sample* */
        bool terminal;                  /* keys come from one, and the picture goes to one */
        struct termios saved;
        GError *error;
} Top;

/* --- the host's view of a process --- */

/* Fields 14 and 15 of /proc/PID/stat, utime and stime; the second field is a name that may have any character in it */
static uint64_t read_cpu(uint64_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%" PRIu64 "/stat", pid), *text = NULL;
        g_auto(GStrv) fields = NULL;
        const char *end;

        if (!g_file_get_contents(path, &text, NULL, NULL) || !(end = strrchr(text, ')')))
                return 0;

        fields = g_strsplit(end + 1, " ", 16);
        if (g_strv_length(fields) < 15)
                return 0;
        return (g_ascii_strtoull(fields[12], NULL, 10) + g_ascii_strtoull(fields[13], NULL, 10)) *
               (G_USEC_PER_SEC / (uint64_t) sysconf(_SC_CLK_TCK));
}

static uint64_t read_rss(uint64_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%" PRIu64 "/statm", pid), *text = NULL;
        const char *second;

        if (!g_file_get_contents(path, &text, NULL, NULL) || !(second = strchr(text, ' ')))
                return 0;

        return g_ascii_strtoull(second + 1, NULL, 10) * (uint64_t) sysconf(_SC_PAGESIZE);
}

static Sample take_sample(const Processor *processor) {
        json_object *p = processor->properties;
        Sample sample = {
                .usec = (uint64_t) g_get_monotonic_time(),
                .pid = json_get_number(p, "Pid"),
                .to = json_get_number_at(p, "Interrupts", INTERRUPTS_TO_SLAVE),
                .from = json_get_number_at(p, "Interrupts", INTERRUPTS_FROM_SLAVE),
        };

        if (sample.pid > 0) {
                sample.cpu_usec = read_cpu(sample.pid);
                sample.rss = read_rss(sample.pid);
        }
        return sample;
}

/* --- the picture --- */

static json_object *make_entry(Top *top, const Processor *processor) {
        json_object *p = processor->properties, *entry = json_object_new_object();
        g_autofree char *name = g_strdup_printf("%s/%s", platform_name(processor->platform), processor_name(processor));
        Sample now = take_sample(processor);
        const Sample *before = g_hash_table_lookup(top->samples, processor->path);
        uint64_t usec = before ? now.usec - before->usec : 0;
        bool same = before && before->pid == now.pid && now.pid > 0;

        json_add_string(entry, "processor", name);
        json_add_string(entry, "role", json_get_string(p, "Role"));
        json_add_string(entry, "state", json_get_string(p, "State"));
        json_add(entry, "pid", json_object_new_uint64(now.pid));
        json_add(entry, "cpu", json_object_new_double(same ? objects_rate(now.cpu_usec, before->cpu_usec, usec) / G_USEC_PER_SEC : 0));
        json_add(entry, "rss", json_object_new_uint64(now.rss));
        json_add(entry, "ipisTo", json_object_new_double(before ? objects_rate(now.to, before->to, usec) : 0));
        json_add(entry, "ipisFrom", json_object_new_double(before ? objects_rate(now.from, before->from, usec) : 0));

        g_hash_table_replace(top->samples, g_strdup(processor->path), g_memdup2(&now, sizeof(now)));
        return entry;
}

static json_object *make_entries(Top *top, GError **error) {
        g_autoptr(json_object) list = json_object_new_array();
        g_autoptr(Objects) objects = NULL;
        Platform *platform = NULL;
        Processor *processor = NULL;

        if (!objects_load(top->client, &objects, error) ||
            (top->name && !objects_resolve(objects, top->name, &platform, &processor, error)))
                return NULL;

        for (guint i = 0; i < objects->platforms->len; i++) {
                Platform *each = g_ptr_array_index(objects->platforms, i);

                for (guint k = 0; k < each->processors->len; k++) {
                        Processor *one = g_ptr_array_index(each->processors, k);

                        if (top->name ? one == processor || each == platform : true)
                                json_object_array_add(list, make_entry(top, one));
                }
        }

        return g_steal_pointer(&list);
}

static double get_double(json_object *entry, const char *key) {
        return json_object_get_double(json_object_object_get(entry, key));
}

static void add_row(Table *table, json_object *entry) {
        bool slave = strcmp(json_get_string(entry, "role"), "slave") == 0, runs = json_get_number(entry, "pid") > 0;
        const char *state = json_get_string(entry, "state");
        g_autofree char *rss = text_size(json_get_number(entry, "rss") & ~UINT64_C(0xfffff));

        table_add_row(table);
        table_add_cell(table, COLOR_NONE, json_get_string(entry, "processor"));
        table_add_cell(table, text_state_color(state), state);
        if (runs) {
                table_add_cellf(table, COLOR_NONE, "%" PRIu64, json_get_number(entry, "pid"));
                table_add_cellf(table, COLOR_NONE, "%.1f", get_double(entry, "cpu") * 100);
                table_add_cell(table, COLOR_NONE, rss);
        } else
                for (int i = 0; i < 3; i++)
                        table_add_cell(table, COLOR_NONE, NULL);
        if (slave) {
                table_add_cellf(table, COLOR_NONE, "%.0f", get_double(entry, "ipisTo"));
                table_add_cellf(table, COLOR_NONE, "%.0f", get_double(entry, "ipisFrom"));
        } else
                for (int i = 0; i < 2; i++)
                        table_add_cell(table, COLOR_NONE, NULL);
}

static void print_table(const Top *top, json_object *list) {
        g_autoptr(Table) table = table_new();

        table_add_column(table, "PROCESSOR", TABLE_CUT, 0);
        table_add_column(table, "STATE", TABLE_LEFT, 0);
        table_add_column(table, "PID", TABLE_RIGHT, 2);
        table_add_column(table, "CPU%", TABLE_RIGHT, 1);
        table_add_column(table, "RSS", TABLE_RIGHT, 1);
        table_add_column(table, "IPI-IN/S", TABLE_RIGHT, 0);
        table_add_column(table, "IPI-OUT/S", TABLE_RIGHT, 0);
        for (size_t i = 0; i < json_object_array_length(list); i++)
                add_row(table, json_object_array_get_idx(list, i));

        g_autofree char *text = table_render(table, 0, client_width(stdout), top->client->color_out);

        if (top->terminal)
                fputs(CLEAR_SCREEN, stdout);
        else if (top->looks > 2)
                putchar('\n');
        fputs(text, stdout);
        if (json_object_array_length(list) == 0)
                puts("No processors. 'hetctl start FILE' starts a platform.");
        if (top->terminal)
                puts("\nq ends it.");
        fflush(stdout);
}

static bool look(Top *top, GError **error) {
        g_autoptr(json_object) list = make_entries(top, error);

        if (!list)
                return false;

        /* There are no rates before the second one */
        if (top->looks++ == 0 && !top->terminal)
                return true;
        if (top->client->json != JSON_OFF)
                json_print(list, top->client->json);
        else
                print_table(top, list);
        return true;
}

/* --- again and again --- */

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Top *top = userdata;

        if (!look(top, &top->error) || (option_iterations > 0 && top->looks > option_iterations))
                return sd_event_exit(top->event, 0);

        int r = sd_event_source_set_time_relative(source, top->interval_usec);

        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_key(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Top *top = userdata;
        char key;

        return read(fd, &key, 1) <= 0 || key == 'q' || key == 'Q' ? sd_event_exit(top->event, 0) : 0;
}

static int prepare_terminal(Top *top) {
        struct termios quiet;

        top->terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && top->client->json == JSON_OFF &&
                tcgetattr(STDIN_FILENO, &top->saved) == 0;
        if (!top->terminal)
                return 0;

        quiet = top->saved;
        quiet.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
        (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
        return sd_event_add_io(top->event, NULL, STDIN_FILENO, EPOLLIN, on_key, top);
}

static int run_loop(Top *top) {
        int r = loop_new(NULL, NULL, &top->event);

        if (r >= 0)
                r = sd_event_add_time_relative(top->event, NULL, CLOCK_MONOTONIC, 0, 1000, on_time, top);
        if (r >= 0)
                r = prepare_terminal(top);
        if (r >= 0)
                r = sd_event_loop(top->event);

        if (top->terminal)
                (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &top->saved);
        sd_event_unref(top->event);
        return r;
}

static bool verb_top(Client *client, int n, char **arguments, GError **error) {
        g_autoptr(GHashTable) samples = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        Top top = { .client = client, .name = n > 0 ? arguments[0] : NULL, .interval_usec = G_USEC_PER_SEC, .samples = samples };
        int r;

        if (option_interval && !arguments_parse_timeout(option_interval, &top.interval_usec, error))
                return false;
        if (option_iterations < 0 || top.interval_usec == TIMEOUT_INFINITE)
                return failure_usage(error, "top", "--iterations and --interval are not negative, and not infinite.");

        r = run_loop(&top);
        if (top.error) {
                g_propagate_error(error, top.error);
                return false;
        }
        return r >= 0 || failure_from_errno(error, r, "looking again and again failed");
}

const Verb verbs_top[] = {
        { "top", "[PLATFORM[/PROCESSOR]]", "Show interrupts a second, CPU time and memory, again and again",
          "CPU% is of one CPU of the host, of all threads of the processor's QEMU; RSS its memory, with what it has\n"
          "touched of its window. Where the output is not a terminal, the first table comes after the first interval.\n"
          "With --json each look is an array.\n"
          "\n"
          "Examples:\n"
          "  hetctl top\n"
          "  hetctl top first-light --interval=100ms --iterations=10 --json=short",
          0, 1, top_options, verb_top },
        {}
};
