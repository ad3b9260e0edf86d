/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Arbitrary bytes as what a guest does to the registers of the IDM and of the STM32, with commands in between, and what a peer that
 * keeps to the rules does: QEMU lives, and then works as ever.
 */

#include "fuzz.h"
#include "qemu-couple.h"

#include <unistd.h>

#define STEPS_MAX 200

/* The peer sends vectors, or says which state it has */
static void be_peer(Couple *couple, Bytes *bytes) {
        uint32_t value = (uint32_t) bytes_take(bytes, 4);
        uint64_t one = 1;

        if (!couple->attached)
                return;

        HetPageSide *own = couple->slave ? &couple->page->master : &couple->page->slave;
        HetPageSide *other = couple->slave ? &couple->page->slave : &couple->page->master;

        if (value >> 31)
                __atomic_store_n(&own->state, value & 7, __ATOMIC_SEQ_CST);
        else
                (void) __atomic_fetch_or(&other->pending, value, __ATOMIC_SEQ_CST);
        (void) !write(couple->slave ? couple->slave_rx : couple->master_rx, &one, sizeof(one));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Bytes bytes = { data, size };
        Couple *couple = couple_begin((uint8_t) bytes_take(&bytes, 1));

        for (unsigned n = 0; n < STEPS_MAX && bytes.left > 0; n++) {
                uint8_t what = (uint8_t) bytes_take(&bytes, 1);

                if (what < 0xc0)
                        couple_access(couple, &bytes);
                else if (what < 0xe0)
                        couple_command(couple, &bytes);
                else
                        be_peer(couple, &bytes);
        }
        couple_end(couple);
        return 0;
}
