/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The device tree of a master that boots a kernel. It has to be there when QEMU starts, so a QEMU of the same command line is asked
 * for its board's tree first, and that is completed.
 */

#include "master-tree.h"

#include "board-tree.h"
#include "device-tree.h"
#include "log.h"

#include <unistd.h>

struct MasterTree {
        Platform *platform;
        BoardTree *board_tree;          /* while it is being made */
        char *path;                     /* of what was made */
        DoneFunc done;
        void *userdata;
};

bool master_tree_is_needed(const Platform *platform) {
        const ProcessorConfig *master = platform_config_get_master(platform->config);

        return master->start == PROCESSOR_START_HETD && master->board->device_tree && master->kernel && !master->device_tree;
}

static bool complete_tree(MasterTree *tree, const char *base, size_t base_size, GError **error) {
        Platform *platform = tree->platform;
        g_autofree char *path = NULL;
        g_autofree void *made = NULL;
        g_autoptr(GError) local = NULL;
        size_t made_size;

        path = g_strdup_printf("%s/%s.dtb", platform->directory, platform_get_master(platform)->config->name);
        if (!device_tree_make_master(platform->config, base, base_size, &made, &made_size, error))
                return false;

        if (!g_file_set_contents_full(path, made, (gssize) made_size, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &local)) {
                g_set_error(error, HET_ERROR, HET_ERROR_FAILED, "Cannot write the master's device tree: %s", local->message);
                return false;
        }

        tree->path = g_steal_pointer(&path);
        return true;
}

static void tree_made(MasterTree *tree, const GError *error) {
        tree->board_tree = board_tree_free(tree->board_tree);
        tree->done(error, tree->userdata);
}

static void on_board_tree(char *blob, size_t size, const GError *error, void *userdata) {
        MasterTree *tree = userdata;
        g_autofree char *base = blob;
        g_autoptr(GError) local = NULL;

        if (!error && !complete_tree(tree, base, size, &local))
                error = local;
        tree_made(tree, error);
}

static void on_line(const char *line, void *userdata) {
        MasterTree *tree = userdata;

        processor_log(platform_get_master(tree->platform), LOG_INFO, "QEMU says: %s", line);
}

void master_tree_new(Platform *platform, MasterTree **ret, DoneFunc done, void *userdata) {
        static const BoardTreeHandlers handlers = { .line = on_line, .done = on_board_tree };
        const ProcessorConfig *master = platform_get_master(platform)->config;
        MasterTree *tree = g_new0(MasterTree, 1);
        g_autoptr(GError) error = NULL;
        g_autofree char *qemu = NULL;

        tree->platform = platform;
        tree->done = done;
        tree->userdata = userdata;
        *ret = tree;

        if (master_tree_is_needed(platform) && manager_find_qemu(platform->manager, master, &qemu, &error)) {
                BoardTreeRequest request = {
                        .platform = platform->config,
                        .processor = master,
                        .qemu = qemu,
                        .directory = platform->directory,
                };

                if (board_tree_new(platform->manager->event, &request, &handlers, tree, &tree->board_tree, &error))
                        return;
        }

        tree_made(tree, error);
}

MasterTree *master_tree_free(MasterTree *tree) {
        if (!tree)
                return NULL;

        board_tree_free(tree->board_tree);
        if (tree->path)
                (void) unlink(tree->path);
        g_free(tree->path);
        g_free(tree);
        return NULL;
}

void master_tree_end(MasterTree *tree) {
        if (tree->board_tree)
                board_tree_end(tree->board_tree);
}

const char *master_tree_get_path(const MasterTree *tree) {
        return tree->path;
}
