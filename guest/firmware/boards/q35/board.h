/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * QEMU's machine q35, a PC, as far as the firmware needs it; pc and microvm are the same to it. Programs of 64 bits run in long mode
 * throughout, with the first 4 GiB where they are: what virtualizes without the processor's help is good at nothing else. Those of 32
 * bits (boards/pc32) are for CPUs that have no long mode.
 * Numbers of interrupts are those of the vectors in the CPU's table.
 */

#include "pci-idm.h"

#define BOARD_CPU               "x86"

#define BOARD_UART_PORT         0x3f8u          /* COM1, a 16550 */
#define BOARD_UART_IRQ          (BOARD_PIC_IRQ + 4)
#define BOARD_PIC_IRQ           0x20u           /* where the inputs of the old interrupt controller begin */
#define BOARD_LAPIC_BASE        0xfee00000u     /* the CPU's own interrupt controller */
#define BOARD_MSI_ADDRESS       0xfee00000u
#define BOARD_MSI_IRQ           0x40u
#define BOARD_TIMER_IRQ         0x41u           /* of the LAPIC's timer */
#define BOARD_SPURIOUS_IRQ      0x4fu
#define BOARD_IDM_BASE          pci_idm_find()
#define BOARD_IDM_IRQ           BOARD_MSI_IRQ
#define BOARD_IDM_TRIGGER       IRQ_EDGE
#define BOARD_IDM_PAGES         pci_idm_pages()
#define BOARD_PCI_MMIO_BASE     0xc0000000u
#define BOARD_PCI_ECAM_BASE     0xe0000000u     /* of microvm */
#define BOARD_HPET_BASE         0xfed00000u
#define BOARD_PANIC_PORT        0x505u          /* pvpanic, if the machine has one */
