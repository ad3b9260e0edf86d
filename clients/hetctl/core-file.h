/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An ELF core file of a slave's window, which gdb opens, with registers where there are some. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct CoreWindow {
        int fd;                         /* its memory, which may change meanwhile */
        uint64_t offset, size;
        uint64_t address;               /* where the slave sees it */
        uint16_t machine;               /* EM_* */
        bool is_64_bits;
        GBytes *notes;                  /* with the registers of its CPUs, NULL: there are none */
} CoreWindow;

/* By the slave's board and CPU, as QEMU calls them; options may be behind them. address and size are there already. */
void core_window_set_processor(CoreWindow *window, const char *machine, const char *cpu);

/*
 * Takes the registers out of a core file that its QEMU has made; not if that is no such file, or one of another kind of processor.
 * The window knows its processor already. The notes are the caller's.
 */
void core_window_set_registers(CoreWindow *window, int dump);

/*
 * to is empty; what the window never had, or is zero, is a hole in it. on_progress (NULL: none) hears now and then how much of the
 * window is done. *ret_written is what the file has of its content. Negative errno.
 */
int core_file_write(const CoreWindow *window, int to, void (*on_progress)(uint64_t done, void *userdata), void *userdata,
                    uint64_t *ret_written);
