/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Windows: the memory of a slave, a sealed memfd that hetd makes, or one that a client brought. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sealed against shrinking and growing, and another user cannot open it anew; named so that /proc tells whose it is */
bool window_memory_new(const char *platform, const char *processor, uint64_t size, int *ret_fd, GError **error);
/* HET_ERROR_MEMORY_REFUSED: not a memfd, not read-write, seals missing, smaller than offset + size, offset not page-aligned */
bool window_memory_check(int fd, uint64_t offset, uint64_t size, GError **error);

/* The same memory for somebody who must not write to it: a file of its own that is open for reading only. -1 with *error set. */
int window_open_read_only(int fd, GError **error);

/* Writes into it at offset, where it must have room. 0 or a negative errno; -ENOMEM: no huge page is left for it. */
int window_write(int fd, const void *data, size_t size, uint64_t offset);
/* Copies size bytes of an open file into it, by read and write. As window_write(), or -ENODATA: the file is shorter than that. */
int window_copy(int fd, uint64_t offset, int from, uint64_t from_offset, uint64_t size);

/* No two memfds of one boot have the same; 0: it is none */
uint64_t window_memory_number(int fd);
bool window_memory_is(int fd, uint64_t number);

/* Two ranges of guest physical addresses; an end beyond 2^64 counts as overlapping everything */
bool window_overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size);
