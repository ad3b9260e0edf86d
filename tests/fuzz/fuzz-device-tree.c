/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Arbitrary bytes as the device tree that a board's QEMU has made. The first byte chooses whose tree it is, and how Linux sees the
 * slaves. What hetd makes of it is a tree, or there is an error; and the same bytes give the same.
 */

#include "fuzz.h"
#include "device-tree.h"
#include "util/error.h"

#include <libfdt.h>
#include <string.h>

#define PLATFORM "[Platform]\nRemoteproc=%s\n" \
        "[Processor m]\nRole=master\nMachine=virt\nCPU=cortex-a15\nMemory=1G\n" \
        "[Processor a]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=64M@0x60000000\n%s" \
        "[Processor b]\nRole=slave\nMachine=mps2-an385\nWindow=16M@0x70000000\n"

static PlatformConfig *make_platform(bool stm32) {
        g_autofree char *text = g_strdup_printf(PLATFORM, stm32 ? "stm32" : "idm", stm32 ? "" : "Protocol=linux\nCommandLine=a b\n");
        g_autoptr(GError) error = NULL;
        PlatformConfig *config = NULL;

        if (!platform_config_parse("p", NULL, text, strlen(text), NULL, &config, &error))
                fuzz_fail("%s", error->message);
        return config;
}

static bool make(const PlatformConfig *config, bool master, const void *base, size_t size, void **ret, size_t *ret_size) {
        g_autoptr(GError) error = NULL;
        bool ok;

        if (master)
                ok = device_tree_make_master(config, base, size, ret, ret_size, &error);
        else
                ok = device_tree_make_slave(platform_config_get_processor(config, "a"), base, size, 0x62000000, size, ret, ret_size, &error);

        g_assert_true(ok == !error);
        g_assert_true(ok || error->domain == HET_ERROR);
        return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static PlatformConfig *configs[2];
        g_autofree void *base = NULL, *first = NULL, *second = NULL;
        size_t first_size = 0, second_size = 0;
        const PlatformConfig *config;
        bool master;

        if (size < 1 || size > DEVICE_TREE_SIZE_MAX)
                return 0;
        if (!configs[0])
                for (unsigned i = 0; i < G_N_ELEMENTS(configs); i++)
                        configs[i] = make_platform(i == 1);

        /* Of exactly this size, so that a read beyond it is seen */
        base = g_memdup2(data + 1, size - 1);
        config = configs[data[0] & 1];
        master = data[0] & 2;
        if (!make(config, master, base, size - 1, &first, &first_size))
                return 0;

        g_assert_true(fdt_check_full(first, first_size) == 0);
        g_assert_true(make(config, master, base, size - 1, &second, &second_size));
        g_assert_true(first_size == second_size && memcmp(first, second, first_size) == 0);
        return 0;
}
