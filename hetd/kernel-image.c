/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The formats of Linux kernels that are told by their headers:
 *   zImage   Documentation/arch/arm/booting.rst of the kernel, and arch/arm/boot/compressed/ for the table behind its header
 *   uImage   the header of U-Boot's mkimage, version 1 ("legacy")
 *   Image    Documentation/arch/arm64/booting.rst of the kernel
 *   bzImage  Documentation/arch/x86/boot.rst of the kernel
 * Called by linux-boot.c.
 */

#include "kernel-image.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"

#define HEADER_SIZE             64U             /* all but bzImage tell what they are within it */
#define MEMORY_MAX              (1ULL << 40)

#define ZIMAGE_MAGIC_OFFSET     0x24U
#define ZIMAGE_MAGIC            0x016f2818U
#define ZIMAGE_TABLE_MAGIC      0x45454545U
#define ZIMAGE_TAG_KERNEL_SIZE  0x5a534c4bU
#define ZIMAGE_TAGS_MAX         16U
#define ZIMAGE_LOAD_OFFSET      0x8000U         /* above what old kernels keep for their page table */
#define ZIMAGE_TEXT_OFFSET      0x208000U       /* the largest that is usual */
#define ZIMAGE_RATIO            6U              /* what is packed in it is not larger by more */
#define ZIMAGE_WORK             (1U << 20)      /* its stack and heap, and what it aligns */

#define UIMAGE_MAGIC            0x27051956U
#define UIMAGE_OS_LINUX         5U
#define UIMAGE_ARCH_ARM         2U
#define UIMAGE_ARCH_ARM64       22U
#define UIMAGE_TYPE_KERNEL      2U

#define ARM64_MAGIC_OFFSET      0x38U
#define ARM64_MAGIC             0x644d5241U
#define ARM64_BIG_ENDIAN        1U
#define ARM64_OLD_TEXT_OFFSET   0x80000U        /* of kernels whose header does not tell their size */

#define BZIMAGE_HEADER_SIZE     0x268U
#define BZIMAGE_MAGIC_OFFSET    0x202U
#define BZIMAGE_MAGIC           0x53726448U
#define BZIMAGE_VERSION         0x20aU          /* from that on it tells where it goes and how much memory it takes */
#define BZIMAGE_LOADED_HIGH     1U
#define BZIMAGE_SECTOR          512U
#define BZIMAGE_LOWEST          0x100000U

typedef struct KernelFile {
        const char *path;
        int fd;
        uint64_t size;
        uint8_t header[BZIMAGE_HEADER_SIZE];    /* zeros where the file is shorter */
        uint64_t ram_base;
} KernelFile;

static bool fail(const KernelFile *file, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool fail(const KernelFile *file, GError **error, const char *format, ...) {
        g_autofree char *reason = NULL;
        va_list args;

        va_start(args, format);
        reason = g_strdup_vprintf(format, args);
        va_end(args);

        g_set_error(error, HET_ERROR, HET_ERROR_INVALID_ARGUMENT, "%s: %s", file->path, reason);
        return false;
}

static uint32_t le32(const uint8_t *bytes) {
        uint32_t value;

        memcpy(&value, bytes, sizeof(value));
        return le32toh(value);
}

static uint32_t be32(const uint8_t *bytes) {
        return be32toh(htole32(le32(bytes)));
}

static uint64_t le64(const uint8_t *bytes) {
        return le32(bytes) | (uint64_t) le32(bytes + 4) << 32;
}

static bool read_at(const KernelFile *file, uint64_t offset, void *to, size_t size) {
        return offset <= file->size && size <= file->size - offset &&
                pread(file->fd, to, size, (off_t) offset) == (ssize_t) size;
}

static bool fail_cut_off(const KernelFile *file, GError **error, KernelFormat format, uint64_t should) {
        return fail(file, error, "was cut off: the %s has %" PRIu64 " bytes, of which %" PRIu64 " are there",
                    kernel_format_to_string(format), should, file->size);
}

/* --- zImage --- */

/* What a zImage that begins at start in the file says of the kernel in it: its size unpacked, and where it goes */
static bool zimage_find_kernel(const KernelFile *file, uint64_t start, const uint8_t *header, uint64_t *ret_size,
                               uint64_t *ret_text_offset) {
        uint64_t position = start + le32(header + 0x38);

        if (le32(header + 0x34) != ZIMAGE_TABLE_MAGIC)
                return false;

        /* Each: its length in words, its name, data */
        for (unsigned i = 0; i < ZIMAGE_TAGS_MAX; i++) {
                uint8_t tag[5 * 4], size[4];
                uint32_t words;

                if (!read_at(file, position, tag, sizeof(tag)))
                        return false;
                words = le32(tag);
                if (words == 0)
                        return false;
                if (le32(tag + 4) == ZIMAGE_TAG_KERNEL_SIZE) {
                        if (words < 4 || !read_at(file, start + le32(tag + 8), size, sizeof(size)))
                                return false;
                        *ret_size = (uint64_t) le32(size) + le32(tag + 12);
                        if (words >= 5)
                                *ret_text_offset = le32(tag + 16);
                        return true;
                }
                position += (uint64_t) words * 4;
        }

        return false;
}

/* It unpacks the kernel to the begin of memory; where it is in the way itself, it first moves behind where the kernel will be */
static uint64_t zimage_memory_size(const KernelFile *file, uint64_t start, const uint8_t *header) {
        uint64_t size = le32(header + 0x2c) - le32(header + 0x28), text_offset = ZIMAGE_TEXT_OFFSET;
        uint64_t kernel_size = size * ZIMAGE_RATIO;

        (void) zimage_find_kernel(file, start, header, &kernel_size, &text_offset);
        return text_offset + kernel_size + size + ZIMAGE_WORK;
}

static bool read_zimage(const KernelFile *file, KernelImage *ret, GError **error) {
        uint32_t start = le32(file->header + 0x28), end = le32(file->header + 0x2c);

        if (end <= start || end - start < HEADER_SIZE)
                return fail(file, error, "looks like a zImage, but its header is damaged (from 0x%x to 0x%x)", start, end);
        if (end - start > file->size)
                return fail_cut_off(file, error, KERNEL_ZIMAGE, end - start);

        /* A device tree behind it is not loaded: the slave gets one of its own */
        *ret = (KernelImage) {
                .format = KERNEL_ZIMAGE,
                .file_size = end - start,
                .load_offset = ZIMAGE_LOAD_OFFSET,
                .entry_offset = ZIMAGE_LOAD_OFFSET,
                .memory_size = zimage_memory_size(file, 0, file->header),
        };
        return true;
}

/* --- uImage --- */

static uint32_t crc32(const uint8_t *bytes, size_t size) {
        uint32_t crc = UINT32_MAX;

        for (size_t i = 0; i < size; i++) {
                crc ^= bytes[i];
                for (unsigned bit = 0; bit < 8; bit++)
                        crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
        }

        return ~crc;
}

static bool check_uimage(const KernelFile *file, GError **error) {
        static const char *const compressions[] = { "", "gzip", "bzip2", "lzma", "lzo", "lz4", "zstd" };
        uint8_t header[HEADER_SIZE];
        uint32_t os, arch, type, compression;

        memcpy(header, file->header, sizeof(header));
        memset(header + 4, 0, 4);
        if (crc32(header, sizeof(header)) != be32(file->header + 4))
                return fail(file, error, "looks like a uImage, but its header is damaged (wrong checksum)");

        os = file->header[0x1c];
        arch = file->header[0x1d];
        type = file->header[0x1e];
        compression = file->header[0x1f];
        if (os != UIMAGE_OS_LINUX || type != UIMAGE_TYPE_KERNEL)
                return fail(file, error, "is a uImage, but of no Linux kernel (operating system %u, type %u)", os, type);
        if (arch != UIMAGE_ARCH_ARM && arch != UIMAGE_ARCH_ARM64)
                return fail(file, error, "is a uImage for architecture %u, not for Arm (%u) or AArch64 (%u)", arch,
                            UIMAGE_ARCH_ARM, UIMAGE_ARCH_ARM64);
        if (compression != 0)
                return fail(file, error, "is a uImage compressed with %s; make one that is not (mkimage -C none)",
                            compression < G_N_ELEMENTS(compressions) ? compressions[compression] : "something unknown");

        return true;
}

/* What is in a uImage may be a zImage, or a kernel that does not tell how much memory it clears for itself */
static uint64_t uimage_memory_size(const KernelFile *file, uint64_t load_offset, uint64_t size) {
        uint8_t header[HEADER_SIZE];
        uint64_t end = load_offset + size;

        if (size >= HEADER_SIZE && read_at(file, HEADER_SIZE, header, sizeof(header)) &&
            le32(header + ZIMAGE_MAGIC_OFFSET) == ZIMAGE_MAGIC)
                return MAX(end, zimage_memory_size(file, HEADER_SIZE, header));

        return end + MAX(size / 8, KERNEL_MEMORY_ALIGNMENT);
}

static bool read_uimage(const KernelFile *file, KernelImage *ret, GError **error) {
        uint64_t size = be32(file->header + 0xc), load = be32(file->header + 0x10), entry = be32(file->header + 0x14);

        if (!check_uimage(file, error))
                return false;
        if (size == 0 || size > file->size - HEADER_SIZE)
                return fail_cut_off(file, error, KERNEL_UIMAGE, HEADER_SIZE + size);
        if (load < file->ram_base || entry < load || entry - load >= size)
                return fail(file, error, "is a uImage for the address 0x%" PRIx64 ", begun at 0x%" PRIx64 "; it must be in the "
                            "board's memory, from 0x%" PRIx64 " on (mkimage -a, -e)", load, entry, file->ram_base);

        *ret = (KernelImage) {
                .format = KERNEL_UIMAGE,
                .has_64_bits = file->header[0x1d] == UIMAGE_ARCH_ARM64,
                .file_offset = HEADER_SIZE,
                .file_size = size,
                .load_offset = load - file->ram_base,
                .entry_offset = entry - file->ram_base,
                .memory_size = uimage_memory_size(file, load - file->ram_base, size),
        };
        return true;
}

/* --- arm64 Image --- */

static bool read_arm64(const KernelFile *file, KernelImage *ret, GError **error) {
        uint64_t text_offset = le64(file->header + 0x8), image_size = le64(file->header + 0x10);
        bool old = image_size == 0;

        if (le64(file->header + 0x18) & ARM64_BIG_ENDIAN)
                return fail(file, error, "is a big-endian kernel");
        if (old) {
                text_offset = ARM64_OLD_TEXT_OFFSET;
                image_size = file->size + MAX(file->size / 8, KERNEL_MEMORY_ALIGNMENT);
        }
        if (text_offset >= MEMORY_MAX / 4 || image_size >= MEMORY_MAX / 4)
                return fail(file, error, "looks like an arm64 Image, but its header is damaged (0x%" PRIx64 " bytes at 0x%" PRIx64
                            ")", image_size, text_offset);
        /* Without what it clears for itself; the rest of a file that was cut off cannot be told from that, but for so much */
        if (file->size < image_size / 2 && !old)
                return fail_cut_off(file, error, KERNEL_ARM64_IMAGE, image_size);

        *ret = (KernelImage) {
                .format = KERNEL_ARM64_IMAGE,
                .has_64_bits = true,
                .file_size = file->size,
                .load_offset = text_offset,
                .entry_offset = text_offset,
                .memory_size = text_offset + MAX(image_size, file->size),
        };
        return true;
}

/* --- bzImage --- */

static bool read_bzimage(const KernelFile *file, KernelImage *ret, GError **error) {
        const uint8_t *header = file->header;
        uint64_t begin = ((header[0x1f1] ?: 4U) + 1U) * BZIMAGE_SECTOR, size = 16ULL * le32(header + 0x1f4);
        uint64_t address = le64(header + 0x258), memory_size = le32(header + 0x260);

        if ((le32(header + 0x206) & 0xffff) < BZIMAGE_VERSION || !(header[0x211] & BZIMAGE_LOADED_HIGH))
                return fail(file, error, "is a kernel for PCs of before Linux 2.6.31; use a newer one");
        if (begin + size > file->size)
                return fail_cut_off(file, error, KERNEL_BZIMAGE, begin + size);
        /* It begins with 32 bits, and unpacks itself within that memory */
        if (address < BZIMAGE_LOWEST || address > UINT32_MAX || memory_size < size || memory_size > UINT32_MAX - address)
                return fail(file, error, "looks like a bzImage, but its header is damaged (0x%" PRIx64 " bytes at 0x%" PRIx64 ")",
                            memory_size, address);

        *ret = (KernelImage) {
                .format = KERNEL_BZIMAGE,
                .has_64_bits = header[0x236] & 1,
                .file_offset = begin,
                .file_size = size,
                .load_offset = address,
                .entry_offset = address,
                .memory_size = address + memory_size,
        };
        return true;
}

/* --- whatever it is --- */

static bool fail_unknown(const KernelFile *file, GError **error) {
        static const struct {
                const char *magic;
                size_t size, offset;
                const char *what;
        } others[] = {
                { "\x1f\x8b", 2, 0, "is compressed with gzip; unpack it first" },
                { "\xfd" "7zXZ", 5, 0, "is compressed with xz; unpack it first" },
                { "\x28\xb5\x2f\xfd", 4, 0, "is compressed with zstd; unpack it first" },
                { "\x02\x21\x4c\x18", 4, 0, "is compressed with lz4; unpack it first" },
                { "\x89LZO", 4, 0, "is compressed with lzop; unpack it first" },
                { "BZh", 3, 0, "is compressed with bzip2; unpack it first" },
                { "zimg", 4, 4, "is a kernel that UEFI unpacks; use the Image that is packed in it" },
                { "\x7f" "ELF", 4, 0, "is an ELF file; use the zImage or Image of the same kernel, or Firmware=" },
                { "\xd0\x0d\xfe\xed", 4, 0, "is a device tree or a FIT image; use the zImage or Image in it" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
                if (memcmp(file->header + others[i].offset, others[i].magic, others[i].size) == 0)
                        return fail(file, error, "%s", others[i].what);

        return fail(file, error, "is no kernel that can be booted here: those are zImage, uImage, arm64 Image, and bzImage");
}

bool kernel_image_read(const char *path, int fd, uint64_t ram_base, KernelImage *ret, GError **error) {
        KernelFile file = { .path = path, .fd = fd, .ram_base = ram_base };
        struct stat st;

        if (fstat(fd, &st) < 0)
                return fail(&file, error, "cannot be read: %s", g_strerror(errno));
        if (!S_ISREG(st.st_mode))
                return fail(&file, error, "is not a regular file");

        file.size = (uint64_t) st.st_size;
        if (pread(fd, file.header, MIN(file.size, sizeof(file.header)), 0) < 0)
                return fail(&file, error, "cannot be read: %s", g_strerror(errno));
        if (file.size >= MEMORY_MAX / 8)
                return fail(&file, error, "is too large for a kernel");
        if (file.size < HEADER_SIZE)
                return fail(&file, error, "is no kernel: it has %" PRIu64 " bytes", file.size);

        if (le32(file.header + ZIMAGE_MAGIC_OFFSET) == ZIMAGE_MAGIC)
                return read_zimage(&file, ret, error);
        if (be32(file.header) == UIMAGE_MAGIC)
                return read_uimage(&file, ret, error);
        if (le32(file.header + ARM64_MAGIC_OFFSET) == ARM64_MAGIC)
                return read_arm64(&file, ret, error);
        if (le32(file.header + BZIMAGE_MAGIC_OFFSET) == BZIMAGE_MAGIC)
                return read_bzimage(&file, ret, error);

        return fail_unknown(&file, error);
}

const char *kernel_format_to_string(KernelFormat format) {
        static const char *const names[_KERNEL_FORMAT_MAX] = {
                [KERNEL_ZIMAGE] = "zImage",
                [KERNEL_UIMAGE] = "uImage",
                [KERNEL_ARM64_IMAGE] = "arm64 Image",
                [KERNEL_BZIMAGE] = "bzImage",
        };

        return names[format];
}
