/*
 * Test of couples with halt eventfds: a thread waits for them, and a halted
 * vCPU waits for the doorbell itself, whatever its peer does
 *
 * The master is a Cortex-M3 under TCG whose firmware sends each vector back
 * to where it came from; the test is the slave. A wake-up that is lost is an
 * echo that never comes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <poll.h>
#include <sched.h>
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "idm-util.h"

#define ECHO_MS         30000
#define STOPPED_ROUNDS  100000

/* A couple whose other side is the test, with halt eventfds or without */
typedef struct Halt {
    Couple couple;
    int master_halt;        /* -1: none */
    int slave_halt;
} Halt;

static void halt_make(Halt *h, uint32_t id, bool direct)
{
    couple_make(&h->couple, id);
    h->master_halt = direct ? make_eventfd() : -1;
    h->slave_halt = direct ? make_eventfd() : -1;
}

static void halt_end(Halt *h)
{
    couple_end(&h->couple);
    if (h->master_halt >= 0) {
        close(h->master_halt);
        close(h->slave_halt);
    }
}

static void halt_attach(Halt *h, Side *side)
{
    if (h->master_halt < 0) {
        couple_attach(&h->couple, side);
        return;
    }
    give_fd(side->qts, "page", h->couple.page_fd);
    give_fd(side->qts, "rx", h->couple.master_rx);
    give_fd(side->qts, "tx", h->couple.slave_rx);
    give_fd(side->qts, "rx-halt", h->master_halt);
    give_fd(side->qts, "tx-halt", h->slave_halt);
    qtest_qmp_assert_success(side->qts, "{ 'execute': 'het-slave-attach',"
                             " 'arguments': { 'id': %u, 'couple': {"
                             " 'page': 'page', 'rx': 'rx', 'tx': 'tx',"
                             " 'rx-halt': 'rx-halt', 'tx-halt': 'tx-halt' }"
                             " } }", h->couple.id);
}

/* --- the master's firmware --- */

/*
 * reset:   NVIC input 31 on; IDM: CTRL = 1, ENABLE of couple 1 = ~0
 * 1:       wfi; b 1b
 * fault:   b fault
 * handler: r0 = PENDING; PENDING = r0
 * 2:       r0 == 0: dsb; bx lr
 *          v = the highest bit of r0; clear it in r0; DOORBELL = v; b 2b
 */
static const uint16_t firmware[] = {
    0x480e, 0xf04f, 0x4100, 0x6001, 0xf04f, 0x44a0, 0x2101, 0x61a1,
    0x4d0b, 0xf06f, 0x0100, 0x60e9, 0xbf30, 0xe7fd, 0xe7fe, 0x68a8,
    0x60a8, 0xb140, 0xfab0, 0xf180, 0xf1c1, 0x011f, 0x2201, 0x408a,
    0x4390, 0x6069, 0xe7f5, 0xf3bf, 0x8f4f, 0x4770, 0xe100, 0xe000,
    0x1040, 0x5000,
};
#define VECTORS         (16 + FLAT_IRQ + 1)
#define CODE            (4 * VECTORS)
#define CODE_FAULT      (CODE + 0x1c)
#define CODE_HANDLER    (CODE + 0x1e)

#define ECHO_ARGS       "-accel tcg -nodefaults -S -nic none" \
                        " -machine mps2-an385 "

static void start_echo(Side *side, const char *properties)
{
    g_autofree char *args = g_strdup_printf(ECHO_ARGS FLAT_ARGS "%s",
                                            properties);

    side_start_args(side, &idm_mps2, false, args);
    qtest_writel(side->qts, 0, 0x20010000);
    qtest_writel(side->qts, 4, CODE | 1);
    for (int n = 2; n < VECTORS - 1; n++) {
        qtest_writel(side->qts, 4 * n, CODE_FAULT | 1);
    }
    qtest_writel(side->qts, 4 * (VECTORS - 1), CODE_HANDLER | 1);
    for (int n = 0; n < ARRAY_SIZE(firmware); n++) {
        qtest_writew(side->qts, CODE + 2 * n, firmware[n]);
    }
    qtest_qmp_assert_success(side->qts, "{ 'execute': 'system_reset' }");
    qtest_qmp_eventwait(side->qts, "RESET");
}

static void run_echo(Side *side)
{
    qtest_qmp_assert_success(side->qts, "{ 'execute': 'cont' }");
    wait_for(side, IDM_COUPLE(1) + IDM_ENABLE, UINT32_MAX, UINT32_MAX);
}

/* --- the test as the slave --- */

typedef struct Pings {
    Halt *halt;
    bool stop;
    bool lost;
    unsigned rounds;
    unsigned woke[3];       /* by what `wait` of the master was */
} Pings;

/* Sends, by the rules, and waits until the vector comes back */
static bool ping(Pings *p, unsigned vector)
{
    Couple *c = &p->halt->couple;
    uint32_t bit = 1u << vector, echo = 0;

    if (!qatomic_fetch_or(&c->page->master.pending, bit)) {
        uint32_t wait;

        smp_mb__after_rmw();
        wait = qatomic_read(&c->page->master.wait);
        g_assert(wait < ARRAY_SIZE(p->woke));
        p->woke[wait]++;
        if (wait == HET_WAIT_EVENTFD) {
            wake(c->master_rx);
        } else if (wait == HET_WAIT_HALT) {
            wake(p->halt->master_halt);
        }
    }
    while (!(echo & bit)) {
        struct pollfd readable = { .fd = c->slave_rx, .events = POLLIN };

        if (poll(&readable, 1, ECHO_MS) != 1) {
            return false;
        }
        woken(c->slave_rx);
        echo |= qatomic_xchg(&c->page->slave.pending, 0);
    }
    p->rounds++;
    return true;
}

static void *ping_thread(void *opaque)
{
    Pings *p = opaque;

    while (!qatomic_read(&p->stop)) {
        if (!ping(p, p->rounds % 32)) {
            qatomic_set(&p->lost, true);
            break;
        }
        if (p->rounds % 16 == 0) {
            /* lets the other side get to sleep now and then */
            poll(NULL, 0, 1);
        }
    }
    return NULL;
}

static void wait_until_halted(Halt *h, uint32_t wait)
{
    gint64 end = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    while (qatomic_read(&h->couple.page->master.wait) != wait) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        sched_yield();
    }
}

/* --- tests --- */

/* What QEMU does when the other side waits in each of the ways */
static void test_sender(const void *data)
{
    bool direct = data != NULL;
    uint32_t block = IDM_COUPLE(1);
    Side side;
    Halt h;
    HetPageSide *slave;

    side_start(&side, machine_first(), false);
    halt_make(&h, 1, direct);
    halt_attach(&h, &side);
    slave = &h.couple.page->slave;
    woken(h.couple.slave_rx);

    for (uint32_t wait = 0; wait < 5; wait++) {
        bool rx = !direct || (wait != HET_WAIT_POLL && wait != HET_WAIT_HALT);

        qatomic_set(&slave->wait, wait);
        wr(&side, block + IDM_DOORBELL, wait);
        g_assert_cmphex(qatomic_xchg(&slave->pending, 0), ==, 1u << wait);
        g_assert_cmpuint(woken(h.couple.slave_rx), ==, rx);
        if (direct) {
            g_assert_cmpuint(woken(h.slave_halt), ==, wait == HET_WAIT_HALT);
        }
    }
    /* states go by rx, whatever the other side waits for */
    qatomic_set(&slave->wait, HET_WAIT_POLL);
    couple_detach(&h.couple, &side);
    g_assert_cmpuint(woken(h.couple.slave_rx), ==, 1);
    halt_end(&h);
    side_end(&side);
}

/* By the thread, as the vCPU of this one is never halted */
static void test_thread(void)
{
    uint32_t block = IDM_COUPLE(1);
    Side side;
    Halt h;

    side_start(&side, machine_first(), false);
    halt_make(&h, 1, true);
    halt_attach(&h, &side);
    for (int i = 0; i < 1000; i++) {
        uint32_t state = i % 2 ? IDM_STATE_READY : IDM_STATE_RUNNING;

        send_to_master(&h.couple, 1u << i % 32);
        wait_for(&side, block + IDM_PENDING, UINT32_MAX, 1u << i % 32);
        wr(&side, block + IDM_PENDING, UINT32_MAX);
        set_slave_state(&h.couple, state);
        wait_for(&side, block + IDM_PEER_STATE, UINT32_MAX, state);
    }
    g_assert_cmpuint(qatomic_read(&h.couple.page->master.wait), ==,
                     HET_WAIT_EVENTFD);
    halt_end(&h);
    side_end(&side);
}

/*
 * A machine that is stopped takes what comes, too, for whoever watches it by
 * QMP. The next vector is sent at once, when the vCPU's thread has taken the
 * last one and is about to sleep.
 */
static void test_stopped(const void *args)
{
    Side side;
    Halt h;

    side_start_args(&side, &idm_mps2, false, args);
    halt_make(&h, 1, true);
    halt_attach(&h, &side);
    for (int i = 0; i < STOPPED_ROUNDS; i++) {
        gint64 end = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

        send_to_master(&h.couple, 1u << i % 32);
        while (qatomic_read(&h.couple.page->master.pending)) {
            g_assert_cmpint(g_get_monotonic_time(), <, end);
            sched_yield();
        }
    }
    halt_end(&h);
    side_end(&side);
}

/* Attached and detached while the vCPU waits */
static void test_detach(void)
{
    Side side;
    Halt h[2];
    unsigned fds, tasks;

    start_echo(&side, "");
    run_echo(&side);
    fds = count_entries(&side, "fd");
    tasks = count_entries(&side, "task");
    for (int i = 0; i < 200; i++) {
        halt_make(&h[0], 1, true);
        halt_make(&h[1], 2, true);
        halt_attach(&h[0], &side);
        wait_until_halted(&h[0], HET_WAIT_HALT);
        halt_attach(&h[1], &side);
        wait_until_halted(&h[1], HET_WAIT_HALT);
        couple_detach(&h[i % 2].couple, &side);
        g_assert_cmpuint(h[i % 2].couple.page->master.wait, ==,
                         HET_WAIT_EVENTFD);
        wait_until_halted(&h[!(i % 2)], HET_WAIT_HALT);
        couple_detach(&h[!(i % 2)].couple, &side);
        g_assert_cmpuint(h[!(i % 2)].couple.page->master.wait, ==,
                         HET_WAIT_EVENTFD);
        g_assert_cmpuint(count_entries(&side, "fd"), ==, fds);
        wait_tasks(&side, tasks);
        halt_end(&h[0]);
        halt_end(&h[1]);
    }
    side_end(&side);
}

typedef struct Variant {
    const char *name;
    const char *properties;
    bool direct;
    bool polls;
} Variant;

static const Variant variants[] = {
    { "main-loop", "", false, false },
    { "adaptive", "", true, true },
    { "fixed", ",halt-poll-fixed=on,halt-poll-max-ns=1000000", true, true },
    { "no-polling", ",halt-poll-max-ns=0", true, false },
};

static void test_echo(const void *data)
{
    const Variant *v = data;
    Side side;
    Halt h;
    Pings p = { .halt = &h };

    start_echo(&side, v->properties);
    halt_make(&h, 1, v->direct);
    halt_attach(&h, &side);
    run_echo(&side);
    woken(h.couple.slave_rx);
    for (int i = 0; i < 20000; i++) {
        if (v->direct && i % 100 == 0) {
            wait_until_halted(&h, HET_WAIT_HALT);
        }
        g_assert_true(ping(&p, i % 32));
    }
    g_test_message("by rx %u, by polling %u, by the halt eventfd %u",
                   p.woke[HET_WAIT_EVENTFD], p.woke[HET_WAIT_POLL],
                   p.woke[HET_WAIT_HALT]);
    if (v->direct) {
        g_assert_cmpuint(p.woke[HET_WAIT_HALT], >, 0);
    } else {
        g_assert_cmpuint(p.woke[HET_WAIT_EVENTFD], ==, p.rounds);
    }
    g_assert_true(v->polls == (p.woke[HET_WAIT_POLL] > 0));
    halt_end(&h);
    side_end(&side);
}

/* Kicks, stops and changes of the list of couples against doorbells */
static void test_storm(const void *data)
{
    const Variant *v = data;
    Side side;
    Halt h, other;
    Pings p = { .halt = &h };
    GThread *thread;

    start_echo(&side, v->properties);
    halt_make(&h, 1, v->direct);
    halt_make(&other, 2, v->direct);
    halt_attach(&h, &side);
    run_echo(&side);
    woken(h.couple.slave_rx);
    thread = g_thread_new("pings", ping_thread, &p);
    for (int i = 0; i < 300 && !qatomic_read(&p.lost); i++) {
        qtest_qmp_assert_success(side.qts, "{ 'execute': 'stop' }");
        if (i % 4 == 0) {
            halt_attach(&other, &side);
        } else if (i % 4 == 2) {
            couple_detach(&other.couple, &side);
        }
        qtest_qmp_assert_success(side.qts, "{ 'execute': 'cont' }");
        /* work for the vCPU, queued from another thread */
        g_free(qtest_hmp(side.qts, "info registers"));
    }
    qatomic_set(&p.stop, true);
    g_thread_join(thread);
    g_test_message("%u rounds: by rx %u, by polling %u, by the halt eventfd"
                   " %u", p.rounds, p.woke[HET_WAIT_EVENTFD],
                   p.woke[HET_WAIT_POLL], p.woke[HET_WAIT_HALT]);
    g_assert_false(p.lost);
    g_assert_cmpuint(p.rounds, >, 300);
    halt_end(&other);
    halt_end(&h);
    side_end(&side);
}

/* What is in the page is the peer's to choose, while a vCPU waits by it */
static void *scribble_thread(void *opaque)
{
    Pings *p = opaque;
    Couple *c = &p->halt->couple;
    HetPageSide *const sides[] = { &c->page->master, &c->page->slave };
    g_autoptr(GRand) rand = g_rand_new_with_seed(p->rounds);

    while (!qatomic_read(&p->stop)) {
        HetPageSide *side = sides[g_rand_int_range(rand, 0, 2)];

        switch (g_rand_int_range(rand, 0, 6)) {
        case 0:
            qatomic_set(&side->wait, g_rand_int_range(rand, 0, 4));
            break;
        case 1:
            qatomic_set(&side->pending, g_rand_int(rand));
            break;
        case 2:
            qatomic_set(&side->state, g_rand_int_range(rand, 0, 8));
            break;
        case 3:
            qatomic_set(&side->channels, g_rand_int(rand));
            break;
        case 4:
            wake(p->halt->master_halt);
            break;
        default:
            wake(c->master_rx);
            woken(c->slave_rx);
            break;
        }
    }
    return NULL;
}

/* The guest and its vCPU survive it, and a couple that comes after it works */
static void test_scribbled(void)
{
    const char *seconds = g_getenv("IDM_FUZZ_SECONDS");
    gint64 time = (seconds ? atoi(seconds) : 1) * G_USEC_PER_SEC;
    Pings p = { .rounds = g_test_rand_int() };
    GThread *thread;
    Side side;
    Halt bad, good;
    gint64 end;

    start_echo(&side, "");
    halt_make(&bad, 1, true);
    halt_attach(&bad, &side);
    run_echo(&side);
    p.halt = &bad;
    thread = g_thread_new("scribble", scribble_thread, &p);
    for (end = g_get_monotonic_time() + time; g_get_monotonic_time() < end; ) {
        qtest_qmp_assert_success(side.qts, "{ 'execute': 'query-het' }");
        wr(&side, IDM_COUPLE(1) + IDM_DOORBELL, 1);
    }
    qatomic_set(&p.stop, true);
    g_thread_join(thread);
    couple_detach(&bad.couple, &side);
    halt_end(&bad);

    halt_make(&good, 1, true);
    halt_attach(&good, &side);
    p = (Pings) { .halt = &good };
    for (unsigned n = 0; n < 100; n++) {
        g_assert_true(ping(&p, n % 32));
    }
    couple_detach(&good.couple, &side);
    halt_end(&good);
    side_end(&side);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_data_func("/idm/halt/sender/one-eventfd", NULL, test_sender);
    qtest_add_data_func("/idm/halt/sender/two-eventfds", "", test_sender);
    qtest_add_func("/idm/halt/thread", test_thread);
    if (qtest_has_accel("tcg") && machine_is_here(&idm_mps2)) {
        qtest_add_data_func("/idm/halt/stopped/idm", ECHO_ARGS FLAT_ARGS,
                            test_stopped);
        qtest_add_data_func("/idm/halt/stopped/no-idm", ECHO_ARGS,
                            test_stopped);
        qtest_add_func("/idm/halt/detach", test_detach);
        qtest_add_func("/idm/halt/scribbled", test_scribbled);
        for (int i = 0; i < ARRAY_SIZE(variants); i++) {
            const Variant *v = &variants[i];
            g_autofree char *echo = g_strdup_printf("/idm/halt/echo/%s",
                                                    v->name);
            g_autofree char *storm = g_strdup_printf("/idm/halt/storm/%s",
                                                     v->name);

            qtest_add_data_func(echo, v, test_echo);
            qtest_add_data_func(storm, v, test_storm);
        }
    }
    return g_test_run();
}
