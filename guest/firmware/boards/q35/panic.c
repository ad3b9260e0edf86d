/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a program on a PC fails for good: QEMU's panic device is told, if the machine has one (-device pvpanic). */

#include "board.h"
#include "fault.h"
#include "port.h"

#define PVPANIC_PANICKED        1u

void panic(void) {
        port_write8(BOARD_PANIC_PORT, PVPANIC_PANICKED);
}
