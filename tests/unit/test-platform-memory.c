/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What does not fit together in a platform file: memory, and windows. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform-cases.h"

#include <glib.h>

static const PlatformCase memory_cases[] = {
        {
                .name = "memory missing",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n"),
                .error = "test.platform:1: [Processor m] Memory=: is missing; the windows are parts of it, "
                         "write for example Memory=1G",
        },
        {
                .name = "memory not a size",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=1GB\n"),
                .error = "test.platform:5: [Processor m] Memory=: '1GB' is no size; write it like 64M, 1G or "
                         "0x4000000",
        },
        {
                .name = "memory too large for 64 bits",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n"
                             "Memory=99999999999T\n"),
                .error = "test.platform:5: [Processor m] Memory=: the size '99999999999T' is more than 64 bits "
                         "hold",
        },
        {
                .name = "memory too large",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=2T\n"),
                .error = "test.platform:5: [Processor m] Memory=: 2T is no possible size; it is 64K to 1T",
        },
        {
                .name = "memory zero",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=0\n"),
                .error = "test.platform:5: [Processor m] Memory=: 0 is no possible size; it is 64K to 1T",
        },
        {
                .name = "memory unaligned",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n"
                             "Memory=1000000\n"),
                .error = "test.platform:5: [Processor m] Memory=: the size 1000000 is not a multiple of 64K; "
                         "write Memory=1M",
        },
        {
                .name = "memory of a board that has another size",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=mps2-an385\n" "Memory=32M\n"),
                .error = "test.platform:4: [Processor m] Memory=: mps2-an385 has exactly 16M of memory, not "
                         "32M; write Memory=16M",
        },
        {
                .name = "memory of a slave",
                .text = TEXT(MASTER SLAVE "Memory=64M\n"),
                .error = "test.platform:11: [Processor s] Memory=: is for the master only; a slave's memory is "
                         "its window (Window=SIZE@ADDRESS)",
        },
        {
                .name = "window of a master",
                .text = TEXT(MASTER "Window=64M@0x60000000\n"),
                .error = "test.platform:6: [Processor m] Window=: is for slaves only; remove it from the master",
        },
        {
                .name = "window missing",
                .text = TEXT(MASTER "[Processor s]\n" "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n"),
                .error = "test.platform:6: [Processor s] Window=: is missing; write SIZE@ADDRESS, like "
                         "Window=64M@0x60000000",
        },
        {
                .name = "window without address",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M\n"),
                .error = "test.platform:10: [Processor s] Window=: '64M' is no window; write SIZE@ADDRESS, like "
                         "64M@0x60000000",
        },
        {
                .name = "window with a bad size",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64X@0x60000000\n"),
                .error = "test.platform:10: [Processor s] Window=: '64X' is no size; write it like 64M, 1G or "
                         "0x4000000",
        },
        {
                .name = "window with a bad address",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@here\n"),
                .error = "test.platform:10: [Processor s] Window=: 'here' is no address; write it like "
                         "0x60000000",
        },
        {
                .name = "window with an address of more than 64 bits",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x10000000000000000\n"),
                .error = "test.platform:10: [Processor s] Window=: the address '0x10000000000000000' is more "
                         "than 64 bits hold",
        },
        {
                .name = "window size zero",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=0@0x60000000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0 is no possible size; it is 64K to 1T",
        },
        {
                .name = "window size unaligned",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=100K@0x60000000\n"),
                .error = "test.platform:10: [Processor s] Window=: the size 100K is not a multiple of 64K; "
                         "write Window=128K@0x60000000",
        },
        {
                .name = "window address unaligned",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x60001000\n"),
                .error = "test.platform:10: [Processor s] Window=: the address 0x60001000 is not a multiple of "
                         "64K; write Window=64M@0x60000000",
        },
        {
                .name = "window beyond all addresses",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=128K@0xffffffffffff0000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0xffffffffffff0000 and 128K more is beyond "
                         "the end of all addresses; write a lower one",
        },
        {
                .name = "window of the wrong size for the board",
                .text = TEXT(MASTER "[Processor s]\n" "Role=slave\n" "Machine=mps2-an385\n"
                             "Window=64M@0x60000000\n"),
                .error = "test.platform:9: [Processor s] Window=: mps2-an385 has exactly 16M of memory, not "
                         "64M; write Window=16M@0x60000000",
        },
        {
                .name = "window below the memory",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x30000000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0x30000000–0x33ffffff is not inside the "
                         "master's memory (0x40000000–0x7fffffff); there is room at Window=64M@0x7c000000",
        },
        {
                .name = "window above the memory",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x80000000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0x80000000–0x83ffffff is not inside the "
                         "master's memory (0x40000000–0x7fffffff); there is room at Window=64M@0x7c000000",
        },
        {
                .name = "window half above the memory",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x7e000000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0x7e000000–0x81ffffff is not inside the "
                         "master's memory (0x40000000–0x7fffffff); there is room at Window=64M@0x7c000000",
        },
        {
                .name = "windows overlap",
                .text = TEXT(MASTER SLAVE "[Processor s2]\n" "Role=slave\n" "Machine=mps2-an385\n"
                             "Window=16M@0x63000000\n"),
                .error = "test.platform:14: [Processor s2] Window=: 0x63000000–0x63ffffff overlaps the window "
                         "of s in line 10 (0x60000000–0x63ffffff); there is room at Window=16M@0x7f000000",
        },
        {
                .name = "windows overlap by one page",
                .text = TEXT(MASTER SLAVE "[Processor s2]\n" "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n"
                             "Window=64K@0x63ff0000\n"),
                .error = "test.platform:15: [Processor s2] Window=: 0x63ff0000–0x63ffffff overlaps the window "
                         "of s in line 10 (0x60000000–0x63ffffff); there is room at Window=64K@0x7fff0000",
        },
        {
                .name = "the room found is below the other windows",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=256M\n"
                             "[Processor a]\n" "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n"
                             "Window=64M@0x4c000000\n" "[Processor b]\n" "Role=slave\n" "Machine=virt\n"
                             "CPU=cortex-a15\n" "Window=32M@0x4e000000\n"),
                .error = "test.platform:15: [Processor b] Window=: 0x4e000000–0x4fffffff overlaps the window of "
                         "a in line 10 (0x4c000000–0x4fffffff); there is room at Window=32M@0x4a000000",
        },
        {
                .name = "windows overlap, no room",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=128M\n"
                             "[Processor a]\n" "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n"
                             "Window=32M@0x46000000\n" "[Processor b]\n" "Role=slave\n" "Machine=virt\n"
                             "CPU=cortex-a15\n" "Window=64M@0x44000000\n"),
                .error = "test.platform:15: [Processor b] Window=: 0x44000000–0x47ffffff overlaps the window of "
                         "a in line 10 (0x46000000–0x47ffffff); there is no room for 64M, give the master more "
                         "memory or make windows smaller",
        },
        {
                .name = "window partly over the slave's own memory",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x42000000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0x42000000–0x45ffffff partly overlaps where "
                         "virt has its memory (0x40000000–0x43ffffff), which is the window seen once more; "
                         "there is room at Window=64M@0x7c000000",
        },
        {
                .name = "window where a Cortex-M cannot execute",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=2G\n"
                             "[Processor s]\n" "Role=slave\n" "Machine=mps2-an385\n" "Window=16M@0xa0000000\n"),
                .error = "test.platform:9: [Processor s] Window=: 0xa0000000–0xa0ffffff is no place for a "
                         "window of mps2-an385, which cannot execute code there, but can have it at "
                         "0x60000000–0x9fffffff; there is room at Window=16M@0x9f000000",
        },
        {
                .name = "window of an A-profile slave over devices",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=mps2-an385\n" "[Processor s]\n"
                             "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n" "Window=1M@0x21000000\n"),
                .error = "test.platform:8: [Processor s] Window=: 0x21000000–0x210fffff is no place for a "
                         "window of virt, which has devices there, but can have it at 0x40000000–0x3fffffffff; "
                         "there is no room for 1M, give the master more memory or make windows smaller",
        },
};

static void test_memory(void **state) {
        platform_cases_check(memory_cases, G_N_ELEMENTS(memory_cases));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_memory),
        };

        return cmocka_run_group_tests(tests, platform_cases_set_up, platform_cases_tear_down);
}
