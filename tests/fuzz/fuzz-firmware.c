/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Arbitrary bytes as firmware. The first byte says whether it is for a Cortex-M. The window lies in the middle of a memfd, and what
 * is around it must stay as it was; if the file is refused, so must the window. With libFuzzer:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ihetd tests/fuzz/fuzz-firmware.c hetd/firmware.c hetd/window.c
 *         hetd/util/error.c hetd/util/fd-util.c $(pkg-config --cflags --libs glib-2.0 libelf) -o fuzz-firmware
 * Otherwise replay.c runs it over the corpus.
 */

#include "fuzz.h"
#include "firmware.h"
#include "util/error.h"
#include "util/fd-util.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD   4096U
#define WINDOW  65536U
#define TOTAL   (GUARD + WINDOW + GUARD)
#define FILLED  0xa5

static bool is_filled(const uint8_t *bytes, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (bytes[i] != FILLED)
                        return false;

        return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static uint8_t memory[TOTAL];
        HET_AUTO_FD int file = -1, fd = -1;
        g_autofree char *path = NULL;
        g_autoptr(GError) error = NULL;
        FirmwareWindow window = { .size = WINDOW, .bus_address = 0x60000000, .ram_base = 0x40000000, .offset = GUARD };
        uint64_t entry = 0, table = 0;
        bool vector_table;

        if (size < 1)
                return 0;

        file = memfd_create("firmware", MFD_CLOEXEC);
        window.fd = fd = memfd_create("window", MFD_CLOEXEC);
        memset(memory, FILLED, sizeof(memory));
        g_assert_true(write(file, data + 1, size - 1) == (ssize_t) (size - 1));
        g_assert_true(pwrite(fd, memory, TOTAL, 0) == TOTAL);
        path = g_strdup_printf("/proc/self/fd/%d", file);
        vector_table = data[0] & 1;

        if (firmware_load(path, &window, vector_table, &entry, &table, &error)) {
                uint64_t at = entry & ~UINT64_C(1);

                g_assert_true(at - 0x60000000 < WINDOW || at - 0x40000000 < WINDOW);
                g_assert_true(table == 0 || table - 0x60000000 < WINDOW);
                g_assert_true(!vector_table || entry % 128 == 0);
        } else
                g_assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));

        g_assert_true(lseek(fd, 0, SEEK_END) == TOTAL);
        g_assert_true(pread(fd, memory, TOTAL, 0) == TOTAL);
        g_assert_true(is_filled(memory, GUARD));
        g_assert_true(is_filled(memory + GUARD + WINDOW, GUARD));
        g_assert_true(!error || is_filled(memory + GUARD, WINDOW));
        return 0;
}
