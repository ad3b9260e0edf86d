/*
 * Couples: the channel of the master and one slave
 *
 * A couple is a control page that both processes map and an eventfd for
 * each direction. Vectors travel as bits of a word in the page; the
 * eventfd is written only by who finds the word empty. The QMP commands
 * attach and detach couples, the IDM is their client.
 *
 * The page is written by another process, which may be broken or taken
 * over: each word is read once, checked, and never used as an index or a
 * size. What the other side can do to us by it is to send vectors, to change
 * its state, and to miss its own interrupts. Both come no faster to QMP than
 * events may; het-eventfd.c is about the eventfds.
 *
 * Ordering. The sender's fetch_or, which finds the word empty, comes
 * before its write to the eventfd; the receiver empties the eventfd
 * before it takes the word with an exchange. A bit that is set after the
 * exchange finds the word empty and thus writes the eventfd again; a bit
 * that was set before is part of what the exchange returns. Either way it
 * is seen. A state is stored before the eventfd is written, always, and
 * loaded after it was read; what goes with it, the address of a resource
 * table, is stored before the state and loaded after it.
 *
 * A couple with halt eventfds does not wait in the main loop but in a
 * thread (het-rx.c), and a halted vCPU waits for it itself (het-halt.c).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sched.h>
#include <sys/mman.h>
#include "qemu/atomic.h"
#include "qemu/bitmap.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/notify.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "qapi/qapi-events-het.h"
#include "monitor/monitor.h"
#include "system/system.h"
#include "het-couple-internal.h"
#include "het-eventfd.h"
#include "het-halt.h"
#include "trace.h"

#define HET_PAGE_SEALS  (F_SEAL_SHRINK | F_SEAL_GROW)

/* A vCPU that runs is given so long until it waits */
#define HET_PATIENCE_NS         10000
/* So many doorbells are not held back after one that was in vain */
#define HET_IMPATIENT           64
#define HET_IMPATIENT_CROWDED   1024

/* The events come at most this often for each couple */
#define HET_IPI_INTERVAL_MS 1000
#define HET_STATE_INTERVAL_MS 100

static HetCoupleState *couples[HET_ID_MAX + 1];
static DECLARE_BITMAP(attached, HET_ID_MAX + 1);    /* those not NULL */
static const HetCoupleClient *couple_client;
static Notifier exit_notifier;

/* --- telling the client --- */

static void het_couple_changed(uint32_t id)
{
    if (couple_client) {
        couple_client->changed(couple_client->opaque, id);
    }
}

void het_couple_request_completed(uint32_t id)
{
    if (couple_client) {
        couple_client->request_completed(couple_client->opaque, id);
    }
}

void het_couple_acknowledged(uint32_t id)
{
    if (couple_client) {
        couple_client->acknowledged(couple_client->opaque, id);
    }
}

bool het_couple_has_client(void)
{
    return couple_client;
}

/* --- looking up --- */

HetCoupleState *het_couple_find(uint32_t id)
{
    return id <= HET_ID_MAX ? couples[id] : NULL;
}

HetCoupleState *het_couple_next(HetCoupleState *prev)
{
    unsigned long id = find_next_bit(attached, HET_ID_MAX + 1,
                                     prev ? prev->id + 1 : 0);

    return het_couple_find(id);
}

unsigned het_couple_count(void)
{
    return bitmap_count_one(attached, HET_ID_MAX + 1);
}

uint32_t het_couple_id(const HetCoupleState *c)
{
    return c->id;
}

uint32_t het_couple_self(void)
{
    switch (het_role()) {
    case HET_ROLE_MASTER:
        return 0;
    case HET_ROLE_SLAVE:
        return couples[0] ? couples[0]->slave_id : UINT32_MAX;
    default:
        return UINT32_MAX;
    }
}

HetState het_couple_peer_state(const HetCoupleState *c)
{
    return c->peer_state;
}

uint64_t het_couple_peer_resource_table(const HetCoupleState *c)
{
    return c->peer_resource_table;
}

void het_heartbeat(void)
{
    HetCoupleState *c = couples[0];

    if (c) {
        qatomic_set_u64(&c->local->heartbeat_ns,
                        qemu_clock_get_ns(QEMU_CLOCK_REALTIME));
    }
}

uint32_t het_heartbeat_ms(void)
{
    return couples[0] ? qatomic_read(&couples[0]->page->heartbeat_ms) : 0;
}

/* --- receiving --- */

static void het_couple_report(void *opaque)
{
    HetCoupleState *c = opaque;

    if (c->watched && c->unreported) {
        qapi_event_send_het_ipi(c->id, c->unreported);
        c->unreported = 0;
        timer_mod(c->report_timer,
                  qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
                  HET_IPI_INTERVAL_MS);
    }
}

static void het_couple_take_vectors(HetCoupleState *c)
{
    uint32_t vectors = qatomic_xchg(&c->local->pending, 0);

    if (!vectors) {
        return;
    }
    c->received += ctpop32(vectors);
    qatomic_set_u64(&c->local->received, c->received);
    trace_het_couple_received(c->id, vectors);

    if (couple_client) {
        couple_client->received(couple_client->opaque, c->id, vectors);
    }
    if (c->watched) {
        c->unreported |= vectors;
        if (!timer_pending(c->report_timer)) {
            het_couple_report(c);
        }
    }
}

static void het_couple_report_state(void *opaque)
{
    HetCoupleState *c = opaque;

    if (het_role() != HET_ROLE_MASTER || c->peer_state == c->reported_state) {
        return;
    }
    c->reported_state = c->peer_state;
    qapi_event_send_het_slave_state(true, c->id, c->peer_state,
                                    HET_STATE_REASON_NONE);
    timer_mod(c->state_timer,
              qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + HET_STATE_INTERVAL_MS);
}

static HetState het_couple_load_peer_state(HetCoupleState *c)
{
    uint32_t state = qatomic_read(&c->peer->state);

    if (state < HET_STATE__MAX) {
        return state;
    }
    if (!c->peer_state_bad) {
        c->peer_state_bad = true;
        warn_report("couple %u: the other side is in the unknown state %u,"
                    " taken as offline", c->id, state);
    }
    return HET_STATE_OFFLINE;
}

/* Whatever is in the page: one that is not booted has no resource table */
static uint64_t het_couple_load_peer_resource_table(HetCoupleState *c,
                                                    HetState state)
{
    /* After the load of the state: see het_couple_publish_state() */
    smp_rmb();
    switch (state) {
    case HET_STATE_RUNNING:
    case HET_STATE_PAUSED:
    case HET_STATE_CRASHED:
        return qatomic_read_u64(&c->peer->resource_table);
    default:
        return 0;
    }
}

void het_couple_take_state(HetCoupleState *c)
{
    HetState state = het_couple_load_peer_state(c);
    uint64_t table = het_couple_load_peer_resource_table(c, state);

    if (c->peer_gone) {
        return;
    }
    if (state == c->peer_state && table == c->peer_resource_table) {
        return;
    }
    trace_het_couple_peer_state(c->id, HetState_str(c->peer_state),
                                HetState_str(state));
    c->peer_state = state;
    c->peer_resource_table = table;
    if (!timer_pending(c->state_timer)) {
        het_couple_report_state(c);
    }
    het_couple_changed(c->id);
}

void het_couple_take(HetCoupleState *c)
{
    het_eventfd_clear(c->rx);
    het_couple_take_state(c);
    het_channels_take(c);
    het_couple_take_vectors(c);
}

void het_couple_drain(HetCoupleState *c)
{
    uint32_t vectors = qatomic_xchg(&c->local->pending, 0);

    if (vectors) {
        trace_het_couple_drained(c->id, vectors);
    }
    het_channels_clear(c);
}

/* --- who shows them to the guest --- */

static void het_couples_take_vectors(void)
{
    HetCoupleState *c;

    for (c = het_couple_next(NULL); c; c = het_couple_next(c)) {
        if (het_couple_is_direct(c)) {
            het_couple_take_vectors(c);
        }
    }
}

bool het_couple_set_client(const HetCoupleClient *client, Error **errp)
{
    HetHaltConfig config = {
        .max_ns = client->halt_poll_max_ns,
        .fixed = client->halt_poll_fixed,
        .woken = het_couples_take_vectors,
    };

    if (couple_client) {
        error_setg(errp, "this machine has a device for IPIs already");
        return false;
    }
    if (!het_halt_init(&config, errp)) {
        return false;
    }
    couple_client = client;
    return true;
}

void het_couple_set_cpu(CPUState *cpu)
{
    het_halt_set_cpu(cpu);
}

void het_couple_unset_client(void)
{
    couple_client = NULL;
}

/* --- sending --- */

/*
 * The next vector often comes when the vCPU at the other side has handled the
 * last one and is about to wait again, or was about to when we were woken
 * and took its processor. The doorbell would wake one more thread there, and
 * costs much more than the moment until that vCPU looks. So it is given that
 * moment. Where it was in vain, since the vCPU goes on with something else or
 * others want the processor, the next doorbells are rung at once.
 */
static uint32_t het_couple_peer_wait(HetCoupleState *c)
{
    uint32_t wait = qatomic_read(&c->peer->wait);
    int64_t start, took;

    if (wait != HET_WAIT_EVENTFD) {
        return wait;
    }
    if (c->impatient) {
        c->impatient--;
        return wait;
    }
    start = get_clock();
    do {
        sched_yield();
        took = get_clock() - start;
        wait = qatomic_read(&c->peer->wait);
        if (wait == HET_WAIT_EVENTFD && !qatomic_read(&c->peer->pending)) {
            wait = HET_WAIT_POLL;
        }
    } while (wait == HET_WAIT_EVENTFD && took < HET_PATIENCE_NS);

    if (took > HET_CROWDED_NS) {
        c->impatient = HET_IMPATIENT_CROWDED;
    } else if (wait == HET_WAIT_EVENTFD) {
        c->impatient = HET_IMPATIENT;
    }
    return wait;
}

/*
 * The word was empty. Both sides have halt eventfds or neither has: without
 * them what `wait` says is not for us.
 */
static void het_couple_wake_peer(HetCoupleState *c)
{
    uint32_t wait;

    if (!het_couple_is_direct(c)) {
        het_eventfd_signal(c->tx);
        return;
    }
    /* Between the fetch_or and this load: see het-halt.c */
    smp_mb__after_rmw();
    wait = het_couple_peer_wait(c);
    if (wait == HET_WAIT_HALT) {
        het_eventfd_signal(c->tx_halt);
    } else if (wait != HET_WAIT_POLL) {
        het_eventfd_signal(c->tx);
    }
}

void het_couple_send(HetCoupleState *c, unsigned vector)
{
    uint32_t bit = 1u << vector;
    uint32_t old = qatomic_fetch_or(&c->peer->pending, bit);

    c->sent++;
    if (old & bit) {
        c->coalesced++;
        qatomic_set_u64(&c->local->coalesced, c->coalesced);
    }
    qatomic_set_u64(&c->local->sent, c->sent);
    qatomic_set_u64(&c->local->last_sent_ns,
                    qemu_clock_get_ns(QEMU_CLOCK_REALTIME));
    trace_het_couple_send(c->id, vector, old);
    if (!old) {
        het_couple_wake_peer(c);
    }
}

void het_couple_kick(HetCoupleState *c)
{
    /* What the guest has put there is there; wake_peer() is for after an RMW */
    smp_mb();
    het_couple_wake_peer(c);
}

void het_couple_set_kick(HetCoupleState *c, bool by_kernel)
{
    c->kernel_kicks = by_kernel;
}

static void het_couple_publish_state(HetCoupleState *c, HetState state)
{
    qatomic_set_u64(&c->local->resource_table,
                    state == HET_STATE_OFFLINE ? 0 : het_resource_table());
    if (state < HET_STATE_RUNNING) {
        qatomic_set_u64(&c->local->heartbeat_ns, 0);
    }
    /* Who sees a booted state finds its resource table */
    smp_wmb();
    qatomic_set_mb(&c->local->state, state);
    het_eventfd_signal(c->tx);
}

void het_couples_publish_state(HetState state)
{
    HetCoupleState *c;

    for (c = het_couple_next(NULL); c; c = het_couple_next(c)) {
        het_couple_publish_state(c, state);
    }
}

/* Whoever ends us, the other sides are told at once */
static void het_couples_exit(Notifier *notifier, void *data)
{
    het_couples_publish_state(HET_STATE_OFFLINE);
}

/* --- attaching --- */

static void het_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void het_couple_close_fds(HetCoupleFds *fds)
{
    het_close(&fds->page);
    het_close(&fds->rx);
    het_close(&fds->tx);
    het_close(&fds->rx_halt);
    het_close(&fds->tx_halt);
}

static void het_couple_free(HetCoupleState *c)
{
    timer_free(c->report_timer);
    timer_free(c->state_timer);
    if (c->page) {
        munmap(c->page, HET_PAGE_SIZE);
    }
    het_close(&c->page_fd);
    het_close(&c->rx);
    het_close(&c->tx);
    het_close(&c->rx_halt);
    het_close(&c->tx_halt);
    g_free(c);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HetCoupleState, het_couple_free)

static bool het_couple_map_page(HetCoupleState *c, Error **errp)
{
    uint32_t magic, version, id;
    struct stat st;
    void *page;
    int seals;

    seals = fcntl(c->page_fd, F_GET_SEALS);
    if (seals < 0 || (seals & HET_PAGE_SEALS) != HET_PAGE_SEALS) {
        error_setg(errp, "the control page must be a memfd with the seals"
                   " F_SEAL_SHRINK and F_SEAL_GROW");
        return false;
    }
    if (fstat(c->page_fd, &st) < 0) {
        error_setg_errno(errp, errno, "cannot examine the control page");
        return false;
    }
    if (st.st_size != HET_PAGE_SIZE) {
        error_setg(errp, "the control page has %" PRId64 " bytes, not %d",
                   (int64_t)st.st_size, HET_PAGE_SIZE);
        return false;
    }

    page = mmap(NULL, HET_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
                c->page_fd, 0);
    if (page == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot map the control page");
        return false;
    }
    c->page = page;

    magic = qatomic_read(&c->page->magic);
    version = qatomic_read(&c->page->version);
    id = qatomic_read(&c->page->id);
    if (magic != HET_PAGE_MAGIC) {
        error_setg(errp, "the control page has no magic number");
        return false;
    }
    if (version != HET_PAGE_VERSION) {
        error_setg(errp, "the control page has version %u, not %u",
                   version, HET_PAGE_VERSION);
        return false;
    }
    if (id != c->slave_id) {
        error_setg(errp, "the control page is that of slave %u, not of %u",
                   id, c->slave_id);
        return false;
    }
    return true;
}

/* The page may have been used before: by a process of ours that died */
static void het_couple_reset_side(HetCoupleState *c)
{
    qatomic_set(&c->local->wait, HET_WAIT_EVENTFD);
    qatomic_xchg(&c->local->pending, 0);
    qatomic_xchg(&c->local->channels, 0);
    qatomic_xchg(&c->peer->channels, 0);
    qatomic_set_u64(&c->local->sent, 0);
    qatomic_set_u64(&c->local->received, 0);
    qatomic_set_u64(&c->local->coalesced, 0);
    qatomic_set_u64(&c->local->last_sent_ns, 0);
    qatomic_set_u64(&c->local->heartbeat_ns, 0);
}

bool het_couple_attach(uint32_t slave_id, HetCoupleFds *fds, Error **errp)
{
    g_autoptr(HetCoupleState) c = g_new0(HetCoupleState, 1);
    bool slave = het_role() == HET_ROLE_SLAVE;

    c->slave_id = slave_id;
    c->id = slave ? 0 : slave_id;
    c->page_fd = fds->page;
    c->rx = fds->rx;
    c->tx = fds->tx;
    c->rx_halt = fds->rx_halt;
    c->tx_halt = fds->tx_halt;
    *fds = HET_COUPLE_FDS_NONE;
    assert(!het_couple_find(c->id));

    if (!het_couple_map_page(c, errp)) {
        return false;
    }
    c->local = slave ? &c->page->slave : &c->page->master;
    c->peer = slave ? &c->page->master : &c->page->slave;
    c->report_timer = timer_new_ms(QEMU_CLOCK_REALTIME, het_couple_report, c);
    c->state_timer = timer_new_ms(QEMU_CLOCK_REALTIME,
                                  het_couple_report_state, c);
    het_couple_reset_side(c);
    c->peer_state = c->reported_state = het_couple_load_peer_state(c);
    c->peer_resource_table =
        het_couple_load_peer_resource_table(c, c->peer_state);
    if (!het_couple_listen(c, errp)) {
        return false;
    }

    if (!exit_notifier.notify) {
        exit_notifier.notify = het_couples_exit;
        qemu_add_exit_notifier(&exit_notifier);
    }
    couples[c->id] = c;
    set_bit(c->id, attached);
    trace_het_couple_attach(c->id, slave_id, HetState_str(c->peer_state));
    qapi_event_send_het_slave_attached(slave_id);
    het_couple_publish_state(c, het_state());
    het_couple_changed(g_steal_pointer(&c)->id);
    return true;
}

void het_couple_detach(uint32_t id)
{
    g_autoptr(HetCoupleState) c = het_couple_find(id);

    couples[id] = NULL;
    clear_bit(id, attached);
    het_couple_ignore(c);
    het_couple_publish_state(c, HET_STATE_OFFLINE);
    trace_het_couple_detach(id, c->slave_id);
    qapi_event_send_het_slave_detached(c->slave_id);
    het_couple_changed(id);
    if (c->broker) {
        c->broker->detached(c->broker_opaque);
    }
}
