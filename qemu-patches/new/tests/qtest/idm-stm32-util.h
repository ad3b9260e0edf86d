/*
 * The registers of idm_stm32 and its interrupts, as its tests see them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_QTEST_IDM_STM32_UTIL_H
#define TESTS_QTEST_IDM_STM32_UTIL_H

#include "hw/misc/idm-stm32-regs.h"
#include "idm-util.h"

#define ID              5
#define ENTRY           0x60001000
#define VIEW_BASE       (VIRT_BASE + IDM_MMIO_SIZE)

#define GIC_BASE        0x08000000
#define RX              (32 + VIRT_SPI + 1)
#define TX              (32 + VIRT_SPI + 2)
#define WATCHDOG        (32 + VIRT_SPI + 3)

#define SLAVE_ARGS      ",slave=on,memory-backend=mem -m 16M" \
                        " -object memory-backend-shared,id=mem,size=16M"

#define MASTER(reg)     (STM32_IPCC_BLOCK(0) + (reg))
#define SLAVE(reg)      (STM32_IPCC_BLOCK(1) + (reg))
#define RX_TX_ENABLE    (STM32_IPCC_CR_RXOIE | STM32_IPCC_CR_TXFIE)

extern const Machine stm32_view_of_master;

void stm32_start(Side *side, bool slave);
void stm32_start_attached(Side *side, Couple *c, bool slave);
void stm32_end(Side *side, Couple *c);
bool stm32_pends(Side *side, unsigned intid);
/* Whether there was an edge since the last call */
bool stm32_watchdog(Side *side);
void stm32_wait_for_watchdog(Side *side);
/* idm-stm32-run-tests.c */
void stm32_add_run_tests(void);

#endif
