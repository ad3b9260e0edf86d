/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Waits for a job of hetd, and shows on a terminal how far it is. */

#include "client.h"

typedef struct JobWatch JobWatch;

/* To be made before the job is asked for, so that its end cannot be missed. */
bool job_watch_new(Client *client, JobWatch **ret, GError **error);
JobWatch *job_watch_free(JobWatch *watch);      /* returns NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JobWatch, job_watch_free)

/* Once a watch. False if the job failed, was canceled, or took longer than the client's timeout (it goes on then). */
bool job_watch_wait(JobWatch *watch, const char *job, uint64_t *ret_usec, GError **error);
