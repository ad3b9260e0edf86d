/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A QEMU that a fuzz target drives: registers by its qtest protocol, commands by QMP. See qemu.c. */

#include <stddef.h>
#include <stdint.h>

typedef struct Qemu Qemu;

/* NULL-terminated arguments; that of QEMU_HET_QEMU, without which the program ends with 77, as a test that is skipped */
Qemu *qemu_start(const char *const *arguments);
/* The ones that a test cannot do without: that QEMU answers */
uint64_t qemu_read(Qemu *qemu, char width, uint64_t address);
void qemu_write(Qemu *qemu, char width, uint64_t address, uint64_t value);
void qemu_clock_step(Qemu *qemu, uint64_t ns);
/* Whether the command succeeds; fd goes with it unless it is negative */
int qemu_command(Qemu *qemu, int fd, const char *format, ...) __attribute__((format(printf, 3, 4)));
void qemu_must(Qemu *qemu, int fd, const char *format, ...) __attribute__((format(printf, 3, 4)));
void qemu_reset(Qemu *qemu);
/* What was ready before has been handled after it */
void qemu_settle(Qemu *qemu, uint64_t address);

/* Around an input: where our files in QEMU have been counts for the fuzzer */
void qemu_coverage_begin(void);
void qemu_coverage_end(void);

/* An input as numbers; 0 when it has come to its end */
typedef struct Bytes {
        const uint8_t *data;
        size_t left;
} Bytes;

uint64_t bytes_take(Bytes *bytes, unsigned n_bytes);
