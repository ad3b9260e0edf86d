/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The device tree of a master that boots a kernel. It has to be there when QEMU starts, so a QEMU of the same command line is asked
 * for its board's tree first, and that is completed.
 */

#include "job.h"

#include "board-tree.h"
#include "device-tree.h"
#include "log.h"
#include "platform.h"

bool master_tree_is_needed(const Platform *platform) {
        const ProcessorConfig *master = platform_config_get_master(platform->config);

        return master->start == PROCESSOR_START_HETD && master->board->device_tree && master->kernel && !master->device_tree;
}

static bool complete_tree(Job *job, const char *base, size_t base_size, GError **error) {
        Platform *platform = job->platform;
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

        job->device_tree = g_steal_pointer(&path);
        return true;
}

static void tree_end(Job *job, const GError *error) {
        job->board_tree = board_tree_free(job->board_tree);
        job->tree_done(error, job->tree_userdata);
}

static void on_board_tree(char *blob, size_t size, const GError *error, void *userdata) {
        Job *job = userdata;
        g_autofree char *base = blob;
        g_autoptr(GError) local = NULL;

        if (!error && !complete_tree(job, base, size, &local))
                error = local;
        tree_end(job, error);
}

static void on_line(const char *line, void *userdata) {
        Job *job = userdata;

        processor_log(platform_get_master(job->platform), LOG_INFO, "QEMU says: %s", line);
}

void master_tree_make(Job *job, DoneFunc done, void *userdata) {
        static const BoardTreeHandlers handlers = { .line = on_line, .done = on_board_tree };
        Platform *platform = job->platform;
        const ProcessorConfig *master = platform_get_master(platform)->config;
        g_autoptr(GError) error = NULL;
        g_autofree char *qemu = NULL;

        job->tree_done = done;
        job->tree_userdata = userdata;
        if (manager_find_qemu(platform->manager, master, &qemu, &error)) {
                BoardTreeRequest request = {
                        .platform = platform->config,
                        .processor = master,
                        .qemu = qemu,
                        .directory = platform->directory,
                };

                if (board_tree_new(platform->manager->event, &request, &handlers, job, &job->board_tree, &error))
                        return;
        }

        tree_end(job, error);
}
