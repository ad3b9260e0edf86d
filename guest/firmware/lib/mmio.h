/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Device registers. Nobody but idm.c and ipcc.c needs memory barriers: what is shared is ordered by what they send. */

#include <stdint.h>

static inline uint32_t mmio_read32(uintptr_t address) {
        return *(volatile uint32_t *) address;
}

static inline void mmio_write32(uintptr_t address, uint32_t value) {
        *(volatile uint32_t *) address = value;
}
