/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A slave on its way from nothing to `ready`: its process, its couple, its window. Used when a platform is started, and when one
 * of its slaves is started again. See platform.h.
 */

#include "platform.h"

#define STATES_WITH_MEMORY (PROCESSOR_STATES_CONNECTED & ~PROCESSOR_STATE_MASK(PROCESSOR_WAITING))

typedef struct SlaveStart {
        Processor *slave;
        DoneFunc done;
        void *userdata;
        GError *error;
        bool ended;
        unsigned open;                  /* what will be heard of it */
} SlaveStart;

static void start_end(SlaveStart *start, const GError *error) {
        g_autoptr(GError) first = g_steal_pointer(&start->error);
        DoneFunc done = start->done;
        void *userdata = start->userdata;

        if (start->open == 0)
                g_free(start);
        else
                start->ended = true;
        done(first ?: error, userdata);
}

/* True when it is over with, for the one who called */
static bool start_heard(SlaveStart *start) {
        start->open--;
        if (!start->ended)
                return false;

        if (start->open == 0)
                g_free(start);
        return true;
}

static void on_ready(const GError *error, void *userdata) {
        if (!start_heard(userdata))
                start_end(userdata, error);
}

static void on_granted(const GError *error, void *userdata) {
        if (!start_heard(userdata) && error)
                start_end(userdata, error);
}

/*
 * QEMU says that it is ready by an event, which comes before the answer or right after it. It is the event that counts: who sees
 * the state, and boots it at once, shall not be told that it is still being started.
 */
static void grant(SlaveStart *start) {
        start->open = 2;
        processor_grant(start->slave, on_granted, start);
        processor_wait(start->slave, STATES_WITH_MEMORY, PROCESSOR_STATE_TIMEOUT_USEC, on_ready, start);
}

static void on_left(const GError *error, void *userdata) {
        start_end(userdata, error);
}

/* On both sides or on none, so that another try finds it as this one did */
static void on_joined_anew(const GError *error, void *userdata) {
        SlaveStart *start = userdata;

        if (error) {
                start->error = g_error_copy(error);
                platform_leave(start->slave, on_left, start);
        } else
                grant(start);
}

static void on_rejoined(const GError *error, void *userdata) {
        SlaveStart *start = userdata;

        /* A window that was revoked stays so */
        if (error || start->slave->window_fd < 0)
                start_end(start, error);
        else
                grant(start);
}

static void on_master_connected(const GError *error, void *userdata) {
        SlaveStart *start = userdata;

        if (error)
                start_end(start, error);
        else
                platform_join(start->slave, on_joined_anew, start);
}

static void on_connected(const GError *error, void *userdata) {
        SlaveStart *start = userdata;
        Processor *master = platform_get_master(start->slave->platform);

        if (error)
                start_end(start, error);
        else if (start->slave->couple)
                platform_rejoin(start->slave, on_rejoined, start);
        else if (master->config->start == PROCESSOR_START_HETD)
                processor_wait(master, PROCESSOR_STATES_CONNECTED | PROCESSOR_SETTLED, PROCESSOR_START_TIMEOUT_USEC, on_master_connected, start);
        else if (master->monitor_ready)
                on_master_connected(NULL, start);
        else
                start_end(start, NULL);         /* it waits: the master, when it is attached, is joined by it */
}

void platform_start_slave(Processor *slave, const char *reason, DoneFunc done, void *userdata) {
        g_autoptr(GError) error = NULL;
        SlaveStart *start;

        if (slave->config->start == PROCESSOR_START_HETD && !processor_start(slave, reason, NULL, &error)) {
                done(error, userdata);
                return;
        }

        /* One that somebody else starts joins when it is attached */
        if (slave->config->start == PROCESSOR_START_EXTERNAL && !slave->monitor_ready) {
                done(NULL, userdata);
                return;
        }

        start = g_new0(SlaveStart, 1);
        start->slave = slave;
        start->done = done;
        start->userdata = userdata;
        processor_wait(slave, PROCESSOR_STATES_CONNECTED, PROCESSOR_START_TIMEOUT_USEC, on_connected, start);
}
