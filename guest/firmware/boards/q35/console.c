/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Console of a PC: its first serial line, a 16550. QEMU's needs no baud rate. */

#include <stdint.h>

#include "board.h"
#include "console.h"
#include "irq.h"
#include "line.h"
#include "port.h"

#define UART_DATA               (BOARD_UART_PORT + 0)
#define UART_IER                (BOARD_UART_PORT + 1)
#define UART_IER_RECEIVE        1u
#define UART_IIR                (BOARD_UART_PORT + 2)
#define UART_LCR                (BOARD_UART_PORT + 3)
#define UART_LCR_8N1            3u
#define UART_MCR                (BOARD_UART_PORT + 4)
#define UART_MCR_INTERRUPTS     (1u << 3)       /* on a PC this output lets them through */
#define UART_LSR                (BOARD_UART_PORT + 5)
#define UART_LSR_RECEIVED       (1u << 0)
#define UART_LSR_ROOM           (1u << 5)

void console_init(void) {
        port_write8(UART_LCR, UART_LCR_8N1);
        port_write8(UART_IER, 0);
}

void console_putc(char c) {
        while (!(port_read8(UART_LSR) & UART_LSR_ROOM))
                ;
        port_write8(UART_DATA, (uint8_t) c);
}

static void console_interrupt(void) {
        /* Taking out the last character also takes back the interrupt. */
        while (port_read8(UART_LSR) & UART_LSR_RECEIVED)
                line_input((char) port_read8(UART_DATA));
}

void console_listen(ConsoleLineHandler handler) {
        line_start(handler);
        irq_enable(BOARD_UART_IRQ, IRQ_EDGE, console_interrupt);
        port_write8(UART_MCR, UART_MCR_INTERRUPTS);
        port_write8(UART_IER, UART_IER_RECEIVE);
}
