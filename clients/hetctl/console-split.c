/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "console-split.h"

#include <errno.h>
#include <unistd.h>

static void add(GPtrArray *argv, const char *argument, ...) G_GNUC_NULL_TERMINATED;

static void add(GPtrArray *argv, const char *argument, ...) {
        va_list arguments;

        va_start(arguments, argument);
        for (; argument; argument = va_arg(arguments, const char *))
                g_ptr_array_add(argv, g_strdup(argument));
        va_end(arguments);
}

/* tmux gives it to a shell. One that ends stays to be read, for example why it could not be connected. */
static char *make_command(const Client *client, const char *hetctl, const char *name) {
        g_autofree char *program = g_shell_quote(hetctl), *quoted = g_shell_quote(name);

        return g_strdup_printf("%s --%s --quiet console --history %s", program, client->system ? "system" : "user", quoted);
}

static GPtrArray *make_arguments(const Client *client, const Platform *platform, const char *hetctl) {
        g_autofree char *server = g_strdup_printf("hetctl-%d", (int) getpid());
        GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
        unsigned panes = 0;

        /* A server of its own: it has our environment, and ends with us */
        add(argv, "tmux", "-L", server, NULL);
        for (guint i = 0; i < platform->processors->len; i++) {
                const Processor *processor = g_ptr_array_index(platform->processors, i);
                g_autofree char *name = g_strdup_printf("%s/%s", platform_name(platform), processor_name(processor));
                g_autofree char *command = make_command(client, hetctl, name);

                if (!*json_get_string(processor->properties, "Console"))
                        continue;
                if (panes++ == 0)
                        add(argv, "new-session", command, NULL);
                else
                        add(argv, ";", "split-window", command, ";", "select-layout", "tiled", NULL);
                add(argv, ";", "select-pane", "-T", name, NULL);
        }
        add(argv, ";", "set-option", "-g", "pane-border-status", "top", ";", "set-option", "-g", "pane-border-format", " #{pane_title} ",
            ";", "set-option", "-g", "remain-on-exit", "off", ";", "set-option", "-g", "mouse", "on", ";", "set-option", "-g",
            "status-right", "Ctrl-] leaves a console, Ctrl-B and an arrow goes to another ", ";", "set-option", "-g",
            "status-right-length", "80", ";", "select-pane", "-t", "{top-left}", NULL);
        g_ptr_array_add(argv, NULL);

        if (panes == 0)
                g_ptr_array_set_size(argv, 0);
        return argv;
}

bool console_split(const Client *client, const Platform *platform, GError **error) {
        g_autofree char *hetctl = g_file_read_link("/proc/self/exe", NULL), *tmux = g_find_program_in_path("tmux"), *hint = NULL;
        g_autoptr(GPtrArray) argv = make_arguments(client, platform, hetctl ?: "hetctl");

        hint = g_strdup_printf("'hetctl log %s --follow' shows all of them, a line after the other.", platform_name(platform));
        if (argv->len == 0)
                return failure(error, EXIT_WRONG_STATE, "'hetctl start' starts it.", "No processor of %s has a console now.",
                               platform_name(platform));
        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
                return failure(error, EXIT_USAGE, hint, "All consoles of a platform are for a terminal.");
        if (!tmux)
                return failure(error, EXIT_FAILED, hint, "Consoles side by side need tmux, which is not installed.");

        (void) execv(tmux, (char **) argv->pdata);
        return failure_from_errno(error, errno, tmux);
}
