/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The end of a platform: asked for, after a failure, or because its master is gone. See platform.h. */

#include "platform.h"

#include "adopt.h"
#include "log.h"
#include "util/fd-util.h"

typedef struct End {
        Platform *platform;
        PlatformState state;
        const char *reason;
        char *text;
        DoneFunc done;
        void *userdata;
} End;

static void on_all_ended(const GError *error, void *userdata) {
        End *end = userdata;
        Platform *platform = end->platform;
        DoneFunc done = end->done;
        void *done_userdata = end->userdata;

        if (error)
                log_warning("%s: %s", platform->config->name, error->message);

        for (guint i = 0; i < platform->processors->len; i++) {
                Processor *p = platform->processors->pdata[i];

                p->couple = couple_free(p->couple);
                p->master_attached = p->slave_attached = false;
                /* After a crash one may want to look at the windows */
                if (end->state != PLATFORM_CRASHED)
                        processor_drop_window(p);
        }

        platform->ending = false;
        platform_set_state(platform, end->state, end->reason, "%s", end->text);
        g_free(end->text);
        g_free(end);

        if (done)
                done(NULL, done_userdata);
        manager_platform_ended(platform->manager);
}

static void on_all_left(const GError *error, void *userdata) {
        End *end = userdata;
        Gather *gather = gather_new(on_all_ended, end);

        for (guint i = 0; i < end->platform->processors->len; i++)
                processor_end(end->platform->processors->pdata[i], end->reason, gather_done, gather_add(gather));
        gather_close(gather);
}

/* A QEMU that lives on must not keep what it has of the platform; the others take it with them */
static bool must_leave(const Processor *slave, const Processor *master) {
        return slave->couple && ((slave->config->start == PROCESSOR_START_EXTERNAL && slave->monitor_ready) ||
                                 (master->config->start == PROCESSOR_START_EXTERNAL && master->monitor_ready));
}

static void on_verbs_ended(const GError *error, void *userdata) {
        End *end = userdata;
        Platform *platform = end->platform;
        Gather *gather = gather_new(on_all_left, end);

        if (error)
                log_warning("%s: %s", platform->config->name, error->message);

        for (guint i = 1; i < platform->processors->len; i++) {
                Processor *slave = platform->processors->pdata[i];

                if (must_leave(slave, platform_get_master(platform)))
                        platform_leave(slave, gather_done, gather_add(gather));
        }
        gather_close(gather);
}

/* Its QEMU lives on, and is just being given something, or what it has is taken away */
static bool must_finish(const Processor *p, const Processor *master) {
        if (!p->busy)
                return false;

        return p == master ? p->config->start == PROCESSOR_START_EXTERNAL && p->monitor_ready : must_leave(p, master);
}

void platform_end(Platform *platform, PlatformState state, const char *reason, const char *text, DoneFunc done, void *userdata) {
        Processor *master = platform_get_master(platform);
        g_autoptr(GError) error = NULL;
        Gather *gather;
        End *end;

        /* It is being freed, with a job at work */
        if (platform->ending) {
                if (done)
                        done(NULL, userdata);
                return;
        }

        end = g_new0(End, 1);
        end->platform = platform;
        end->state = state;
        end->reason = reason;
        end->text = g_strdup(text);
        end->done = done;
        end->userdata = userdata;

        platform->ending = true;
        platform->end_state = state;
        platform_set_state(platform, PLATFORM_STOPPING, reason, "%s", text);
        /* Before any of its QEMUs ends: the next hetd must not take that for an accident */
        if (!platform_save(platform, &error))
                log_warning("%s: %s", platform->config->name, error->message);

        /* A verb that goes on while a slave leaves could give its QEMU the memory that was just taken away */
        gather = gather_new(on_verbs_ended, end);
        for (guint i = 0; i < platform->processors->len; i++) {
                Processor *p = platform->processors->pdata[i];

                if (must_finish(p, master))
                        processor_wait(p, PROCESSOR_STATES_ALL | PROCESSOR_IDLE, PROCESSOR_STATE_TIMEOUT_USEC, gather_done,
                                       gather_add(gather));
        }
        gather_close(gather);
}
