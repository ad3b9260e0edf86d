/*
 * Heterogeneous platforms: the couples of a master and its slaves
 *
 * hw/core/het-couple.c      control pages, sending, receiving
 * hw/core/het-channel.c     vectors whose sender waits for the acknowledgement
 * hw/core/het-listen.c      who waits for the doorbells
 * hw/core/het-couple-qmp.c  what QMP asks, requests of the master guest
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_HET_COUPLE_H
#define HW_HET_COUPLE_H

#include "hw/het.h"
#include "hw/misc/het-page.h"

/* --- het-couple.c --- */

typedef struct HetCoupleState HetCoupleState;

/*
 * Whoever shows the couples to the guest: the IDM. At most one; setting it
 * when there is one already fails. Called when something has changed that
 * the guest could see.
 */
typedef struct HetCoupleClient {
    void *opaque;
    /*
     * vectors arrived; they were taken out of the page and are now the
     * client's to keep
     */
    void (*received)(void *opaque, uint32_t id, uint32_t vectors);
    /*
     * the other side's state, or what it publishes of its resource table,
     * changed, or the couple was attached or detached
     */
    void (*changed)(void *opaque, uint32_t id);
    /* a start or stop request was answered */
    void (*request_completed)(void *opaque, uint32_t id);
    /* the other side has acknowledged vectors that were sent as channels */
    void (*acknowledged)(void *opaque, uint32_t id);
    /* how long a halted vCPU watches before it sleeps; 0: not at all */
    uint32_t halt_poll_max_ns;
    /* always that long; else up to it, adapted to how long it had to wait */
    bool halt_poll_fixed;
} HetCoupleClient;

bool het_couple_set_client(const HetCoupleClient *client, Error **errp);
void het_couple_unset_client(void);

/* id is the number of the other side (0 is the master); NULL: not attached */
HetCoupleState *het_couple_find(uint32_t id);
/* Walks by number, from the smallest; prev NULL begins */
HetCoupleState *het_couple_next(HetCoupleState *prev);
unsigned het_couple_count(void);
uint32_t het_couple_id(const HetCoupleState *c);
/*
 * Number of this processor: 0 on a master, the slave's own once attached,
 * else UINT32_MAX
 */
uint32_t het_couple_self(void);

/* Checked by het_check_memory_fd() and het_check_eventfd(); -1: none */
typedef struct HetCoupleFds {
    int page;
    int rx;
    int tx;
    int rx_halt;
    int tx_halt;
} HetCoupleFds;

#define HET_COUPLE_FDS_NONE \
    (HetCoupleFds) { .page = -1, .rx = -1, .tx = -1, \
                     .rx_halt = -1, .tx_halt = -1 }

void het_couple_close_fds(HetCoupleFds *fds);

/*
 * Takes all fds, also when it fails: none is in fds any more. There is no such
 * couple yet. On a master the window comes first: the guest may look for it as
 * soon as it sees the couple.
 */
bool het_couple_attach(uint32_t slave_id, HetCoupleFds *fds, Error **errp);
/* There is such a couple. Drops the BQL for a moment. */
void het_couple_detach(uint32_t id);
/*
 * The vCPU that handles the interrupts: it is the one that waits for them
 * while it is halted
 */
void het_couple_set_cpu(CPUState *cpu);
/* The guest has put something into the page itself: wakes the other side */
void het_couple_kick(HetCoupleState *c);
/* Whether such wake-ups go to the other side without this process */
void het_couple_set_kick(HetCoupleState *c, bool by_kernel);
/* vector < HET_VECTORS */
void het_couple_send(HetCoupleState *c, unsigned vector);
/*
 * Forgets vectors that are on their way to this side, and channels in both
 * directions: at reset of the guest
 */
void het_couple_drain(HetCoupleState *c);
HetState het_couple_peer_state(const HetCoupleState *c);
/* 0: the other side publishes none, or is not booted. It may be any value. */
uint64_t het_couple_peer_resource_table(const HetCoupleState *c);
/* The slave's guest is alive; ignored while there is no couple */
void het_heartbeat(void);
/* How often whoever made the couple wants to see that; 0: never */
uint32_t het_heartbeat_ms(void);
HetCoupleInfo *het_couple_query(const HetCoupleState *c);
#define HET_COUPLE_FDS_MAX  5
/* page, rx, tx, and perhaps rx-halt and tx-halt, borrowed; how many */
size_t het_couple_fds(const HetCoupleState *c, int fds[HET_COUPLE_FDS_MAX]);
bool het_couple_watch(uint32_t id, bool enable, Error **errp);

/*
 * Whoever has brought the slave of a couple and carries out what the master's
 * guest asks for. Without one a request is only an event for QMP. opaque is
 * the caller's.
 */
typedef struct HetCoupleBroker {
    /* answered by het_couple_request_complete(), now or later */
    void (*boot)(void *opaque, uint64_t entry, uint64_t argument,
                 uint64_t resource_table, HetBootProtocol protocol);
    void (*stop)(void *opaque);
    /* the couple is gone, and was not detached by the broker */
    void (*detached)(void *opaque);
} HetCoupleBroker;

/* ops NULL: none any more */
void het_couple_set_broker(HetCoupleState *c, const HetCoupleBroker *ops,
                           void *opaque);
/*
 * The process at the other side is gone, and cannot say so itself: unless it
 * has left in order its state becomes crashed. What was asked of it has failed.
 */
void het_couple_peer_gone(HetCoupleState *c);

/* --- het-listen.c --- */

/* Something that can interrupt the guest when an eventfd is written */
typedef struct HetDoorbellOps {
    /* false: it cannot; the eventfd stays where it is */
    bool (*add)(void *opaque, int fd);
    void (*remove)(void *opaque, int fd);
} HetDoorbellOps;

/*
 * Hands the doorbells of all couples over, of those as well that are
 * attached later; ops NULL takes them back. Whoever does it polls before the
 * guest sees anything of a couple.
 */
void het_couples_divert(const HetDoorbellOps *ops, void *opaque);
/* Takes what came by doorbells that were handed over. c may be NULL. */
void het_couple_poll(HetCoupleState *c);
void het_couples_poll(void);

/* --- het-channel.c --- */

/*
 * A channel is a vector whose sender wants to know when it was acknowledged.
 * Until then its flag is set, and it is not sent again.
 */
void het_channel_raise(HetCoupleState *c, unsigned vector);
/* Those that this side has raised and the other side not acknowledged */
uint32_t het_channels_raised(const HetCoupleState *c);
/* This side has seen these vectors; whoever sent them as channels is told */
void het_channels_acknowledge(HetCoupleState *c, uint32_t vectors);
/* Both sides begin anew, because one of them was reset */
void het_channels_clear(HetCoupleState *c);

/* --- het-couple.c: states --- */

/*
 * Writes this side's state, and het_resource_table(), into every couple and
 * wakes the peers
 */
void het_couples_publish_state(HetState state);

/* Requests of the master guest, kept with the couple */
HetRequestResult het_couple_request(const HetCoupleState *c);
void het_couple_request_boot(HetCoupleState *c, uint64_t entry,
                             uint64_t argument, uint64_t resource_table,
                             HetBootProtocol protocol);
void het_couple_request_stop(HetCoupleState *c);
/* Emits the events of those that have no answer yet once more */
void het_couples_repeat_requests(void);
bool het_couple_request_complete(uint32_t id, HetRequestResult result,
                                 Error **errp);

#endif
