/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An ELF core file of a slave's window, which gdb opens. It has no registers, since a window has none. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct CoreWindow {
        int fd;                         /* its memory, which may change meanwhile */
        uint64_t offset, size;
        uint64_t address;               /* where the slave sees it */
        uint16_t machine;               /* EM_* */
        bool is_64_bits;
} CoreWindow;

/* By the slave's board and CPU, as QEMU calls them; options may be behind them. address and size are there already. */
void core_window_set_processor(CoreWindow *window, const char *machine, const char *cpu);

/*
 * to is empty; what the window never had, or is zero, is a hole in it. on_progress (NULL: none) hears now and then how much of the
 * window is done. *ret_written is what the file has of its content. Negative errno.
 */
int core_file_write(const CoreWindow *window, int to, void (*on_progress)(uint64_t done, void *userdata), void *userdata,
                    uint64_t *ret_written);
