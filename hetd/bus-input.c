/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What comes from the bus is read here, and nowhere else. A message may bring file descriptors; where there are no numbers left for
 * them, the kernel cuts them off, and the bus library closes its connection for that, which would be the end of all platforms. So some
 * numbers are kept for messages alone: the limit is higher while one is read. See bus.h.
 *
 * That is why sd_bus_attach_event() is not used: its event sources read, too, whichever of them was ready.
 */

#include "bus.h"

#include "log.h"
#include "util/fd-util.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <sys/resource.h>

#define KEPT    32U                     /* a bus daemon lets a message have 16 */
#define LIMIT_MIN (4 * KEPT)            /* with less than that, each is needed for the platforms */

typedef struct {
        sd_bus *bus;
        sd_event_source *timer;         /* of calls that are not answered, and of messages that were read and wait */
        BusLostFunc lost;
        void *userdata;
} BusInput;

static struct rlimit before;            /* of the message that is being read */
static bool is_raised;

static void raise_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &before) < 0)
                return;

        limit = before;
        limit.rlim_cur = before.rlim_max;
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

/* The end of the socket is a message that the library makes, Disconnected. What it cannot go on from is an error. */
static int process(BusInput *input) {
        int r;

        raise_limit();
        r = sd_bus_process(input->bus, NULL);
        lower_limit();
        if (r >= 0)
                return 0;

        log_error("What comes from the bus cannot be read: %s", g_strerror(-r));
        sd_bus_close(input->bus);
        input->lost(input->userdata);
        return 0;
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        return process(userdata);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        return process(userdata);
}

/* Before the loop waits: for what, and how long */
static int on_prepare(sd_event_source *source, void *userdata) {
        BusInput *input = userdata;
        uint64_t until;
        int events = sd_bus_get_events(input->bus), r = sd_bus_get_timeout(input->bus, &until);

        if (events < 0 || r < 0) {              /* it is closed */
                (void) sd_event_source_set_enabled(input->timer, SD_EVENT_OFF);
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        }

        if (r > 0) {
                r = sd_event_source_set_time(input->timer, until);
                if (r >= 0)
                        r = sd_event_source_set_enabled(input->timer, SD_EVENT_ONESHOT);
        } else
                r = sd_event_source_set_enabled(input->timer, SD_EVENT_OFF);

        return r < 0 ? r : sd_event_source_set_io_events(source, (uint32_t) events);
}

static void input_free(void *userdata) {
        BusInput *input = userdata;

        sd_event_source_disable_unref(input->timer);
        g_free(input);
}

int bus_attach(sd_bus *bus, sd_event *event, BusLostFunc lost, void *userdata) {
        g_autoptr(sd_event_source) source = NULL;
        HET_AUTO_FD int fd = fd_dup_cloexec(sd_bus_get_fd(bus));
        BusInput *input = g_new0(BusInput, 1);
        int r;

        *input = (BusInput) { .bus = bus, .lost = lost, .userdata = userdata };
        r = fd < 0 ? fd : sd_event_add_io(event, &source, fd, EPOLLIN, on_socket, input);
        if (r < 0) {
                input_free(input);
                return r;
        }

        (void) sd_event_source_set_destroy_callback(source, input_free);
        r = sd_event_source_set_io_fd_own(source, true);
        if (r < 0)
                return r;

        (void) fd_take(&fd);
        r = sd_event_add_time(event, &input->timer, CLOCK_MONOTONIC, 0, 0, on_time, input);
        if (r >= 0)
                r = sd_event_source_set_prepare(source, on_prepare);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, on_message, NULL);
        if (r >= 0)
                r = sd_event_source_set_floating(source, true);
        if (r < 0)
                return r;

        (void) sd_event_source_unref(g_steal_pointer(&source));         /* the loop has it */
        return 0;
}
