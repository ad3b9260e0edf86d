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
static unsigned lost, refused, made_good;       /* all; those of which notify_send() has said so; all when repeat was called */
static bool loss_told;                  /* of those since it has taken all */
static void (*repeat_lost)(bool all);
static bool repeating;
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

/* What is told again may be lost again: then this is called once more, and each time there is less */
static void on_taken(void) {
        const bool all = lost - made_good != refused;

        if (lost == made_good || repeating)
                return;

        made_good = lost;
        refused = 0;
        repeating = true;
        repeat_lost(all);
        repeating = false;
        if (lost != made_good)
                return;
        if (loss_told)
                log_info("The service manager takes what it is told again");
        loss_told = false;
}

static size_t max_fds(void) {
        struct rlimit limit;

        return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 1 : (size_t) MIN(limit.rlim_cur / FDS_PART, MESSAGES_MAX);
}

int notify_open(sd_event *event, void (*repeat)(bool all)) {
        const char *address = g_getenv("NOTIFY_SOCKET");
        uint64_t usec = 0;
        int r;

        if (!address || outbox)
                return 0;

        outbox = outbox_new(address, MESSAGES_MAX, max_fds(), &lost);
        if (!outbox)
                return -EINVAL;

        repeat_lost = repeat;
        outbox_attach(outbox, event, on_taken);
        r = sd_watchdog_enabled(false, &usec);
        if (r <= 0)
                return r;

        life_usec = usec / 4;
        return sd_event_add_time_relative(event, &life, CLOCK_MONOTONIC, life_usec, life_usec / 4, on_life, NULL);
}

bool notify_send(const char *lines, int fd) {
        const unsigned before = lost;
        bool taken;

        if (!outbox)
                return true;

        taken = outbox_send(outbox, lines, strlen(lines), fd);
        refused += !taken;
        if (lost != before && !loss_told) {
                loss_told = true;
                log_warning("The service manager does not take what it is told, and no more of that is kept for later: until it does, the memory "
                            "of windows that are granted may not outlive hetd and its QEMUs");
        }

        if (taken && outbox_is_empty(outbox))
                on_taken();                     /* this message was faster than the loop */
        return taken;
}

void notify_close(void) {
        life = sd_event_source_disable_unref(life);
        if (outbox)
                outbox_flush(outbox, LAST_WORDS_USEC);
        outbox = outbox_free(outbox);
}
