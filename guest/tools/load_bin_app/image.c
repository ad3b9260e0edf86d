/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The formats, all little-endian but uImage:
 *
 * zImage (Arm)    0x24: magic; 0x28, 0x2c: where it begins and ends. With a second magic at 0x34, 0x38 is the place of a list of
 *                 tags (size in words, tag, values); KRNL_SIZE has: place of a word with the size that it unpacks to, size of its
 *                 .bss, where it unpacks to from the beginning of the memory
 * Image (arm64)   0x08: offset from a multiple of 2 MiB; 0x10: memory that it takes; 0x38: magic
 * uImage          U-Boot's header of 64 bytes in front of one of these, or of a plain kernel: magic, CRC of the header, time, size,
 *                 load address, entry, CRC of the data, then a byte each: system, architecture, type, compression
 */

#include "image.h"

#include <string.h>

#define ZIMAGE_MAGIC            0x016f2818U
#define ZIMAGE_MAGIC_TAGS       0x45454545U
#define ZIMAGE_TAG_KRNL_SIZE    0x5a534c4bU
#define ZIMAGE_HEADER_SIZE      0x3cU
#define ZIMAGE_TAGS_MAX         64U
#define ARM64_MAGIC             0x644d5241U
#define ARM64_HEADER_SIZE       0x40U
#define UIMAGE_MAGIC            0x27051956U
#define UIMAGE_HEADER_SIZE      64U
#define TEXT_OFFSET_MAX         0x208000U       /* of 32-bit kernels */
#define RATIO                   5U              /* an unpacked kernel is not larger than so many times the packed one */
#define BSS_MAX                 (2U * MIB)

static uint32_t le32(const uint8_t *p) {
        return p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

static uint64_t le64(const uint8_t *p) {
        return le32(p) | (uint64_t) le32(p + 4) << 32;
}

static uint32_t be32(const uint8_t *p) {
        return __builtin_bswap32(le32(p));
}

bool image_is_elf(const File *file) {
        return file->size >= 4 && memcmp(file->data, "\177ELF", 4) == 0;
}

/* --- zImage --- */

static bool is_zimage(const uint8_t *data, size_t size) {
        return size >= ZIMAGE_HEADER_SIZE && le32(data + 0x24) == ZIMAGE_MAGIC;
}

/* From the image's own tags, or else a guess that is too large. */
static uint64_t zimage_footprint(const uint8_t *data, size_t size) {
        uint64_t place = le32(data + 0x38);

        if (le32(data + 0x34) != ZIMAGE_MAGIC_TAGS)
                place = size;
        for (unsigned i = 0; i < ZIMAGE_TAGS_MAX && place + 8 <= size; i++) {
                uint64_t length = 4 * (uint64_t) le32(data + place), word;

                if (length < 8 || length > size - place)
                        break;
                if (le32(data + place + 4) == ZIMAGE_TAG_KRNL_SIZE && length >= 20) {
                        word = le32(data + place + 8);
                        if (word + 4 > size)
                                break;
                        return (uint64_t) le32(data + word) + le32(data + place + 12) + le32(data + place + 16);
                }
                place += length;
        }
        return TEXT_OFFSET_MAX + RATIO * (uint64_t) size + BSS_MAX;
}

static Image read_zimage(const char *name, const uint8_t *data, size_t size) {
        uint64_t whole = (uint64_t) le32(data + 0x2c) - le32(data + 0x28);

        if (le32(data + 0x2c) <= le32(data + 0x28) || whole > size)
                fail(EXIT_UNUSABLE, "%s is cut off: it has %zu bytes, its header says %lld", name, size, (long long) whole);

        return (Image) {
                .kind = "zImage", .data = data, .size = size, .unpacks = true, .footprint = zimage_footprint(data, size),
        };
}

/* --- Image of arm64 --- */

static bool is_arm64(const uint8_t *data, size_t size) {
        return size >= ARM64_HEADER_SIZE && le32(data + 0x38) == ARM64_MAGIC;
}

static Image read_arm64(const char *name, const uint8_t *data, size_t size) {
        uint64_t offset = le64(data + 8), memory = le64(data + 16);

        /* Very old ones do not say how much they take; what it is not less than is the file itself. */
        if (memory == 0) {
                offset = 0x80000;
                memory = size + BSS_MAX;
        }
        if (offset >= 2 * MIB || memory < size || memory > UINT32_MAX)
                fail(EXIT_UNUSABLE, "%s is damaged: a kernel of arm64 that takes %llu bytes at offset 0x%llx", name,
                     (unsigned long long) memory, (unsigned long long) offset);

        return (Image) { .kind = "Image", .data = data, .size = size, .offset = offset, .footprint = offset + memory };
}

/* --- uImage --- */

/* The usual CRC-32, as zlib has it. */
static uint32_t crc32(uint32_t crc, const uint8_t *data, size_t size) {
        crc = ~crc;
        for (size_t i = 0; i < size; i++) {
                crc ^= data[i];
                for (unsigned bit = 0; bit < 8; bit++)
                        crc = crc & 1 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
        }
        return ~crc;
}

static void check_uimage(const File *file) {
        const uint8_t *h = file->data;
        static const uint8_t zero[4];
        uint32_t size = be32(h + 12), crc;

        /* The CRC of the header is made with zero in its own place. */
        crc = crc32(crc32(crc32(0, h, 4), zero, sizeof(zero)), h + 8, UIMAGE_HEADER_SIZE - 8);
        if (crc != be32(h + 4))
                fail(EXIT_UNUSABLE, "%s is damaged: the checksum of its header is wrong", file->name);
        if (size > file->size - UIMAGE_HEADER_SIZE)
                fail(EXIT_UNUSABLE, "%s is cut off: it has %zu bytes, its header says %lld", file->name, file->size,
                     (long long) size + UIMAGE_HEADER_SIZE);
        if (crc32(0, h + UIMAGE_HEADER_SIZE, size) != be32(h + 24))
                fail(EXIT_UNUSABLE, "%s is damaged: the checksum of its data is wrong", file->name);
        if (h[28] != 5 || h[30] != 2)
                fail(EXIT_UNUSABLE, "%s is a uImage, but not one of a Linux kernel", file->name);
        if (h[31] != 0)
                fail(EXIT_UNUSABLE, "%s is a compressed uImage; make one that is not: mkimage -C none", file->name);
}

/*
 * The addresses in the header are those of one board. A kernel that runs anywhere, as all do here, wants the same distance from the
 * beginning of the memory, which these boards have at a multiple of 128 MiB.
 */
static Image read_uimage(const File *file) {
        const uint8_t *data = file->data + UIMAGE_HEADER_SIZE;
        uint64_t load = be32(file->data + 16), entry = be32(file->data + 20), offset = load & (128 * MIB - 1);
        uint32_t size;

        check_uimage(file);
        size = be32(file->data + 12);
        if (is_zimage(data, size))
                return read_zimage(file->name, data, size);
        if (is_arm64(data, size))
                return read_arm64(file->name, data, size);
        if (entry < load || entry - load >= size)
                fail(EXIT_UNUSABLE, "%s is damaged: it does not begin in itself", file->name);

        return (Image) {
                .kind = "uImage", .data = data, .size = size, .offset = offset, .entry = entry - load,
                .footprint = offset + size + BSS_MAX,
        };
}

Image image_read(const File *file) {
        if (file->size >= UIMAGE_HEADER_SIZE && be32(file->data) == UIMAGE_MAGIC)
                return read_uimage(file);
        if (is_zimage(file->data, file->size))
                return read_zimage(file->name, file->data, file->size);
        if (is_arm64(file->data, file->size))
                return read_arm64(file->name, file->data, file->size);
        if (file->size >= 2 && file->data[0] == 0x1f && file->data[1] == 0x8b)
                fail(EXIT_UNUSABLE, "%s is compressed with gzip: gunzip it first", file->name);
        fail(EXIT_UNUSABLE, "%s is no zImage, Image of arm64, uImage or ELF file; something else is loaded with --raw", file->name);
}
