/*
 * Tests of multi-socket-backend: a master, and slaves that mean it no good
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/eventfd.h>
#include <sys/socket.h>
#include "qobject/qlist.h"
#include "multi-socket-util.h"

#define STATE_OFFLINE 0
#define STATE_READY 2
#define STATE_RUNNING 3
#define STATE_CRASHED 5

#define COUPLE(reg) (IDM_COUPLE(1) + (reg))

static void end(Side *side)
{
    side_end(side);
    /* It has removed its socket */
    g_assert_false(g_file_test(socket_path(), G_FILE_TEST_EXISTS));
}

/* Whatever was done to it, it serves an honest slave */
static void still_works(Side *side, uint32_t id)
{
    Peer p;

    peer_attach(&p, id, STATE_READY);
    g_assert_cmpint(p.body.welcome.id, ==, id);
    wait_for(side, IDM_COUPLE(id) + IDM_PEER_STATE, ~0u, STATE_READY);
    peer_state(&p, STATE_OFFLINE);
    peer_close(&p);
}

/* --- attaching --- */

static void test_attach(void)
{
    MultiSocketWelcome *w;
    Side master;
    QDict *couple, *window;
    Peer p;

    master_start(&master, "");
    peer_attach(&p, 0, STATE_READY);
    w = &p.body.welcome;
    g_assert_cmpint(w->id, ==, 1);
    g_assert_cmphex(w->size, ==, WINDOW_SIZE);
    g_assert_cmphex(w->address, ==, RAM_END - WINDOW_SIZE);
    g_assert_cmphex(w->offset, ==, RAM_SIZE - WINDOW_SIZE);
    g_assert_cmphex(p.page->magic, ==, HET_PAGE_MAGIC);
    g_assert_cmpint(p.page->id, ==, 1);
    wait_event(&master, "HET_SLAVE_ATTACHED", 1);
    wait_state(&master, "ready");

    /* The guest sees what a broker's slave would show, and so does QMP */
    g_assert_cmpint(rd(&master, COUPLE(IDM_STATUS)), ==, IDM_STATUS_ATTACHED);
    g_assert_cmphex(rd(&master, COUPLE(IDM_WINDOW_BASE_LO)), ==, w->address);
    g_assert_cmphex(rd(&master, COUPLE(IDM_WINDOW_SIZE_LO)), ==, w->size);
    couple = query_couple(&master, 1);
    g_assert_cmpstr(qdict_get_str(couple, "peer-state"), ==, "ready");
    window = qdict_get_qdict(couple, "window");
    g_assert_cmphex(qdict_get_int(window, "address"), ==, w->address);
    g_assert_cmphex(qdict_get_int(window, "offset"), ==, w->offset);
    qobject_unref(couple);

    /* It is the master's own memory */
    qtest_writel(master.qts, w->address, 0x12345678);
    {
        uint32_t word = 0;

        g_assert_cmpint(pread(p.fds[MULTI_SOCKET_FD_MEMORY], &word, 4,
                              w->offset), ==, 4);
        g_assert_cmphex(word, ==, 0x12345678);
    }
    /* Vectors go both ways */
    wr(&master, COUPLE(IDM_DOORBELL), 7);
    g_assert_cmphex(p.page->slave.pending, ==, 1u << 7);
    p.page->master.pending = 1u << 9;
    wake(p.fds[MULTI_SOCKET_FD_TX]);
    wait_for(&master, COUPLE(IDM_PENDING), ~0u, 1u << 9);
    peer_close(&p);
    end(&master);
}

static void test_come_and_go(void)
{
    uint64_t address;
    Side master;
    Peer a, b;

    master_start(&master, "");
    peer_attach(&a, 0, STATE_RUNNING);
    peer_attach(&b, 0, STATE_READY);
    g_assert_cmpint(b.body.welcome.id, ==, 2);
    address = a.body.welcome.address;
    g_assert_cmphex(b.body.welcome.address, ==, address - WINDOW_SIZE);
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, STATE_RUNNING);

    /* One dies: its couple stays, and says so. The other does not mind. */
    wr(&master, COUPLE(IDM_EVENT), ~0u);
    peer_close(&a);
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, STATE_CRASHED);
    g_assert_cmpint(rd(&master, COUPLE(IDM_EVENT)), ==, IDM_EVENT_STATE);
    wait_state(&master, "crashed");
    g_assert_cmpint(rd(&master, IDM_COUPLES), ==, 2);

    /* Another takes its number and its place */
    peer_attach(&a, 0, STATE_READY);
    g_assert_cmpint(a.body.welcome.id, ==, 1);
    g_assert_cmphex(a.body.welcome.address, ==, address);
    wait_event(&master, "HET_SLAVE_DETACHED", 1);
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, STATE_READY);
    peer_state(&b, STATE_RUNNING);
    wait_for(&master, IDM_COUPLE(2) + IDM_PEER_STATE, ~0u, STATE_RUNNING);

    /* Who leaves in order has not crashed */
    peer_state(&a, STATE_OFFLINE);
    peer_close(&a);
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, STATE_OFFLINE);

    /* Taken away by QMP: the connection ends */
    qtest_qmp_assert_success(master.qts, "{ 'execute': 'het-slave-detach',"
                             " 'arguments': { 'id': 2 } }");
    peer_expect_end(&b);
    g_assert_cmpint(rd(&master, IDM_COUPLES), ==, 1);
    still_works(&master, 2);
    end(&master);
}

static void test_again_and_again(void)
{
    unsigned fds, maps;
    Side master;
    Peer p;

    master_start(&master, "");
    still_works(&master, 1);
    settle(&master);
    fds = count_entries(&master, "fd");
    maps = count_entries(&master, "map_files");
    for (int i = 0; i < 50; i++) {
        peer_attach(&p, 1, i % 2 ? STATE_RUNNING : STATE_READY);
        peer_close(&p);
    }
    still_works(&master, 1);
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, STATE_OFFLINE);
    settle(&master);
    g_assert_cmpint(count_entries(&master, "fd"), ==, fds);
    g_assert_cmpint(count_entries(&master, "map_files"), ==, maps);
    end(&master);
}

static void test_many(void)
{
    enum { MANY = 60 };
    g_autofree Peer *peers = g_new0(Peer, MANY);
    Side master;
    Peer p;

    master_start(&master, "");
    for (int i = 0; i < MANY; i++) {
        peer_connect(&peers[i]);
        peer_hello(&peers[i], 0, 2 * MIB, MULTI_SOCKET_ANY);
        peer_expect(&peers[i], MULTI_SOCKET_WELCOME);
        g_assert_cmpint(peers[i].body.welcome.id, ==, i + 1);
        g_assert_cmphex(peers[i].body.welcome.address, ==,
                        RAM_END - (i + 1) * 2 * MIB);
    }
    g_assert_cmpint(rd(&master, IDM_COUPLES), ==, MANY);
    peer_connect(&p);
    peer_hello(&p, 0, RAM_SIZE / 2 + 16 * MIB, MULTI_SOCKET_ANY);
    peer_expect(&p, MULTI_SOCKET_REFUSE);
    g_assert_nonnull(strstr(p.body.refuse.text, "no room"));
    peer_expect_end(&p);
    for (int i = 0; i < MANY; i++) {
        peer_close(&peers[i]);
    }
    end(&master);
}

static void test_refused(void)
{
    Side master;
    Peer p;

    master_start(&master, ",window-base=0x48000000");
    peer_attach(&p, 3, STATE_READY);
    peer_refused(3, WINDOW_SIZE, MULTI_SOCKET_ANY, "attached already");
    peer_refused(256, WINDOW_SIZE, MULTI_SOCKET_ANY, "not between");
    peer_refused(UINT32_MAX, WINDOW_SIZE, MULTI_SOCKET_ANY, "not between");
    peer_refused(0, 0, MULTI_SOCKET_ANY, "page size");
    peer_refused(0, WINDOW_SIZE + 1, MULTI_SOCKET_ANY, "page size");
    peer_refused(0, UINT64_MAX - 4095, MULTI_SOCKET_ANY, "no room");
    peer_refused(0, RAM_SIZE / 2 + 4096, MULTI_SOCKET_ANY, "no room");
    peer_refused(0, WINDOW_SIZE, RAM, "is not in");
    peer_refused(0, WINDOW_SIZE, RAM_END, "is not in");
    peer_refused(0, WINDOW_SIZE, RAM_END - WINDOW_SIZE / 2, "is not in");
    peer_refused(0, WINDOW_SIZE, UINT64_MAX - 4095, "is not in");
    peer_refused(0, WINDOW_SIZE, 0x48000001, "not aligned");
    peer_refused(0, WINDOW_SIZE, RAM_END - 24 * MIB, "overlaps");
    g_assert_cmpint(rd(&master, IDM_COUPLES), ==, 1);
    peer_close(&p);
    end(&master);
}

/* --- hostile slaves --- */

static void garbage(const MultiSocketHeader *header)
{
    MultiSocketHello hello = { .size = WINDOW_SIZE,
                               .address = MULTI_SOCKET_ANY };
    Peer p;

    peer_connect(&p);
    peer_send_raw(&p, header, sizeof(*header));
    peer_send_raw(&p, &hello, sizeof(hello));
    peer_expect_end(&p);
}

static void test_headers(void)
{
    const MultiSocketHeader good = {
        .magic = MULTI_SOCKET_MAGIC, .version = MULTI_SOCKET_VERSION,
        .type = MULTI_SOCKET_HELLO, .length = sizeof(MultiSocketHello),
    };
    MultiSocketHeader bad[10];
    Side master;
    Peer other;

    for (int i = 0; i < ARRAY_SIZE(bad); i++) {
        bad[i] = good;
    }
    bad[0].magic++;
    bad[1].magic = 0;
    bad[2].version = 0;
    bad[3].version++;
    bad[4].type = 0;
    bad[5].type = MULTI_SOCKET_TYPE__MAX;
    bad[6].type = UINT16_MAX;
    bad[7].length++;
    bad[8].length = 0;
    bad[9].length = UINT32_MAX;

    master_start(&master, "");
    peer_attach(&other, 2, STATE_RUNNING);
    for (int i = 0; i < ARRAY_SIZE(bad); i++) {
        garbage(&bad[i]);
    }
    wait_for(&master, IDM_COUPLE(2) + IDM_PEER_STATE, ~0u, STATE_RUNNING);
    g_assert_cmpint(rd(&master, IDM_COUPLES), ==, 1);
    still_works(&master, 1);
    peer_close(&other);
    end(&master);
}

static void test_out_of_order(void)
{
    MultiSocketBody body = { };
    Side master;
    Peer p;

    master_start(&master, "");
    /* Before HELLO */
    peer_connect(&p);
    peer_result(&p, 0, IDM_RESULT_DONE);
    peer_expect_end(&p);
    /* What only a master says */
    peer_connect(&p);
    peer_send(&p, MULTI_SOCKET_WELCOME, 0, &body, sizeof(MultiSocketWelcome));
    peer_expect_end(&p);
    /* HELLO again: cut off, and the guest is told, whatever the page says */
    peer_attach(&p, 1, STATE_RUNNING);
    peer_hello(&p, 2, WINDOW_SIZE, MULTI_SOCKET_ANY);
    peer_wait_end(&p);
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, STATE_CRASHED);
    peer_state(&p, STATE_RUNNING);
    settle(&master);
    g_assert_cmpint(rd(&master, COUPLE(IDM_PEER_STATE)), ==, STATE_CRASHED);
    peer_close(&p);
    /* An answer to nothing */
    peer_attach(&p, 1, STATE_RUNNING);
    peer_result(&p, 0, IDM_RESULT_DONE);
    peer_expect_end(&p);
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, STATE_CRASHED);
    still_works(&master, 1);
    end(&master);
}

static void test_flood(void)
{
    g_autofree char *data = g_malloc0(64 * 1024);
    Side master;
    Peer p;

    master_start(&master, "");
    peer_connect(&p);
    peer_send_raw(&p, data, 64 * 1024);
    peer_expect_end(&p);
    /* HELLOs without end, of which the second one is one too many */
    peer_connect(&p);
    for (int i = 0; i < 1000; i++) {
        MultiSocketHello hello = { .size = WINDOW_SIZE,
                                   .address = MULTI_SOCKET_ANY };
        MultiSocketHeader header = {
            .magic = MULTI_SOCKET_MAGIC, .version = MULTI_SOCKET_VERSION,
            .type = MULTI_SOCKET_HELLO, .length = sizeof(hello),
        };

        peer_send_raw(&p, &header, sizeof(header));
        peer_send_raw(&p, &hello, sizeof(hello));
    }
    peer_close(&p);
    for (int i = 0; i < 300; i++) {
        peer_connect(&p);
        peer_close(&p);
    }
    still_works(&master, 1);
    end(&master);
}

static void test_stall(void)
{
    enum { MANY = 40 };
    Peer silent[MANY], half, p;
    uint32_t magic = MULTI_SOCKET_MAGIC;
    Side master;

    /* Nobody need wait for those that say nothing */
    master_start(&master, ",timeout=3600000");
    for (int i = 0; i < MANY; i++) {
        peer_connect(&silent[i]);
    }
    still_works(&master, 1);
    peer_expect_end(&silent[0]);
    for (int i = 1; i < MANY; i++) {
        peer_close(&silent[i]);
    }
    end(&master);

    /* They are not kept for ever */
    master_start(&master, ",timeout=200");
    peer_connect(&p);
    peer_connect(&half);
    peer_send_raw(&half, &magic, sizeof(magic));
    peer_expect_end(&p);
    peer_expect_end(&half);
    /* A slave that is attached need not say anything */
    peer_attach(&p, 1, STATE_READY);
    peer_connect(&half);
    peer_expect_end(&half);
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, STATE_READY);
    peer_close(&p);
    end(&master);
}

static void test_fds_of_slave(void)
{
    MultiSocketHello hello = { .size = WINDOW_SIZE,
                               .address = MULTI_SOCKET_ANY };
    int pipes[2], fds[64];
    unsigned before;
    Side master;
    Peer p;

    g_assert_cmpint(pipe(pipes), ==, 0);
    for (int i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = pipes[0];
    }
    master_start(&master, "");
    still_works(&master, 1);
    settle(&master);
    before = count_entries(&master, "fd");
    /* None is taken, so that none can be used up, and none can leak */
    peer_connect(&p);
    peer_send_fds(&p, MULTI_SOCKET_HELLO, 0, &hello, sizeof(hello), fds,
                  ARRAY_SIZE(fds));
    peer_expect(&p, MULTI_SOCKET_WELCOME);
    settle(&master);
    g_assert_cmpint(count_entries(&master, "fd"), ==, before + 1);
    peer_close(&p);
    close(pipes[0]);
    close(pipes[1]);
    end(&master);
}

/* Another user may come as far as the socket, and no further */
static void test_peer_uid(void)
{
    g_autofree char *more = g_strdup_printf(",peer-uid=%u", geteuid() + 1);
    Side master;
    Peer p;

    master_start(&master, more);
    peer_connect(&p);
    peer_expect_end(&p);
    end(&master);
}

/* --- what the guest asks for --- */

static void request(Side *side, uint32_t command)
{
    wr(side, COUPLE(IDM_EVENT), ~0u);
    wr(side, COUPLE(IDM_ENTRY_LO), 0x4f000000);
    wr(side, COUPLE(IDM_ARGUMENT_LO), 0x4f100000);
    wr(side, COUPLE(IDM_CONTROL), command);
}

static void answered(Side *side, uint32_t result)
{
    wait_for(side, COUPLE(IDM_CONTROL), 0xff, result);
    g_assert_true(rd(side, COUPLE(IDM_EVENT)) & IDM_EVENT_REQUEST);
}

static void test_requests(void)
{
    uint32_t serial;
    Side master;
    Peer p;

    master_start(&master, "");
    peer_attach(&p, 1, STATE_READY);
    request(&master, IDM_CONTROL_START |
            IDM_CONTROL_PROTOCOL(IDM_PROTOCOL_LINUX));
    wait_event(&master, "HET_BOOT_REQUEST", 1);
    peer_expect(&p, MULTI_SOCKET_BOOT);
    g_assert_cmphex(p.body.boot.entry, ==, 0x4f000000);
    g_assert_cmphex(p.body.boot.argument, ==, 0x4f100000);
    g_assert_cmpint(p.body.boot.protocol, ==, IDM_PROTOCOL_LINUX);
    g_assert_cmpint(rd(&master, COUPLE(IDM_CONTROL)), ==, IDM_RESULT_PENDING);
    serial = p.header.serial;
    peer_result(&p, serial, IDM_RESULT_DONE);
    answered(&master, IDM_RESULT_DONE);

    request(&master, IDM_CONTROL_STOP);
    wait_event(&master, "HET_STOP_REQUEST", 1);
    peer_expect(&p, MULTI_SOCKET_STOP);
    g_assert_cmpint(p.header.serial, !=, serial);
    peer_result(&p, p.header.serial, IDM_RESULT_REFUSED);
    answered(&master, IDM_RESULT_REFUSED);

    /* QMP may answer first; then the slave's answer changes nothing */
    request(&master, IDM_CONTROL_STOP);
    peer_expect(&p, MULTI_SOCKET_STOP);
    complete(&master, 1, "refused", true);
    peer_result(&p, p.header.serial, IDM_RESULT_DONE);
    settle(&master);
    answered(&master, IDM_RESULT_REFUSED);
    request(&master, IDM_CONTROL_STOP);
    peer_expect(&p, MULTI_SOCKET_STOP);
    serial = p.header.serial;
    complete(&master, 1, "refused", true);
    request(&master, IDM_CONTROL_STOP);
    peer_expect(&p, MULTI_SOCKET_STOP);
    peer_result(&p, serial, IDM_RESULT_FAILED);
    settle(&master);
    g_assert_cmpint(rd(&master, COUPLE(IDM_CONTROL)), ==, IDM_RESULT_PENDING);
    peer_result(&p, p.header.serial, IDM_RESULT_DONE);
    answered(&master, IDM_RESULT_DONE);
    peer_close(&p);
    end(&master);
}

static void test_bad_answers(void)
{
    Side master;
    Peer p;

    master_start(&master, ",timeout=200");
    /* The wrong number, no result at all, none in time, the end instead */
    for (int i = 0; i < 5; i++) {
        peer_attach(&p, 1, STATE_READY);
        request(&master, IDM_CONTROL_START);
        peer_expect(&p, MULTI_SOCKET_BOOT);
        switch (i) {
        case 0:
            peer_result(&p, p.header.serial + 1, IDM_RESULT_DONE);
            break;
        case 1:
            peer_result(&p, p.header.serial, IDM_RESULT_PENDING);
            break;
        case 2:
            peer_result(&p, p.header.serial, UINT32_MAX);
            break;
        case 3:
            break;
        case 4:
            peer_close(&p);
            break;
        }
        if (i < 4) {
            peer_expect_end(&p);
        }
        answered(&master, IDM_RESULT_FAILED);
        wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, STATE_CRASHED);
    }
    /* Nobody is there */
    request(&master, IDM_CONTROL_START);
    answered(&master, IDM_RESULT_FAILED);
    still_works(&master, 1);
    end(&master);
}

static void add_arm_tests(void)
{
    qtest_add_func("/multi-socket/master/attach", test_attach);
    qtest_add_func("/multi-socket/master/come-and-go", test_come_and_go);
    qtest_add_func("/multi-socket/master/again", test_again_and_again);
    qtest_add_func("/multi-socket/master/many", test_many);
    qtest_add_func("/multi-socket/master/refused", test_refused);
    qtest_add_func("/multi-socket/master/headers", test_headers);
    qtest_add_func("/multi-socket/master/out-of-order", test_out_of_order);
    qtest_add_func("/multi-socket/master/flood", test_flood);
    qtest_add_func("/multi-socket/master/stall", test_stall);
    qtest_add_func("/multi-socket/master/fds", test_fds_of_slave);
    qtest_add_func("/multi-socket/master/peer-uid", test_peer_uid);
    qtest_add_func("/multi-socket/master/requests", test_requests);
    qtest_add_func("/multi-socket/master/bad-answers", test_bad_answers);
    add_slave_tests();
    add_pair_tests();
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    add_place_tests();
    /* The other machines are of Arm */
    if (!strcmp(qtest_get_arch(), "arm") ||
        !strcmp(qtest_get_arch(), "aarch64")) {
        add_arm_tests();
    }
    ret = g_test_run();
    socket_remove();
    return ret;
}
