/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* ELF images, made here byte by byte, and what of them gets into a window. Whatever is refused has not written
 * anything. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "firmware.h"
#include "util/error.h"
#include "util/fd-util.h"
#include "window.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUS             0x60000000U
#define RAM             0x40000000U
#define WINDOW_SIZE     0x100000U
#define DATA_OFFSET     0x1000U         /* of the first segment's bytes in the file */
#define IMAGE_SIZE      0x4000U
#define FILLED          0xa5            /* what is in the window before */

typedef struct Fixture {
        char *path;
        int window_fd;
        FirmwareWindow window;
        uint8_t image[IMAGE_SIZE];      /* an ELF of 32 bits: header, program headers, data */
        size_t image_size;
} Fixture;

static Elf32_Ehdr *header_of(Fixture *f) {
        return (Elf32_Ehdr *) f->image;
}

static Elf32_Phdr *segment_of(Fixture *f, unsigned i) {
        return (Elf32_Phdr *) (f->image + sizeof(Elf32_Ehdr)) + i;
}

static Elf32_Phdr *add_segment(Fixture *f, uint32_t address, uint32_t file_size, uint32_t memory_size) {
        unsigned i = header_of(f)->e_phnum++;
        Elf32_Phdr *s = segment_of(f, i);

        *s = (Elf32_Phdr) {
                .p_type = PT_LOAD,
                .p_offset = DATA_OFFSET + i * 0x400,
                .p_vaddr = 0x12340000,          /* is not looked at */
                .p_paddr = address,
                .p_filesz = file_size,
                .p_memsz = memory_size,
        };
        memset(f->image + s->p_offset, (int) (0x10 + i), MIN(file_size, 0x400U));
        return s;
}

static int set_up(void **state) {
        Fixture *f = g_new0(Fixture, 1);
        static const uint8_t ident[EI_NIDENT] = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT };
        int fd;

        fd = g_file_open_tmp("het-firmware-XXXXXX.elf", &f->path, NULL);
        assert_true(fd >= 0);
        fd_close(fd);

        assert_true(window_memory_new("test", "slave", WINDOW_SIZE, &f->window_fd, NULL));
        for (unsigned i = 0; i < WINDOW_SIZE; i += sizeof(f->image)) {
                memset(f->image, FILLED, sizeof(f->image));
                assert_int_equal(pwrite(f->window_fd, f->image, sizeof(f->image), (off_t) i), sizeof(f->image));
        }
        f->window = (FirmwareWindow) { .fd = f->window_fd, .size = WINDOW_SIZE, .bus_address = BUS, .ram_base = RAM };

        memset(f->image, 0, sizeof(f->image));
        *header_of(f) = (Elf32_Ehdr) {
                .e_type = ET_EXEC,
                .e_machine = EM_ARM,
                .e_version = EV_CURRENT,
                .e_entry = BUS + 0x101,
                .e_phoff = sizeof(Elf32_Ehdr),
                .e_ehsize = sizeof(Elf32_Ehdr),
                .e_phentsize = sizeof(Elf32_Phdr),
        };
        memcpy(header_of(f)->e_ident, ident, sizeof(ident));
        f->image_size = sizeof(f->image);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        fd_close(f->window_fd);
        assert_int_equal(g_unlink(f->path), 0);
        g_free(f->path);
        g_free(f);
        return 0;
}

static bool load(Fixture *f, bool vector_table, uint64_t *ret_entry, GError **error) {
        assert_true(g_file_set_contents(f->path, (const char *) f->image, (gssize) f->image_size, NULL));
        return firmware_load(f->path, &f->window, vector_table, ret_entry, NULL, error);
}

static void expect_bytes(Fixture *f, uint64_t offset, uint64_t size, uint8_t value) {
        g_autofree uint8_t *bytes = g_malloc(size);

        assert_int_equal(pread(f->window_fd, bytes, size, (off_t) offset), size);
        for (uint64_t i = 0; i < size; i++)
                assert_int_equal(bytes[i], value);
}

static void expect_refused(Fixture *f, bool vector_table, const char *reason) {
        g_autofree char *expected = g_strdup_printf("%s: %s", f->path, reason);
        g_autoptr(GError) error = NULL;
        uint64_t entry = 42;

        assert_false(load(f, vector_table, &entry, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT));
        assert_string_equal(error->message, expected);
        assert_int_equal(entry, 42);
        expect_bytes(f, 0, WINDOW_SIZE, FILLED);
}

#define WHERE                                                                                                          \
        "is not inside the window: 0x60000000–0x600fffff on the bus, 0x40000000–0x400fffff as the slave's own memory"

static void test_load(void **state) {
        Fixture *f = *state;
        uint64_t entry = 0;

        add_segment(f, BUS, 0x200, 0x200);
        add_segment(f, BUS + 0x1000, 0x100, 0x3000);            /* with .bss */
        add_segment(f, RAM + 0x8000, 0x80, 0x80);               /* the other view of the same memory */
        add_segment(f, BUS + 0x9000, 0, 0x1234);                /* .bss only */
        add_segment(f, BUS + 0xa800, 0x10, 0)->p_filesz = 0;    /* nothing */
        add_segment(f, 0, 0x100, 0x100)->p_type = PT_NOTE;      /* not loaded, wherever it is */

        assert_true(load(f, false, &entry, NULL));
        assert_int_equal(entry, BUS + 0x101);
        expect_bytes(f, 0, 0x200, 0x10);
        expect_bytes(f, 0x200, 0xe00, FILLED);
        expect_bytes(f, 0x1000, 0x100, 0x11);
        expect_bytes(f, 0x1100, 0x2f00, 0);
        expect_bytes(f, 0x4000, 0x4000, FILLED);
        expect_bytes(f, 0x8000, 0x80, 0x12);
        expect_bytes(f, 0x8080, 0xf80, FILLED);
        expect_bytes(f, 0x9000, 0x1234, 0);
        expect_bytes(f, 0xa234, WINDOW_SIZE - 0xa234, FILLED);
}

static void test_offset(void **state) {
        Fixture *f = *state;
        uint64_t entry;

        f->window.offset = WINDOW_SIZE / 2;
        f->window.size = WINDOW_SIZE / 2;
        add_segment(f, BUS, 0x200, 0x400);
        assert_true(load(f, false, &entry, NULL));
        expect_bytes(f, 0, WINDOW_SIZE / 2, FILLED);
        expect_bytes(f, WINDOW_SIZE / 2, 0x200, 0x10);
        expect_bytes(f, WINDOW_SIZE / 2 + 0x200, 0x200, 0);
        expect_bytes(f, WINDOW_SIZE / 2 + 0x400, WINDOW_SIZE / 2 - 0x400, FILLED);
}

static void test_large(void **state) {
        /* More than one piece of the copy */
        Fixture *f = *state;
        g_autofree uint8_t *data = g_malloc(WINDOW_SIZE);
        g_autoptr(GError) error = NULL;
        uint64_t entry;
        int fd;

        memset(data, 0x77, WINDOW_SIZE);
        add_segment(f, BUS, WINDOW_SIZE, WINDOW_SIZE)->p_offset = IMAGE_SIZE;
        assert_true(g_file_set_contents(f->path, (const char *) f->image, IMAGE_SIZE, NULL));
        fd = open(f->path, O_WRONLY | O_APPEND | O_CLOEXEC);
        assert_int_equal(write(fd, data, WINDOW_SIZE), WINDOW_SIZE);
        fd_close(fd);

        assert_true(firmware_load(f->path, &f->window, false, &entry, NULL, &error));
        expect_bytes(f, 0, WINDOW_SIZE, 0x77);
}

static void test_vector_table(void **state) {
        Fixture *f = *state;
        uint64_t entry;

        add_segment(f, BUS + 0x1000, 0x10, 0x10);
        add_segment(f, BUS + 0x80, 0x100, 0x100);
        header_of(f)->e_entry = 0x101;          /* the reset handler, wherever: it is the table that counts */
        assert_true(load(f, true, &entry, NULL));
        assert_int_equal(entry, BUS + 0x80);
}

static void test_vector_table_unaligned(void **state) {
        Fixture *f = *state;

        add_segment(f, BUS + 0x40, 0x100, 0x100);
        expect_refused(f, true, "the vector table, at its lowest address (0x60000040), is not aligned to 128 bytes");
}

static void test_aarch64(void **state) {
        Fixture *f = *state;
        Elf64_Ehdr *header = (Elf64_Ehdr *) f->image;
        Elf64_Phdr *segment = (Elf64_Phdr *) (f->image + sizeof(*header));
        uint64_t entry;

        f->window.bus_address = 0x880000000;
        *header = (Elf64_Ehdr) {
                .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                .e_type = ET_EXEC,
                .e_machine = EM_AARCH64,
                .e_version = EV_CURRENT,
                .e_entry = 0x880000010,
                .e_phoff = sizeof(*header),
                .e_ehsize = sizeof(*header),
                .e_phentsize = sizeof(*segment),
                .e_phnum = 1,
        };
        *segment = (Elf64_Phdr){
                .p_type = PT_LOAD, .p_offset = DATA_OFFSET, .p_paddr = 0x880000000, .p_filesz = 8, .p_memsz = 16
        };
        memset(f->image + DATA_OFFSET, 0x64, 8);
        assert_true(load(f, false, &entry, NULL));
        assert_true(entry == 0x880000010);
        expect_bytes(f, 0, 8, 0x64);
        expect_bytes(f, 8, 8, 0);
        expect_bytes(f, 16, 16, FILLED);

        memset(f->image + DATA_OFFSET, 0, 8);
        segment->p_memsz = UINT64_MAX;
        assert_false(load(f, false, &entry, NULL));
        segment->p_paddr = UINT64_MAX - 1;
        assert_false(load(f, false, &entry, NULL));
        segment->p_memsz = segment->p_filesz = 8;
        segment->p_paddr = 0x880000000;
        segment->p_offset = UINT64_MAX - 3;
        assert_false(load(f, false, &entry, NULL));
        expect_bytes(f, 0, 8, 0x64);
}

static void test_aarch64_on_cortex_m(void **state) {
        Fixture *f = *state;
        Elf64_Ehdr *header = (Elf64_Ehdr *) f->image;

        *header = (Elf64_Ehdr) {
                .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                .e_type = ET_EXEC, .e_machine = EM_AARCH64, .e_version = EV_CURRENT,
        };
        expect_refused(f, true, "is for AArch64, the slave is a Cortex-M");
}

static void test_outside(void **state) {
        static const struct {
                uint32_t address, size;
                const char *reason;
        } cases[] = {
                { BUS + WINDOW_SIZE, 1, "segment 1 of 0x1 bytes (0x60100000) " WHERE },
                { BUS + WINDOW_SIZE - 1, 2, "segment 1 of 0x2 bytes (0x600fffff) " WHERE },
                { BUS - 1, 2, "segment 1 of 0x2 bytes (0x5fffffff) " WHERE },
                { RAM - 1, 1, "segment 1 of 0x1 bytes (0x3fffffff) " WHERE },
                { RAM, WINDOW_SIZE + 1, "segment 1 of 0x100001 bytes (0x40000000) " WHERE },
                { 0, UINT32_MAX, "segment 1 of 0xffffffff bytes (0x0) " WHERE },
                { BUS + 0x10000, UINT32_MAX, "segment 1 of 0xffffffff bytes (0x60010000) " WHERE },
                { UINT32_MAX, UINT32_MAX, "segment 1 of 0xffffffff bytes (0xffffffff) " WHERE },
        };
        Fixture *f = *state;

        add_segment(f, BUS, 0x100, 0x100);
        add_segment(f, 0, 0, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                segment_of(f, 1)->p_paddr = cases[i].address;
                segment_of(f, 1)->p_memsz = cases[i].size;
                expect_refused(f, false, cases[i].reason);
        }
}

static void test_sizes(void **state) {
        Fixture *f = *state;

        add_segment(f, BUS, 0x101, 0x100);
        expect_refused(f, false, "segment 0 has more bytes in the file (0x101) than in memory (0x100)");

        segment_of(f, 0)->p_filesz = 0x100;
        segment_of(f, 0)->p_offset = IMAGE_SIZE - 0xff;
        expect_refused(f, false, "segment 0 ends beyond the file; it was cut off");
        segment_of(f, 0)->p_offset = UINT32_MAX;
        expect_refused(f, false, "segment 0 ends beyond the file; it was cut off");
}

static void test_overlap(void **state) {
        Fixture *f = *state;

        add_segment(f, BUS + 0x1000, 0x10, 0x100);
        add_segment(f, RAM + 0x10ff, 1, 1);             /* the same byte by another name */
        expect_refused(f, false, "segments 0 and 1 overlap in the window");
}

static void test_entry(void **state) {
        Fixture *f = *state;
        uint64_t entry;

        add_segment(f, BUS, 0x100, 0x100);
        header_of(f)->e_entry = BUS + WINDOW_SIZE;
        expect_refused(f, false, "the entry point (0x60100000) " WHERE);
        header_of(f)->e_entry = BUS + WINDOW_SIZE - 1;          /* Thumb, its last two bytes */
        assert_true(load(f, false, &entry, NULL));
        assert_int_equal(entry, BUS + WINDOW_SIZE - 1);
        header_of(f)->e_entry = RAM;
        assert_true(load(f, false, &entry, NULL));
        assert_int_equal(entry, RAM);
}

static void test_architectures(void **state) {
        Fixture *f = *state;
        uint64_t entry;

        add_segment(f, BUS, 0x100, 0x100);
        header_of(f)->e_machine = EM_386;
        f->window.architecture = ARCHITECTURE_RISCV;
        expect_refused(f, false, "is for ELF machine 3, not for RISC-V (243)");
        f->window.architecture = ARCHITECTURE_X86;
        header_of(f)->e_machine = EM_ARM;
        expect_refused(f, false, "is for ELF machine 40, not for x86 (3) or x86-64 (62)");
        header_of(f)->e_machine = EM_X86_64;            /* in a file of 32 bits */
        expect_refused(f, false, "has the wrong ELF class for its machine");
        header_of(f)->e_machine = EM_386;
        assert_true(load(f, false, &entry, NULL));

        header_of(f)->e_machine = EM_RISCV;
        f->window.architecture = ARCHITECTURE_RISCV;
        assert_true(load(f, false, &entry, NULL));
}

static void test_header(void **state) {
        Fixture *f = *state;

        expect_refused(f, false, "has no segment to load");
        add_segment(f, BUS, 0x100, 0x100);

        header_of(f)->e_type = ET_REL;
        expect_refused(f, false, "is not an executable (ELF type 1); link it to fixed addresses");
        header_of(f)->e_type = ET_EXEC;

        header_of(f)->e_machine = EM_386;
        expect_refused(f, false, "is for ELF machine 3, not for Arm (40) or AArch64 (183)");
        header_of(f)->e_machine = EM_AARCH64;
        expect_refused(f, false, "has the wrong ELF class for its machine");
        header_of(f)->e_machine = EM_ARM;

        header_of(f)->e_ident[EI_DATA] = ELFDATA2MSB;
        expect_refused(f, false, "is not little-endian");
        header_of(f)->e_ident[EI_DATA] = ELFDATA2LSB;

        header_of(f)->e_ident[0] = 0;
        expect_refused(f, false, "is not an ELF file");
}

static void test_too_many_segments(void **state) {
        Fixture *f = *state;

        for (unsigned i = 0; i < 65; i++) {
                add_segment(f, BUS + i * 0x100, 0, 0x10);
        }
        expect_refused(f, false, "has 65 segments, more than 64");
        segment_of(f, 64)->p_type = PT_NULL;
        expect_refused(f, false, "has 65 segments, more than 64");
}

static void test_cut_off(void **state) {
        /* At every length up to the end of the program headers, and some behind; and with more segments told than are
         * there */
        Fixture *f = *state;
        uint64_t entry;

        add_segment(f, BUS, 0x100, 0x100);
        for (f->image_size = 0; f->image_size < DATA_OFFSET + 0x100; f->image_size += f->image_size < 128 ? 1 : 61)
                assert_false(load(f, false, &entry, NULL));
        f->image_size = DATA_OFFSET + 0x100;
        header_of(f)->e_phoff = DATA_OFFSET + 0xf0;
        assert_false(load(f, false, &entry, NULL));
        header_of(f)->e_phoff = UINT32_MAX - 3;
        assert_false(load(f, false, &entry, NULL));
        header_of(f)->e_phoff = sizeof(Elf32_Ehdr);
        header_of(f)->e_phnum = PN_XNUM;
        assert_false(load(f, false, &entry, NULL));
        expect_bytes(f, 0, WINDOW_SIZE, FILLED);

        header_of(f)->e_phnum = 1;
        assert_true(load(f, false, &entry, NULL));
}

static void test_every_byte(void **state) {
        /* Any byte of the headers may be wrong: then it is refused or loaded, and nothing but the window's memory was
         * written */
        Fixture *f = *state;
        size_t n = sizeof(Elf32_Ehdr) + 2 * sizeof(Elf32_Phdr);
        static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
        unsigned refused = 0, loaded = 0;

        add_segment(f, BUS, 0x100, 0x100);
        add_segment(f, BUS + 0x1000, 0x100, 0x200);
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < sizeof(values); j++) {
                        uint8_t before = f->image[i];
                        uint64_t entry;

                        f->image[i] = values[j];
                        if (load(f, false, &entry, NULL))
                                loaded++;
                        else
                                refused++;
                        f->image[i] = before;
                }
        assert_true(refused > 50);
        assert_true(loaded > 50);
}

static void test_no_file(void **state) {
        Fixture *f = *state;
        g_autoptr(GError) error = NULL;
        g_autofree char *fifo = g_strdup_printf("%s.fifo", f->path);
        uint64_t entry;

        assert_false(firmware_load("/nonexistent.elf", &f->window, false, &entry, NULL, &error));
        assert_string_equal(error->message, "/nonexistent.elf: cannot be read: No such file or directory");
        g_clear_error(&error);
        assert_false(firmware_load("/", &f->window, false, &entry, NULL, &error));
        assert_string_equal(error->message, "/: is not a regular file");
        g_clear_error(&error);

        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_false(firmware_load(fifo, &f->window, false, &entry, NULL, &error));
        assert_true(g_str_has_suffix(error->message, ": is not a regular file"));
        assert_int_equal(g_unlink(fifo), 0);
}

/* One section with a name, and that with the names */
static void add_section(Fixture *f, const char *name, uint32_t address, uint32_t size, uint32_t flags) {
        Elf32_Ehdr *header = header_of(f);
        Elf32_Shdr *sections = (Elf32_Shdr *) (f->image + IMAGE_SIZE - 0x200);
        uint32_t names = IMAGE_SIZE - 0x100;

        header->e_shoff = IMAGE_SIZE - 0x200;
        header->e_shentsize = sizeof(Elf32_Shdr);
        header->e_shnum = 3;
        header->e_shstrndx = 2;
        memset(sections, 0, 0x200);
        sections[1] = (Elf32_Shdr) {
                .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_flags = flags, .sh_addr = address, .sh_offset = DATA_OFFSET, .sh_size = size,
        };
        sections[2] = (Elf32_Shdr) { .sh_type = SHT_STRTAB, .sh_offset = names, .sh_size = 0x100 };
        strcpy((char *) f->image + names + 1, name);
}

static void test_resource_table(void **state) {
        static const struct {
                const char *name;
                uint32_t address, size, flags, found;
        } cases[] = {
                { ".resource_table", BUS + 0x100, 0x80, SHF_ALLOC, BUS + 0x100 },
                { ".resource_table", RAM + 0x100, 0x80, SHF_ALLOC, BUS + 0x100 },       /* by another name */
                { ".resource_table", BUS + WINDOW_SIZE - 0x80, 0x80, SHF_ALLOC | SHF_WRITE, BUS + WINDOW_SIZE - 0x80 },
                { ".resource_table", BUS + WINDOW_SIZE - 0x7f, 0x80, SHF_ALLOC, 0 },
                { ".resource_table", BUS - 1, 0x80, SHF_ALLOC, 0 },
                { ".resource_table", BUS, UINT32_MAX, SHF_ALLOC, 0 },
                { ".resource_table", BUS, 0, SHF_ALLOC, 0 },
                { ".resource_table", BUS, 0x80, 0, 0 },                                 /* is not loaded */
                { ".resource_tables", BUS, 0x80, SHF_ALLOC, 0 },
                { ".resource_tabl", BUS, 0x80, SHF_ALLOC, 0 },
        };
        Fixture *f = *state;
        uint64_t entry, table = 42;

        add_segment(f, BUS, 0x200, 0x200);
        assert_true(load(f, false, &entry, NULL));
        assert_true(firmware_load(f->path, &f->window, false, &entry, &table, NULL));
        assert_int_equal(table, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                add_section(f, cases[i].name, cases[i].address, cases[i].size, cases[i].flags);
                assert_true(load(f, false, &entry, NULL));
                table = 42;
                assert_true(firmware_load(f->path, &f->window, false, &entry, &table, NULL));
                assert_int_equal(table, cases[i].found);
        }
}

static void test_resource_table_bad_sections(void **state) {
        /* Any byte of the table of sections may be wrong, and its place: the image is loaded all the same */
        Fixture *f = *state;
        static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
        unsigned found = 0, lost = 0;
        uint64_t entry, table;

        add_segment(f, BUS, 0x200, 0x200);
        add_section(f, ".resource_table", BUS, 0x80, SHF_ALLOC);
        for (size_t i = 0; i < 3 * sizeof(Elf32_Shdr) + 4; i++)
                for (size_t j = 0; j < sizeof(values); j++) {
                        /* The last are e_shoff's */
                        size_t at = i < 3 * sizeof(Elf32_Shdr) ? IMAGE_SIZE - 0x200 + i
                                                               : offsetof(Elf32_Ehdr, e_shoff) + i - 3 * sizeof(Elf32_Shdr);
                        uint8_t before = f->image[at];

                        f->image[at] = values[j];
                        if (load(f, false, &entry, NULL)) {
                                assert_true(firmware_load(f->path, &f->window, false, &entry, &table, NULL));
                                assert_true(table == 0 || (table >= BUS && table < BUS + WINDOW_SIZE));
                                *(table ? &found : &lost) += 1;
                        }
                        f->image[at] = before;
                }
        assert_true(found > 50);
        assert_true(lost > 50);
}

static void test_read_only_window(void **state) {
        Fixture *f = *state;
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", f->window_fd);
        HET_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        g_autoptr(GError) error = NULL;
        uint64_t entry;

        add_segment(f, BUS, 0x100, 0x100);
        f->window.fd = fd;
        assert_false(load(f, false, &entry, &error));
        assert_true(g_str_has_suffix(error->message, ": segment 0 cannot be copied: Bad file descriptor"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_load),
                TEST(test_offset),
                TEST(test_large),
                TEST(test_vector_table),
                TEST(test_vector_table_unaligned),
                TEST(test_aarch64),
                TEST(test_aarch64_on_cortex_m),
                TEST(test_outside),
                TEST(test_sizes),
                TEST(test_overlap),
                TEST(test_entry),
                TEST(test_architectures),
                TEST(test_header),
                TEST(test_too_many_segments),
                TEST(test_cut_off),
                TEST(test_every_byte),
                TEST(test_no_file),
                TEST(test_resource_table),
                TEST(test_resource_table_bad_sections),
                TEST(test_read_only_window),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
