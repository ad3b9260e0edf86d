/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a core file says of the processor whose window is in it. */

#include "test-hetctl.h"

#include <elf.h>
#include <errno.h>

#include "core-file.h"

#define MIB     (UINT64_C(1) << 20)

static void test_processor(void **state) {
        static const struct {
                const char *machine, *cpu;
                uint64_t address;
                uint16_t elf_machine;
                bool is_64_bits;
        } cases[] = {
                { "mps2-an385",        "cortex-m3",          0x70000000,   EM_ARM,     false },
                { "virt,highmem=off",  "cortex-a15,pmu=off", 0x60000000,   EM_ARM,     false },
                { "virt",              "cortex-a57",         0x60000000,   EM_AARCH64, true  },
                { "virt",              "cortex-a15",         0x100000000,  EM_ARM,     true  },      /* above what 32 bits reach */
                { "virt",              "rv32",               0x92000000,   EM_RISCV,   false },
                { "virt",              "sifive-e31",         0x92000000,   EM_RISCV,   false },
                { "virt",              "rv64,h=false",       0x90000000,   EM_RISCV,   true  },
                { "q35",               "",                   0x70000000,   EM_X86_64,  true  },
                { "microvm,pic=off",   "max",                0x70000000,   EM_X86_64,  true  },
                { "a board of nobody", "",                   0x70000000,   EM_ARM,     false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                CoreWindow window = { .fd = -EBADF, .address = cases[i].address, .size = 16 * MIB };

                core_window_set_processor(&window, cases[i].machine, cases[i].cpu);
                assert_int_equal(window.machine, cases[i].elf_machine);
                assert_int_equal(window.is_64_bits, cases[i].is_64_bits);
        }
}

int test_core_file(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_processor),
        };

        return cmocka_run_group_tests_name("hetctl core file", tests, NULL, NULL);
}
