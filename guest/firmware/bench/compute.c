/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Computes for a second or two: integers, branches, and memory that is larger than the host's first cache. The same for
 * every board and every QEMU; whoever compares them takes the time from the boot to the line that ends it.
 */

#include <stdint.h>

#include "console.h"

#define WORDS           65536u
#define ROUNDS          24u

static uint32_t words[WORDS];

static uint32_t random_next(uint32_t x) {
        x ^= x << 13;
        x ^= x >> 17;
        return x ^ x << 5;
}

static void fill(uint32_t seed) {
        for (unsigned i = 0; i < WORDS; i++)
                words[i] = seed = random_next(seed);
}

/* Bit by bit: shifts and branches */
static uint32_t checksum(void) {
        uint32_t crc = ~0u;

        for (unsigned i = 0; i < WORDS; i++) {
                crc ^= words[i];
                for (unsigned bit = 0; bit < 32; bit++)
                        crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        }
        return ~crc;
}

/* From one place to the next that it names: every access is somewhere else */
static uint32_t wander(unsigned steps) {
        uint32_t sum = 0, place = 0;

        while (steps-- > 0) {
                place = (words[place] + sum) % WORDS;
                sum += place * 2654435761u;
                words[place] ^= sum;
        }
        return sum;
}

static void reverse(void) {
        for (unsigned i = 0, k = WORDS - 1; i < k; i++, k--) {
                uint32_t word = words[i];

                words[i] = words[k];
                words[k] = word;
        }
}

static uint32_t divide(void) {
        uint32_t sum = 0;

        for (unsigned i = 1; i < WORDS; i++)
                sum += words[i] / (words[i - 1] >> 16 | 1);
        return sum;
}

int main(void) {
        uint32_t result = 0;

        console_init();
        fill(2463534242u);
        for (unsigned round = 0; round < ROUNDS; round++) {
                result ^= checksum();
                result += wander(20 * WORDS);
                for (unsigned i = 0; i < 20; i++)
                        reverse();
                result ^= divide();
        }
        print("bench: computed 0x%x\n", (unsigned) result);
        for (;;)
                __asm__ volatile("wfi");
}
