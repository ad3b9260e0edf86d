/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The master's process is gone, and its platform goes on: slaves with OnMasterFailure=keep run, the others are stopped, and the master
 * is started again where Restart= says so, or a client. See platform.h.
 *
 * hetd holds the couples and windows, so that a new QEMU of the master gets the very ones that the one before had, and its guest finds
 * its slaves as after a reset.
 */

#include "platform.h"

#include "log.h"
#include "master-tree.h"

#define STATES_ALIVE    (PROCESSOR_STATES_CONNECTED | PROCESSOR_STATE_MASK(PROCESSOR_LOST))

typedef struct MasterRestart {
        Platform *platform;
        MasterTree *tree;
        bool has_process;               /* from then on the end of that is the end of this */
        DoneFunc done;
        void *userdata;
} MasterRestart;

/* --- whether it goes on --- */

static bool keeps_slaves(const Platform *platform) {
        for (guint i = 1; i < platform->processors->len; i++) {
                const Processor *slave = platform->processors->pdata[i];

                if (slave->config->keep_on_master_failure && processor_in_states(slave, STATES_ALIVE))
                        return true;
        }

        return false;
}

bool platform_outlives_master(Platform *platform) {
        Processor *master = platform_get_master(platform);
        bool failed = master->state == PROCESSOR_CRASHED, restarts = processor_is_restarting(master);
        const char *what = failed ? "crashed" : "ended";

        /* Its QEMU may live on with a guest that has panicked or powered off, and would be in the way */
        if (!restarts && master->process && !master->exited && processor_wants_restart(master, failed)) {
                master->guest_end = master->reason;
                master->guest_end_state = master->state;
                spawn_end(master->process);
                restarts = true;
        }

        if (restarts)
                platform_set_state(platform, PLATFORM_RUNNING, "master-restart", "Its master %s, and is started again: %s", what,
                                   master->reason_text);
        else if (failed && keeps_slaves(platform))
                platform_set_state(platform, PLATFORM_RUNNING, "master-crashed",
                                   "Its master crashed, and slaves go on without it (OnMasterFailure=): %s", master->reason_text);
        else
                return false;

        platform_stop_slaves(platform, PLATFORM_MASTER_FAILURE);
        return true;
}

/* --- the slaves, when the master runs again --- */

static void on_slave_started(const GError *error, void *userdata) {
        if (error)
                processor_log(userdata, LOG_WARNING, "Its master was started again, and it could not be: %s", error->message);
}

/* As at the start of the platform */
static void start_slaves(Platform *platform) {
        for (guint i = 1; i < platform->processors->len; i++) {
                Processor *slave = platform->processors->pdata[i];

                if (slave->config->keep_on_master_failure)
                        continue;
                if (processor_has_ended(slave))
                        processor_restart(slave, on_slave_started, slave);
                else
                        processor_auto_boot(slave, on_slave_started, slave);
        }
}

/* --- the master --- */

static void end(MasterRestart *restart, const GError *error) {
        Platform *platform = restart->platform;
        DoneFunc done = restart->done;
        void *userdata = restart->userdata;

        platform->master_restart = NULL;
        master_tree_free(restart->tree);
        g_free(restart);

        done(error, userdata);
        if (!error && platform_is_active(platform))
                start_slaves(platform);
}

static void on_runs(const GError *error, void *userdata) {
        end(userdata, error);
}

static void on_continued(const GError *error, void *userdata) {
        MasterRestart *restart = userdata;

        if (error)
                end(restart, error);
        else
                processor_wait(platform_get_master(restart->platform),
                               PROCESSOR_STATE_MASK(PROCESSOR_RUNNING) | PROCESSOR_STATE_MASK(PROCESSOR_PAUSED),
                               PROCESSOR_STATE_TIMEOUT_USEC, on_runs, restart);
}

static void wait_for_stops(MasterRestart *restart);

/* One that could not be stopped has said so */
static void on_idle(const GError *error, void *userdata) {
        wait_for_stops(userdata);
}

/* Its guest is to find none that was started by the one before it */
static void wait_for_stops(MasterRestart *restart) {
        Platform *platform = restart->platform;

        for (guint i = 1; i < platform->processors->len; i++) {
                Processor *slave = platform->processors->pdata[i];

                if (slave->busy && (slave->master_stop || slave->stop_when_idle) && !platform->ending) {
                        processor_wait(slave, PROCESSOR_STATES_ALL | PROCESSOR_IDLE, PROCESSOR_STATE_TIMEOUT_USEC, on_idle, restart);
                        return;
                }
        }

        processor_call(platform_get_master(platform), "cont", NULL, NULL, 0, on_continued, restart);
}

static void on_joined(const GError *error, void *userdata) {
        if (error)
                end(userdata, error);
        else
                wait_for_stops(userdata);
}

static void on_connected(const GError *error, void *userdata) {
        MasterRestart *restart = userdata;

        if (error)
                end(restart, error);
        else
                platform_join_master(restart->platform, on_joined, restart);
}

static void on_tree_made(const GError *error, void *userdata) {
        MasterRestart *restart = userdata;
        Processor *master = platform_get_master(restart->platform);
        g_autoptr(GError) local = NULL;

        restart->has_process = !error && processor_start(master, "restart", master_tree_get_path(restart->tree), &local);
        if (restart->has_process)
                processor_wait(master, PROCESSOR_STATES_CONNECTED, PROCESSOR_START_TIMEOUT_USEC, on_connected, restart);
        else
                end(restart, error ?: local);
}

void platform_restart_master(Platform *platform, DoneFunc done, void *userdata) {
        MasterRestart *restart = g_new0(MasterRestart, 1);

        restart->platform = platform;
        restart->done = done;
        restart->userdata = userdata;
        platform->master_restart = restart;

        platform_stop_slaves(platform, PLATFORM_MASTER_FAILURE);
        master_tree_new(platform, &restart->tree, on_tree_made, restart);
}

bool platform_cancel_master_restart(Platform *platform) {
        MasterRestart *restart = platform->master_restart;
        g_autoptr(GError) error = NULL;

        if (!restart || restart->has_process)
                return false;

        error = g_error_new(HET_ERROR, HET_ERROR_CANCELED, "%s: The platform is being stopped", platform_get_master(platform)->config->name);
        end(restart, error);
        return true;
}
