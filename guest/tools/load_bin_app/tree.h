/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The device tree that a kernel gets. */

#include "file.h"

typedef struct Tree {
        const char *name;
        void *blob;
        size_t size;
} Tree;

/* A copy of what the file has, with room for what is set below. Ends the program if it is no device tree. */
Tree tree_read(const File *file);

/* Ends the program if the tree's memory is not in these bytes. */
void tree_check_memory(const Tree *tree, uint64_t base, uint64_t size);

/* start == end: there is none. */
void tree_set_initrd(Tree *tree, uint64_t start, uint64_t end);
void tree_set_command_line(Tree *tree, const char *text);
