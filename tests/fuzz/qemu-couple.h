/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* QEMUs with the registers of the IDM and of the STM32, and a couple whose other side is the fuzz target. See qemu-couple.c. */

#include "qemu.h"

#include <hw/misc/het-page.h>
#include <stdbool.h>

typedef struct Couple {
        Qemu *qemu;
        const char *name;
        uint64_t idm, stm32, ram;       /* where the registers are, and where a slave's memory */
        bool slave;
        bool attached;
        int page_fd, master_rx, slave_rx;
        HetPage *page;
} Couple;

#define COUPLE_ID 5U

/* A master, or a slave with one kind of CPU or the other; each is started once. A couple is attached, and nothing else is as it was. */
Couple *couple_begin(uint8_t which);
/* Whatever was done to it: with a new couple everything works */
void couple_end(Couple *couple);
void couple_attach(Couple *couple);
void couple_detach(Couple *couple);
/* The number of the processor at the other end */
unsigned couple_peer(const Couple *couple);
/* A register is read or written, or a command is given, as the input says */
void couple_access(Couple *couple, Bytes *bytes);
void couple_command(Couple *couple, Bytes *bytes);
