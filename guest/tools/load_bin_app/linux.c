/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where a kernel, its device tree and its initial RAM disk go:
 *
 *   base                 a multiple of 2 MiB: the window's beginning, or the next one
 *   base + footprint     as far as the kernel itself will reach. A kernel that need not unpack itself is in there already
 *   zImage               here, so that it need not move before it unpacks itself
 *   room for its stack and heap
 *   device tree
 *   initial RAM disk
 *   …
 *   last MiB             only if there is no other room: drivers of the master have used it for rings and buffers
 *
 * A zImage takes the beginning of the 128 MiB that it is in for the beginning of the memory, or what its device tree has behind that.
 * If it would be in the next 128 MiB it is put to the beginning of the memory instead, and moves.
 */

#include "load.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "image.h"
#include "tree.h"

#define BLOCK           (128ULL * MIB)
#define BASE_ALIGNMENT  (2ULL * MIB)
#define PLACE_ALIGNMENT (64ULL * KIB)
#define ZIMAGE_OFFSET   0x8000U         /* if it is at the beginning of the memory */
#define ZIMAGE_ROOM     (256ULL * KIB)
#define PLATFORM_TREE   MIB             /* the end of the window, for a device tree of the platform's */

typedef struct Layout {
        uint64_t kernel, tree, initrd, end;
} Layout;

static void place_kernel(Layout *l, const Image *image, uint64_t base) {
        if (image->unpacks) {
                l->kernel = round_up(base + image->footprint, PLACE_ALIGNMENT);
                l->end = l->kernel + image->size + ZIMAGE_ROOM;
                if (l->kernel / BLOCK != base / BLOCK)
                        l->kernel = base + ZIMAGE_OFFSET;
        } else {
                l->kernel = base + image->offset;
                l->end = base + image->footprint;
        }
}

static uint64_t place(Layout *l, uint64_t size) {
        uint64_t start = round_up(l->end, PLACE_ALIGNMENT);

        l->end = start + size;
        return start;
}

static Layout lay_out(const Slave *slave, const File *kernel, const Image *image, const Tree *tree, const File *initrd) {
        uint64_t base = round_up(slave->window, BASE_ALIGNMENT), size;
        Layout l = { 0 };

        place_kernel(&l, image, base);
        if (tree)
                l.tree = place(&l, tree->size);
        if (initrd)
                l.initrd = place(&l, initrd->size);
        if (!tree)
                l.end += PLATFORM_TREE;

        size = l.end - slave->window;
        if (!slave_has(slave, slave->window, size))
                fail(EXIT_UNUSABLE, "%s%s does not fit: it takes %" PRIu64 " KiB, and the window of slave %u has %" PRIu64 " KiB",
                     kernel->name, initrd ? " with its initial RAM disk" : "", size / KIB, slave->id, slave->window_size / KIB);
        return l;
}

static void write_part(Slave *slave, const char *what, uint64_t address, const void *data, size_t size) {
        printf("%s at 0x%" PRIx64 ", %zu KiB\n", what, address, (size + KIB - 1) / KIB);
        slave_write(slave, address, data, size, size);
}

void load_linux(Slave *slave, const File *kernel, const File *tree_file, const File *initrd, const Options *options) {
        Image image = image_read(kernel);
        Tree tree;
        Layout l;

        if (options->has_protocol && options->protocol != IDM_TEST_PROTOCOL_LINUX)
                fail(EXIT_USAGE, "%s is a kernel, which is started in one way only: --protocol linux", kernel->name);
        if (options->has_entry || options->has_argument)
                fail(EXIT_USAGE, "%s is a kernel: it is known where it begins and what it gets", kernel->name);
        if (options->command_line && !tree_file)
                fail(EXIT_USAGE, "A command line needs a device tree to be put into");

        if (tree_file) {
                tree = tree_read(tree_file);
                tree_check_memory(&tree, slave->window, slave->window_size);
                if (options->command_line)
                        tree_set_command_line(&tree, options->command_line);
        }

        l = lay_out(slave, kernel, &image, tree_file ? &tree : NULL, initrd);
        write_part(slave, image.kind, l.kernel, image.data, image.size);
        if (initrd)
                write_part(slave, "initial RAM disk", l.initrd, initrd->data, initrd->size);
        if (tree_file) {
                tree_set_initrd(&tree, l.initrd, initrd ? l.initrd + initrd->size : l.initrd);
                write_part(slave, "device tree", l.tree, tree.blob, tree.size);
        } else
                puts("device tree: the platform's");

        slave_start(slave, l.kernel + image.entry, l.tree, IDM_TEST_PROTOCOL_LINUX);
}
