/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Long work on a platform. org.hetd1.Job shows it on the bus. A job frees itself when it ends (job_finish()). */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "manager.h"

typedef struct MasterTree MasterTree;

typedef enum JobType {
        JOB_START,
        JOB_STOP,
        JOB_ADOPT,                      /* of an earlier hetd's */
        _JOB_TYPE_MAX,
} JobType;

struct Job {
        Manager *manager;
        Platform *platform;
        uint32_t id;
        JobType type;
        char *path;                     /* D-Bus object */
        double progress;                /* 0.0 to 1.0 */
        char *step;
        GError *error;                  /* what failed first, or HET_ERROR_CANCELED */
        MasterTree *tree;               /* of a start job: the master's device tree */
        struct ProcessorFound *found;   /* of an adopt job */
        bool has_couples;               /* of the same: what QEMUs could give back they have */
        char *lost;                     /* of the same: which windows nobody has any more, in a sentence; NULL: none */
        Gather *gather;                 /* of a start job: what all of the processors together must come to */
        void (*begin)(Job *job);
        sd_event_source *begin_source;
};

/* begin runs in the next turn of the loop, so that the caller's reply is sent before anything happens */
bool job_new(Platform *platform, JobType type, void (*begin)(Job *job), Job **ret, GError **error);
/* The last of a job: JobRemoved, done or, where job->error is set, failed or canceled */
void job_finish(Job *job);
/* Forgets a job without a word: hetd ends */
Job *job_free(Job *job);

const char *job_type_to_string(JobType type);
void job_set_step(Job *job, double progress, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The first failure counts */
void job_fail(Job *job, const GError *error);
/* HET_ERROR_WRONG_STATE unless it is a start job */
bool job_cancel(Job *job, GError **error);

/* --- start-job.c --- */

void start_job_begin(Job *job);
/* Hurries a start job on to its end, which undoes it: job->error is set */
void start_job_abort(Job *job);

/* --- adopt-job.c --- */

void adopt_job_free_found(Job *job);
