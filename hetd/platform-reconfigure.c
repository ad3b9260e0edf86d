/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A platform gets another platform file while it runs. What is not the same for the QEMU of a slave makes another QEMU of it: the old
 * one leaves and ends, the new one joins; the master and the other slaves go on. See platform.h.
 */

#include "platform.h"

#include "adopt.h"
#include "bus.h"
#include "command-line.h"
#include "log.h"
#include "master-tree.h"

typedef struct Reconfigure {
        Platform *platform;
        PlatformConfig *config;         /* the new one; after it was taken over the old one */
        GPtrArray *replaced;            /* of Processor*: those that get another QEMU */
        DoneFunc done;
        void *userdata;
        GError *error;
} Reconfigure;

/* --- what differs --- */

static bool is_same_command_line(const PlatformConfig *a, const ProcessorConfig *pa, const PlatformConfig *b, const ProcessorConfig *pb) {
        static const CommandLinePaths paths = { .qemu = "qemu", .console_socket = "console", .console_log = "log" };
        g_auto(GStrv) old = command_line_build(a, pa, &paths), new = command_line_build(b, pb, &paths);

        return g_strv_equal((const char *const *) old, (const char *const *) new) && g_strcmp0(pa->qemu, pb->qemu) == 0 &&
                g_strcmp0(pa->target, pb->target) == 0;
}

static bool is_same_window(const ProcessorConfig *a, const ProcessorConfig *b) {
        return a->window_address == b->window_address && a->window_size == b->window_size && a->read_only == b->read_only;
}

static const ProcessorConfig *get_new(const PlatformConfig *config, guint i) {
        return config->processors->pdata[i];
}

static bool needs_another_qemu(const Platform *platform, const PlatformConfig *config, guint i) {
        const ProcessorConfig *old = get_new(platform->config, i), *new = get_new(config, i);

        return !is_same_command_line(platform->config, old, config, new) || !is_same_window(old, new) ||
                old->watchdog_usec != new->watchdog_usec;
}

/* --- whether it is possible; nothing has changed yet --- */

static bool refuse(const Platform *platform, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool refuse(const Platform *platform, GError **error, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        het_error_wrong_state(error, platform->config->name, platform_state_to_string(platform->state), format, arguments);
        va_end(arguments);
        return false;
}

static bool check_same_processors(const Platform *platform, const PlatformConfig *config, GError **error) {
        bool same = platform->config->processors->len == config->processors->len;

        for (guint i = 0; same && i < config->processors->len; i++) {
                const ProcessorConfig *old = get_new(platform->config, i), *new = get_new(config, i);

                same = g_str_equal(old->name, new->name) && old->id == new->id && old->start == new->start;
        }

        return same || refuse(platform, error, "its processors, their numbers (Id=), and who starts them (Start=) must stay as they are; "
                              "for others stop it, and define it anew");
}

static bool check_master(Platform *platform, const PlatformConfig *config, GError **error) {
        const Processor *master = platform_get_master(platform);

        if (!master->process && !master->monitor)
                return true;
        if (!is_same_command_line(platform->config, master->config, config, platform_config_get_master(config)))
                return refuse(platform, error, "the QEMU of its master would be another one, or would show its guest other registers of "
                              "slaves (Remoteproc=stm32): stop it, and define it anew");
        if (!master_tree_is_needed(platform))
                return true;

        for (guint i = 1; i < config->processors->len; i++)
                if (!is_same_window(get_new(platform->config, i), get_new(config, i)))
                        return refuse(platform, error, "Linux on its master was told of the window of %s when it booted, and has other "
                                      "uses for the rest of its memory: leave Window= and Access= as they are, or stop it",
                                      get_new(config, i)->name);

        return true;
}

static bool check_slave(const Processor *slave, const ProcessorConfig *new, GError **error) {
        if (slave->busy)
                return processor_wrong_state(slave, error, "a %s is being carried out", slave->busy);
        if (slave->config->start == PROCESSOR_START_EXTERNAL && (slave->monitor || slave->state == PROCESSOR_LOST))
                return processor_wrong_state(slave, error, "its QEMU is to be another one, and was started by somebody else: detach it first");

        g_autofree char *qemu = NULL;

        return new->start == PROCESSOR_START_EXTERNAL || manager_find_qemu(slave->platform->manager, new, &qemu, error);
}

static bool check(Platform *platform, const PlatformConfig *config, GError **error) {
        if (platform->ending || platform->job)
                return refuse(platform, error, "it is being started, stopped or taken over, try it again after that");
        if (platform_get_master(platform)->busy)
                return processor_wrong_state(platform_get_master(platform), error, "a %s is being carried out",
                                             platform_get_master(platform)->busy);
        if (!check_same_processors(platform, config, error) || !check_master(platform, config, error))
                return false;

        for (guint i = 1; i < config->processors->len; i++)
                if (needs_another_qemu(platform, config, i) && !check_slave(platform->processors->pdata[i], get_new(config, i), error))
                        return false;

        return manager_may_exchange(platform->manager, platform, config, error);
}

/* --- 3: the new QEMUs --- */

static void end(const GError *error, void *userdata) {
        Reconfigure *r = userdata;
        g_autoptr(GError) first = g_steal_pointer(&r->error);
        DoneFunc done = r->done;
        void *done_userdata = r->userdata;

        platform_config_free(r->config);
        g_ptr_array_unref(r->replaced);
        g_free(r);
        done(first ?: error, done_userdata);
}

static void start(Reconfigure *r) {
        Gather *gather = gather_new(end, r);

        for (guint i = 0; i < r->replaced->len; i++) {
                Processor *slave = r->replaced->pdata[i];

                if (slave->config->start == PROCESSOR_START_HETD && platform_is_active(r->platform))
                        processor_start_anew(slave, gather_done, gather_add(gather));
                else
                        processor_end_verb(slave);
        }
        gather_close(gather);
}

/* --- 2: the new file --- */

static void exchange(Reconfigure *r) {
        Platform *platform = r->platform;
        PlatformConfig *old = platform->config;
        char *name = old->name;

        /* Others know the platform by the very string that it has */
        old->name = r->config->name;
        r->config->name = name;
        platform->config = r->config;
        r->config = old;
        for (guint i = 0; i < platform->processors->len; i++)
                ((Processor *) platform->processors->pdata[i])->config = platform->config->processors->pdata[i];
}

static bool take_over(Reconfigure *r, GError **error) {
        Platform *platform = r->platform;

        if (platform->ending) {
                g_set_error(error, HET_ERROR, HET_ERROR_CANCELED, "%s is being stopped", platform->config->name);
                return false;
        }

        if (!manager_exchange(platform->manager, platform, r->config, error))
                return false;

        exchange(r);
        if (platform_save_config(platform, error) && platform_save(platform, error))
                return true;

        (void) manager_exchange(platform->manager, platform, r->config, NULL);
        exchange(r);
        (void) platform_save_config(platform, NULL);
        return false;
}

static void tell(const Platform *platform) {
        static const char *const of_processors[] = { "Machine", "CPU", "Window", "Access" };

        bus_changed(platform->manager, platform->path, BUS_PLATFORM, "Description");
        bus_changed(platform->manager, platform->path, BUS_PLATFORM, "SourcePath");
        for (guint i = 0; i < platform->processors->len; i++)
                for (size_t k = 0; k < G_N_ELEMENTS(of_processors); k++)
                        processor_changed(platform->processors->pdata[i], of_processors[k]);
}

static void on_taken_apart(const GError *error, void *userdata) {
        Reconfigure *r = userdata;

        for (guint i = 0; i < r->replaced->len; i++)
                processor_drop_window(r->replaced->pdata[i]);

        if (error)
                r->error = g_error_copy(error);
        else if (take_over(r, &r->error)) {
                log_info("%s: It has another platform file, %u of its slaves get another QEMU", r->platform->config->name, r->replaced->len);
                tell(r->platform);
        }

        start(r);
}

/* --- 1: the old QEMUs --- */

typedef struct Leaving {
        Processor *slave;
        void *gather;
} Leaving;

static void on_left(const GError *error, void *userdata) {
        g_autofree Leaving *leaving = userdata;

        processor_end(leaving->slave, "reconfigure", gather_done, leaving->gather);
}

void platform_reconfigure(Platform *platform, PlatformConfig *config_consume, DoneFunc done, void *userdata) {
        g_autoptr(PlatformConfig) config = config_consume;
        g_autoptr(GError) error = NULL;
        Gather *gather;
        Reconfigure *r;

        if (!check(platform, config, &error)) {
                done(error, userdata);
                return;
        }

        r = g_new0(Reconfigure, 1);
        r->platform = platform;
        r->config = g_steal_pointer(&config);
        r->replaced = g_ptr_array_new();
        r->done = done;
        r->userdata = userdata;
        for (guint i = 1; i < platform->processors->len; i++)
                if (needs_another_qemu(platform, r->config, i) && processor_begin(platform->processors->pdata[i], "reconfigure", NULL))
                        g_ptr_array_add(r->replaced, platform->processors->pdata[i]);

        gather = gather_new(on_taken_apart, r);
        for (guint i = 0; i < r->replaced->len; i++) {
                Leaving *leaving = g_new0(Leaving, 1);

                leaving->slave = r->replaced->pdata[i];
                leaving->gather = gather_add(gather);
                (void) processor_cancel_restart(leaving->slave);
                platform_leave(leaving->slave, on_left, leaving);
        }
        gather_close(gather);
}
