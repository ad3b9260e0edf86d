/*
 * Test of the IDM (idm_ipi, idm_ipi-flat) and of the couples below it
 *
 * The test is the broker, which makes the control page and the eventfds,
 * and mostly the other side of the couple as well; some tests have two
 * QEMUs instead.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <poll.h>
#include <libfdt.h>
#include "qemu/atomic.h"
#include "qobject/qnum.h"
#include "idm-util.h"

/* --- registers, no couple attached --- */

static void test_global(const void *data)
{
    Side side;

    side_start(&side, data, false);
    g_assert_cmphex(rd(&side, IDM_ID), ==, IDM_ID_VALUE);
    g_assert_cmphex(rd(&side, IDM_VERSION), ==, IDM_VERSION_VALUE);
    g_assert_cmphex(rd(&side, IDM_FEATURES), ==,
                    IDM_FEATURE_MASTER | IDM_FEATURE_CONTROL);
    g_assert_cmphex(rd(&side, IDM_SELF), ==, 0);
    g_assert_cmpuint(rd(&side, IDM_COUPLES), ==, 0);
    g_assert_cmpuint(rd(&side, IDM_VECTORS), ==, 32);
    g_assert_cmphex(rd(&side, IDM_CTRL), ==, 0);
    g_assert_cmphex(rd(&side, IDM_IRQ_STATUS), ==, 0);
    for (int n = 0; n < IDM_SUMMARY_COUNT; n++) {
        g_assert_cmphex(rd(&side, IDM_SUMMARY(n)), ==, 0);
    }

    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    g_assert_cmphex(rd(&side, IDM_CTRL), ==, IDM_CTRL_IRQ_ENABLE);
    /* a reserved bit: the write is ignored as a whole */
    wr(&side, IDM_CTRL, 2);
    g_assert_cmphex(rd(&side, IDM_CTRL), ==, IDM_CTRL_IRQ_ENABLE);
    wr(&side, IDM_CTRL, 0);
    g_assert_cmphex(rd(&side, IDM_CTRL), ==, 0);

    for (uint32_t reg = IDM_ID; reg < IDM_SUMMARY(IDM_SUMMARY_COUNT);
         reg += 4) {
        uint32_t before = rd(&side, reg);

        if (reg != IDM_CTRL) {
            wr(&side, reg, ~before);
            g_assert_cmphex(rd(&side, reg), ==, before);
        }
    }
    g_assert_false(irq(&side));
    side_end(&side);
}

static bool is_reserved(uint32_t reg, bool slave)
{
    if (reg < IDM_SUMMARY(IDM_SUMMARY_COUNT)) {
        return false;
    }
    if (reg < IDM_COUPLE(0) || reg >= IDM_COUPLE(IDM_COUPLE_MAX)) {
        return true;
    }
    if (slave) {
        return reg >= IDM_COUPLE(0) + IDM_CONTROL;
    }
    return reg < IDM_COUPLE(1);
}

static void check_reserved(Side *side)
{
    for (uint32_t reg = 0; reg < IDM_MMIO_SIZE; reg += 4) {
        if (is_reserved(reg, side->slave)) {
            wr(side, reg, 0xffffffff);
        }
    }
    for (uint32_t reg = 0; reg < IDM_MMIO_SIZE; reg += 4) {
        if (is_reserved(reg, side->slave)) {
            g_assert_cmphex(rd(side, reg), ==, 0);
        }
    }
    g_assert_cmphex(rd(side, IDM_CTRL), ==, 0);
    g_assert_false(irq(side));
}

static void test_reserved(const void *data)
{
    Side side;

    side_start(&side, data, false);
    check_reserved(&side);
    side_end(&side);
}

static void test_access_size(const void *data)
{
    Side side;
    uint64_t base;

    side_start(&side, data, false);
    base = side.machine->base;
    g_assert_cmphex(qtest_readb(side.qts, base + IDM_ID), ==, 0);
    g_assert_cmphex(qtest_readw(side.qts, base + IDM_ID), ==, 0);
    g_assert_cmphex(qtest_readq(side.qts, base + IDM_ID), ==, 0);
    for (int n = 1; n < 4; n++) {
        g_assert_cmphex(qtest_readb(side.qts, base + IDM_ID + n), ==, 0);
        g_assert_cmphex(qtest_readw(side.qts, base + IDM_ID + n), ==, 0);
        g_assert_cmphex(qtest_readl(side.qts, base + IDM_ID + n), ==, 0);
        g_assert_cmphex(qtest_readq(side.qts, base + IDM_ID + n), ==, 0);
    }

    base += IDM_COUPLE(1) + IDM_ENABLE;
    qtest_writel(side.qts, base, 0x12345678);
    qtest_writeb(side.qts, base, 0xff);
    qtest_writew(side.qts, base, 0xffff);
    qtest_writeq(side.qts, base, UINT64_MAX);
    qtest_writeq(side.qts, base - 4, UINT64_MAX);
    for (int n = 1; n < 4; n++) {
        qtest_writeb(side.qts, base + n, 0xff);
        qtest_writew(side.qts, base + n, 0xffff);
        qtest_writel(side.qts, base + n, UINT32_MAX);
        qtest_writel(side.qts, base - n, UINT32_MAX);
    }
    g_assert_cmphex(qtest_readl(side.qts, base), ==, 0x12345678);
    side_end(&side);
}

static void check_rw(Side *side, uint32_t reg, uint32_t mask)
{
    g_assert_cmphex(rd(side, reg), ==, 0);
    wr(side, reg, 0x5a5a5a5a & mask);
    g_assert_cmphex(rd(side, reg), ==, 0x5a5a5a5a & mask);
    if (mask != UINT32_MAX) {
        wr(side, reg, 0xffffffff);
        g_assert_cmphex(rd(side, reg), ==, 0x5a5a5a5a & mask);
    }
    wr(side, reg, mask);
    g_assert_cmphex(rd(side, reg), ==, mask);
    wr(side, reg, 0);
    g_assert_cmphex(rd(side, reg), ==, 0);
}

static void check_ro(Side *side, uint32_t reg, uint32_t value)
{
    g_assert_cmphex(rd(side, reg), ==, value);
    wr(side, reg, ~value);
    g_assert_cmphex(rd(side, reg), ==, value);
    wr(side, reg, 0);
    g_assert_cmphex(rd(side, reg), ==, value);
}

static void test_unattached(const void *data)
{
    static const uint32_t ids[] = { 1, 31, 32, 128, 255 };
    Side side;

    side_start(&side, data, false);
    for (int i = 0; i < ARRAY_SIZE(ids); i++) {
        uint32_t block = IDM_COUPLE(ids[i]);

        check_ro(&side, block + IDM_STATUS, 0);
        check_ro(&side, block + IDM_PEER_STATE, IDM_STATE_OFFLINE);
        check_ro(&side, block + IDM_PENDING, 0);
        check_ro(&side, block + IDM_EVENT, 0);
        check_ro(&side, block + IDM_DOORBELL, 0);
        check_rw(&side, block + IDM_ENABLE, UINT32_MAX);
        check_rw(&side, block + IDM_EVENT_ENABLE, 3);
        check_rw(&side, block + IDM_ENTRY_LO, UINT32_MAX);
        check_rw(&side, block + IDM_ENTRY_HI, UINT32_MAX);
        check_rw(&side, block + IDM_ARGUMENT_LO, UINT32_MAX);
        check_rw(&side, block + IDM_ARGUMENT_HI, UINT32_MAX);
        check_ro(&side, block + IDM_WINDOW_BASE_LO, 0);
        check_ro(&side, block + IDM_WINDOW_BASE_HI, 0);
        check_ro(&side, block + IDM_WINDOW_SIZE_LO, 0);
        check_ro(&side, block + IDM_WINDOW_SIZE_HI, 0);
        wr(&side, block + IDM_CONTROL, IDM_CONTROL_START);
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_NONE);
        wr(&side, block + IDM_CONTROL, IDM_CONTROL_STOP);
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_NONE);
        g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, 0);
    }
    /* the master has no couple with itself */
    for (uint32_t reg = 0; reg < IDM_COUPLE_SIZE; reg += 4) {
        check_ro(&side, IDM_COUPLE(0) + reg, 0);
    }
    side_end(&side);
}

/* --- attaching --- */

static void test_attach(const void *data)
{
    Side side;
    Couple c;
    QDict *event;
    uint32_t block = IDM_COUPLE(7);

    side_start(&side, data, false);
    couple_make(&c, 7);
    c.page->slave.state = IDM_STATE_WAITING;
    c.page->master.pending = 0xffff0000;    /* of a process before this one */
    c.page->master.sent = 99;
    c.page->master.wait = HET_WAIT_POLL;

    wr(&side, block + IDM_EVENT_ENABLE, IDM_EVENT_STATE);
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    couple_attach(&c, &side);
    event = qtest_qmp_eventwait_ref(side.qts, "HET_SLAVE_ATTACHED");
    g_assert_cmpint(qdict_get_int(qdict_get_qdict(event, "data"), "id"),
                    ==, 7);
    qobject_unref(event);

    check_ro(&side, block + IDM_STATUS, IDM_STATUS_ATTACHED);
    check_ro(&side, block + IDM_PEER_STATE, IDM_STATE_WAITING);
    check_ro(&side, IDM_COUPLES, 1);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 0);
    g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, IDM_EVENT_STATE);
    g_assert_cmphex(rd(&side, IDM_IRQ_STATUS), ==, IDM_IRQ_EVENT);
    g_assert_cmphex(rd(&side, IDM_SUMMARY(0)), ==, 1u << 7);
    g_assert_true(irq(&side));

    g_assert_cmphex(qatomic_read(&c.page->master.pending), ==, 0);
    g_assert_cmpuint(c.page->master.sent, ==, 0);
    g_assert_cmpuint(c.page->master.wait, ==, HET_WAIT_EVENTFD);
    g_assert_cmpuint(c.page->master.state, !=, IDM_STATE_OFFLINE);
    g_assert_cmpuint(woken(c.slave_rx), >=, 1);

    wr(&side, block + IDM_EVENT, IDM_EVENT_STATE);
    g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, 0);
    g_assert_false(irq(&side));
    couple_end(&c);
    side_end(&side);
}

static void test_attach_bad(const void *data)
{
    Side side;
    Couple c;
    QDict *resp;
    int bad;

    side_start(&side, data, false);
    couple_make(&c, 5);
    attach_refused(&side, 0, c.page_fd, c.master_rx, c.slave_rx);
    attach_refused(&side, 256, c.page_fd, c.master_rx, c.slave_rx);
    attach_refused(&side, UINT32_MAX, c.page_fd, c.master_rx, c.slave_rx);
    /* the page's own number */
    attach_refused(&side, 6, c.page_fd, c.master_rx, c.slave_rx);
    c.page->magic++;
    attach_refused(&side, 5, c.page_fd, c.master_rx, c.slave_rx);
    c.page->magic--;
    c.page->version++;
    attach_refused(&side, 5, c.page_fd, c.master_rx, c.slave_rx);
    c.page->version--;
    /* the wrong kind of file */
    attach_refused(&side, 5, c.master_rx, c.master_rx, c.slave_rx);
    attach_refused(&side, 5, c.page_fd, c.page_fd, c.slave_rx);
    attach_refused(&side, 5, c.page_fd, c.master_rx, c.page_fd);
    bad = make_memfd(HET_PAGE_SIZE, F_SEAL_GROW);
    attach_refused(&side, 5, bad, c.master_rx, c.slave_rx);
    close(bad);
    bad = make_memfd(HET_PAGE_SIZE, F_SEAL_SHRINK);
    attach_refused(&side, 5, bad, c.master_rx, c.slave_rx);
    close(bad);
    bad = make_memfd(HET_PAGE_SIZE - 1, SEALS);
    attach_refused(&side, 5, bad, c.master_rx, c.slave_rx);
    close(bad);
    bad = make_memfd(2 * HET_PAGE_SIZE, SEALS);
    attach_refused(&side, 5, bad, c.master_rx, c.slave_rx);
    close(bad);
    bad = make_memfd(0, SEALS);
    attach_refused(&side, 5, bad, c.master_rx, c.slave_rx);
    close(bad);
    /* half a pair */
    give_fd(side.qts, "h", c.slave_rx);
    give_fd(side.qts, "p", c.page_fd);
    give_fd(side.qts, "r", c.master_rx);
    give_fd(side.qts, "t", c.slave_rx);
    resp = qtest_qmp(side.qts, "{ 'execute': 'het-slave-attach', 'arguments':"
                     " { 'id': 5, 'couple': { 'page': 'p', 'rx': 'r',"
                     " 'tx': 't', 'rx-halt': 'h' } } }");
    g_assert(qdict_haskey(resp, "error"));
    qobject_unref(resp);
    fd_name_is_gone(side.qts, "h");

    g_assert_cmpuint(rd(&side, IDM_COUPLES), ==, 0);
    couple_attach(&c, &side);
    g_assert_cmpuint(rd(&side, IDM_COUPLES), ==, 1);
    attach_refused(&side, 5, c.page_fd, c.master_rx, c.slave_rx);
    g_assert_cmpuint(rd(&side, IDM_COUPLES), ==, 1);
    couple_end(&c);
    side_end(&side);
}

static void test_window(const void *data)
{
    const uint64_t address = 0x123450000ULL, size = 0x20000;
    Side side;
    Couple c;
    uint32_t block = IDM_COUPLE(1);
    int memory = make_memfd(size, SEALS);

    side_start(&side, data, false);
    couple_make(&c, 1);
    give_fd(side.qts, "p", c.page_fd);
    give_fd(side.qts, "r", c.master_rx);
    give_fd(side.qts, "t", c.slave_rx);
    give_fd(side.qts, "m", memory);
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-slave-attach',"
                             " 'arguments': { 'id': 1, 'couple': {"
                             " 'page': 'p', 'rx': 'r', 'tx': 't' },"
                             " 'window': { 'memory': 'm', 'address': %" PRIu64
                             ", 'size': %" PRIu64 " } } }", address, size);
    check_ro(&side, block + IDM_WINDOW_BASE_LO, (uint32_t)address);
    check_ro(&side, block + IDM_WINDOW_BASE_HI, address >> 32);
    check_ro(&side, block + IDM_WINDOW_SIZE_LO, size);
    check_ro(&side, block + IDM_WINDOW_SIZE_HI, 0);
    couple_detach(&c, &side);
    check_ro(&side, block + IDM_WINDOW_BASE_LO, 0);
    check_ro(&side, block + IDM_WINDOW_BASE_HI, 0);
    check_ro(&side, block + IDM_WINDOW_SIZE_LO, 0);
    close(memory);
    couple_end(&c);
    side_end(&side);
}

/* --- sending --- */

static void test_doorbell(const void *data)
{
    Side side;
    Couple c;
    QDict *info;
    uint32_t block = IDM_COUPLE(255);

    side_start(&side, data, false);
    couple_make(&c, 255);
    couple_attach(&c, &side);
    woken(c.slave_rx);

    wr(&side, block + IDM_DOORBELL, 0);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 1);
    g_assert_cmpuint(woken(c.slave_rx), ==, 1);
    /* the word is not empty: no system call */
    wr(&side, block + IDM_DOORBELL, 31);
    wr(&side, block + IDM_DOORBELL, 31);
    wr(&side, block + IDM_DOORBELL, 0);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 0x80000001);
    g_assert_cmpuint(woken(c.slave_rx), ==, 0);
    /* taken, and again */
    g_assert_cmphex(qatomic_xchg(&c.page->slave.pending, 0), ==, 0x80000001);
    wr(&side, block + IDM_DOORBELL, 13);
    g_assert_cmphex(qatomic_xchg(&c.page->slave.pending, 0), ==, 1u << 13);
    g_assert_cmpuint(woken(c.slave_rx), ==, 1);

    wr(&side, block + IDM_DOORBELL, 32);
    wr(&side, block + IDM_DOORBELL, 256);
    wr(&side, block + IDM_DOORBELL, UINT32_MAX);
    wr(&side, IDM_COUPLE(0) + IDM_DOORBELL, 1);
    wr(&side, IDM_COUPLE(1) + IDM_DOORBELL, 1);
    wr(&side, IDM_COUPLE(254) + IDM_DOORBELL, 1);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 0);
    g_assert_cmpuint(woken(c.slave_rx), ==, 0);

    g_assert_cmpuint(c.page->master.sent, ==, 5);
    g_assert_cmpuint(c.page->master.coalesced, ==, 2);
    g_assert_cmpuint(c.page->master.last_sent_ns, >, 0);
    info = query_couple(&side, 255);
    g_assert_cmpint(qdict_get_int(info, "sent"), ==, 5);
    g_assert_cmpint(qdict_get_int(info, "coalesced"), ==, 2);
    qobject_unref(info);
    couple_end(&c);
    side_end(&side);
}

/* A counter that is full must not stop the writer */
static void test_doorbell_full(void)
{
    uint64_t nearly = UINT64_MAX - 1;
    Side side;
    Couple c;

    side_start(&side, &idm_virt, false);
    couple_make(&c, 1);
    couple_attach(&c, &side);
    woken(c.slave_rx);
    g_assert_cmpint(write(c.slave_rx, &nearly, sizeof(nearly)), ==,
                    sizeof(nearly));
    wr(&side, IDM_COUPLE(1) + IDM_DOORBELL, 3);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 1u << 3);
    couple_end(&c);
    side_end(&side);
}

/* --- receiving --- */

static void test_receive(const void *data)
{
    Side side;
    Couple c;
    QDict *info;
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

    g_assert_cmpuint(c.page->master.received, ==, 34);
    info = query_couple(&side, 33);
    g_assert_cmpint(qdict_get_int(info, "received"), ==, 34);
    qobject_unref(info);
    couple_end(&c);
    side_end(&side);
}

static void test_peer_state(const void *data)
{
    static const char *const names[] = {
        "offline", "waiting", "ready", "running", "paused", "crashed",
    };
    Side side;
    Couple c;
    QDict *event, *what;
    uint32_t block = IDM_COUPLE(2);

    side_start(&side, data, false);
    couple_make(&c, 2);
    couple_attach(&c, &side);
    wr(&side, block + IDM_EVENT, UINT32_MAX);
    wr(&side, block + IDM_EVENT_ENABLE, IDM_EVENT_STATE);
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    for (int i = 1; i <= ARRAY_SIZE(names); i++) {
        uint32_t state = i % ARRAY_SIZE(names);

        set_slave_state(&c, state);
        event = qtest_qmp_eventwait_ref(side.qts, "HET_SLAVE_STATE");
        what = qdict_get_qdict(event, "data");
        g_assert_cmpint(qdict_get_int(what, "id"), ==, 2);
        g_assert_cmpstr(qdict_get_str(what, "state"), ==, names[state]);
        qobject_unref(event);
        g_assert_cmphex(rd(&side, block + IDM_PEER_STATE), ==, state);
        g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, IDM_EVENT_STATE);
        g_assert_cmphex(rd(&side, IDM_IRQ_STATUS), ==, IDM_IRQ_EVENT);
        g_assert_true(irq(&side));
        wr(&side, block + IDM_EVENT, IDM_EVENT_STATE);
        g_assert_false(irq(&side));
    }
    /* the same state again is no change */
    wake(c.master_rx);
    settle(&side);
    g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, 0);
    couple_end(&c);
    side_end(&side);
}

static void test_hostile_page(const void *data)
{
    static const uint32_t states[] = { 6, 255, 0x10000, UINT32_MAX };
    Side side;
    Couple c;
    uint32_t block = IDM_COUPLE(9);

    side_start(&side, data, false);
    couple_make(&c, 9);
    couple_attach(&c, &side);
    for (int i = 0; i < ARRAY_SIZE(states); i++) {
        set_slave_state(&c, IDM_STATE_RUNNING);
        settle(&side);
        g_assert_cmphex(rd(&side, block + IDM_PEER_STATE), ==,
                        IDM_STATE_RUNNING);
        set_slave_state(&c, states[i]);
        settle(&side);
        g_assert_cmphex(rd(&side, block + IDM_PEER_STATE), ==,
                        IDM_STATE_OFFLINE);
    }
    /* all of it, the head and our own side as well */
    memset(c.page, 0xff, HET_PAGE_SIZE);
    wake(c.master_rx);
    settle(&side);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, UINT32_MAX);
    wr(&side, block + IDM_PENDING, UINT32_MAX);
    wr(&side, block + IDM_DOORBELL, 4);
    memset(c.page, 0, HET_PAGE_SIZE);
    wake(c.master_rx);
    settle(&side);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 0);
    woken(c.slave_rx);
    wr(&side, block + IDM_DOORBELL, 4);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 1u << 4);
    g_assert_cmpuint(woken(c.slave_rx), ==, 1);
    send_to_master(&c, 2);
    settle(&side);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 2);
    g_assert_cmphex(rd(&side, block + IDM_STATUS), ==, IDM_STATUS_ATTACHED);
    couple_end(&c);
    side_end(&side);
}

/*
 * O_NONBLOCK belongs to the file that both sides have open: the other one
 * may clear it and empty the eventfd before we do.
 */
static void test_hostile_eventfd(void)
{
    Side side;
    Couple c;

    side_start(&side, &idm_virt, false);
    couple_make(&c, 1);
    couple_attach(&c, &side);
    g_unix_set_fd_nonblocking(c.master_rx, false, NULL);
    for (int i = 0; i < 20000; i++) {
        struct pollfd readable = { .fd = c.master_rx, .events = POLLIN };

        wake(c.master_rx);
        if (poll(&readable, 1, 0) == 1) {
            g_unix_set_fd_nonblocking(c.master_rx, true, NULL);
            woken(c.master_rx);
            g_unix_set_fd_nonblocking(c.master_rx, false, NULL);
        }
    }
    settle(&side);
    send_to_master(&c, 1);
    settle(&side);
    g_assert_cmphex(rd(&side, IDM_COUPLE(1) + IDM_PENDING), ==, 1);
    couple_end(&c);
    side_end(&side);
}

static void test_watch(void)
{
    Side side;
    Couple c;
    QDict *event, *what;

    side_start(&side, &idm_virt, false);
    couple_make(&c, 3);
    couple_attach(&c, &side);
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-ipi-watch',"
                             " 'arguments': { 'id': 3, 'enable': true } }");
    send_to_master(&c, 1u << 5);
    event = qtest_qmp_eventwait_ref(side.qts, "HET_IPI");
    what = qdict_get_qdict(event, "data");
    g_assert_cmpint(qdict_get_int(what, "id"), ==, 3);
    g_assert_cmphex(qdict_get_int(what, "vectors"), ==, 1u << 5);
    qobject_unref(event);
    /* too soon after the first: these come together */
    for (int v = 6; v < 9; v++) {
        send_to_master(&c, 1u << v);
        settle(&side);
    }
    event = qtest_qmp_eventwait_ref(side.qts, "HET_IPI");
    what = qdict_get_qdict(event, "data");
    g_assert_cmphex(qdict_get_int(what, "vectors"), ==, 7u << 6);
    qobject_unref(event);
    couple_end(&c);
    side_end(&side);
}

/* --- requests of the master guest --- */

static void complete(Side *side, uint32_t id, const char *result, bool ok)
{
    QDict *resp = qtest_qmp(side->qts, "{ 'execute': 'het-request-complete',"
                            " 'arguments': { 'id': %u, 'result': %s } }",
                            id, result);

    g_assert(qdict_haskey(resp, ok ? "return" : "error"));
    qobject_unref(resp);
}

static uint64_t get_uint(QDict *dict, const char *key)
{
    return qnum_get_uint(qobject_to(QNum, qdict_get(dict, key)));
}

static void expect_boot_request(Side *side, uint64_t entry, uint64_t argument,
                                const char *protocol)
{
    QDict *event = qtest_qmp_eventwait_ref(side->qts, "HET_BOOT_REQUEST");
    QDict *what = qdict_get_qdict(event, "data");

    g_assert_cmpint(qdict_get_int(what, "id"), ==, 4);
    g_assert_cmphex(get_uint(what, "entry"), ==, entry);
    g_assert_cmphex(get_uint(what, "argument"), ==, argument);
    g_assert_cmpstr(qdict_get_str(what, "protocol"), ==, protocol);
    qobject_unref(event);
}

static void test_control(const void *data)
{
    static const char *const protocols[] = {
        "auto", "raw", "linux", "vector-table",
    };
    static const char *const results[] = { "done", "refused", "failed" };
    static const uint32_t bad[] = {
        0, 3, 0xff, IDM_CONTROL_START | IDM_CONTROL_PROTOCOL(4),
        IDM_CONTROL_START | 0x10000, IDM_CONTROL_STOP | 0x80000000,
        IDM_CONTROL_STOP | IDM_CONTROL_PROTOCOL(IDM_PROTOCOL_RAW), UINT32_MAX,
    };
    Side side;
    Couple c;
    QDict *event;
    uint32_t block = IDM_COUPLE(4);

    side_start(&side, data, false);
    couple_make(&c, 4);
    couple_attach(&c, &side);
    wr(&side, block + IDM_EVENT, UINT32_MAX);
    wr(&side, block + IDM_EVENT_ENABLE, IDM_EVENT_REQUEST);
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);

    for (int i = 0; i < ARRAY_SIZE(bad); i++) {
        wr(&side, block + IDM_CONTROL, bad[i]);
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_NONE);
    }
    complete(&side, 4, "done", false);

    for (int i = 0; i < ARRAY_SIZE(protocols); i++) {
        const char *result = results[i % ARRAY_SIZE(results)];

        wr(&side, block + IDM_ENTRY_LO, 0x89abcdef + i);
        wr(&side, block + IDM_ENTRY_HI, 0x01234567);
        wr(&side, block + IDM_ARGUMENT_LO, 0x76543210);
        wr(&side, block + IDM_ARGUMENT_HI, 0xfedcba98);
        wr(&side, block + IDM_CONTROL,
           IDM_CONTROL_START | IDM_CONTROL_PROTOCOL(i));
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==,
                        IDM_RESULT_PENDING);
        expect_boot_request(&side, 0x0123456789abcdefULL + i,
                            0xfedcba9876543210ULL, protocols[i]);
        /* no second request before the first is answered */
        wr(&side, block + IDM_ENTRY_LO, 0);
        wr(&side, block + IDM_CONTROL, IDM_CONTROL_START);
        wr(&side, block + IDM_CONTROL, IDM_CONTROL_STOP);
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==,
                        IDM_RESULT_PENDING);
        complete(&side, 4, "none", false);
        complete(&side, 4, "pending", false);
        complete(&side, 5, "done", false);
        g_assert_false(irq(&side));
        complete(&side, 4, result, true);
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==,
                        IDM_RESULT_DONE + i % ARRAY_SIZE(results));
        g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, IDM_EVENT_REQUEST);
        g_assert_true(irq(&side));
        wr(&side, block + IDM_EVENT, IDM_EVENT_REQUEST);
        g_assert_false(irq(&side));
        complete(&side, 4, "done", false);
    }

    wr(&side, block + IDM_CONTROL, IDM_CONTROL_STOP);
    /* had one of those above been let through, it would come first */
    event = qtest_qmp_eventwait_ref(side.qts, "HET_STOP_REQUEST");
    g_assert_cmpint(qdict_get_int(qdict_get_qdict(event, "data"), "id"),
                    ==, 4);
    qobject_unref(event);
    g_assert_null(qtest_qmp_event_ref(side.qts, "HET_STOP_REQUEST"));
    g_assert_null(qtest_qmp_event_ref(side.qts, "HET_BOOT_REQUEST"));

    /* a request dies with its couple */
    couple_detach(&c, &side);
    g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_NONE);
    complete(&side, 4, "done", false);
    couple_attach(&c, &side);
    g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_NONE);
    couple_end(&c);
    side_end(&side);
}

/* --- the couple's end, reset --- */

static void test_detach(const void *data)
{
    Side side;
    Couple c;
    QDict *event;
    uint32_t block = IDM_COUPLE(64);

    side_start(&side, data, false);
    couple_make(&c, 64);
    couple_attach(&c, &side);
    set_slave_state(&c, IDM_STATE_RUNNING);
    send_to_master(&c, 0xff);
    settle(&side);
    wr(&side, block + IDM_EVENT, UINT32_MAX);
    wr(&side, block + IDM_ENABLE, 0x0f);
    wr(&side, block + IDM_EVENT_ENABLE, IDM_EVENT_STATE);
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    g_assert_true(irq(&side));
    woken(c.slave_rx);
    qatomic_set(&c.page->master.pending, 0x100);    /* on its way */

    couple_detach(&c, &side);
    event = qtest_qmp_eventwait_ref(side.qts, "HET_SLAVE_DETACHED");
    g_assert_cmpint(qdict_get_int(qdict_get_qdict(event, "data"), "id"),
                    ==, 64);
    qobject_unref(event);
    g_assert_cmphex(rd(&side, block + IDM_STATUS), ==, 0);
    g_assert_cmphex(rd(&side, block + IDM_PEER_STATE), ==, IDM_STATE_OFFLINE);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 0);
    g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, IDM_EVENT_STATE);
    g_assert_cmphex(rd(&side, block + IDM_ENABLE), ==, 0x0f);
    g_assert_cmphex(rd(&side, IDM_IRQ_STATUS), ==, IDM_IRQ_EVENT);
    g_assert_cmphex(rd(&side, IDM_SUMMARY(2)), ==, 1);
    g_assert_cmpuint(rd(&side, IDM_COUPLES), ==, 0);
    g_assert_cmpuint(qatomic_read(&c.page->master.state), ==,
                     IDM_STATE_OFFLINE);
    g_assert_cmpuint(woken(c.slave_rx), ==, 1);
    /* nobody listens any more */
    wr(&side, block + IDM_DOORBELL, 1);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 0);
    wake(c.master_rx);
    settle(&side);
    g_assert_cmpuint(woken(c.master_rx), >=, 1);
    wr(&side, block + IDM_EVENT, UINT32_MAX);
    g_assert_false(irq(&side));

    /* what was on its way to the couple before is not for this one */
    couple_attach(&c, &side);
    settle(&side);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 0);
    g_assert_cmphex(qatomic_read(&c.page->master.pending), ==, 0);
    send_to_master(&c, 1);
    settle(&side);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 1);
    g_assert_true(irq(&side));
    couple_end(&c);
    side_end(&side);
}

static void test_reset(const void *data)
{
    Side side;
    Couple c;
    uint32_t block = IDM_COUPLE(1);

    side_start(&side, data, false);
    couple_make(&c, 1);
    couple_attach(&c, &side);
    set_slave_state(&c, IDM_STATE_READY);
    send_to_master(&c, UINT32_MAX);
    settle(&side);
    wr(&side, block + IDM_ENABLE, UINT32_MAX);
    wr(&side, block + IDM_EVENT_ENABLE, 3);
    wr(&side, block + IDM_ENTRY_LO, 1);
    wr(&side, block + IDM_ENTRY_HI, 2);
    wr(&side, block + IDM_ARGUMENT_LO, 3);
    wr(&side, block + IDM_ARGUMENT_HI, 4);
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    wr(&side, block + IDM_CONTROL, IDM_CONTROL_STOP);
    g_assert_true(irq(&side));
    /* in the word, but nobody was woken for it */
    qatomic_set(&c.page->master.pending, 0x10);

    qtest_qmp_assert_success(side.qts, "{ 'execute': 'system_reset' }");
    qtest_qmp_eventwait(side.qts, "RESET");
    g_assert_cmphex(qatomic_read(&c.page->master.pending), ==, 0);
    g_assert_false(irq(&side));
    g_assert_cmphex(rd(&side, IDM_CTRL), ==, 0);
    g_assert_cmphex(rd(&side, IDM_IRQ_STATUS), ==, 0);
    g_assert_cmphex(rd(&side, IDM_SUMMARY(0)), ==, 0);
    for (uint32_t reg = IDM_DOORBELL; reg < IDM_COUPLE_SIZE; reg += 4) {
        if (reg != IDM_PEER_STATE && reg != IDM_CONTROL) {
            g_assert_cmphex(rd(&side, block + reg), ==, 0);
        }
    }
    /* what is not the guest's own stays */
    g_assert_cmphex(rd(&side, block + IDM_STATUS), ==, IDM_STATUS_ATTACHED);
    g_assert_cmphex(rd(&side, block + IDM_PEER_STATE), ==, IDM_STATE_READY);
    g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_PENDING);
    complete(&side, 1, "done", true);
    g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_DONE);
    g_assert_false(irq(&side));
    couple_end(&c);
    side_end(&side);
}

/* --- many --- */

static unsigned count_entries(QTestState *qts, const char *what)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s",
                                            qtest_pid(qts), what);
    GDir *dir = g_dir_open(path, 0, NULL);
    unsigned n = 0;

    g_assert(dir);
    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

static unsigned count_pages(QTestState *qts)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", qtest_pid(qts));
    g_autofree char *maps = NULL;
    unsigned n = 0;

    g_assert(g_file_get_contents(path, &maps, NULL, NULL));
    for (char *at = maps; (at = strstr(at, "memfd:couple")); at++) {
        n++;
    }
    return n;
}

static void test_many(const void *data)
{
    g_autofree Couple *c = g_new0(Couple, HET_ID_MAX + 1);
    Side side;
    unsigned fds, tasks;

    side_start(&side, data, false);
    settle(&side);
    fds = count_entries(side.qts, "fd");
    tasks = count_entries(side.qts, "task");
    for (int id = 1; id <= HET_ID_MAX; id++) {
        couple_make(&c[id], id);
        couple_attach(&c[id], &side);
        wr(&side, IDM_COUPLE(id) + IDM_EVENT, UINT32_MAX);
        wr(&side, IDM_COUPLE(id) + IDM_ENABLE, UINT32_MAX);
        g_assert_cmpuint(rd(&side, IDM_COUPLES), ==, id);
    }
    g_assert_cmpuint(count_pages(side.qts), ==, HET_ID_MAX);
    for (int id = 1; id <= HET_ID_MAX; id++) {
        send_to_master(&c[id], 1u << id % 32);
    }
    settle(&side);
    for (int n = 0; n < IDM_SUMMARY_COUNT; n++) {
        g_assert_cmphex(rd(&side, IDM_SUMMARY(n)), ==,
                        n ? 0xffffffff : 0xfffffffe);
    }
    for (int id = 1; id <= HET_ID_MAX; id++) {
        g_assert_cmphex(rd(&side, IDM_COUPLE(id) + IDM_PENDING), ==,
                        1u << id % 32);
        wr(&side, IDM_COUPLE(id) + IDM_DOORBELL, id % 31);
        g_assert_cmphex(qatomic_read(&c[id].page->slave.pending), ==,
                        1u << id % 31);
    }
    for (int id = HET_ID_MAX; id >= 1; id--) {
        couple_detach(&c[id], &side);
        couple_end(&c[id]);
    }
    g_assert_cmpuint(rd(&side, IDM_COUPLES), ==, 0);
    g_assert_cmpuint(rd(&side, IDM_IRQ_STATUS), ==, 0);
    g_assert_cmpuint(count_pages(side.qts), ==, 0);
    g_assert_cmpuint(count_entries(side.qts, "fd"), ==, fds);
    g_assert_cmpuint(count_entries(side.qts, "task"), ==, tasks);
    side_end(&side);
}

/* --- slaves --- */

static void test_slave(const void *data)
{
    Side side;
    Couple c;
    uint32_t block = IDM_COUPLE(0);

    side_start(&side, data, true);
    check_reserved(&side);
    g_assert_cmphex(rd(&side, IDM_FEATURES), ==, 0);
    g_assert_cmphex(rd(&side, IDM_SELF), ==, IDM_SELF_NONE);
    couple_make(&c, 200);
    c.page->master.state = IDM_STATE_RUNNING;
    couple_attach(&c, &side);
    g_assert_cmpuint(rd(&side, IDM_SELF), ==, 200);
    g_assert_cmpuint(rd(&side, IDM_COUPLES), ==, 1);
    g_assert_cmphex(rd(&side, block + IDM_STATUS), ==, IDM_STATUS_ATTACHED);
    g_assert_cmphex(rd(&side, block + IDM_PEER_STATE), ==, IDM_STATE_RUNNING);
    g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, IDM_EVENT_STATE);
    for (uint32_t reg = IDM_CONTROL; reg < IDM_COUPLE_SIZE; reg += 4) {
        check_ro(&side, block + reg, 0);
    }

    woken(c.master_rx);
    wr(&side, block + IDM_DOORBELL, 17);
    g_assert_cmphex(qatomic_read(&c.page->master.pending), ==, 1u << 17);
    g_assert_cmpuint(woken(c.master_rx), ==, 1);

    wr(&side, block + IDM_ENABLE, 2);
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    qatomic_or(&c.page->slave.pending, 3);
    wake(c.slave_rx);
    settle(&side);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 3);
    g_assert_cmphex(rd(&side, IDM_SUMMARY(0)), ==, 1);
    g_assert_true(irq(&side));
    wr(&side, block + IDM_PENDING, 3);
    g_assert_false(irq(&side));

    couple_detach(&c, &side);
    g_assert_cmphex(rd(&side, IDM_SELF), ==, IDM_SELF_NONE);
    g_assert_cmphex(rd(&side, block + IDM_STATUS), ==, 0);
    couple_end(&c);
    side_end(&side);
}

static void test_two(const void *data)
{
    Side master, slave;
    Couple c;
    uint32_t to_slave = IDM_COUPLE(1), to_master = IDM_COUPLE(0);

    side_start(&master, &idm_virt, false);
    side_start(&slave, data, true);
    couple_make(&c, 1);
    couple_attach(&c, &master);
    g_assert_cmphex(rd(&master, to_slave + IDM_PEER_STATE), ==,
                    IDM_STATE_OFFLINE);
    couple_attach(&c, &slave);
    wait_for(&master, to_slave + IDM_PEER_STATE, UINT32_MAX,
             IDM_STATE_WAITING);

    wr(&master, to_slave + IDM_ENABLE, UINT32_MAX);
    wr(&slave, to_master + IDM_ENABLE, UINT32_MAX);
    wr(&master, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    wr(&slave, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    for (int i = 0; i < 1000; i++) {
        uint32_t bit = 1u << i % 32;

        wr(&master, to_slave + IDM_DOORBELL, i % 32);
        wait_for(&slave, to_master + IDM_PENDING, bit, bit);
        g_assert_true(irq(&slave));
        wr(&slave, to_master + IDM_PENDING, bit);
        g_assert_false(irq(&slave));
        wr(&slave, to_master + IDM_DOORBELL, i % 32);
        wait_for(&master, to_slave + IDM_PENDING, bit, bit);
        g_assert_true(irq(&master));
        wr(&master, to_slave + IDM_PENDING, bit);
        g_assert_false(irq(&master));
    }
    g_assert_cmpuint(c.page->master.sent, ==, 1000);
    g_assert_cmpuint(c.page->master.received, ==, 1000);
    g_assert_cmpuint(c.page->slave.sent, ==, 1000);
    g_assert_cmpuint(c.page->slave.received, ==, 1000);

    /* a process that ends says so */
    wr(&master, to_slave + IDM_EVENT, UINT32_MAX);
    wr(&master, to_slave + IDM_EVENT_ENABLE, IDM_EVENT_STATE);
    side_end(&slave);
    wait_for(&master, to_slave + IDM_PEER_STATE, UINT32_MAX,
             IDM_STATE_OFFLINE);
    g_assert_true(irq(&master));

    /* and another takes its place */
    wr(&master, to_slave + IDM_DOORBELL, 5);
    side_start(&slave, data, true);
    couple_attach(&c, &slave);
    wait_for(&master, to_slave + IDM_PEER_STATE, UINT32_MAX,
             IDM_STATE_WAITING);
    settle(&slave);
    g_assert_cmphex(rd(&slave, to_master + IDM_PENDING), ==, 0);
    wr(&master, to_slave + IDM_DOORBELL, 6);
    wait_for(&slave, to_master + IDM_PENDING, UINT32_MAX, 1u << 6);
    couple_end(&c);
    side_end(&slave);
    side_end(&master);
}

/* --- command lines --- */

static void check_refused(const char *args, const char *reason)
{
    g_autofree char *line = g_strdup_printf("%s -accel qtest -display none"
                                            " -nodefaults %s",
                                            g_getenv("QTEST_QEMU_BINARY"), args);
    g_autofree char *err = NULL;
    int status;

    g_assert(g_spawn_command_line_sync(line, NULL, &err, &status, NULL));
    g_assert_cmpint(WIFEXITED(status) ? WEXITSTATUS(status) : -1, ==, 1);
    if (!strstr(err, reason)) {
        g_error("'%s' said '%s', not '%s'", args, err, reason);
    }
}

static void test_refused(void)
{
    check_refused("-M virt -device idm_ipi -device idm_ipi",
                  "has a device for IPIs already");
    check_refused("-M mps2-an385 -device idm_ipi", "idm_ipi");
    check_refused("-M virt -device idm_ipi-flat,addr=0x0c100000,irq=1",
                  "'intc' is needed");
    check_refused("-M mps2-an385 -device idm_ipi-flat,irq=31",
                  "'addr' is needed");
    check_refused("-M mps2-an385 -device idm_ipi-flat,addr=0x50000000",
                  "'irq' is needed");
    check_refused("-M mps2-an385 -device idm_ipi-flat,addr=0x50000004,irq=31",
                  "'addr' must be a multiple");
    check_refused("-M mps2-an385 -device"
                  " idm_ipi-flat,addr=0x50000000,irq=32", "no input 32");
    /* RAM, and the first UART */
    check_refused("-M mps2-an385 -device idm_ipi-flat,addr=0x21000000,irq=31",
                  "there is 'mps.ram'");
    check_refused("-M mps2-an385 -device idm_ipi-flat,addr=0x40000000,irq=31",
                  "there is '");
    check_refused("-M mps2-an385 " FLAT_ARGS
                  " -device idm_ipi-flat,addr=0x50010000,irq=30",
                  "has a device for IPIs already");
    check_refused("-only-migratable -M mps2-an385 " FLAT_ARGS,
                  "only-migratable");
}

static void test_fdt(void)
{
    g_autofree char *path = NULL, *line = NULL, *blob = NULL;
    int fd = g_file_open_tmp("idm-test-XXXXXX.dtb", &path, NULL);
    int status, node, len;
    const fdt32_t *cells;

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    line = g_strdup_printf("%s -accel qtest -display none -nodefaults"
                           " -machine virt,dumpdtb=%s " VIRT_ARGS,
                           g_getenv("QTEST_QEMU_BINARY"), path);
    g_assert(g_spawn_command_line_sync(line, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    g_assert(g_file_get_contents(path, &blob, NULL, NULL));
    unlink(path);

    node = fdt_path_offset(blob, "/platform-bus@c000000/idm@0");
    g_assert_cmpint(node, >=, 0);
    g_assert_cmpint(fdt_node_check_compatible(blob, node, "het,idm-1.0"),
                    ==, 0);
    cells = fdt_getprop(blob, node, "reg", &len);
    g_assert_cmpint(len, ==, 8);
    g_assert_cmphex(fdt32_to_cpu(cells[0]), ==, 0);
    g_assert_cmphex(fdt32_to_cpu(cells[1]), ==, IDM_MMIO_SIZE);
    cells = fdt_getprop(blob, node, "interrupts", &len);
    g_assert_cmpint(len, ==, 12);
    g_assert_cmpuint(fdt32_to_cpu(cells[0]), ==, 0);        /* an SPI */
    g_assert_cmpuint(fdt32_to_cpu(cells[1]), ==, VIRT_SPI);
    g_assert_cmpuint(fdt32_to_cpu(cells[2]), ==, 4);        /* level, high */
}

/* --- */

typedef struct Test {
    const char *name;
    void (*run)(const void *data);
} Test;

static const Test tests[] = {
    { "global", test_global },
    { "reserved", test_reserved },
    { "access-size", test_access_size },
    { "unattached", test_unattached },
    { "attach", test_attach },
    { "attach-bad", test_attach_bad },
    { "window", test_window },
    { "doorbell", test_doorbell },
    { "receive", test_receive },
    { "peer-state", test_peer_state },
    { "hostile-page", test_hostile_page },
    { "control", test_control },
    { "detach", test_detach },
    { "reset", test_reset },
    { "many", test_many },
    { "slave", test_slave },
    { "two", test_two },
};

int main(int argc, char **argv)
{
    static const Machine *const machines[] = { &idm_virt, &idm_mps2 };

    g_test_init(&argc, &argv, NULL);
    for (int m = 0; m < ARRAY_SIZE(machines); m++) {
        if (!qtest_has_machine(machines[m]->name)) {
            continue;
        }
        for (int t = 0; t < ARRAY_SIZE(tests); t++) {
            g_autofree char *path = g_strdup_printf("/idm/%s/%s",
                                                    machines[m]->name,
                                                    tests[t].name);

            qtest_add_data_func(path, machines[m], tests[t].run);
        }
    }
    qtest_add_func("/idm/doorbell-full", test_doorbell_full);
    qtest_add_func("/idm/hostile-eventfd", test_hostile_eventfd);
    qtest_add_func("/idm/watch", test_watch);
    qtest_add_func("/idm/refused", test_refused);
    qtest_add_func("/idm/fdt", test_fdt);
    return g_test_run();
}
