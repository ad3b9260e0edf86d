/*
 * Tests of idm_stm32: start, stop, watchdog and reset
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qobject/qnum.h"
#include "idm-stm32-util.h"

static void wait_for_page(uint32_t *word, uint32_t value)
{
    gint64 end = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    while (qatomic_read(word) != value) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
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

    stm32_start_attached(&side, &c, false);
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
    g_assert_false(stm32_watchdog(&side));

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
    g_assert_false(stm32_watchdog(&side));
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
    g_assert_false(stm32_watchdog(&side));
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
    g_assert_false(stm32_watchdog(&side));
    stm32_end(&side, &c);
}

/* Without entry= it begins where the window does */
static void test_default_entry(void)
{
    int memory = make_memfd(0x200000, SEALS);
    Side side;
    Couple c;
    QDict *event;

    side_start_args(&side, &stm32_view_of_master, false,
                    "-nodefaults -machine virt -m 1G " VIRT_ARGS
                    " -device idm_stm32,couple=5");
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
    stm32_end(&side, &c);
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

    stm32_start_attached(&side, &c, false);
    for (int n = 0; n < ARRAY_SIZE(ends); n++) {
        set_state(&side, &c, IDM_STATE_READY);
        boot(&side, &c);
        g_assert_false(stm32_watchdog(&side));
        set_state(&side, &c, ends[n]);
        g_assert_true(stm32_watchdog(&side));
        /* One for each boot */
        set_state(&side, &c, IDM_STATE_OFFLINE);
        g_assert_false(stm32_watchdog(&side));
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
    g_assert_true(stm32_watchdog(&side));
    /* Its couple ends with it */
    boot(&side, &c);
    couple_detach(&c, &side);
    g_assert_true(stm32_watchdog(&side));
    stm32_end(&side, &c);
}

/* By a manager that is slower than the program that it has started */
static void test_crash_before_answer(void)
{
    static const char *const results[] = { "done", "failed" };
    Side side;
    Couple c;

    stm32_start_attached(&side, &c, false);
    for (int n = 0; n < ARRAY_SIZE(results); n++) {
        set_state(&side, &c, IDM_STATE_READY);
        release(&side);
        expect_boot_request(&side);
        set_state(&side, &c, IDM_STATE_RUNNING);
        g_assert_false(stm32_watchdog(&side));
        set_state(&side, &c, IDM_STATE_CRASHED);
        g_assert_true(stm32_watchdog(&side));
        /* That was all there is to tell */
        complete(&side, ID, results[n], true);
        g_assert_false(stm32_watchdog(&side));
        wr(&side, STM32_RESET, 1);
        expect_stop_request(&side);
        set_state(&side, &c, IDM_STATE_READY);
        complete(&side, ID, "done", true);
        g_assert_false(stm32_watchdog(&side));
    }
    boot(&side, &c);
    set_state(&side, &c, IDM_STATE_CRASHED);
    g_assert_true(stm32_watchdog(&side));
    stm32_end(&side, &c);
}

/* Somebody else's slave counts as well */
static void test_crash_of_foreign(void)
{
    Side side;
    Couple c;

    stm32_start_attached(&side, &c, false);
    set_state(&side, &c, IDM_STATE_RUNNING);
    /* No driver has looked yet */
    set_state(&side, &c, IDM_STATE_CRASHED);
    g_assert_false(stm32_watchdog(&side));
    set_state(&side, &c, IDM_STATE_RUNNING);
    g_assert_cmphex(rd(&side, STM32_STATE), ==, STM32_STATE_OFF);
    set_state(&side, &c, IDM_STATE_CRASHED);
    g_assert_true(stm32_watchdog(&side));
    /* Without a table Linux does not know of it: it is stopped first */
    set_state(&side, &c, IDM_STATE_RUNNING);
    release(&side);
    expect_stop_request(&side);
    set_state(&side, &c, IDM_STATE_READY);
    g_assert_false(stm32_watchdog(&side));
    complete(&side, ID, "done", true);
    expect_boot_request(&side);
    stm32_end(&side, &c);
}

static void test_start_fails(void)
{
    static const char *const results[] = { "refused", "failed" };
    Side side;
    Couple c;

    stm32_start_attached(&side, &c, false);
    set_state(&side, &c, IDM_STATE_CRASHED);
    for (int n = 0; n < 3; n++) {
        /* As a kernel does that tries to recover it */
        wr(&side, STM32_RESET, 1);
        expect_stop_request(&side);
        release(&side);
        complete(&side, ID, "failed", true);
        expect_boot_request(&side);
        complete(&side, ID, results[n % 2], true);
        stm32_wait_for_watchdog(&side);
    }
    /* The next one is late, unless there is hope: here it is given up */
    wr(&side, STM32_RESET, 1);
    expect_stop_request(&side);
    release(&side);
    complete(&side, ID, "failed", true);
    expect_boot_request(&side);
    complete(&side, ID, "failed", true);
    set_state(&side, &c, IDM_STATE_READY);
    g_assert_true(stm32_watchdog(&side));
    /* Without a couple */
    couple_detach(&c, &side);
    release(&side);
    stm32_wait_for_watchdog(&side);
    stm32_end(&side, &c);
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

    stm32_start_attached(&side, &c, false);
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
    g_assert_false(stm32_pends(&side, RX));
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
    g_assert_true(stm32_watchdog(&side));
    stm32_end(&side, &c);
}

/* The next kernel could not see it: what this one has started is stopped */
static void test_reset_without_table(void)
{
    Side side;
    Couple c;

    stm32_start_attached(&side, &c, false);
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
    stm32_end(&side, &c);
}

/* A slave that is stopped leaves no flag behind */
static void test_slave_reset(void)
{
    int memory = make_memfd(16 * 1024 * 1024, SEALS);
    Side side;
    Couple c;

    stm32_start_attached(&side, &c, true);
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
    stm32_end(&side, &c);
}

void stm32_add_run_tests(void)
{
    qtest_add_func("/idm-stm32/start-stop", test_start_stop);
    qtest_add_func("/idm-stm32/default-entry", test_default_entry);
    qtest_add_func("/idm-stm32/crash", test_crash);
    qtest_add_func("/idm-stm32/crash-before-answer", test_crash_before_answer);
    qtest_add_func("/idm-stm32/crash-of-foreign", test_crash_of_foreign);
    qtest_add_func("/idm-stm32/start-fails", test_start_fails);
    qtest_add_func("/idm-stm32/reset", test_reset);
    qtest_add_func("/idm-stm32/reset-without-table", test_reset_without_table);
    qtest_add_func("/idm-stm32/slave-reset", test_slave_reset);
}
