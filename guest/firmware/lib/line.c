/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of a console's input; for the boards' console.c. */

#include <stddef.h>
#include <stdint.h>

#include "line.h"

static ConsoleLineHandler line_handler;
static char line[80];
static unsigned line_length;

void line_start(ConsoleLineHandler handler) {
        line_handler = handler;
}

void line_input(char c) {
        if (c == '\r' || c == '\n') {
                line[line_length] = '\0';
                if (line_length > 0)
                        line_handler(line);
                line_length = 0;
        } else if (c == '\b' || c == 0x7f) {
                if (line_length > 0)
                        line_length--;
        } else if (line_length < sizeof(line) - 1)
                line[line_length++] = c;
}
