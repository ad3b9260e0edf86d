/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Arbitrary bytes as what a hostile peer writes into the control page, and does to the eventfds, while the guest uses its registers:
 * QEMU lives, does not wait, and then works as ever.
 */

#include "fuzz.h"
#include "qemu-couple.h"

#include <fcntl.h>
#include <unistd.h>

#define STEPS_MAX 200

static void write_page(Couple *couple, Bytes *bytes) {
        uint32_t *words = (uint32_t *) couple->page;
        uint32_t n = (uint32_t) bytes_take(bytes, 1);

        if (n == 0xff)
                n = (uint32_t) bytes_take(bytes, 2);
        __atomic_store_n(&words[n % (HET_PAGE_SIZE / sizeof(*words))], (uint32_t) bytes_take(bytes, 4), __ATOMIC_SEQ_CST);
}

/* Written, emptied, filled so that who writes it next would have to wait, made one that waits */
static void touch_eventfd(Couple *couple, uint8_t how) {
        int fd = how & 1 ? couple->master_rx : couple->slave_rx;
        uint64_t value = how & 2 ? UINT64_MAX - 1 : 1;

        (void) fcntl(fd, F_SETFL, O_NONBLOCK);
        if (how & 4)
                (void) !read(fd, &value, sizeof(value));
        else
                (void) !write(fd, &value, sizeof(value));
        if (how & 8)
                (void) fcntl(fd, F_SETFL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Bytes bytes = { data, size };
        Couple *couple = couple_begin((uint8_t) bytes_take(&bytes, 1));

        for (unsigned n = 0; n < STEPS_MAX && bytes.left > 0; n++) {
                uint8_t what = (uint8_t) bytes_take(&bytes, 1);

                if (what < 0x80 && couple->attached)
                        write_page(couple, &bytes);
                else if (what < 0xb0 && couple->attached)
                        touch_eventfd(couple, what);
                else if (what < 0xe8)
                        couple_access(couple, &bytes);
                else
                        couple_command(couple, &bytes);
        }
        couple_end(couple);
        return 0;
}
