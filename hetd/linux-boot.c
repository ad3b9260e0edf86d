/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See linux-boot.h. Called by processor-boot.c, and by het-device-tree, which has to know where the RAM disk will be. */

#include "linux-boot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd-util.h"
#include "util/parse.h"
#include "window.h"

#define MIB                     (1024U * 1024)
#define PAGE_SIZE               4096U
#define TREE_ALIGNMENT          (64U * 1024)
#define TREE_ROOM               TREE_ALIGNMENT  /* one that QEMU and hetd make has some 8 KiB */
#define VIRTIO_SIZE             MIB             /* IDM_VIRTIO_SIZE of guest/linux: its Linux is told of nothing else, so keep clear */
/* What 32-bit Arm can map at once is 760 MiB, and what it needs while it starts has to be in there */
#define LOW_MEMORY_SIZE         (512U * MIB)

static uint64_t round_down(uint64_t value, uint64_t unit) {
        return value / unit * unit;
}

static uint64_t round_up(uint64_t value, uint64_t unit) {
        return round_down(value + unit - 1, unit);
}

/* Of a small window all is used; of a large one a PC has the rest above its devices, where a kernel that begins with 32 bits is not */
uint64_t linux_boot_memory_end(const ProcessorConfig *slave) {
        const Board *board = slave->board;

        if (board->ram_split > 0 && slave->window_size >= board->ram_split)
                return board->ram_low;
        return slave->window_size >= 2 * VIRTIO_SIZE ? slave->window_size - VIRTIO_SIZE : slave->window_size;
}

static bool open_file(const char *path, int *ret_fd, uint64_t *ret_size, GError **error) {
        /* O_NONBLOCK: a FIFO under that name must not hold hetd up */
        HET_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: cannot be read: %s", path, g_strerror(errno));
                return false;
        }

        if (!S_ISREG(st.st_mode)) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: is not a regular file", path);
                return false;
        }

        *ret_fd = fd_take(&fd);
        *ret_size = (uint64_t) st.st_size;
        return true;
}

static bool fail_too_small(const ProcessorConfig *slave, const LinuxBoot *boot, uint64_t needed, GError **error) {
        char have[FORMAT_SIZE_MAX], want[FORMAT_SIZE_MAX];

        format_size(slave->window_size, have);
        format_size(round_up(needed, KERNEL_MEMORY_ALIGNMENT), want);
        g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT,
                    "%s: The window of %s is too small for its Linux (while it starts: %.1f MiB for the kernel, %.1f MiB for the "
                    "initial RAM disk, 1 MiB for virtio, and its device tree); make it at least Window=%s@0x%" PRIx64,
                    slave->name, have, (double) boot->kernel.memory_size / MIB, (double) boot->initrd_size / MIB, want,
                    slave->window_address);
        return false;
}

/* A CPU of 64 bits begins with these, and the other ones have no others */
static bool check_cpu(const ProcessorConfig *slave, const KernelImage *kernel, GError **error) {
        bool x86 = slave->board->architecture == ARCHITECTURE_X86, cpu_64;

        if ((kernel->format == KERNEL_BZIMAGE) != x86) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: is a kernel for %s, and %s is %s", slave->kernel,
                            x86 ? "Arm" : "PCs", slave->name, x86 ? "a PC" : "none");
                return false;
        }
        if (x86)                /* it may have either, and begins with 32 */
                return true;

        cpu_64 = slave->cpu && cpu_has_64_bits(slave->cpu) && g_str_equal(slave->target, TARGET_AARCH64);

        if (kernel->has_64_bits == cpu_64)
                return true;

        g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: is a kernel of %u bits, and %s has a CPU of %u", slave->kernel,
                    kernel->has_64_bits ? 64 : 32, slave->name, cpu_64 ? 64 : 32);
        return false;
}

/* From the end on down: virtio, RAM disk, device tree. The kernel is at the begin. */
static bool make_plan(const ProcessorConfig *slave, LinuxBoot *boot, GError **error) {
        uint64_t kernel_end = round_up(boot->kernel.memory_size, TREE_ALIGNMENT), end = linux_boot_memory_end(slave);
        uint64_t loaded = kernel_end + TREE_ROOM + round_up(boot->initrd_size, TREE_ALIGNMENT);

        if (loaded + VIRTIO_SIZE > slave->window_size)
                return fail_too_small(slave, boot, loaded + VIRTIO_SIZE, error);
        if (loaded > end) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT,
                            "%s: Its kernel and its initial RAM disk need %.1f MiB, and below its devices a %s has %.1f MiB; make the RAM "
                            "disk smaller", slave->name, (double) loaded / MIB, slave->board->machine, (double) end / MIB);
                return false;
        }

        if (loaded <= LOW_MEMORY_SIZE)
                end = MIN(end, LOW_MEMORY_SIZE);
        boot->initrd_offset = round_down(end - boot->initrd_size, PAGE_SIZE);
        boot->tree_limit = boot->initrd_offset;
        return true;
}

bool linux_boot_open(const ProcessorConfig *slave, LinuxBoot *ret, GError **error) {
        uint64_t kernel_size;

        if (!open_file(slave->kernel, &ret->kernel_fd, &kernel_size, error) ||
            !kernel_image_read(slave->kernel, ret->kernel_fd, slave->board->ram_base, &ret->kernel, error) ||
            !check_cpu(slave, &ret->kernel, error) ||
            (slave->initrd && !open_file(slave->initrd, &ret->initrd_fd, &ret->initrd_size, error)))
                return false;

        if (ret->initrd_size > INT64_MAX / 2) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: is too large for an initial RAM disk", slave->initrd);
                return false;
        }

        return make_plan(slave, ret, error);
}

static bool copy(const ProcessorConfig *slave, const char *path, int memory, uint64_t to, int fd, uint64_t from, uint64_t size,
                 GError **error) {
        int r = window_copy(memory, to, fd, from, size);

        if (r < 0)
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: %s cannot be copied into the window: %s", slave->name, path,
                            r == -ENODATA ? "the file has changed" : g_strerror(-r));
        return r >= 0;
}

bool linux_boot_load(const LinuxBoot *boot, const ProcessorConfig *slave, int memory, uint64_t memory_offset, GError **error) {
        const KernelImage *kernel = &boot->kernel;

        return copy(slave, slave->kernel, memory, memory_offset + kernel->load_offset, boot->kernel_fd, kernel->file_offset,
                    kernel->file_size, error) &&
                (boot->initrd_fd < 0 || copy(slave, slave->initrd, memory, memory_offset + boot->initrd_offset, boot->initrd_fd, 0,
                                             boot->initrd_size, error));
}

void linux_boot_clear(LinuxBoot *boot) {
        boot->kernel_fd = fd_close(boot->kernel_fd);
        boot->initrd_fd = fd_close(boot->initrd_fd);
}

bool linux_boot_place_tree(const ProcessorConfig *slave, const LinuxBoot *boot, size_t size, uint64_t *ret_offset, GError **error) {
        uint64_t first = boot ? boot->kernel.memory_size : 0;
        uint64_t limit = boot ? boot->tree_limit : linux_boot_memory_end(slave), offset;

        offset = size <= limit ? round_down(limit - size, TREE_ALIGNMENT) : 0;
        if (size > limit || offset < first) {
                g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: The device tree (%zu bytes) does not fit into the window",
                            slave->name, size);
                return false;
        }

        *ret_offset = offset;
        return true;
}
