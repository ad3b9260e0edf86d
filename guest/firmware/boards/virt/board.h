/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* QEMU's machine virt with a cortex-a15, as far as the firmware needs it. Numbers of interrupts are GIC INTIDs. */

#define BOARD_CPU               "Cortex-A15"

#define BOARD_GICD_BASE         0x08000000u     /* GICv2 distributor */
#define BOARD_GICC_BASE         0x08010000u     /* GICv2 CPU interface */
#define BOARD_MSI_ADDRESS       0x08020040u     /* GICv2m: what is written there becomes an SPI */
#define BOARD_MSI_IRQ           80u             /* the first of those, SPI 48 */
#define BOARD_UART_BASE         0x09000000u     /* PL011 */
#define BOARD_UART_IRQ          33u             /* SPI 1 */
#define BOARD_TIMER_IRQ         27u             /* virtual timer of the CPU, a PPI */
#ifdef IDM_ON_PCI
#include "pci-idm.h"
#define BOARD_IDM_BASE          pci_idm_find()
#define BOARD_IDM_IRQ           BOARD_MSI_IRQ
#define BOARD_IDM_TRIGGER       IRQ_EDGE
#define BOARD_IDM_PAGES         pci_idm_pages()
#else
#define BOARD_IDM_BASE          0x0c000000u     /* first device of the platform bus */
#define BOARD_IDM_IRQ           144u            /* SPI 112 */
#define BOARD_IDM_TRIGGER       IRQ_LEVEL
#endif
#define BOARD_IPCC_BASE         0x0c008000u     /* the next device, if the slave has STM32 registers */
#define BOARD_IPCC_IRQ          145u            /* SPI 113 */
#define BOARD_IPCC_FREE_IRQ     146u            /* SPI 114 */
#define BOARD_PCI_MMIO_BASE     0x10000000u
#define BOARD_PCI_ECAM_BASE     0x3f000000u     /* with highmem=off */
