/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a program: by an exception that nobody expects, where the boards' vectors lead, or by its own decision. */

#include <stdbool.h>
#include <stdint.h>

#include "console.h"
#include "cpu.h"
#include "fault.h"

void fault(uint32_t exception, uint32_t address) {
        static bool failed;

        /* The second time it is panic() that has failed, or print(). */
        if (!failed) {
                failed = true;
                print("fault: exception %u, return address 0x%x\n", (unsigned) exception, (unsigned) address);
                panic();
        }
        for (;;)
                cpu_sleep();
}

void fail(const char *why) {
        print("fatal: %s\n", why);
        panic();
        for (;;)
                cpu_sleep();
}
