/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The master was reset, by its guest or from outside, or its process is gone: its slaves are stopped, or go on, as OnMasterReset= and
 * OnMasterFailure= say. See platform.h.
 *
 * QEMU tells of a reset before the guest executes again, and another process is started after its slaves are stopped. So the first
 * request of the new guest finds the stop at work, and waits for it.
 */

#include "platform.h"

#include "log.h"

static void stop_slave(Processor *slave, const char *reason);

static void not_stopped(const Processor *slave, const char *reason, const GError *error) {
        processor_log(slave, LOG_WARNING, "%s: It was to be stopped (%s), and was not: %s", slave->config->name, reason, error->message);
}

static void on_idle(const GError *error, void *userdata) {
        Processor *slave = userdata;
        const char *reason = g_steal_pointer(&slave->stop_when_idle);

        if (error)
                not_stopped(slave, reason, error);
        else
                stop_slave(slave, reason);
}

static void on_stopped(const GError *error, void *userdata) {
        Processor *slave = userdata;

        if (error)
                not_stopped(slave, slave->master_stop, error);
        slave->master_stop = NULL;
}

/* One whose guest has crashed, too: the next guest of the master is to find no trace of what the last one has done */
static bool is_booted(const Processor *slave) {
        return slave->monitor_ready && processor_in_states(slave, PROCESSOR_STATE_MASK(PROCESSOR_RUNNING) |
                                                           PROCESSOR_STATE_MASK(PROCESSOR_PAUSED) |
                                                           PROCESSOR_STATE_MASK(PROCESSOR_CRASHED));
}

static void stop_slave(Processor *slave, const char *reason) {
        if (slave->platform->ending)
                return;

        if (processor_is_restarting(slave))
                slave->restart.no_boot = slave->restart.no_boot || g_str_equal(reason, PLATFORM_MASTER_RESET);
        else if (slave->busy && !slave->stop_when_idle) {       /* perhaps with a boot */
                slave->stop_when_idle = reason;
                processor_wait(slave, PROCESSOR_STATES_ALL | PROCESSOR_IDLE, PROCESSOR_STATE_TIMEOUT_USEC, on_idle, slave);
        } else if (slave->busy)
                return;
        else if (slave->state == PROCESSOR_LOST)
                slave->stop_when_back = reason;
        else if (is_booted(slave)) {
                slave->master_stop = reason;
                processor_stop(slave, on_stopped, slave);
        }
}

void platform_slave_back(Processor *slave) {
        const char *reason = slave->stop_when_back;

        if (!reason || slave->state == PROCESSOR_LOST || slave->state == PROCESSOR_STARTING)
                return;

        slave->stop_when_back = NULL;
        stop_slave(slave, reason);
}

void platform_stop_slaves(Platform *platform, const char *reason) {
        bool reset = g_str_equal(reason, PLATFORM_MASTER_RESET);

        platform->resets++;
        for (guint i = 1; i < platform->processors->len; i++) {
                Processor *slave = platform->processors->pdata[i];

                if (!(reset ? slave->config->keep_on_master_reset : slave->config->keep_on_master_failure))
                        stop_slave(slave, reason);
        }
}

const char *platform_stop_reason_text(const char *reason) {
        return g_str_equal(reason, PLATFORM_MASTER_RESET) ?
                "It was stopped, since its master was reset; its window keeps its content" :
                "It was stopped, since its master's QEMU is gone; its window keeps its content";
}
