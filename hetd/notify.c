/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the service manager is told. See notify.h. */

#include "notify.h"

#include "log.h"
#include "outbox.h"
#include "util/sd-cleanup.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#define MESSAGES_MAX            1024U
#define FDS_PART                8U                      /* of what may be open, that part may wait with a message */
#define LAST_WORDS_USEC         (2 * G_USEC_PER_SEC)

static Outbox *outbox;
static unsigned lost;
static bool loss_told;                  /* of those since it has taken all */
static sd_event_source *life;
static uint64_t life_usec;              /* from one sign of life to the next one; 0: none are wanted */

static int arm(sd_event_source *source) {
        int r = sd_event_source_set_time_relative(source, life_usec);

        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_life(sd_event_source *source, uint64_t usec, void *userdata) {
        notify_send("WATCHDOG=1", -EBADF);
        return arm(source);
}

static void on_taken(void) {
        if (loss_told)
                log_info("The service manager takes what it is told again");
        loss_told = false;
}

static size_t max_fds(void) {
        struct rlimit limit;

        return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 1 : (size_t) MIN(limit.rlim_cur / FDS_PART, MESSAGES_MAX);
}

int notify_open(sd_event *event) {
        const char *address = g_getenv("NOTIFY_SOCKET");
        uint64_t usec = 0;
        int r;

        if (!address || outbox)
                return 0;

        outbox = outbox_new(address, MESSAGES_MAX, max_fds(), &lost);
        if (!outbox)
                return -EINVAL;

        outbox_attach(outbox, event, on_taken);
        r = sd_watchdog_enabled(false, &usec);
        if (r <= 0)
                return r;

        life_usec = usec / 4;
        return sd_event_add_time_relative(event, &life, CLOCK_MONOTONIC, life_usec, life_usec / 4, on_life, NULL);
}

void notify_send(const char *lines, int fd) {
        const unsigned before = lost;

        if (!outbox)
                return;

        (void) outbox_send(outbox, lines, strlen(lines), fd);
        if (lost == before) {
                if (outbox_is_empty(outbox))
                        on_taken();             /* this message was faster than the loop */
                return;
        }
        if (loss_told)
                return;

        loss_told = true;
        log_warning("The service manager does not take what it is told, and no more of that is kept for later: the memory of windows that are "
                    "granted now may not outlive hetd and its QEMUs");
}

void notify_close(void) {
        life = sd_event_source_disable_unref(life);
        if (outbox)
                outbox_flush(outbox, LAST_WORDS_USEC);
        outbox = outbox_free(outbox);
}
