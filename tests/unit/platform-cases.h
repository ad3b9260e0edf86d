/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Platform files that are wrong, each with the whole text of the error. The file is "test.platform" in a directory with
 * an ordinary file, file.elf, and an executable one, qemu; the directory is left out of the text of the error.
 */

#include <stddef.h>

typedef struct PlatformCase {
        const char *name, *text;
        size_t size;
        const char *error;
} PlatformCase;

#define TEXT(...) __VA_ARGS__ "", .size = sizeof(__VA_ARGS__ "") - 1

/* Groups that are right: 1, 5, 5, 4 and 4 lines */
#define PLATFORM "[Platform]\n"
#define MASTER "[Processor m]\nRole=master\nMachine=virt\nCPU=cortex-a15\nMemory=1G\n"
#define SLAVE SLAVE_WITHOUT_WINDOW "Window=64M@0x60000000\n"
#define SLAVE_WITHOUT_WINDOW "[Processor s]\nRole=slave\nMachine=virt\nCPU=cortex-a15\n"
#define CORTEX_M "[Processor t]\nRole=slave\nMachine=mps2-an385\nWindow=16M@0x70000000\n"

int platform_cases_set_up(void **state);
int platform_cases_tear_down(void **state);
/* Path of a file in the directory, "": the directory with a slash behind it; to be freed */
char *platform_cases_path(const char *name);
void platform_cases_check(const PlatformCase *cases, size_t n_cases);
