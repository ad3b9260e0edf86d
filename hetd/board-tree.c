/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See board-tree.h. Called by master-tree.c, and by het-device-tree. */

#include "board-tree.h"

#include <string.h>
#include <unistd.h>

#include "command-line.h"
#include "device-tree.h"
#include "spawn-process.h"
#include "util/error.h"
#include "util/file-util.h"
#include "util/sd-cleanup.h"

#define DUMP_TIMEOUT_USEC (30 * G_USEC_PER_SEC)

struct BoardTree {
        const BoardTreeHandlers *handlers;
        void *userdata;
        char *name;                     /* of the processor */
        Spawn *qemu;
        sd_event_source *timer;
        char *file;                     /* what QEMU writes */
        char *console, *log;            /* it opens them, nothing comes */
        char *last_line;
};

static void remove_file(char **path) {
        if (*path)
                (void) unlink(*path);
        g_clear_pointer(path, g_free);
}

BoardTree *board_tree_free(BoardTree *tree) {
        if (!tree)
                return NULL;

        spawn_free(tree->qemu);
        sd_event_source_disable_unref(tree->timer);
        remove_file(&tree->file);
        remove_file(&tree->console);
        remove_file(&tree->log);
        g_free(tree->last_line);
        g_free(tree->name);
        g_free(tree);
        return NULL;
}

static void on_exited(Spawn *spawn, const SpawnExit *status, void *userdata) {
        BoardTree *tree = userdata;
        g_autofree char *how = spawn_exit_to_string(status), *blob = NULL;
        g_autoptr(GError) error = NULL, local = NULL;
        size_t size = 0;

        tree->timer = sd_event_source_disable_unref(tree->timer);
        if (status->killed || status->status != 0)
                g_set_error(&error, HET_ERROR, HET_ERROR_SPAWN_FAILED, "%s: The QEMU that was asked for its device tree failed: %s%s%s",
                            tree->name, how, tree->last_line ? "; it said: " : "", tree->last_line ?: "");
        else if (!file_read(tree->file, DEVICE_TREE_SIZE_MAX, &blob, &size, &local))
                g_set_error(&error, HET_ERROR, HET_ERROR_FAILED, "%s: Cannot read the board's device tree: %s", tree->name,
                            local->message);

        tree->handlers->done(g_steal_pointer(&blob), size, error, tree->userdata);
}

static void on_line(Spawn *spawn, const char *line, void *userdata) {
        BoardTree *tree = userdata;

        if (tree->handlers->line)
                tree->handlers->line(line, tree->userdata);
        g_free(tree->last_line);
        tree->last_line = g_strdup(line);
}

void board_tree_end(BoardTree *tree) {
        spawn_end(tree->qemu);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        board_tree_end(userdata);
        return 0;
}

static void add_dump_option(char **argv, const char *file) {
        g_autofree char *quoted = command_line_quote(file);

        for (char **a = argv; a[0] && a[1]; a++)
                if (g_str_equal(a[0], "-machine")) {
                        char *machine = g_strdup_printf("%s,dumpdtb=%s", a[1], quoted);

                        g_free(a[1]);
                        a[1] = machine;
                        return;
                }
}

bool board_tree_new(sd_event *event, const BoardTreeRequest *request, const BoardTreeHandlers *handlers, void *userdata,
                    BoardTree **ret, GError **error) {
        static const SpawnHandlers spawn_handlers = { .line = on_line, .exited = on_exited };
        const char *directory = request->directory, *name = request->processor->name;
        g_autofree char *monitor = g_strdup_printf("%s/%s.qmp", directory, name);
        g_autofree char *output = g_strdup_printf("%s/%s.output", directory, name);
        g_autoptr(BoardTree) tree = g_new0(BoardTree, 1);
        g_auto(GStrv) argv = NULL;
        int r;

        if (!request->processor->board->device_tree) {
                g_set_error(error, HET_ERROR, HET_ERROR_NOT_SUPPORTED, "%s (%s) has no device tree", name,
                            request->processor->board->machine);
                return false;
        }

        tree->handlers = handlers;
        tree->userdata = userdata;
        tree->name = g_strdup(name);
        tree->file = g_strdup_printf("%s/%s.base.dtb", directory, name);
        /* Not the processor's own, which it may have from before; and no longer, since the path of a socket has its limit */
        tree->console = g_strdup_printf("%s/%s.tree", directory, name);
        tree->log = g_strdup_printf("%s/%s.tree.log", directory, name);

        CommandLinePaths paths = { .qemu = request->qemu, .console_socket = tree->console, .console_log = tree->log };

        argv = command_line_build(request->platform, request->processor, &paths);
        add_dump_option(argv, tree->file);

        SpawnRequest spawn = { .name = "device-tree", .argv = argv, .monitor_path = monitor, .output_path = output };

        if (!spawn_new(event, &spawn, &spawn_handlers, tree, &tree->qemu, error))
                return false;

        r = sd_event_add_time_relative(event, &tree->timer, CLOCK_MONOTONIC, DUMP_TIMEOUT_USEC, 0, on_timeout, tree);
        if (r < 0) {
                g_set_error(error, HET_ERROR, het_error_from_errno(r), "Cannot arm a timer: %s", g_strerror(-r));
                return false;
        }

        *ret = g_steal_pointer(&tree);
        return true;
}
