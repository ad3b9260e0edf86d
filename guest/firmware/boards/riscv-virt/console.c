/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Console of the RISC-V virt board: a 16550, for output. QEMU's needs no baud rate. */

#include <stdint.h>

#include "board.h"
#include "console.h"

#define UART_DATA               0
#define UART_LCR                3
#define UART_LCR_8N1            3u
#define UART_LSR                5
#define UART_LSR_ROOM           (1u << 5)

/* Its registers have a byte each */
static volatile uint8_t *const uart = (volatile uint8_t *) BOARD_UART_BASE;

void console_init(void) {
        uart[UART_LCR] = UART_LCR_8N1;
}

void console_putc(char c) {
        while (!(uart[UART_LSR] & UART_LSR_ROOM))
                ;
        uart[UART_DATA] = (uint8_t) c;
}
