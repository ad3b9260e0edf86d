/*
 * HMP commands of heterogeneous platforms
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-het.h"

static void print_memory(Monitor *mon, const HetMemoryInfo *m)
{
    monitor_printf(mon, "memory '%s': %" PRIu64 " bytes, %s", m->id, m->size,
                   !m->granted ? "not granted" :
                   m->visible ? "visible to the guest" : "hidden");
    if (m->readonly) {
        monitor_printf(mon, ", read-only");
    }
    if (m->granted && m->has_page_size) {
        monitor_printf(mon, ", pages of %" PRIu64 " bytes", m->page_size);
    }
    if (m->has_bus_address) {
        monitor_printf(mon, ", also at 0x%016" PRIx64, m->bus_address);
    }
    monitor_printf(mon, "\n");
}

static void print_couple(Monitor *mon, const HetCoupleInfo *c)
{
    monitor_printf(mon, "couple %" PRIu32 ": peer %s, %" PRIu64 " sent,"
                   " %" PRIu64 " received, %" PRIu64 " coalesced%s%s\n",
                   c->id, HetState_str(c->peer_state), c->sent, c->received,
                   c->coalesced, c->direct ? ", direct" : "",
                   c->watched ? ", watched" : "");
    monitor_printf(mon, "  doorbells by %s%s\n",
                   HetDoorbell_str(c->doorbell),
                   c->ioeventfd ? ", kicks by ioeventfd" : "");
    if (c->window) {
        monitor_printf(mon, "  window 0x%016" PRIx64 ", %" PRIu64 " bytes\n",
                       c->window->address, c->window->size);
    }
    if (c->has_request) {
        monitor_printf(mon, "  last request: %s\n",
                       HetRequestResult_str(c->request));
    }
    if (c->has_peer_resource_table) {
        monitor_printf(mon, "  resource table 0x%016" PRIx64 "\n",
                       c->peer_resource_table);
    }
}

void hmp_info_het(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;
    g_autoptr(HetInfo) info = qmp_query_het(&err);

    if (hmp_handle_error(mon, err)) {
        return;
    }
    monitor_printf(mon, "role: %s\n", HetRole_str(info->role));
    if (info->role == HET_ROLE_NONE) {
        return;
    }
    if (info->has_id) {
        monitor_printf(mon, "number: %" PRIu32 "\n", info->id);
    }
    monitor_printf(mon, "state: %s (%s)\n", HetState_str(info->state),
                   HetStateReason_str(info->reason));
    if (info->role == HET_ROLE_SLAVE) {
        monitor_printf(mon, "boots: %" PRIu64 "\n", info->boots);
    }
    if (info->has_resource_table) {
        monitor_printf(mon, "resource table: 0x%016" PRIx64 "\n",
                       info->resource_table);
    }
    for (HetMemoryInfoList *m = info->memory; m; m = m->next) {
        print_memory(mon, m->value);
    }
    for (HetCoupleInfoList *c = info->couples; c; c = c->next) {
        print_couple(mon, c->value);
    }
}
