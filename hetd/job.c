/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "job.h"

#include "bus.h"
#include "log.h"
#include "master-tree.h"
#include "util/sd-cleanup.h"

static const char *const type_names[_JOB_TYPE_MAX] = {
        [JOB_START] = "start",
        [JOB_STOP]  = "stop",
        [JOB_ADOPT] = "adopt",
};

const char *job_type_to_string(JobType type) {
        return type_names[type];
}

static int on_begin(sd_event_source *source, void *userdata) {
        Job *job = userdata;

        job->begin_source = sd_event_source_disable_unref(job->begin_source);
        job->begin(job);
        return 0;
}

bool job_new(Platform *platform, JobType type, void (*begin)(Job *job), Job **ret, GError **error) {
        Manager *manager = platform->manager;
        Job *job;
        int r;

        /* What runs already is taken over, however much it is */
        if (type != JOB_ADOPT && g_hash_table_size(manager->jobs) >= MANAGER_JOBS_MAX) {
                g_set_error(error, HET_ERROR, HET_ERROR_LIMIT_EXCEEDED, "%u jobs are at work already", MANAGER_JOBS_MAX);
                return false;
        }

        if (type == JOB_ADOPT)
                quotas_add(manager->quotas, platform->user, QUOTA_JOBS, 1);
        else if (!quotas_take(manager->quotas, platform->user, QUOTA_JOBS, 1, error))
                return false;

        job = g_new0(Job, 1);
        job->manager = manager;
        job->platform = platform;
        job->type = type;
        job->begin = begin;
        job->step = g_strdup("about to begin");

        r = sd_event_add_defer(manager->event, &job->begin_source, on_begin, job);
        if (r < 0) {
                job_free(job);
                g_set_error(error, HET_ERROR, het_error_from_errno(r), "Cannot begin the job: %s", g_strerror(-r));
                return false;
        }

        job->id = ++manager->last_job;
        job->path = bus_job_path(job->id);
        platform->job = job;
        g_hash_table_insert(manager->jobs, GUINT_TO_POINTER(job->id), job);
        bus_job_added(job);

        *ret = job;
        return true;
}

Job *job_free(Job *job) {
        if (!job)
                return NULL;

        quotas_give(job->manager->quotas, job->platform->user, QUOTA_JOBS, 1);
        if (job->id > 0) {
                g_hash_table_remove(job->manager->jobs, GUINT_TO_POINTER(job->id));
                job->platform->job = NULL;
        }

        sd_event_source_disable_unref(job->begin_source);
        master_tree_free(job->tree);
        adopt_job_free_found(job);
        g_clear_error(&job->error);
        g_free(job->lost);
        g_free(job->path);
        g_free(job->step);
        g_free(job);
        return NULL;
}

void job_finish(Job *job) {
        Manager *manager = job->manager;
        const char *result = !job->error ? "done" : job->error->code == HET_ERROR_CANCELED ? "canceled" : "failed";
        g_autofree char *name = g_strdup_printf("%u", job->id);
        LogAbout about = { .platform = job->platform->config->name, .job = name };

        log_about(job->error ? LOG_WARNING : LOG_INFO, &about, "%s: Job %s (%s) is %s%s%s", job->platform->config->name, name,
                  job_type_to_string(job->type), result, job->error ? ": " : "", job->error ? job->error->message : "");

        bus_job_removed(job, result, job->error ? job->error->message : "");
        job_free(job);
        manager_platform_ended(manager);
}

void job_set_step(Job *job, double progress, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_free(job->step);
        job->step = g_strdup_vprintf(format, arguments);
        va_end(arguments);

        job->progress = progress;
        bus_changed(job->manager, job->path, BUS_JOB, "Progress");
        bus_changed(job->manager, job->path, BUS_JOB, "Step");
}

void job_fail(Job *job, const GError *error) {
        if (job->error)
                return;

        job->error = g_error_copy(error);
        if (job->type == JOB_START)
                start_job_abort(job);
}

bool job_cancel(Job *job, GError **error) {
        g_autoptr(GError) canceled = NULL;

        if (job->type != JOB_START) {
                g_set_error(error, HET_ERROR, HET_ERROR_WRONG_STATE, "A job of the type %s cannot be canceled", type_names[job->type]);
                return false;
        }

        canceled = g_error_new(HET_ERROR, HET_ERROR_CANCELED, "The start was canceled");
        job_fail(job, canceled);
        return true;
}
