/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Console of the MPS2 boards: CMSDK UART 0, for output. */

#include <stdint.h>

#include <board.h>             /* of the board that it is made for, which may be another one */
#include "console.h"
#include "mmio.h"

#define UART_DATA               (BOARD_UART_BASE + 0x00)
#define UART_STATE              (BOARD_UART_BASE + 0x04)
#define UART_STATE_TX_FULL      (1u << 0)
#define UART_CTRL               (BOARD_UART_BASE + 0x08)
#define UART_CTRL_TX_ENABLE     (1u << 0)
#define UART_BAUDDIV            (BOARD_UART_BASE + 0x10)
#define UART_BAUDDIV_FASTEST    16u

void console_init(void) {
        mmio_write32(UART_BAUDDIV, UART_BAUDDIV_FASTEST);
        mmio_write32(UART_CTRL, UART_CTRL_TX_ENABLE);
}

void console_putc(char c) {
        while (mmio_read32(UART_STATE) & UART_STATE_TX_FULL)
                ;
        mmio_write32(UART_DATA, (uint8_t) c);
}
