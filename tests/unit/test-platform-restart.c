/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What does not fit together in a platform file: restarts, and watchdogs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform-cases.h"

#include <glib.h>

static const PlatformCase restart_cases[] = {
        {
                .name = "restart",
                .text = TEXT(MASTER SLAVE "Restart=on-crash\n"),
                .error = "test.platform:11: [Processor s] Restart=: 'on-crash' is not known; use no, on-failure or "
                         "always",
        },
        {
                .name = "master's reset",
                .text = TEXT(MASTER "OnMasterReset=stop\n" SLAVE "OnMasterReset=continue\n"),
                .error = "test.platform:6: [Processor m] OnMasterReset=: is for slaves only; remove it from the master\n"
                         "test.platform:12: [Processor s] OnMasterReset=: 'continue' is not known; use stop (it is "
                         "stopped) or keep (it goes on)",
        },
        {
                .name = "access",
                .text = TEXT(MASTER "Access=ro\n" SLAVE "Access=read\n"),
                .error = "test.platform:6: [Processor m] Access=: is for slaves only; remove it from the master\n"
                         "test.platform:12: [Processor s] Access=: 'read' is not known; use rw (it reads and writes its "
                         "window) or ro (it only reads)",
        },
        {
                .name = "access of Linux",
                .text = TEXT(MASTER SLAVE "Access=ro\n" "Protocol=linux\n"),
                .error = "test.platform:11: [Processor s] Access=: Linux cannot run in memory that it cannot write to",
        },
        {
                .name = "master's failure",
                .text = TEXT(MASTER "OnMasterFailure=stop\n" SLAVE "OnMasterFailure=restart\n"),
                .error = "test.platform:6: [Processor m] OnMasterFailure=: is for slaves only; remove it from the master\n"
                         "test.platform:12: [Processor s] OnMasterFailure=: 'restart' is not known; use stop (it is "
                         "stopped) or keep (it goes on)",
        },
        {
                .name = "limits of a master without a restart",
                .text = TEXT(MASTER "RestartSec=1s\n"),
                .error = "test.platform:6: [Processor m] RestartSec=: has no effect without Restart=; add "
                         "Restart=on-failure, or remove it",
        },
        {
                .name = "restart of what hetd does not start",
                .text = TEXT(MASTER SLAVE "Start=external\n" "Restart=always\n" "StartLimitBurst=3\n"),
                .error = "test.platform:12: [Processor s] Restart=: has no effect with Start=external: hetd does "
                         "not start that QEMU; remove it\n"
                         "test.platform:13: [Processor s] StartLimitBurst=: has no effect with Start=external: hetd "
                         "does not start that QEMU; remove it",
        },
        {
                .name = "spans of time",
                .text = TEXT(MASTER SLAVE "Restart=always\n" "RestartSec=soon\n" "StartLimitIntervalSec=-1\n"),
                .error = "test.platform:12: [Processor s] RestartSec=: 'soon' is no span of time; write it like "
                         "100ms, 5s or 1min 30s\n"
                         "test.platform:13: [Processor s] StartLimitIntervalSec=: '-1' is no span of time; write it "
                         "like 100ms, 5s or 1min 30s",
        },
        {
                .name = "long pause",
                .text = TEXT(MASTER SLAVE "Restart=always\n" "RestartSec=infinity\n"),
                .error = "test.platform:12: [Processor s] RestartSec=: infinity is too long; the longest pause is "
                         "1h",
        },
        {
                .name = "start limit",
                .text = TEXT(MASTER SLAVE "Restart=always\n" "StartLimitBurst=1000001\n"),
                .error = "test.platform:12: [Processor s] StartLimitBurst=: '1000001' is no number of starts; use 1 "
                         "to 1000000, or 0 for no limit",
        },
        {
                .name = "limits without a restart",
                .text = TEXT(MASTER SLAVE "RestartSec=1s\n" CORTEX_M "Restart=no\n" "RestartSec=1s\n"),
                .error = "test.platform:11: [Processor s] RestartSec=: has no effect without Restart=; add "
                         "Restart=on-failure, or remove it",
        },
        {
                .name = "limits that are none",
                .text = TEXT("[Platform]\nTasksMax=many\n" MASTER "MemoryMax=1Q\nCPUQuota=50\nAllowedCPUs=3-1\nCPUWeight=0\n"),
                .error = "test.platform:2: [Platform] TasksMax=: 'many' is no number of tasks; write it like 64, or infinity\n"
                         "test.platform:8: [Processor m] MemoryMax=: '1Q' is no size; write it like 512M, 2G, 20% or infinity\n"
                         "test.platform:9: [Processor m] CPUQuota=: '50' is no part of a CPU's time; write it like 20%, or 150% for one and a "
                         "half CPUs\n"
                         "test.platform:10: [Processor m] AllowedCPUs=: '3-1' is no list of CPUs; write it like 0-3 or 0,2,5-7\n"
                         "test.platform:11: [Processor m] CPUWeight=: '0' is no weight; use 1 to 10000",
        },
        {
                .name = "console log that keeps nothing",
                .text = TEXT(MASTER "ConsoleLogMax=4K\n" SLAVE "ConsoleLogMax=much\n"),
                .error = "test.platform:6: [Processor m] ConsoleLogMax=: 4K is too little; use 64K or more, or infinity\n"
                         "test.platform:12: [Processor s] ConsoleLogMax=: 'much' is no size; write it like 64M, 1G or 0x4000000",
        },
        {
                .name = "limits of what is no unit",
                .text = TEXT(MASTER "Unit=no\nTasksMax=8\n" SLAVE "Start=external\nUnit=yes\nIOWeight=5\n"),
                .error = "test.platform:7: [Processor m] TasksMax=: is kept by systemd, for units only; remove it, or Unit=no\n"
                         "test.platform:14: [Processor s] Unit=: has no effect with Start=external: who starts that QEMU chooses it; remove it\n"
                         "test.platform:15: [Processor s] IOWeight=: limits no QEMU that hetd has not started; remove it",
        },
        {
                .name = "watchdog that is too fast",
                .text = TEXT(MASTER SLAVE "WatchdogSec=999us\n" CORTEX_M "WatchdogSec=0\n" "WatchdogStartSec=1us\n"),
                .error = "test.platform:11: [Processor s] WatchdogSec=: 999us is too short; the shortest time is 1ms",
        },
        {
                .name = "watchdog that is too slow",
                .text = TEXT(MASTER SLAVE "WatchdogSec=infinity\n"),
                .error = "test.platform:11: [Processor s] WatchdogSec=: infinity is too long; the longest time is 1h",
        },
        {
                .name = "watchdog of the master, and half of one",
                .text = TEXT(MASTER "WatchdogSec=1s\n" SLAVE "WatchdogStartSec=1s\n"),
                .error = "test.platform:6: [Processor m] WatchdogSec=: is for slaves only; remove it from the master\n"
                         "test.platform:12: [Processor s] WatchdogStartSec=: has no effect without WatchdogSec=; add "
                         "WatchdogSec=, or remove it",
        },
};

static void test_restart(void **state) {
        platform_cases_check(restart_cases, G_N_ELEMENTS(restart_cases));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_restart),
        };

        return cmocka_run_group_tests(tests, platform_cases_set_up, platform_cases_tear_down);
}
