/*
 * Couples: who waits for their doorbells
 *
 * In the main loop, or with halt eventfds in a thread and in a halted vCPU
 * (het-rx.c, het-halt.c). Or, for as long as a device wants it so, nobody in
 * this process: the eventfds go to something that interrupts the guest by
 * itself, such as KVM. Nothing is taken out of the control pages then until
 * the guest looks, and the device polls. Used by het-couple.c and by devices.
 *
 * Nothing is lost. A sender writes the eventfd when it finds the word empty,
 * and that interrupts the guest; the word is empty only after a poll. When
 * the doorbells come back here, what is in the pages is taken at once: their
 * eventfds may have been emptied by whoever had them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "het-couple-internal.h"
#include "het-halt.h"
#include "het-rx.h"

static const HetDoorbellOps *doorbell_ops;      /* NULL: they come here */
static void *doorbell_opaque;

static void het_couple_readable(void *opaque)
{
    het_couple_take(opaque);
}

static bool het_couple_watch_rx(HetCoupleState *c, Error **errp)
{
    if (het_couple_is_direct(c)) {
        return het_rx_watch(c->id, c->rx, errp);
    }
    qemu_set_fd_handler(c->rx, het_couple_readable, NULL, c);
    return true;
}

/* Where the thread cannot take it back, the main loop does */
static void het_couple_watch_rx_again(HetCoupleState *c)
{
    if (!het_couple_watch_rx(c, NULL)) {
        qemu_set_fd_handler(c->rx, het_couple_readable, NULL, c);
    }
}

static void het_couple_unwatch_rx(HetCoupleState *c)
{
    if (het_couple_is_direct(c)) {
        het_rx_unwatch(c->rx);
    }
    qemu_set_fd_handler(c->rx, NULL, NULL, NULL);
}

HetDoorbell het_couple_doorbell(const HetCoupleState *c)
{
    if (c->diverted) {
        return HET_DOORBELL_IRQFD;
    }
    return het_couple_is_direct(c) ? HET_DOORBELL_THREAD
                                   : HET_DOORBELL_MAIN_LOOP;
}

/* --- somebody else --- */

static void het_couple_divert(HetCoupleState *c)
{
    het_couple_unwatch_rx(c);
    if (doorbell_ops->add(doorbell_opaque, c->rx)) {
        c->diverted = true;
        return;
    }
    /* It has all it can take: this one goes on as before */
    het_couple_watch_rx_again(c);
}

static void het_couple_undivert(HetCoupleState *c)
{
    doorbell_ops->remove(doorbell_opaque, c->rx);
    c->diverted = false;
    het_couple_watch_rx_again(c);
}

void het_couples_divert(const HetDoorbellOps *ops, void *opaque)
{
    HetCoupleState *c;

    for (c = het_couple_next(NULL); c; c = het_couple_next(c)) {
        if (c->diverted) {
            het_couple_undivert(c);
        }
    }
    doorbell_ops = ops;
    doorbell_opaque = opaque;
    for (c = het_couple_next(NULL); c; c = het_couple_next(c)) {
        if (ops) {
            het_couple_divert(c);
        }
        het_couple_take(c);
    }
}

void het_couple_poll(HetCoupleState *c)
{
    if (c && c->diverted) {
        het_couple_take(c);
    }
}

void het_couples_poll(void)
{
    HetCoupleState *c;

    if (!doorbell_ops) {
        return;
    }
    for (c = het_couple_next(NULL); c; c = het_couple_next(c)) {
        het_couple_poll(c);
    }
}

/* --- this process --- */

static void het_couple_woken(uint32_t id)
{
    HetCoupleState *c = het_couple_find(id);

    if (c && het_couple_is_direct(c)) {
        het_couple_take(c);
    }
}

bool het_couple_listen(HetCoupleState *c, Error **errp)
{
    if (het_couple_is_direct(c) && !het_rx_hold(het_couple_woken, errp)) {
        return false;
    }
    if (!het_couple_watch_rx(c, errp)) {
        het_rx_release();
        return false;
    }
    if (het_couple_is_direct(c) && het_couple_has_client()) {
        het_halt_add(c->local, c->rx_halt);
    }
    if (doorbell_ops) {
        het_couple_divert(c);
    }
    return true;
}

void het_couple_ignore(HetCoupleState *c)
{
    if (c->diverted) {
        het_couple_undivert(c);
    }
    het_couple_unwatch_rx(c);
    if (het_couple_is_direct(c)) {
        het_halt_remove(c->local);
        het_rx_release();
    }
}
