/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* print(): all the formatting that the firmware needs. */

#include <stdarg.h>
#include <stdint.h>

#include "console.h"

static void (*also)(char c);

void print_also_to(void (*function)(char c)) {
        also = function;
}

static void print_string(const char *s) {
        for (; *s; s++) {
                /* First there: who has seen a line on the console finds it in the log, too */
                if (also)
                        also(*s);
                if (*s == '\n')
                        console_putc('\r');
                console_putc(*s);
        }
}

static void print_number(uint32_t value, unsigned base) {
        char digits[11], *p = digits + sizeof(digits);

        *--p = '\0';
        do
                *--p = "0123456789abcdef"[value % base];
        while ((value /= base));
        print_string(p);
}

void print(const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        for (const char *p = format; *p; p++) {
                if (*p != '%') {
                        print_string((const char[]) { *p, '\0' });
                        continue;
                }
                switch (*++p) {
                case 's':
                        print_string(va_arg(arguments, const char *));
                        break;
                case 'u':
                        print_number(va_arg(arguments, unsigned), 10);
                        break;
                case 'x':
                        print_number(va_arg(arguments, unsigned), 16);
                        break;
                default:
                        console_putc(*p);
                }
        }
        va_end(arguments);
}
