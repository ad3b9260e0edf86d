/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void fuzz_fail(const char *format, ...) {
        va_list arguments;

        fprintf(stderr, "==%d==ERROR: ", (int) getpid());
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
        abort();
}
