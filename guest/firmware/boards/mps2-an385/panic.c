/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a program on a Cortex-M fails for good: a fault in a fault handler locks the CPU up, which QEMU sees. */

#include "fault.h"

void panic(void) {
        __builtin_trap();
}
