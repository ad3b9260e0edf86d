/*
 * Control page of a couple
 *
 * A couple is the channel of the master and one slave: this page, a sealed
 * memfd that both QEMU processes and the broker that made it map, and eventfds.
 * The page is hostile input to everybody who reads it: nothing may be
 * indexed or sized by its contents, and every value is read once.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later OR LGPL-2.1-or-later
 */

#ifndef HW_MISC_HET_PAGE_H
#define HW_MISC_HET_PAGE_H

#include <stdint.h>

#define HET_PAGE_SIZE           4096
#define HET_PAGE_MAGIC          0x50544548u     /* "HETP" in memory order */
#define HET_PAGE_VERSION        1u
#define HET_VECTORS             32u
/* slaves are 1 to 255, the master is 0 */
#define HET_ID_MAX              255u

/*
 * How a side waits, so that its peer knows whether it must write an eventfd,
 * and which
 */
/* write rx: always right, the reset value */
#define HET_WAIT_EVENTFD        0u
/* a vCPU watches `pending`: write nothing */
#define HET_WAIT_POLL           1u
/* a vCPU waits on the halt eventfd: write that */
#define HET_WAIT_HALT           2u

/*
 * One side. Each line of 64 bytes has one writer, so that the two
 * processes do not share cache lines more than they must.
 * All fields are in host byte order: a couple never leaves its host.
 */
typedef struct HetPageSide {
        /* written by the peer (sets bits), taken by this side as a whole */
        uint32_t pending;               /* vectors on their way to this side */
        /* written by the peer (sets bits) and by this side (clears bits) */
        /* vectors that the peer wants to see acknowledged */
        uint32_t channels;
        uint32_t reserved0[14];
        /*
         * written by this side; `state` also by the broker once this side's
         * process is gone
         */
        uint32_t state;                 /* HetState */
        uint32_t wait;                  /* HET_WAIT_* */
        uint32_t reserved1[2];
        uint64_t sent;                  /* statistics, for observers only */
        uint64_t received;
        uint64_t coalesced;
        uint64_t last_sent_ns;          /* CLOCK_MONOTONIC */
        /*
         * Slave only, with `state` its writer's: bus address of the resource
         * table of what runs, 0: none. Stored before `state` says RUNNING,
         * and 0 once it says that the slave is not booted.
         */
        uint64_t resource_table;
        /*
         * Slave only: when its firmware gave the last sign of life since its
         * boot, CLOCK_MONOTONIC; 0: none yet, or it is not booted.
         */
        uint64_t heartbeat_ns;
} HetPageSide;

typedef struct HetPage {
        /* written by who makes the page, before it hands it out */
        uint32_t magic;
        uint32_t version;
        uint32_t id;                    /* number of the slave */
        /* the slave is to give a sign of life so often, 0: nobody looks */
        uint32_t heartbeat_ms;
        uint32_t reserved[12];
        HetPageSide master;
        HetPageSide slave;
} HetPage;

_Static_assert(sizeof(HetPageSide) == 128, "layout of a side");
_Static_assert(sizeof(HetPage) == 64 + 2 * 128, "layout of the page");

#endif
