/*
 * Test of the IDM in whole platforms: 255 slaves, two real QEMUs, what one
 * tells the other
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qobject/qnum.h"
#include "idm-util.h"

/* --- many --- */

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
    fds = count_entries(&side, "fd");
    tasks = count_entries(&side, "task");
    for (int id = 1; id <= HET_ID_MAX; id++) {
        couple_make(&c[id], id);
        couple_attach(&c[id], &side);
        wr(&side, IDM_COUPLE(id) + IDM_EVENT, UINT32_MAX);
        wr(&side, IDM_COUPLE(id) + IDM_ENABLE, UINT32_MAX);
        g_assert_cmpuint(rd(&side, IDM_COUPLES), ==, id);
    }
    /* On PCI the guest has each, too */
    g_assert_cmpuint(count_pages(side.qts), ==,
                     HET_ID_MAX * (machine_is_pci(data) ? 2 : 1));
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
    g_assert_cmpuint(count_entries(&side, "fd"), ==, fds);
    wait_tasks(&side, tasks);
    side_end(&side);
}

/* --- two QEMUs --- */

static void test_two(const void *data)
{
    Side master, slave;
    Couple c;
    uint32_t to_slave = IDM_COUPLE(1), to_master = IDM_COUPLE(0);

    side_start(&master, machine_first(), false);
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
    couple_end(&c);
    side_end(&slave);
    side_end(&master);
}

static void test_replace(const void *data)
{
    Side master, slave;
    Couple c;
    uint32_t to_slave = IDM_COUPLE(1), to_master = IDM_COUPLE(0);

    side_start(&master, machine_first(), false);
    side_start(&slave, data, true);
    couple_make(&c, 1);
    couple_attach(&c, &master);
    couple_attach(&c, &slave);
    wait_for(&master, to_slave + IDM_PEER_STATE, UINT32_MAX,
             IDM_STATE_WAITING);
    wr(&master, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);

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

/* --- resource tables --- */

static void slave_boot(Side *slave, uint64_t resource_table)
{
    QDict *args = qdict_new();

    /* where the machine has its memory */
    qdict_put_int(args, "entry",
                  slave->machine->ram);
    if (resource_table) {
        qdict_put(args, "resource-table", qnum_from_uint(resource_table));
    }
    qtest_qmp_assert_success(slave->qts, "{ 'execute': 'het-slave-boot',"
                             " 'arguments': %p }", args);
}

/* As the master's guest sees it */
static void wait_for_table(Side *master, uint64_t table)
{
    uint32_t extension = IDM_EXTENSION(1);

    wait_for(master, extension + IDM_PEER_RESOURCE_TABLE_LO, UINT32_MAX,
             table);
    wait_for(master, extension + IDM_PEER_RESOURCE_TABLE_HI, UINT32_MAX,
             table >> 32);
}

static void check_query(Side *side, const char *key, uint64_t table)
{
    QDict *info = side->slave
        ? qtest_qmp_assert_success_ref(side->qts, "{ 'execute': 'query-het' }")
        : query_couple(side, 1);
    QNum *number = qobject_to(QNum, qdict_get(info, key));

    g_assert((table != 0) == (number != NULL));
    g_assert_true(!number || qnum_get_uint(number) == table);
    qobject_unref(info);
}

/* From het-slave-boot, and from the slave's guest, to the master's guest */
static void test_resource_table(const void *data)
{
    const uint64_t booted = 0x123456789ULL, set = 0xfedcba9876543210ULL;
    int memory = make_memfd(16 * 1024 * 1024, SEALS);
    uint32_t own = IDM_EXTENSION(0), to_slave = IDM_COUPLE(1);
    Side master, slave;
    Couple c;

    side_start(&master, machine_first(), false);
    side_start(&slave, data, true);
    couple_make(&c, 1);
    couple_attach(&c, &master);
    couple_attach(&c, &slave);
    give_fd(slave.qts, "m", memory);
    qtest_qmp_assert_success(slave.qts, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem',"
                             " 'memory': 'm' } }");
    /* nothing runs that could have one */
    wr(&slave, own + IDM_RESOURCE_TABLE_LO, 1);
    wr(&slave, own + IDM_RESOURCE_TABLE_HI, 1);
    wait_for(&master, to_slave + IDM_PEER_STATE, UINT32_MAX, IDM_STATE_READY);
    wait_for_table(&master, 0);
    check_query(&slave, "resource-table", 0);

    slave_boot(&slave, booted);
    wait_for(&master, to_slave + IDM_PEER_STATE, UINT32_MAX,
             IDM_STATE_RUNNING);
    /* not only soon after it */
    check_ro(&master, IDM_EXTENSION(1) + IDM_PEER_RESOURCE_TABLE_LO, booted);
    check_ro(&master, IDM_EXTENSION(1) + IDM_PEER_RESOURCE_TABLE_HI,
             booted >> 32);
    g_assert_cmphex(rd(&slave, own + IDM_RESOURCE_TABLE_LO), ==,
                    (uint32_t)booted);
    check_query(&slave, "resource-table", booted);
    check_query(&master, "peer-resource-table", booted);

    /* as a whole, with its upper half */
    wr(&master, to_slave + IDM_EVENT, UINT32_MAX);
    wr(&slave, own + IDM_RESOURCE_TABLE_LO, set);
    g_assert_cmphex(qatomic_read(&c.page->slave.resource_table), ==, booted);
    wr(&slave, own + IDM_RESOURCE_TABLE_HI, set >> 32);
    wait_for_table(&master, set);
    wait_for(&master, to_slave + IDM_EVENT, IDM_EVENT_STATE, IDM_EVENT_STATE);
    check_query(&slave, "resource-table", set);

    /* paused and crashed it still has one, stopped it has not */
    qtest_qmp_assert_success(slave.qts, "{ 'execute': 'stop' }");
    wait_for(&master, to_slave + IDM_PEER_STATE, UINT32_MAX, IDM_STATE_PAUSED);
    wait_for_table(&master, set);
    qtest_qmp_assert_success(slave.qts, "{ 'execute': 'het-slave-stop' }");
    wait_for(&master, to_slave + IDM_PEER_STATE, UINT32_MAX, IDM_STATE_READY);
    check_ro(&master, IDM_EXTENSION(1) + IDM_PEER_RESOURCE_TABLE_LO, 0);
    g_assert_cmphex(qatomic_read(&c.page->slave.resource_table), ==, 0);
    slave_boot(&slave, 0);
    wait_for(&master, to_slave + IDM_PEER_STATE, UINT32_MAX,
             IDM_STATE_RUNNING);
    wait_for_table(&master, 0);
    qtest_qmp_assert_success(slave.qts, "{ 'execute': 'het-slave-stop' }");

    /* a reset of the slave's board ends it as well */
    slave_boot(&slave, booted);
    wait_for_table(&master, booted);
    qtest_qmp_assert_success(slave.qts, "{ 'execute': 'system_reset' }");
    wait_for_table(&master, 0);
    g_assert_cmphex(rd(&slave, own + IDM_RESOURCE_TABLE_LO), ==, 0);
    slave_boot(&slave, booted);
    wait_for_table(&master, booted);
    side_end(&slave);
    wait_for(&master, to_slave + IDM_PEER_STATE, UINT32_MAX,
             IDM_STATE_OFFLINE);
    wait_for_table(&master, 0);

    close(memory);
    couple_end(&c);
    side_end(&master);
}

/* A page in which it is written although the slave is not booted */
static void test_resource_table_hostile(const void *data)
{
    static const bool booted[] = {
        [IDM_STATE_RUNNING] = true, [IDM_STATE_PAUSED] = true,
        [IDM_STATE_CRASHED] = true, [IDM_STATE_CRASHED + 1] = false,
    };
    Side master;
    Couple c;

    side_start(&master, data, false);
    couple_make(&c, 1);
    c.page->slave.state = IDM_STATE_READY;
    c.page->slave.resource_table = UINT64_MAX;
    couple_attach(&c, &master);
    wait_for_table(&master, 0);
    for (unsigned state = 0; state < ARRAY_SIZE(booted); state++) {
        set_slave_state(&c, state);
        settle(&master);
        wait_for_table(&master, booted[state] ? UINT64_MAX : 0);
    }
    couple_detach(&c, &master);
    wait_for_table(&master, 0);
    couple_end(&c);
    side_end(&master);
}

/* --- signs of life --- */

static void expect_reason(Side *slave, const char *reason)
{
    QDict *info = qtest_qmp_assert_success_ref(slave->qts,
                                               "{ 'execute': 'query-het' }");

    g_assert_cmpstr(qdict_get_str(info, "reason"), ==, reason);
    qobject_unref(info);
}

/* From the slave's guest to whoever looks at the page; and what he does */
static void test_heartbeat(const void *data)
{
    int memory = make_memfd(16 * 1024 * 1024, SEALS);
    uint32_t reg = IDM_EXTENSION(0) + IDM_HEARTBEAT;
    uint64_t *heartbeat, first;
    Side master, slave;
    Couple c;
    QDict *answer;

    side_start(&master, machine_first(), false);
    side_start(&slave, data, true);
    check_ro(&slave, reg, 0);
    couple_make(&c, 1);
    c.page->heartbeat_ms = 50;
    heartbeat = &c.page->slave.heartbeat_ns;
    *heartbeat = 1;
    couple_attach(&c, &master);
    couple_attach(&c, &slave);
    g_assert_cmpuint(qatomic_read_u64(heartbeat), ==, 0);
    check_ro(&master, IDM_EXTENSION(1) + IDM_HEARTBEAT, 0);
    give_fd(slave.qts, "m", memory);
    qtest_qmp_assert_success(slave.qts, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem',"
                             " 'memory': 'm' } }");
    answer = qtest_qmp(slave.qts, "{ 'execute': 'het-slave-fail' }");
    g_assert_true(qdict_haskey(answer, "error"));
    qobject_unref(answer);

    slave_boot(&slave, 0);
    g_assert_cmpuint(qatomic_read_u64(heartbeat), ==, 0);
    g_assert_cmpuint(rd(&slave, reg), ==, 50);
    wr(&slave, reg, 0);
    first = qatomic_read_u64(heartbeat);
    g_assert_cmpuint(first, !=, 0);
    wr(&slave, reg, UINT32_MAX);
    g_assert_cmpuint(qatomic_read_u64(heartbeat), >, first);
    g_assert_cmpuint(rd(&slave, reg), ==, 50);
    for (int n = 0; n < 2; n++) {
        qtest_qmp_assert_success(slave.qts, "{ 'execute': 'het-slave-fail' }");
        wait_for(&master, IDM_COUPLE(1) + IDM_PEER_STATE, UINT32_MAX,
                 IDM_STATE_CRASHED);
        expect_reason(&slave, "watchdog");
    }
    /* the next program begins without any */
    qtest_qmp_assert_success(slave.qts, "{ 'execute': 'het-slave-stop' }");
    g_assert_cmpuint(qatomic_read_u64(heartbeat), ==, 0);
    slave_boot(&slave, 0);
    g_assert_cmpuint(qatomic_read_u64(heartbeat), ==, 0);
    close(memory);
    couple_end(&c);
    side_end(&slave);
    side_end(&master);
}

/* --- acknowledgements --- */

/* A sender that waits, and a guest that is not interrupted by all vectors */
static void check_acknowledged(const Machine *machine, const char *option,
                               uint32_t waits_deaf, uint32_t waits)
{
    const char *device = machine_is_pci(machine) ? "idm_ipi-pci" :
                         machine->sysbus ? "idm_ipi" : "idm_ipi-flat";
    g_autofree char *form = g_strdup_printf("-global %s.auto-ack=%s %s",
                                            device, option, machine->args);
    Machine with_option = *machine;
    Side slave;
    Couple c;

    with_option.args = form;
    side_start(&slave, &with_option, true);
    couple_make(&c, 1);
    couple_attach(&c, &slave);
    send_to_slave(&slave, &c, 3);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, waits_deaf);
    g_assert_cmphex(rd(&slave, IDM_COUPLE(0) + IDM_PENDING), ==, 3);
    wr(&slave, IDM_COUPLE(0) + IDM_PENDING, 3);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 0);

    wr(&slave, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    wr(&slave, IDM_COUPLE(0) + IDM_ENABLE, 2);
    send_to_slave(&slave, &c, 3);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, waits);
    wr(&slave, IDM_COUPLE(0) + IDM_PENDING, 3);
    g_assert_cmphex(qatomic_read(&c.page->slave.channels), ==, 0);
    couple_end(&c);
    side_end(&slave);
}

static void test_acknowledged(const void *data)
{
    check_acknowledged(data, "auto", 0, 2);
    check_acknowledged(data, "on", 0, 0);
    check_acknowledged(data, "off", 3, 3);
}

/* --- */

static const MachineTest tests[] = {
    { "many", test_many },
    { "two", test_two },
    { "replace", test_replace },
    { "resource-table", test_resource_table },
    { "resource-table-hostile", test_resource_table_hostile },
    { "heartbeat", test_heartbeat },
    { "acknowledged", test_acknowledged },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_machine_tests(tests, ARRAY_SIZE(tests));
    return g_test_run();
}
