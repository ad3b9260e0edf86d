/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Processes by number and start time: what a number alone means may change from one moment to the next. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct ProcessId {
        pid_t pid;                      /* 0: none */
        uint64_t start_ticks;           /* since the boot, field 22 of /proc/PID/stat */
} ProcessId;

/* Of a process that is there, perhaps as a zombie. 0 or a negative errno; -ESRCH: there is none. */
int process_id_get(pid_t pid, ProcessId *ret);
/* A pidfd of exactly that process; -ESRCH: it is gone, whoever may have its number now */
int process_id_open(const ProcessId *id);
