/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A platform of an earlier hetd is taken over: its QEMUs are connected, what has happened meanwhile is found out, and what was under
 * way is brought to an end. See adopt.h.
 *
 * A QEMU that does not answer in time stays `lost`, and is connected when it does; nobody waits for it longer.
 */

#include "adopt.h"

#include "log.h"

#define ADOPT_TIMEOUT_USEC      (10 * G_USEC_PER_SEC)
#define STATES_NOT_LOST         (PROCESSOR_STATES_ALL & ~PROCESSOR_STATE_MASK(PROCESSOR_LOST))

static Processor *get_processor(Job *job, guint i) {
        return job->platform->processors->pdata[i];
}

static guint n_processors(Job *job) {
        return job->platform->processors->len;
}

void adopt_job_free_found(Job *job) {
        for (guint i = 0; job->found && i < n_processors(job); i++)
                g_free(job->found[i].verb);
        g_clear_pointer(&job->found, g_free);
}

/* --- 4: the end --- */

static void on_over(const GError *error, void *userdata) {
        job_finish(userdata);
}

static void on_mended(const GError *error, void *userdata) {
        Processor *p = userdata;

        if (error)
                processor_log(p, LOG_WARNING, "What was under way when hetd ended could not be mended: %s", error->message);
}

static void on_idle(const GError *error, void *userdata) {
        if (error)
                on_mended(error, userdata);
        else
                processor_restart(userdata, on_mended, userdata);
}

static GPtrArray *slaves_to_restart(Job *job) {
        GPtrArray *slaves = g_ptr_array_new();

        for (guint i = 1; i < n_processors(job); i++)
                if (job->found[i].restart)
                        g_ptr_array_add(slaves, get_processor(job, i));

        return slaves;
}

static void on_settled(const GError *error, void *userdata) {
        Job *job = userdata;
        Platform *platform = job->platform;
        g_autoptr(GPtrArray) slaves = slaves_to_restart(job);
        g_autofree char *lost = g_steal_pointer(&job->lost);
        Processor *master = platform_get_master(platform);
        bool restart_master = job->found[0].restart;

        if (error)
                log_warning("%s: %s", platform->config->name, error->message);

        if (platform->manager->ending && platform_is_active(platform)) {
                platform_end(platform, PLATFORM_STOPPED, "hetd-exit", "hetd was asked to exit", on_over, job);
                return;
        }

        job_set_step(job, 1.0, "done");
        job_finish(job);

        if (restart_master && platform_is_active(platform) && !processor_is_restarting(master))
                processor_restart(master, on_mended, master);
        if (lost && !processor_is_restarting(master)) {
                platform_end(platform, PLATFORM_CRASHED, "windows-lost", lost, NULL, NULL);
                return;
        }

        /* What has happened to it meanwhile, and what its guest has asked for */
        platform_processor_changed(platform, master);
        if (!platform_is_active(platform))
                return;

        /* Those that are being stopped, because their master is gone, after that */
        for (guint i = 0; i < slaves->len; i++)
                processor_wait(slaves->pdata[i], PROCESSOR_STATES_ALL | PROCESSOR_IDLE, PROCESSOR_STATE_TIMEOUT_USEC, on_idle,
                               slaves->pdata[i]);
        processor_repeat_requests(master);
}

/* --- 3: what was under way --- */

typedef struct LetGo {
        Processor *slave;
        DoneFunc done;
        void *userdata;
} LetGo;

static void on_left(const GError *error, void *userdata) {
        g_autofree LetGo *go = userdata;

        processor_detached(go->slave, "detached", "hetd ended while it was being attached or detached: attach it again");
        go->done(NULL, go->userdata);
}

static void let_go(Processor *slave, DoneFunc done, void *userdata) {
        LetGo *go = g_new0(LetGo, 1);

        go->slave = slave;
        go->done = done;
        go->userdata = userdata;
        platform_leave(slave, on_left, go);
}

static bool was_started_again(const ProcessorFound *found) {
        return found->verb && (g_str_equal(found->verb, "restart") || g_str_equal(found->verb, "reconfigure"));
}

/*
 * Its process lives, and the master answers. It is a part of the platform as a whole, or becomes one anew. The beginning and the end of
 * a grant look the same, and so do those of a revoke: memory that the slave does not have is taken away from the master.
 */
static void mend_slave(Processor *slave, ProcessorFound *found, DoneFunc done, void *userdata) {
        bool whole = slave->couple && slave->master_attached && slave->slave_attached;

        if (whole && slave->window_fd >= 0 && !slave->granted) {
                processor_drop_window(slave);
                platform_replace_window(slave, done, userdata);
        } else if (whole && !was_started_again(found))
                done(NULL, userdata);
        else if (slave->config->start == PROCESSOR_START_EXTERNAL)
                let_go(slave, done, userdata);
        else {
                /* Verbs are not begun while the job is at work */
                found->restart = true;
                if (!slave->master_attached)
                        slave->couple = couple_free(slave->couple);
                done(NULL, userdata);
        }
}

/*
 * The same without a master: it is gone, or is to be started again, and gets what its slaves have then. A slave that has something
 * of which hetd has not all becomes a part of the platform anew.
 */
static void mend_without_master(Processor *slave, ProcessorFound *found, DoneFunc done, void *userdata) {
        bool whole = !slave->missing && !slave->couple == !slave->slave_attached && (slave->couple || !slave->granted);

        if (slave->config->start == PROCESSOR_START_EXTERNAL && !whole) {
                let_go(slave, done, userdata);
                return;
        }

        if (slave->config->start == PROCESSOR_START_HETD && (!whole || was_started_again(found))) {
                found->restart = true;
                slave->couple = couple_free(slave->couple);
        }

        done(NULL, userdata);
}

/* Nobody who had its window lives */
static void lose_window(Job *job, Processor *slave) {
        char *text = job->lost;

        processor_set_state(slave, slave->state, "window-lost", "%s. Its window is lost with what was in it: no QEMU that had it lives",
                            slave->reason_text);
        g_clear_pointer(&slave->missing, g_free);
        slave->has_firmware_entry = false;
        job->lost = text ? g_strdup_printf("%s, %s", text, slave->config->name) :
                g_strdup_printf("All of its QEMUs that had them have ended, and so these windows are lost with what was in them: %s",
                                slave->config->name);
        g_free(text);
}

static void mend(Job *job) {
        Processor *master = platform_get_master(job->platform);
        Gather *gather = gather_new(on_settled, job);
        bool master_ended = processor_in_states(master, PROCESSOR_STATES_ENDED) && !master->monitor_ready;

        job_set_step(job, 0.8, "looking for what was under way");
        job->found[0].restart = was_started_again(&job->found[0]);
        for (guint i = 1; i < n_processors(job); i++) {
                Processor *slave = get_processor(job, i);

                if (slave->couple && processor_in_states(slave, PROCESSOR_STATES_ENDED))
                        processor_tell_peer(slave, slave->state == PROCESSOR_CRASHED);
                job->found[i].restart = slave->config->start == PROCESSOR_START_HETD && !slave->monitor_ready &&
                        !processor_is_restarting(slave) && was_started_again(&job->found[i]);
                if (slave->monitor_ready && (master_ended || job->found[0].restart))
                        mend_without_master(slave, &job->found[i], gather_done, gather_add(gather));
                else if (slave->monitor_ready && master->monitor_ready)
                        mend_slave(slave, &job->found[i], gather_done, gather_add(gather));
                else if (master_ended && slave->missing && slave->missing->window != 0 &&
                         processor_in_states(slave, PROCESSOR_STATES_ENDED))
                        lose_window(job, slave);
        }
        gather_close(gather);
}

/* --- 2: who is gone --- */

static void bury(Job *job, const char *end_reason) {
        job->has_couples = true;
        for (guint i = 0; i < n_processors(job); i++) {
                Processor *p = get_processor(job, i);
                bool gone = p->process && spawn_get_pid(p->process) == 0;

                if (gone || (!p->process && job->found[i].had_process)) {
                        p->end_reason = p->end_reason ?: end_reason;
                        p->exit_status = (SpawnExit) { .unknown = true };
                        processor_finish_exit(p);
                }
        }
}

static void on_connected(const GError *error, void *userdata) {
        Job *job = userdata;
        Platform *platform = job->platform;

        if (error)
                log_warning("%s: %s", platform->config->name, error->message);

        if (platform->state == PLATFORM_STARTING) {
                bury(job, "start-failed");
                platform_end(platform, PLATFORM_FAILED, "start-failed", "hetd ended while it was being started", on_over, job);
        } else if (platform->state == PLATFORM_STOPPING) {
                bury(job, platform->reason);
                platform_end(platform, platform->end_state, platform->reason, platform->reason_text, on_over, job);
        } else {
                bury(job, NULL);
                mend(job);
        }
}

/* --- 1: the QEMUs --- */

static bool is_waited_for(const Platform *platform, const Processor *p) {
        bool ends = platform->state == PLATFORM_STARTING || platform->state == PLATFORM_STOPPING;

        return p->state == PROCESSOR_LOST && p->monitor_path && (!ends || p->config->start == PROCESSOR_START_EXTERNAL);
}

static void adopt_job_begin(Job *job) {
        Gather *gather = gather_new(on_connected, job);

        job_set_step(job, 0.1, "connecting its QEMUs");
        for (guint i = 0; i < n_processors(job); i++) {
                Processor *p = get_processor(job, i);

                if (is_waited_for(job->platform, p))
                        processor_wait(p, STATES_NOT_LOST | PROCESSOR_FROM_LOST, ADOPT_TIMEOUT_USEC, gather_done, gather_add(gather));
        }
        gather_close(gather);
}

bool adopt_job_new(Platform *platform, ProcessorFound *found_consume, GError **error) {
        Job *job;

        if (!job_new(platform, JOB_ADOPT, adopt_job_begin, &job, error)) {
                g_free(found_consume);
                return false;
        }

        job->found = found_consume;
        return true;
}
