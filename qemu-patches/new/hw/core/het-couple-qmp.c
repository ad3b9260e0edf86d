/*
 * Couples: what QMP asks about them, and the requests of the master guest
 *
 * Called by het-qmp.c and by the IDM.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qapi/error.h"
#include "qapi/qapi-events-het.h"
#include "hw/het-window.h"
#include "het-couple-internal.h"
#include "trace.h"

HetCoupleInfo *het_couple_query(const HetCoupleState *c)
{
    HetCoupleInfo *info = g_new0(HetCoupleInfo, 1);

    info->id = c->id;
    info->peer_state = c->peer_state;
    info->has_peer_resource_table = c->peer_resource_table != 0;
    info->peer_resource_table = c->peer_resource_table;
    info->sent = c->sent;
    info->received = c->received;
    info->coalesced = c->coalesced;
    info->direct = het_couple_is_direct(c) && het_couple_has_client();
    info->doorbell = het_couple_doorbell(c);
    info->ioeventfd = c->kernel_kicks;
    info->watched = c->watched;
    if (het_role() == HET_ROLE_MASTER) {
        info->has_request = true;
        info->request = c->request;
        info->window = het_window_query(c->slave_id);
    }
    return info;
}

bool het_couple_watch(uint32_t id, bool enable, Error **errp)
{
    HetCoupleState *c = het_couple_find(id);

    if (!c) {
        error_setg(errp, "there is no couple with %u", id);
        return false;
    }
    c->watched = enable;
    c->unreported = 0;
    timer_del(c->report_timer);
    return true;
}

/* --- back to who manages the platform --- */

size_t het_couple_fds(const HetCoupleState *c, int fds[HET_COUPLE_FDS_MAX])
{
    size_t n = 0;

    fds[n++] = c->page_fd;
    fds[n++] = c->rx;
    fds[n++] = c->tx;
    if (het_couple_is_direct(c)) {
        fds[n++] = c->rx_halt;
        fds[n++] = c->tx_halt;
    }
    return n;
}

/* --- requests of the master guest --- */

void het_couple_set_broker(HetCoupleState *c, const HetCoupleBroker *ops,
                           void *opaque)
{
    c->broker = ops;
    c->broker_opaque = opaque;
}

HetRequestResult het_couple_request(const HetCoupleState *c)
{
    return c->request;
}

static void het_couple_tell_request(const HetCoupleState *c)
{
    const HetCoupleRequest *asked = &c->asked;

    if (asked->boot) {
        qapi_event_send_het_boot_request(c->id, asked->entry, asked->argument,
                                         asked->resource_table,
                                         asked->protocol);
    } else {
        qapi_event_send_het_stop_request(c->id);
    }
}

void het_couple_request_boot(HetCoupleState *c, uint64_t entry,
                             uint64_t argument, uint64_t resource_table,
                             HetBootProtocol protocol)
{
    c->request = HET_REQUEST_RESULT_PENDING;
    c->asked = (HetCoupleRequest) {
        .boot = true,
        .entry = entry,
        .argument = argument,
        .resource_table = resource_table,
        .protocol = protocol,
    };
    trace_het_couple_request_boot(c->id, entry, argument,
                                  HetBootProtocol_str(protocol));
    het_couple_tell_request(c);
    if (c->broker) {
        c->broker->boot(c->broker_opaque, entry, argument, resource_table,
                        protocol);
    }
}

void het_couple_request_stop(HetCoupleState *c)
{
    c->request = HET_REQUEST_RESULT_PENDING;
    c->asked = (HetCoupleRequest) { .boot = false };
    trace_het_couple_request_stop(c->id);
    het_couple_tell_request(c);
    if (c->broker) {
        c->broker->stop(c->broker_opaque);
    }
}

void het_couples_repeat_requests(void)
{
    HetCoupleState *c;

    for (c = het_couple_next(NULL); c; c = het_couple_next(c)) {
        if (c->request == HET_REQUEST_RESULT_PENDING) {
            het_couple_tell_request(c);
        }
    }
}

bool het_couple_request_complete(uint32_t id, HetRequestResult result,
                                 Error **errp)
{
    HetCoupleState *c = het_couple_find(id);

    if (!c || het_role() != HET_ROLE_MASTER) {
        error_setg(errp, "no slave %u is attached", id);
        return false;
    }
    if (result == HET_REQUEST_RESULT_NONE ||
        result == HET_REQUEST_RESULT_PENDING) {
        error_setg(errp, "'%s' is no result of a request",
                   HetRequestResult_str(result));
        return false;
    }
    if (c->request != HET_REQUEST_RESULT_PENDING) {
        error_setg(errp, "slave %u has no pending request", id);
        return false;
    }
    /* The guest shall not see the answer before what it is about */
    het_couple_take_state(c);
    c->request = result;
    trace_het_couple_request_complete(id, HetRequestResult_str(result));
    het_couple_request_completed(id);
    return true;
}

void het_couple_peer_gone(HetCoupleState *c)
{
    if (qatomic_read(&c->peer->state) != HET_STATE_OFFLINE) {
        qatomic_set_mb(&c->peer->state, HET_STATE_CRASHED);
    }
    /* It watches nothing any more */
    qatomic_set(&c->peer->wait, HET_WAIT_EVENTFD);
    het_couple_take_state(c);
    c->peer_gone = true;
    if (c->request == HET_REQUEST_RESULT_PENDING) {
        het_couple_request_complete(c->id, HET_REQUEST_RESULT_FAILED, NULL);
    }
}
