/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* graph: a platform as a picture, in the language of Graphviz, or drawn by its program dot. */

#include <string.h>
#include <unistd.h>

#include "bus-json.h"
#include "objects.h"
#include "text.h"
#include "util/fd-util.h"
#include "verb.h"

static char *option_output;

static const GOptionEntry graph_options[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &option_output,
          "Draw it into FILE.svg, .png or .pdf with Graphviz, or write FILE.dot", "FILE" },
        {}
};

/* --- the graph --- */

/* In a quoted string of Graphviz; a backslash would begin one of its escapes */
static char *quote(const char *text) {
        g_autofree char *clean = text_clean(text);
        GString *s = g_string_new("\"");

        for (const char *c = clean; *c; c++) {
                if (*c == '"' || *c == '\\')
                        g_string_append_c(s, '\\');
                g_string_append_c(s, *c);
        }
        return g_string_free(g_string_append_c(s, '"'), FALSE);
}

static const char *get_color(const char *state) {
        switch (text_state_color(state)) {
        case COLOR_GREEN:
                return "palegreen";
        case COLOR_RED:
                return "lightpink";
        case COLOR_YELLOW:
                return "khaki";
        case COLOR_CYAN:
                return "lightcyan";
        default:
                return "white";
        }
}

static void add_processor(GString *s, const Processor *processor) {
        json_object *p = processor->properties;
        const char *state = json_get_string(p, "State"), *cpu = json_get_string(p, "CPU");
        g_autofree char *title = g_strdup_printf("%s (%s)", processor_name(processor), state);
        g_autofree char *machine = g_strdup_printf(*cpu ? "%s, %s" : "%s", json_get_string(p, "Machine"), cpu);
        g_autofree char *id = quote(processor_name(processor)), *line1 = quote(title), *line2 = quote(machine);

        /* Both are quoted strings: the label is their content, on two lines */
        line1[strlen(line1) - 1] = '\0';
        g_string_append_printf(s, "        %s [label=%s\\n%s, fillcolor=%s];\n", id, line1, line2 + 1, get_color(state));
}

/* The window between master and slave, and the couple beside it */
static void add_slave(GString *s, const Processor *master, const Processor *slave) {
        json_object *p = slave->properties;
        g_autofree char *from = quote(processor_name(master)), *to = quote(processor_name(slave));
        g_autofree char *text = text_window(json_get_number_at(p, "Window", 0), json_get_number_at(p, "Window", 1));
        g_autofree char *id = g_strdup_printf("window of %s", processor_name(slave)), *window = quote(id);

        g_string_append_printf(s, "        %s [shape=cylinder, style=%s, label=\"%s\"];\n", window,
                               json_get_bool(p, "MemoryGranted") ? "solid" : "dashed", text);
        g_string_append_printf(s, "        %s -> %s -> %s [dir=both, arrowhead=none, arrowtail=none, style=dotted];\n", from, window,
                               to);
        g_string_append_printf(s, "        %s -> %s [label=\"%" PRIu64 " IPIs\"];\n", from, to,
                               json_get_number_at(p, "Interrupts", INTERRUPTS_TO_SLAVE));
        g_string_append_printf(s, "        %s -> %s [label=\"%" PRIu64 " IPIs\"];\n", to, from,
                               json_get_number_at(p, "Interrupts", INTERRUPTS_FROM_SLAVE));
}

static char *make_graph(const Platform *platform) {
        GString *s = g_string_new("digraph ");
        g_autofree char *name = quote(platform_name(platform));
        const Processor *master = g_ptr_array_index(platform->processors, 0);

        g_string_append_printf(s, "%s {\n        label=%s;\n        rankdir=LR;\n", name, name);
        g_string_append(s, "        node [shape=box, style=filled, fontname=\"sans-serif\"];\n"
                           "        edge [fontname=\"sans-serif\", fontsize=10];\n");
        for (guint i = 0; i < platform->processors->len; i++)
                add_processor(s, g_ptr_array_index(platform->processors, i));
        for (guint i = 1; i < platform->processors->len; i++)
                add_slave(s, master, g_ptr_array_index(platform->processors, i));

        return g_string_free(g_string_append(s, "}\n"), FALSE);
}

/* --- the file --- */

static bool write_file(const char *path, const char *text, GError **error) {
        g_autoptr(GError) local = NULL;

        return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &local) ||
               failure(error, EXIT_FAILED, NULL, "%s", local->message);
}

/* It reads a file and writes one: nothing can be stuck in pipes */
static bool draw(const char *input, const char *format, GError **error) {
        g_autofree char *as = g_strconcat("-T", format, NULL), *to = g_strconcat("-o", option_output, NULL), *complaint = NULL;
        char *argv[] = { (char *) "dot", as, to, (char *) input, NULL };
        g_autoptr(GError) local = NULL;
        int status;

        if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &complaint, &status,
                          &local))
                return failure(error, EXIT_FAILED, "Graphviz draws: apt-get install graphviz. Without -o the graph is printed.", "%s",
                               local->message);

        return g_spawn_check_wait_status(status, NULL) ||
               failure(error, EXIT_FAILED, "It can draw svg, png and pdf, among others.", "Graphviz could not draw it: %s",
                       g_strchomp(complaint));
}

static bool draw_graph(const char *graph, const char *format, GError **error) {
        g_autofree char *input = NULL;
        g_autoptr(GError) local = NULL;
        int fd = g_file_open_tmp("hetctl-XXXXXX.dot", &input, &local);
        bool ok;

        if (fd < 0)
                return failure(error, EXIT_FAILED, NULL, "%s", local->message);

        fd_close(fd);
        ok = write_file(input, graph, error) && draw(input, format, error);
        (void) unlink(input);
        return ok;
}

static bool save(const char *graph, GError **error) {
        const char *dot = strrchr(option_output, '.');

        if (!dot || strchr(dot, '/') || !dot[1])
                return failure_usage(error, "graph", "--output=%s: its ending says what it is to be, such as .svg.", option_output);
        if (strcmp(dot, ".dot") == 0)
                return write_file(option_output, graph, error);

        return draw_graph(graph, dot + 1, error);
}

static bool verb_graph(Client *client, int n, char **arguments, GError **error) {
        g_autoptr(Objects) objects = NULL;
        g_autofree char *graph = NULL;
        Processor *processor = NULL;
        Platform *platform = NULL;

        if (!objects_load(client, &objects, error) || !objects_resolve(objects, arguments[0], &platform, &processor, error))
                return false;

        graph = make_graph(platform ? platform : processor->platform);
        if (option_output)
                return save(graph, error);

        fputs(graph, stdout);
        return true;
}

const Verb verbs_graph[] = {
        { "graph", "PLATFORM", "Draw the processors, windows and couples of a platform",
          "Prints the graph in the language of Graphviz. With --output Graphviz draws it into a file. A cylinder is a\n"
          "window (dashed: it has no memory now), the arrows say how many interrupts went which way.\n"
          "\n"
          "Examples:\n"
          "  hetctl graph first-light -o first-light.svg\n"
          "  hetctl graph first-light | dot -Tpng >first-light.png",
          1, 1, graph_options, verb_graph, true },
        {}
};
