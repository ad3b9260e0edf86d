/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Programs without an operating system: ELF files, which say where they go, and files that are copied as they are. */

#include "load.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct Segment {
        uint64_t offset, file_size, address, size;
} Segment;

static bool is_32(const File *file) {
        return file->data[EI_CLASS] == ELFCLASS32;
}

static unsigned count_headers(const File *file) {
        return is_32(file) ? ((const Elf32_Ehdr *) file->data)->e_phnum : ((const Elf64_Ehdr *) file->data)->e_phnum;
}

static uint64_t get_entry(const File *file) {
        return is_32(file) ? ((const Elf32_Ehdr *) file->data)->e_entry : ((const Elf64_Ehdr *) file->data)->e_entry;
}

/* Everything else is read only from one that has come through here. */
static void check_header(const File *file) {
        const Elf32_Ehdr *e32 = (const void *) file->data;
        const Elf64_Ehdr *e64 = (const void *) file->data;
        uint64_t place, size, entry_size;

        if (file->size < sizeof(*e64) || file->data[EI_DATA] != ELFDATA2LSB ||
            (file->data[EI_CLASS] != ELFCLASS32 && file->data[EI_CLASS] != ELFCLASS64))
                fail(EXIT_UNUSABLE, "%s is no ELF file of a little-endian processor, or is cut off", file->name);

        if (is_32(file)) {
                place = e32->e_phoff;
                entry_size = e32->e_phentsize == sizeof(Elf32_Phdr) ? sizeof(Elf32_Phdr) : 0;
        } else {
                place = e64->e_phoff;
                entry_size = e64->e_phentsize == sizeof(Elf64_Phdr) ? sizeof(Elf64_Phdr) : 0;
        }
        size = entry_size * count_headers(file);
        if (size == 0 || place > file->size || size > file->size - place || place % 4 != 0)
                fail(EXIT_UNUSABLE, "%s has no segments to be loaded, or is cut off", file->name);
}

/* False: it is not to be loaded. */
static bool get_segment(const File *file, unsigned i, Segment *ret) {
        if (is_32(file)) {
                const Elf32_Phdr *p = (const void *) (file->data + ((const Elf32_Ehdr *) file->data)->e_phoff);

                *ret = (Segment) { p[i].p_offset, p[i].p_filesz, p[i].p_paddr, p[i].p_memsz };
                return p[i].p_type == PT_LOAD && p[i].p_memsz > 0;
        } else {
                Elf64_Phdr p;

                memcpy(&p, file->data + ((const Elf64_Ehdr *) file->data)->e_phoff + i * sizeof(p), sizeof(p));
                *ret = (Segment) { p.p_offset, p.p_filesz, p.p_paddr, p.p_memsz };
                return p.p_type == PT_LOAD && p.p_memsz > 0;
        }
}

static void check_segment(const Slave *slave, const File *file, const Segment *s) {
        if (s->file_size > s->size || s->offset > file->size || s->file_size > file->size - s->offset)
                fail(EXIT_UNUSABLE, "%s is cut off or damaged: its segment at 0x%" PRIx64 " is not in it", file->name, s->address);
        if (!slave_has(slave, s->address, s->size))
                fail(EXIT_UNUSABLE, "%s has 0x%" PRIx64 " bytes at 0x%" PRIx64 ", and the window of slave %u is 0x%" PRIx64
                     " bytes at 0x%" PRIx64 ": link it to there", file->name, s->size, s->address, slave->id, slave->window_size,
                     slave->window);
}

/* Returns the lowest address. */
static uint64_t check_segments(const Slave *slave, const File *file) {
        uint64_t lowest = UINT64_MAX;

        for (unsigned i = 0; i < count_headers(file); i++) {
                Segment s;

                if (!get_segment(file, i, &s))
                        continue;
                check_segment(slave, file, &s);
                if (s.address < lowest)
                        lowest = s.address;
        }
        if (lowest == UINT64_MAX)
                fail(EXIT_UNUSABLE, "%s has no segments to be loaded", file->name);
        return lowest;
}

static uint32_t get_protocol(const Slave *slave, const Options *options) {
        if (options->has_protocol && options->protocol != IDM_TEST_PROTOCOL_AUTO)
                return options->protocol;
        return slave->info.protocol == IDM_TEST_PROTOCOL_VECTORS ? IDM_TEST_PROTOCOL_VECTORS : IDM_TEST_PROTOCOL_AUTO;
}

void load_elf(Slave *slave, const File *file, const Options *options) {
        uint32_t protocol = get_protocol(slave, options);
        uint64_t entry, lowest;

        check_header(file);
        lowest = check_segments(slave, file);
        /* A Cortex-M begins with a table of vectors, wherever the file's entry is. */
        entry = protocol == IDM_TEST_PROTOCOL_VECTORS ? lowest : get_entry(file);
        if (options->has_entry)
                entry = options->entry;
        if (entry == 0)
                fail(EXIT_UNUSABLE, "%s does not say where it begins: use --entry", file->name);

        for (unsigned i = 0; i < count_headers(file); i++) {
                Segment s;

                if (!get_segment(file, i, &s))
                        continue;
                printf("segment at 0x%" PRIx64 ", %" PRIu64 " bytes\n", s.address, s.size);
                slave_write(slave, s.address, file->data + s.offset, (size_t) s.file_size, (size_t) s.size);
        }
        slave_start(slave, entry, options->argument, protocol);
}

void load_raw(Slave *slave, const File *file, const Options *options) {
        uint64_t address = options->raw;

        /* A number that is no address there is counted from the beginning. */
        if (address < slave->window && address < slave->window_size)
                address += slave->window;
        if (!slave_has(slave, address, file->size))
                fail(EXIT_UNUSABLE, "%s has 0x%zx bytes; at 0x%" PRIx64 " they are not in the window of slave %u, which is 0x%" PRIx64
                     " bytes at 0x%" PRIx64, file->name, file->size, address, slave->id, slave->window_size,
                     slave->window);

        printf("%s at 0x%" PRIx64 ", %zu bytes\n", file->name, address, file->size);
        slave_write(slave, address, file->data, file->size, file->size);
        slave_start(slave, options->has_entry ? options->entry : address, options->argument, get_protocol(slave, options));
}
