/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tree.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ROOM (4U * KIB)         /* for a command line and the initial RAM disk */

static void check(const Tree *tree, int r) {
        if (r < 0)
                fail(EXIT_UNUSABLE, "%s cannot be used as the device tree: %s", tree->name, fdt_strerror(r));
}

Tree tree_read(const File *file) {
        Tree tree = { .name = file->name, .size = file->size + ROOM };
        int r = -FDT_ERR_TRUNCATED;

        if (file->size >= sizeof(struct fdt_header))
                r = fdt_check_full(file->data, file->size);
        check(&tree, r);

        tree.blob = malloc(tree.size);
        if (!tree.blob)
                fail(EXIT_UNUSABLE, "%s: there is no memory for it", file->name);
        check(&tree, fdt_open_into(file->data, tree.blob, (int) tree.size));
        return tree;
}

/* --- memory --- */

static uint64_t take_cells(const fdt32_t **p, int n) {
        uint64_t value = 0;

        while (n-- > 0)
                value = value << 32 | fdt32_ld((*p)++);
        return value;
}

static void check_range(const Tree *tree, uint64_t address, uint64_t length, uint64_t base, uint64_t size) {
        if (address >= base && address - base < size && length > 0 && length <= size - (address - base))
                return;

        fail(EXIT_UNUSABLE, "%s has memory of 0x%" PRIx64 " bytes at 0x%" PRIx64 ", and the slave's window is 0x%" PRIx64
             " bytes at 0x%" PRIx64 ": it was made for something else", tree->name, length, address, size, base);
}

void tree_check_memory(const Tree *tree, uint64_t base, uint64_t size) {
        int n_address = fdt_address_cells(tree->blob, 0), n_size = fdt_size_cells(tree->blob, 0), node;
        bool found = false;

        if (n_address < 1 || n_address > 2 || n_size < 1 || n_size > 2)
                check(tree, -FDT_ERR_BADNCELLS);

        fdt_for_each_subnode(node, tree->blob, 0) {
                const char *type = fdt_getprop(tree->blob, node, "device_type", NULL);
                int length;
                const fdt32_t *reg = fdt_getprop(tree->blob, node, "reg", &length);

                if (!type || strcmp(type, "memory") != 0 || !reg)
                        continue;
                for (int cells = length / 4; cells >= n_address + n_size; cells -= n_address + n_size) {
                        uint64_t address = take_cells(&reg, n_address);

                        check_range(tree, address, take_cells(&reg, n_size), base, size);
                        found = true;
                }
        }
        if (!found)
                fail(EXIT_UNUSABLE, "%s has no memory in it; the slave's is 0x%" PRIx64 " bytes at 0x%" PRIx64, tree->name, size, base);
}

/* --- /chosen --- */

static int chosen(Tree *tree) {
        int node = fdt_subnode_offset(tree->blob, 0, "chosen");

        if (node == -FDT_ERR_NOTFOUND)
                node = fdt_add_subnode(tree->blob, 0, "chosen");
        check(tree, node);
        return node;
}

static void set_u64(Tree *tree, const char *property, uint64_t value) {
        check(tree, fdt_setprop_u64(tree->blob, chosen(tree), property, value));
}

static void remove_property(Tree *tree, const char *property) {
        int r = fdt_delprop(tree->blob, chosen(tree), property);

        if (r != -FDT_ERR_NOTFOUND)
                check(tree, r);
}

void tree_set_initrd(Tree *tree, uint64_t start, uint64_t end) {
        if (start < end) {
                set_u64(tree, "linux,initrd-start", start);
                set_u64(tree, "linux,initrd-end", end);
        } else {
                /* Of the machine that the tree was taken from */
                remove_property(tree, "linux,initrd-start");
                remove_property(tree, "linux,initrd-end");
        }
}

void tree_set_command_line(Tree *tree, const char *text) {
        if (strlen(text) > ROOM / 2)
                fail(EXIT_USAGE, "The command line is longer than %u bytes", ROOM / 2);
        check(tree, fdt_setprop_string(tree->blob, chosen(tree), "bootargs", text));
}
