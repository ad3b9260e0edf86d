/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What does not fit together in a platform file: processors, their machines and their files. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform-cases.h"

#include <glib.h>

static const PlatformCase processors_cases[] = {
        {
                .name = "role",
                .text = TEXT("[Processor m]\n" "Role=boss\n"),
                .error = "test.platform:1: [Processor m] Machine=: is missing; known are virt, mps2-an385, "
                         "mps2-an386, mps2-an500, mps2-an505, mps2-an511, q35, pc, microvm\n"
                         "test.platform:2: [Processor m] Role=: 'boss' is no role; use master or slave",
        },
        {
                .name = "no role",
                .text = TEXT("[Processor m]\n" "Machine=virt\n" "CPU=cortex-a15\n"),
                .error = "test.platform:1: [Processor m] Role=: is missing; write Role=master or Role=slave",
        },
        {
                .name = "no master",
                .text = TEXT(PLATFORM SLAVE),
                .error = "test.platform: there is no master; a platform has one [Processor NAME] with "
                         "Role=master",
        },
        {
                .name = "empty file",
                .text = TEXT(""),
                .error = "test.platform: there is no master; a platform has one [Processor NAME] with "
                         "Role=master",
        },
        {
                .name = "two masters",
                .text = TEXT(MASTER "[Processor m2]\n" "Role=master\n" "Machine=mps2-an385\n"),
                .error = "test.platform:7: [Processor m2] Role=: there is a master already, m in line 1; write "
                         "Role=slave",
        },
        {
                .name = "id",
                .text = TEXT(MASTER SLAVE "Id=256\n"),
                .error = "test.platform:11: [Processor s] Id=: '256' is no number of a processor; slaves have 1 "
                         "to 255",
        },
        {
                .name = "id 0 of a slave",
                .text = TEXT(MASTER SLAVE "Id=0\n"),
                .error = "test.platform:11: [Processor s] Id=: 0 is the master's number; slaves have 1 to 255",
        },
        {
                .name = "id of the master",
                .text = TEXT(MASTER "Id=1\n"),
                .error = "test.platform:6: [Processor m] Id=: the master has number 0; remove it",
        },
        {
                .name = "id twice",
                .text = TEXT(MASTER SLAVE "Id=1\n" CORTEX_M "Id=1\n"),
                .error = "test.platform:16: [Processor t] Id=: 1 is the number of s already (line 11); choose "
                         "another",
        },
        {
                .name = "machine missing",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Memory=1G\n"),
                .error = "test.platform:1: [Processor m] Machine=: is missing; known are virt, mps2-an385, "
                         "mps2-an386, mps2-an500, mps2-an505, mps2-an511, q35, pc, microvm",
        },
        {
                .name = "machine unknown",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=vrit\n" "Memory=1G\n"),
                .error = "test.platform:3: [Processor m] Machine=: 'vrit' is no machine that hetd knows; did "
                         "you mean virt? known are virt, mps2-an385, mps2-an386, mps2-an500, mps2-an505, mps2-an511, q35, pc, microvm",
        },
        {
                .name = "machine unknown, nothing near",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=raspberry\n"),
                .error = "test.platform:3: [Processor m] Machine=: 'raspberry' is no machine that hetd knows; "
                         "known are virt, mps2-an385, mps2-an386, mps2-an500, mps2-an505, mps2-an511, q35, pc, microvm",
        },
        {
                .name = "machine option",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt,memory-backend=x\n" "CPU=cortex-a15\n"
                             "Memory=1G\n"),
                .error = "test.platform:3: [Processor m] Machine=: the option 'memory-backend=x' is not "
                         "possible here: hetd hands out the memory",
        },
        {
                .name = "machine option slave",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt,highmem=off,slave=on\n"
                             "CPU=cortex-a15\n" "Memory=1G\n"),
                .error = "test.platform:3: [Processor m] Machine=: the option 'slave=on' is not possible here: "
                         "use Role=",
        },
        {
                .name = "machine option empty",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt,\n" "CPU=cortex-a15\n" "Memory=1G\n"),
                .error = "test.platform:3: [Processor m] Machine=: there is an option without a name; write it "
                         "like Machine=virt,highmem=off",
        },
        {
                .name = "cpu missing",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "Memory=1G\n"),
                .error = "test.platform:1: [Processor m] CPU=: is missing; virt has a choice, write for example "
                         "CPU=cortex-a15",
        },
        {
                .name = "cpu wrong",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=mps2-an385\n" "CPU=cortex-m4\n"),
                .error = "test.platform:4: [Processor m] CPU=: mps2-an385 has no cortex-m4; write "
                         "CPU=cortex-m3, or remove it",
        },
        {
                .name = "cpus not a number",
                .text = TEXT(MASTER "CPUs=two\n"),
                .error = "test.platform:6: [Processor m] CPUs=: 'two' is no number of CPUs; use 1 to 512",
        },
        {
                .name = "cpus too many",
                .text = TEXT(MASTER "CPUs=9\n"),
                .error = "test.platform:6: [Processor m] CPUs=: virt has up to 8 (more with gic-version=3 in "
                         "Machine=)",
        },
        {
                .name = "cpus too many for a Cortex-M",
                .text = TEXT(MASTER CORTEX_M "CPUs=2\n"),
                .error = "test.platform:10: [Processor t] CPUs=: mps2-an385 has up to 1",
        },
        {
                .name = "Linux in the secure world",
                .text = TEXT(MASTER "[Processor s]\n" "Role=slave\n" "Machine=virt,secure=on\n" "CPU=cortex-a53\n"
                             "Window=64M@0x60000000\n" "Protocol=linux\n"),
                .error = "test.platform:8: [Processor s] Machine=: a slave with secure=on cannot boot Linux, which "
                         "would get no interrupts; remove it",
        },
        {
                .name = "a kernel in the secure world",
                .text = TEXT(MASTER "[Processor s]\n" "Role=slave\n" "Machine=virt,secure=on\n" "CPU=cortex-a53\n"
                             "Window=64M@0x60000000\n" "Kernel=file.elf\n"),
                .error = "test.platform:8: [Processor s] Machine=: a slave with secure=on cannot boot Linux, which "
                         "would get no interrupts; remove it",
        },
        {
                .name = "target unknown",
                .text = TEXT(MASTER "Target=aarch32\n"),
                .error = "test.platform:6: [Processor m] Target=: 'aarch32' is no target of QEMU for these "
                         "boards; use arm, aarch64, i386, riscv32, riscv64 or x86_64",
        },
        {
                .name = "target of another architecture",
                .text = TEXT(MASTER CORTEX_M "Target=riscv64\n"),
                .error = "test.platform:10: [Processor t] Target=: mps2-an385 is a board of Arm, whose target is not "
                         "riscv64; remove it",
        },
        {
                .name = "cpu of another architecture",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=q35\n" "CPU=rv64\n" "Memory=1G\n"),
                .error = "test.platform:4: [Processor m] CPU=: q35 is a board of x86, which has no rv64",
        },
        {
                .name = "place of the IDM",
                .text = TEXT(MASTER "IDM=usb\n"),
                .error = "test.platform:6: [Processor m] IDM=: 'usb' is no place of an IDM; use board (where the board has "
                         "it) or pci",
        },
        {
                .name = "IDM on PCI where there is none",
                .text = TEXT(MASTER CORTEX_M "IDM=pci\n"),
                .error = "test.platform:10: [Processor t] IDM=: mps2-an385 has no PCI; remove it",
        },
        {
                .name = "IDM of a PC",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=q35\n" "Memory=1G\n" "IDM=board\n"),
                .error = "test.platform:5: [Processor m] IDM=: q35 has its IDM on PCI; remove it",
        },
        {
                .name = "cpu missing on RISC-V",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "Memory=1G\n" "Target=riscv64\n"),
                .error = "test.platform:1: [Processor m] CPU=: is missing; virt has a choice, write for example CPU=rv64",
        },
        {
                .name = "kernel on RISC-V",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=rv64\n" "Memory=1G\n" "Kernel=file.elf\n"),
                .error = "test.platform:6: [Processor m] Kernel=: virt cannot run Linux with a device tree; use Firmware=",
        },
        {
                .name = "device tree of a slave that is a PC",
                .text = TEXT(MASTER "[Processor s]\n" "Role=slave\n" "Machine=q35\n" "Window=64M@0x60000000\n"
                             "Kernel=file.elf\n" "DeviceTree=file.elf\n"),
                .error = "test.platform:11: [Processor s] DeviceTree=: q35 has no device tree; remove it",
        },
        {
                .name = "window in the memory of a PC",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=q35\n" "Memory=1G\n"
                             SLAVE_WITHOUT_WINDOW "Window=64M@0x20000000\n"),
                .error = "test.platform:9: [Processor s] Window=: 0x20000000–0x23ffffff is not inside the room between "
                         "the master's memory and its devices (0x40000000–0xafffffff); there is room at "
                         "Window=64M@0xac000000",
        },
        {
                .name = "window below 4 GiB of a large PC",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=q35\n" "Memory=3G\n"
                             SLAVE_WITHOUT_WINDOW "Window=64M@0x60000000\n"),
                .error = "test.platform:9: [Processor s] Window=: 0x60000000–0x63ffffff is not inside the room between "
                         "the master's memory and its devices (0x80000000–0xafffffff); there is room at "
                         "Window=64M@0xac000000",
        },
        {
                .name = "64 bits on a target of 32",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a53,aarch64=on\n"
                             "Memory=1G\n" "Target=arm\n"),
                .error = "test.platform:6: [Processor m] Target=: cortex-a53 has 64 bits; write Target=aarch64, "
                         "or remove it",
        },
        {
                .name = "a RISC-V of 64 bits on a target of 32",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=sifive-u54\n" "Memory=1G\n" "Target=riscv32\n"),
                .error = "test.platform:6: [Processor m] Target=: sifive-u54 has 64 bits; write Target=riscv64, or remove it",
        },
        {
                .name = "target of a Cortex-M",
                .text = TEXT(MASTER CORTEX_M "Target=aarch64\n"),
                .error = "test.platform:10: [Processor t] Target=: mps2-an385 is a Cortex-M, whose target is arm; "
                         "remove it",
        },
        {
                .name = "target of somebody else's QEMU",
                .text = TEXT(MASTER SLAVE "Start=external\n" "Target=arm\n"),
                .error = "test.platform:12: [Processor s] Target=: has no effect with Start=external: who starts "
                         "that QEMU chooses it; remove it",
        },
        {
                .name = "missing firmware",
                .text = TEXT(MASTER "Firmware=missing.elf\n"),
                .error = "test.platform:6: [Processor m] Firmware=: missing.elf: No such file or directory; "
                         "name a file that is there",
        },
        {
                .name = "firmware is a directory",
                .text = TEXT(MASTER "Firmware=.\n"),
                .error = "test.platform:6: [Processor m] Firmware=: . is not a regular file",
        },
        {
                .name = "qemu not executable",
                .text = TEXT(MASTER "QEMU=file.elf\n"),
                .error = "test.platform:6: [Processor m] QEMU=: file.elf cannot be executed: Permission denied",
        },
        {
                .name = "firmware and kernel",
                .text = TEXT(MASTER "Firmware=file.elf\n" "Kernel=file.elf\n"),
                .error = "test.platform:7: [Processor m] Kernel=: there is Firmware= already (line 6); choose "
                         "one",
        },
        {
                .name = "initrd and command line without kernel",
                .text = TEXT(MASTER "Initrd=file.elf\n" "CommandLine=quiet\n"),
                .error = "test.platform:6: [Processor m] Initrd=: is for a Linux kernel; add Kernel=, or remove "
                         "it\n"
                         "test.platform:7: [Processor m] CommandLine=: is for a Linux kernel; add Kernel=, or "
                         "remove it",
        },
        {
                .name = "device tree and command line of a slave without Linux",
                .text = TEXT(MASTER SLAVE "DeviceTree=file.elf\n" "CommandLine=quiet\n"),
                .error = "test.platform:11: [Processor s] DeviceTree=: is for a slave that boots Linux; add "
                         "Protocol=linux, or remove it\n"
                         "test.platform:12: [Processor s] CommandLine=: is for a slave that boots Linux; add "
                         "Protocol=linux, or remove it",
        },
        {
                .name = "initrd of a slave without a kernel",
                .text = TEXT(MASTER SLAVE "Protocol=linux\n" "Initrd=file.elf\n"),
                .error = "test.platform:12: [Processor s] Initrd=: is for a Linux kernel; add Kernel=, or remove it",
        },
        {
                .name = "kernel of a slave, and what does not go with it",
                .text = TEXT(MASTER SLAVE "Kernel=file.elf\n" "Entry=0x60000000\n" "Argument=1\n" "Initrd=file.elf\n"
                             "DeviceTree=file.elf\n"),
                .error = "test.platform:12: [Processor s] Entry=: the kernel says itself where it begins; remove it\n"
                         "test.platform:13: [Processor s] Argument=: Linux gets the address of its device tree there; remove it\n"
                         "test.platform:14: [Processor s] Initrd=: the device tree that DeviceTree= names is used as it is, and "
                         "does not tell where hetd puts this; remove one of them",
        },
        {
                .name = "kernel of a slave by another protocol, with firmware",
                .text = TEXT(MASTER SLAVE "Kernel=file.elf\n" "Protocol=raw\n" "Firmware=file.elf\n"),
                .error = "test.platform:11: [Processor s] Kernel=: there is Firmware= already (line 13); choose one",
        },
        {
                .name = "kernel of a slave by another protocol",
                .text = TEXT(MASTER SLAVE "Kernel=file.elf\n" "Protocol=raw\n"),
                .error = "test.platform:12: [Processor s] Protocol=: a kernel boots by linux only; remove it, or write "
                         "Protocol=linux",
        },
        {
                .name = "kernel of a slave at an address that Linux cannot do with",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x60110000\n" "Kernel=file.elf\n"),
                .error = "test.platform:10: [Processor s] Window=: Linux needs its memory at a multiple of 2M, and 0x60110000 is "
                         "none; write an address like 0x60000000",
        },
        {
                .name = "kernel of a Cortex-M",
                .text = TEXT(MASTER CORTEX_M "Kernel=file.elf\n"),
                .error = "test.platform:10: [Processor t] Kernel=: mps2-an385 cannot run Linux with a device tree; use Firmware=",
        },
        {
                .name = "argument of a slave with Linux",
                .text = TEXT(MASTER SLAVE "Protocol=linux\n" "Argument=1\n"),
                .error = "test.platform:12: [Processor s] Argument=: Linux gets the address of its device tree "
                         "there; remove it",
        },
        {
                .name = "kernel on a board with no device tree",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=mps2-an385\n" "Kernel=file.elf\n"
                             "DeviceTree=file.elf\n"),
                .error = "test.platform:4: [Processor m] Kernel=: mps2-an385 cannot run Linux with a device "
                         "tree; use Firmware=\n"
                         "test.platform:5: [Processor m] DeviceTree=: mps2-an385 has no device tree; remove it",
        },
        {
                .name = "slave keys on a master",
                .text = TEXT(MASTER "Entry=0x40000000\n" "Argument=1\n" "Protocol=raw\n" "AutoBoot=yes\n"),
                .error = "test.platform:6: [Processor m] Entry=: is for slaves only; remove it from the master\n"
                         "test.platform:7: [Processor m] Argument=: is for slaves only; remove it from the "
                         "master\n"
                         "test.platform:8: [Processor m] Protocol=: is for slaves only; remove it from the "
                         "master\n"
                         "test.platform:9: [Processor m] AutoBoot=: is for slaves only; remove it from the "
                         "master",
        },
        {
                .name = "external",
                .text = TEXT(MASTER "Start=external\n" "QEMU=qemu\n" "ExtraArguments=-s\n" "Firmware=file.elf\n"),
                .error = "test.platform:7: [Processor m] QEMU=: has no effect with Start=external: who starts "
                         "that QEMU chooses it; remove it\n"
                         "test.platform:8: [Processor m] ExtraArguments=: has no effect with Start=external: "
                         "who starts that QEMU chooses it; remove it\n"
                         "test.platform:9: [Processor m] Firmware=: has no effect with Start=external: who "
                         "starts that QEMU chooses it; remove it",
        },
        {
                .name = "a monitor of hetd's own",
                .text = TEXT(MASTER SLAVE "Monitor=/run/slave.qmp\n"),
                .error = "test.platform:11: [Processor s] Monitor=: is for a QEMU that somebody else starts; add Start=external, "
                         "or remove it",
        },
        {
                .name = "a monitor that is nowhere",
                .text = TEXT(MASTER SLAVE "Start=external\n" "Monitor=dbus:\n"),
                .error = "test.platform:12: [Processor s] Monitor=: dbus:: it has neither a name nor an address; it is "
                         "dbus:NAME,vm=VM,monitor=CHARDEV,console=CHARDEV,address=ADDRESS, of which any may be left out",
        },
        {
                .name = "external slave",
                .text = TEXT(MASTER SLAVE "Start=external\n" "ExtraArguments=-s\n"),
                .error = "test.platform:12: [Processor s] ExtraArguments=: has no effect with Start=external: "
                         "who starts that QEMU chooses it; remove it",
        },
        {
                .name = "start",
                .text = TEXT(MASTER "Start=systemd\n"),
                .error = "test.platform:6: [Processor m] Start=: 'systemd' is not known; use hetd (hetd starts "
                         "it) or external (you start and attach it)",
        },
        {
                .name = "entry no number",
                .text = TEXT(MASTER SLAVE "Entry=main\n"),
                .error = "test.platform:11: [Processor s] Entry=: 'main' is no address; write it like 0x60000000",
        },
        {
                .name = "entry outside",
                .text = TEXT(MASTER SLAVE "Entry=0x70000000\n"),
                .error = "test.platform:11: [Processor s] Entry=: 0x70000000 is not inside the window; it is "
                         "seen at 0x60000000–0x63ffffff and at 0x40000000–0x43ffffff",
        },
        {
                .name = "entry of a vector table unaligned",
                .text = TEXT(MASTER CORTEX_M "Entry=0x70000004\n"),
                .error = "test.platform:10: [Processor t] Entry=: a vector table begins at a multiple of 128, "
                         "not at 0x70000004; write Entry=0x70000000",
        },
        {
                .name = "argument too large",
                .text = TEXT(MASTER SLAVE "Argument=0x10000000000000000\n"),
                .error = "test.platform:11: [Processor s] Argument=: '0x10000000000000000' is no number of 64 "
                         "bits; write it like 0x60000000",
        },
        {
                .name = "protocol",
                .text = TEXT(MASTER SLAVE "Protocol=multiboot\n"),
                .error = "test.platform:11: [Processor s] Protocol=: 'multiboot' is no boot protocol; use auto, "
                         "raw, linux or vector-table",
        },
        {
                .name = "vector table on an A-profile",
                .text = TEXT(MASTER SLAVE "Protocol=vector-table\n"),
                .error = "test.platform:11: [Processor s] Protocol=: vector-table is for Cortex-M; virt boots "
                         "by raw or linux",
        },
        {
                .name = "linux on a Cortex-M",
                .text = TEXT(MASTER CORTEX_M "Protocol=linux\n"),
                .error = "test.platform:10: [Processor t] Protocol=: mps2-an385 is a Cortex-M, which boots by "
                         "vector-table only",
        },
        {
                .name = "auto boot",
                .text = TEXT(MASTER SLAVE "AutoBoot=maybe\n"),
                .error = "test.platform:11: [Processor s] AutoBoot=: 'maybe' is neither yes nor no, nor master (its Linux boots it)",
        },
        {
                .name = "auto boot of nothing",
                .text = TEXT(MASTER SLAVE "AutoBoot=yes\n"),
                .error = "test.platform:11: [Processor s] AutoBoot=: there is nothing to boot; add Firmware=, Kernel= or "
                         "Entry=, or write AutoBoot=no",
        },
};

static void test_processors(void **state) {
        platform_cases_check(processors_cases, G_N_ELEMENTS(processors_cases));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_processors),
        };

        return cmocka_run_group_tests(tests, platform_cases_set_up, platform_cases_tear_down);
}
