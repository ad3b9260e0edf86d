/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What does not fit together in a platform file: the drivers that a master's Linux has for its slaves. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform-cases.h"

#include <glib.h>

#define STM32 "Remoteproc=stm32\n"

static const PlatformCase remoteproc_cases[] = {
        {
                .name = "unknown remoteproc",
                .text = TEXT(PLATFORM "Remoteproc=imx\n" MASTER SLAVE "Remoteproc=stm\n"),
                .error = "test.platform:2: [Platform] Remoteproc=: 'imx' is not known; use stm32 (Linux's own driver) or idm "
                         "(the driver of this project)\n"
                         "test.platform:13: [Processor s] Remoteproc=: 'stm' is not known; use stm32 (Linux's own driver) or idm "
                         "(the driver of this project)",
        },
        {
                .name = "remoteproc of the master",
                .text = TEXT(MASTER STM32 SLAVE),
                .error = "test.platform:6: [Processor m] Remoteproc=: is for slaves only; remove it from the master",
        },
        {
                .name = "stm32 registers and an IDM on PCI",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=1G\n" "IDM=pci\n"
                             SLAVE "Remoteproc=stm32\n"),
                .error = "test.platform:12: [Processor s] Remoteproc=: STM32 registers are next to an IDM that the board "
                         "has, and not on PCI; use idm",
        },
        {
                .name = "stm32 registers on another board",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=mps2-an500, mps2-an505, mps2-an511, q35, pc, microvm\n"
                             "[Processor s]\n" "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n" "Window=2M@0x60000000\n" STM32),
                .error = "test.platform:9: [Processor s] Remoteproc=: mps2-an500 has no place for STM32 registers; use idm",
        },
        {
                .name = "stm32 registers and Linux in the slave",
                .text = TEXT(MASTER SLAVE "Protocol=linux\n" STM32),
                .error = "test.platform:12: [Processor s] Remoteproc=: Linux in a slave is not started by STM32 registers, which "
                         "know of no device tree; use idm",
        },
        {
                .name = "stm32 registers and a high window",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=8G\n"
                             SLAVE_WITHOUT_WINDOW "Window=2M@0xfff00000\n" STM32),
                .error = "test.platform:11: [Processor s] Remoteproc=: the window is not below 4 GiB, where STM32 registers and "
                         "their driver end; move it, or use idm",
        },
        {
                .name = "stm32 registers and a small window, for all slaves",
                .text = TEXT(PLATFORM STM32 MASTER SLAVE_WITHOUT_WINDOW "Window=1M@0x60000000\n"),
                .error = "test.platform:8: [Processor s] Remoteproc=: of the window 1 MiB is for rings and buffers, which leaves "
                         "nothing; make it larger, or use idm",
        },
};

static void test_auto_boot_by_master(void **state) {
        static const PlatformCase auto_boot = {
                .name = "booted by the master's Linux, but by a driver of ours",
                .text = TEXT(MASTER SLAVE "Remoteproc=idm\n" "AutoBoot=master\n"),
                .error = "test.platform:12: [Processor s] AutoBoot=: only the driver of Remoteproc=stm32 boots a slave by itself; write "
                         "Remoteproc=stm32, or AutoBoot=yes, with which hetd boots it",
        };

        platform_cases_check(&auto_boot, 1);
}

static void test_remoteproc(void **state) {
        platform_cases_check(remoteproc_cases, G_N_ELEMENTS(remoteproc_cases));
}

static void test_remoteproc_of_many(void **state) {
        g_autoptr(GString) text = g_string_new(PLATFORM STM32 MASTER);
        PlatformCase too_many = {
                .name = "22 slaves",
                .error = "test.platform:113: [Processor s22] Remoteproc=: virt has interrupts for the STM32 registers of 21 slaves, "
                         "this is one more; use idm for it",
        };

        for (unsigned i = 1; i <= 22; i++)
                g_string_append_printf(text, "[Processor s%u]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=2M@0x%x\n", i,
                                       0x60000000 + i * 0x200000);
        too_many.text = text->str;
        too_many.size = text->len;
        platform_cases_check(&too_many, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_remoteproc),
                cmocka_unit_test(test_auto_boot_by_master),
                cmocka_unit_test(test_remoteproc_of_many),
        };

        return cmocka_run_group_tests(tests, platform_cases_set_up, platform_cases_tear_down);
}
