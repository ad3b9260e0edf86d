/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Start and stop of a platform, step by step. Each step works on all processors at once, and its end calls the next one. The first
 * failure ends what is under way, and then everything that was done is undone.
 */

#include "job.h"

#include "bus.h"
#include "log.h"
#include "master-tree.h"

static void undone(const GError *error, void *userdata) {
        job_finish(userdata);
}

/* True when the job goes on */
static bool step_succeeded(Job *job, const GError *error) {
        g_autofree char *text = NULL;
        bool canceled;

        if (error)
                job_fail(job, error);
        if (!job->error)
                return true;

        canceled = job->error->code == HET_ERROR_CANCELED;
        text = g_strdup_printf("%s%s", canceled ? "" : "It could not be started: ", job->error->message);
        job_set_step(job, job->progress, "undoing what was done");
        platform_end(job->platform, canceled ? PLATFORM_STOPPED : PLATFORM_FAILED, canceled ? "start-canceled" : "start-failed",
                     text, undone, job);
        return false;
}

static void noop(const GError *error, void *userdata) {
}

void start_job_abort(Job *job) {
        g_autoptr(GPtrArray) processors = g_ptr_array_ref(job->platform->processors);
        bool canceled = job->error->code == HET_ERROR_CANCELED;

        if (job->platform->ending)
                return;
        if (job->tree)
                master_tree_end(job->tree);

        for (guint i = 0; i < processors->len; i++) {
                Processor *p = processors->pdata[i];

                if (p->process)
                        processor_end(p, canceled ? "start-canceled" : "start-failed", noop, NULL);
        }
}

static Processor *get_processor(Job *job, guint i) {
        return job->platform->processors->pdata[i];
}

static guint n_processors(Job *job) {
        return job->platform->processors->len;
}

/* --- 5: what somebody else has started --- */

static void on_attached(const GError *error, void *userdata) {
        Processor *p = userdata;

        if (error)
                processor_log(p, LOG_WARNING, "%s: Monitor=: %s", p->config->name, error->message);
}

/* One that is not there yet is for who starts it to attach */
static void attach_external(Platform *platform) {
        for (guint i = 0; platform_is_active(platform) && i < platform->processors->len; i++) {
                Processor *p = platform->processors->pdata[i];

                if (p->config->monitor && p->state == PROCESSOR_DEFINED)
                        platform_attach(p, p->config->monitor, -EBADF, on_attached, p);
        }
}

/* --- 4: slaves with AutoBoot= --- */

static void on_booted(const GError *error, void *userdata) {
        Job *job = userdata;
        Platform *platform = job->platform;
        Processor *master = platform_get_master(platform);

        if (!step_succeeded(job, error))
                return;

        if (master->monitor_ready)
                platform_set_state(platform, PLATFORM_RUNNING, "master-running", "Its master runs");
        else
                platform_set_state(platform, PLATFORM_RUNNING, "master-absent", "Its master is to be attached");

        job_set_step(job, 1.0, "done");
        job_finish(job);

        /* It may have been paused, or have panicked, meanwhile */
        platform_processor_changed(platform, master);
        attach_external(platform);
}

static void boot_slaves(Job *job) {
        Gather *gather = gather_new(on_booted, job);

        job_set_step(job, 0.9, "booting the slaves with AutoBoot=");
        for (guint i = 1; i < n_processors(job); i++)
                processor_auto_boot(get_processor(job, i), gather_done, gather_add(gather));
        gather_close(gather);
}

/* --- 3: the master's CPUs --- */

static void on_master_runs(const GError *error, void *userdata) {
        if (step_succeeded(userdata, error))
                boot_slaves(userdata);
}

static void on_continued(const GError *error, void *userdata) {
        Job *job = userdata;

        if (step_succeeded(job, error))
                processor_wait(platform_get_master(job->platform),
                               PROCESSOR_STATE_MASK(PROCESSOR_RUNNING) | PROCESSOR_STATE_MASK(PROCESSOR_PAUSED),
                               PROCESSOR_STATE_TIMEOUT_USEC, on_master_runs, job);
}

static void on_processors_ready(const GError *error, void *userdata) {
        Job *job = userdata;
        Processor *master = platform_get_master(job->platform);

        if (!step_succeeded(job, error))
                return;

        job_set_step(job, 0.8, "%s: starting its CPUs", master->config->name);
        if (master->state == PROCESSOR_READY)
                processor_call(master, "cont", NULL, NULL, 0, on_continued, job);
        else
                boot_slaves(job);
}

/* --- 2: processes, couples, memory --- */

/* The first failure ends the others */
static void on_processor_ready(const GError *error, void *userdata) {
        Job *job = userdata;

        if (error)
                job_fail(job, error);
        gather_done(error, job->gather);
}

static void start_master(Job *job) {
        Processor *master = platform_get_master(job->platform);
        g_autoptr(GError) error = NULL;

        if (processor_start(master, "platform-start", master_tree_get_path(job->tree), &error))
                processor_wait(master, PROCESSOR_STATES_CONNECTED, PROCESSOR_START_TIMEOUT_USEC, on_processor_ready, job);
        else
                on_processor_ready(error, job);
}

/* How the QEMU of an external one has ended is of an earlier start */
static void forget_end(Processor *p) {
        if (p->config->start != PROCESSOR_START_HETD && processor_in_states(p, PROCESSOR_STATES_ENDED))
                processor_set_state(p, PROCESSOR_DEFINED, "defined", "It is to be started by somebody else, and attached");
}

static void on_tree_made(const GError *error, void *userdata) {
        Job *job = userdata;

        if (!step_succeeded(job, error))
                return;

        job_set_step(job, 0.2, "starting the QEMU processes, and joining them");
        job->gather = gather_new(on_processors_ready, job);
        for (guint i = 0; i < n_processors(job) && !job->error; i++) {
                Processor *p = get_processor(job, i);

                processor_drop_window(p);       /* kept after a crash */
                forget_end(p);
                gather_add(job->gather);
                if (!processor_is_master(p))
                        platform_start_slave(p, "platform-start", on_processor_ready, job);
                else if (p->config->start == PROCESSOR_START_HETD)
                        start_master(job);
                else
                        on_processor_ready(NULL, job);
        }
        gather_close(job->gather);
}

/* --- 1: the master's device tree --- */

void start_job_begin(Job *job) {
        platform_set_state(job->platform, PLATFORM_STARTING, "start", "It is being started");

        if (job->error) {
                on_tree_made(job->error, job);
                return;
        }

        if (master_tree_is_needed(job->platform))
                job_set_step(job, 0.1, "%s: making its device tree", platform_get_master(job->platform)->config->name);
        master_tree_new(job->platform, &job->tree, on_tree_made, job);
}

/* What can be known before anything is started */
static bool check_start(Platform *platform, GError **error) {
        if (platform->manager->ending) {
                g_set_error(error, HET_ERROR, HET_ERROR_WRONG_STATE, "hetd is about to exit");
                return false;
        }

        if (!platform_is_idle(platform)) {
                g_set_error(error, HET_ERROR, HET_ERROR_WRONG_STATE, "%s is %s: only a platform that is not started can be started",
                            platform->config->name, platform_state_to_string(platform->state));
                return false;
        }

        for (guint i = 0; i < platform->processors->len; i++) {
                const Processor *p = platform->processors->pdata[i];
                const ProcessorConfig *config = p->config;
                g_autofree char *qemu = NULL;

                /* An external one that is being attached, for example: it would be joined by that, and by the start */
                if (p->busy)
                        return processor_wrong_state(p, error, "a %s is being carried out, start the platform after it", p->busy);
                if (config->start == PROCESSOR_START_HETD && !manager_find_qemu(platform->manager, config, &qemu, error))
                        return false;
        }

        return platform_make_directory(platform, error);
}

bool platform_start(Platform *platform, Job **ret, GError **error) {
        return check_start(platform, error) && job_new(platform, JOB_START, start_job_begin, ret, error);
}

/* --- stop --- */

static void on_ended(const GError *error, void *userdata) {
        Job *job = userdata;

        job_set_step(job, 1.0, "done");
        job_finish(job);
}

static void stop_job_begin(Job *job) {
        /* Its master may have ended meanwhile */
        if (job->platform->ending || !platform_is_active(job->platform)) {
                on_ended(NULL, job);
                return;
        }

        job_set_step(job, 0.1, "ending the QEMU processes");
        platform_end(job->platform, PLATFORM_STOPPED, "platform-stop", "It was stopped as asked", on_ended, job);
}

bool platform_stop(Platform *platform, Job **ret, GError **error) {
        if (!platform_is_active(platform) || platform->job) {
                g_set_error(error, HET_ERROR, HET_ERROR_WRONG_STATE, "%s is %s%s: only a platform that was started can be stopped",
                            platform->config->name, platform_state_to_string(platform->state),
                            platform->job ? " and a job works on it" : "");
                return false;
        }

        return job_new(platform, JOB_STOP, stop_job_begin, ret, error);
}
