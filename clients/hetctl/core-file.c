/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core-file.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "platform-file.h"

#define DATA_ALIGN      UINT64_C(0x10000)       /* a multiple of every page size, as the window's address is */
#define HEADERS_SIZE    0x1000U                 /* more than there are; notes come behind them */
#define CHUNK           (1U << 20)
#define BLOCK           4096U

/* Architectures share names of boards, and only a RISC-V tells it by its CPU */
static uint16_t find_machine(const char *machine, const char *cpu) {
        g_autofree char *name = g_strndup(machine, strcspn(machine, ","));
        const Board *board = board_find(name);

        if (cpu_is_riscv(cpu))
                return EM_RISCV;
        if (board && board->architecture == ARCHITECTURE_X86)
                return EM_X86_64;

        return cpu_has_64_bits(cpu) ? EM_AARCH64 : EM_ARM;
}

void core_window_set_processor(CoreWindow *window, const char *machine, const char *cpu) {
        window->machine = find_machine(machine, cpu);
        window->is_64_bits = window->machine == EM_RISCV ? cpu_has_64_bits(cpu) : window->machine != EM_ARM;
        /* A 32-bit file has no place for what lies above */
        window->is_64_bits = window->is_64_bits || window->address + window->size > UINT64_C(1) << 32;
}

static size_t notes_size(const CoreWindow *window) {
        return window->notes ? g_bytes_get_size(window->notes) : 0;
}

static uint64_t data_offset(const CoreWindow *window) {
        return (HEADERS_SIZE + notes_size(window) + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
}

static bool write_headers(const CoreWindow *window, Elf *elf) {
        GElf_Ehdr header = {
                .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, window->is_64_bits ? ELFCLASS64 : ELFCLASS32, ELFDATA2LSB,
                             EV_CURRENT },
                .e_type = ET_CORE,
                .e_machine = window->machine,
                .e_version = EV_CURRENT,
        };
        GElf_Phdr segment = {
                .p_type = PT_LOAD,
                .p_flags = PF_R | PF_W | PF_X,
                .p_offset = data_offset(window),
                .p_vaddr = window->address,
                .p_paddr = window->address,
                .p_filesz = window->size,
                .p_memsz = window->size,
                .p_align = DATA_ALIGN,
        };
        GElf_Phdr notes = {
                .p_type = PT_NOTE,
                .p_offset = HEADERS_SIZE,
                .p_filesz = notes_size(window),
                .p_align = 4,
        };
        size_t n = window->notes ? 2 : 1;

        if (!gelf_newehdr(elf, window->is_64_bits ? ELFCLASS64 : ELFCLASS32) || !gelf_newphdr(elf, n))
                return false;

        header.e_ehsize = (GElf_Half) gelf_fsize(elf, ELF_T_EHDR, 1, EV_CURRENT);
        header.e_phentsize = (GElf_Half) gelf_fsize(elf, ELF_T_PHDR, 1, EV_CURRENT);
        header.e_phoff = header.e_ehsize;
        header.e_phnum = (GElf_Half) n;
        (void) elf_flagelf(elf, ELF_C_SET, ELF_F_LAYOUT);
        return gelf_update_ehdr(elf, &header) && gelf_update_phdr(elf, 0, &segment) &&
                (n == 1 || gelf_update_phdr(elf, 1, &notes)) && elf_update(elf, ELF_C_WRITE) >= 0;
}

static int add_headers(const CoreWindow *window, int to) {
        bool ok;
        Elf *elf;

        if (elf_version(EV_CURRENT) == EV_NONE)
                return -EIO;

        errno = 0;
        elf = elf_begin(to, ELF_C_WRITE, NULL);
        ok = elf && write_headers(window, elf);
        if (!ok && errno == 0)
                errno = EIO;
        (void) elf_end(elf);
        return ok ? 0 : -errno;
}

static bool is_zero(const char *block, size_t size) {
        return block[0] == 0 && memcmp(block, block + 1, size - 1) == 0;
}

static int write_all(int to, const char *data, size_t size, uint64_t at) {
        while (size > 0) {
                ssize_t n = pwrite(to, data, size, (off_t) at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -ENOSPC;
                data += n;
                size -= (size_t) n;
                at += (uint64_t) n;
        }

        return 0;
}

/* Where the next bytes are that somebody has written. The position of the fd, which is others' as well, is not used. */
static uint64_t skip_hole(const CoreWindow *window, uint64_t done) {
        off_t data = lseek(window->fd, (off_t) (window->offset + done), SEEK_DATA);

        if (data < 0)
                return errno == ENXIO ? window->size : done;    /* no more; or it does not know holes */

        return MIN((uint64_t) data - window->offset, window->size);
}

static int copy_chunk(const CoreWindow *window, int to, char *buffer, uint64_t done, size_t *size, uint64_t *written) {
        ssize_t n = pread(window->fd, buffer, *size, (off_t) (window->offset + done));
        int r;

        if (n <= 0)
                return n < 0 ? -errno : -EIO;

        *size = (size_t) n;
        for (size_t at = 0; at < *size; at += BLOCK) {
                size_t block = MIN(BLOCK, *size - at);

                if (is_zero(buffer + at, block))
                        continue;
                r = write_all(to, buffer + at, block, data_offset(window) + done + at);
                if (r < 0)
                        return r;
                *written += block;
        }

        return 0;
}

int core_file_write(const CoreWindow *window, int to, void (*on_progress)(uint64_t done, void *userdata), void *userdata,
                    uint64_t *ret_written) {
        g_autofree char *buffer = g_malloc(CHUNK);
        uint64_t written = 0;
        int r;

        r = add_headers(window, to);
        if (r < 0)
                return r;
        if (window->notes)
                r = write_all(to, g_bytes_get_data(window->notes, NULL), notes_size(window), HEADERS_SIZE);
        if (r >= 0 && ftruncate(to, (off_t) (data_offset(window) + window->size)) < 0)
                r = -errno;
        if (r < 0)
                return r;

        for (uint64_t done = skip_hole(window, 0); done < window->size; done = skip_hole(window, done)) {
                size_t size = (size_t) MIN(CHUNK, window->size - done);

                r = copy_chunk(window, to, buffer, done, &size, &written);
                if (r < 0)
                        return r;
                done += size;
                if (on_progress)
                        on_progress(done, userdata);
        }

        /* A full disk may say so only now */
        if (fsync(to) < 0 && errno != EINVAL && errno != EROFS)
                return -errno;

        *ret_written = written;
        return 0;
}
