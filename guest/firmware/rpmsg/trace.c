/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The trace buffer. Who reads it takes the text up to the first zero byte, and there is always one. It is part of
 * the shared segment and not of .bss: so it is cleared here, and keeps the last words of a program that has crashed.
 */

#include "console.h"
#include "string.h"
#include "trace.h"

__attribute__((section(".bss.trace")))
char trace_buffer[TRACE_SIZE];

static unsigned trace_length;

static void trace_putc(char c) {
        /* Full: the older half goes. */
        if (trace_length == TRACE_SIZE - 1) {
                trace_length -= TRACE_SIZE / 2;
                memcpy(trace_buffer, trace_buffer + TRACE_SIZE / 2, trace_length);
                memset(trace_buffer + trace_length, 0, TRACE_SIZE - trace_length);
        }
        trace_buffer[trace_length++] = c;
}

void trace_init(void) {
        memset(trace_buffer, 0, TRACE_SIZE);
        print_also_to(trace_putc);
}
