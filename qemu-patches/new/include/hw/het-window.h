/*
 * Heterogeneous platforms: windows, the memory of slaves in the master's
 *
 * Implemented by hw/core/het-window.c.
 *
 * All functions are called with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_HET_WINDOW_H
#define HW_HET_WINDOW_H

#include "qapi/qapi-types-het.h"

typedef struct HetWindowPlace {
    uint64_t address;
    uint64_t size;
    uint64_t offset;            /* in its file */
    size_t page_size;
    int fd;                     /* -1: the master's own memory is there */
} HetWindowPlace;

/* Takes the fd, also when it fails */
bool het_window_map(uint32_t slave_id, const HetWindowPlace *place,
                    Error **errp);
/* No-op where there is none. On return the mapping and the fd are gone. */
void het_window_unmap(uint32_t slave_id);
/* NULL: none */
HetWindowInfo *het_window_query(uint32_t slave_id);
/* The file of its memory, borrowed; -1 if there is none */
int het_window_fd(uint32_t slave_id, uint64_t *offset);
/* false: none */
bool het_window_get(uint32_t slave_id, uint64_t *address, uint64_t *size);

/*
 * The highest place in base..end for a window of that size and alignment, none
 * of whose bytes is in a window or in an image; false if there is none
 */
bool het_window_find_place(uint64_t base, uint64_t end, uint64_t size,
                           uint64_t align, uint64_t *address);

#endif
