/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Device trees: a base as QEMU's virt board makes it, and what hetd adds. The bindings are in docs/device-tree.md. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device-tree.h"
#include "platform-cases.h"
#include "util/error.h"

#include <libfdt.h>
#include <string.h>

#define BASE_SIZE 4096
#define INTERRUPT_PARENT 0x8002U

typedef enum BaseFlags {
        BASE_IDM = 1 << 0,              /* QEMU was started with the IDM, and made its node */
        BASE_ONE_CELL = 1 << 1,         /* root with one cell for addresses and sizes */
        BASE_RESERVED = 1 << 2,         /* somebody reserved memory already */
        BASE_STM32 = 1 << 3,            /* with BASE_IDM: QEMU has STM32 registers for the couples 7 and 1 */
        BASE_CLOCK = 1 << 4,            /* the board has a clock */
} BaseFlags;

static void cells(void *fdt, const char *name, unsigned n, ...) {
        fdt32_t values[9];
        va_list args;

        va_start(args, n);
        for (unsigned i = 0; i < n; i++)
                values[i] = cpu_to_fdt32(va_arg(args, unsigned));
        va_end(args);
        assert_int_equal(fdt_property(fdt, name, values, (int) (n * sizeof(fdt32_t))), 0);
}

static void begin(void *fdt, const char *name) {
        assert_int_equal(fdt_begin_node(fdt, name), 0);
}

static void end(void *fdt) {
        assert_int_equal(fdt_end_node(fdt), 0);
}

static void make_memory(void *fdt, BaseFlags flags) {
        begin(fdt, "memory@40000000");
        if (flags & BASE_ONE_CELL)
                cells(fdt, "reg", 2, 0x40000000, 0x40000000);
        else
                cells(fdt, "reg", 4, 0, 0x40000000, 0, 0x40000000);
        assert_int_equal(fdt_property_string(fdt, "device_type", "memory"), 0);
        end(fdt);
}

static void make_stm32(void *fdt, const char *name, unsigned address, unsigned couple, unsigned irq) {
        begin(fdt, name);
        assert_int_equal(fdt_property_string(fdt, "compatible", "het,stm32-1.0"), 0);
        cells(fdt, "reg", 2, address, 0x1000);
        cells(fdt, "het,couple", 1, couple);
        cells(fdt, "interrupts", 9, 0, irq, 4, 0, irq + 1, 4, 0, irq + 2, 1);
        end(fdt);
}

static void make_platform_bus(void *fdt, BaseFlags flags) {
        begin(fdt, "platform-bus@c000000");
        cells(fdt, "#address-cells", 1, 1);
        cells(fdt, "#size-cells", 1, 1);
        cells(fdt, "ranges", 4, 0, 0, 0xc000000, 0x2000000);
        begin(fdt, "idm@8000");
        assert_int_equal(fdt_property_string(fdt, "compatible", "het,idm-1.0"), 0);
        cells(fdt, "reg", 2, 0x8000, 0x8000);
        cells(fdt, "interrupts", 3, 0, 113, 4);
        end(fdt);
        if (flags & BASE_STM32) {
                make_stm32(fdt, "stm32@10000", 0x10000, 7, 120);
                make_stm32(fdt, "stm32@11000", 0x11000, 1, 114);
        }
        end(fdt);
}

/* A blob of BASE_SIZE bytes, as virt makes it (of 1 MiB) */
static void *make_base(BaseFlags flags) {
        unsigned n_cells = flags & BASE_ONE_CELL ? 1 : 2;
        void *fdt = g_malloc0(BASE_SIZE);

        assert_int_equal(fdt_create(fdt, BASE_SIZE), 0);
        assert_int_equal(fdt_finish_reservemap(fdt), 0);
        begin(fdt, "");
        cells(fdt, "interrupt-parent", 1, INTERRUPT_PARENT);
        cells(fdt, "#size-cells", 1, n_cells);
        cells(fdt, "#address-cells", 1, n_cells);
        begin(fdt, "chosen");
        assert_int_equal(fdt_property_string(fdt, "stdout-path", "/pl011@9000000"), 0);
        end(fdt);
        begin(fdt, "intc@8000000");
        cells(fdt, "phandle", 1, INTERRUPT_PARENT);
        end(fdt);
        make_memory(fdt, flags);
        if (flags & BASE_IDM)
                make_platform_bus(fdt, flags);
        if (flags & BASE_CLOCK) {
                begin(fdt, "clk");
                assert_int_equal(fdt_property_string(fdt, "compatible", "fixed-clock"), 0);
                cells(fdt, "phandle", 1, 0x8000);
                end(fdt);
        }
        if (flags & BASE_RESERVED) {
                begin(fdt, "reserved-memory");
                cells(fdt, "#address-cells", 1, n_cells);
                cells(fdt, "#size-cells", 1, n_cells);
                assert_int_equal(fdt_property(fdt, "ranges", NULL, 0), 0);
                begin(fdt, "old@50000000");
                end(fdt);
                end(fdt);
        }
        end(fdt);
        assert_int_equal(fdt_finish(fdt), 0);
        return fdt;
}

static PlatformConfig *parse(const char *text) {
        g_autofree char *path = platform_cases_path("test.platform");
        g_autoptr(GError) error = NULL;
        PlatformConfig *config = NULL;

        if (!platform_config_parse(NULL, path, text, strlen(text), NULL, &config, &error))
                fail_msg("%s", error->message);
        return config;
}

static int node(const void *fdt, const char *path) {
        int offset = fdt_path_offset(fdt, path);

        if (offset < 0)
                fail_msg("%s: %s", path, fdt_strerror(offset));
        return offset;
}

static void check_cells(const void *fdt, const char *path, const char *name, unsigned n, ...) {
        int length;
        const fdt32_t *values = fdt_getprop(fdt, node(fdt, path), name, &length);
        va_list args;

        assert_non_null(values);
        assert_int_equal(length, n * sizeof(fdt32_t));
        va_start(args, n);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(fdt32_to_cpu(values[i]), va_arg(args, unsigned));
        va_end(args);
}

static void check_string(const void *fdt, const char *path, const char *name, const char *value) {
        int length;
        const char *s = fdt_getprop(fdt, node(fdt, path), name, &length);

        assert_non_null(s);
        assert_int_equal(length, strlen(value) + 1);
        assert_string_equal(s, value);
}

static void check_flag(const void *fdt, const char *path, const char *name, bool there) {
        assert_int_equal(fdt_getprop(fdt, node(fdt, path), name, NULL) != NULL, there);
}

static unsigned count_children(const void *fdt, const char *path) {
        unsigned n = 0;
        int child;

        fdt_for_each_subnode(child, fdt, node(fdt, path))
                n++;
        return n;
}

static void *make_master(const PlatformConfig *config, const void *base) {
        g_autoptr(GError) error = NULL;
        size_t size = 0;
        void *fdt = NULL;

        if (!device_tree_make_master(config, base, BASE_SIZE, &fdt, &size, &error))
                fail_msg("%s", error->message);
        assert_int_equal(fdt_check_full(fdt, size), 0);
        assert_int_equal(fdt_totalsize(fdt), size);
        return fdt;
}

static void test_master(void **state) {
        g_autoptr(PlatformConfig) config = parse(MASTER SLAVE CORTEX_M "Firmware=file.elf\nId=0x10\n");
        g_autofree void *base = make_base(BASE_IDM), *fdt = make_master(config, base);
        unsigned first, second;

        /* QEMU's node is kept, with the address and the interrupt that it chose */
        check_cells(fdt, "/platform-bus@c000000/idm@8000", "reg", 2, 0x8000, 0x8000);
        check_cells(fdt, "/platform-bus@c000000/idm@8000", "interrupts", 3, 0, 113, 4);
        check_cells(fdt, "/platform-bus@c000000/idm@8000", "#address-cells", 1, 1);
        check_cells(fdt, "/platform-bus@c000000/idm@8000", "#size-cells", 1, 0);
        assert_int_equal(count_children(fdt, "/platform-bus@c000000/idm@8000"), 2);
        assert_int_equal(count_children(fdt, "/platform-bus@c000000"), 1);

        check_cells(fdt, "/reserved-memory", "#address-cells", 1, 2);
        check_cells(fdt, "/reserved-memory", "#size-cells", 1, 2);
        check_flag(fdt, "/reserved-memory", "ranges", true);
        assert_int_equal(count_children(fdt, "/reserved-memory"), 2);
        check_cells(fdt, "/reserved-memory/s@60000000", "reg", 4, 0, 0x60000000, 0, 0x4000000);
        check_flag(fdt, "/reserved-memory/s@60000000", "no-map", true);
        check_cells(fdt, "/reserved-memory/t@70000000", "reg", 4, 0, 0x70000000, 0, 0x1000000);

        first = fdt_get_phandle(fdt, node(fdt, "/reserved-memory/s@60000000"));
        second = fdt_get_phandle(fdt, node(fdt, "/reserved-memory/t@70000000"));
        assert_true(first != 0 && second != 0 && first != second && first != INTERRUPT_PARENT &&
                    second != INTERRUPT_PARENT);

        check_string(fdt, "/platform-bus@c000000/idm@8000/slave@1", "compatible", "het,slave-1.0");
        check_string(fdt, "/platform-bus@c000000/idm@8000/slave@1", "label", "s");
        check_cells(fdt, "/platform-bus@c000000/idm@8000/slave@1", "reg", 1, 1);
        check_cells(fdt, "/platform-bus@c000000/idm@8000/slave@1", "memory-region", 1, first);
        check_string(fdt, "/platform-bus@c000000/idm@8000/slave@1", "het,boot-protocol", "raw");
        check_flag(fdt, "/platform-bus@c000000/idm@8000/slave@1", "firmware-name", false);
        check_cells(fdt, "/platform-bus@c000000/idm@8000/slave@10", "reg", 1, 16);
        check_cells(fdt, "/platform-bus@c000000/idm@8000/slave@10", "memory-region", 1, second);
        check_string(fdt, "/platform-bus@c000000/idm@8000/slave@10", "het,boot-protocol", "vector-table");
        check_string(fdt, "/platform-bus@c000000/idm@8000/slave@10", "firmware-name", "file.elf");
        assert_string_equal(fdt_get_name(fdt, fdt_first_subnode(fdt, node(fdt, "/platform-bus@c000000/idm@8000")), NULL), "slave@1");

        /* The rest is as it was */
        check_string(fdt, "/chosen", "stdout-path", "/pl011@9000000");
        check_cells(fdt, "/memory@40000000", "reg", 4, 0, 0x40000000, 0, 0x40000000);
}

/* A list of strings; no word holds another one */
static void check_list(const void *fdt, const char *path, const char *name, const char *const *strings) {
        int offset = node(fdt, path), n = fdt_stringlist_count(fdt, offset, name);

        assert_int_equal(n, g_strv_length((char **) strings));
        for (int i = 0; i < n; i++)
                assert_string_equal(fdt_stringlist_get(fdt, offset, name, i, NULL), strings[i]);
}

static void check_region(const void *fdt, const char *path, unsigned address, unsigned size, unsigned phandle) {
        check_cells(fdt, path, "reg", 4, 0, address, 0, size);
        check_flag(fdt, path, "no-map", true);
        assert_int_equal(fdt_get_phandle(fdt, node(fdt, path)), phandle);
}

#define STM32 "/platform-bus@c000000/stm32@11000"

static void test_stm32(void **state) {
        static const char *const bus[] = { "het,stm32-1.0", "simple-bus", NULL };
        static const char *const irqs[] = { "rx", "tx", NULL };
        static const char *const mboxes[] = { "vq0", "vq1", "shutdown", "detach", NULL };
        g_autoptr(PlatformConfig) config = parse("[Platform]\nRemoteproc=stm32\n" MASTER SLAVE "Firmware=file.elf\n"
                                                 CORTEX_M "Id=7\nAutoBoot=master\n"
                                                 "[Processor u]\nRole=slave\nMachine=virt\nCPU=cortex-a15\n"
                                                 "Window=64K@0x50000000\nRemoteproc=idm\n");
        g_autofree void *base = make_base(BASE_IDM | BASE_STM32 | BASE_CLOCK), *fdt = make_master(config, base);
        unsigned mailbox = fdt_get_phandle(fdt, node(fdt, STM32 "/mailbox@0"));
        unsigned reset = fdt_get_phandle(fdt, node(fdt, STM32 "/reset-controller@400"));
        unsigned syscon = fdt_get_phandle(fdt, node(fdt, STM32 "/syscon@800")), first;
        const fdt32_t *regions;

        check_list(fdt, STM32, "compatible", bus);
        check_cells(fdt, STM32, "reg", 2, 0x11000, 0x1000);
        check_cells(fdt, STM32, "#address-cells", 1, 1);
        check_cells(fdt, STM32, "#size-cells", 1, 1);
        check_cells(fdt, STM32, "ranges", 3, 0, 0x11000, 0x1000);
        check_cells(fdt, STM32, "dma-ranges", 3, 0x60000000, 0x60000000, 0x4000000);

        check_string(fdt, STM32 "/mailbox@0", "compatible", "st,stm32mp1-ipcc");
        check_cells(fdt, STM32 "/mailbox@0", "interrupts", 6, 0, 114, 4, 0, 115, 4);
        check_list(fdt, STM32 "/mailbox@0", "interrupt-names", irqs);
        check_cells(fdt, STM32 "/mailbox@0", "clocks", 1, 0x8000);
        check_string(fdt, STM32 "/reset-controller@400", "compatible", "snps,dw-high-reset");
        check_string(fdt, STM32 "/syscon@800", "compatible", "syscon");

        check_string(fdt, STM32 "/s", "compatible", "st,stm32mp1-m4");
        check_string(fdt, STM32 "/s", "firmware-name", "file.elf");
        check_cells(fdt, STM32 "/s", "resets", 2, reset, 0);
        check_cells(fdt, STM32 "/s", "mboxes", 8, mailbox, 0, mailbox, 1, mailbox, 2, mailbox, 3);
        check_list(fdt, STM32 "/s", "mbox-names", mboxes);
        check_cells(fdt, STM32 "/s", "interrupts", 3, 0, 116, 1);
        check_cells(fdt, STM32 "/s", "st,syscfg-tz", 3, syscon, 0, 1);
        check_cells(fdt, STM32 "/s", "st,syscfg-holdboot", 3, syscon, 4, 1);
        check_cells(fdt, STM32 "/s", "st,syscfg-pdds", 3, syscon, 8, 1);
        check_cells(fdt, STM32 "/s", "st,syscfg-m4-state", 3, syscon, 12, 0xffffffff);
        check_cells(fdt, STM32 "/s", "st,syscfg-rsc-tbl", 3, syscon, 16, 0xffffffff);

        regions = fdt_getprop(fdt, node(fdt, STM32 "/s"), "memory-region", NULL);
        check_region(fdt, "/reserved-memory/s@60000000", 0x60000000, 0x3f00000, fdt32_to_cpu(regions[0]));
        check_region(fdt, "/reserved-memory/vdev0vring0@63f00000", 0x63f00000, 0x10000, fdt32_to_cpu(regions[1]));
        check_region(fdt, "/reserved-memory/vdev0vring1@63f10000", 0x63f10000, 0x10000, fdt32_to_cpu(regions[2]));
        check_region(fdt, "/reserved-memory/vdev0buffer@63f20000", 0x63f20000, 0xe0000, fdt32_to_cpu(regions[3]));
        check_string(fdt, "/reserved-memory/vdev0buffer@63f20000", "compatible", "shared-dma-pool");
        assert_int_equal(count_children(fdt, "/reserved-memory"), 9);

        /* The registers of each slave are found by its number, in whatever order; the others are below the IDM */
        check_string(fdt, "/platform-bus@c000000/stm32@10000/t", "compatible", "st,stm32mp1-m4");
        check_flag(fdt, STM32 "/s", "st,auto-boot", false);
        check_flag(fdt, "/platform-bus@c000000/stm32@10000/t", "st,auto-boot", true);
        check_cells(fdt, "/platform-bus@c000000/stm32@10000/t", "interrupts", 3, 0, 122, 1);
        assert_int_equal(count_children(fdt, "/platform-bus@c000000/idm@8000"), 1);
        first = fdt_first_subnode(fdt, node(fdt, "/platform-bus@c000000/idm@8000"));
        assert_string_equal(fdt_get_name(fdt, (int) first, NULL), "slave@2");
}

static void test_stm32_without_registers(void **state) {
        g_autoptr(PlatformConfig) config = parse(MASTER SLAVE "Remoteproc=stm32\n");
        g_autofree void *base = make_base(BASE_IDM), *with = make_base(BASE_IDM | BASE_STM32), *fdt = NULL;
        g_autoptr(GError) error = NULL;
        size_t size;

        assert_false(device_tree_make_master(config, base, BASE_SIZE, &fdt, &size, &error));
        assert_string_equal(error->message, "Cannot make the device tree of m from the one of virt: FDT_ERR_NOTFOUND");
        /* Without a clock one is made */
        fdt = make_master(config, with);
        check_string(fdt, "/apb-pclk", "compatible", "fixed-clock");
        check_cells(fdt, STM32 "/mailbox@0", "clocks", 1, fdt_get_phandle(fdt, node(fdt, "/apb-pclk")));
}

static void test_master_without_idm(void **state) {
        g_autoptr(PlatformConfig) config = parse(MASTER SLAVE);
        g_autofree void *base = make_base(BASE_RESERVED), *fdt = make_master(config, base);

        check_string(fdt, "/idm@c000000", "compatible", "het,idm-1.0");
        check_cells(fdt, "/idm@c000000", "reg", 4, 0, 0xc000000, 0, 0x8000);
        check_cells(fdt, "/idm@c000000", "interrupts", 3, 0, 112, 4);
        check_cells(fdt, "/idm@c000000/slave@1", "reg", 1, 1);
        assert_int_equal(count_children(fdt, "/reserved-memory"), 2);
        check_cells(fdt, "/reserved-memory/s@60000000", "reg", 4, 0, 0x60000000, 0, 0x4000000);
}

static void test_one_cell(void **state) {
        g_autoptr(PlatformConfig) config = parse(MASTER SLAVE);
        g_autofree void *base = make_base(BASE_ONE_CELL), *fdt = make_master(config, base);

        check_cells(fdt, "/idm@c000000", "reg", 2, 0xc000000, 0x8000);
        check_cells(fdt, "/reserved-memory/s@60000000", "reg", 2, 0x60000000, 0x4000000);
}

static void test_address_too_large_for_one_cell(void **state) {
        g_autoptr(PlatformConfig) config = parse("[Processor m]\nRole=master\nMachine=virt\nCPU=cortex-a15\nMemory=8G\n"
                                                 "[Processor "
                                                 "s]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=64M@"
                                                 "0x100000000\n");
        g_autofree void *small = make_base(BASE_ONE_CELL), *base = make_base(0), *fdt = NULL;
        g_autoptr(GError) error = NULL;
        size_t size = 42;

        assert_false(device_tree_make_master(config, small, BASE_SIZE, &fdt, &size, &error));
        assert_string_equal(error->message, "Cannot make the device tree of m from the one of virt: FDT_ERR_BADNCELLS");
        assert_null(fdt);
        assert_int_equal(size, 42);

        fdt = make_master(config, base);
        check_cells(fdt, "/reserved-memory/s@100000000", "reg", 4, 1, 0, 0, 0x4000000);
}

static void test_most_slaves(void **state) {
        g_autoptr(GString) text = g_string_new(MASTER);
        g_autofree char *name = g_strnfill(PLATFORM_NAME_MAX - 3, 'n');
        g_autoptr(PlatformConfig) config = NULL;
        g_autofree void *base = make_base(0), *fdt = NULL;

        for (unsigned i = 1; i <= HET_ID_MAX; i++)
                g_string_append_printf(text,
                                       "[Processor %s%u]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=64K@0x%x\n"
                                       "Firmware=file.elf\n",
                                       name, i, 0x60000000 + i * 0x10000);
        config = parse(text->str);
        fdt = make_master(config, base);
        assert_int_equal(count_children(fdt, "/reserved-memory"), 255);
        assert_int_equal(count_children(fdt, "/idm@c000000"), 255);
}

static void test_slave(void **state) {
        g_autoptr(GString) text = g_string_new(MASTER SLAVE "Protocol=linux\nCommandLine=");
        g_autoptr(PlatformConfig) config = NULL;
        g_autofree void *base = make_base(BASE_IDM), *fdt = NULL;
        g_autofree char *command_line = g_strnfill(10000, 'c');
        size_t size;

        g_string_append_printf(text, "%s\n", command_line);
        config = parse(text->str);
        assert_true(device_tree_make_slave(platform_config_get_processor(config, "s"), base, BASE_SIZE, 0x63e00000, 0x12345,
                                           &fdt, &size, NULL));
        assert_int_equal(fdt_check_full(fdt, size), 0);

        assert_int_equal(fdt_path_offset(fdt, "/memory@40000000"), -FDT_ERR_NOTFOUND);
        check_cells(fdt, "/memory@60000000", "reg", 4, 0, 0x60000000, 0, 0x4000000);
        check_string(fdt, "/memory@60000000", "device_type", "memory");
        check_string(fdt, "/chosen", "bootargs", command_line);
        check_cells(fdt, "/chosen", "linux,initrd-start", 2, 0, 0x63e00000);
        check_cells(fdt, "/chosen", "linux,initrd-end", 2, 0, 0x63e12345);
        check_string(fdt, "/chosen", "stdout-path", "/pl011@9000000");
        check_string(fdt, "/platform-bus@c000000/idm@8000", "compatible", "het,idm-1.0");
        assert_int_equal(count_children(fdt, "/platform-bus@c000000/idm@8000"), 0);
        assert_int_equal(fdt_path_offset(fdt, "/reserved-memory"), -FDT_ERR_NOTFOUND);
}

static void test_slave_without_command_line(void **state) {
        g_autoptr(PlatformConfig) config = parse(MASTER SLAVE);
        g_autofree void *base = make_base(0), *fdt = NULL;
        size_t size;

        assert_true(device_tree_make_slave(platform_config_get_processor(config, "s"), base, BASE_SIZE, 0, 0,
                                           &fdt, &size, NULL));
        check_flag(fdt, "/chosen", "bootargs", false);
        check_flag(fdt, "/chosen", "linux,initrd-start", false);
        check_cells(fdt, "/idm@c000000", "interrupts", 3, 0, 112, 4);
}

static void test_no_device_tree(void **state) {
        g_autoptr(PlatformConfig) config = parse(MASTER CORTEX_M);
        g_autofree void *base = make_base(0), *fdt = NULL;
        g_autoptr(GError) error = NULL;
        size_t size;

        assert_false(device_tree_make_slave(platform_config_get_processor(config, "t"), base, BASE_SIZE, 0, 0,
                                            &fdt, &size, &error));
        assert_true(g_error_matches(error, HET_ERROR, HET_ERROR_NOT_SUPPORTED));
        assert_string_equal(error->message, "t (mps2-an385) has no device tree");
}

static void test_bad_base(void **state) {
        g_autoptr(PlatformConfig) config = parse(MASTER SLAVE);
        g_autofree void *base = make_base(BASE_IDM), *fdt = NULL;
        size_t used = fdt_off_dt_strings(base) + fdt_size_dt_strings(base), size;
        g_autoptr(GError) error = NULL;

        assert_false(device_tree_make_master(config, base, 0, &fdt, &size, NULL));
        assert_false(device_tree_make_master(config, base, DEVICE_TREE_SIZE_MAX + 1, &fdt, &size, &error));
        assert_string_equal(error->message, "The device tree of m is larger than 2097152 bytes");

        /* Cut off anywhere, in a buffer of exactly that size, so that the sanitizer sees what is read beyond it */
        for (size_t n = 0; n < used; n++) {
                g_autofree void *cut = g_memdup2(base, n);

                assert_false(device_tree_make_master(config, cut, n, &fdt, &size, NULL));
        }

        /* Any byte wrong: whatever comes out, nothing is touched that is not ours */
        for (size_t i = 0; i < used; i++) {
                uint8_t *bytes = base, before = bytes[i];

                bytes[i] ^= 0xff;
                if (device_tree_make_master(config, base, BASE_SIZE, &fdt, &size, NULL))
                        assert_int_equal(fdt_check_full(fdt, size), 0);
                g_clear_pointer(&fdt, g_free);
                if (device_tree_make_slave(platform_config_get_processor(config, "s"), base, BASE_SIZE, 0, 0,
                                           &fdt, &size, NULL))
                        assert_int_equal(fdt_check_full(fdt, size), 0);
                g_clear_pointer(&fdt, g_free);
                bytes[i] = before;
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_master),
                cmocka_unit_test(test_stm32),
                cmocka_unit_test(test_stm32_without_registers),
                cmocka_unit_test(test_master_without_idm),
                cmocka_unit_test(test_one_cell),
                cmocka_unit_test(test_address_too_large_for_one_cell),
                cmocka_unit_test(test_most_slaves),
                cmocka_unit_test(test_slave),
                cmocka_unit_test(test_slave_without_command_line),
                cmocka_unit_test(test_no_device_tree),
                cmocka_unit_test(test_bad_base),
        };

        return cmocka_run_group_tests(tests, platform_cases_set_up, platform_cases_tear_down);
}
