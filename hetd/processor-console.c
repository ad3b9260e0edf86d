/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Keeps the log of a console small: ConsoleLogMax=. QEMU, or a relay, appends to the file and knows no limit. What is old becomes a
 * hole in it, which loses nothing that is printed meanwhile, and whoever reads it goes on at the same place; a line says what is gone.
 * The file is looked at once a second while something is printed, and not at all while nothing is. See processor.h.
 */

#include "processor.h"

#include "log.h"
#include "platform.h"
#include "util/fd-util.h"
#include "util/parse.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_SIZE      4096U
#define LOOK_USEC       G_USEC_PER_SEC

/* "[hetd: …]", right before what is kept */
static int write_note(const Processor *p, int fd, uint64_t end) {
        char gone[FORMAT_SIZE_MAX], limit[FORMAT_SIZE_MAX];
        g_autofree char *note = g_strdup_printf("[hetd: %s that were printed before this are gone: ConsoleLogMax=%s]\n",
                                                format_size(end, gone), format_size(p->config->console_log_max, limit));
        size_t size = strlen(note);

        return pwrite(fd, note, size, (off_t) (end - size)) == (ssize_t) size ? 0 : errno ? -errno : -EIO;
}

static int cut(const Processor *p) {
        HET_AUTO_FD int fd = open(p->log_path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        uint64_t end;

        if (fd < 0 || fstat(fd, &st) < 0)
                return errno == ENOENT ? 0 : -errno;    /* it is not there yet, or not any more */
        if (!S_ISREG(st.st_mode) || MIN((uint64_t) st.st_blocks * 512, (uint64_t) st.st_size) <= p->config->console_log_max)
                return 0;

        end = ((uint64_t) st.st_size - p->config->console_log_max / 2) / BLOCK_SIZE * BLOCK_SIZE;
        if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t) end) < 0)
                return -errno;

        return write_note(p, fd, end);
}

static void watch(Processor *p);

static void look(Processor *p) {
        int r = cut(p);

        if (r < 0 && !p->console_log.failed) {
                p->console_log.failed = true;
                processor_log(p, LOG_WARNING, "%s/%s: The log of its console cannot be kept below ConsoleLogMax=: %s", p->platform->config->name,
                              p->config->name, g_strerror(-r));
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Processor *p = userdata;

        p->console_log.timer = sd_event_source_disable_unref(p->console_log.timer);
        watch(p);
        return 0;
}

/* Not again for a second, however much is printed: without the watch nobody is woken up */
static int on_printed(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        Processor *p = userdata;

        p->console_log.changes = sd_event_source_disable_unref(p->console_log.changes);
        look(p);
        (void) sd_event_add_time_relative(p->platform->manager->event, &p->console_log.timer, CLOCK_MONOTONIC, LOOK_USEC, 0, on_timer, p);
        return 0;
}

/* First listen, then look: what was printed in between is not overlooked */
static void watch(Processor *p) {
        int r = sd_event_add_inotify(p->platform->manager->event, &p->console_log.changes, p->log_path, IN_MODIFY, on_printed, p);

        if (r < 0 && r != -ENOENT)
                processor_log(p, LOG_WARNING, "%s/%s: The log of its console cannot be watched: %s", p->platform->config->name, p->config->name,
                              g_strerror(-r));
        look(p);
}

void processor_limit_console_log(Processor *p) {
        if (processor_get_console(p) && p->monitor_ready && p->config->console_log_max != UINT64_MAX && !p->console_log.changes && !p->console_log.timer)
                watch(p);
}

void processor_leave_console_log(Processor *p) {
        p->console_log.changes = sd_event_source_disable_unref(p->console_log.changes);
        p->console_log.timer = sd_event_source_disable_unref(p->console_log.timer);
        p->console_log.failed = false;
}
