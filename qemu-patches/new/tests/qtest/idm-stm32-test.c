/*
 * Test of the STM32 view of a couple (idm_stm32)
 *
 * The registers of both sides, and the mailbox between the two kinds of
 * registers. Interrupts are looked at in the interrupt controller, where an
 * edge leaves a trace.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "idm-stm32-util.h"

#define FLAT_VIEW_BASE  0x50010000
#define FLAT_RX         29
#define FLAT_TX         30
#define FLAT_VIEW       "idm_stm32-flat,addr=0x50010000,irq=29,irq-free=30"
#define FLAT_IDM        "idm_ipi-flat,addr=0x50000000,irq=31"
#define NVIC_ISPR       0xe000e200

/* A board that has no platform bus */
static const Machine flat_view_of_slave = {
    .args = "-nodefaults -machine mps2-an385" SLAVE_ARGS " " FLAT_ARGS
            " -device " FLAT_VIEW ",id=view",
    .base = FLAT_VIEW_BASE,
};

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

    stm32_start(&side, false);
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
    g_assert_false(stm32_pends(&side, TX));
    wr(&side, MASTER(STM32_IPCC_MR), 0x0000ffff);
    g_assert_true(stm32_pends(&side, TX));
    wr(&side, MASTER(STM32_IPCC_SCR), 0x10000);
    g_assert_true(stm32_pends(&side, TX));
    g_assert_false(stm32_pends(&side, RX));
    side_end(&side);
}

static void test_slave_registers(void)
{
    static const uint32_t reserved[] = {
        0x20, STM32_RESET, STM32_TZEN, STM32_HOLD_BOOT, STM32_PDDS,
        STM32_STATE, STM32_RESOURCE_TABLE, 0xffc,
    };
    Side side;

    stm32_start(&side, true);
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

    stm32_start_attached(&side, &c, false);
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
    g_assert_false(stm32_pends(&side, TX));
    qatomic_and(&c.page->slave.channels, ~2u);
    wake(c.master_rx);
    settle(&side);
    g_assert_true(stm32_pends(&side, TX));
    g_assert_cmphex(rd(&side, MASTER(STM32_IPCC_TOSR)), ==, 0);
    wr(&side, MASTER(STM32_IPCC_MR), UINT32_MAX);
    g_assert_false(stm32_pends(&side, TX));

    /* Channels that are not there, and two at once */
    wr(&side, MASTER(STM32_IPCC_SCR), 0xffc50000);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 5);
    g_assert_cmphex(qatomic_read(&c.page->slave.pending), ==, 5);
    stm32_end(&side, &c);
}

static void test_receive(void)
{
    Side side;
    Couple c;

    stm32_start_attached(&side, &c, false);
    wr(&side, MASTER(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&side, MASTER(STM32_IPCC_MR), ~2u);
    /* Vectors that are no channels, and a masked one */
    send_to_master(&c, 0x80000041);
    settle(&side);
    g_assert_cmphex(rd(&side, SLAVE(STM32_IPCC_TOSR)), ==, 1);
    g_assert_false(stm32_pends(&side, RX));
    /* The sender waits for this one */
    qatomic_or(&c.page->master.channels, 2);
    send_to_master(&c, 2);
    settle(&side);
    g_assert_cmphex(rd(&side, SLAVE(STM32_IPCC_TOSR)), ==, 3);
    g_assert_true(stm32_pends(&side, RX));
    g_assert_cmphex(native(&side, IDM_COUPLE(ID) + IDM_PENDING), ==,
                    0x80000043);

    woken(c.slave_rx);
    wr(&side, MASTER(STM32_IPCC_SCR), 1);
    g_assert_cmpuint(woken(c.slave_rx), ==, 0);     /* nobody waits for it */
    g_assert_true(stm32_pends(&side, RX));
    wr(&side, MASTER(STM32_IPCC_SCR), 2);
    g_assert_cmpuint(woken(c.slave_rx), ==, 1);
    g_assert_cmphex(qatomic_read(&c.page->master.channels), ==, 0);
    g_assert_false(stm32_pends(&side, RX));
    g_assert_cmphex(rd(&side, SLAVE(STM32_IPCC_TOSR)), ==, 0);
    g_assert_cmphex(native(&side, IDM_COUPLE(ID) + IDM_PENDING), ==,
                    0x80000040);
    stm32_end(&side, &c);
}

/* A driver looks for messages before it clears the flag */
static void test_received_again(void)
{
    Side side;
    Couple c;

    stm32_start_attached(&side, &c, false);
    wr(&side, MASTER(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&side, MASTER(STM32_IPCC_MR), ~1u);
    send_to_master(&c, 1);
    settle(&side);
    g_assert_true(stm32_pends(&side, RX));
    send_to_master(&c, 1);
    settle(&side);
    wr(&side, MASTER(STM32_IPCC_SCR), 1);
    g_assert_true(stm32_pends(&side, RX));
    wr(&side, MASTER(STM32_IPCC_SCR), 1);
    g_assert_false(stm32_pends(&side, RX));
    stm32_end(&side, &c);
}

/* --- both kinds of registers --- */

/* On a slave that does not know of the view the acknowledgement is PENDING */
static void test_native_peer(void)
{
    Side master, slave;
    Couple c;
    uint32_t block = VIRT_BASE + IDM_COUPLE(0);

    stm32_start_attached(&master, &c, false);
    side_start(&slave, &idm_virt, true);
    couple_attach(&c, &slave);
    qtest_writel(slave.qts, VIRT_BASE + IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    qtest_writel(slave.qts, block + IDM_ENABLE, 1);
    wr(&master, MASTER(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&master, MASTER(STM32_IPCC_SCR), 0x10000);
    wr(&master, MASTER(STM32_IPCC_MR), ~0x10001u);
    g_assert_false(stm32_pends(&master, TX));
    wait_for(&slave, IDM_COUPLE(0) + IDM_PENDING, 1, 1);
    qtest_writel(slave.qts, block + IDM_PENDING, 2);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 1);
    qtest_writel(slave.qts, block + IDM_PENDING, 1);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 0);
    settle(&master);
    g_assert_true(stm32_pends(&master, TX));

    g_assert_false(stm32_pends(&master, RX));
    qtest_writel(slave.qts, block + IDM_DOORBELL, 0);
    settle(&master);
    g_assert_true(stm32_pends(&master, RX));
    side_end(&slave);
    stm32_end(&master, &c);
}

static void test_both_views(void)
{
    Side master, slave;
    Couple c;

    stm32_start_attached(&master, &c, false);
    stm32_start(&slave, true);
    couple_attach(&c, &slave);
    wr(&master, MASTER(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&slave, SLAVE(STM32_IPCC_CR), RX_TX_ENABLE);
    wr(&slave, SLAVE(STM32_IPCC_MR), ~1u);
    wr(&master, MASTER(STM32_IPCC_SCR), 0x10000);
    wr(&master, MASTER(STM32_IPCC_MR), ~0x10002u);
    settle(&slave);
    g_assert_true(stm32_pends(&slave, RX));
    g_assert_cmphex(rd(&slave, MASTER(STM32_IPCC_TOSR)), ==, 1);
    g_assert_false(stm32_pends(&master, TX));
    wr(&slave, SLAVE(STM32_IPCC_SCR), 1);
    g_assert_false(stm32_pends(&slave, RX));
    settle(&master);
    g_assert_true(stm32_pends(&master, TX));

    wr(&slave, SLAVE(STM32_IPCC_SCR), 0x20000);
    wr(&slave, SLAVE(STM32_IPCC_MR), ~0x20000u);
    g_assert_cmphex(rd(&slave, SLAVE(STM32_IPCC_TOSR)), ==, 2);
    settle(&master);
    g_assert_true(stm32_pends(&master, RX));
    wr(&master, MASTER(STM32_IPCC_SCR), 2);
    settle(&slave);
    g_assert_cmphex(rd(&slave, SLAVE(STM32_IPCC_TOSR)), ==, 0);
    g_assert_true(stm32_pends(&slave, TX));
    side_end(&slave);
    stm32_end(&master, &c);
}

/* What interrupts in neither kind of registers is acknowledged at once */
static void test_unheard(void)
{
    uint32_t *channels;
    Side side;
    Couple c;

    stm32_start_attached(&side, &c, true);
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
    stm32_end(&side, &c);
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
    stm32_end(&side, &c);
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
    stm32_end(&side, &c);
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
    stm32_add_run_tests();
    qtest_add_func("/idm-stm32/refused", test_refused);
    if (machine_is_here(&idm_mps2)) {
        qtest_add_func("/idm-stm32/flat", test_flat);
        qtest_add_func("/idm-stm32/flat-inputs", test_flat_inputs);
        qtest_add_func("/idm-stm32/flat-refused", test_flat_refused);
    }
    return g_test_run();
}
