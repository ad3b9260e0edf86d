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
 * The four MPS2 images with CMSDK peripherals: 0x50000000 is far above the peripherals and their bit-band alias (which
 * ends at 0x43ffffff), and of the 32 inputs of the NVIC the highest in use is 24. The IDM has the last one, and the STM32
 * registers those before it.
 */
#define MPS2 \
        .ram_size = 16 << 20, .max_cpus = 1, .idm_address = 0x50000000, .idm_irq = 31, \
        .stm32_address = 0x50010000, .stm32_irq = 29, .stm32_irq_free = 30, M_PROFILE_BUS

/*
 * PCs: the memory begins at 0; the firmware of a master is an image for its ROM, a slave has none. Programs begin with 32
 * bits, so that a window is below the devices, which begin at the earliest where the windows of masters end.
 */
#define PC \
        .architecture = ARCHITECTURE_X86, .cpu_optional = true, .idm_pci = true, .kernel_without_tree = true, .firmware_is_rom = true, \
        .bus_first = 0x00100000, .bus_last = 0xafffffff

static const Board boards[] = {
        {
                .machine = "virt",
                .architecture = ARCHITECTURE_ARM,
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
        /*
         * With TrustZone, which begins in the secure state; its peripherals fill the secure alias, so the IDM is at the end of
         * the other one. Of the 124 inputs the last ones are not in use.
         */
        {
                .machine = "mps2-an505",
                .default_cpu = "cortex-m33",
                .ram_base = 0x80000000,
                .ram_size = 16 << 20,
                .max_cpus = 1,
                .idm_address = 0x4f000000,
                .idm_irq = 123,
                .stm32_address = 0x4f010000,
                .stm32_irq = 121,
                .stm32_irq_free = 122,
                M_PROFILE_BUS
        },
        { .machine = "mps2-an511", .default_cpu = "cortex-m3", .ram_base = 0x21000000, MPS2 },
        {
                .machine = "virt",
                .architecture = ARCHITECTURE_RISCV,
                .ram_base = 0x80000000,
                .platform_bus = true,
                .idm_address = 0x04000000,
                .idm_irq = 64,
                .max_cpus = 512,
                .bus_first = 0x80000000,        /* below it PCI */
                .bus_last = 16 * GIB - 1,       /* from there on PCI */
        },
        { .machine = "q35", .ram_split = 0xb0000000, .ram_low = 2 * GIB, .windows_last = 0xafffffff, .max_cpus = 288, PC },
        { .machine = "pc", .ram_split = 0xe0000000, .ram_low = 3 * GIB, .windows_last = 0xbfffffff, .max_cpus = 255, PC },
        {
                .machine = "microvm",
                .ram_split = 3 * GIB,
                .ram_low = 3 * GIB,
                .windows_last = 0xbfffffff,
                .max_cpus = 288,
                PC
        },
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

const Board *board_of_architecture(const Board *board, Architecture architecture) {
        for (size_t i = 0; i < G_N_ELEMENTS(boards); i++)
                if (boards[i].architecture == architecture && strcmp(boards[i].machine, board->machine) == 0)
                        return &boards[i];

        return NULL;
}

static const struct {
        const char *name;
        Architecture architecture;
} targets[] = {
        { TARGET_ARM,     ARCHITECTURE_ARM   },
        { TARGET_AARCH64, ARCHITECTURE_ARM   },
        { TARGET_RISCV32, ARCHITECTURE_RISCV },
        { TARGET_RISCV64, ARCHITECTURE_RISCV },
        { TARGET_I386,    ARCHITECTURE_X86   },
        { TARGET_X86_64,  ARCHITECTURE_X86   },
};

const char *target_find(const char *name, Architecture *ret) {
        for (size_t i = 0; i < G_N_ELEMENTS(targets); i++)
                if (strcmp(name, targets[i].name) == 0) {
                        *ret = targets[i].architecture;
                        return targets[i].name;
                }

        return NULL;
}

const char *architecture_to_string(Architecture architecture) {
        static const char *const names[_ARCHITECTURE_MAX] = {
                [ARCHITECTURE_ARM] = "Arm",
                [ARCHITECTURE_RISCV] = "RISC-V",
                [ARCHITECTURE_X86] = "x86",
        };

        return names[architecture];
}

/* Of QEMU's CPUs for a virt of RISC-V, which Arm has as well; the first one that matches counts */
static const struct {
        const char *prefix;
        bool has_64_bits;
} riscv_cpus[] = {
        { "rv32",         false },
        { "rv64",         true  },
        { "rva",          true  },      /* profiles */
        { "x-rv128",      true  },
        { "sifive-e3",    false },
        { "sifive-u3",    false },
        { "sifive-",      true  },
        { "thead-",       true  },
        { "veyron-",      true  },
        { "tt-ascalon",   true  },
        { "xiangshan-",   true  },
        { "shakti-c",     true  },
        { "lowrisc-ibex", false },
};

static bool find_riscv(const char *cpu, bool *ret_has_64_bits) {
        for (size_t i = 0; i < G_N_ELEMENTS(riscv_cpus); i++)
                if (g_str_has_prefix(cpu, riscv_cpus[i].prefix)) {
                        *ret_has_64_bits = riscv_cpus[i].has_64_bits;
                        return true;
                }

        return false;
}

bool cpu_is_riscv(const char *cpu) {
        bool has_64_bits;

        return find_riscv(cpu, &has_64_bits);
}

/* Of those of Arm that are not listed here each has 32 */
bool cpu_has_64_bits(const char *cpu) {
        static const char *const names[] = {
                "cortex-a35", "cortex-a53", "cortex-a55", "cortex-a57", "cortex-a72", "cortex-a76", "cortex-a710",
                "neoverse-n1", "neoverse-n2", "neoverse-v1", "a64fx", "max", NULL,
        };
        g_autofree char *model = g_strndup(cpu, strcspn(cpu, ","));
        bool has_64_bits;

        return find_riscv(model, &has_64_bits) ? has_64_bits : g_strv_contains(names, model);
}

/* A name that several architectures have comes once */
const char *const *board_names(void) {
        static const char *names[G_N_ELEMENTS(boards) + 1];
        size_t n = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(boards); i++)
                if (board_find(boards[i].machine) == &boards[i])
                        names[n++] = boards[i].machine;
        names[n] = NULL;

        return names;
}
