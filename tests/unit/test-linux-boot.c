/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Kernel, RAM disk and device tree in a window: nothing overlaps, and where they do not fit it is said what would be needed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel-files.h"
#include "linux-boot.h"
#include "util/error.h"
#include "util/fd-util.h"
#include "window.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB     (1ULL << 20)
#define BUS     0x60000000U
#define GUARD   0x3000U                 /* memory of others before the window */
#define FILLED  0xa5

static const Board board = { .machine = "virt", .ram_base = RAM_BASE };
static KernelFile file;

typedef struct Fixture {
        ProcessorConfig slave;
        int kernel_fd, initrd_fd;
} Fixture;

static int set_up(void **state) {
        Fixture *f = g_new0(Fixture, 1);

        make_zimage(&file, 0x4000, 20 * MIB, 0x5000, 0x208000);
        f->kernel_fd = kernel_file_open(&file, &f->slave.kernel);
        f->initrd_fd = memfd_create("initrd", MFD_CLOEXEC);
        assert_true(f->initrd_fd >= 0);
        f->slave.initrd = g_strdup_printf("/proc/self/fd/%d", f->initrd_fd);
        f->slave.name = g_strdup("s");
        f->slave.board = &board;
        f->slave.cpu = g_strdup("cortex-a15");
        f->slave.target = TARGET_ARM;
        f->slave.window_address = BUS;
        f->slave.window_size = 64 * MIB;
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        fd_close(f->kernel_fd);
        fd_close(f->initrd_fd);
        g_free(f->slave.kernel);
        g_free(f->slave.initrd);
        g_free(f->slave.name);
        g_free(f->slave.cpu);
        g_free(f);
        return 0;
}

static void set_initrd(Fixture *f, uint64_t size) {
        assert_int_equal(ftruncate(f->initrd_fd, (off_t) size), 0);
}

static void refused(Fixture *f, const char *message) {
        g_auto(LinuxBoot) boot = LINUX_BOOT_INIT;
        g_autoptr(GError) error = NULL;

        assert_false(linux_boot_open(&f->slave, &boot, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
        assert_string_equal(error->message, message);
}

/* Whatever fits is above the kernel, below the virtio area, and one is not in the other */
static void check_plan(Fixture *f, size_t tree_size) {
        g_auto(LinuxBoot) boot = LINUX_BOOT_INIT;
        g_autoptr(GError) error = NULL;
        uint64_t tree;

        if (!linux_boot_open(&f->slave, &boot, &error) || !linux_boot_place_tree(&f->slave, &boot, tree_size, &tree, &error))
                fail_msg("%s", error->message);
        assert_int_equal(boot.kernel.memory_size, 0x208000 + 20 * MIB + 0x5000 + 0x4000 + MIB);
        assert_true(boot.kernel.memory_size <= tree);
        assert_true(tree + tree_size <= boot.initrd_offset);
        assert_true(boot.initrd_offset + boot.initrd_size <= f->slave.window_size - MIB);
        assert_true(boot.initrd_offset + boot.initrd_size <= 512 * MIB);
        assert_int_equal(tree % 0x10000, 0);
        assert_int_equal(boot.initrd_offset % 4096, 0);
}

static void test_plan(void **state) {
        static const uint64_t initrds[] = { 0, 1, 4095, 4096, 900 * 1024 + 1, 5 * MIB };
        Fixture *f = *state;

        for (unsigned mib = 30; mib < 80; mib += 2)
                for (size_t i = 0; i < G_N_ELEMENTS(initrds); i++) {
                        f->slave.window_size = mib * MIB;
                        set_initrd(f, initrds[i]);
                        check_plan(f, 9000);
                        check_plan(f, 65536);
                }

        /* It stays where Linux can reach it from the beginning */
        f->slave.window_size = 4096 * MIB;
        check_plan(f, 9000);
        f->slave.initrd = (g_free(f->slave.initrd), NULL);
        check_plan(f, 9000);
}

static void test_too_small(void **state) {
        Fixture *f = *state;

        set_initrd(f, 3 * MIB + MIB / 2);
        f->slave.window_size = 16 * MIB;
        refused(f, "s: The window of 16M is too small for its Linux (while it starts: 23.1 MiB for the kernel, 3.5 MiB for the initial "
                   "RAM disk, 1 MiB for virtio, and its device tree); make it at least Window=28M@0x60000000");
        f->slave.window_size = 26 * MIB;
        refused(f, "s: The window of 26M is too small for its Linux (while it starts: 23.1 MiB for the kernel, 3.5 MiB for the initial "
                   "RAM disk, 1 MiB for virtio, and its device tree); make it at least Window=28M@0x60000000");
        /* And that is true */
        f->slave.window_size = 28 * MIB;
        check_plan(f, 65536);
}

static void test_bad_files(void **state) {
        Fixture *f = *state;
        g_autofree char *kernel = f->slave.kernel, *message = g_strdup_printf("%s: is no kernel: it has 0 bytes", f->slave.initrd);

        f->slave.kernel = g_strdup(f->slave.initrd);
        refused(f, message);
        g_free(f->slave.kernel);
        f->slave.kernel = g_strdup("/nonexistent");
        refused(f, "/nonexistent: cannot be read: No such file or directory");
        g_free(f->slave.kernel);
        f->slave.kernel = g_strdup("/dev");
        refused(f, "/dev: is not a regular file");
        g_free(f->slave.kernel);

        f->slave.kernel = g_steal_pointer(&kernel);
        g_free(f->slave.initrd);
        f->slave.initrd = g_strdup("/nonexistent");
        refused(f, "/nonexistent: cannot be read: No such file or directory");
}

static void test_wrong_cpu(void **state) {
        Fixture *f = *state;
        g_autofree char *message = g_strdup_printf("%s: is a kernel of 32 bits, and s has a CPU of 64", f->slave.kernel);

        g_free(f->slave.cpu);
        f->slave.cpu = g_strdup("cortex-a53,pmu=off");
        f->slave.target = TARGET_AARCH64;
        refused(f, message);

        /* That QEMU has CPUs of both kinds; "max" is of the kind of its QEMU */
        g_free(f->slave.cpu);
        f->slave.cpu = g_strdup("cortex-a15");
        check_plan(f, 9000);
        g_free(f->slave.cpu);
        f->slave.cpu = g_strdup("max");
        f->slave.target = TARGET_ARM;
        check_plan(f, 9000);
}

static int make_memory(const Fixture *f, uint8_t **ret) {
        size_t size = GUARD + f->slave.window_size;
        int fd = memfd_create("window", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t) size), 0);
        *ret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_ptr_not_equal(*ret, MAP_FAILED);
        memset(*ret, FILLED, size);
        return fd;
}

static size_t count_changed(const uint8_t *bytes, size_t size) {
        size_t n = 0;

        for (size_t i = 0; i < size; i++)
                n += bytes[i] != FILLED;
        return n;
}

static void test_load(void **state) {
        Fixture *f = *state;
        g_auto(LinuxBoot) boot = LINUX_BOOT_INIT;
        static const char initrd[] = "an initial RAM disk";
        uint8_t *memory, *window;
        int fd = make_memory(f, &memory);

        window = memory + GUARD;
        assert_int_equal(pwrite(f->initrd_fd, initrd, sizeof(initrd), 300 * 1024), sizeof(initrd));
        assert_true(linux_boot_open(&f->slave, &boot, NULL));
        assert_true(linux_boot_load(&boot, &f->slave, fd, GUARD, NULL));
        assert_memory_equal(window + 0x8000, file.bytes, file.size);
        assert_memory_equal(window + boot.initrd_offset + 300 * 1024, initrd, sizeof(initrd));
        assert_int_equal(count_changed(memory, GUARD + 0x8000), 0);
        assert_int_equal(count_changed(window + 0x8000 + file.size, boot.initrd_offset - 0x8000 - file.size), 0);
        assert_int_equal(count_changed(window + f->slave.window_size - MIB, MIB), 0);
        munmap(memory, GUARD + f->slave.window_size);
        fd_close(fd);
}

static void test_file_shrinks(void **state) {
        Fixture *f = *state;
        g_auto(LinuxBoot) boot = LINUX_BOOT_INIT;
        g_autofree char *message = g_strdup_printf("s: %s cannot be copied into the window: the file has changed", f->slave.initrd);
        g_autoptr(GError) error = NULL;
        uint8_t *memory;
        int fd = make_memory(f, &memory);

        set_initrd(f, MIB);
        assert_true(linux_boot_open(&f->slave, &boot, NULL));
        set_initrd(f, MIB - 1);
        assert_false(linux_boot_load(&boot, &f->slave, fd, GUARD, &error));
        assert_string_equal(error->message, message);
        munmap(memory, GUARD + f->slave.window_size);
        fd_close(fd);
}

/* Of a window that somebody else has filled: at its end, but for what is virtio's */
static void test_tree_alone(void **state) {
        static const struct {
                uint64_t window, size, offset;
        } places[] = {
                { 64 * MIB, 9000, 63 * MIB - 0x10000 }, { 64 * MIB, 0x10001, 63 * MIB - 0x20000 }, { 2 * MIB, 9000, MIB - 0x10000 },
                { 2 * MIB, MIB, 0 }, { MIB, 9000, MIB - 0x10000 }, { 0x10000, 9000, 0 },
        };
        Fixture *f = *state;
        g_autoptr(GError) error = NULL;
        uint64_t offset;

        for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
                f->slave.window_size = places[i].window;
                assert_true(linux_boot_place_tree(&f->slave, NULL, places[i].size, &offset, NULL));
                assert_int_equal(offset, places[i].offset);
        }

        f->slave.window_size = 0x10000;
        assert_false(linux_boot_place_tree(&f->slave, NULL, 0x10001, &offset, &error));
        assert_string_equal(error->message, "s: The device tree (65537 bytes) does not fit into the window");
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_plan),
                TEST(test_too_small),
                TEST(test_bad_files),
                TEST(test_wrong_cpu),
                TEST(test_load),
                TEST(test_file_shrinks),
                TEST(test_tree_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
