/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Command lines of QEMU, whole: what is started is what is written here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command-line.h"
#include "platform-cases.h"

#include <string.h>

#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

static PlatformConfig *parse(const char *text) {
        g_autofree char *path = platform_cases_path("test.platform");
        g_autoptr(GError) error = NULL;
        PlatformConfig *config = NULL;

        if (!platform_config_parse("p", path, text, strlen(text), NULL, &config, &error))
                fail_msg("%s", error->message);
        return config;
}

static void check(const char *text, const char *processor, const char *device_tree, const char *const *expected) {
        g_autoptr(PlatformConfig) config = parse(text);
        g_autofree char *prefix = platform_cases_path("");
        const CommandLinePaths paths = {
                .qemu = "/bin/qemu",
                .console_socket = "/run/a,b/console",
                .console_log = "/run/a,b/log",
                .device_tree = device_tree,
        };
        g_auto(GStrv) argv = command_line_build(config, platform_config_get_processor(config, processor), &paths);
        size_t i;

        for (i = 0; argv[i] && expected[i]; i++) {
                const char *argument = g_str_has_prefix(argv[i], prefix) ? argv[i] + strlen(prefix) : argv[i];

                assert_string_equal(argument, expected[i]);
        }
        assert_null(argv[i]);
        assert_null(expected[i]);
}

#define COMMON(processor) \
        "/bin/qemu", \
        "-name", "p/" processor ",process=het-" processor ",debug-threads=on", \
        "-nodefaults", "-no-user-config", \
        "-display", "none", \
        "-sandbox", SANDBOX, \
        "-chardev", "socket,id=qmp,fd=0,server=on,wait=off", \
        "-mon", "chardev=qmp,mode=control", \
        "-chardev", "socket,id=console,path=/run/a,,b/console,server=on,wait=off,drop=on,logfile=/run/a,,b/log,logappend=on", \
        "-serial", "chardev:console"

static void test_master(void **state) {
        static const char *const expected[] = {
                COMMON("m"),
                "-machine", "virt",
                "-m", "1073741824B",
                "-cpu", "cortex-a15",
                "-smp", "1",
                "-device", "idm_ipi,id=idm",
                "-S",
                "-kernel", "file.elf",
                NULL,
        };

        check(MASTER "Firmware=file.elf\n", "m", NULL, expected);
}

#define PC "[Processor m]\nRole=master\nMachine=q35,accel=kvm\nMemory=1G\n"

static void test_master_pc(void **state) {
        static const char *const with_firmware[] = {
                COMMON("m"),
                "-machine", "q35,accel=kvm",
                "-m", "1073741824B",
                "-smp", "1",
                "-device", "idm_ipi-pci,id=idm",
                "-S",
                "-bios", "file.elf",
                NULL,
        };
        static const char *const with_kernel[] = {
                COMMON("m"),
                "-machine", "q35,accel=kvm",
                "-m", "1073741824B",
                "-smp", "1",
                "-device", "idm_ipi-pci,id=idm",
                "-S",
                "-kernel", "file.elf",
                "-append", "quiet",
                NULL,
        };

        check(PC "Firmware=file.elf\n", "m", NULL, with_firmware);
        check(PC "Kernel=file.elf\nCommandLine=quiet\n", "m", NULL, with_kernel);
}

#define BIG_MASTER "[Processor m]\nRole=master\nMachine=virt\nCPU=cortex-a15\nMemory=2G\n"

static void test_slave_riscv(void **state) {
        static const char *const expected[] = {
                COMMON("s"),
                "-object", "memory-backend-shared,id=mem,size=16777216",
                "-machine", "virt,slave=on,memory-backend=mem",
                "-m", "16777216B",
                "-cpu", "rv32",
                "-smp", "1",
                "-device", "idm_ipi,id=idm",
                "-action", "shutdown=pause,panic=pause",
                NULL,
        };

        /* Above the slave's PCI, where the master has memory, too */
        check(BIG_MASTER "[Processor s]\nRole=slave\nMachine=virt\nCPU=rv32\nWindow=16M@0x90000000\n", "s", NULL, expected);
}

static void test_master_linux(void **state) {
        static const char *const expected[] = {
                COMMON("m"),
                "-machine", "virt,highmem=off",
                "-m", "536870912B",
                "-cpu", "cortex-a15,pmu=off",
                "-smp", "2",
                "-device", "idm_ipi,id=idm",
                "-S",
                "-kernel", "file.elf",
                "-initrd", "file.elf",
                "-append", "console=ttyAMA0, quiet",
                "-dtb", "/run/made.dtb",
                "-device", "virtio-net-device",
                "-gdb", "tcp::1234",
                NULL,
        };

        check("[Processor "
              "m]\nRole=master\nMachine=virt,highmem=off\nCPU=cortex-a15,pmu=off\nCPUs=2\nMemory=512M\nKernel=file."
              "elf\n"
              "Initrd=file.elf\nCommandLine=console=ttyAMA0, quiet\nDeviceTree=qemu\n"
              "ExtraArguments=-device virtio-net-device -gdb tcp::1234\n",
              "m", "/run/made.dtb", expected);
}

static void test_master_own_device_tree(void **state) {
        static const char *const expected[] = {
                COMMON("m"), "-machine", "virt",           "-m", "1073741824B", "-cpu",     "cortex-a15", "-smp",
                "1",         "-device",  "idm_ipi,id=idm", "-S", "-dtb",        "file.elf", NULL,
        };

        check(MASTER "DeviceTree=file.elf\n", "m", NULL, expected);
}

static void test_slave(void **state) {
        static const char *const expected[] = {
                COMMON("s"),
                "-object", "memory-backend-shared,id=mem,size=67108864",
                "-machine", "virt,slave=on,memory-backend=mem",
                "-m", "67108864B",
                "-cpu", "cortex-a15",
                "-smp", "1",
                "-device", "idm_ipi,id=idm",
                "-action", "shutdown=pause,panic=pause",
                NULL,
        };

        /* What it boots is loaded by hetd, and not on the command line */
        check(MASTER SLAVE "Firmware=file.elf\nProtocol=linux\nCommandLine=x\nDeviceTree=file.elf\n", "s", NULL,
              expected);
}

static void test_stm32(void **state) {
        static const char *const master[] = {
                COMMON("m"), "-machine", "virt", "-m", "1073741824B", "-cpu", "cortex-a15", "-smp", "1",
                "-device", "idm_ipi,id=idm",
                "-device", "idm_stm32,couple=1,entry=0x60000000,argument=0x5",
                "-device", "idm_stm32,couple=9,entry=0x70000100,argument=0x0",
                "-S",
                NULL,
        };
        static const char *const slave[] = {
                COMMON("s"),
                "-object", "memory-backend-shared,id=mem,size=67108864",
                "-machine", "virt,slave=on,memory-backend=mem",
                "-m", "67108864B",
                "-cpu", "cortex-a15",
                "-smp", "1",
                "-device", "idm_ipi,id=idm",
                "-device", "idm_stm32",
                "-action", "shutdown=pause,panic=pause",
                NULL,
        };
        static const char *const cortex_m[] = {
                COMMON("t"),
                "-object", "memory-backend-shared,id=mem,size=16777216",
                "-machine", "mps2-an385,slave=on,memory-backend=mem",
                "-m", "16777216B",
                "-smp", "1",
                "-device", "idm_ipi-flat,id=idm,addr=0x50000000,irq=31",
                "-device", "idm_stm32-flat,addr=0x50010000,irq=29,irq-free=30",
                "-action", "shutdown=pause,panic=pause",
                NULL,
        };
        static const char platform[] = "[Platform]\nRemoteproc=stm32\n" MASTER SLAVE "Argument=5\n"
                CORTEX_M "Id=9\nEntry=0x70000100\n"
                "[Processor u]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=64K@0x50000000\nRemoteproc=idm\n";

        check(platform, "m", NULL, master);
        check(platform, "s", NULL, slave);
        check(platform, "t", NULL, cortex_m);
}

static void test_cortex_m(void **state) {
        static const char *const expected[] = {
                COMMON("t"),
                "-object", "memory-backend-shared,id=mem,size=16777216",
                "-machine", "mps2-an385,slave=on,memory-backend=mem",
                "-m", "16777216B",
                "-smp", "1",
                "-device", "idm_ipi-flat,id=idm,addr=0x50000000,irq=31",
                "-action", "shutdown=pause,panic=pause",
                NULL,
        };

        check(MASTER CORTEX_M, "t", NULL, expected);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_master),
                cmocka_unit_test(test_master_pc),
                cmocka_unit_test(test_slave_riscv),
                cmocka_unit_test(test_master_linux),
                cmocka_unit_test(test_master_own_device_tree),
                cmocka_unit_test(test_slave),
                cmocka_unit_test(test_cortex_m),
                cmocka_unit_test(test_stm32),
        };

        return cmocka_run_group_tests(tests, platform_cases_set_up, platform_cases_tear_down);
}
