/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Control groups of a process, as /proc/PID/cgroup tells them. (libsystemd asks process 1 as well, which a hetd that is shut off from
 * other users' processes cannot see.)
 */

#include <stdbool.h>
#include <sys/types.h>

typedef struct Cgroups Cgroups;

Cgroups *cgroups_read(pid_t pid);               /* NULL: it is gone */
Cgroups *cgroups_free(Cgroups *cgroups);        /* returns NULL */

/* The unit of systemd that it is in; "": none */
const char *cgroups_get_unit(const Cgroups *cgroups);
/* Whether its unit has a controller of its own: by the name of v2, and of v1 (NULL: there it does not do what is wanted) */
bool cgroups_have(const Cgroups *cgroups, const char *controller, const char *old_controller);
