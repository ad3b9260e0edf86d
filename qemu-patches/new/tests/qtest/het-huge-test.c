/*
 * Test of huge pages: as the window of a slave, which is its memory, and as
 * the memory of a master
 *
 * Huge pages are the host's to give; where it has none free, this is
 * skipped.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/mman.h>
#include "qemu/memfd.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "het-test-util.h"

#define HUGE_SIZE (2 * MIB)

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif

/* SLAVE_SIZE bytes of huge pages that are ours; -1: skipped */
static int huge_memfd(void)
{
    int fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING |
                          MFD_HUGETLB | MFD_HUGE_2MB);
    void *p;

    if (fd < 0) {
        g_test_skip("the host has no huge pages of 2 MiB");
        return -1;
    }
    g_assert_cmpint(ftruncate(fd, SLAVE_SIZE), ==, 0);
    g_assert_cmpint(fcntl(fd, F_ADD_SEALS, SEALS), ==, 0);
    /* With a mapping they are reserved, and stay so */
    p = mmap(NULL, SLAVE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        g_test_skip("the host has not 8 huge pages free"
                    " (/proc/sys/vm/nr_hugepages)");
        close(fd);
        return -1;
    }
    munmap(p, SLAVE_SIZE);
    return fd;
}

static uint64_t page_size(QTestState *s)
{
    QDict *info = qtest_qmp_assert_success_ref(s, "{ 'execute': 'query-het' }");
    QDict *memory = qobject_to(QDict, qlist_peek(qdict_get_qlist(info,
                                                                 "memory")));
    uint64_t size = qdict_get_int(memory, "page-size");

    qobject_unref(info);
    return size;
}

static QDict *grant_at(QTestState *s, int fd, uint64_t bus_address)
{
    het_give(s, "w", fd);
    return qtest_qmp(s, "{ 'execute': 'het-memory-grant', 'arguments':"
                     " { 'id': 'mem', 'memory': 'w',"
                     " 'bus-address': %" PRIu64 " } }", bus_address);
}

static void test_slave(void)
{
    int fd = huge_memfd();
    QTestState *s;
    QDict *resp;
    uint8_t *p;

    if (fd < 0) {
        return;
    }
    s = qtest_init(SLAVE_ARGS);
    het_assert_error(grant_at(s, fd, WINDOW + 0x10000), "aligned");
    resp = grant_at(s, fd, WINDOW);
    g_assert_true(qdict_haskey(resp, "return"));
    qobject_unref(resp);
    g_assert_cmpuint(page_size(s), ==, HUGE_SIZE);

    p = het_map(fd, SLAVE_SIZE);
    p[SLAVE_SIZE - 1] = 0x5a;
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-boot',"
                             " 'arguments': { 'entry': %u } }", SLAVE_RAM);
    g_assert_cmphex(qtest_readb(s, SLAVE_RAM + SLAVE_SIZE - 1), ==, 0x5a);
    g_assert_cmphex(qtest_readb(s, WINDOW + SLAVE_SIZE - 1), ==, 0x5a);
    qtest_writeb(s, SLAVE_RAM, 0xa5);
    g_assert_cmphex(p[0], ==, 0xa5);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-stop' }");
    qtest_qmp_assert_success(s, "{ 'execute': 'het-memory-revoke',"
                             " 'arguments': { 'id': 'mem' } }");
    g_assert_false(het_holds(s, "huge"));
    munmap(p, SLAVE_SIZE);
    qtest_quit(s);
    close(fd);
}

static void test_window(void)
{
    int fd = huge_memfd();
    QTestState *s;
    QDict *resp;
    uint8_t *p;

    if (fd < 0) {
        return;
    }
    s = qtest_init(MASTER_ARGS);
    het_assert_error(het_attach(s, 1, fd, 0, WINDOW + 0x10000, SLAVE_SIZE),
                     "aligned");
    resp = het_attach(s, 1, fd, 0, WINDOW, SLAVE_SIZE);
    g_assert_true(qdict_haskey(resp, "return"));
    qobject_unref(resp);
    p = het_map(fd, SLAVE_SIZE);
    qtest_writeb(s, WINDOW + SLAVE_SIZE - 1, 0x5a);
    g_assert_cmphex(p[SLAVE_SIZE - 1], ==, 0x5a);
    qtest_qmp_assert_success(s, "{ 'execute': 'het-slave-detach',"
                             " 'arguments': { 'id': 1 } }");
    g_assert_false(het_holds(s, "huge"));
    munmap(p, SLAVE_SIZE);
    qtest_quit(s);
    close(fd);
}

/* Where hugetlbfs is mounted and writable; NULL: skipped */
static char *hugetlbfs(void)
{
    g_autofree char *mounts = NULL;
    g_auto(GStrv) lines = NULL;

    g_assert(g_file_get_contents("/proc/mounts", &mounts, NULL, NULL));
    lines = g_strsplit(mounts, "\n", -1);
    for (int i = 0; lines[i]; i++) {
        g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);

        if (g_strv_length(words) > 3 && !strcmp(words[2], "hugetlbfs") &&
            strstr(words[3], "pagesize=2M") &&
            access(words[1], W_OK) == 0) {
            return g_strdup(words[1]);
        }
    }
    g_test_skip("no hugetlbfs of 2 MiB pages is mounted where we may write");
    return NULL;
}

static void test_master(void)
{
    g_autofree char *path = hugetlbfs();
    g_autofree char *args = NULL;
    QTestState *s;
    int fd;

    if (!path) {
        return;
    }
    fd = huge_memfd();
    if (fd < 0) {
        return;
    }
    close(fd);
    args = g_strdup_printf("-nodefaults -machine virt,memory-backend=mem"
                           " -cpu cortex-a15 -m 16M"
                           " -object memory-backend-shared,id=mem,size=16M,"
                           "master=on,prealloc=on,mem-path=%s", path);
    s = qtest_init(args);
    g_assert_cmpuint(page_size(s), ==, HUGE_SIZE);
    qtest_writel(s, SLAVE_RAM + SLAVE_SIZE - 4, 0x12345678);
    g_assert_cmphex(qtest_readl(s, SLAVE_RAM + SLAVE_SIZE - 4), ==, 0x12345678);
    qtest_quit(s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/het/huge/slave", test_slave);
    qtest_add_func("/het/huge/window", test_window);
    qtest_add_func("/het/huge/master", test_master);
    return g_test_run();
}
