/*
 * IDM: inter-processor interrupt distribution module
 *
 * The state that the guest sees and the interrupt line. Made and reset by
 * the devices (idm-sysbus.c, idm-flat.c), asked by the register file
 * (idm-mmio.c) and by views, told by hw/core/het-couple.c what arrives.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/misc/idm.h"
#include "trace.h"

/* A machine has one at most */
static IDMState *idm_device;

/* The memory that the guest works in is shared with processes that go on */
const VMStateDescription vmstate_idm = {
    .name = "idm_ipi",
    .unmigratable = 1,
};

bool idm_is_master(void)
{
    return het_role() != HET_ROLE_SLAVE;
}

bool idm_couple_valid(uint32_t id)
{
    return id <= HET_ID_MAX && (id != 0) == idm_is_master();
}

/* --- the interrupt line --- */

uint32_t idm_irq_status(const IDMState *s)
{
    uint32_t vectors = 0, events = 0;

    for (int i = 0; i < IDM_SUMMARY_COUNT; i++) {
        vectors |= s->vector_summary[i];
        events |= s->event_summary[i];
    }
    return (vectors ? IDM_IRQ_VECTOR : 0) | (events ? IDM_IRQ_EVENT : 0);
}

void idm_update_irq(IDMState *s)
{
    bool level = (s->ctrl & IDM_CTRL_IRQ_ENABLE) && idm_irq_status(s);

    trace_idm_irq(level);
    qemu_set_irq(s->irq, level);
}

void idm_update_couple(IDMState *s, uint32_t id)
{
    const IDMCouple *c = &s->couple[id];
    unsigned word = id / 32, bit = id % 32;

    s->vector_summary[word] = deposit32(s->vector_summary[word], bit, 1,
                                        (c->pending & c->enable) != 0);
    s->event_summary[word] = deposit32(s->event_summary[word], bit, 1,
                                       (c->event & c->event_enable) != 0);
    idm_update_irq(s);
}

/* --- what the couples tell --- */

/*
 * Vectors that nothing tells the guest of, so that it will not acknowledge
 * them: it polls its memory instead, is not up yet, or has no use for them.
 * A guest that masks one until it has handled it is not meant: that one has
 * come before.
 */
static uint32_t idm_unheard(const IDMState *s, uint32_t id)
{
    const IDMView *view = s->view[id];
    uint32_t heard;

    switch (s->auto_ack) {
    case ON_OFF_AUTO_ON:
        return UINT32_MAX;
    case ON_OFF_AUTO_OFF:
        return 0;
    default:
        heard = s->ctrl & IDM_CTRL_IRQ_ENABLE ? s->couple[id].enable : 0;
        return ~(heard | (view ? view->ops->heard(view) : 0));
    }
}

static void idm_received(void *opaque, uint32_t id, uint32_t vectors)
{
    IDMState *s = opaque;
    IDMView *view = s->view[id];
    uint32_t repeated = s->couple[id].pending & vectors;

    s->couple[id].pending |= vectors;
    idm_update_couple(s, id);
    if (view) {
        view->ops->received(view, repeated);
    }
    /* They stay pending: a sender that waits goes on, that is all */
    het_channels_acknowledge(het_couple_find(id),
                             vectors & idm_unheard(s, id));
}

static void idm_acknowledged(void *opaque, uint32_t id)
{
    IDMState *s = opaque;
    IDMView *view = s->view[id];

    if (view) {
        view->ops->acknowledged(view);
    }
}

static void idm_raise_event(IDMState *s, uint32_t id, uint32_t event)
{
    trace_idm_event(id, event);
    s->couple[id].event |= event;
    idm_update_couple(s, id);
}

static void idm_changed(void *opaque, uint32_t id)
{
    IDMState *s = opaque;

    if (s->changed) {
        s->changed(s, id);
    }
    if (!het_couple_find(id)) {
        /* What has arrived belongs to the couple that is gone */
        s->couple[id].pending = 0;
    }
    idm_raise_event(s, id, IDM_EVENT_STATE);
    if (s->view[id]) {
        s->view[id]->ops->changed(s->view[id]);
    }
}

static void idm_request_completed(void *opaque, uint32_t id)
{
    IDMState *s = opaque;

    idm_raise_event(s, id, IDM_EVENT_REQUEST);
    if (s->view[id]) {
        s->view[id]->ops->request_completed(s->view[id]);
    }
}

/* --- what the guest asks for --- */

bool idm_ring(IDMState *s, uint32_t id, uint32_t vector)
{
    HetCoupleState *c = het_couple_find(id);

    if (!c || vector >= HET_VECTORS) {
        return false;
    }
    het_couple_send(c, vector);
    return true;
}

bool idm_kick(IDMState *s, uint32_t id)
{
    HetCoupleState *c = het_couple_find(id);

    if (!c || !s->pages) {
        return false;
    }
    het_couple_kick(c);
    return true;
}

void idm_acknowledge(IDMState *s, uint32_t id, uint32_t vectors)
{
    HetCoupleState *c = het_couple_find(id);

    vectors &= s->couple[id].pending;
    s->couple[id].pending &= ~vectors;
    idm_update_couple(s, id);
    if (c) {
        het_channels_acknowledge(c, vectors);
    }
    idm_acknowledged(s, id);
}

/* NULL: none is attached, or its last request has no answer yet */
static HetCoupleState *idm_couple_for_request(uint32_t id)
{
    HetCoupleState *c = idm_is_master() ? het_couple_find(id) : NULL;

    return c && het_couple_request(c) != HET_REQUEST_RESULT_PENDING ? c : NULL;
}

bool idm_start(IDMState *s, uint32_t id, HetBootProtocol protocol)
{
    HetCoupleState *c = idm_couple_for_request(id);

    if (!c) {
        return false;
    }
    het_couple_request_boot(c, s->couple[id].entry, s->couple[id].argument,
                            s->couple[id].resource_table, protocol);
    return true;
}

bool idm_stop(IDMState *s, uint32_t id)
{
    HetCoupleState *c = idm_couple_for_request(id);

    if (!c) {
        return false;
    }
    het_couple_request_stop(c);
    return true;
}

/* --- views --- */

bool idm_add_view(IDMView *view, const IDMViewOps *ops, uint32_t id,
                  Error **errp)
{
    if (!idm_device) {
        error_setg(errp, "there is no IDM: -device idm_ipi or idm_ipi-flat"
                   " comes first");
        return false;
    }
    if (!idm_couple_valid(id)) {
        error_setg(errp, "%s, not with %u", idm_is_master() ?
                   "a master has couples with slaves, which are 1 to 255" :
                   "a slave has a couple with the master, which is 0", id);
        return false;
    }
    if (idm_device->view[id]) {
        error_setg(errp, "the couple with %u has other registers already", id);
        return false;
    }
    view->ops = ops;
    view->idm = idm_device;
    view->id = id;
    idm_device->view[id] = view;
    return true;
}

void idm_remove_view(IDMView *view)
{
    view->idm->view[view->id] = NULL;
}

/* --- the device's life --- */

void idm_reset(IDMState *s)
{
    HetCoupleState *c;

    for (c = het_couple_next(NULL); c; c = het_couple_next(c)) {
        het_couple_drain(c);
    }
    s->ctrl = 0;
    memset(s->couple, 0, sizeof(s->couple));
    memset(s->vector_summary, 0, sizeof(s->vector_summary));
    memset(s->event_summary, 0, sizeof(s->event_summary));
    idm_update_irq(s);
}

bool idm_realize(IDMState *s, Error **errp)
{
    s->client = (HetCoupleClient) {
        .opaque = s,
        .received = idm_received,
        .changed = idm_changed,
        .request_completed = idm_request_completed,
        .acknowledged = idm_acknowledged,
        .halt_poll_max_ns = s->halt_poll_max_ns,
        .halt_poll_fixed = s->halt_poll_fixed,
    };
    if (!idm_check_options(s, errp)) {
        return false;
    }
    /* Not only when the first slave comes: the guest's role shall not change */
    if (het_role() == HET_ROLE_NONE && !het_become_master(errp)) {
        return false;
    }
    if (!het_couple_set_client(&s->client, errp)) {
        return false;
    }
    idm_device = s;
    return true;
}

void idm_unrealize(IDMState *s)
{
    idm_device = NULL;
    het_couple_unset_client();
}

void idm_describe_properties(ObjectClass *oc)
{
    object_class_property_set_description(oc, "memdev",
        "Id of the memory-backend-shared that slaves get (no manager)");
    object_class_property_set_description(oc, "socket",
        "Id of the multi-socket-backend that slaves come by (no manager)");
    object_class_property_set_description(oc, "halt-poll-max-ns",
        "How long a halted vCPU watches for vectors before it sleeps, at most");
    object_class_property_set_description(oc, "halt-poll-fixed",
        "Always watch for all of that time");
    object_class_property_set_description(oc, "auto-ack",
        "Which vectors the device acknowledges itself as soon as they arrive");
}
