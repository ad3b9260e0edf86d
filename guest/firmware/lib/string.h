/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The functions that the compiler expects everywhere, even where there is no C library */

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int value, size_t size);
