#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's Linux for PCs as a slave, of 64 bits and of 32, booted by hetd from Kernel=."""

import pathlib
import unittest

from het_harness import IDLE_MASTER, QEMU, TestCase, main, platform_text, skip_all
from het_linux import ARMHF, PC, PC32, Shell, need_guest, what_is_missing

SLAVE = """[Processor pc]
Role=slave
Id=1
Machine=q35
CPU={cpu}
Window=256M@0x60000000
Kernel=${{GUEST_DIR}}/{kernel}
Initrd=${{GUEST_DIR}}/slave-initramfs.cpio.gz
CommandLine=console=ttyS0 cryptomgr.notests {more}
"""
NO_PC32 = what_is_missing(PC32)


class LinuxPc(TestCase):
    def define(self, guest=PC, kernel=PC.kernel, cpu="qemu64", more=""):
        text = platform_text(IDLE_MASTER, SLAVE.format(kernel=kernel, cpu=cpu, more=more))
        self.slave = self.hetd.define("p", text, Variables={"GUEST_DIR": str(guest.directory)}).start().processor("pc")
        self.console = self.slave.console()

    def boot(self):
        since = self.console.mark()
        self.slave.boot()
        return Shell(self.console, since)

    def test_boots_again(self):
        self.define(more="panic=1")
        shell = self.boot()
        self.assertEqual(shell.ok("uname -m"), PC.machine)
        self.assertRegex(shell.ok("cat /proc/cmdline"), "panic=1$")
        # 256 MiB without the end, which is for virtio, and what the kernel takes
        self.assertIn(int(shell.ok("sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo")), range(160 << 10, 255 << 10))
        self.slave.call("Stop")
        self.slave.wait_state("ready")
        self.boot().ok("uname -r")

    @unittest.skipIf(NO_PC32, NO_PC32)
    def test_32_bits(self):
        self.define(PC32, cpu="pentium3")
        self.assertEqual(self.boot().ok("uname -m"), PC32.machine)

    def test_other_kernel(self):
        """Each for its own CPU"""
        if not (ARMHF.directory / "zImage").exists():
            self.skipTest("there is no Linux guest of armhf")
        self.define(ARMHF, "zImage")
        self.assertRefused("org.freedesktop.DBus.Error.InvalidArgs", "is a kernel for Arm, and pc is a PC", self.slave.boot)


if __name__ == "__main__":
    need_guest(PC)
    if not (pathlib.Path(QEMU).parent / "qemu-system-x86_64").exists():
        skip_all("there is no qemu-system-x86_64")
    main()
