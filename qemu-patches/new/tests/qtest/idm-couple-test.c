/*
 * Test of couples: attaching, sending, receiving, hostile other sides
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "idm-util.h"

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

/* --- back to who has lost its file descriptors --- */

static unsigned receive_fds(int socket, int *fds, unsigned max)
{
    g_autofree char *control = g_malloc0(CMSG_SPACE(max * sizeof(*fds)));
    char byte;
    struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = CMSG_SPACE(max * sizeof(*fds)),
    };
    struct cmsghdr *cmsg;
    unsigned n;

    g_assert_cmpint(recvmsg(socket, &msg, MSG_CMSG_CLOEXEC), ==, 1);
    cmsg = CMSG_FIRSTHDR(&msg);
    g_assert_nonnull(cmsg);
    g_assert_cmpint(cmsg->cmsg_type, ==, SCM_RIGHTS);
    n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(*fds);
    memcpy(fds, CMSG_DATA(cmsg), n * sizeof(*fds));
    return n;
}

static QDict *export_couple(Side *side, uint32_t id, int *mine)
{
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    give_fd(side->qts, "s", pair[0]);
    close(pair[0]);
    *mine = pair[1];
    return qtest_qmp(side->qts, "{ 'execute': 'het-couple-export',"
                     " 'arguments': { 'id': %u, 'socket': 's' } }", id);
}

static void test_export(const void *data)
{
    Side side;
    Couple c;
    QDict *resp, *export;
    struct stat ours, theirs;
    int mine, fds[8];

    side_start(&side, data, false);
    couple_make(&c, 3);
    couple_attach(&c, &side);

    resp = export_couple(&side, 4, &mine);
    g_assert(qdict_haskey(resp, "error"));
    qobject_unref(resp);
    close(mine);
    fd_name_is_gone(side.qts, "s");

    resp = export_couple(&side, 3, &mine);
    export = qdict_get_qdict(resp, "return");
    g_assert_nonnull(export);
    g_assert_false(qdict_get_bool(export, "halt"));
    g_assert_false(qdict_haskey(export, "memory-offset"));
    qobject_unref(resp);
    g_assert_cmpuint(receive_fds(mine, fds, ARRAY_SIZE(fds)), ==, 3);
    close(mine);
    fd_name_is_gone(side.qts, "s");

    /* in this order: page, rx, tx */
    g_assert_cmpint(fstat(c.page_fd, &ours), ==, 0);
    g_assert_cmpint(fstat(fds[0], &theirs), ==, 0);
    g_assert_cmpuint(theirs.st_ino, ==, ours.st_ino);
    woken(c.slave_rx);
    wake(fds[2]);
    g_assert_cmpuint(woken(c.slave_rx), ==, 1);
    qatomic_or(&c.page->master.pending, 1u << 5);
    wake(fds[1]);
    wait_for(&side, IDM_COUPLE(3) + IDM_PENDING, 1u << 5, 1u << 5);
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
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

/* A counter that is full must not stop the writer, nor one that may wait */
static void test_doorbell_full(void)
{
    uint64_t nearly = UINT64_MAX - 1;
    Side side;
    Couple c;

    side_start(&side, machine_first(), false);
    couple_make(&c, 1);
    couple_attach(&c, &side);
    woken(c.slave_rx);
    g_assert_cmpint(write(c.slave_rx, &nearly, sizeof(nearly)), ==,
                    sizeof(nearly));
    g_assert_true(g_unix_set_fd_nonblocking(c.slave_rx, false, NULL));
    wr(&side, IDM_COUPLE(1) + IDM_DOORBELL, 3);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 1u << 3);
    g_assert_true(g_unix_set_fd_nonblocking(c.slave_rx, true, NULL));
    /* many, so that nothing that is used up by each is left */
    for (int i = 0; i < 2000; i++) {
        woken(c.slave_rx);
        qatomic_set(&c.page->slave.pending, 0);
        wr(&side, IDM_COUPLE(1) + IDM_DOORBELL, i % 32);
        g_assert_cmpuint(woken(c.slave_rx), ==, 1);
    }
    couple_end(&c);
    side_end(&side);
}

/* --- the other side's state --- */

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

static void test_watch(void)
{
    Side side;
    Couple c;
    QDict *event, *what;

    side_start(&side, machine_first(), false);
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

/* --- hostile other sides --- */

/* However fast the states change, QMP is told of few, and of the last */
static void test_state_storm(void)
{
    gint64 start = g_get_monotonic_time();
    unsigned told = 0, most;
    Side side;
    Couple c;
    QDict *event;
    const char *state;

    side_start(&side, machine_first(), false);
    couple_make(&c, 2);
    couple_attach(&c, &side);
    for (int i = 0; i < 500; i++) {
        set_slave_state(&c, i % 2 ? IDM_STATE_READY : IDM_STATE_RUNNING);
        settle(&side);
    }
    set_slave_state(&c, IDM_STATE_CRASHED);
    do {
        event = qtest_qmp_eventwait_ref(side.qts, "HET_SLAVE_STATE");
        state = qdict_get_str(qdict_get_qdict(event, "data"), "state");
        told++;
        if (g_str_equal(state, "crashed")) {
            state = NULL;
        }
        qobject_unref(event);
    } while (state);
    most = (g_get_monotonic_time() - start) / 100000 + 2;
    g_assert_cmpuint(told, <=, most);
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

    side_start(&side, machine_first(), false);
    couple_make(&c, 1);
    couple_attach(&c, &side);
    for (int i = 0; i < 10000; i++) {
        gint64 until;

        g_unix_set_fd_nonblocking(c.master_rx, false, NULL);
        wake(c.master_rx);
        /* somewhere between QEMU's poll and its read, with luck */
        until = g_get_monotonic_time() + i % 50;
        while (g_get_monotonic_time() < until) {
            /* too short to sleep */
        }
        g_unix_set_fd_nonblocking(c.master_rx, true, NULL);
        woken(c.master_rx);
        g_unix_set_fd_nonblocking(c.master_rx, false, NULL);
        /* hangs with the main loop if that waits in read() */
        rd(&side, IDM_ID);
    }
    settle(&side);
    send_to_master(&c, 1);
    settle(&side);
    g_assert_cmphex(rd(&side, IDM_COUPLE(1) + IDM_PENDING), ==, 1);
    couple_end(&c);
    side_end(&side);
}

/* --- the couple's end --- */

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

/* --- */

static const MachineTest tests[] = {
    { "attach", test_attach },
    { "attach-bad", test_attach_bad },
    { "export", test_export },
    { "window", test_window },
    { "doorbell", test_doorbell },
    { "peer-state", test_peer_state },
    { "hostile-page", test_hostile_page },
    { "detach", test_detach },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_machine_tests(tests, ARRAY_SIZE(tests));
    add_receive_tests();
    qtest_add_func("/idm/doorbell-full", test_doorbell_full);
    qtest_add_func("/idm/watch", test_watch);
    qtest_add_func("/idm/hostile-eventfd", test_hostile_eventfd);
    qtest_add_func("/idm/state-storm", test_state_storm);
    return g_test_run();
}
