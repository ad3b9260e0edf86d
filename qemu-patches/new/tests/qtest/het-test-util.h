/*
 * What the tests of heterogeneous platforms share: the broker's part
 *
 * The test is the broker: it makes memory, couples and eventfds and hands
 * them to QEMU processes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HET_TEST_UTIL_H
#define HET_TEST_UTIL_H

#include "libqtest.h"
#include "hw/misc/het-page.h"

#define MIB 0x100000u

/* A slave's machine, its memory, and where the machine has it */
#define SLAVE_SIZE (16 * MIB)
#define SLAVE_RAM 0x40000000u
#define SLAVE_M_RAM 0x21000000u
#define SLAVE_OBJECT " -object memory-backend-shared,id=mem,size=16M"
#define SLAVE_ARGS \
    "-nodefaults -machine virt,slave=on,memory-backend=mem" \
    " -cpu cortex-a15 -m 16M" SLAVE_OBJECT
#define SLAVE_M_ARGS \
    "-nodefaults -machine mps2-an385,slave=on,memory-backend=mem" SLAVE_OBJECT
#define MASTER_ARGS "-nodefaults -machine virt -cpu cortex-a15 -m 512M"
/* In the master's RAM, away from what the board puts there */
#define WINDOW 0x50000000u

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

/* A memfd called name, so that it can be found in /proc */
int het_memfd(const char *name, size_t size, unsigned seals);
uint8_t *het_map(int fd, size_t size);
/* What a byte of p is filled with depends on where in p it is */
void het_fill(uint8_t *p, size_t from, size_t size, uint8_t seed);
void het_assert_filled(const uint8_t *p, size_t size, uint8_t seed);
/* Waits until guest code has written the word; fails after a while */
void het_wait_word(const void *p, uint32_t value);

/* getfd; fd stays the caller's. het_pass() closes it. */
void het_give(QTestState *s, const char *name, int fd);
void het_pass(QTestState *s, const char *name, int fd);
/* No command to come can adopt what an earlier one was given */
void het_assert_no_fd(QTestState *s, const char *name);
/* Whether the process has mapped, or has open, the memfd called name */
bool het_holds(QTestState *s, const char *name);
/* Whether that is so, and no page of it can be written to */
bool het_maps_readonly(QTestState *s, const char *name);

/* Consumes the response of a command that must fail with this in its text */
void het_assert_error(QDict *response, const char *text);
void het_assert_state(QTestState *s, const char *state, const char *reason);
void het_assert_status(QTestState *s, const char *status);
/* Waits for HET_SLAVE_STATE; others before it are not looked at */
void het_wait_state(QTestState *s, const char *state, const char *reason);

/* Grants the object mem the memfd */
void het_grant(QTestState *s, int fd);
/* Hands over p, r and t for slave id: a page and two eventfds */
void het_give_couple(QTestState *s, uint32_t id);
void het_assert_no_couple(QTestState *s);
/* het-slave-attach with a window of the memfd */
QDict *het_attach(QTestState *s, uint32_t id, int memory, uint64_t offset,
                  uint64_t address, uint64_t size);

/* Neither savevm nor migrate work, for this reason */
void het_assert_no_migration(QTestState *s, const char *text);
/* Something to load; the caller removes it */
char *het_image_file(void);

/* het-master-tests.c */
void het_add_master_tests(void);
/* het-guest-tests.c: those in which guests run */
void het_add_guest_tests(void);
/* het-option-tests.c */
void het_add_option_tests(void);

#endif
