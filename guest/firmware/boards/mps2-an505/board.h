/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * QEMU's machine mps2-an505 (Cortex-M33), as far as the firmware needs it; the rest is that of mps2-an385. Everything is in the
 * secure state, in which the CPU begins. Numbers of interrupts are NVIC inputs.
 */

#define BOARD_UART_BASE         0x40200000u     /* CMSDK UART 0 */
#define BOARD_IRQ_COUNT         124u
#define BOARD_IDM_BASE          0x4f000000u     /* the board has no platform bus: hetd puts the IDM here */
#define BOARD_IDM_IRQ           123u
#define BOARD_IDM_TRIGGER       IRQ_LEVEL
