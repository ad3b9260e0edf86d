/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core-file.h"

#include <gelf.h>
#include <unistd.h>

#define DUMP_SIZE_MAX   (1U << 20)      /* the registers of some hundred CPUs, and a page */

/* Copied before it is looked at: who has made it may still have it open */
static GBytes *read_all(int fd) {
        g_autofree char *data = g_malloc(DUMP_SIZE_MAX);
        size_t size = 0;
        ssize_t n;

        while (size < DUMP_SIZE_MAX && (n = pread(fd, data + size, DUMP_SIZE_MAX - size, (off_t) size)) > 0)
                size += (size_t) n;

        return g_bytes_new(data, size);
}

/* The segment of notes; NULL: there is none, or this is no core file of such a processor */
static GBytes *find_notes(const CoreWindow *window, GBytes *dump, Elf *elf) {
        GElf_Ehdr header;
        size_t n = 0;

        if (!elf || !gelf_getehdr(elf, &header) || header.e_type != ET_CORE || header.e_machine != window->machine ||
            header.e_ident[EI_CLASS] != (window->is_64_bits ? ELFCLASS64 : ELFCLASS32) ||
            header.e_ident[EI_DATA] != ELFDATA2LSB || elf_getphdrnum(elf, &n) < 0)
                return NULL;

        for (size_t i = 0; i < n; i++) {
                GElf_Phdr segment;

                if (!gelf_getphdr(elf, (int) i, &segment) || segment.p_type != PT_NOTE)
                        continue;
                if (segment.p_offset > g_bytes_get_size(dump) || segment.p_filesz > g_bytes_get_size(dump) - segment.p_offset)
                        return NULL;
                return g_bytes_new_from_bytes(dump, segment.p_offset, segment.p_filesz);
        }

        return NULL;
}

void core_window_set_registers(CoreWindow *window, int dump) {
        g_autoptr(GBytes) bytes = read_all(dump);
        Elf *elf;

        if (elf_version(EV_CURRENT) == EV_NONE || g_bytes_get_size(bytes) == 0)
                return;

        elf = elf_memory((char *) g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        window->notes = find_notes(window, bytes, elf);
        (void) elf_end(elf);
}
