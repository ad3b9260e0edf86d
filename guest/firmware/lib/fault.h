/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Says what happened on the console and stops. exception: its number in the vector table */
_Noreturn void fault(uint32_t exception, uint32_t address);

/*
 * For a program that cannot go on: says why on the console and in the log, and lets the world outside know. A master
 * with Linux then starts it again. The same happens at every exception that nobody expects.
 */
_Noreturn void fail(const char *why);

/* By the board: lets the world outside know that the program has failed. Returns where that is not possible. */
void panic(void);
