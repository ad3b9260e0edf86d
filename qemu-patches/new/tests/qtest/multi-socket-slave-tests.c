/*
 * Tests of multi-socket-backend: a slave, and masters that lie to it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "qobject/qlist.h"
#include "multi-socket-util.h"

#define WINDOW 0x50000000u

/* What a master hands out: fds in the order of WELCOME */
typedef struct Offer {
    MultiSocketWelcome welcome;
    int fds[MULTI_SOCKET_FD__MAX];
    Couple couple;
} Offer;

static void offer_make(Offer *o)
{
    couple_make(&o->couple, 1);
    o->welcome = (MultiSocketWelcome) {
        .id = 1, .offset = MIB, .size = WINDOW_SIZE, .address = WINDOW,
    };
    o->fds[MULTI_SOCKET_FD_MEMORY] = make_memfd(WINDOW_SIZE + MIB, SEALS);
    o->fds[MULTI_SOCKET_FD_PAGE] = o->couple.page_fd;
    o->fds[MULTI_SOCKET_FD_RX] = o->couple.slave_rx;
    o->fds[MULTI_SOCKET_FD_TX] = o->couple.master_rx;
    o->fds[MULTI_SOCKET_FD_RX_HALT] = make_eventfd();
    o->fds[MULTI_SOCKET_FD_TX_HALT] = make_eventfd();
}

static void offer_end(Offer *o)
{
    close(o->fds[MULTI_SOCKET_FD_MEMORY]);
    close(o->fds[MULTI_SOCKET_FD_RX_HALT]);
    close(o->fds[MULTI_SOCKET_FD_TX_HALT]);
    couple_end(&o->couple);
}

static void offer_send(const Offer *o, Peer *p, unsigned nfds)
{
    peer_send_fds(p, MULTI_SOCKET_WELCOME, 0, &o->welcome, sizeof(o->welcome),
                  o->fds, nfds);
}

static void check_state(Side *slave, const char *state)
{
    QDict *info = qtest_qmp_assert_success_ref(slave->qts,
                                               "{ 'execute': 'query-het' }");

    g_assert_cmpstr(qdict_get_str(info, "state"), ==, state);
    qobject_unref(info);
}

/* What connects is this slave, and it wants what it should */
static void greeted(Peer *p, int listener)
{
    peer_accept(p, listener);
    peer_expect(p, MULTI_SOCKET_HELLO);
    g_assert_cmpint(p->body.hello.id, ==, 0);
    g_assert_cmphex(p->body.hello.size, ==, WINDOW_SIZE);
    g_assert_cmphex(p->body.hello.address, ==, MULTI_SOCKET_ANY);
}

static void result(Peer *p, uint32_t serial, uint32_t want, const char *text)
{
    peer_expect(p, MULTI_SOCKET_RESULT);
    g_assert_cmpint(p->header.serial, ==, serial);
    g_assert_cmpint(p->body.result.result, ==, want);
    if (!strstr(p->body.result.text, text)) {
        g_error("wanted '%s', got '%s'", text, p->body.result.text);
    }
}

static void boot(Peer *p, uint32_t serial, uint64_t entry, uint32_t protocol)
{
    MultiSocketBoot body = { .entry = entry, .protocol = protocol };

    peer_send(p, MULTI_SOCKET_BOOT, serial, &body, sizeof(body));
}

/* --- what it does --- */

static void test_life(void)
{
    int listener;
    Side slave;
    Offer o;
    Peer p;

    /* It waits for its master */
    unlink(socket_path());
    slave_start(&slave, "");
    check_state(&slave, "waiting");
    listener = peer_listen();
    greeted(&p, listener);

    offer_make(&o);
    offer_send(&o, &p, MULTI_SOCKET_FD__MAX);
    wait_event(&slave, "HET_SLAVE_ATTACHED", 1);
    wait_state(&slave, "ready");
    g_assert_cmpint(rd(&slave, IDM_SELF), ==, 1);
    g_assert_cmpint(o.couple.page->slave.state, ==, 2);

    /* Not where there is no memory, not with an unknown protocol */
    boot(&p, 1, 0x30000000, 0);
    result(&p, 1, IDM_RESULT_FAILED, "no memory at the entry");
    boot(&p, 7, 0, 0);
    result(&p, 7, IDM_RESULT_REFUSED, "entry 0");
    boot(&p, 2, WINDOW, 99);
    result(&p, 2, IDM_RESULT_REFUSED, "protocol 99");
    check_state(&slave, "ready");
    boot(&p, 3, WINDOW, IDM_PROTOCOL_RAW);
    result(&p, 3, IDM_RESULT_DONE, "");
    check_state(&slave, "running");
    boot(&p, 4, WINDOW, IDM_PROTOCOL_RAW);
    result(&p, 4, IDM_RESULT_REFUSED, "stopped first");
    peer_send(&p, MULTI_SOCKET_STOP, 5, NULL, 0);
    result(&p, 5, IDM_RESULT_DONE, "");
    check_state(&slave, "ready");
    boot(&p, 6, WINDOW, IDM_PROTOCOL_AUTO);
    result(&p, 6, IDM_RESULT_DONE, "");

    /* The master goes: so does everything that came from it */
    peer_close(&p);
    wait_state(&slave, "waiting");
    g_assert_cmpint(rd(&slave, IDM_COUPLES), ==, 0);
    greeted(&p, listener);
    offer_end(&o);

    /* It comes again, with something else */
    offer_make(&o);
    offer_send(&o, &p, MULTI_SOCKET_FD__MAX);
    wait_state(&slave, "ready");

    /* QMP takes the master away: as if it had gone */
    qtest_qmp_assert_success(slave.qts, "{ 'execute': 'het-master-detach' }");
    peer_expect_end(&p);
    greeted(&p, listener);
    offer_end(&o);
    peer_close(&p);
    close(listener);
    side_end(&slave);
}

static void test_options(void)
{
    int listener = peer_listen();
    Side slave;
    Peer p;

    slave_start(&slave, ",slave-id=7,window-address=0x60000000");
    peer_accept(&p, listener);
    peer_expect(&p, MULTI_SOCKET_HELLO);
    g_assert_cmpint(p.body.hello.id, ==, 7);
    g_assert_cmphex(p.body.hello.address, ==, 0x60000000);
    peer_close(&p);
    close(listener);
    side_end(&slave);
}

/* --- masters that lie --- */

typedef struct Lie {
    const char *name;
    void (*tell)(Offer *o, unsigned *nfds);
} Lie;

static void replace_fd(Offer *o, MultiSocketFd which, int fd)
{
    g_assert_cmpint(dup2(fd, o->fds[which]), ==, o->fds[which]);
    close(fd);
}

static void few_fds(Offer *o, unsigned *nfds)
{
    *nfds = MULTI_SOCKET_FD_TX_HALT;
}

static void no_fds(Offer *o, unsigned *nfds)
{
    *nfds = 0;
}

static void unsealed_memory(Offer *o, unsigned *nfds)
{
    replace_fd(o, MULTI_SOCKET_FD_MEMORY, make_memfd(WINDOW_SIZE + MIB, 0));
}

static void small_memory(Offer *o, unsigned *nfds)
{
    replace_fd(o, MULTI_SOCKET_FD_MEMORY, make_memfd(WINDOW_SIZE, SEALS));
}

static void no_memory(Offer *o, unsigned *nfds)
{
    replace_fd(o, MULTI_SOCKET_FD_MEMORY, open("/dev/zero", O_RDWR));
}

static void eventfd_as_memory(Offer *o, unsigned *nfds)
{
    replace_fd(o, MULTI_SOCKET_FD_MEMORY, make_eventfd());
}

static void memory_as_eventfd(Offer *o, unsigned *nfds)
{
    replace_fd(o, MULTI_SOCKET_FD_RX_HALT, make_memfd(4096, SEALS));
}

static void unsealed_page(Offer *o, unsigned *nfds)
{
    replace_fd(o, MULTI_SOCKET_FD_PAGE, make_memfd(HET_PAGE_SIZE, 0));
}

static void empty_page(Offer *o, unsigned *nfds)
{
    o->couple.page->magic = 0;
}

static void page_of_other(Offer *o, unsigned *nfds)
{
    o->couple.page->id = 2;
}

static void odd_offset(Offer *o, unsigned *nfds)
{
    o->welcome.offset = 1;
}

static void far_offset(Offer *o, unsigned *nfds)
{
    o->welcome.offset = -(uint64_t)MIB;
}

static void other_size(Offer *o, unsigned *nfds)
{
    o->welcome.size = WINDOW_SIZE / 2;
}

static void odd_address(Offer *o, unsigned *nfds)
{
    o->welcome.address = WINDOW + 1;
}

static void address_of_device(Offer *o, unsigned *nfds)
{
    o->welcome.address = 0x08000000;
}

static void bad_id(Offer *o, unsigned *nfds)
{
    o->welcome.id = 256;
}

static const Lie lies[] = {
    { "few-fds", few_fds },
    { "no-fds", no_fds },
    { "unsealed-memory", unsealed_memory },
    { "small-memory", small_memory },
    { "no-memory", no_memory },
    { "eventfd-as-memory", eventfd_as_memory },
    { "memory-as-eventfd", memory_as_eventfd },
    { "unsealed-page", unsealed_page },
    { "empty-page", empty_page },
    { "page-of-other", page_of_other },
    { "odd-offset", odd_offset },
    { "far-offset", far_offset },
    { "other-size", other_size },
    { "odd-address", odd_address },
    { "address-of-device", address_of_device },
    { "bad-id", bad_id },
};

/* It ends the connection, keeps nothing, and tries again */
static void test_lies(void)
{
    int listener = peer_listen();
    unsigned before = 0;
    Side slave;
    Offer o;
    Peer p;

    slave_start(&slave, "");
    for (int i = 0; i < ARRAY_SIZE(lies); i++) {
        unsigned nfds = MULTI_SOCKET_FD__MAX;

        g_test_message("%s", lies[i].name);
        greeted(&p, listener);
        settle(&slave);
        if (i == 0) {
            before = count_entries(&slave, "fd");
        }
        g_assert_cmpint(count_entries(&slave, "fd"), ==, before);
        offer_make(&o);
        lies[i].tell(&o, &nfds);
        offer_send(&o, &p, nfds);
        peer_expect_end(&p);
        check_state(&slave, "waiting");
        g_assert_cmpint(rd(&slave, IDM_COUPLES), ==, 0);
        offer_end(&o);
    }
    /* And the truth is taken */
    greeted(&p, listener);
    offer_make(&o);
    offer_send(&o, &p, MULTI_SOCKET_FD__MAX);
    peer_send(&p, MULTI_SOCKET_STOP, 1, NULL, 0);
    result(&p, 1, IDM_RESULT_DONE, "");
    check_state(&slave, "ready");
    peer_close(&p);
    offer_end(&o);
    close(listener);
    side_end(&slave);
}

static void test_out_of_order(void)
{
    MultiSocketRefuse refuse = { .text = "go\n\033[31m away" };
    MultiSocketHeader header = { .magic = ~MULTI_SOCKET_MAGIC };
    int listener = peer_listen();
    Side slave;
    Offer o;
    Peer p;

    slave_start(&slave, "");
    /* Before WELCOME */
    greeted(&p, listener);
    boot(&p, 1, WINDOW, 0);
    peer_expect_end(&p);
    greeted(&p, listener);
    peer_send_raw(&p, &header, sizeof(header));
    peer_expect_end(&p);
    greeted(&p, listener);
    peer_send(&p, MULTI_SOCKET_REFUSE, 0, &refuse, sizeof(refuse));
    peer_expect_end(&p);
    /* Twice */
    greeted(&p, listener);
    offer_make(&o);
    offer_send(&o, &p, MULTI_SOCKET_FD__MAX);
    wait_state(&slave, "ready");
    offer_send(&o, &p, MULTI_SOCKET_FD__MAX);
    peer_expect_end(&p);
    wait_state(&slave, "waiting");
    /* With fds that do not belong there */
    greeted(&p, listener);
    offer_send(&o, &p, MULTI_SOCKET_FD__MAX);
    wait_state(&slave, "ready");
    peer_send_fds(&p, MULTI_SOCKET_STOP, 1, NULL, 0, o.fds, 1);
    peer_expect_end(&p);
    wait_state(&slave, "waiting");
    greeted(&p, listener);
    peer_close(&p);
    offer_end(&o);
    close(listener);
    side_end(&slave);
}

/* One that says nothing is not waited for, nor is one that reads nothing */
static void test_stall(void)
{
    int listener = peer_listen();
    Side slave;
    Offer o;
    Peer p;

    slave_start(&slave, ",timeout=200");
    greeted(&p, listener);
    peer_expect_end(&p);
    greeted(&p, listener);
    offer_make(&o);
    offer_send(&o, &p, MULTI_SOCKET_FD__MAX);
    wait_state(&slave, "ready");
    for (int i = 0; i < 100000; i++) {
        MultiSocketHeader stop = {
            .magic = MULTI_SOCKET_MAGIC, .version = MULTI_SOCKET_VERSION,
            .type = MULTI_SOCKET_STOP, .serial = i,
        };

        peer_send_raw(&p, &stop, sizeof(stop));
    }
    wait_state(&slave, "waiting");
    peer_close(&p);
    greeted(&p, listener);
    peer_close(&p);
    offer_end(&o);
    close(listener);
    side_end(&slave);
}

void add_slave_tests(void)
{
    qtest_add_func("/multi-socket/slave/life", test_life);
    qtest_add_func("/multi-socket/slave/options", test_options);
    qtest_add_func("/multi-socket/slave/lies", test_lies);
    qtest_add_func("/multi-socket/slave/out-of-order", test_out_of_order);
    qtest_add_func("/multi-socket/slave/stall", test_stall);
}
