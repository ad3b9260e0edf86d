/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * QEMU's machine mps2-an385 (Cortex-M3), as far as the firmware needs it; mps2-an386 and mps2-an511 have the same in these places.
 * Numbers of interrupts are NVIC inputs.
 */

#define BOARD_UART_BASE         0x40004000u     /* CMSDK UART 0 */
#define BOARD_IRQ_COUNT         32u
#define BOARD_IDM_BASE          0x50000000u     /* the board has no platform bus: hetd puts the IDM here */
#define BOARD_IDM_IRQ           31u
#define BOARD_IDM_TRIGGER       IRQ_LEVEL
#define BOARD_IPCC_BASE         0x50010000u     /* and here the STM32 registers, if the slave has them */
#define BOARD_IPCC_IRQ          29u
#define BOARD_IPCC_FREE_IRQ     30u
