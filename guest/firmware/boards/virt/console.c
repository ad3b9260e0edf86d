/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Console of the virt board: a PL011. QEMU's needs no baud rate. */

#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "console.h"
#include "irq.h"
#include "line.h"
#include "mmio.h"

#define UART_DR                 (BOARD_UART_BASE + 0x00)
#define UART_FR                 (BOARD_UART_BASE + 0x18)
#define UART_FR_RXFE            (1u << 4)       /* nothing received */
#define UART_FR_TXFF            (1u << 5)       /* no room to send */
#define UART_LCR_H              (BOARD_UART_BASE + 0x2c)
#define UART_LCR_H_8N1_FIFO     (3u << 5 | 1u << 4)
#define UART_CR                 (BOARD_UART_BASE + 0x30)
#define UART_CR_ENABLE          (1u << 0 | 1u << 8 | 1u << 9)           /* UART, sender, receiver */
#define UART_IMSC               (BOARD_UART_BASE + 0x38)
#define UART_IMSC_RECEIVE       (1u << 4 | 1u << 6)                     /* characters, and a rest of them */

void console_init(void) {
        mmio_write32(UART_LCR_H, UART_LCR_H_8N1_FIFO);
        mmio_write32(UART_CR, UART_CR_ENABLE);
}

void console_putc(char c) {
        while (mmio_read32(UART_FR) & UART_FR_TXFF)
                ;
        mmio_write32(UART_DR, (uint8_t) c);
}

static void console_interrupt(void) {
        /* Taking out the last character also takes back the interrupt. */
        while (!(mmio_read32(UART_FR) & UART_FR_RXFE))
                line_input((char) mmio_read32(UART_DR));
}

void console_listen(ConsoleLineHandler handler) {
        line_start(handler);
        irq_enable(BOARD_UART_IRQ, IRQ_LEVEL, console_interrupt);
        mmio_write32(UART_IMSC, UART_IMSC_RECEIVE);
}
