/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The device tree of a master that boots a kernel. It has to be there when QEMU starts, so a QEMU of the same command line is asked
 * for its board's tree first (-machine …,dumpdtb=FILE; it exits at once), and that is completed.
 */

#include "job.h"

#include "command-line.h"
#include "device-tree.h"
#include "log.h"
#include "platform.h"
#include "util/sd-cleanup.h"

#include <string.h>
#include <unistd.h>

#define DUMP_TIMEOUT_USEC (30 * G_USEC_PER_SEC)

typedef struct Dump {
        Job *job;
        char *base;                     /* what QEMU writes */
        char *console, *log;            /* it opens them, nothing comes */
        char *last_line;
        DoneFunc done;
        void *userdata;
} Dump;

bool master_tree_is_needed(const Platform *platform) {
        const ProcessorConfig *master = platform_config_get_master(platform->config);

        return master->start == PROCESSOR_START_HETD && master->board->device_tree && master->kernel && !master->device_tree;
}

static void remove_file(char **path) {
        if (*path)
                (void) unlink(*path);
        g_clear_pointer(path, g_free);
}

static void dump_end(Dump *dump, const GError *error) {
        Job *job = dump->job;
        DoneFunc done = dump->done;
        void *userdata = dump->userdata;

        job->dump = spawn_free(job->dump);
        job->dump_timer = sd_event_source_disable_unref(job->dump_timer);
        remove_file(&dump->base);
        remove_file(&dump->console);
        remove_file(&dump->log);
        g_free(dump->last_line);
        g_free(dump);
        done(error, userdata);
}

static bool complete_tree(Dump *dump, GError **error) {
        Platform *platform = dump->job->platform;
        g_autofree char *base = NULL, *path = NULL;
        g_autofree void *made = NULL;
        g_autoptr(GError) local = NULL;
        size_t base_size, made_size;

        path = g_strdup_printf("%s/%s.dtb", platform->directory, platform_get_master(platform)->config->name);
        if (!g_file_get_contents(dump->base, &base, &base_size, &local)) {
                g_set_error(error, HET_ERROR, HET_ERROR_FAILED, "Cannot read the board's device tree: %s", local->message);
                return false;
        }

        if (!device_tree_make_master(platform->config, base, base_size, &made, &made_size, error))
                return false;

        if (!g_file_set_contents_full(path, made, (gssize) made_size, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &local)) {
                g_set_error(error, HET_ERROR, HET_ERROR_FAILED, "Cannot write the master's device tree: %s", local->message);
                return false;
        }

        dump->job->device_tree = g_steal_pointer(&path);
        return true;
}

static void on_exited(Spawn *spawn, const SpawnExit *status, void *userdata) {
        Dump *dump = userdata;
        g_autofree char *how = spawn_exit_to_string(status);
        g_autoptr(GError) error = NULL;

        if (status->killed || status->status != 0)
                g_set_error(&error, HET_ERROR, HET_ERROR_SPAWN_FAILED, "The QEMU that was asked for the master's device tree failed: "
                            "%s%s%s", how, dump->last_line ? "; it said: " : "", dump->last_line ?: "");
        else
                (void) complete_tree(dump, &error);

        dump_end(dump, error);
}

static void on_line(Spawn *spawn, const char *line, void *userdata) {
        Dump *dump = userdata;

        processor_log(platform_get_master(dump->job->platform), LOG_INFO, "QEMU says: %s", line);
        g_free(dump->last_line);
        dump->last_line = g_strdup(line);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Job *job = userdata;

        spawn_end(job->dump);
        return 0;
}

static void add_dump_option(char **argv, const char *file) {
        for (char **a = argv; a[0] && a[1]; a++)
                if (g_str_equal(a[0], "-machine")) {
                        char *machine = g_strdup_printf("%s,dumpdtb=%s", a[1], file);

                        g_free(a[1]);
                        a[1] = machine;
                        return;
                }
}

static bool dump_start(Dump *dump, GError **error) {
        static const SpawnHandlers handlers = { .line = on_line, .exited = on_exited };
        Platform *platform = dump->job->platform;
        Processor *master = platform_get_master(platform);
        sd_event *event = platform->manager->event;
        g_autofree char *qemu = NULL, *monitor = NULL;
        g_auto(GStrv) argv = NULL;
        int r;

        if (!manager_find_qemu(platform->manager, master->config, &qemu, error))
                return false;

        CommandLinePaths paths = { .qemu = qemu, .console_socket = dump->console, .console_log = dump->log };

        monitor = g_strdup_printf("%s/%s.qmp", platform->directory, master->config->name);
        argv = command_line_build(platform->config, master->config, &paths);
        add_dump_option(argv, dump->base);

        SpawnRequest request = { .name = "device-tree", .argv = argv, .monitor_path = monitor };

        if (!spawn_new(event, &request, &handlers, dump, &dump->job->dump, error))
                return false;

        r = sd_event_add_time_relative(event, &dump->job->dump_timer, CLOCK_MONOTONIC, DUMP_TIMEOUT_USEC, 0, on_timeout, dump->job);
        if (r < 0)
                g_set_error(error, HET_ERROR, het_error_from_errno(r), "Cannot arm a timer: %s", g_strerror(-r));
        return r >= 0;
}

void master_tree_make(Job *job, DoneFunc done, void *userdata) {
        Processor *master = platform_get_master(job->platform);
        g_autoptr(GError) error = NULL;
        Dump *dump = g_new0(Dump, 1);

        dump->job = job;
        dump->done = done;
        dump->userdata = userdata;
        dump->base = g_strdup_printf("%s/%s.base.dtb", job->platform->directory, master->config->name);
        dump->console = g_strdup_printf("%s/%s.console", job->platform->directory, master->config->name);
        dump->log = g_strdup_printf("%s/%s.log", job->platform->directory, master->config->name);

        if (!dump_start(dump, &error))
                dump_end(dump, error);
}
