/*
 * Random walks over the IDM: what guests and peers do to it must not hurt QEMU
 *
 * The registers are read and written at random, and a thread of the test
 * scribbles over the control page and plays with the eventfds of the couple,
 * while commands and resets come in between. After each walk the device must
 * still do its work for a couple that is as it should be.
 *
 * A walk is short; IDM_FUZZ_SECONDS says how long each is to take instead.
 * The seed is GTest's (--seed).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "hw/misc/idm-stm32-regs.h"
#include "idm-util.h"

#define STEPS           4000
#define ID              5
#define FLAT_VIEW_BASE  0x50010000
#define SLAVE_ARGS      ",slave=on,memory-backend=mem -m 16M" \
                        " -object memory-backend-shared,id=mem,size=16M"
#define MIB             0x100000

/* A machine with both kinds of registers */
typedef struct Walk {
    const char *name;
    Machine machine;
    uint64_t view;          /* where the STM32 registers are */
    bool slave;
} Walk;

static const Walk walks[] = {
    {
        .name = "master",
        .machine = { .name = "virt", .base = VIRT_BASE, .sysbus = true,
                     .args = "-nodefaults -machine virt " VIRT_ARGS
                             " -device idm_stm32,couple=5" },
        .view = VIRT_BASE + IDM_MMIO_SIZE,
    }, {
        .name = "slave",
        .machine = { .name = "virt", .base = VIRT_BASE, .sysbus = true,
                     .args = "-nodefaults -machine virt" SLAVE_ARGS " "
                             VIRT_ARGS " -device idm_stm32" },
        .view = VIRT_BASE + IDM_MMIO_SIZE,
        .slave = true,
    }, {
        .name = "flat",
        .machine = { .name = "mps2-an385", .base = FLAT_BASE,
                     .args = "-nodefaults -machine mps2-an385" SLAVE_ARGS " "
                             FLAT_ARGS " -device idm_stm32-flat,"
                             "addr=0x50010000,irq=29,irq-free=30" },
        .view = FLAT_VIEW_BASE,
        .slave = true,
    },
};

typedef struct State {
    const Walk *walk;
    Side side;
    Couple couple;
    int memory;             /* the slave's */
    bool attached;
    bool scribble;
    uint32_t seed;
    bool stop;
    GThread *thread;
} State;

static uint32_t pick(uint32_t below)
{
    return g_test_rand_int_range(0, below);
}

static uint64_t random_value(void)
{
    switch (pick(6)) {
    case 0:
        return pick(4);
    case 1:
        return 1ull << pick(64);
    case 2:
        return ~0ull >> pick(64);
    case 3:
        return IDM_CONTROL_PROTOCOL(pick(5)) | pick(4);
    case 4:
        return pick(32);
    default:
        return (uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int();
    }
}

/* Mostly registers that are there */
static uint64_t random_address(const State *s)
{
    uint32_t id = pick(3) ? (s->walk->slave ? 0 : ID) : pick(IDM_COUPLE_MAX);

    switch (pick(8)) {
    case 0:
        return s->side.machine->base + pick(0x40);
    case 1 ... 3:
        return s->side.machine->base + IDM_COUPLE(id) + 4 * pick(16);
    case 4:
        return s->side.machine->base + IDM_EXTENSION(id) + 4 * pick(8);
    case 5:
        return s->walk->view + (pick(2) ? 4 * pick(8) : 0x800 + 4 * pick(10));
    case 6:
        return s->walk->view + pick(STM32_MMIO_SIZE - 8);
    default:
        return s->side.machine->base + pick(IDM_MMIO_SIZE - 8);
    }
}

static void access_register(State *s)
{
    QTestState *qts = s->side.qts;
    uint64_t addr = random_address(s), value = random_value();

    switch (pick(12)) {
    case 0:
        qtest_writeb(qts, addr, value);
        break;
    case 1:
        qtest_writew(qts, addr & ~1ull, value);
        break;
    case 2:
        qtest_writeq(qts, addr & ~7ull, value);
        break;
    case 3:
        g_assert_cmpuint(qtest_readb(qts, addr), ==, 0);
        break;
    case 4:
        g_assert_cmpuint(qtest_readw(qts, addr & ~1ull), ==, 0);
        break;
    case 5:
        g_assert_cmpuint(qtest_readq(qts, addr & ~7ull), ==, 0);
        break;
    case 6 ... 8:
        qtest_readl(qts, addr & ~3ull);
        break;
    default:
        qtest_writel(qts, addr & ~3ull, value);
        break;
    }
}

/* Whether it succeeds does not matter here */
static void G_GNUC_PRINTF(2, 3)
try_command(State *s, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    qobject_unref(qtest_vqmp(s->side.qts, format, ap));
    va_end(ap);
}

static void attach(State *s)
{
    couple_make(&s->couple, ID);
    couple_attach(&s->couple, &s->side);
    s->attached = true;
}

static void detach(State *s)
{
    couple_detach(&s->couple, &s->side);
    couple_end(&s->couple);
    s->attached = false;
}

static void run_command(State *s)
{
    static const char *const results[] = { "done", "refused", "failed" };
    uint32_t other = s->walk->slave ? 0 : ID;

    switch (pick(s->walk->slave ? 8 : 6)) {
    case 0:
        try_command(s, "{ 'execute': 'het-ipi-send', 'arguments':"
                    " { 'id': %u, 'vector': %u } }", other, pick(40));
        break;
    case 1:
        try_command(s, "{ 'execute': 'het-ipi-watch', 'arguments':"
                    " { 'id': %u, 'enable': %i } }", other, pick(2));
        break;
    case 2:
        try_command(s, "{ 'execute': 'het-request-complete', 'arguments':"
                    " { 'id': %u, 'result': %s } }", other,
                    results[pick(ARRAY_SIZE(results))]);
        break;
    case 3:
        qtest_qmp_assert_success(s->side.qts, "{ 'execute': 'query-het' }");
        break;
    case 4:
        if (!pick(20)) {
            qtest_system_reset_nowait(s->side.qts);
        }
        break;
    case 5:
        qtest_clock_step(s->side.qts, pick(1000000000));
        break;
    case 6:
        try_command(s, "{ 'execute': 'het-slave-boot', 'arguments':"
                    " { 'entry': %u, 'argument': 1, 'resource-table': %u } }",
                    s->walk->machine.sysbus ? 0x40000000u : 0x21000000u,
                    (uint32_t)random_value());
        break;
    default:
        try_command(s, "{ 'execute': 'het-slave-stop' }");
        break;
    }
}

/* What a peer can do that has the page and the eventfds */
static void *scribbler(void *opaque)
{
    State *s = opaque;
    g_autoptr(GRand) rand = g_rand_new_with_seed(s->seed);

    while (!qatomic_read(&s->stop)) {
        uint32_t *word = (uint32_t *)s->couple.page;
        /* most of the time where something is */
        unsigned n = g_rand_int_range(rand, 0, g_rand_boolean(rand)
                                               ? sizeof(HetPage) / 4
                                               : HET_PAGE_SIZE / 4);
        uint64_t one = 1, huge = UINT64_MAX - 1;
        int fd = g_rand_boolean(rand) ? s->couple.master_rx
                                      : s->couple.slave_rx;

        qatomic_set(&word[n], g_rand_boolean(rand)
                              ? g_rand_int(rand)
                              : g_rand_int_range(rand, 0, 8));
        switch (g_rand_int_range(rand, 0, 16)) {
        case 0:
            fcntl(fd, F_SETFL, O_NONBLOCK);
            (void)!write(fd, &one, sizeof(one));
            break;
        case 1:
            /* full: whoever writes it next could have to wait */
            fcntl(fd, F_SETFL, O_NONBLOCK);
            (void)!write(fd, &huge, sizeof(huge));
            break;
        case 2:
            fcntl(fd, F_SETFL, O_NONBLOCK);
            (void)!read(fd, &huge, sizeof(huge));
            break;
        case 3:
            fcntl(fd, F_SETFL, 0);
            break;
        default:
            break;
        }
    }
    fcntl(s->couple.master_rx, F_SETFL, O_NONBLOCK);
    fcntl(s->couple.slave_rx, F_SETFL, O_NONBLOCK);
    return NULL;
}

static void start_scribbling(State *s)
{
    qatomic_set(&s->stop, false);
    s->seed = g_test_rand_int();
    s->thread = s->scribble ? g_thread_new("scribbler", scribbler, s) : NULL;
}

static void stop_scribbling(State *s)
{
    qatomic_set(&s->stop, true);
    if (s->thread) {
        g_thread_join(s->thread);
        s->thread = NULL;
    }
}

/* With a new couple everything is as it should be */
static void check_works(State *s)
{
    uint32_t block = IDM_COUPLE(s->walk->slave ? 0 : ID);
    HetPageSide *peer;

    stop_scribbling(s);
    if (s->attached) {
        detach(s);
    }
    qtest_system_reset(s->side.qts);
    attach(s);
    peer = s->walk->slave ? &s->couple.page->master : &s->couple.page->slave;
    wr(&s->side, block + IDM_DOORBELL, 9);
    g_assert_cmphex(qatomic_xchg(&peer->pending, 0), ==, 1u << 9);
    g_assert_cmphex(rd(&s->side, IDM_ID), ==, IDM_ID_VALUE);
    g_assert_cmphex(rd(&s->side, block + IDM_STATUS), ==, IDM_STATUS_ATTACHED);
    g_assert_cmphex(rd(&s->side, block + IDM_PENDING), ==, 0);
    start_scribbling(s);
}

static void begin(State *s)
{
    s->side.machine = &s->walk->machine;
    s->side.slave = s->walk->slave;
    s->side.qts = qtest_init(s->walk->machine.args);
    s->memory = make_memfd(16 * MIB, SEALS);
    if (s->walk->slave) {
        give_fd(s->side.qts, "memory", s->memory);
        qtest_qmp_assert_success(s->side.qts, "{ 'execute':"
                                 " 'het-memory-grant', 'arguments':"
                                 " { 'id': 'mem', 'memory': 'memory' } }");
    }
    attach(s);
    start_scribbling(s);
}

static void end(State *s)
{
    check_works(s);
    stop_scribbling(s);
    detach(s);
    close(s->memory);
    side_end(&s->side);
}

static void walk(const Walk *w, bool scribble)
{
    const char *seconds = g_getenv("IDM_FUZZ_SECONDS");
    gint64 until = g_get_monotonic_time() +
                   (seconds ? atoi(seconds) * G_USEC_PER_SEC : 0);
    State s = { .walk = w, .scribble = scribble };
    uint64_t step = 0;

    begin(&s);
    while (seconds ? g_get_monotonic_time() < until : step < STEPS) {
        if (++step % 8) {
            access_register(&s);
        } else {
            run_command(&s);
        }
        if (step % 1000 == 0) {
            check_works(&s);
        }
    }
    end(&s);
    g_test_message("%" PRIu64 " steps", step);
}

static void test_registers(const void *data)
{
    walk(data, false);
}

static void test_page(const void *data)
{
    walk(data, true);
}

int main(int argc, char **argv)
{
    const char *arch;

    g_test_init(&argc, &argv, NULL);
    arch = qtest_get_arch();
    if (!g_str_equal(arch, "arm") && !g_str_equal(arch, "aarch64")) {
        return g_test_run();
    }

    for (int n = 0; n < ARRAY_SIZE(walks); n++) {
        g_autofree char *registers = g_strdup_printf("/idm/fuzz/registers/%s",
                                                     walks[n].name);
        g_autofree char *page = g_strdup_printf("/idm/fuzz/page/%s",
                                                walks[n].name);

        qtest_add_data_func(registers, &walks[n], test_registers);
        qtest_add_data_func(page, &walks[n], test_page);
    }
    return g_test_run();
}
