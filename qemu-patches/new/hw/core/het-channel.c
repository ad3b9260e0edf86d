/*
 * Channels: vectors whose sender waits for the acknowledgement
 *
 * A vector alone is sent and forgotten. Mailboxes of real chips have a flag
 * for each direction instead, which the sender sets and the receiver clears,
 * and an interrupt for either. The flags of the vectors that go to a side
 * are the word `channels` of this side in the control page: the sender sets
 * a bit and sends the vector, and whoever acknowledges the vector at the
 * other end, in whatever registers, clears it.
 *
 * Ordering. The receiver acknowledges a vector in its own registers first,
 * then clears the flag, then writes the sender's eventfd; the sender sets
 * the flag, then the bit in `pending`. A vector that is sent because its
 * flag was seen clear thus arrives after the acknowledgement that cleared
 * it. The other side may scribble over the word; what it gets by this is a
 * sender that waits for ever, or does not wait.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "het-couple-internal.h"
#include "het-eventfd.h"
#include "trace.h"

uint32_t het_channels_raised(const HetCoupleState *c)
{
    return qatomic_read(&c->peer->channels);
}

void het_channel_raise(HetCoupleState *c, unsigned vector)
{
    uint32_t bit = 1u << vector;
    uint32_t old = qatomic_fetch_or(&c->peer->channels, bit);

    c->raised = old | bit;
    if (!(old & bit)) {
        trace_het_channel_raise(c->id, vector);
        het_couple_send(c, vector);
    }
}

void het_channels_acknowledge(HetCoupleState *c, uint32_t vectors)
{
    uint32_t old;

    /* Most vectors are sent by somebody who does not wait */
    if (!(qatomic_read(&c->local->channels) & vectors)) {
        return;
    }
    old = qatomic_fetch_and(&c->local->channels, ~vectors);
    trace_het_channels_acknowledge(c->id, old & vectors);
    het_eventfd_signal(c->tx);
}

void het_channels_clear(HetCoupleState *c)
{
    uint32_t from_peer = qatomic_xchg(&c->local->channels, 0);

    qatomic_xchg(&c->peer->channels, 0);
    c->raised = 0;
    if (from_peer) {
        het_eventfd_signal(c->tx);
    }
}

void het_channels_take(HetCoupleState *c)
{
    uint32_t raised = het_channels_raised(c);

    if (raised != c->raised) {
        c->raised = raised;
        het_couple_acknowledged(c->id);
    }
}
