/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Couples and windows: what makes a slave's QEMU and the master's parts of one platform, and takes them apart; and QEMUs that
 * somebody else started. See platform.h.
 */

#include "platform.h"

#include "adopt.h"
#include "command-line.h"
#include "log.h"
#include "steps.h"
#include "util/fd-util.h"
#include "util/json-util.h"

#define ATTACH_TIMEOUT_USEC     (30 * G_USEC_PER_SEC)

/* Work on one processor that a done function ends */
typedef struct Join {
        Processor *processor;
        DoneFunc done;
        void *userdata;
        GError *error;
} Join;

static Join *join_new(Processor *p, DoneFunc done, void *userdata) {
        Join *join = g_new0(Join, 1);

        join->processor = p;
        join->done = done;
        join->userdata = userdata;
        return join;
}

static void join_end(Join *join, const GError *error) {
        g_autoptr(GError) first = g_steal_pointer(&join->error);
        DoneFunc done = join->done;
        void *userdata = join->userdata;

        g_free(join);
        done(first ?: error, userdata);
}

/* --- the commands --- */

static json_object *arguments_with_id(const Processor *slave) {
        json_object *arguments = json_object_new_object();

        json_add_uint64(arguments, "id", slave->config->id);
        return arguments;
}

static void add_master_attach(Steps *steps, Processor *slave) {
        const Couple *c = slave->couple;
        const QmpClientFd fds[] = {
                { "couple.page", c->page_fd },
                { "couple.rx", c->to_master },
                { "couple.tx", c->to_slave },
                { "couple.rx-halt", c->to_master_halt },
                { "couple.tx-halt", c->to_slave_halt },
                { "window.memory", slave->window_fd },
        };
        json_object *arguments = arguments_with_id(slave);
        size_t n_fds = G_N_ELEMENTS(fds);

        G_STATIC_ASSERT(G_N_ELEMENTS(fds) == PLATFORM_REPLACE_WINDOW_FDS);
        if (slave->window_fd >= 0) {
                json_object *window = json_object_new_object();

                json_add_uint64(window, "offset", slave->window_offset);
                json_add_uint64(window, "address", slave->config->window_address);
                json_add_uint64(window, "size", slave->config->window_size);
                json_object_object_add(arguments, "window", window);
        } else
                n_fds--;

        steps_add(steps, platform_get_master(slave->platform), false, "het-slave-attach", arguments, fds, n_fds);
}

static void add_slave_attach(Steps *steps, Processor *slave) {
        const Couple *c = slave->couple;
        const QmpClientFd fds[] = {
                { "couple.page", c->page_fd },
                { "couple.rx", c->to_slave },
                { "couple.tx", c->to_master },
                { "couple.rx-halt", c->to_slave_halt },
                { "couple.tx-halt", c->to_master_halt },
        };

        steps_add(steps, slave, false, "het-master-attach", arguments_with_id(slave), fds, G_N_ELEMENTS(fds));
}

static void add_master_detach(Steps *steps, Processor *slave) {
        Processor *master = platform_get_master(slave->platform);

        if (slave->master_attached && master->monitor_ready)
                steps_add(steps, master, true, "het-slave-detach", arguments_with_id(slave), NULL, 0);
}

/* --- join and leave --- */

static void forget_couple(Processor *slave) {
        slave->couple = couple_free(slave->couple);
        slave->master_attached = slave->slave_attached = false;
}

static void on_given(const GError *error, void *userdata) {
        Join *join = userdata;

        join->processor->joining = NULL;
        join_end(join, error);
}

void platform_join(Processor *slave, DoneFunc done, void *userdata) {
        Join *join = join_new(slave, done, userdata);
        g_autoptr(GError) error = NULL;
        Steps *steps;

        /* What is left of an earlier process, or of an earlier hetd */
        steps = steps_new(on_given, join);
        if (slave->slave_attached)
                steps_add(steps, slave, true, "het-master-detach", NULL, NULL, 0);
        add_master_detach(steps, slave);
        forget_couple(slave);

        if (!processor_make_window(slave, &error) ||
            !couple_new(slave->config->id, processor_get_heartbeat_ms(slave), &slave->couple, &error)) {
                steps_free(steps);
                join_end(join, error);
                return;
        }

        /* Before anybody has it: the next hetd must know it */
        g_clear_pointer(&slave->missing, g_free);
        if (!platform_save(slave->platform, &error)) {
                steps_free(steps);
                join_end(join, error);
                return;
        }

        /* From now on they may have it: whatever goes wrong, leaving takes it away from both */
        slave->master_attached = slave->slave_attached = true;
        add_master_attach(steps, slave);
        add_slave_attach(steps, slave);
        slave->joining = steps;
        steps_run(steps);
}

void platform_rejoin(Processor *slave, DoneFunc done, void *userdata) {
        Steps *steps = steps_new(done, userdata);

        couple_renew(slave->couple);
        slave->slave_attached = true;
        add_slave_attach(steps, slave);
        steps_run(steps);
}

static void on_left(const GError *error, void *userdata) {
        Join *join = userdata;

        forget_couple(join->processor);
        join_end(join, NULL);
}

void platform_leave(Processor *slave, DoneFunc done, void *userdata) {
        Steps *steps = steps_new(on_left, join_new(slave, done, userdata));
        json_object *memory;

        /* What it would be given behind that, it would keep */
        if (slave->joining)
                steps_cancel(slave->joining);

        if (slave->monitor_ready && slave->slave_attached) {
                steps_add(steps, slave, true, "het-slave-stop", NULL, NULL, 0);
                /* It may just be being given to it, which nobody has answered yet */
                if (slave->granted || slave->window_fd >= 0) {
                        memory = json_object_new_object();
                        json_add_string(memory, "id", slave->memory_id ?: COMMAND_LINE_MEMORY_ID);
                        steps_add(steps, slave, true, "het-memory-revoke", memory, NULL, 0);
                }
                steps_add(steps, slave, true, "het-master-detach", NULL, NULL, 0);
        }

        add_master_detach(steps, slave);
        steps_run(steps);
}

void platform_replace_window(Processor *slave, DoneFunc done, void *userdata) {
        Steps *steps = steps_new(done, userdata);

        if (slave->couple && slave->master_attached) {
                add_master_detach(steps, slave);
                add_master_attach(steps, slave);
        }

        steps_run(steps);
}

/* --- external processors --- */

static void on_granted(const GError *error, void *userdata) {
        join_end(userdata, error);
}

static void on_joined(const GError *error, void *userdata) {
        Join *join = userdata;

        if (error)
                join_end(join, error);
        else
                processor_grant(join->processor, on_granted, join);
}

static void join_and_grant(Processor *slave, DoneFunc done, void *userdata) {
        platform_join(slave, on_joined, join_new(slave, done, userdata));
}

static void give_to_master(Processor *slave, DoneFunc done, void *userdata) {
        Steps *steps = steps_new(done, userdata);

        slave->master_attached = true;
        add_master_attach(steps, slave);
        steps_run(steps);
}

void platform_join_master(Platform *platform, DoneFunc done, void *userdata) {
        Gather *gather = gather_new(done, userdata);

        for (guint i = 1; i < platform->processors->len; i++) {
                Processor *slave = platform->processors->pdata[i];

                if (slave->couple && !slave->master_attached)
                        give_to_master(slave, gather_done, gather_add(gather));
                else if (slave->monitor_ready && slave->state == PROCESSOR_WAITING && !slave->couple && !processor_is_restarting(slave))
                        join_and_grant(slave, gather_done, gather_add(gather));
        }
        gather_close(gather);
}

static void on_continued(const GError *error, void *userdata) {
        join_end(userdata, error);
}

static void on_slaves_joined(const GError *error, void *userdata) {
        Join *join = userdata;
        Processor *master = join->processor;

        /* It waits for us if it was started with -S */
        if (error || master->state != PROCESSOR_READY)
                join_end(join, error);
        else
                processor_call(master, "cont", NULL, NULL, 0, on_continued, join);
}

void platform_attached(Processor *p, DoneFunc done, void *userdata) {
        Platform *platform = p->platform;

        if (!platform_is_active(platform)) {
                done(NULL, userdata);
                return;
        }

        if (!processor_is_master(p)) {
                if (platform_get_master(platform)->monitor_ready)
                        join_and_grant(p, done, userdata);
                else
                        done(NULL, userdata);
                return;
        }

        platform_join_master(platform, on_slaves_joined, join_new(p, done, userdata));
}

static void on_attach_ended(const GError *error, void *userdata) {
        Join *join = userdata;

        processor_end_verb(join->processor);
        join_end(join, error);
}

static void on_attach_undone(const GError *error, void *userdata) {
        Join *join = userdata;

        if (join->processor->monitor)
                processor_detached(join->processor, "attach-failed", join->error->message);
        on_attach_ended(NULL, join);
}

static void on_auto_booted(const GError *error, void *userdata) {
        Processor *slave = userdata;

        if (error)
                processor_log(slave, LOG_WARNING, "It was attached, and AutoBoot= failed: %s", error->message);
}

/* They have missed the start of the platform, which does it otherwise */
static void auto_boot_joined(Processor *p) {
        for (guint i = 1; platform_is_active(p->platform) && i < p->platform->processors->len; i++) {
                Processor *slave = p->platform->processors->pdata[i];

                if (slave == p || processor_is_master(p))
                        processor_auto_boot(slave, on_auto_booted, slave);
        }
}

static void on_attach_joined(const GError *error, void *userdata) {
        Join *join = userdata;
        Processor *p = join->processor;

        if (!error) {
                on_attach_ended(NULL, join);
                auto_boot_joined(p);
                return;
        }

        join->error = g_error_copy(error);
        if (processor_is_master(join->processor))
                on_attach_undone(NULL, join);
        else
                platform_leave(join->processor, on_attach_undone, join);
}

static void on_attach_connected(const GError *error, void *userdata) {
        Join *join = userdata;
        g_autoptr(GError) refused = NULL;

        if (error) {
                on_attach_ended(error, join);
                return;
        }

        if (join->processor->granted) {
                processor_wrong_state(join->processor, &refused, "somebody else has given this QEMU memory, revoke that first");
                processor_detached(join->processor, "attach-failed", refused->message);
                on_attach_ended(refused, join);
                return;
        }

        platform_attached(join->processor, on_attach_joined, join);
}

static bool may_attach(Processor *p, GError **error) {
        if (p->config->start != PROCESSOR_START_EXTERNAL)
                return processor_wrong_state(p, error, "hetd starts it itself (it has no Start=external)");
        if (p->platform->job)
                return processor_wrong_state(p, error, "its platform is being started or stopped");
        if (p->monitor && p->state != PROCESSOR_LOST)
                return processor_wrong_state(p, error, "it is attached already");

        return processor_begin(p, "attach", error);
}

void platform_attach(Processor *p, const char *path, int fd_consume, DoneFunc done, void *userdata) {
        HET_AUTO_FD int fd = fd_consume;
        g_autoptr(GError) error = NULL;

        if (!may_attach(p, &error)) {
                done(error, userdata);
                return;
        }

        p->boots = 0;
        p->end_reason = p->shutdown_reason = NULL;
        if (platform_make_directory(p->platform, &error) &&
            (fd < 0 ? processor_connect_path(p, path, &error) : processor_connect_fd(p, fd_take(&fd), path, &error))) {
                processor_wait(p, PROCESSOR_STATES_CONNECTED, ATTACH_TIMEOUT_USEC, on_attach_connected,
                               join_new(p, done, userdata));
                return;
        }

        processor_end_verb(p);
        done(error, userdata);
}

static void on_detach_left(const GError *error, void *userdata) {
        Join *join = userdata;

        processor_end_verb(join->processor);
        processor_detached(join->processor, "detached", "It was detached; its process lives on");
        join_end(join, NULL);
}

/* What a verb is giving a slave would be missed when the slave leaves */
static void check_slaves_idle(Processor *master, GError **error) {
        for (guint i = 1; i < master->platform->processors->len; i++) {
                const Processor *slave = master->platform->processors->pdata[i];

                if (slave->busy) {
                        processor_wrong_state(master, error, "a %s of its %s is being carried out", slave->busy, slave->config->name);
                        return;
                }
        }
}

void platform_detach(Processor *p, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;
        Gather *gather;

        if (p->config->start != PROCESSOR_START_EXTERNAL)
                processor_wrong_state(p, &error, "hetd has started it: it cannot be detached, only stopped");
        else if (p->platform->job)
                processor_wrong_state(p, &error, "its platform is being started or stopped");
        else if (!p->monitor && p->state != PROCESSOR_LOST && !p->couple)
                processor_wrong_state(p, &error, "it is not attached");
        else if (processor_is_master(p))
                check_slaves_idle(p, &error);
        if (error || !processor_begin(p, "detach", &error)) {
                done(error, userdata);
                return;
        }

        gather = gather_new(on_detach_left, join_new(p, done, userdata));
        for (guint i = 1; i < p->platform->processors->len; i++) {
                Processor *slave = p->platform->processors->pdata[i];

                if (slave->couple && (slave == p || processor_is_master(p)))
                        platform_leave(slave, gather_done, gather_add(gather));
        }
        gather_close(gather);
}
