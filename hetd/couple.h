/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * hetd's end of a couple: makes the control page and the eventfds of a master and one slave, keeps an fd of each, and watches and
 * mends the page without a QMP call. The page is hostile input: values are read once and never index anything.
 */

#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "hw/misc/het-page.h"

/* Numbers of the files of a couple, which no others of this boot have; all different from 0 */
typedef struct CoupleIdentity {
        uint64_t page;
        uint64_t eventfds[4];
} CoupleIdentity;

typedef struct Couple {
        uint32_t id;                    /* of the slave */
        uint32_t heartbeat_ms;          /* its firmware is asked for a sign of life so often, 0: not at all */
        int page_fd;                    /* sealed memfd of HET_PAGE_SIZE */
        HetPage *page;                  /* our mapping of it */
        int to_master, to_slave;        /* eventfds: rx of the one is tx of the other */
        int to_master_halt, to_slave_halt;
        CoupleIdentity identity;        /* page is 0: nobody has asked yet */
} Couple;

bool couple_new(uint32_t id, uint32_t heartbeat_ms, Couple **ret, GError **error);
Couple *couple_free(Couple *c);         /* returns NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Couple, couple_free)

/*
 * Another process of the slave is going to have it: makes good what the one before may have written over. What the master's
 * process holds stays as it is.
 */
void couple_renew(Couple *c);

/* The slave's process is gone: says so to the master (state: HetState number of offline or crashed) and wakes it. */
void couple_set_slave_state(Couple *c, uint32_t state);
/* What the slave's QEMU says of itself (HetState); the master's guest has seen it already */
uint32_t couple_get_slave_state(const Couple *c);
/* When its firmware gave the last sign of life since its boot: CLOCK_MONOTONIC, 0: none yet. The slave can write anything there. */
uint64_t couple_get_heartbeat_ns(const Couple *c);
/* The master's process is gone */
void couple_set_master_state(Couple *c, uint32_t state);

typedef struct CoupleCounters {
        uint64_t sent, coalesced;       /* by that side */
        uint64_t last_sent_ns;          /* CLOCK_MONOTONIC, 0: never */
} CoupleCounters;

void couple_get_counters(const Couple *c, CoupleCounters *ret_master, CoupleCounters *ret_slave);

/* What a page has: nobody can take it away under those who have mapped it, or make it read-only for them */
#define COUPLE_SEALS            (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* --- couple-adopt.c --- */

#define COUPLE_FDS              5       /* page, to_master, to_slave, to_master_halt, to_slave_halt */

const CoupleIdentity *couple_identify(Couple *c);       /* borrowed */
/* Makes a couple of fds that somebody has given back, if they are those; they are eaten in any case */
bool couple_adopt(uint32_t id, int fds[COUPLE_FDS], const CoupleIdentity *identity, Couple **ret, GError **error);
