/*
 * Test of the registers of the IDM (idm_ipi, idm_ipi-flat)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <libfdt.h>
#include "qemu/atomic.h"
#include "qobject/qnum.h"
#include "idm-util.h"

/* --- registers, no couple attached --- */

static uint32_t expected_features(const Machine *machine, uint32_t of_role)
{
    return of_role | IDM_FEATURE_RESOURCE_TABLE | IDM_FEATURE_TAKE |
           (machine_is_pci(machine) ? IDM_FEATURE_PAGES : 0);
}

static void test_global(const void *data)
{
    Side side;

    side_start(&side, data, false);
    g_assert_cmphex(rd(&side, IDM_ID), ==, IDM_ID_VALUE);
    g_assert_cmphex(rd(&side, IDM_VERSION), ==, IDM_VERSION_VALUE);
    g_assert_cmphex(rd(&side, IDM_FEATURES), ==,
                    expected_features(data, IDM_FEATURE_MASTER |
                                            IDM_FEATURE_CONTROL));
    g_assert_cmphex(rd(&side, IDM_SELF), ==, 0);
    g_assert_cmpuint(rd(&side, IDM_COUPLES), ==, 0);
    g_assert_cmpuint(rd(&side, IDM_VECTORS), ==, 32);
    g_assert_cmphex(rd(&side, IDM_CTRL), ==, 0);
    g_assert_cmphex(rd(&side, IDM_IRQ_STATUS), ==, 0);
    for (int n = 0; n < IDM_SUMMARY_COUNT; n++) {
        g_assert_cmphex(rd(&side, IDM_SUMMARY(n)), ==, 0);
    }

    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    g_assert_cmphex(rd(&side, IDM_CTRL), ==, IDM_CTRL_IRQ_ENABLE);
    /* a reserved bit: the write is ignored as a whole */
    wr(&side, IDM_CTRL, 2);
    g_assert_cmphex(rd(&side, IDM_CTRL), ==, IDM_CTRL_IRQ_ENABLE);
    wr(&side, IDM_CTRL, 0);
    g_assert_cmphex(rd(&side, IDM_CTRL), ==, 0);

    for (uint32_t reg = IDM_ID; reg < IDM_SUMMARY(IDM_SUMMARY_COUNT);
         reg += 4) {
        uint32_t before = rd(&side, reg);

        if (reg != IDM_CTRL) {
            wr(&side, reg, ~before);
            g_assert_cmphex(rd(&side, reg), ==, before);
        }
    }
    g_assert_false(irq(&side));
    side_end(&side);
}

static bool is_reserved(uint32_t reg, bool slave)
{
    if (reg < IDM_SUMMARY(IDM_SUMMARY_COUNT)) {
        return false;
    }
    if (reg < IDM_COUPLE(0) || reg >= IDM_EXTENSION(IDM_COUPLE_MAX)) {
        return true;
    }
    if (reg < IDM_EXTENSION(0)) {
        return slave ? reg >= IDM_COUPLE(0) + IDM_CONTROL
                     : reg < IDM_COUPLE(1);
    }
    if (reg < IDM_EXTENSION(slave ? 0 : 1)) {
        return true;
    }
    if (slave && reg >= IDM_EXTENSION(1)) {
        return true;
    }
    reg = (reg - IDM_EXTENSION(0)) % IDM_EXTENSION_SIZE;
    if (reg == IDM_TAKE) {
        return false;
    }
    return slave ? reg >= IDM_PEER_RESOURCE_TABLE_LO && reg != IDM_HEARTBEAT
                 : reg > IDM_PEER_RESOURCE_TABLE_HI;
}

static void check_reserved(Side *side)
{
    for (uint32_t reg = 0; reg < IDM_MMIO_SIZE; reg += 4) {
        if (is_reserved(reg, side->slave)) {
            wr(side, reg, 0xffffffff);
        }
    }
    for (uint32_t reg = 0; reg < IDM_MMIO_SIZE; reg += 4) {
        if (is_reserved(reg, side->slave)) {
            g_assert_cmphex(rd(side, reg), ==, 0);
        }
    }
    g_assert_cmphex(rd(side, IDM_CTRL), ==, 0);
    g_assert_false(irq(side));
}

static void test_reserved(const void *data)
{
    Side side;

    side_start(&side, data, false);
    check_reserved(&side);
    side_end(&side);
}

static void test_access_size(const void *data)
{
    Side side;
    uint64_t base;

    side_start(&side, data, false);
    base = side.machine->base;
    g_assert_cmphex(qtest_readb(side.qts, base + IDM_ID), ==, 0);
    g_assert_cmphex(qtest_readw(side.qts, base + IDM_ID), ==, 0);
    g_assert_cmphex(qtest_readq(side.qts, base + IDM_ID), ==, 0);
    for (int n = 1; n < 4; n++) {
        g_assert_cmphex(qtest_readb(side.qts, base + IDM_ID + n), ==, 0);
        g_assert_cmphex(qtest_readw(side.qts, base + IDM_ID + n), ==, 0);
        g_assert_cmphex(qtest_readl(side.qts, base + IDM_ID + n), ==, 0);
        g_assert_cmphex(qtest_readq(side.qts, base + IDM_ID + n), ==, 0);
    }

    base += IDM_COUPLE(1) + IDM_ENABLE;
    qtest_writel(side.qts, base, 0x12345678);
    qtest_writeb(side.qts, base, 0xff);
    qtest_writew(side.qts, base, 0xffff);
    qtest_writeq(side.qts, base, UINT64_MAX);
    qtest_writeq(side.qts, base - 4, UINT64_MAX);
    for (int n = 1; n < 4; n++) {
        qtest_writeb(side.qts, base + n, 0xff);
        qtest_writew(side.qts, base + n, 0xffff);
        qtest_writel(side.qts, base + n, UINT32_MAX);
        qtest_writel(side.qts, base - n, UINT32_MAX);
    }
    g_assert_cmphex(qtest_readl(side.qts, base), ==, 0x12345678);
    side_end(&side);
}

static void check_rw(Side *side, uint32_t reg, uint32_t mask)
{
    g_assert_cmphex(rd(side, reg), ==, 0);
    wr(side, reg, 0x5a5a5a5a & mask);
    g_assert_cmphex(rd(side, reg), ==, 0x5a5a5a5a & mask);
    if (mask != UINT32_MAX) {
        wr(side, reg, 0xffffffff);
        g_assert_cmphex(rd(side, reg), ==, 0x5a5a5a5a & mask);
    }
    wr(side, reg, mask);
    g_assert_cmphex(rd(side, reg), ==, mask);
    wr(side, reg, 0);
    g_assert_cmphex(rd(side, reg), ==, 0);
}

static void test_unattached(const void *data)
{
    static const uint32_t ids[] = { 1, 31, 32, 128, 255 };
    Side side;

    side_start(&side, data, false);
    for (int i = 0; i < ARRAY_SIZE(ids); i++) {
        uint32_t block = IDM_COUPLE(ids[i]);

        check_ro(&side, block + IDM_STATUS, 0);
        check_ro(&side, block + IDM_PEER_STATE, IDM_STATE_OFFLINE);
        check_ro(&side, block + IDM_PENDING, 0);
        check_ro(&side, block + IDM_EVENT, 0);
        check_ro(&side, block + IDM_DOORBELL, 0);
        check_rw(&side, block + IDM_ENABLE, UINT32_MAX);
        check_rw(&side, block + IDM_EVENT_ENABLE, 3);
        check_rw(&side, block + IDM_ENTRY_LO, UINT32_MAX);
        check_rw(&side, block + IDM_ENTRY_HI, UINT32_MAX);
        check_rw(&side, block + IDM_ARGUMENT_LO, UINT32_MAX);
        check_rw(&side, block + IDM_ARGUMENT_HI, UINT32_MAX);
        check_ro(&side, block + IDM_WINDOW_BASE_LO, 0);
        check_ro(&side, block + IDM_WINDOW_BASE_HI, 0);
        check_ro(&side, block + IDM_WINDOW_SIZE_LO, 0);
        check_ro(&side, block + IDM_WINDOW_SIZE_HI, 0);
        wr(&side, block + IDM_CONTROL, IDM_CONTROL_START);
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_NONE);
        wr(&side, block + IDM_CONTROL, IDM_CONTROL_STOP);
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_NONE);
        g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, 0);
    }
    /* the master has no couple with itself */
    for (uint32_t reg = 0; reg < IDM_COUPLE_SIZE; reg += 4) {
        check_ro(&side, IDM_COUPLE(0) + reg, 0);
    }
    side_end(&side);
}

/* --- requests of the master guest --- */

static uint64_t get_uint(QDict *dict, const char *key)
{
    return qnum_get_uint(qobject_to(QNum, qdict_get(dict, key)));
}

static void expect_boot_request(Side *side, uint64_t entry, uint64_t argument,
                                uint64_t resource_table, const char *protocol)
{
    QDict *event = qtest_qmp_eventwait_ref(side->qts, "HET_BOOT_REQUEST");
    QDict *what = qdict_get_qdict(event, "data");

    g_assert_cmpint(qdict_get_int(what, "id"), ==, 4);
    g_assert_cmphex(get_uint(what, "entry"), ==, entry);
    g_assert_cmphex(get_uint(what, "argument"), ==, argument);
    g_assert_cmphex(get_uint(what, "resource-table"), ==, resource_table);
    g_assert_cmpstr(qdict_get_str(what, "protocol"), ==, protocol);
    qobject_unref(event);
}

static void repeat_requests(Side *side)
{
    qtest_qmp_assert_success(side->qts, "{ 'execute': 'het-request-repeat' }");
}

static void test_control(const void *data)
{
    static const char *const protocols[] = {
        "auto", "raw", "linux", "vector-table",
    };
    static const char *const results[] = { "done", "refused", "failed" };
    Side side;
    Couple c;
    uint32_t block = IDM_COUPLE(4), extension = IDM_EXTENSION(4);

    side_start(&side, data, false);
    couple_make(&c, 4);
    couple_attach(&c, &side);
    wr(&side, block + IDM_EVENT, UINT32_MAX);
    wr(&side, block + IDM_EVENT_ENABLE, IDM_EVENT_REQUEST);
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);

    for (int i = 0; i < ARRAY_SIZE(protocols); i++) {
        const char *result = results[i % ARRAY_SIZE(results)];

        wr(&side, block + IDM_ENTRY_LO, 0x89abcdef + i);
        wr(&side, block + IDM_ENTRY_HI, 0x01234567);
        wr(&side, block + IDM_ARGUMENT_LO, 0x76543210);
        wr(&side, block + IDM_ARGUMENT_HI, 0xfedcba98);
        wr(&side, extension + IDM_RESOURCE_TABLE_LO, 0xabcdef01);
        wr(&side, extension + IDM_RESOURCE_TABLE_HI, 0xef234567 + i);
        wr(&side, block + IDM_CONTROL,
           IDM_CONTROL_START | IDM_CONTROL_PROTOCOL(i));
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==,
                        IDM_RESULT_PENDING);
        expect_boot_request(&side, 0x0123456789abcdefULL + i,
                            0xfedcba9876543210ULL,
                            0xef234567abcdef01ULL + ((uint64_t)i << 32),
                            protocols[i]);
        /* no second request before the first is answered */
        wr(&side, block + IDM_ENTRY_LO, 0);
        wr(&side, block + IDM_CONTROL, IDM_CONTROL_START);
        wr(&side, block + IDM_CONTROL, IDM_CONTROL_STOP);
        /* what was asked for is told again, not what is in the registers */
        repeat_requests(&side);
        expect_boot_request(&side, 0x0123456789abcdefULL + i,
                            0xfedcba9876543210ULL,
                            0xef234567abcdef01ULL + ((uint64_t)i << 32),
                            protocols[i]);
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==,
                        IDM_RESULT_PENDING);
        complete(&side, 4, "none", false);
        complete(&side, 4, "pending", false);
        complete(&side, 5, "done", false);
        g_assert_false(irq(&side));
        complete(&side, 4, result, true);
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==,
                        IDM_RESULT_DONE + i % ARRAY_SIZE(results));
        g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, IDM_EVENT_REQUEST);
        g_assert_true(irq(&side));
        wr(&side, block + IDM_EVENT, IDM_EVENT_REQUEST);
        g_assert_false(irq(&side));
        complete(&side, 4, "done", false);
    }
    /* had one of the others been taken, it would have been told */
    repeat_requests(&side);
    g_assert_null(qtest_qmp_event_ref(side.qts, "HET_STOP_REQUEST"));
    g_assert_null(qtest_qmp_event_ref(side.qts, "HET_BOOT_REQUEST"));
    couple_end(&c);
    side_end(&side);
}

static void test_control_bad(const void *data)
{
    static const uint32_t bad[] = {
        0, 3, 0xff, IDM_CONTROL_START | IDM_CONTROL_PROTOCOL(4),
        IDM_CONTROL_START | 0x10000, IDM_CONTROL_STOP | 0x80000000,
        IDM_CONTROL_STOP | IDM_CONTROL_PROTOCOL(IDM_PROTOCOL_RAW), UINT32_MAX,
    };
    Side side;
    Couple c;
    uint32_t block = IDM_COUPLE(4);

    side_start(&side, data, false);
    couple_make(&c, 4);
    couple_attach(&c, &side);

    for (int i = 0; i < ARRAY_SIZE(bad); i++) {
        wr(&side, block + IDM_CONTROL, bad[i]);
        g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_NONE);
    }
    complete(&side, 4, "done", false);
    g_assert_null(qtest_qmp_event_ref(side.qts, "HET_STOP_REQUEST"));
    g_assert_null(qtest_qmp_event_ref(side.qts, "HET_BOOT_REQUEST"));
    couple_end(&c);
    side_end(&side);
}

static void test_control_stop(const void *data)
{
    Side side;
    Couple c;
    QDict *event;
    uint32_t block = IDM_COUPLE(4);

    side_start(&side, data, false);
    couple_make(&c, 4);
    couple_attach(&c, &side);
    wr(&side, block + IDM_CONTROL, IDM_CONTROL_STOP);
    event = qtest_qmp_eventwait_ref(side.qts, "HET_STOP_REQUEST");
    g_assert_cmpint(qdict_get_int(qdict_get_qdict(event, "data"), "id"),
                    ==, 4);
    qobject_unref(event);
    repeat_requests(&side);
    qobject_unref(qtest_qmp_eventwait_ref(side.qts, "HET_STOP_REQUEST"));
    /* a request dies with its couple */
    couple_detach(&c, &side);
    g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_NONE);
    complete(&side, 4, "done", false);
    couple_attach(&c, &side);
    g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_NONE);
    couple_end(&c);
    side_end(&side);
}

/* --- reset --- */

static void test_reset(const void *data)
{
    Side side;
    Couple c;
    uint32_t block = IDM_COUPLE(1), extension = IDM_EXTENSION(1);

    side_start(&side, data, false);
    couple_make(&c, 1);
    couple_attach(&c, &side);
    set_slave_state(&c, IDM_STATE_READY);
    send_to_master(&c, UINT32_MAX);
    settle(&side);
    wr(&side, block + IDM_ENABLE, UINT32_MAX);
    wr(&side, block + IDM_EVENT_ENABLE, 3);
    wr(&side, block + IDM_ENTRY_LO, 1);
    wr(&side, block + IDM_ENTRY_HI, 2);
    wr(&side, block + IDM_ARGUMENT_LO, 3);
    wr(&side, block + IDM_ARGUMENT_HI, 4);
    wr(&side, extension + IDM_RESOURCE_TABLE_LO, 5);
    wr(&side, extension + IDM_RESOURCE_TABLE_HI, 6);
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    wr(&side, block + IDM_CONTROL, IDM_CONTROL_STOP);
    g_assert_true(irq(&side));
    /* in the word, but nobody was woken for it */
    qatomic_set(&c.page->master.pending, 0x10);

    qtest_qmp_assert_success(side.qts, "{ 'execute': 'system_reset' }");
    qtest_qmp_eventwait(side.qts, "RESET");
    g_assert_cmphex(qatomic_read(&c.page->master.pending), ==, 0);
    g_assert_false(irq(&side));
    g_assert_cmphex(rd(&side, IDM_CTRL), ==, 0);
    g_assert_cmphex(rd(&side, IDM_IRQ_STATUS), ==, 0);
    g_assert_cmphex(rd(&side, IDM_SUMMARY(0)), ==, 0);
    for (uint32_t reg = IDM_DOORBELL; reg < IDM_COUPLE_SIZE; reg += 4) {
        if (reg != IDM_PEER_STATE && reg != IDM_CONTROL) {
            g_assert_cmphex(rd(&side, block + reg), ==, 0);
        }
    }
    g_assert_cmphex(rd(&side, extension + IDM_RESOURCE_TABLE_LO), ==, 0);
    g_assert_cmphex(rd(&side, extension + IDM_RESOURCE_TABLE_HI), ==, 0);
    /* what is not the guest's own stays */
    g_assert_cmphex(rd(&side, block + IDM_STATUS), ==, IDM_STATUS_ATTACHED);
    g_assert_cmphex(rd(&side, block + IDM_PEER_STATE), ==, IDM_STATE_READY);
    g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_PENDING);
    complete(&side, 1, "done", true);
    g_assert_cmphex(rd(&side, block + IDM_CONTROL), ==, IDM_RESULT_DONE);
    g_assert_false(irq(&side));
    couple_end(&c);
    side_end(&side);
}

/* --- a slave --- */

static void test_slave(const void *data)
{
    Side side;
    Couple c;
    uint32_t block = IDM_COUPLE(0);

    side_start(&side, data, true);
    check_reserved(&side);
    g_assert_cmphex(rd(&side, IDM_FEATURES), ==,
                    expected_features(data, IDM_FEATURE_HEARTBEAT));
    g_assert_cmphex(rd(&side, IDM_SELF), ==, IDM_SELF_NONE);
    couple_make(&c, 200);
    c.page->master.state = IDM_STATE_RUNNING;
    couple_attach(&c, &side);
    g_assert_cmpuint(rd(&side, IDM_SELF), ==, 200);
    g_assert_cmpuint(rd(&side, IDM_COUPLES), ==, 1);
    g_assert_cmphex(rd(&side, block + IDM_STATUS), ==, IDM_STATUS_ATTACHED);
    g_assert_cmphex(rd(&side, block + IDM_PEER_STATE), ==, IDM_STATE_RUNNING);
    g_assert_cmphex(rd(&side, block + IDM_EVENT), ==, IDM_EVENT_STATE);
    for (uint32_t reg = IDM_CONTROL; reg < IDM_COUPLE_SIZE; reg += 4) {
        check_ro(&side, block + reg, 0);
    }

    woken(c.master_rx);
    wr(&side, block + IDM_DOORBELL, 17);
    g_assert_cmphex(qatomic_read(&c.page->master.pending), ==, 1u << 17);
    g_assert_cmpuint(woken(c.master_rx), ==, 1);

    wr(&side, block + IDM_ENABLE, 2);
    wr(&side, IDM_CTRL, IDM_CTRL_IRQ_ENABLE);
    qatomic_or(&c.page->slave.pending, 3);
    wake(c.slave_rx);
    settle(&side);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 3);
    g_assert_cmphex(rd(&side, IDM_SUMMARY(0)), ==, 1);
    g_assert_true(irq(&side));
    wr(&side, block + IDM_PENDING, 3);
    g_assert_false(irq(&side));

    couple_detach(&c, &side);
    g_assert_cmphex(rd(&side, IDM_SELF), ==, IDM_SELF_NONE);
    g_assert_cmphex(rd(&side, block + IDM_STATUS), ==, 0);
    couple_end(&c);
    side_end(&side);
}

/* What is sent to a slave that is not booted waits for it */
static void test_slave_boot(const void *data)
{
    const Machine *machine = data;
    int memory = make_memfd(16 * 1024 * 1024, SEALS);
    uint32_t block = IDM_COUPLE(0);
    Side side;
    Couple c;

    side_start(&side, machine, true);
    couple_make(&c, 1);
    couple_attach(&c, &side);
    give_fd(side.qts, "m", memory);
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-memory-grant',"
                             " 'arguments': { 'id': 'mem',"
                             " 'memory': 'm' } }");
    qatomic_or(&c.page->slave.pending, 4);
    wake(c.slave_rx);
    settle(&side);
    /* where the machine has its memory */
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-slave-boot',"
                             " 'arguments': { 'entry': %" PRIu64 " } }",
                             machine->ram);
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 4);
    qtest_qmp_assert_success(side.qts, "{ 'execute': 'het-slave-stop' }");
    g_assert_cmphex(rd(&side, block + IDM_PENDING), ==, 0);
    close(memory);
    couple_end(&c);
    side_end(&side);
}

/* --- command lines --- */

static void test_refused(void)
{
    check_refused("-M virt -device idm_ipi -device idm_ipi",
                  "has a device for IPIs already");
    check_refused("-M mps2-an385 -device idm_ipi", "idm_ipi");
    check_refused("-M virt -device idm_ipi-flat,addr=0x0c100000,irq=1",
                  "'intc' is needed");
    check_refused("-M mps2-an385 -device idm_ipi-flat,irq=31",
                  "'addr' is needed");
    check_refused("-M mps2-an385 -device idm_ipi-flat,addr=0x50000000",
                  "'irq' is needed");
    check_refused("-M mps2-an385 -device idm_ipi-flat,addr=0x50000004,irq=31",
                  "'addr' must be a multiple");
    check_refused("-M mps2-an385 -device"
                  " idm_ipi-flat,addr=0x50000000,irq=32", "no input 32");
    /* RAM, and the first UART */
    check_refused("-M mps2-an385 -device idm_ipi-flat,addr=0x21000000,irq=31",
                  "hide 'mps.ram'");
    /* Which a slave has, even if it is hidden now */
    check_refused("-M mps2-an385,slave=on,memory-backend=mem -object"
                  " memory-backend-shared,id=mem,size=16M -device"
                  " idm_ipi-flat,addr=0x21ff8000,irq=31",
                  "hide a part of the memory 'mem'");
    check_refused("-M mps2-an385 -device"
                  " idm_ipi-flat,addr=0x100000000,irq=31", "4 GiB");
    check_refused("-M mps2-an385 -device idm_ipi-flat,addr=0x40000000,irq=31",
                  "the device would hide '");
    check_refused("-M mps2-an385 " FLAT_ARGS
                  " -device idm_ipi-flat,addr=0x50010000,irq=30",
                  "has a device for IPIs already");
    check_refused("-only-migratable -M mps2-an385 " FLAT_ARGS,
                  "only-migratable");
}

static void test_fdt(void)
{
    g_autofree char *path = NULL, *line = NULL, *blob = NULL;
    int fd = g_file_open_tmp("idm-test-XXXXXX.dtb", &path, NULL);
    int status, node, len;
    const fdt32_t *cells;

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    line = g_strdup_printf("%s -accel qtest -display none -nodefaults"
                           " -machine virt,dumpdtb=%s " VIRT_ARGS,
                           g_getenv("QTEST_QEMU_BINARY"), path);
    g_assert(g_spawn_command_line_sync(line, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    g_assert(g_file_get_contents(path, &blob, NULL, NULL));
    unlink(path);

    node = fdt_path_offset(blob, "/platform-bus@c000000/idm@0");
    g_assert_cmpint(node, >=, 0);
    g_assert_cmpint(fdt_node_check_compatible(blob, node, "het,idm-1.0"),
                    ==, 0);
    cells = fdt_getprop(blob, node, "reg", &len);
    g_assert_cmpint(len, ==, 8);
    g_assert_cmphex(fdt32_to_cpu(cells[0]), ==, 0);
    g_assert_cmphex(fdt32_to_cpu(cells[1]), ==, IDM_MMIO_SIZE);
    cells = fdt_getprop(blob, node, "interrupts", &len);
    g_assert_cmpint(len, ==, 12);
    g_assert_cmpuint(fdt32_to_cpu(cells[0]), ==, 0);        /* an SPI */
    g_assert_cmpuint(fdt32_to_cpu(cells[1]), ==, VIRT_SPI);
    g_assert_cmpuint(fdt32_to_cpu(cells[2]), ==, 4);        /* level, high */
}

/* --- */

static const MachineTest tests[] = {
    { "global", test_global },
    { "reserved", test_reserved },
    { "access-size", test_access_size },
    { "unattached", test_unattached },
    { "control", test_control },
    { "control-bad", test_control_bad },
    { "control-stop", test_control_stop },
    { "reset", test_reset },
    { "slave", test_slave },
    { "slave-boot", test_slave_boot },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_machine_tests(tests, ARRAY_SIZE(tests));
    if (machine_is_here(&idm_virt)) {
        qtest_add_func("/idm/refused", test_refused);
        qtest_add_func("/idm/fdt", test_fdt);
    }
    return g_test_run();
}
