/*
 * Heterogeneous platforms: what the parts in QEMU know of each other
 *
 * hw/core/het.c         role and state of this process, boot and stop
 * hw/core/het-qmp.c     QMP commands
 * hw/core/het-attach.c  attaching slaves and masters, whoever asks for it
 * hw/core/het-fd.c      checks of file descriptors
 * hw/core/het-boot.c    choice of the boot operations for a CPU
 * hw/core/het-couple.c  couples: control pages, eventfds, sending, receiving
 * hw/core/het-channel.c  vectors whose sender waits for the acknowledgement
 * hw/core/het-listen.c  who waits for the couples' doorbells
 * hw/core/het-window.c  windows that lie over the master's memory
 * hw/core/het-region.c  what lies where memory is to be laid
 * backends/hostmem-shared.c  memory that comes later
 * backends/multi-socket*.c   all of this without a broker, over a socket
 * hw/misc/idm.c         the guest's view of the couples
 * hw/<arch>/het-boot.c  how a CPU of that architecture is booted
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_HET_H
#define HW_HET_H

#include "qapi/qapi-types-het.h"
#include "qapi/qapi-types-run-state.h"
#include "hw/core/cpu.h"
#include "hw/misc/het-page.h"
#include "system/hostmem-shared.h"

/* --- het.c: role and state --- */

/*
 * Called for -machine slave=on and -incoming shared:ID, before the machine is
 * made.
 * memory_id: the object that must be there, NULL: any
 */
void het_set_slave(const char *memory_id);
HetRole het_role(void);
HetState het_state(void);
/*
 * Makes a process that is no part of a platform its master; false with errp
 * on a slave
 */
bool het_become_master(Error **errp);
/*
 * Whether memory is shared with other processes: then TCG must use atomics
 * even for one vCPU
 */
bool het_shares_memory(void);
/*
 * As long as a master has slaves it cannot be migrated or saved; false with
 * errp if it must be migratable
 */
bool het_block_migration(Error **errp);
void het_unblock_migration(void);
/* Says why memory must not be loaded into this process; false if it may */
bool het_refuses_incoming(Error **errp);

/* Called by runstate.c when it begins a reset, so that its cause is known */
void het_note_reset(ShutdownCause cause);
/*
 * Called where a guest can bring its CPU into a state that is not emulated.
 * On a slave this counts as a panic of the guest and returns true: the CPU
 * must not go on. Else false.
 */
bool het_guest_lockup(CPUState *cs);

/* --- het.c: memory and booting, for whoever brings a slave up --- */

bool het_memory_grant(HostMemoryBackendShared *s, int fd, uint64_t offset,
                      size_t page_size, bool readonly,
                      const uint64_t *bus_address, Error **errp);
bool het_memory_revoke(HostMemoryBackendShared *s, Error **errp);
/* resource_table: what the slave publishes while it is booted, 0: nothing */
bool het_boot(HetBootProtocol protocol, uint64_t entry, uint64_t argument,
              uint64_t resource_table, Error **errp);
bool het_stop(Error **errp);
HetStateReason het_reason(void);
uint64_t het_boots(void);
/* What a booted slave publishes of its resource table; else 0 */
uint64_t het_resource_table(void);
/* The slave's guest says it; ignored while it is not booted */
void het_set_resource_table(uint64_t address);
/* Stops a slave that runs as it is: crashed, with the reason watchdog */
bool het_fail(Error **errp);

/* --- het-boot.c: how a CPU is booted --- */

typedef struct HetBootInfo {
    HetBootProtocol protocol;   /* never auto */
    uint64_t entry;
    uint64_t argument;
} HetBootInfo;

typedef struct HetBootOps {
    /* What auto means for this CPU */
    HetBootProtocol (*default_protocol)(CPUState *cs);
    /*
     * Resets the CPU and sets it up as info says; it is started by the
     * caller's vm_start()
     */
    bool (*boot)(CPUState *cs, const HetBootInfo *info, Error **errp);
} HetBootOps;

/*
 * By type_init of an architecture's file; the CPU's class must descend from
 * cpu_type
 */
void het_register_boot_ops(const char *cpu_type, const HetBootOps *ops);
/* Whether the CPU can fetch from memory at address */
bool het_is_visible_memory(CPUState *cs, uint64_t address);
/* Resolves auto, checks the entry address and calls the CPU's boot operation */
bool het_boot_cpu(CPUState *cs, HetBootInfo *info, Error **errp);

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

/* --- het-window.c --- */

typedef struct HetWindowPlace {
    uint64_t address;
    uint64_t size;
    uint64_t offset;            /* in its file */
    size_t page_size;
    int fd;                     /* -1: the master's own memory is there */
} HetWindowPlace;

/* Takes the fd, also when it fails */
bool het_window_map(uint32_t slave_id, const HetWindowPlace *place,
                    Error **errp);
/* No-op where there is none. On return the mapping and the fd are gone. */
void het_window_unmap(uint32_t slave_id);
/* NULL: none */
HetWindowInfo *het_window_query(uint32_t slave_id);
/* The file of its memory, borrowed; -1 if there is none */
int het_window_fd(uint32_t slave_id, uint64_t *offset);
/* false: none */
bool het_window_get(uint32_t slave_id, uint64_t *address, uint64_t *size);

/*
 * The highest place in base..end for a window of that size and alignment, none
 * of whose bytes is in a window; false if there is none
 */
bool het_window_find_place(uint64_t base, uint64_t end, uint64_t size,
                           uint64_t align, uint64_t *address);

/* --- het-attach.c --- */

/* Says why slave id cannot be attached to this process; true if it can */
bool het_may_attach_slave(uint32_t id, Error **errp);
bool het_may_attach_master(uint32_t id, Error **errp);
/* These take all fds, also when they fail. window NULL: none */
bool het_slave_attach(uint32_t id, HetCoupleFds *fds,
                      const HetWindowPlace *window, Error **errp);
bool het_master_attach(uint32_t id, HetCoupleFds *fds, Error **errp);
/* These drop the BQL for a moment */
bool het_slave_detach(uint32_t id, Error **errp);
bool het_master_detach(Error **errp);

/* --- het-region.c --- */

/*
 * Whether address..address+size, which must not wrap, holds nothing that
 * would be missed; false with errp, where what names what goes there.
 * over_ram: the machine's memory may be there
 */
bool het_check_place(const char *what, uint64_t address, uint64_t size,
                     bool over_ram, Error **errp);

/* --- checks that all takers of an fd share (het-fd.c) --- */

/*
 * Checks that it is memory that its owner cannot pull away under us (a memfd
 * sealed against shrinking and growing, or a file on tmpfs or hugetlbfs, where
 * there are no seals and whoever hands it out vouches for it), open for reading
 * only or for both, and that offset..offset+size lies in it, page-aligned.
 * size 0: not checked.
 * name: what the user knows it by
 */
bool het_check_memory_fd(int fd, const char *name, uint64_t offset,
                         uint64_t size, bool readonly, size_t *page_size,
                         Error **errp);
/* The same for an eventfd, which is set up for use */
bool het_check_eventfd(int fd, const char *name, Error **errp);
/*
 * The same with the fd that getfd stored under name. Return -1 with errp; the
 * fd is then closed.
 */
int het_take_memory_fd(const char *name, uint64_t offset, uint64_t size,
                       bool readonly, size_t *page_size, Error **errp);
int het_take_eventfd(const char *name, Error **errp);
/*
 * Closes the fd that getfd stored under name, if there is one: for commands
 * that fail before they take it
 */
void het_forget_fd(const char *name);

#endif
