/*
 * Couples: what their files share
 *
 * het-couple.c      the couples themselves
 * het-channel.c     vectors whose sender waits for the acknowledgement
 * het-couple-qmp.c  what QMP asks about them, requests of the master guest
 * het-listen.c      who waits for the doorbells
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_CORE_HET_COUPLE_INTERNAL_H
#define HW_CORE_HET_COUPLE_INTERNAL_H

#include "hw/het-couple.h"
#include "qemu/timer.h"

/* What the guest has asked for: start, or stop */
typedef struct HetCoupleRequest {
    bool boot;
    uint64_t entry;
    uint64_t argument;
    uint64_t resource_table;
    HetBootProtocol protocol;
} HetCoupleRequest;

struct HetCoupleState {
    uint32_t id;            /* of the other side */
    uint32_t slave_id;
    HetPage *page;
    int page_fd;            /* for who asks for it again */
    HetPageSide *local;     /* the two sides of the page */
    HetPageSide *peer;
    int rx;
    int tx;
    int rx_halt;            /* -1: none */
    int tx_halt;
    bool diverted;          /* rx is not ours to wait for */
    bool kernel_kicks;      /* tx is written by the guest through KVM */
    unsigned impatient;     /* doorbells to come that are rung at once */

    uint32_t raised;        /* channels, when the client was last told */
    HetState peer_state;
    uint64_t peer_resource_table;
    bool peer_gone;         /* what the page says of it is void */
    bool peer_state_bad;    /* reported once, not at each wake */
    HetRequestResult request;
    HetCoupleRequest asked; /* while @request is pending */
    const HetCoupleBroker *broker;
    void *broker_opaque;

    /* HET_SLAVE_STATE on a master: the last one, and when the next may come */
    HetState reported_state;
    QEMUTimer *state_timer;

    /* The truth; those in the page are for observers */
    uint64_t sent;
    uint64_t received;
    uint64_t coalesced;

    /* HET_IPI: what arrived since the last one, and when the next may come */
    bool watched;
    uint32_t unreported;
    QEMUTimer *report_timer;
};

static inline bool het_couple_is_direct(const HetCoupleState *c)
{
    return c->rx_halt >= 0;
}

bool het_couple_has_client(void);
/* het-listen.c */
HetDoorbell het_couple_doorbell(const HetCoupleState *c);
/* These tell the client */
void het_couple_request_completed(uint32_t id);
void het_couple_acknowledged(uint32_t id);

/* Empties the eventfd and takes whatever is in the page for this side */
void het_couple_take(HetCoupleState *c);
/* What the page says of the other side, which may be newer than its wake-up */
void het_couple_take_state(HetCoupleState *c);
/* Tells the client if the other side has acknowledged something */
void het_channels_take(HetCoupleState *c);

/* het-listen.c */
bool het_couple_listen(HetCoupleState *c, Error **errp);
/* Drops the BQL for a moment */
void het_couple_ignore(HetCoupleState *c);

#endif
