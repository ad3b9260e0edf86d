/*
 * Couples: what QMP asks about them, and the requests of the master guest
 *
 * Called by het-qmp.c and by the IDM.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-events-het.h"
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

/* --- requests of the master guest --- */

HetRequestResult het_couple_request(const HetCoupleState *c)
{
    return c->request;
}

void het_couple_request_boot(HetCoupleState *c, uint64_t entry,
                             uint64_t argument, uint64_t resource_table,
                             HetBootProtocol protocol)
{
    c->request = HET_REQUEST_RESULT_PENDING;
    trace_het_couple_request_boot(c->id, entry, argument,
                                  HetBootProtocol_str(protocol));
    qapi_event_send_het_boot_request(c->id, entry, argument, resource_table,
                                     protocol);
}

void het_couple_request_stop(HetCoupleState *c)
{
    c->request = HET_REQUEST_RESULT_PENDING;
    trace_het_couple_request_stop(c->id);
    qapi_event_send_het_stop_request(c->id);
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
