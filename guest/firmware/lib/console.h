/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The board's UART, and text on it. */

void console_init(void);
void console_putc(char c);

/* Knows %s, %u, %x (32 bits each) and %%; a line feed is sent as CR LF */
__attribute__((format(printf, 1, 2)))
void print(const char *format, ...);
/* From now on all that is printed goes there as well; line feeds as they are */
void print_also_to(void (*function)(char c));

/*
 * Input, on boards whose firmware takes commands (virt): the handler is called for each complete line, from the
 * interrupt, and may change it. What a line has beyond 79 characters is dropped. Nothing is echoed.
 */
typedef void (*ConsoleLineHandler)(char *line);
void console_listen(ConsoleLineHandler handler);
