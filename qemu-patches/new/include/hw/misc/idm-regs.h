/*
 * Registers of the IDM (inter-processor interrupt distribution module)
 *
 * The one source of the numbers for the device model, the guests' drivers
 * and the tests; docs/specs/idm.rst describes what they do.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later OR LGPL-2.1-or-later
 */

#ifndef HW_MISC_IDM_REGS_H
#define HW_MISC_IDM_REGS_H

/*
 * All registers are 32 bits wide, little-endian, and take aligned 32-bit
 * accesses only. Reserved ones read as 0; writes to them are ignored.
 */
#define IDM_MMIO_SIZE           0x8000

/*
 * On PCI. The number is one of those that are kept for experiments: a driver
 * looks at IDM_ID as well. There is one interrupt.
 */
#define IDM_PCI_VENDOR_ID       0x1af4
#define IDM_PCI_DEVICE_ID       0x10f1
#define IDM_PCI_REVISION        1
#define IDM_PCI_BAR             0       /* the registers */
#define IDM_PCI_MSIX_BAR        1       /* MSI-X: table and pending bits */
/* since 1.3 (IDM_FEATURE_PAGES): the control page of couple n is page n */
#define IDM_PCI_PAGES_BAR       2
#define IDM_PCI_PAGES_SIZE      0x100000

/* Global registers */
#define IDM_ID                  0x000   /* RO: IDM_ID_VALUE */
#define IDM_ID_VALUE            0x314d4449u     /* "IDM1" in memory order */
#define IDM_VERSION             0x004   /* RO: major << 16 | minor */
#define IDM_VERSION_VALUE       0x00010004u
#define IDM_FEATURES            0x008   /* RO: bits below */
#define IDM_FEATURE_MASTER      (1u << 0)       /* this side is the master */
#define IDM_FEATURE_CONTROL     (1u << 1)       /* CONTROL register works */
/* since 1.1: the extension blocks */
#define IDM_FEATURE_RESOURCE_TABLE (1u << 2)
/* since 1.2: HEARTBEAT; slaves only */
#define IDM_FEATURE_HEARTBEAT   (1u << 3)
/* since 1.3: control pages and KICK; on PCI only */
#define IDM_FEATURE_PAGES       (1u << 4)
/* since 1.4: TAKE */
#define IDM_FEATURE_TAKE        (1u << 5)
#define IDM_SELF                0x00c   /* RO: own processor number; ~0: none */
#define IDM_SELF_NONE           0xffffffffu
#define IDM_COUPLES             0x010   /* RO: number of attached couples */
#define IDM_VECTORS             0x014   /* RO: vectors of a couple: 32 */
#define IDM_CTRL                0x018   /* RW: bits below; 0 at reset */
#define IDM_CTRL_IRQ_ENABLE     (1u << 0)       /* drive the interrupt line */
#define IDM_IRQ_STATUS          0x01c   /* RO: bits below */
/* an enabled vector is pending */
#define IDM_IRQ_VECTOR          (1u << 0)
/* an enabled event is pending */
#define IDM_IRQ_EVENT           (1u << 1)
/* RO, n = 0..7: bit m: couple 32n+m interrupts */
#define IDM_SUMMARY(n)          (0x020 + 4 * (n))
#define IDM_SUMMARY_COUNT       8

/*
 * Registers of a couple. The block's number is the number of the processor
 * at the other end: a slave uses block 0, the master blocks 1 to 255.
 */
#define IDM_COUPLE(id)          (0x1000 + 0x40 * (id))
#define IDM_COUPLE_SIZE         0x40
#define IDM_COUPLE_MAX          256

#define IDM_STATUS              0x00    /* RO: bits below */
#define IDM_STATUS_ATTACHED     (1u << 0)       /* there is a couple */
#define IDM_DOORBELL            0x04    /* WO: vector to send, 0..31 */
#define IDM_PENDING             0x08    /* RW1C: vectors that arrived */
/* RW: vectors that interrupt; 0 at reset */
#define IDM_ENABLE              0x0c
#define IDM_PEER_STATE          0x10    /* RO: HetState of the other side */
#define IDM_EVENT               0x14    /* RW1C: bits below */
#define IDM_EVENT_STATE         (1u << 0)       /* PEER_STATE changed */
/* a CONTROL request was answered */
#define IDM_EVENT_REQUEST       (1u << 1)
/* RW: events that interrupt; 0 at reset */
#define IDM_EVENT_ENABLE        0x18
/* master only; a slave reads 0 */
/* WO part: request; RO part: its result */
#define IDM_CONTROL             0x1c
#define IDM_CONTROL_START       1u              /* bits 7:0 written */
#define IDM_CONTROL_STOP        2u
/* bits 15:8 of a start: IDM_PROTOCOL_* */
#define IDM_CONTROL_PROTOCOL(p) ((uint32_t)(p) << 8)
#define IDM_PROTOCOL_AUTO       0u
#define IDM_PROTOCOL_RAW        1u
#define IDM_PROTOCOL_LINUX      2u
#define IDM_PROTOCOL_VECTORS    3u
#define IDM_RESULT_NONE         0u              /* bits 7:0 read */
#define IDM_RESULT_PENDING      1u
#define IDM_RESULT_DONE         2u
#define IDM_RESULT_REFUSED      3u
#define IDM_RESULT_FAILED       4u
/* RW: boot entry address; 0 at reset: the platform's default */
#define IDM_ENTRY_LO            0x20
#define IDM_ENTRY_HI            0x24
#define IDM_ARGUMENT_LO         0x28    /* RW: boot argument */
#define IDM_ARGUMENT_HI         0x2c
/* RO: the slave's window in the master's memory */
#define IDM_WINDOW_BASE_LO      0x30
#define IDM_WINDOW_BASE_HI      0x34
#define IDM_WINDOW_SIZE_LO      0x38    /* RO: its size; 0: none */
#define IDM_WINDOW_SIZE_HI      0x3c

/*
 * More registers of a couple, since 1.1 (IDM_FEATURE_RESOURCE_TABLE): the
 * block above is full. The blocks have the same numbers.
 */
#define IDM_EXTENSION(id)       (0x5000 + 0x20 * (id))
#define IDM_EXTENSION_SIZE      0x20

/* RW: bus address of the slave's resource table, 0: none */
#define IDM_RESOURCE_TABLE_LO   0x00
/* master: what the next START says; slave: what it publishes */
#define IDM_RESOURCE_TABLE_HI   0x04
/* master only; a slave reads 0 */
/* RO: what the slave publishes; 0: none, or it is not booted */
#define IDM_PEER_RESOURCE_TABLE_LO 0x08
#define IDM_PEER_RESOURCE_TABLE_HI 0x0c
/* slave only; since 1.2 (IDM_FEATURE_HEARTBEAT) */
/* RW: written: a sign of life; read: wanted every so many ms, 0: never */
#define IDM_HEARTBEAT           0x10
/* since 1.3 (IDM_FEATURE_PAGES) */
/* WO: any value: wakes the other side, which looks into the page */
#define IDM_KICK                0x14
/* since 1.4 (IDM_FEATURE_TAKE) */
/* RO: PENDING & ENABLE, which is cleared in PENDING by the read */
#define IDM_TAKE                0x18

/* PEER_STATE; the same numbers as HetState in qapi/het.json */
#define IDM_STATE_OFFLINE       0u
#define IDM_STATE_WAITING       1u
#define IDM_STATE_READY         2u
#define IDM_STATE_RUNNING       3u
#define IDM_STATE_PAUSED        4u
#define IDM_STATE_CRASHED       5u

#endif
