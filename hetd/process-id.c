/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process-id.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "util/fd-util.h"

#define FIELDS_BEFORE_START     19      /* behind the name, which is field 2 and may hold anything */

static bool parse_start(char *stat, uint64_t *ret) {
        char *end = strrchr(stat, ')'), *saved = NULL, *field;

        if (!end)
                return false;

        field = strtok_r(end + 1, " ", &saved);
        for (unsigned i = 0; i < FIELDS_BEFORE_START && field; i++)
                field = strtok_r(NULL, " ", &saved);

        return field && sscanf(field, "%" SCNu64, ret) == 1;
}

int process_id_get(pid_t pid, ProcessId *ret) {
        g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int) pid);
        HET_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        char stat[1024];
        ssize_t n;

        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;

        n = read(fd, stat, sizeof(stat) - 1);
        if (n < 0)
                return -errno;

        stat[n] = '\0';
        if (!parse_start(stat, &ret->start_ticks))
                return -EBADMSG;

        ret->pid = pid;
        return 0;
}

int process_id_open(const ProcessId *id) {
        HET_AUTO_FD int fd = -EBADF;
        ProcessId now;
        int r;

        if (id->pid <= 0)
                return -ESRCH;

        fd = pidfd_open(id->pid, 0);
        if (fd < 0)
                return -errno;

        /* In this order: what has the number now is what the pidfd stands for, or something later */
        r = process_id_get(id->pid, &now);
        if (r < 0)
                return r;

        return now.start_ticks == id->start_ticks ? fd_take(&fd) : -ESRCH;
}
