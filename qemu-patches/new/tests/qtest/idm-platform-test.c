/*
 * Test of the IDM in whole platforms: 255 slaves, two real QEMUs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
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
    g_assert_cmpuint(count_entries(&side, "fd"), ==, fds);
    g_assert_cmpuint(count_entries(&side, "task"), ==, tasks);
    side_end(&side);
}

/* --- two QEMUs --- */

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
    couple_end(&c);
    side_end(&slave);
    side_end(&master);
}

static void test_replace(const void *data)
{
    Side master, slave;
    Couple c;
    uint32_t to_slave = IDM_COUPLE(1), to_master = IDM_COUPLE(0);

    side_start(&master, &idm_virt, false);
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

/* --- */

static const MachineTest tests[] = {
    { "many", test_many },
    { "two", test_two },
    { "replace", test_replace },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_machine_tests(tests, ARRAY_SIZE(tests));
    return g_test_run();
}
