/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What hetd knows of QEMU's boards. A board that is missing here cannot be described in a platform file: hetd would not
 * know where its memory is and which address and interrupt are free for the IDM. And of their CPUs, which decide about
 * the QEMU binary. Called by platform-keys.c and platform-check.c.
 */

#include <string.h>

#include "platform-file.h"

#define GIB (1ULL << 30)

/*
 * The default memory map of Armv7-M and Armv8-M: code can be executed from the two "RAM" ranges; what is below belongs
 * to the board (flash, SRAM, peripherals), what is above is for devices and never executable.
 */
#define M_PROFILE_BUS .m_profile = true, .bus_first = 0x60000000, .bus_last = 0x9fffffff

/*
 * The three MPS2 images with CMSDK peripherals: 0x50000000 is far above the peripherals and their bit-band alias (which
 * ends at 0x43ffffff), and of the 32 inputs of the NVIC the highest in use is 24. The IDM has the last one, and the STM32
 * registers those before it.
 */
#define MPS2 \
        .ram_size = 16 << 20, .max_cpus = 1, .idm_address = 0x50000000, .idm_irq = 31, \
        .stm32_address = 0x50010000, .stm32_irq = 29, .stm32_irq_free = 30, M_PROFILE_BUS

static const Board boards[] = {
        {
                .machine = "virt",
                .ram_base = 0x40000000,
                .platform_bus = true,
                .idm_address = 0x0c000000,
                .idm_irq = 112,         /* INTID 144 */
                .device_tree = true,
                .max_cpus = 8,          /* of a GICv2; more with gic-version=3 */
                .bus_first = 0x40000000,
                .bus_last = 256 * GIB - 1,      /* from there on PCI and the redistributors */
        },
        { .machine = "mps2-an385", .default_cpu = "cortex-m3", .ram_base = 0x21000000, MPS2 },
        { .machine = "mps2-an386", .default_cpu = "cortex-m4", .ram_base = 0x21000000, MPS2 },
        { .machine = "mps2-an500", .default_cpu = "cortex-m7", .ram_base = 0x60000000, MPS2 },
};

/* "-10.0" and nothing behind it */
static bool is_version(const char *s) {
        return *s == '-' && g_ascii_isdigit(s[1]) && strspn(s + 1, "0123456789.") == strlen(s + 1);
}

const Board *board_find(const char *machine) {
        for (size_t i = 0; i < G_N_ELEMENTS(boards); i++) {
                size_t length = strlen(boards[i].machine);

                if (strncmp(machine, boards[i].machine, length) == 0 &&
                    (machine[length] == '\0' || is_version(machine + length)))
                        return &boards[i];
        }

        return NULL;
}

/* Of QEMU's CPUs for these boards; the others have 32 */
bool cpu_has_64_bits(const char *cpu) {
        static const char *const names[] = {
                "cortex-a35", "cortex-a53", "cortex-a55", "cortex-a57", "cortex-a72", "cortex-a76", "cortex-a710",
                "neoverse-n1", "neoverse-n2", "neoverse-v1", "a64fx", "max", NULL,
        };
        g_autofree char *model = g_strndup(cpu, strcspn(cpu, ","));

        return g_strv_contains(names, model);
}

const char *const *board_names(void) {
        static const char *names[G_N_ELEMENTS(boards) + 1];

        for (size_t i = 0; i < G_N_ELEMENTS(boards); i++)
                names[i] = boards[i].machine;

        return names;
}
