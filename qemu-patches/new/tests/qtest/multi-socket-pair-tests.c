/*
 * Tests of multi-socket-backend: real masters and real slaves, the socket's
 * file, command lines, messages at random, and memory in parts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qlist.h"
#include "multi-socket-util.h"

#define WINDOW (RAM_END - WINDOW_SIZE)
#define COUPLE(reg) (IDM_COUPLE(1) + (reg))
#define MASTER (IDM_COUPLE(0))

static void start_slave(Side *master)
{
    wr(master, COUPLE(IDM_ENTRY_LO), WINDOW);
    wr(master, COUPLE(IDM_CONTROL), IDM_CONTROL_START |
       IDM_CONTROL_PROTOCOL(IDM_PROTOCOL_RAW));
    wait_for(master, COUPLE(IDM_CONTROL), 0xff, IDM_RESULT_DONE);
    g_assert_cmpint(rd(master, COUPLE(IDM_PEER_STATE)), ==, 3);
}

static void test_pair(void)
{
    Side master, slave;

    /* The slave comes first, and waits */
    unlink(socket_path());
    slave_start(&slave, "");
    master_start(&master, "");
    wait_state(&slave, "ready");
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, 2);
    g_assert_cmpint(rd(&slave, IDM_SELF), ==, 1);

    /* The master's guest starts it, and they share what the master has */
    qtest_writel(master.qts, WINDOW + 0x100, 0xcafe);
    start_slave(&master);
    g_assert_cmphex(qtest_readl(slave.qts, WINDOW + 0x100), ==, 0xcafe);
    g_assert_cmphex(qtest_readl(slave.qts, RAM + 0x100), ==, 0xcafe);
    qtest_writel(slave.qts, WINDOW + 0x104, 0xbeef);
    g_assert_cmphex(qtest_readl(master.qts, WINDOW + 0x104), ==, 0xbeef);

    /* Vectors both ways */
    wr(&master, COUPLE(IDM_DOORBELL), 5);
    wait_for(&slave, MASTER + IDM_PENDING, ~0u, 1u << 5);
    wr(&slave, MASTER + IDM_DOORBELL, 31);
    wait_for(&master, COUPLE(IDM_PENDING), ~0u, 1u << 31);

    /* Again, and the slave's end in order */
    wr(&master, COUPLE(IDM_CONTROL), IDM_CONTROL_STOP);
    wait_for(&master, COUPLE(IDM_CONTROL), 0xff, IDM_RESULT_DONE);
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, 2);
    start_slave(&master);
    side_end(&slave);
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, 0);

    /* Another one */
    slave_start(&slave, "");
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, 2);
    start_slave(&master);

    /* The master's end, and another master */
    side_end(&master);
    wait_state(&slave, "waiting");
    master_start(&master, "");
    wait_state(&slave, "ready");
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, 2);
    start_slave(&master);
    side_end(&slave);
    side_end(&master);
}

/* The RFC's two command lines, but for the guests, disks and the console */
static void rfc(const char *mem_path)
{
    g_autofree char *master_args = g_strdup_printf(
        "-M virt -cpu cortex-a15"
        " -object multi-socket-backend,id=foo,listen,path=%s"
        " -object memory-backend-shared,id=mem,size=1G,mem-path=%s,"
        "chardev=foo,master=on"
        " -device idm_ipi,master=true,memdev=mem,socket=foo"
        " -numa node,memdev=mem -m 1G -nodefaults", socket_path(), mem_path);
    g_autofree char *slave_args = g_strdup_printf(
        "-M virt -cpu cortex-a15 -machine slave=on"
        " -object multi-socket-backend,id=foo,path=%s"
        " -object memory-backend-shared,id=mem,size=512M,mem-path=%s,"
        "chardev=foo,master=off"
        " -device idm_ipi,master=false,memdev=mem,socket=foo"
        " -incoming shared:mem -numa node,memdev=mem -m 512M -nodefaults",
        socket_path(), mem_path);
    Side master, slave;
    uint32_t word;

    side_start_args(&master, &idm_virt, false, master_args);
    side_start_args(&slave, &idm_virt, true, slave_args);
    wait_for(&master, COUPLE(IDM_PEER_STATE), ~0u, 2);
    g_assert_cmphex(rd(&master, COUPLE(IDM_WINDOW_BASE_LO)), ==, 0x60000000);
    g_assert_cmphex(rd(&master, COUPLE(IDM_WINDOW_SIZE_LO)), ==, 512 * MIB);
    qtest_writel(master.qts, 0x60000000, 0x600d);
    wr(&master, COUPLE(IDM_ENTRY_LO), 0x60000000);
    wr(&master, COUPLE(IDM_CONTROL), IDM_CONTROL_START);
    wait_for(&master, COUPLE(IDM_CONTROL), 0xff, IDM_RESULT_DONE);
    word = qtest_readl(slave.qts, 0x60000000);
    g_assert_cmphex(word, ==, 0x600d);
    side_end(&slave);
    side_end(&master);
}

static void test_rfc_shm(void)
{
    rfc("/dev/shm");
}

/* Where huge pages are, NULL if there are too few: each has 2 MiB */
static char *find_huge_pages(void)
{
    g_autofree char *free_pages = NULL;
    g_autofree char *mounts = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents("/sys/kernel/mm/hugepages/hugepages-2048kB/"
                             "free_hugepages", &free_pages, NULL, NULL) ||
        atoi(free_pages) < 512 ||
        !g_file_get_contents("/proc/mounts", &mounts, NULL, NULL)) {
        return NULL;
    }
    lines = g_strsplit(mounts, "\n", 0);
    for (int i = 0; lines[i]; i++) {
        g_auto(GStrv) words = g_strsplit(lines[i], " ", 4);

        if (g_strv_length(words) == 4 && !strcmp(words[2], "hugetlbfs") &&
            access(words[1], W_OK) == 0) {
            return g_strdup(words[1]);
        }
    }
    return NULL;
}

static void test_rfc_hugetlbfs(void)
{
    g_autofree char *path = find_huge_pages();

    if (!path) {
        g_test_skip("no hugetlbfs with 512 free pages of 2 MiB");
        return;
    }
    rfc(path);
}

/* --- messages at random, the socket, command lines --- */

#define VIRT "-machine virt,memory-backend=mem -m 256M"
#define SHARED " -object memory-backend-shared,id=mem,size=256M"
#define SOCKET " -object multi-socket-backend,id=foo,path="

static void check_line(const char *path, const char *more, const char *reason)
{
    g_autofree char *line = g_strdup_printf(VIRT SOCKET "%s%s", path, more);

    check_refused(line, reason);
}

static void serves(Side *master)
{
    Peer p;

    peer_attach(&p, 1, 2);
    wait_for(master, COUPLE(IDM_PEER_STATE), ~0u, 2);
    peer_close(&p);
}

/* Some are right but for a bit or two; the seed is printed at the start */
static void random_message(Peer *p)
{
    struct {
        MultiSocketHeader header;
        MultiSocketBody body;
    } m = { };
    uint8_t *byte = (uint8_t *)&m;
    static const uint32_t length[] = {
        0, sizeof(MultiSocketHello), sizeof(MultiSocketWelcome),
        sizeof(MultiSocketRefuse), sizeof(MultiSocketBoot), 0,
        sizeof(MultiSocketResult),
    };

    for (size_t i = 0; i < sizeof(m.body); i++) {
        byte[sizeof(m.header) + i] = g_test_rand_bit() ? 0 : g_test_rand_int();
    }
    m.header.magic = MULTI_SOCKET_MAGIC;
    m.header.version = MULTI_SOCKET_VERSION;
    m.header.type = g_test_rand_int_range(0, ARRAY_SIZE(length));
    m.header.length = length[m.header.type];
    if (g_test_rand_bit()) {
        m.body.hello.id = g_test_rand_int_range(0, 4);
        m.body.hello.size = WINDOW_SIZE;
        m.body.hello.address = MULTI_SOCKET_ANY;
    }
    for (int n = g_test_rand_int_range(0, 3); n > 0; n--) {
        byte[g_test_rand_int_range(0, sizeof(m.header))] ^=
            1 << g_test_rand_int_range(0, 8);
    }
    peer_send_raw(p, &m, MIN(sizeof(m.header) + m.header.length, sizeof(m)));
}

static void test_random(void)
{
    Side master;
    Peer p;

    master_start(&master, "");
    for (int i = 0; i < 500; i++) {
        peer_connect(&p);
        for (int n = g_test_rand_int_range(1, 5); n > 0; n--) {
            random_message(&p);
        }
        /* Half of the time there may be an answer that nobody reads */
        if (g_test_rand_bit()) {
            wr(&master, COUPLE(IDM_CONTROL), IDM_CONTROL_START);
        }
        peer_close(&p);
    }
    serves(&master);
    side_end(&master);
}

static void test_socket_file(void)
{
    Side master, second;
    int listener;

    /* Left behind by one that was killed */
    close(peer_listen());
    g_assert_true(g_file_test(socket_path(), G_FILE_TEST_EXISTS));
    master_start(&master, "");
    serves(&master);
    check_line(socket_path(), ",listen=on" SHARED ",chardev=foo",
               "another process listens");
    serves(&master);
    side_end(&master);

    /* One that listens and accepts nobody is not to be waited for */
    listener = peer_listen();
    check_line(socket_path(), ",listen=on" SHARED ",chardev=foo",
               "another process listens");
    close(listener);
    master_start(&second, "");
    side_end(&second);

    g_assert_true(g_file_set_contents(socket_path(), "x", 1, NULL));
    check_line(socket_path(), ",listen=on" SHARED ",chardev=foo",
               "is not a socket");
    unlink(socket_path());
    check_line("/nonexistent/socket", ",listen=on" SHARED ",chardev=foo",
               "directory of");
}

static void test_command_lines(void)
{
    const char *path = socket_path();

    check_line(path, SHARED ",chardev=foo", "only a slave connects");
    check_line(path, ",listen=on" SHARED, "no memory goes over");
    check_line(path, ",listen=on" SHARED ",chardev=bar", "chardev=bar");
    check_line(path, ",listen=on" SHARED ",chardev=foo"
               " -object memory-backend-shared,id=m2,size=1M,chardev=foo",
               "more than one");
    check_line(path, ",listen=on" SHARED ",chardev=foo -device idm_ipi,"
               "socket=bar", "socket=bar");
    check_line(path, ",listen=on" SHARED ",chardev=foo -device idm_ipi,"
               "memdev=bar", "'bar'");
    check_line(path, ",listen=on" SHARED ",chardev=foo -device idm_ipi,"
               "master=false", "only -machine slave=on");
    check_line(path, ",listen=on" SHARED " -device idm_ipi,memdev=mem,"
               "socket=foo", "lacks 'chardev=foo'");
    check_line(path, ",listen=on,slave-id=256" SHARED ",chardev=foo",
               "slave-id");
    check_line(path, ",listen=on" SHARED ",chardev=foo"
               " -object multi-socket-backend,id=two,path=x",
               "object already");
    check_line(path, ",listen=on -machine slave=on" SHARED ",chardev=foo",
               "a slave does not listen");
    check_line(path, " -machine slave=on" SHARED ",chardev=foo"
               " -device idm_ipi,master=true", "this process is a slave");
    check_line("", ",listen=on" SHARED ",chardev=foo", "'path' must be");
    /* What the other side would want to know */
    check_line(path, ",listen=on,slave-id=1" SHARED ",chardev=foo",
               "for a slave");
    check_line(path, ",listen=on,window-address=0" SHARED ",chardev=foo",
               "for a slave");
    check_line(path, ",window-base=1 -machine slave=on" SHARED ",chardev=foo",
               "for a master");
    check_line(path, ",listen=on,window-base=0x80000000" SHARED ",chardev=foo",
               "nothing of the memory");
    check_line(path, ",listen=on,timeout=0" SHARED ",chardev=foo",
               "'timeout' must");
}

/* --- where a window is --- */

/* What the slave gets is what the master's guest has at that address */
static void check_part(QTestState *master, Peer *p, uint64_t address)
{
    MultiSocketWelcome *w = &p->body.welcome;
    uint32_t word = 0;

    peer_expect(p, MULTI_SOCKET_WELCOME);
    g_assert_cmphex(w->address, ==, address);
    qtest_writel(master, address, 0x12345678);
    g_assert_cmpint(pread(p->fds[MULTI_SOCKET_FD_MEMORY], &word, 4,
                          w->offset), ==, 4);
    g_assert_cmphex(word, ==, 0x12345678);
    qtest_writel(master, address, 0);
}

/* The memory of a PC: 64 MiB are where it begins, and 64 MiB above 4 GiB */
static void test_parts(const void *options)
{
    const uint64_t high = 4096ull * MIB;
    g_autofree char *firmware = make_pc_firmware();
    g_autofree char *args = g_strdup_printf(
        "-nodefaults -m 128M -bios %s %s"
        " -object multi-socket-backend,id=foo,listen=on,path=%s"
        " -object memory-backend-shared,id=mem,size=128M,chardev=foo",
        firmware, (const char *)options, socket_path());
    QTestState *master = qtest_init(args);
    Peer p[3];

    unlink(firmware);
    for (int i = 0; i < ARRAY_SIZE(p); i++) {
        peer_connect(&p[i]);
    }
    peer_hello(&p[0], 0, WINDOW_SIZE, MULTI_SOCKET_ANY);
    check_part(master, &p[0], high + 64 * MIB - WINDOW_SIZE);
    peer_hello(&p[1], 0, WINDOW_SIZE, high);
    check_part(master, &p[1], high);
    /* There is no room above for this one */
    peer_hello(&p[2], 0, 2 * WINDOW_SIZE + 2 * MIB, MULTI_SOCKET_ANY);
    check_part(master, &p[2], 64 * MIB - 2 * WINDOW_SIZE - 2 * MIB);

    peer_refused(0, WINDOW_SIZE, 64 * MIB - WINDOW_SIZE / 2, "is not in");
    peer_refused(0, WINDOW_SIZE, high + 56 * MIB, "is not in");
    peer_refused(0, 80 * MIB, MULTI_SOCKET_ANY, "no room");
    for (int i = 0; i < ARRAY_SIZE(p); i++) {
        peer_close(&p[i]);
    }
    qtest_quit(master);
}

/* Images that a reset writes are at the end of the memory, and in it */
static void test_images(void)
{
    g_autofree char *image = g_strdup_printf("%s.image", socket_path());
    g_autofree char *args = g_strdup_printf(
        "-nodefaults -M virt,memory-backend=mem -m 128M -bios none"
        " -object multi-socket-backend,id=foo,listen=on,path=%s"
        " -object memory-backend-shared,id=mem,size=128M,chardev=foo"
        " -device loader,file=%s,addr=0x87000000,force-raw=on",
        socket_path(), image);
    QTestState *master;
    Peer p[2];

    g_assert(g_file_set_contents(image, "image", -1, NULL));
    master = qtest_init(args);
    for (int i = 0; i < ARRAY_SIZE(p); i++) {
        peer_connect(&p[i]);
    }
    /* The device tree is in the last 2 MiB */
    peer_hello(&p[0], 0, 2 * MIB, MULTI_SOCKET_ANY);
    check_part(master, &p[0], 0x88000000 - 4 * MIB);
    peer_hello(&p[1], 0, WINDOW_SIZE, MULTI_SOCKET_ANY);
    check_part(master, &p[1], 0x87000000 - WINDOW_SIZE);
    for (int i = 0; i < ARRAY_SIZE(p); i++) {
        peer_close(&p[i]);
    }
    qtest_quit(master);
    unlink(image);
}

static void add_pc_place_tests(void)
{
    qtest_add_data_func("/multi-socket/parts/pc",
                        "-M pc,memory-backend=mem,max-ram-below-4g=64M",
                        test_parts);
    qtest_add_data_func("/multi-socket/parts/q35",
                        "-M q35,memory-backend=mem,max-ram-below-4g=64M",
                        test_parts);
    qtest_add_data_func("/multi-socket/parts/numa",
                        "-M q35,max-ram-below-4g=64M -numa node,memdev=mem",
                        test_parts);
}

void add_place_tests(void)
{
    const char *arch = qtest_get_arch();

    if (g_str_equal(arch, "i386") || g_str_equal(arch, "x86_64")) {
        add_pc_place_tests();
    } else if (g_str_has_prefix(arch, "riscv")) {
        qtest_add_func("/multi-socket/images", test_images);
    }
}

void add_pair_tests(void)
{
    qtest_add_func("/multi-socket/random", test_random);
    qtest_add_func("/multi-socket/socket", test_socket_file);
    qtest_add_func("/multi-socket/command-line", test_command_lines);
    qtest_add_func("/multi-socket/pair/life", test_pair);
    qtest_add_func("/multi-socket/pair/rfc/shm", test_rfc_shm);
    qtest_add_func("/multi-socket/pair/rfc/hugetlbfs", test_rfc_hugetlbfs);
}
