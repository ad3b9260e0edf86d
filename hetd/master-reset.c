/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The master was reset, by its guest or from outside: its slaves are stopped, or go on, as OnMasterReset= says. See platform.h.
 *
 * QEMU tells of the reset before the guest executes again. So the first request of the new guest finds the stop at work, and waits
 * for it.
 */

#include "platform.h"

#include "log.h"

static void stop_slave(Processor *slave);

static void on_idle(const GError *error, void *userdata) {
        if (error)
                processor_log(userdata, LOG_WARNING, "Its master was reset, and it was not stopped: %s", error->message);
        else
                stop_slave(userdata);
}

static void on_stopped(const GError *error, void *userdata) {
        Processor *slave = userdata;

        slave->stopped_by_reset = false;
        if (error)
                on_idle(error, slave);
}

/* One whose guest has crashed, too: the next guest of the master is to find no trace of what the last one has done */
static bool is_booted(const Processor *slave) {
        return slave->monitor_ready && processor_in_states(slave, PROCESSOR_STATE_MASK(PROCESSOR_RUNNING) |
                                                           PROCESSOR_STATE_MASK(PROCESSOR_PAUSED) |
                                                           PROCESSOR_STATE_MASK(PROCESSOR_CRASHED));
}

static void stop_slave(Processor *slave) {
        if (slave->platform->ending)
                return;

        if (processor_is_restarting(slave))
                slave->restart.no_boot = true;
        else if (slave->busy)           /* perhaps with a boot */
                processor_wait(slave, PROCESSOR_STATES_ALL | PROCESSOR_IDLE, PROCESSOR_STATE_TIMEOUT_USEC, on_idle, slave);
        else if (slave->state == PROCESSOR_LOST)
                slave->stop_when_back = true;
        else if (is_booted(slave)) {
                slave->stopped_by_reset = true;
                processor_stop(slave, on_stopped, slave);
        }
}

void platform_slave_back(Processor *slave) {
        if (!slave->stop_when_back || slave->state == PROCESSOR_LOST || slave->state == PROCESSOR_STARTING)
                return;

        slave->stop_when_back = false;
        stop_slave(slave);
}

void platform_master_reset(Platform *platform) {
        platform->resets++;
        for (guint i = 1; i < platform->processors->len; i++) {
                Processor *slave = platform->processors->pdata[i];

                if (!slave->config->keep_on_master_reset)
                        stop_slave(slave);
        }
}
