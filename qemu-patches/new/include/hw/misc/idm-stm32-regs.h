/*
 * Registers of the STM32 view of a couple (device idm_stm32)
 *
 * The one source of the numbers for the device model, firmware and the
 * tests; docs/specs/idm-stm32.rst describes what they do.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later OR LGPL-2.1-or-later
 */

#ifndef HW_MISC_IDM_STM32_REGS_H
#define HW_MISC_IDM_STM32_REGS_H

/* All registers are 32 bits wide and take aligned 32-bit accesses only */
#define STM32_MMIO_SIZE         0x1000

/*
 * IPCC: a mailbox for two processors. Processor 0 is the master, 1 the
 * slave; each has a block of registers, and uses only its own but for the
 * last one.
 */
#define STM32_IPCC_BLOCK(p)     (0x10 * (p))
#define STM32_IPCC_CR           0x00    /* RW: bits below; 0 at reset */
/* drive the receive interrupt */
#define STM32_IPCC_CR_RXOIE     (1u << 0)
#define STM32_IPCC_CR_TXFIE     (1u << 16)      /* drive the interrupt "free" */
/* RW: 1 masks; ~0 at reset. 15:0: receive, 31:16: free */
#define STM32_IPCC_MR           0x04
/* WO: 15:0: clear received flags, 31:16: set own flags */
#define STM32_IPCC_SCR          0x08
/* RO, of both blocks: flags that this processor has set */
#define STM32_IPCC_TOSR         0x0c
#define STM32_IPCC_HWCFGR       0x3f0   /* RO: number of channels */
#define STM32_IPCC_VERR         0x3f4   /* RO: version 1.0 */
#define STM32_IPCC_VERR_VALUE   0x10u
#define STM32_CHANNELS          6u
#define STM32_CHANNEL_MASK      ((1u << STM32_CHANNELS) - 1)

/*
 * What the channels mean to Linux; the first two are the numbers of the
 * vectors of the virtqueues
 */
#define STM32_CHANNEL_SHUTDOWN  2u
#define STM32_CHANNEL_DETACH    3u

/* Reset controller; master only */
#define STM32_RESET             0x400   /* WO: 1: stop the slave. Reads 0 */
#define STM32_RESET_SLAVE       (1u << 0)

/* System configuration and power; master only unless said otherwise */
/* RO: 0: the registers work without secure monitor */
#define STM32_TZEN              0x800
/* RW: bit 0: let the slave run; 0 at reset */
#define STM32_HOLD_BOOT         0x804
#define STM32_HOLD_BOOT_RELEASE (1u << 0)
/* RW: bit 0: deep sleep allowed; no effect */
#define STM32_PDDS              0x808
#define STM32_STATE             0x80c   /* RO: state of the slave, below */
#define STM32_STATE_OFF         0u
#define STM32_STATE_RUN         2u      /* and it has told its resource table */
#define STM32_STATE_CRASH       5u
/* RO; on a slave RW: address of its resource table; 0: none is known */
#define STM32_RESOURCE_TABLE    0x810
/* slave only, WO: any value: it has crashed */
#define STM32_WATCHDOG          0x820
/* slave only, RW: as HEARTBEAT of the IDM */
#define STM32_HEARTBEAT         0x824

#endif
