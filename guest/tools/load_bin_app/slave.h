/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A slave, by its device file. What the driver cannot do ends the program, with a message that says what to do. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "idm_test.h"

typedef struct Slave {
        unsigned id;
        int fd;
        struct idm_test_info info;      /* as it was when it was opened, started or stopped */
        uint64_t window, window_size;   /* address; 0 and 0: none */
} Slave;

Slave slave_open(unsigned id);
void slave_close(Slave *slave);

/* Prints all that is known of it, in one line. */
void slave_describe(const Slave *slave);
/* The same of every slave. */
void slave_list(void);

/* Ends the program if a program cannot be loaded now. */
void slave_check_ready(const Slave *slave);

/* Whether these bytes, at the address that master and slave have for them, are in its window. */
bool slave_has(const Slave *slave, uint64_t address, uint64_t size);

/* Copies data to the address, which must be in the window, and makes what follows up to size zero. */
void slave_write(Slave *slave, uint64_t address, const void *data, size_t data_size, size_t size);

void slave_start(Slave *slave, uint64_t entry, uint64_t argument, uint32_t protocol);
void slave_stop(Slave *slave);
void slave_kick(const Slave *slave, unsigned vector);
/* Prints what is known of it, and then what arrives, count times. */
void slave_listen(const Slave *slave, unsigned count);
