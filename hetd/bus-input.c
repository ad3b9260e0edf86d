/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What comes from the bus is read here. A message may bring file descriptors; where there are no numbers left for them, the kernel cuts
 * them off, and the bus library closes its connection for that, which would be the end of all platforms. So some numbers are kept for
 * messages alone: the limit is higher while one is read. See bus.h.
 */

#include "bus.h"

#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <sys/resource.h>

#define KEPT    32U                     /* a bus daemon lets a message have 16 */
#define LIMIT_MIN (4 * KEPT)            /* with less than that, each is needed for the platforms */

static struct rlimit before;            /* of the message that is being read */
static bool is_raised;

static void raise_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &before) < 0)
                return;

        limit = before;
        limit.rlim_cur = MIN(before.rlim_cur + KEPT, before.rlim_max);
        is_raised = setrlimit(RLIMIT_NOFILE, &limit) >= 0;
}

static void lower_limit(void) {
        if (is_raised)
                (void) setrlimit(RLIMIT_NOFILE, &before);
        is_raised = false;
}

int bus_raise_fd_limit(void) {
        struct rlimit limit;
        rlim_t wanted;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return -errno;

        wanted = limit.rlim_max >= LIMIT_MIN ? limit.rlim_max - KEPT : limit.rlim_max;
        if (limit.rlim_cur == wanted)
                return 0;

        limit.rlim_cur = wanted;
        return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

/* It was read, and is about to be carried out, which must not take what is kept for the next one */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        lower_limit();
        return 0;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        int r;

        raise_limit();
        r = sd_bus_process(userdata, NULL);
        lower_limit();

        /* The library's own source says that the connection has ended */
        return r < 0 ? sd_event_source_set_enabled(source, SD_EVENT_OFF) : 0;
}

int bus_attach(sd_bus *bus, sd_event *event) {
        g_autoptr(sd_event_source) source = NULL;
        HET_AUTO_FD int fd = fd_dup_cloexec(sd_bus_get_fd(bus));
        int r = fd;

        /* All but what comes is the library's: of both that are ready ours is the first */
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL + 1);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, on_message, NULL);
        if (r >= 0)
                r = sd_event_add_io(event, &source, fd, EPOLLIN, on_readable, bus);
        if (r >= 0)
                r = sd_event_source_set_floating(source, true);
        if (r >= 0)
                r = sd_event_source_set_io_fd_own(source, true);
        if (r < 0)
                return r;

        (void) fd_take(&fd);
        (void) sd_event_source_unref(g_steal_pointer(&source));         /* the loop has it */
        return 0;
}
