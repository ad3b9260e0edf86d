/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small files that a user named, or that a QEMU has written: read whole, and without a way to hold the loop up. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Refuses what is no regular file (a FIFO would be waited for), and what is larger than max bytes. ret: g_free() */
bool file_read(const char *path, size_t max, char **ret, size_t *ret_size, GError **error);
