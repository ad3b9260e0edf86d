/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The file that keeps what a console printed. */

#include <stdint.h>

/* Where the last lines begin (0: all that is kept); an unfinished line at the end counts. 0 or a negative errno. */
int console_log_find_tail(int fd, uint64_t lines, uint64_t *ret_offset);
