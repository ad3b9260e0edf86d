/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Firmware images. The file is hostile input, and may change while it is read: headers are read once and kept, the data
 * goes from file to window by read and write, so that no length in it can lead out of a buffer. Called by the objects
 * of a platform.
 */

#include "firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd-util.h"
#include "window.h"

#define SEGMENTS_MAX            64U
#define SECTIONS_MAX            4096U
#define VECTOR_TABLE_ALIGNMENT  128U    /* the least that VTOR can hold */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Elf, elf_end)

typedef struct Segment {
        unsigned number;                /* in the program header table */
        uint64_t address, memory_size;
        uint64_t file_offset, file_size;
        uint64_t window_offset;
} Segment;

typedef struct Image {
        const char *path;
        int fd;
        uint64_t file_size;
        uint64_t entry;
        uint64_t resource_table;        /* bus address, 0: none */
        Segment segments[SEGMENTS_MAX];
        unsigned n_segments;
} Image;

static bool fail(const Image *image, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool fail(const Image *image, GError **error, const char *format, ...) {
        g_autofree char *reason = NULL;
        va_list args;

        va_start(args, format);
        reason = g_strdup_vprintf(format, args);
        va_end(args);

        g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: %s", image->path, reason);
        return false;
}

/* Where in the window a range of the slave's addresses is; false: not, or not all of it */
static bool window_find(const FirmwareWindow *window, uint64_t address, uint64_t size, uint64_t *ret_offset) {
        const uint64_t bases[] = { window->bus_address, window->ram_base };

        for (size_t i = 0; i < G_N_ELEMENTS(bases); i++) {
                uint64_t offset = address - bases[i];

                if (address >= bases[i] && offset < window->size && size <= window->size - offset) {
                        *ret_offset = offset;
                        return true;
                }
        }

        return false;
}

static bool fail_outside(const Image *image, const FirmwareWindow *window, GError **error, const char *what,
                         uint64_t address) {
        return fail(image, error,
                    "%s (0x%" PRIx64 ") is not inside the window: 0x%" PRIx64 "–0x%" PRIx64 " on the bus, 0x%" PRIx64
                    "–0x%" PRIx64 " as the slave's own memory",
                    what, address, window->bus_address, window->bus_address + (window->size - 1), window->ram_base,
                    window->ram_base + (window->size - 1));
}

/*
 * The ELF machines of each architecture's programs. A PC begins with 32 bits, whatever the rest of its program has; RISC-V has
 * one number for all widths.
 */
static const struct {
        unsigned machines[2];
        const char *names;
} programs[_ARCHITECTURE_MAX] = {
        [ARCHITECTURE_ARM] = { { EM_ARM, EM_AARCH64 }, "Arm (40) or AArch64 (183)" },
        [ARCHITECTURE_RISCV] = { { EM_RISCV, EM_RISCV }, "RISC-V (243)" },
        [ARCHITECTURE_X86] = { { EM_386, EM_X86_64 }, "x86 (3) or x86-64 (62)" },
};

static bool is_for(unsigned machine, Architecture architecture) {
        const unsigned *machines = programs[architecture].machines;

        return machine == machines[0] || machine == machines[1];
}

static bool has_64_bits(unsigned machine) {
        return machine == EM_AARCH64 || machine == EM_X86_64;
}

static bool check_header(const Image *image, const GElf_Ehdr *header, Architecture architecture, bool vector_table,
                         GError **error) {
        if (header->e_ident[EI_DATA] != ELFDATA2LSB)
                return fail(image, error, "is not little-endian");
        if (header->e_type != ET_EXEC)
                return fail(image, error, "is not an executable (ELF type %u); link it to fixed addresses",
                            header->e_type);
        if (!is_for(header->e_machine, architecture))
                return fail(image, error, "is for ELF machine %u, not for %s", header->e_machine, programs[architecture].names);
        if (header->e_machine != EM_RISCV && header->e_ident[EI_CLASS] != (has_64_bits(header->e_machine) ? ELFCLASS64 : ELFCLASS32))
                return fail(image, error, "has the wrong ELF class for its machine");
        if (vector_table && header->e_machine != EM_ARM)
                return fail(image, error, "is for AArch64, the slave is a Cortex-M");

        return true;
}

static bool check_segment(const Image *image, const FirmwareWindow *window, Segment *s, GError **error) {
        if (s->file_size > s->memory_size)
                return fail(image, error,
                            "segment %u has more bytes in the file (0x%" PRIx64 ") than in memory (0x%" PRIx64 ")",
                            s->number, s->file_size, s->memory_size);
        if (s->file_size > 0 && (s->file_offset > image->file_size || s->file_size > image->file_size - s->file_offset))
                return fail(image, error, "segment %u ends beyond the file; it was cut off", s->number);

        if (!window_find(window, s->address, s->memory_size, &s->window_offset)) {
                g_autofree char *what = g_strdup_printf("segment %u of 0x%" PRIx64 " bytes", s->number, s->memory_size);

                return fail_outside(image, window, error, what, s->address);
        }

        for (unsigned i = 0; i < image->n_segments; i++) {
                const Segment *other = &image->segments[i];

                if (window_overlaps(s->window_offset, s->memory_size, other->window_offset, other->memory_size))
                        return fail(image, error, "segments %u and %u overlap in the window", other->number, s->number);
        }

        return true;
}

static bool read_segments(Image *image, Elf *elf, const FirmwareWindow *window, GError **error) {
        size_t n;

        if (elf_getphdrnum(elf, &n) < 0)
                return fail(image, error, "%s", elf_errmsg(-1));
        if (n > SEGMENTS_MAX)
                return fail(image, error, "has %zu segments, more than %u", n, SEGMENTS_MAX);

        for (unsigned i = 0; i < n; i++) {
                GElf_Phdr header;
                Segment *s = &image->segments[image->n_segments];

                if (!gelf_getphdr(elf, (int) i, &header))
                        return fail(image, error, "segment %u: %s", i, elf_errmsg(-1));
                if (header.p_type != PT_LOAD || header.p_memsz == 0)
                        continue;

                *s = (Segment) {
                        .number = i,
                        .address = header.p_paddr,
                        .memory_size = header.p_memsz,
                        .file_offset = header.p_offset,
                        .file_size = header.p_filesz,
                };
                if (!check_segment(image, window, s, error))
                        return false;
                image->n_segments++;
        }

        return image->n_segments > 0 || fail(image, error, "has no segment to load");
}

static bool check_entry(Image *image, const FirmwareWindow *window, bool vector_table, GError **error) {
        uint64_t offset;

        if (vector_table) {
                image->entry = UINT64_MAX;
                for (unsigned i = 0; i < image->n_segments; i++)
                        image->entry = MIN(image->entry, image->segments[i].address);

                if (image->entry % VECTOR_TABLE_ALIGNMENT != 0)
                        return fail(image, error,
                                    "the vector table, at its lowest address (0x%" PRIx64 "), "
                                    "is not aligned to %u bytes",
                                    image->entry, VECTOR_TABLE_ALIGNMENT);
                return true;
        }

        /* Bit 0 means Thumb */
        if (!window_find(window, image->entry & ~UINT64_C(1), 2, &offset))
                return fail_outside(image, window, error, "the entry point", image->entry);

        return true;
}

/* The table of names may be of any size; only as much of it is read as the name has that is wanted */
static bool has_name(const Image *image, const GElf_Shdr *names, const GElf_Shdr *section, const char *name) {
        size_t size = strlen(name) + 1;
        char found[32];

        g_assert(size <= sizeof(found));
        return section->sh_name < names->sh_size && names->sh_offset <= image->file_size &&
                pread(image->fd, found, size, (off_t) (names->sh_offset + section->sh_name)) == (ssize_t) size &&
                memcmp(found, name, size) == 0;
}

/* A file need not have sections, and what is wrong with them is of no importance for what is loaded. */
static void find_resource_table(Image *image, Elf *elf, const FirmwareWindow *window) {
        GElf_Shdr names, section;
        size_t n, strings;

        if (elf_getshdrnum(elf, &n) < 0 || n > SECTIONS_MAX || elf_getshdrstrndx(elf, &strings) < 0 ||
            !gelf_getshdr(elf_getscn(elf, strings), &names))
                return;

        for (size_t i = 1; i < n; i++) {
                uint64_t offset;

                if (!gelf_getshdr(elf_getscn(elf, i), &section))
                        return;
                if (!(section.sh_flags & SHF_ALLOC) || section.sh_size == 0 ||
                    !has_name(image, &names, &section, ".resource_table") ||
                    !window_find(window, section.sh_addr, section.sh_size, &offset))
                        continue;

                image->resource_table = window->bus_address + offset;
                return;
        }
}

static bool read_image(Image *image, const FirmwareWindow *window, bool vector_table, GError **error) {
        g_autoptr(Elf) elf = NULL;
        GElf_Ehdr header;

        /* Without mmap: a file that shrinks meanwhile would be SIGBUS */
        if (elf_version(EV_CURRENT) == EV_NONE || !(elf = elf_begin(image->fd, ELF_C_READ, NULL)))
                return fail(image, error, "%s", elf_errmsg(-1));
        if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
                return fail(image, error, "is not an ELF file");
        if (!check_header(image, &header, window->architecture, vector_table, error))
                return false;

        image->entry = header.e_entry;
        if (!read_segments(image, elf, window, error) || !check_entry(image, window, vector_table, error))
                return false;

        find_resource_table(image, elf, window);
        return true;
}

/* Gives the pages back, so that a large .bss costs nothing */
static int zero(int fd, uint64_t offset, uint64_t size) {
        static const uint8_t zeros[64 * 1024];

        if (size == 0 || fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) offset, (off_t) size) == 0)
                return 0;

        while (size > 0) {
                size_t part = MIN(size, sizeof(zeros));
                int r = window_write(fd, zeros, part, offset);

                if (r < 0)
                        return r;
                size -= part;
                offset += part;
        }

        return 0;
}

static int copy_segment(const Image *image, const Segment *s, const FirmwareWindow *window) {
        uint64_t to = window->offset + s->window_offset;
        int r = window_copy(window->fd, to, image->fd, s->file_offset, s->file_size);

        return r < 0 ? r : zero(window->fd, to + s->file_size, s->memory_size - s->file_size);
}

static bool open_image(Image *image, GError **error) {
        struct stat st;

        /* O_NONBLOCK: a FIFO under that name must not hold hetd up */
        image->fd = open(image->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (image->fd < 0 || fstat(image->fd, &st) < 0)
                return fail(image, error, "cannot be read: %s", g_strerror(errno));
        if (!S_ISREG(st.st_mode))
                return fail(image, error, "is not a regular file");

        image->file_size = (uint64_t) st.st_size;
        return true;
}

bool firmware_load(const char *path, const FirmwareWindow *window, bool vector_table, uint64_t *ret_entry,
                   uint64_t *ret_resource_table, GError **error) {
        Image image = { .path = path, .fd = -EBADF };
        bool ok;

        g_return_val_if_fail(window->size > 0, false);

        ok = open_image(&image, error) && read_image(&image, window, vector_table, error);
        for (unsigned i = 0; ok && i < image.n_segments; i++) {
                int r = copy_segment(&image, &image.segments[i], window);

                if (r < 0)
                        ok = fail(&image, error, "segment %u cannot be copied: %s", image.segments[i].number,
                                  r == -ENODATA ? "the file has changed" : g_strerror(-r));
        }

        fd_close(image.fd);
        if (ok)
                *ret_entry = image.entry;
        if (ok && ret_resource_table)
                *ret_resource_table = image.resource_table;
        return ok;
}
