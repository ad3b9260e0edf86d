/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Makes lines of the characters that a console receives. */

#include "console.h"

void line_start(ConsoleLineHandler handler);
/* May call the handler */
void line_input(char c);
