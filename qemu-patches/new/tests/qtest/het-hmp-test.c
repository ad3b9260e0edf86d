/*
 * Test of the human monitor's view of a heterogeneous platform
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "qobject/qdict.h"
#include "het-test-util.h"

static void info_has(QTestState *s, const char *text)
{
    g_autofree char *said = qtest_hmp(s, "info het");

    if (!strstr(said, text)) {
        g_test_message("no '%s' in '%s'", text, said);
        g_test_fail();
    }
}

static void info_lacks(QTestState *s, const char *text)
{
    g_autofree char *said = qtest_hmp(s, "info het");

    g_assert_null(strstr(said, text));
}

static void test_none(void)
{
    QTestState *s = qtest_init(MASTER_ARGS);

    info_has(s, "role: none\r\n");
    info_lacks(s, "state");
    qtest_quit(s);
}

static void test_slave(void)
{
    QTestState *s = qtest_init(SLAVE_ARGS);
    int fd = het_memfd("window", SLAVE_SIZE, SEALS);

    info_has(s, "role: slave\r\n");
    info_lacks(s, "number");
    info_has(s, "state: waiting (none)\r\n");
    info_has(s, "boots: 0\r\n");
    info_has(s, "memory 'mem': 16777216 bytes, not granted\r\n");

    het_grant(s, fd);
    info_has(s, "state: ready (granted)\r\n");
    info_has(s, "memory 'mem': 16777216 bytes, hidden, pages of ");

    het_give_couple(s, 7);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-master-attach',"
                             " 'arguments': { 'id': 7, 'couple':"
                             " { 'page': 'p', 'rx': 'r', 'tx': 't' } } }");
    info_has(s, "number: 7\r\n");
    info_has(s, "couple 0: peer offline, 0 sent, 0 received, 0 coalesced\r\n");
    qtest_qmp_assert_success(s, "{ 'execute': 'het-ipi-send',"
                             " 'arguments': { 'id': 0, 'vector': 3 } }");
    info_has(s, "couple 0: peer offline, 1 sent, 0 received, 0 coalesced\r\n");
    close(fd);
    qtest_quit(s);
}

static void test_master(void)
{
    QTestState *s = qtest_init(MASTER_ARGS);
    int fd = het_memfd("window", MIB, SEALS);
    QDict *response = het_attach(s, 1, fd, 0, WINDOW, MIB);

    g_assert_true(qdict_haskey(response, "return"));
    qobject_unref(response);
    info_has(s, "role: master\r\n");
    info_has(s, "number: 0\r\n");
    info_lacks(s, "boots");
    info_has(s, "couple 1: peer offline");
    info_has(s, "  window 0x0000000050000000, 1048576 bytes\r\n");
    info_has(s, "  last request: none\r\n");
    close(fd);
    qtest_quit(s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    /* Its machines are of Arm */
    if (strcmp(qtest_get_arch(), "arm") &&
        strcmp(qtest_get_arch(), "aarch64")) {
        return g_test_run();
    }

    qtest_add_func("/het/hmp/none", test_none);
    qtest_add_func("/het/hmp/slave", test_slave);
    qtest_add_func("/het/hmp/master", test_master);
    return g_test_run();
}
