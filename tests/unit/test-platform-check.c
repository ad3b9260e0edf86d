/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What does not fit together in a platform file: processors and their files, memory and windows. */

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

static const PlatformCase restart_cases[] = {
        {
                .name = "restart",
                .text = TEXT(MASTER SLAVE "Restart=on-crash\n"),
                .error = "test.platform:11: [Processor s] Restart=: 'on-crash' is not known; use no, on-failure or "
                         "always",
        },
        {
                .name = "master's reset",
                .text = TEXT(MASTER "OnMasterReset=stop\n" SLAVE "OnMasterReset=continue\n"),
                .error = "test.platform:6: [Processor m] OnMasterReset=: is for slaves only; remove it from the master\n"
                         "test.platform:12: [Processor s] OnMasterReset=: 'continue' is not known; use stop (it is "
                         "stopped) or keep (it goes on)",
        },
        {
                .name = "access",
                .text = TEXT(MASTER "Access=ro\n" SLAVE "Access=read\n"),
                .error = "test.platform:6: [Processor m] Access=: is for slaves only; remove it from the master\n"
                         "test.platform:12: [Processor s] Access=: 'read' is not known; use rw (it reads and writes its "
                         "window) or ro (it only reads)",
        },
        {
                .name = "access of Linux",
                .text = TEXT(MASTER SLAVE "Access=ro\n" "Protocol=linux\n"),
                .error = "test.platform:11: [Processor s] Access=: Linux cannot run in memory that it cannot write to",
        },
        {
                .name = "master's failure",
                .text = TEXT(MASTER "OnMasterFailure=stop\n" SLAVE "OnMasterFailure=restart\n"),
                .error = "test.platform:6: [Processor m] OnMasterFailure=: is for slaves only; remove it from the master\n"
                         "test.platform:12: [Processor s] OnMasterFailure=: 'restart' is not known; use stop (it is "
                         "stopped) or keep (it goes on)",
        },
        {
                .name = "limits of a master without a restart",
                .text = TEXT(MASTER "RestartSec=1s\n"),
                .error = "test.platform:6: [Processor m] RestartSec=: has no effect without Restart=; add "
                         "Restart=on-failure, or remove it",
        },
        {
                .name = "restart of what hetd does not start",
                .text = TEXT(MASTER SLAVE "Start=external\n" "Restart=always\n" "StartLimitBurst=3\n"),
                .error = "test.platform:12: [Processor s] Restart=: has no effect with Start=external: hetd does "
                         "not start that QEMU; remove it\n"
                         "test.platform:13: [Processor s] StartLimitBurst=: has no effect with Start=external: hetd "
                         "does not start that QEMU; remove it",
        },
        {
                .name = "spans of time",
                .text = TEXT(MASTER SLAVE "Restart=always\n" "RestartSec=soon\n" "StartLimitIntervalSec=-1\n"),
                .error = "test.platform:12: [Processor s] RestartSec=: 'soon' is no span of time; write it like "
                         "100ms, 5s or 1min 30s\n"
                         "test.platform:13: [Processor s] StartLimitIntervalSec=: '-1' is no span of time; write it "
                         "like 100ms, 5s or 1min 30s",
        },
        {
                .name = "long pause",
                .text = TEXT(MASTER SLAVE "Restart=always\n" "RestartSec=infinity\n"),
                .error = "test.platform:12: [Processor s] RestartSec=: infinity is too long; the longest pause is "
                         "1h",
        },
        {
                .name = "start limit",
                .text = TEXT(MASTER SLAVE "Restart=always\n" "StartLimitBurst=1000001\n"),
                .error = "test.platform:12: [Processor s] StartLimitBurst=: '1000001' is no number of starts; use 1 "
                         "to 1000000, or 0 for no limit",
        },
        {
                .name = "limits without a restart",
                .text = TEXT(MASTER SLAVE "RestartSec=1s\n" CORTEX_M "Restart=no\n" "RestartSec=1s\n"),
                .error = "test.platform:11: [Processor s] RestartSec=: has no effect without Restart=; add "
                         "Restart=on-failure, or remove it",
        },
        {
                .name = "limits that are none",
                .text = TEXT("[Platform]\nTasksMax=many\n" MASTER "MemoryMax=1Q\nCPUQuota=50\nAllowedCPUs=3-1\nCPUWeight=0\n"),
                .error = "test.platform:2: [Platform] TasksMax=: 'many' is no number of tasks; write it like 64, or infinity\n"
                         "test.platform:8: [Processor m] MemoryMax=: '1Q' is no size; write it like 512M, 2G, 20% or infinity\n"
                         "test.platform:9: [Processor m] CPUQuota=: '50' is no part of a CPU's time; write it like 20%, or 150% for one and a "
                         "half CPUs\n"
                         "test.platform:10: [Processor m] AllowedCPUs=: '3-1' is no list of CPUs; write it like 0-3 or 0,2,5-7\n"
                         "test.platform:11: [Processor m] CPUWeight=: '0' is no weight; use 1 to 10000",
        },
        {
                .name = "console log that keeps nothing",
                .text = TEXT(MASTER "ConsoleLogMax=4K\n" SLAVE "ConsoleLogMax=much\n"),
                .error = "test.platform:6: [Processor m] ConsoleLogMax=: 4K is too little; use 64K or more, or infinity\n"
                         "test.platform:12: [Processor s] ConsoleLogMax=: 'much' is no size; write it like 64M, 1G or 0x4000000",
        },
        {
                .name = "limits of what is no unit",
                .text = TEXT(MASTER "Unit=no\nTasksMax=8\n" SLAVE "Start=external\nUnit=yes\nIOWeight=5\n"),
                .error = "test.platform:7: [Processor m] TasksMax=: is kept by systemd, for units only; remove it, or Unit=no\n"
                         "test.platform:14: [Processor s] Unit=: has no effect with Start=external: who starts that QEMU chooses it; remove it\n"
                         "test.platform:15: [Processor s] IOWeight=: limits no QEMU that hetd has not started; remove it",
        },
        {
                .name = "watchdog that is too fast",
                .text = TEXT(MASTER SLAVE "WatchdogSec=999us\n" CORTEX_M "WatchdogSec=0\n" "WatchdogStartSec=1us\n"),
                .error = "test.platform:11: [Processor s] WatchdogSec=: 999us is too short; the shortest time is 1ms",
        },
        {
                .name = "watchdog that is too slow",
                .text = TEXT(MASTER SLAVE "WatchdogSec=infinity\n"),
                .error = "test.platform:11: [Processor s] WatchdogSec=: infinity is too long; the longest time is 1h",
        },
        {
                .name = "watchdog of the master, and half of one",
                .text = TEXT(MASTER "WatchdogSec=1s\n" SLAVE "WatchdogStartSec=1s\n"),
                .error = "test.platform:6: [Processor m] WatchdogSec=: is for slaves only; remove it from the master\n"
                         "test.platform:12: [Processor s] WatchdogStartSec=: has no effect without WatchdogSec=; add "
                         "WatchdogSec=, or remove it",
        },
};

static void test_restart(void **state) {
        platform_cases_check(restart_cases, G_N_ELEMENTS(restart_cases));
}

#define STM32 "Remoteproc=stm32\n"

static const PlatformCase remoteproc_cases[] = {
        {
                .name = "unknown remoteproc",
                .text = TEXT(PLATFORM "Remoteproc=imx\n" MASTER SLAVE "Remoteproc=stm\n"),
                .error = "test.platform:2: [Platform] Remoteproc=: 'imx' is not known; use stm32 (Linux's own driver) or idm "
                         "(the driver of this project)\n"
                         "test.platform:13: [Processor s] Remoteproc=: 'stm' is not known; use stm32 (Linux's own driver) or idm "
                         "(the driver of this project)",
        },
        {
                .name = "remoteproc of the master",
                .text = TEXT(MASTER STM32 SLAVE),
                .error = "test.platform:6: [Processor m] Remoteproc=: is for slaves only; remove it from the master",
        },
        {
                .name = "stm32 registers and an IDM on PCI",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=1G\n" "IDM=pci\n"
                             SLAVE "Remoteproc=stm32\n"),
                .error = "test.platform:12: [Processor s] Remoteproc=: STM32 registers are next to an IDM that the board "
                         "has, and not on PCI; use idm",
        },
        {
                .name = "stm32 registers on another board",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=mps2-an500, mps2-an505, mps2-an511, q35, pc, microvm\n"
                             "[Processor s]\n" "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n" "Window=2M@0x60000000\n" STM32),
                .error = "test.platform:9: [Processor s] Remoteproc=: mps2-an500 has no place for STM32 registers; use idm",
        },
        {
                .name = "stm32 registers and Linux in the slave",
                .text = TEXT(MASTER SLAVE "Protocol=linux\n" STM32),
                .error = "test.platform:12: [Processor s] Remoteproc=: Linux in a slave is not started by STM32 registers, which "
                         "know of no device tree; use idm",
        },
        {
                .name = "stm32 registers and a high window",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=8G\n"
                             SLAVE_WITHOUT_WINDOW "Window=2M@0xfff00000\n" STM32),
                .error = "test.platform:11: [Processor s] Remoteproc=: the window is not below 4 GiB, where STM32 registers and "
                         "their driver end; move it, or use idm",
        },
        {
                .name = "stm32 registers and a small window, for all slaves",
                .text = TEXT(PLATFORM STM32 MASTER SLAVE_WITHOUT_WINDOW "Window=1M@0x60000000\n"),
                .error = "test.platform:8: [Processor s] Remoteproc=: of the window 1 MiB is for rings and buffers, which leaves "
                         "nothing; make it larger, or use idm",
        },
};

static void test_auto_boot_by_master(void **state) {
        static const PlatformCase auto_boot = {
                .name = "booted by the master's Linux, but by a driver of ours",
                .text = TEXT(MASTER SLAVE "Remoteproc=idm\n" "AutoBoot=master\n"),
                .error = "test.platform:12: [Processor s] AutoBoot=: only the driver of Remoteproc=stm32 boots a slave by itself; write "
                         "Remoteproc=stm32, or AutoBoot=yes, with which hetd boots it",
        };

        platform_cases_check(&auto_boot, 1);
}

static void test_remoteproc(void **state) {
        platform_cases_check(remoteproc_cases, G_N_ELEMENTS(remoteproc_cases));
}

static void test_remoteproc_of_many(void **state) {
        g_autoptr(GString) text = g_string_new(PLATFORM STM32 MASTER);
        PlatformCase too_many = {
                .name = "22 slaves",
                .error = "test.platform:113: [Processor s22] Remoteproc=: virt has interrupts for the STM32 registers of 21 slaves, "
                         "this is one more; use idm for it",
        };

        for (unsigned i = 1; i <= 22; i++)
                g_string_append_printf(text, "[Processor s%u]\nRole=slave\nMachine=virt\nCPU=cortex-a15\nWindow=2M@0x%x\n", i,
                                       0x60000000 + i * 0x200000);
        too_many.text = text->str;
        too_many.size = text->len;
        platform_cases_check(&too_many, 1);
}

static const PlatformCase memory_cases[] = {
        {
                .name = "memory missing",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n"),
                .error = "test.platform:1: [Processor m] Memory=: is missing; the windows are parts of it, "
                         "write for example Memory=1G",
        },
        {
                .name = "memory not a size",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=1GB\n"),
                .error = "test.platform:5: [Processor m] Memory=: '1GB' is no size; write it like 64M, 1G or "
                         "0x4000000",
        },
        {
                .name = "memory too large for 64 bits",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n"
                             "Memory=99999999999T\n"),
                .error = "test.platform:5: [Processor m] Memory=: the size '99999999999T' is more than 64 bits "
                         "hold",
        },
        {
                .name = "memory too large",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=2T\n"),
                .error = "test.platform:5: [Processor m] Memory=: 2T is no possible size; it is 64K to 1T",
        },
        {
                .name = "memory zero",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=0\n"),
                .error = "test.platform:5: [Processor m] Memory=: 0 is no possible size; it is 64K to 1T",
        },
        {
                .name = "memory unaligned",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n"
                             "Memory=1000000\n"),
                .error = "test.platform:5: [Processor m] Memory=: the size 1000000 is not a multiple of 64K; "
                         "write Memory=1M",
        },
        {
                .name = "memory of a board that has another size",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=mps2-an385\n" "Memory=32M\n"),
                .error = "test.platform:4: [Processor m] Memory=: mps2-an385 has exactly 16M of memory, not "
                         "32M; write Memory=16M",
        },
        {
                .name = "memory of a slave",
                .text = TEXT(MASTER SLAVE "Memory=64M\n"),
                .error = "test.platform:11: [Processor s] Memory=: is for the master only; a slave's memory is "
                         "its window (Window=SIZE@ADDRESS)",
        },
        {
                .name = "window of a master",
                .text = TEXT(MASTER "Window=64M@0x60000000\n"),
                .error = "test.platform:6: [Processor m] Window=: is for slaves only; remove it from the master",
        },
        {
                .name = "window missing",
                .text = TEXT(MASTER "[Processor s]\n" "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n"),
                .error = "test.platform:6: [Processor s] Window=: is missing; write SIZE@ADDRESS, like "
                         "Window=64M@0x60000000",
        },
        {
                .name = "window without address",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M\n"),
                .error = "test.platform:10: [Processor s] Window=: '64M' is no window; write SIZE@ADDRESS, like "
                         "64M@0x60000000",
        },
        {
                .name = "window with a bad size",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64X@0x60000000\n"),
                .error = "test.platform:10: [Processor s] Window=: '64X' is no size; write it like 64M, 1G or "
                         "0x4000000",
        },
        {
                .name = "window with a bad address",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@here\n"),
                .error = "test.platform:10: [Processor s] Window=: 'here' is no address; write it like "
                         "0x60000000",
        },
        {
                .name = "window with an address of more than 64 bits",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x10000000000000000\n"),
                .error = "test.platform:10: [Processor s] Window=: the address '0x10000000000000000' is more "
                         "than 64 bits hold",
        },
        {
                .name = "window size zero",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=0@0x60000000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0 is no possible size; it is 64K to 1T",
        },
        {
                .name = "window size unaligned",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=100K@0x60000000\n"),
                .error = "test.platform:10: [Processor s] Window=: the size 100K is not a multiple of 64K; "
                         "write Window=128K@0x60000000",
        },
        {
                .name = "window address unaligned",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x60001000\n"),
                .error = "test.platform:10: [Processor s] Window=: the address 0x60001000 is not a multiple of "
                         "64K; write Window=64M@0x60000000",
        },
        {
                .name = "window beyond all addresses",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=128K@0xffffffffffff0000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0xffffffffffff0000 and 128K more is beyond "
                         "the end of all addresses; write a lower one",
        },
        {
                .name = "window of the wrong size for the board",
                .text = TEXT(MASTER "[Processor s]\n" "Role=slave\n" "Machine=mps2-an385\n"
                             "Window=64M@0x60000000\n"),
                .error = "test.platform:9: [Processor s] Window=: mps2-an385 has exactly 16M of memory, not "
                         "64M; write Window=16M@0x60000000",
        },
        {
                .name = "window below the memory",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x30000000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0x30000000–0x33ffffff is not inside the "
                         "master's memory (0x40000000–0x7fffffff); there is room at Window=64M@0x7c000000",
        },
        {
                .name = "window above the memory",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x80000000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0x80000000–0x83ffffff is not inside the "
                         "master's memory (0x40000000–0x7fffffff); there is room at Window=64M@0x7c000000",
        },
        {
                .name = "window half above the memory",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x7e000000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0x7e000000–0x81ffffff is not inside the "
                         "master's memory (0x40000000–0x7fffffff); there is room at Window=64M@0x7c000000",
        },
        {
                .name = "windows overlap",
                .text = TEXT(MASTER SLAVE "[Processor s2]\n" "Role=slave\n" "Machine=mps2-an385\n"
                             "Window=16M@0x63000000\n"),
                .error = "test.platform:14: [Processor s2] Window=: 0x63000000–0x63ffffff overlaps the window "
                         "of s in line 10 (0x60000000–0x63ffffff); there is room at Window=16M@0x7f000000",
        },
        {
                .name = "windows overlap by one page",
                .text = TEXT(MASTER SLAVE "[Processor s2]\n" "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n"
                             "Window=64K@0x63ff0000\n"),
                .error = "test.platform:15: [Processor s2] Window=: 0x63ff0000–0x63ffffff overlaps the window "
                         "of s in line 10 (0x60000000–0x63ffffff); there is room at Window=64K@0x7fff0000",
        },
        {
                .name = "the room found is below the other windows",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=256M\n"
                             "[Processor a]\n" "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n"
                             "Window=64M@0x4c000000\n" "[Processor b]\n" "Role=slave\n" "Machine=virt\n"
                             "CPU=cortex-a15\n" "Window=32M@0x4e000000\n"),
                .error = "test.platform:15: [Processor b] Window=: 0x4e000000–0x4fffffff overlaps the window of "
                         "a in line 10 (0x4c000000–0x4fffffff); there is room at Window=32M@0x4a000000",
        },
        {
                .name = "windows overlap, no room",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=128M\n"
                             "[Processor a]\n" "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n"
                             "Window=32M@0x46000000\n" "[Processor b]\n" "Role=slave\n" "Machine=virt\n"
                             "CPU=cortex-a15\n" "Window=64M@0x44000000\n"),
                .error = "test.platform:15: [Processor b] Window=: 0x44000000–0x47ffffff overlaps the window of "
                         "a in line 10 (0x46000000–0x47ffffff); there is no room for 64M, give the master more "
                         "memory or make windows smaller",
        },
        {
                .name = "window partly over the slave's own memory",
                .text = TEXT(MASTER SLAVE_WITHOUT_WINDOW "Window=64M@0x42000000\n"),
                .error = "test.platform:10: [Processor s] Window=: 0x42000000–0x45ffffff partly overlaps where "
                         "virt has its memory (0x40000000–0x43ffffff), which is the window seen once more; "
                         "there is room at Window=64M@0x7c000000",
        },
        {
                .name = "window where a Cortex-M cannot execute",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=virt\n" "CPU=cortex-a15\n" "Memory=2G\n"
                             "[Processor s]\n" "Role=slave\n" "Machine=mps2-an385\n" "Window=16M@0xa0000000\n"),
                .error = "test.platform:9: [Processor s] Window=: 0xa0000000–0xa0ffffff is no place for a "
                         "window of mps2-an385, which cannot execute code there, but can have it at "
                         "0x60000000–0x9fffffff; there is room at Window=16M@0x9f000000",
        },
        {
                .name = "window of an A-profile slave over devices",
                .text = TEXT("[Processor m]\n" "Role=master\n" "Machine=mps2-an385\n" "[Processor s]\n"
                             "Role=slave\n" "Machine=virt\n" "CPU=cortex-a15\n" "Window=1M@0x21000000\n"),
                .error = "test.platform:8: [Processor s] Window=: 0x21000000–0x210fffff is no place for a "
                         "window of virt, which has devices there, but can have it at 0x40000000–0x3fffffffff; "
                         "there is no room for 1M, give the master more memory or make windows smaller",
        },
};

static void test_memory(void **state) {
        platform_cases_check(memory_cases, G_N_ELEMENTS(memory_cases));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_processors),
                cmocka_unit_test(test_restart),
                cmocka_unit_test(test_remoteproc),
                cmocka_unit_test(test_auto_boot_by_master),
                cmocka_unit_test(test_remoteproc_of_many),
                cmocka_unit_test(test_memory),
        };

        return cmocka_run_group_tests(tests, platform_cases_set_up, platform_cases_tear_down);
}
