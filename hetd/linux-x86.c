/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See linux-x86.h. Called by processor-boot.c. */

#include "linux-x86.h"

#include <endian.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "window.h"

/* From the begin of memory */
#define PARAMETERS_OFFSET       0x10000U
#define COMMAND_LINE_OFFSET     0x20000U
#define LOW_MEMORY_END          0x9f000U        /* above it a PC has its firmware's data, its screen, its ROMs */
#define HIGH_MEMORY             0x100000U

#define PARAMETERS_SIZE         4096U
#define HEADER_OFFSET           0x1f1U          /* the kernel's own header is part of them */
#define HEADER_END              0x290U          /* where the next thing begins */
#define LOADER_UNDEFINED        0xffU
#define MEMORY_MAP              0x2d0U
#define MEMORY_MAP_ENTRY        20U
#define MEMORY_USABLE           1U

static void put32(uint8_t *page, size_t offset, uint64_t value) {
        uint32_t v = htole32((uint32_t) value);

        memcpy(page + offset, &v, sizeof(v));
}

static void add_memory(uint8_t *page, uint64_t begin, uint64_t end) {
        uint8_t *entry = page + MEMORY_MAP + MEMORY_MAP_ENTRY * page[0x1e8]++;

        put32(entry, 0, begin);
        put32(entry, 4, begin >> 32);
        put32(entry, 8, end - begin);
        put32(entry, 12, (end - begin) >> 32);
        put32(entry, 16, MEMORY_USABLE);
}

static bool read_header(const LinuxBoot *boot, const ProcessorConfig *slave, uint8_t *page, GError **error) {
        size_t end;

        if (pread(boot->kernel_fd, page + HEADER_OFFSET, HEADER_END - HEADER_OFFSET, HEADER_OFFSET) != HEADER_END - HEADER_OFFSET) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: cannot be read", slave->kernel);
                return false;
        }

        end = MIN(0x202U + page[0x201], HEADER_END);
        memset(page + end, 0, HEADER_END - end);
        return true;
}

static bool fits_command_line(const ProcessorConfig *slave, const uint8_t *page, size_t size, GError **error) {
        uint32_t most;

        memcpy(&most, page + 0x238, sizeof(most));
        most = MIN(le32toh(most), LOW_MEMORY_END - COMMAND_LINE_OFFSET - 1);
        if (size <= most)
                return true;

        g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: CommandLine= has %zu bytes, and its kernel takes %u", slave->name, size,
                    most);
        return false;
}

static bool write_out(const ProcessorConfig *slave, int memory, const void *data, size_t size, uint64_t offset, GError **error) {
        int r = window_write(memory, data, size, offset);

        if (r < 0)
                g_set_error(error, HET_ERROR, het_error_from_errno(r), "%s: Cannot write the boot parameters into the window: %s", slave->name,
                            g_strerror(-r));
        return r >= 0;
}

bool linux_x86_write_parameters(const LinuxBoot *boot, const ProcessorConfig *slave, int memory, uint64_t memory_offset,
                                uint64_t *ret_address, GError **error) {
        uint64_t base = slave->board->ram_base, end = linux_boot_memory_end(slave);
        const char *line = slave->command_line ?: "";
        uint8_t page[PARAMETERS_SIZE] = {};

        if (!read_header(boot, slave, page, error) || !fits_command_line(slave, page, strlen(line), error))
                return false;

        page[0x210] = LOADER_UNDEFINED;
        /* Without one, too: the header in the file may say anything */
        put32(page, 0x218, boot->initrd_fd >= 0 ? base + boot->initrd_offset : 0);
        put32(page, 0x21c, boot->initrd_size);
        put32(page, 0x228, base + COMMAND_LINE_OFFSET);
        add_memory(page, base, base + LOW_MEMORY_END);
        add_memory(page, base + HIGH_MEMORY, base + end);

        if (!write_out(slave, memory, line, strlen(line) + 1, memory_offset + COMMAND_LINE_OFFSET, error) ||
            !write_out(slave, memory, page, sizeof(page), memory_offset + PARAMETERS_OFFSET, error))
                return false;

        *ret_address = base + PARAMETERS_OFFSET;
        return true;
}
