/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Platforms of an earlier hetd, which was killed or has left them running, are taken over.
 *
 * What a platform is and does stands in two files of the runtime directory: NAME.config, the platform file as it was defined, and
 * NAME.state. They are written before anything happens that could not be found out otherwise: a process is let go only when its
 * number is there, a couple is given to QEMUs only when the numbers of its files are. So whatever hetd was doing when it died, the
 * next one knows what there may be. What there is it asks the QEMUs, which also give back the file descriptors.
 *
 * platform-state.c  writes and reads those files
 * adopt-fds.c       gets file descriptors back
 * adopt-job.c       the order of all that, and what is made of what was under way
 */

#include "couple.h"
#include "job.h"
#include "platform.h"

/* What an earlier hetd held, and QEMUs are to give back; belongs to its slave */
typedef struct ProcessorMissing {
        bool has_couple;
        CoupleIdentity couple;
        uint64_t window;                /* window_memory_number(), 0: none is missing */
} ProcessorMissing;

/* How it was found in the state file; belongs to the job */
typedef struct ProcessorFound {
        bool had_process;               /* or was about to get one again */
        bool restart;                   /* it is to be started again, to be a part of the platform as a whole */
        char *verb;                     /* that was under way, NULL: none */
} ProcessorFound;

/* --- platform-state.c --- */

/* Now; what the files tell stays as it was if this fails */
bool platform_save(Platform *platform, GError **error);
bool platform_save_config(Platform *platform, GError **error);
/* In the next turn of the loop. A failure is logged. */
void platform_save_soon(Platform *platform);
void platform_remove_state(Platform *platform);
/* Of one that is known, or that could not be taken over, and is not to be written over */
bool platform_state_is_there(const Manager *manager, const char *name, char **ret_path);
/*
 * Makes the platforms that the runtime directory tells of, and begins to take them over, each by a job. Those that cannot be taken over
 * are logged, and left for another hetd, or put aside where nobody could understand them; of those of an earlier boot what is left is
 * removed.
 */
void adopt_platforms(Manager *manager);

/* --- adopt-fds.c --- */

/* Asks the QEMU of p, which has just answered for the first time, for what it may have of what is missing. Never fails. */
void adopt_fds(Processor *p, DoneFunc done, void *userdata);

/* --- adopt-job.c (see also job.h) --- */

/* found: by the number of the processor in platform->processors */
bool adopt_job_new(Platform *platform, ProcessorFound *found_consume, GError **error);
