/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A fuzz target is one file with this function; libFuzzer calls it, or replay.c. */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says it and abort()s, which libFuzzer keeps the input for; the trap of g_error() it does not know */
void fuzz_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
