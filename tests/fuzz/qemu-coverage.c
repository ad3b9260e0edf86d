/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Linked into the QEMU that is fuzzed: tells the fuzzer, in memory that they share, which branches of our files were taken. gcc calls
 * the function below at each of them. Used by scripts/lib/cc-for-fuzz; the fuzzer is tests/fuzz/qemu.c, which names the fd.
 */
#include "qemu-coverage.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

extern const char __executable_start[];

static uint8_t nobody[HET_COVERAGE_SIZE];
static uint8_t *counters = nobody;

__attribute__((constructor)) static void het_coverage_begin(void)
{
        const char *fd = getenv(HET_COVERAGE_FD);
        void *shared = fd ? mmap(NULL, HET_COVERAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(fd), 0) : MAP_FAILED;

        if (shared != MAP_FAILED)
                counters = shared;
}

void __sanitizer_cov_trace_pc(void);

void __sanitizer_cov_trace_pc(void)
{
        uintptr_t offset = (uintptr_t)__builtin_return_address(0) - (uintptr_t)__executable_start;

        counters[(offset ^ offset >> 16) % HET_COVERAGE_SIZE]++;
}
