/*
 * Test of the STM32 view of a couple (idm_stm32)
 *
 * The registers of both sides, the mailbox between the two kinds of
 * registers, start, stop, watchdog and reset. Interrupts are looked at in
 * the interrupt controller, where an edge leaves a trace.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qobject/qnum.h"
#include "hw/misc/idm-stm32-regs.h"
#include "idm-util.h"

#define ID              5
#define ENTRY           0x60001000
#define VIEW_BASE       (VIRT_BASE + IDM_MMIO_SIZE)

#define GIC_BASE        0x08000000
#define RX              (32 + VIRT_SPI + 1)
#define TX              (32 + VIRT_SPI + 2)
#define WATCHDOG        (32 + VIRT_SPI + 3)

#define FLAT_VIEW_BASE  0x50010000
#define FLAT_RX         29
#define FLAT_TX         30
#define FLAT_VIEW       "idm_stm32-flat,addr=0x50010000,irq=29,irq-free=30"
#define FLAT_IDM        "idm_ipi-flat,addr=0x50000000,irq=31"
#define NVIC_ISPR       0xe000e200

#define SLAVE_ARGS      ",slave=on,memory-backend=mem -m 16M" \
                        " -object memory-backend-shared,id=mem,size=16M"

#define MASTER(reg)     (STM32_IPCC_BLOCK(0) + (reg))
#define SLAVE(reg)      (STM32_IPCC_BLOCK(1) + (reg))
#define RX_TX_ENABLE    (STM32_IPCC_CR_RXOIE | STM32_IPCC_CR_TXFIE)

static const Machine view_of_master = {
    .args = "-nodefaults -machine virt%s " VIRT_ARGS
            " -device idm_stm32,couple=5,entry=0x60001000,argument=7",
    .base = VIEW_BASE, .sysbus = true,
};
static const Machine view_of_slave = {
    .args = "-nodefaults -machine virt%s " VIRT_ARGS " -device idm_stm32",
    .base = VIEW_BASE, .sysbus = true,
};
/* A board that has no platform bus */
static const Machine flat_view_of_slave = {
    .args = "-nodefaults -machine mps2-an385" SLAVE_ARGS " " FLAT_ARGS
            " -device " FLAT_VIEW ",id=view",
    .base = FLAT_VIEW_BASE,
};

/* --- sides --- */

static void start(Side *side, bool slave)
{
    const Machine *machine = slave ? &view_of_slave : &view_of_master;
    g_autofree char *args = g_strdup_printf(machine->args,
                                            slave ? SLAVE_ARGS : "");

    side_start_args(side, machine, slave, args);
    /* The watchdog is an edge */
    qtest_writel(side->qts, GIC_BASE + 0xc00 + WATCHDOG / 16 * 4,
                 2u << 2 * (WATCHDOG % 16));
}

static void start_attached(Side *side, Couple *c, bool slave)
{
    start(side, slave);
    couple_make(c, ID);
    couple_attach(c, side);
}

static void end(Side *side, Couple *c)
{
    couple_end(c);
    side_end(side);
}

static bool pends(Side *side, unsigned intid)
{
    return qtest_readl(side->qts, GIC_BASE + 0x200 + intid / 32 * 4) &
           (1u << intid % 32);
}

/* Whether there was an edge since the last call */
static bool watchdog(Side *side)
{
    if (!pends(side, WATCHDOG)) {
        return false;
    }
    qtest_writel(side->qts, GIC_BASE + 0x280 + WATCHDOG / 32 * 4,
                 1u << WATCHDOG % 32);
    return true;
}

static void wait_for_watchdog(Side *side)
{
    gint64 end = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    while (!watchdog(side)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
}

static void wait_for_page(uint32_t *word, uint32_t value)
{
    gint64 end = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    while (qatomic_read(word) != value) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
}

static uint32_t native(Side *side, uint32_t reg)
{
    return qtest_readl(side->qts, VIRT_BASE + reg);
}

/* --- registers --- */

static void check_mailbox(Side *side, unsigned self)
{
    uint32_t own = STM32_IPCC_BLOCK(self), other = STM32_IPCC_BLOCK(!self);

    check_ro(side, STM32_IPCC_HWCFGR, STM32_CHANNELS);
    check_ro(side, STM32_IPCC_VERR, STM32_IPCC_VERR_VALUE);
    check_ro(side, own + STM32_IPCC_TOSR, 0);
    check_ro(side, other + STM32_IPCC_TOSR, 0);
    check_ro(side, other + STM32_IPCC_CR, 0);
    check_ro(side, other + STM32_IPCC_MR, 0);
    check_ro(side, other + STM32_IPCC_SCR, 0);
    g_assert_cmphex(rd(side, own + STM32_IPCC_CR), ==, 0);
    g_assert_cmphex(rd(side, own + STM32_IPCC_MR), ==, UINT32_MAX);
    wr(side, own + STM32_IPCC_CR, UINT32_MAX);
    g_assert_cmphex(rd(side, own + STM32_IPCC_CR), ==, RX_TX_ENABLE);
    wr(side, own + STM32_IPCC_MR, 0x12345678);
    g_assert_cmphex(rd(side, own + STM32_IPCC_MR), ==, 0x12345678);
    g_assert_cmphex(rd(side, own + STM32_IPCC_SCR), ==, 0);
}

static void check_sizes(Side *side, uint32_t reg)
{
    uint64_t address = side->machine->base + reg;

    wr(side, reg, 0x12345678);
    g_assert_cmphex(qtest_readb(side->qts, address), ==, 0);
    g_assert_cmphex(qtest_readw(side->qts, address), ==, 0);
    g_assert_cmphex(qtest_readl(side->qts, address + 2), ==, 0);
    g_assert_cmphex(qtest_readq(side->qts, address), ==, 0);
    qtest_writeb(side->qts, address, 0xff);
    qtest_writew(side->qts, address + 1, 0xffff);
    qtest_writeq(side->qts, address, UINT64_MAX);
    g_assert_cmphex(rd(side, reg), ==, 0x12345678);
}

static void test_master_registers(void)
{
    static const uint32_t reserved[] = {
        0x20, 0x3ec, 0x404, 0x7fc, 0x814, STM32_WATCHDOG, 0xffc,
    };
    Side side;

    start(&side, false);
    check_mailbox(&side, 0);
    check_sizes(&side, MASTER(STM32_IPCC_MR));
    check_ro(&side, STM32_RESET, 0);
    check_ro(&side, STM32_TZEN, 0);
    check_ro(&side, STM32_STATE, STM32_STATE_OFF);
    check_ro(&side, STM32_RESOURCE_TABLE, 0);
    wr(&side, STM32_PDDS, UINT32_MAX);
    g_assert_cmphex(rd(&side, STM32_PDDS), ==, 1);
    wr(&side, STM32_PDDS, 0);
    g_assert_cmphex(rd(&side, STM32_PDDS), ==, 0);
    wr(&side, STM32_HOLD_BOOT, UINT32_MAX);
    g_assert_cmphex(rd(&side, STM32_HOLD_BOOT), ==, STM32_HOLD_BOOT_RELEASE);
    wr(&side, STM32_HOLD_BOOT, 0);
    g_assert_cmphex(rd(&side, STM32_HOLD_BOOT), ==, 0);
    for (int n = 0; n < ARRAY_SIZE(reserved); n++) {
        check_ro(&side, reserved[n], 0);
    }
    /* nobody is there to be asked */
    g_assert_null(qtest_qmp_event_ref(side.qts, "HET_BOOT_REQUEST"));
    g_assert_null(qtest_qmp_event_ref(side.qts, "HET_STOP_REQUEST"));
    /* without a slave nothing is occupied */
    wr(&side, MASTER(STM32_IPCC_MR), UINT32_MAX);
    wr(&side, MASTER(STM32_IPCC_CR), RX_TX_ENABLE);
    g_assert_false(pends(&side, TX));
    wr(&side, MASTER(STM32_IPCC_MR), 0x0000ffff);
    g_assert_true(pends(&side, TX));
    wr(&side, MASTER(STM32_IPCC_SCR), 0x10000);
    g_assert_true(pends(&side, TX));
    g_assert_false(pends(&side, RX));
    side_end(&side);
}

static void test_slave_registers(void)
{
    static const uint32_t reserved[] = {
        0x20, STM32_RESET, STM32_TZEN, STM32_HOLD_BOOT, STM32_PDDS,
        STM32_STATE, STM32_RESOURCE_TABLE, 0xffc,
    };
    Side side;

    start(&side, true);
    check_mailbox(&side, 1);
    check_sizes(&side, SLAVE(STM32_IPCC_MR));
    for (int n = 0; n < ARRAY_SIZE(reserved); n++) {
        check_ro(&side, reserved[n], 0);
    }
    side_end(&side);
}

/* --- the mailbox, this side against the page --- */

static void test_send(void)
{
    Side side;
    Couple c;

    start_attached(&side, &c, false);
    woken(c.slave_rx);
    wr(&side, MASTER(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&side, MASTER(STM32_IPCC_SCR), 0x20000);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 2);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 2);
    g_assert_cmpuint(woken(c.slave_rx), ==, 1);
    g_assert_cmphex(rd(&side, MASTER(STM32_IPCC_TOSR)), ==, 2);

    /* It is set already: nothing is sent */
    qatomic_set(&c.page->slave.pending, 0);
    wr(&side, MASTER(STM32_IPCC_SCR), 0x20000);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 0);
    g_assert_cmpuint(woken(c.slave_rx), ==, 0);

    /* Linux unmasks the interrupt of the channel that it waits for */
    wr(&side, MASTER(STM32_IPCC_MR), ~0x20000u);
    g_assert_false(pends(&side, TX));
    qatomic_and(&c.page->slave.channels, ~2u);
    wake(c.master_rx);
    settle(&side);
    g_assert_true(pends(&side, TX));
    g_assert_cmphex(rd(&side, MASTER(STM32_IPCC_TOSR)), ==, 0);
    wr(&side, MASTER(STM32_IPCC_MR), UINT32_MAX);
    g_assert_false(pends(&side, TX));

    /* Channels that are not there, and two at once */
    wr(&side, MASTER(STM32_IPCC_SCR), 0xffc50000);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 5);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 5);
    end(&side, &c);
}

static void test_receive(void)
{
    Side side;
    Couple c;

    start_attached(&side, &c, false);
    wr(&side, MASTER(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&side, MASTER(STM32_IPCC_MR), ~2u);
    /* Vectors that are no channels, and a masked one */
    send_to_master(&c, 0x80000041);
    settle(&side);
    g_assert_cmphex(rd(&side, SLAVE(STM32_IPCC_TOSR)), ==, 1);
    g_assert_false(pends(&side, RX));
    /* The sender waits for this one */
    qatomic_or(&c.page->master.channels, 2);
    send_to_master(&c, 2);
    settle(&side);
    g_assert_cmphex(rd(&side, SLAVE(STM32_IPCC_TOSR)), ==, 3);
    g_assert_true(pends(&side, RX));
    g_assert_cmphex(native(&side, IDM_COUPLE(ID) + IDM_PENDING), ==,
                    0x80000043);

    woken(c.slave_rx);
    wr(&side, MASTER(STM32_IPCC_SCR), 1);
    g_assert_cmpuint(woken(c.slave_rx), ==, 0);     /* nobody waits for it */
    g_assert_true(pends(&side, RX));
    wr(&side, MASTER(STM32_IPCC_SCR), 2);
    g_assert_cmpuint(woken(c.slave_rx), ==, 1);
    g_assert_cmphex(qatomic_read(&c.page->master.channels), ==, 0);
    g_assert_false(pends(&side, RX));
    g_assert_cmphex(rd(&side, SLAVE(STM32_IPCC_TOSR)), ==, 0);
    g_assert_cmphex(native(&side, IDM_COUPLE(ID) + IDM_PENDING), ==,
                    0x80000040);
    end(&side, &c);
}

/* A driver looks for messages before it clears the flag */
static void test_received_again(void)
{
    Side side;
    Couple c;

    start_attached(&side, &c, false);
    wr(&side, MASTER(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&side, MASTER(STM32_IPCC_MR), ~1u);
    send_to_master(&c, 1);
    settle(&side);
    g_assert_true(pends(&side, RX));
    send_to_master(&c, 1);
    settle(&side);
    wr(&side, MASTER(STM32_IPCC_SCR), 1);
    g_assert_true(pends(&side, RX));
    wr(&side, MASTER(STM32_IPCC_SCR), 1);
    g_assert_false(pends(&side, RX));
    end(&side, &c);
}

/* --- both kinds of registers --- */

/* On a slave that does not know of the view the acknowledgement is PENDING */
static void test_native_peer(void)
{
    Side master, slave;
    Couple c;
    uint32_t block = VIRT_BASE + IDM_COUPLE(0);

    start_attached(&master, &c, false);
    side_start(&slave, &idm_virt, true);
    couple_attach(&c, &slave);
    qtest_writel(slave.qts, VIRT_BASE + IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    qtest_writel(slave.qts, block + IDM_ENABLE, 1);
    wr(&master, MASTER(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&master, MASTER(STM32_IPCC_SCR), 0x10000);
    wr(&master, MASTER(STM32_IPCC_MR), ~0x10001u);
    g_assert_false(pends(&master, TX));
    wait_for(&slave, IDM_COUPLE(0) + IDM_PENDING, 1, 1);
    qtest_writel(slave.qts, block + IDM_PENDING, 2);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 1);
    qtest_writel(slave.qts, block + IDM_PENDING, 1);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 0);
    settle(&master);
    g_assert_true(pends(&master, TX));

    g_assert_false(pends(&master, RX));
    qtest_writel(slave.qts, block + IDM_DOORBELL, 0);
    settle(&master);
    g_assert_true(pends(&master, RX));
    side_end(&slave);
    end(&master, &c);
}

static void test_both_views(void)
{
    Side master, slave;
    Couple c;

    start_attached(&master, &c, false);
    start(&slave, true);
    couple_attach(&c, &slave);
    wr(&master, MASTER(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&slave, SLAVE(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&slave, SLAVE(STM32_IPCC_MR), ~1u);
    wr(&master, MASTER(STM32_IPCC_SCR), 0x10000);
    wr(&master, MASTER(STM32_IPCC_MR), ~0x10002u);
    settle(&slave);
    g_assert_true(pends(&slave, RX));
    g_assert_cmphex(rd(&slave, MASTER(STM32_IPCC_TOSR)), ==, 1);
    g_assert_false(pends(&master, TX));
    wr(&slave, SLAVE(STM32_IPCC_SCR), 1);
    g_assert_false(pends(&slave, RX));
    settle(&master);
    g_assert_true(pends(&master, TX));

    wr(&slave, SLAVE(STM32_IPCC_SCR), 0x20000);
    wr(&slave, SLAVE(STM32_IPCC_MR), ~0x20000u);
    g_assert_cmphex(rd(&slave, SLAVE(STM32_IPCC_TOSR)), ==, 2);
    settle(&master);
    g_assert_true(pends(&master, RX));
    wr(&master, MASTER(STM32_IPCC_SCR), 2);
    settle(&slave);
    g_assert_cmphex(rd(&slave, SLAVE(STM32_IPCC_TOSR)), ==, 0);
    g_assert_true(pends(&slave, TX));
    side_end(&slave);
    end(&master, &c);
}

/* What interrupts in neither kind of registers is acknowledged at once */
static void test_unheard(void)
{
    uint32_t *channels;
    Side side;
    Couple c;

    start_attached(&side, &c, true);
    channels = &c.page->slave.channels;
    wr(&side, SLAVE(STM32_IPCC_MR), ~1u);
    send_to_slave(&side, &c, 5);
    g_assert_cmphex(qatomic_read(channels), ==, 0);
    /* it is there all the same, for who polls and for who comes late */
    g_assert_cmphex(rd(&side, MASTER(STM32_IPCC_TOSR)), ==, 5);
    wr(&side, SLAVE(STM32_IPCC_SCR), 5);

    wr(&side, SLAVE(STM32_IPCC_CR), STM32_IPCC_CR_RXOIE);
    send_to_slave(&side, &c, 5);
    g_assert_cmphex(qatomic_read(channels), ==, 1);
    /* to mask it until it was handled is not to be deaf */
    wr(&side, SLAVE(STM32_IPCC_MR), UINT32_MAX);
    send_to_slave(&side, &c, 4);
    g_assert_cmphex(qatomic_read(channels), ==, 1);
    wr(&side, SLAVE(STM32_IPCC_SCR), 5);
    g_assert_cmphex(qatomic_read(channels), ==, 0);

    qtest_writel(side.qts, VIRT_BASE + IDM_COUPLE(0) + IDM_ENABLE, 4);
    send_to_slave(&side, &c, 4);
    g_assert_cmphex(qatomic_read(channels), ==, 0);
    qtest_writel(side.qts, VIRT_BASE + IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    send_to_slave(&side, &c, 5);
    g_assert_cmphex(qatomic_read(channels), ==, 4);
    end(&side, &c);
}

/* --- start and stop --- */

static void expect_boot_request(Side *side)
{
    QDict *event = qtest_qmp_eventwait_ref(side->qts, "HET_BOOT_REQUEST");
    QDict *what = qdict_get_qdict(event, "data");

    g_assert_cmpint(qdict_get_int(what, "id"), ==, ID);
    g_assert_cmphex(qdict_get_int(what, "entry"), ==, ENTRY);
    g_assert_cmpint(qdict_get_int(what, "argument"), ==, 7);
    g_assert_cmpstr(qdict_get_str(what, "protocol"), ==, "auto");
    qobject_unref(event);
}

static void expect_stop_request(Side *side)
{
    QDict *event = qtest_qmp_eventwait_ref(side->qts, "HET_STOP_REQUEST");

    g_assert_cmpint(qdict_get_int(qdict_get_qdict(event, "data"), "id"),
                    ==, ID);
    qobject_unref(event);
}

static void expect_no_request(Side *side)
{
    g_assert_null(qtest_qmp_event_ref(side->qts, "HET_BOOT_REQUEST"));
    g_assert_null(qtest_qmp_event_ref(side->qts, "HET_STOP_REQUEST"));
}

static void set_state(Side *side, Couple *c, uint32_t state)
{
    set_slave_state(c, state);
    settle(side);
}

/* As Linux does it */
static void release(Side *side)
{
    wr(side, STM32_HOLD_BOOT, 1);
    wr(side, STM32_HOLD_BOOT, 0);
}

static void boot(Side *side, Couple *c)
{
    release(side);
    expect_boot_request(side);
    set_state(side, c, IDM_STATE_RUNNING);
    complete(side, ID, "done", true);
}

static void test_start_stop(void)
{
    Side side;
    Couple c;

    start_attached(&side, &c, false);
    set_state(&side, &c, IDM_STATE_READY);
    boot(&side, &c);
    g_assert_cmphex(rd(&side, STM32_STATE), ==, STM32_STATE_OFF);
    qatomic_set_u64(&c.page->slave.resource_table, 0x60002000);
    set_state(&side, &c, IDM_STATE_RUNNING);
    g_assert_cmphex(rd(&side, STM32_STATE), ==, STM32_STATE_RUN);
    g_assert_cmphex(rd(&side, STM32_RESOURCE_TABLE), ==, 0x60002000);
    /* One that Linux could not address is none */
    qatomic_set_u64(&c.page->slave.resource_table, 0x160002000);
    set_state(&side, &c, IDM_STATE_RUNNING);
    g_assert_cmphex(rd(&side, STM32_RESOURCE_TABLE), ==, 0);

    /* It runs: there is nothing to do */
    release(&side);
    expect_no_request(&side);
    /* To be paused is no crash */
    set_state(&side, &c, IDM_STATE_PAUSED);
    g_assert_false(watchdog(&side));

    wr(&side, MASTER(STM32_IPCC_SCR), 0xf0000);
    send_to_master(&c, 1);
    settle(&side);
    wr(&side, STM32_RESET, 1);
    expect_stop_request(&side);
    g_assert_cmphex(rd(&side, STM32_RESET), ==, 0);
    g_assert_cmphex(rd(&side, MASTER(STM32_IPCC_TOSR)), ==, 0);
    g_assert_cmphex(rd(&side, SLAVE(STM32_IPCC_TOSR)), ==, 0);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 0);
    /* Started before it has stopped: one after the other */
    release(&side);
    expect_no_request(&side);
    set_state(&side, &c, IDM_STATE_READY);
    g_assert_false(watchdog(&side));
    complete(&side, ID, "done", true);
    expect_boot_request(&side);
    /* Stopped before it has started */
    wr(&side, STM32_RESET, 1);
    expect_no_request(&side);
    set_state(&side, &c, IDM_STATE_RUNNING);
    complete(&side, ID, "done", true);
    expect_stop_request(&side);
    set_state(&side, &c, IDM_STATE_READY);
    complete(&side, ID, "done", true);
    expect_no_request(&side);
    g_assert_false(watchdog(&side));
    /* Reset while it may run: it runs again */
    wr(&side, STM32_HOLD_BOOT, 1);
    expect_boot_request(&side);
    set_state(&side, &c, IDM_STATE_RUNNING);
    complete(&side, ID, "done", true);
    wr(&side, STM32_RESET, 1);
    expect_stop_request(&side);
    set_state(&side, &c, IDM_STATE_READY);
    complete(&side, ID, "done", true);
    expect_boot_request(&side);
    g_assert_false(watchdog(&side));
    end(&side, &c);
}

/* Without entry= it begins where the window does */
static void test_default_entry(void)
{
    int memory = make_memfd(0x200000, SEALS);
    Side side;
    Couple c;
    QDict *event;

    side_start_args(&side, &view_of_master, false, "-nodefaults -machine virt"
                    " -m 1G " VIRT_ARGS " -device idm_stm32,couple=5");
    couple_make(&c, ID);
    give_fd(side.qts, "m", memory);
    give_fd(side.qts, "page", c.page_fd);
    give_fd(side.qts, "rx", c.master_rx);
    give_fd(side.qts, "tx", c.slave_rx);
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-slave-attach',"
                             " 'arguments': { 'id': 5, 'couple': {"
                             " 'page': 'page', 'rx': 'rx', 'tx': 'tx' },"
                             " 'window': { 'memory': 'm',"
                             " 'address': 1610612736, 'size': 2097152 } } }");
    set_state(&side, &c, IDM_STATE_READY);
    release(&side);
    event = qtest_qmp_eventwait_ref(side.qts, "HET_BOOT_REQUEST");
    g_assert_cmphex(qdict_get_int(qdict_get_qdict(event, "data"), "entry"),
                    ==, 0x60000000);
    qobject_unref(event);
    close(memory);
    end(&side, &c);
}

/* --- the watchdog --- */

static void test_crash(void)
{
    static const uint32_t ends[] = {
        IDM_STATE_OFFLINE, IDM_STATE_WAITING, IDM_STATE_READY,
        IDM_STATE_CRASHED,
    };
    Side side;
    Couple c;

    start_attached(&side, &c, false);
    for (int n = 0; n < ARRAY_SIZE(ends); n++) {
        set_state(&side, &c, IDM_STATE_READY);
        boot(&side, &c);
        g_assert_false(watchdog(&side));
        set_state(&side, &c, ends[n]);
        g_assert_true(watchdog(&side));
        /* One for each boot */
        set_state(&side, &c, IDM_STATE_OFFLINE);
        g_assert_false(watchdog(&side));
    }
    set_state(&side, &c, IDM_STATE_CRASHED);
    g_assert_cmphex(rd(&side, STM32_STATE), ==, STM32_STATE_CRASH);
    /* Recovery: stop, start */
    wr(&side, STM32_RESET, 1);
    expect_stop_request(&side);
    release(&side);
    set_state(&side, &c, IDM_STATE_READY);
    complete(&side, ID, "done", true);
    expect_boot_request(&side);
    /* It has ended before we could see it run */
    complete(&side, ID, "done", true);
    g_assert_true(watchdog(&side));
    /* Its couple ends with it */
    boot(&side, &c);
    couple_detach(&c, &side);
    g_assert_true(watchdog(&side));
    end(&side, &c);
}

/* By a manager that is slower than the program that it has started */
static void test_crash_before_answer(void)
{
    static const char *const results[] = { "done", "failed" };
    Side side;
    Couple c;

    start_attached(&side, &c, false);
    for (int n = 0; n < ARRAY_SIZE(results); n++) {
        set_state(&side, &c, IDM_STATE_READY);
        release(&side);
        expect_boot_request(&side);
        set_state(&side, &c, IDM_STATE_RUNNING);
        g_assert_false(watchdog(&side));
        set_state(&side, &c, IDM_STATE_CRASHED);
        g_assert_true(watchdog(&side));
        /* That was all there is to tell */
        complete(&side, ID, results[n], true);
        g_assert_false(watchdog(&side));
        wr(&side, STM32_RESET, 1);
        expect_stop_request(&side);
        set_state(&side, &c, IDM_STATE_READY);
        complete(&side, ID, "done", true);
        g_assert_false(watchdog(&side));
    }
    boot(&side, &c);
    set_state(&side, &c, IDM_STATE_CRASHED);
    g_assert_true(watchdog(&side));
    end(&side, &c);
}

/* Somebody else's slave counts as well */
static void test_crash_of_foreign(void)
{
    Side side;
    Couple c;

    start_attached(&side, &c, false);
    set_state(&side, &c, IDM_STATE_RUNNING);
    /* No driver has looked yet */
    set_state(&side, &c, IDM_STATE_CRASHED);
    g_assert_false(watchdog(&side));
    set_state(&side, &c, IDM_STATE_RUNNING);
    g_assert_cmphex(rd(&side, STM32_STATE), ==, STM32_STATE_OFF);
    set_state(&side, &c, IDM_STATE_CRASHED);
    g_assert_true(watchdog(&side));
    /* Without a table Linux does not know of it: it is stopped first */
    set_state(&side, &c, IDM_STATE_RUNNING);
    release(&side);
    expect_stop_request(&side);
    set_state(&side, &c, IDM_STATE_READY);
    g_assert_false(watchdog(&side));
    complete(&side, ID, "done", true);
    expect_boot_request(&side);
    end(&side, &c);
}

static void test_start_fails(void)
{
    static const char *const results[] = { "refused", "failed" };
    Side side;
    Couple c;

    start_attached(&side, &c, false);
    set_state(&side, &c, IDM_STATE_CRASHED);
    for (int n = 0; n < 3; n++) {
        /* As a kernel does that tries to recover it */
        wr(&side, STM32_RESET, 1);
        expect_stop_request(&side);
        release(&side);
        complete(&side, ID, "failed", true);
        expect_boot_request(&side);
        complete(&side, ID, results[n % 2], true);
        wait_for_watchdog(&side);
    }
    /* The next one is late, unless there is hope: here it is given up */
    wr(&side, STM32_RESET, 1);
    expect_stop_request(&side);
    release(&side);
    complete(&side, ID, "failed", true);
    expect_boot_request(&side);
    complete(&side, ID, "failed", true);
    set_state(&side, &c, IDM_STATE_READY);
    g_assert_true(watchdog(&side));
    /* Without a couple */
    couple_detach(&c, &side);
    release(&side);
    wait_for_watchdog(&side);
    end(&side, &c);
}

/* --- reset --- */

static void reset(Side *side)
{
    qtest_qmp_assert_success(side->qts, "{ 'execute': 'system_reset' }");
    qtest_qmp_eventwait(side->qts, "RESET");
}

static void test_reset(void)
{
    Side side;
    Couple c;

    start_attached(&side, &c, false);
    qatomic_set_u64(&c.page->slave.resource_table, 0x60002000);
    set_state(&side, &c, IDM_STATE_READY);
    boot(&side, &c);
    wr(&side, MASTER(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&side, MASTER(STM32_IPCC_MR), 0);
    wr(&side, MASTER(STM32_IPCC_SCR), 0x70000);
    wr(&side, STM32_HOLD_BOOT, 1);
    wr(&side, STM32_PDDS, 1);
    qatomic_or(&c.page->master.channels, 1);
    send_to_master(&c, 1);
    settle(&side);
    qatomic_set(&c.page->slave.pending, 0);

    reset(&side);
    g_assert_cmphex(rd(&side, MASTER(STM32_IPCC_CR)), ==, 0);
    g_assert_cmphex(rd(&side, MASTER(STM32_IPCC_MR)), ==, UINT32_MAX);
    g_assert_cmphex(rd(&side, STM32_HOLD_BOOT), ==, 0);
    g_assert_cmphex(rd(&side, STM32_PDDS), ==, 0);
    g_assert_cmphex(rd(&side, SLAVE(STM32_IPCC_TOSR)), ==, 0);
    g_assert_cmphex(qatomic_read(&c.page->master.channels), ==, 0);
    g_assert_false(pends(&side, RX));
    /* The slave goes on, and is told */
    g_assert_cmphex(rd(&side, MASTER(STM32_IPCC_TOSR)), ==,
                    1u << STM32_CHANNEL_DETACH);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==,
                    1u << STM32_CHANNEL_DETACH);
    g_assert_cmphex(rd(&side, STM32_STATE), ==, STM32_STATE_RUN);
    expect_no_request(&side);
    /* And watched */
    qtest_writel(side.qts, GIC_BASE + 0xc00 + WATCHDOG / 16 * 4,
                 2u << 2 * (WATCHDOG % 16));
    set_state(&side, &c, IDM_STATE_CRASHED);
    g_assert_true(watchdog(&side));
    end(&side, &c);
}

/* The next kernel could not see it: what this one has started is stopped */
static void test_reset_without_table(void)
{
    Side side;
    Couple c;

    start_attached(&side, &c, false);
    set_state(&side, &c, IDM_STATE_RUNNING);
    reset(&side);
    expect_no_request(&side);
    set_state(&side, &c, IDM_STATE_READY);
    boot(&side, &c);
    /* Comes before the event RESET, which would swallow it */
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'system_reset' }");
    expect_stop_request(&side);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 0);
    set_state(&side, &c, IDM_STATE_READY);
    complete(&side, ID, "done", true);
    expect_no_request(&side);
    end(&side, &c);
}

/* A slave that is stopped leaves no flag behind */
static void test_slave_reset(void)
{
    int memory = make_memfd(16 * 1024 * 1024, SEALS);
    Side side;
    Couple c;

    start_attached(&side, &c, true);
    give_fd(side.qts, "m", memory);
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem',"
                             " 'memory': 'm' } }");
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-slave-boot',"
                             " 'arguments': { 'entry': 1073741824 } }");
    wr(&side, STM32_RESOURCE_TABLE, 0x40002000);
    g_assert_cmphex(qatomic_read_u64(&c.page->slave.resource_table), ==,
                    0x40002000);
    c.page->heartbeat_ms = 250;
    g_assert_cmpuint(rd(&side, STM32_HEARTBEAT), ==, 250);
    g_assert_cmpuint(qatomic_read_u64(&c.page->slave.heartbeat_ns), ==, 0);
    wr(&side, STM32_HEARTBEAT, 0);
    g_assert_cmpuint(qatomic_read_u64(&c.page->slave.heartbeat_ns), !=, 0);
    wr(&side, SLAVE(STM32_IPCC_SCR), 0x10000);
    g_assert_cmphex(qatomic_read(&c.page->master.channels), ==, 1);
    qatomic_or(&c.page->slave.channels, 2);
    woken(c.master_rx);
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-slave-stop' }");
    g_assert_cmphex(qatomic_read(&c.page->master.channels), ==, 0);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 0);
    g_assert_cmpuint(woken(c.master_rx), >=, 1);

    /* It says itself that it has crashed */
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-slave-boot',"
                             " 'arguments': { 'entry': 1073741824 } }");
    wr(&side, STM32_WATCHDOG, 1);
    wait_for_page(&c.page->slave.state, IDM_STATE_CRASHED);
    close(memory);
    end(&side, &c);
}

/* --- a slave on a board with no platform bus --- */

static void start_flat(Side *side, Couple *c)
{
    side_start_args(side, &flat_view_of_slave, true, flat_view_of_slave.args);
    couple_make(c, ID);
    couple_attach(c, side);
}

/* The levels: the NVIC keeps what was pending */
static void test_flat(void)
{
    int memory = make_memfd(16 * 1024 * 1024, SEALS);
    Side side;
    Couple c;

    start_flat(&side, &c);
    qtest_irq_intercept_out(side.qts, "/machine/peripheral/view");
    check_mailbox(&side, 1);
    give_fd(side.qts, "m", memory);
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem',"
                             " 'memory': 'm' } }");
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-slave-boot',"
                             " 'arguments': { 'entry': 553648128 } }");
    wr(&side, SLAVE(STM32_IPCC_MR), 0);
    wr(&side, SLAVE(STM32_IPCC_CR), RX_TX_ENABLE);
    g_assert_false(qtest_get_irq(side.qts, 0));
    g_assert_true(qtest_get_irq(side.qts, 1));

    send_to_slave(&side, &c, 4);
    g_assert_true(qtest_get_irq(side.qts, 0));
    g_assert_cmphex(rd(&side, MASTER(STM32_IPCC_TOSR)), ==, 4);
    wr(&side, SLAVE(STM32_IPCC_SCR), 4);
    g_assert_false(qtest_get_irq(side.qts, 0));
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 0);

    wr(&side, SLAVE(STM32_IPCC_SCR), 0x3f0000);
    g_assert_false(qtest_get_irq(side.qts, 1));
    g_assert_cmphex(qatomic_read(&c.page->master.pending), ==, 0x3f);
    qatomic_and(&c.page->master.channels, ~1u);
    wake(c.slave_rx);
    settle(&side);
    g_assert_true(qtest_get_irq(side.qts, 1));

    wr(&side, STM32_RESOURCE_TABLE, 0x60002000);
    g_assert_cmphex(qatomic_read_u64(&c.page->slave.resource_table), ==,
                    0x60002000);
    /* It is reset as other devices are */
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-slave-stop' }");
    g_assert_cmphex(rd(&side, SLAVE(STM32_IPCC_CR)), ==, 0);
    g_assert_cmphex(rd(&side, SLAVE(STM32_IPCC_MR)), ==, UINT32_MAX);
    g_assert_cmphex(rd(&side, SLAVE(STM32_IPCC_TOSR)), ==, 0);
    g_assert_false(qtest_get_irq(side.qts, 1));
    close(memory);
    end(&side, &c);
}

/* Which inputs they come to */
static void test_flat_inputs(void)
{
    Side side;
    Couple c;

    start_flat(&side, &c);
    wr(&side, SLAVE(STM32_IPCC_MR), 0);
    wr(&side, SLAVE(STM32_IPCC_CR), STM32_IPCC_CR_RXOIE);
    g_assert_cmphex(qtest_readl(side.qts, NVIC_ISPR), ==, 0);
    send_to_slave(&side, &c, 1);
    g_assert_cmphex(qtest_readl(side.qts, NVIC_ISPR), ==, 1u << FLAT_RX);
    wr(&side, SLAVE(STM32_IPCC_CR), RX_TX_ENABLE);
    g_assert_cmphex(qtest_readl(side.qts, NVIC_ISPR), ==,
                    1u << FLAT_RX | 1u << FLAT_TX);
    end(&side, &c);
}

static void test_flat_refused(void)
{
    static const struct {
        const char *device, *reason;
    } wrong[] = {
        { FLAT_VIEW, "there is no IDM" },
        { FLAT_IDM " -device idm_stm32-flat,irq=29,irq-free=30",
          "'addr' is needed" },
        { FLAT_IDM " -device idm_stm32-flat,addr=0x50010000",
          "'irq' is needed" },
        { FLAT_IDM " -device idm_stm32-flat,addr=0x50010000,irq=29",
          "'irq-free' is needed" },
        { FLAT_IDM
          " -device idm_stm32-flat,addr=0x50010000,irq=29,irq-free=29",
          "must be different inputs" },
        { FLAT_IDM
          " -device idm_stm32-flat,addr=0x50010000,irq=29,irq-free=32",
          "no input 32" },
        { FLAT_IDM
          " -device idm_stm32-flat,addr=0x50010800,irq=29,irq-free=30",
          "'addr' must be a multiple of 0x1000" },
        { FLAT_IDM
          " -device idm_stm32-flat,addr=0x50007000,irq=29,irq-free=30",
          "the device would hide 'idm" },
        { FLAT_IDM " -device " FLAT_VIEW
          " -device idm_stm32-flat,addr=0x50020000,irq=27,irq-free=28",
          "other registers already" },
        { "idm_stm32", "idm_stm32" },
    };

    for (int n = 0; n < ARRAY_SIZE(wrong); n++) {
        g_autofree char *args = g_strdup_printf("-M mps2-an385" SLAVE_ARGS
                                                " -device %s",
                                                wrong[n].device);

        check_refused(args, wrong[n].reason);
    }
    check_refused("-M mps2-an385 " FLAT_ARGS " -device " FLAT_VIEW,
                  "this device is for slaves");
}

/* --- command lines --- */

static void test_refused(void)
{
    check_refused("-M virt -device idm_stm32,couple=1", "there is no IDM");
    check_refused("-M virt -device idm_stm32,couple=1 -device idm_ipi",
                  "there is no IDM");
    check_refused("-M virt -device idm_ipi -device idm_stm32",
                  "which are 1 to 255, not with 0");
    check_refused("-M virt -device idm_ipi -device idm_stm32,couple=256",
                  "which are 1 to 255, not with 256");
    check_refused("-M virt -device idm_ipi -device idm_stm32,couple=1"
                  " -device idm_stm32,couple=1", "other registers already");
    check_refused("-M virt,slave=on,memory-backend=mem -m 16M"
                  " -object memory-backend-shared,id=mem,size=16M"
                  " -device idm_ipi -device idm_stm32,couple=1",
                  "which is 0, not with 1");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!machine_is_here(&idm_virt)) {
        g_test_skip("virt is not there");
        return g_test_run();
    }
    qtest_add_func("/idm-stm32/master-registers", test_master_registers);
    qtest_add_func("/idm-stm32/slave-registers", test_slave_registers);
    qtest_add_func("/idm-stm32/send", test_send);
    qtest_add_func("/idm-stm32/receive", test_receive);
    qtest_add_func("/idm-stm32/received-again", test_received_again);
    qtest_add_func("/idm-stm32/native-peer", test_native_peer);
    qtest_add_func("/idm-stm32/both-views", test_both_views);
    qtest_add_func("/idm-stm32/unheard", test_unheard);
    qtest_add_func("/idm-stm32/start-stop", test_start_stop);
    qtest_add_func("/idm-stm32/default-entry", test_default_entry);
    qtest_add_func("/idm-stm32/crash", test_crash);
    qtest_add_func("/idm-stm32/crash-before-answer", test_crash_before_answer);
    qtest_add_func("/idm-stm32/crash-of-foreign", test_crash_of_foreign);
    qtest_add_func("/idm-stm32/start-fails", test_start_fails);
    qtest_add_func("/idm-stm32/reset", test_reset);
    qtest_add_func("/idm-stm32/reset-without-table", test_reset_without_table);
    qtest_add_func("/idm-stm32/slave-reset", test_slave_reset);
    qtest_add_func("/idm-stm32/refused", test_refused);
    if (machine_is_here(&idm_mps2)) {
        qtest_add_func("/idm-stm32/flat", test_flat);
        qtest_add_func("/idm-stm32/flat-inputs", test_flat_inputs);
        qtest_add_func("/idm-stm32/flat-refused", test_flat_refused);
    }
    return g_test_run();
}
