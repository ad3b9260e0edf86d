/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Windows: the memory that hetd makes, the memory that it refuses, and overlapping ranges. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/error.h"
#include "util/fd-util.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1U << 20)

static void test_new(void **state) {
        HET_AUTO_FD int fd = -EBADF;
        char link[64], target[128] = "";
        struct stat st;

        assert_true(window_memory_new("first-light", "slave1", 64 * MIB, &fd, NULL));
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_size, 64 * MIB);
        assert_int_equal(st.st_blocks, 0);
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        assert_int_equal(ftruncate(fd, MIB), -1);
        assert_int_equal(ftruncate(fd, 128 * MIB), -1);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        assert_true(readlink(link, target, sizeof(target) - 1) > 0);
        assert_string_equal(target, "/memfd:het:first-light/slave1 (deleted)");
        assert_true(window_memory_check(fd, 0, 64 * MIB, NULL));
}

static void test_new_refused(void **state) {
        int fd = 42;
        g_autoptr(GError) error = NULL;

        assert_false(window_memory_new("p", "s", 0, &fd, NULL));
        assert_false(window_memory_new("p", "s", UINT64_MAX, &fd, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
        assert_int_equal(fd, 42);
}

static int make_memory(uint64_t size, unsigned seals) {
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t) size), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
        return fd;
}

static void refused(int fd, uint64_t offset, uint64_t size, const char *reason) {
        g_autofree char *expected = g_strdup_printf("The file descriptor is no usable memory: %s", reason);
        g_autoptr(GError) error = NULL;

        assert_false(window_memory_check(fd, offset, size, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_MEMORY_REFUSED));
        assert_string_equal(error->message, expected);
}

static void test_check_range(void **state) {
        HET_AUTO_FD int fd = make_memory(2 * MIB, F_SEAL_SHRINK | F_SEAL_GROW);

        assert_true(window_memory_check(fd, 0, 2 * MIB, NULL));
        assert_true(window_memory_check(fd, MIB, MIB, NULL));
        refused(fd, 0, 3 * MIB, "it has 0x200000 bytes, needed are 0x300000 from 0x0");
        refused(fd, MIB, 2 * MIB, "it has 0x200000 bytes, needed are 0x200000 from 0x100000");
        refused(fd, 4 * MIB, MIB, "it has 0x200000 bytes, needed are 0x100000 from 0x400000");
        refused(fd, UINT64_MAX - 4095, 4096, "it has 0x200000 bytes, needed are 0x1000 from 0xfffffffffffff000");
        refused(fd, 4096, UINT64_MAX - 4095, "it has 0x200000 bytes, needed are 0xfffffffffffff000 from 0x1000");
        refused(fd, 1, MIB, "the offset 0x1 is not a multiple of its page size 0x1000");
        refused(fd, 0, 5000, "the size 0x1388 is not a multiple of its page size 0x1000");
        refused(fd, 0, 0, "the size 0x0 is not a multiple of its page size 0x1000");
}

static void test_check_type(void **state) {
        HET_AUTO_FD int shrinks = make_memory(MIB, F_SEAL_GROW), grows = make_memory(MIB, F_SEAL_SHRINK);
        HET_AUTO_FD int sealed = make_memory(MIB, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
        HET_AUTO_FD int good = make_memory(MIB, F_SEAL_SHRINK | F_SEAL_GROW);
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", good);
        HET_AUTO_FD int read_only = open(path, O_RDONLY | O_CLOEXEC), no_fd = open(path, O_PATH | O_CLOEXEC);
        HET_AUTO_FD int file = open("/dev/null", O_RDWR | O_CLOEXEC);

        refused(shrinks, 0, MIB, "it lacks the seals F_SEAL_SHRINK and F_SEAL_GROW (it has 0x4)");
        refused(grows, 0, MIB, "it lacks the seals F_SEAL_SHRINK and F_SEAL_GROW (it has 0x2)");
        refused(sealed, 0, MIB, "it is sealed against writing");
        refused(read_only, 0, MIB, "it is not open for reading and writing");
        refused(no_fd, 0, MIB, "it is not open for reading and writing");
        refused(file, 0, MIB, "it is no memfd");
        refused(-1, 0, MIB, strerror(EBADF));
}

static void test_overlaps(void **state) {
        static const struct {
                uint64_t a, a_size, b, b_size;
                bool overlap;
        } cases[] = {
                { 0, 10, 10, 10, false },
                { 0, 11, 10, 10, true },
                { 0, 100, 10, 10, true },
                { 10, 10, 10, 10, true },
                { 10, 0, 0, 100, false },
                { 5, 0, 5, 0, false },
                { UINT64_MAX, 1, 0, UINT64_MAX, false },
                { UINT64_MAX, 1, UINT64_MAX, 1, true },
                { UINT64_MAX - 9, 10, UINT64_MAX - 20, 11, false },
                { UINT64_MAX - 9, 10, UINT64_MAX - 20, 12, true },
                { 0, UINT64_MAX, 5, 1, true },
                /* Ends beyond 2^64 */
                { UINT64_MAX, 2, 5, 1, true },
                { 2, UINT64_MAX, 0, 1, true },
                { 2, UINT64_MAX, 0, 0, true },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                print_message("    case %zu\n", i);
                assert_int_equal(window_overlaps(cases[i].a, cases[i].a_size, cases[i].b, cases[i].b_size),
                                 cases[i].overlap);
                assert_int_equal(window_overlaps(cases[i].b, cases[i].b_size, cases[i].a, cases[i].a_size),
                                 cases[i].overlap);
        }
}

static void test_write(void **state) {
        HET_AUTO_FD int fd = make_memory(4 * MIB, F_SEAL_SHRINK | F_SEAL_GROW);
        char read[8] = "";

        assert_int_equal(window_write(fd, "window", 7, 2 * MIB - 3), 0);
        assert_int_equal(pread(fd, read, 7, 2 * MIB - 3), 7);
        assert_string_equal(read, "window");
        assert_int_equal(window_write(fd, "window", 7, 4 * MIB), -EPERM);
        assert_int_equal(window_write(-EBADF, "window", 7, 0), -EBADF);
}

/* A client may bring memory of huge pages. Where the host has none to spare nothing can be written, and nothing breaks. */
static void test_write_huge_pages(void **state) {
        HET_AUTO_FD int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
        struct stat st;
        char *seen;
        int r;

        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);

        off_t page = st.st_blksize;

        assert_int_equal(ftruncate(fd, 2 * page), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
        assert_true(window_memory_check(fd, 0, 2 * (uint64_t) page, NULL));

        r = window_write(fd, "window", 7, (uint64_t) page - 3);
        seen = mmap(NULL, 2 * (size_t) page, PROT_READ, MAP_SHARED, fd, 0);
        if (seen == MAP_FAILED) {
                assert_int_equal(r, -ENOMEM);
                return;
        }

        assert_int_equal(r, 0);
        assert_string_equal(seen + page - 3, "window");
        assert_int_equal(munmap(seen, 2 * (size_t) page), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_new),
                cmocka_unit_test(test_new_refused),
                cmocka_unit_test(test_check_range),
                cmocka_unit_test(test_check_type),
                cmocka_unit_test(test_write),
                cmocka_unit_test(test_write_huge_pages),
                cmocka_unit_test(test_overlaps),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
