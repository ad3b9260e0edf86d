/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* QEMU's RISC-V machine virt, as far as the firmware needs it. Numbers of interrupts are the PLIC's. */

#define BOARD_CPU               "RISC-V"

#define BOARD_PLIC_BASE         0x0c000000u
#define BOARD_UART_BASE         0x10000000u     /* a 16550 */
#define BOARD_UART_IRQ          10u
#define BOARD_IDM_BASE          0x04000000u     /* first device of the platform bus */
#define BOARD_IDM_IRQ           64u
#define BOARD_IDM_TRIGGER       IRQ_LEVEL
#define BOARD_PCI_ECAM_BASE     0x30000000u
#define BOARD_PCI_MMIO_BASE     0x40000000u
