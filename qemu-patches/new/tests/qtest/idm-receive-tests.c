/*
 * Tests of the IDM: vectors that arrive, and how a guest takes them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "idm-util.h"

static void test_receive(const void *data)
{
    Side side;
    Couple c;
    uint32_t block = IDM_COUPLE(33);

    side_start(&side, data, false);
    couple_make(&c, 33);
    couple_attach(&c, &side);
    wr(&side, block + IDM_EVENT, IDM_EVENT_STATE);

    /* pending, but nothing is enabled */
    send_to_master(&c, 0x80000001);
    settle(&side);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 0x80000001);
    g_assert_cmphex(qatomic_read(&c.page->master.pending), ==, 0);
    g_assert_cmphex(rd(&side, IDM_IRQ_STATUS), ==, 0);
    g_assert_false(irq(&side));
    /* enabled in the couple, not as a whole */
    wr(&side, block + IDM_ENABLE, 0x80000000);
    g_assert_cmphex(rd(&side, IDM_IRQ_STATUS), ==, IDM_IRQ_VECTOR);
    g_assert_cmphex(rd(&side, IDM_SUMMARY(0)), ==, 0);
    g_assert_cmphex(rd(&side, IDM_SUMMARY(1)), ==, 2);
    g_assert_false(irq(&side));
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    g_assert_true(irq(&side));
    /* a level: acknowledging another vector does not lower it */
    wr(&side, block + IDM_PENDING, 1);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 0x80000000);
    g_assert_true(irq(&side));
    wr(&side, block + IDM_PENDING, 0);
    g_assert_true(irq(&side));
    wr(&side, block + IDM_ENABLE, 0);
    g_assert_false(irq(&side));
    wr(&side, block + IDM_ENABLE, UINT32_MAX);
    g_assert_true(irq(&side));
    wr(&side, block + IDM_PENDING, 0x80000000);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 0);
    g_assert_cmphex(rd(&side, IDM_SUMMARY(1)), ==, 0);
    g_assert_false(irq(&side));
    couple_end(&c);
    side_end(&side);
}

static void test_receive_each(const void *data)
{
    Side side;
    Couple c;
    QDict *info;
    uint32_t block = IDM_COUPLE(33);

    side_start(&side, data, false);
    couple_make(&c, 33);
    couple_attach(&c, &side);
    wr(&side, block + IDM_EVENT, IDM_EVENT_STATE);

    wr(&side, block + IDM_ENABLE, UINT32_MAX);
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);

    /* every vector by itself, with the interrupt as the only sign */
    for (int v = 0; v < 32; v++) {
        send_to_master(&c, 1u << v);
        settle(&side);
        g_assert_true(irq(&side));
        g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 1u << v);
        wr(&side, block + IDM_PENDING, 1u << v);
        g_assert_false(irq(&side));
    }
    /* a wake with nothing in the word changes nothing */
    wake(c.master_rx);
    settle(&side);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 0);
    g_assert_false(irq(&side));

    g_assert_cmpuint(c.page->master.received, ==, 32);
    info = query_couple(&side, 33);
    g_assert_cmpint(qdict_get_int(info, "received"), ==, 32);
    qobject_unref(info);
    couple_end(&c);
    side_end(&side);
}

/* --- TAKE --- */

/* Vectors 1 and 31 that interrupt, and 0 that does not */
static void take_start(Side *side, Couple *c, const void *data)
{
    side_start(side, data, false);
    couple_make(c, 33);
    couple_attach(c, side);
    g_assert_cmphex(rd(side, IDM_FEATURES) & IDM_FEATURE_TAKE, !=, 0);
    wr(side, IDM_COUPLE(33) + IDM_EVENT, IDM_EVENT_STATE);
    wr(side, IDM_COUPLE(33) + IDM_ENABLE, 0x80000002);
    wr(side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    send_to_master(c, 0x80000003);
    settle(side);
    g_assert_true(irq(side));
}

static void test_take(const void *data)
{
    Side side;
    Couple c;
    uint32_t block = IDM_COUPLE(33), take = IDM_EXTENSION(33) + IDM_TAKE;

    take_start(&side, &c, data);
    /* no write takes anything */
    wr(&side, take, UINT32_MAX);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 0x80000003);
    g_assert_true(irq(&side));

    g_assert_cmphex(rd(&side, take), ==, 0x80000002);
    g_assert_false(irq(&side));
    g_assert_cmphex(rd(&side, IDM_SUMMARY(1)), ==, 0);
    g_assert_cmphex(rd(&side, take), ==, 0);
    /* what is not enabled waits */
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 1);
    wr(&side, block + IDM_ENABLE, UINT32_MAX);
    g_assert_true(irq(&side));
    g_assert_cmphex(rd(&side, take), ==, 1);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 0);

    /* events are not vectors, and another couple is another one */
    wr(&side, block + IDM_EVENT_ENABLE, IDM_EVENT_STATE);
    set_slave_state(&c, IDM_STATE_RUNNING);
    settle(&side);
    send_to_master(&c, 4);
    settle(&side);
    g_assert_cmphex(rd(&side, IDM_EXTENSION(34) + IDM_TAKE), ==, 0);
    g_assert_cmphex(rd(&side, take), ==, 4);
    g_assert_cmphex(rd(&side, IDM_IRQ_STATUS), ==, IDM_IRQ_EVENT);
    g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, IDM_EVENT_STATE);
    couple_end(&c);
    side_end(&side);
}

/* It acknowledges: a sender that waits for these vectors goes on */
static void test_take_acknowledges(const void *data)
{
    Side side;
    Couple c;

    side_start(&side, data, true);
    couple_make(&c, 9);
    couple_attach(&c, &side);
    wr(&side, IDM_COUPLE(0) + IDM_ENABLE, 6);
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    send_to_slave(&side, &c, 6);
    wr(&side, IDM_COUPLE(0) + IDM_ENABLE, 2);
    woken(c.master_rx);
    g_assert_cmphex(rd(&side, IDM_EXTENSION(0) + IDM_TAKE), ==, 2);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 4);
    g_assert_cmpuint(woken(c.master_rx), ==, 1);
    couple_end(&c);
    side_end(&side);
}

static const MachineTest tests[] = {
    { "receive", test_receive },
    { "receive-each", test_receive_each },
    { "take", test_take },
    { "take-acknowledges", test_take_acknowledges },
};

void add_receive_tests(void)
{
    add_machine_tests(tests, ARRAY_SIZE(tests));
}
