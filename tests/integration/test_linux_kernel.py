#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kernel= of a slave: what hetd makes of it, and why it refuses to. What such a Linux does then is in test_linux_slave."""

import test_linux_slave
from device_tree import DeviceTree
from het_bus import INVALID_ARGS
from het_harness import MIB, main
from het_linux import need_guest
from test_linux_slave import BUS, GUEST, SLAVE


class Boot(test_linux_slave.LinuxSlave):
    def test_shell(self):
        """Its window is all the memory that it has; what it was given is what het-device-tree tells."""
        self.define().start()
        shell = self.boot()
        self.assertIn(" armv7l ", shell.ok("uname -a"))
        self.assertEqual(shell.ok("cat /proc/cmdline"), "console=ttyAMA0 cryptomgr.notests")
        self.assertRegex(shell.ok("grep RAM /proc/iomem"), f"^{BUS:08x}-{BUS + 64 * MIB - 1:08x} : System RAM$")
        kib = int(shell.ok("sed -n 's/^MemTotal: *//p' /proc/meminfo").split()[0])
        self.assertGreater(kib, 32 * 1024)
        self.assertLess(kib, 64 * 1024)
        self.assertEqual(shell.ok("cat /proc/device-tree/platform-bus*/idm*/compatible | tr '\\0' '\\n'"), "het,idm-1.0")

        has, told = self.slaves_tree(shell), DeviceTree(self.tool("slave1"))
        for tree in (has, told):
            # Linux clears the seed that it has used
            tree["/chosen"].pop("kaslr-seed", None), tree["/chosen"].pop("rng-seed", None)
        self.assertEqual(has, told)
        start, end = told.cells("/chosen", "linux,initrd-start")[1], told.cells("/chosen", "linux,initrd-end")[1]
        self.assertEqual(end - start, (GUEST / "slave-initramfs.cpio.gz").stat().st_size)
        self.assertLessEqual(end, BUS + 63 * MIB)


class Errors(test_linux_slave.LinuxSlave):
    def refused(self, slave, pattern):
        self.define(slave).start()
        since = self.bus.mark()
        self.assertRefused(INVALID_ARGS, pattern, self.slave.boot)
        self.bus.mark()
        self.assertEqual(self.slave.state, "ready")
        self.assertEqual(self.bus.values(self.slave.path, "State", since), [])
        self.platform.stop()
        self.platform.remove()

    def test_window_too_small(self):
        self.refused(SLAVE.replace("64M@", "16M@"), "slave1: The window of 16M is too small for its Linux .* make it at least "
                                                   "Window=28M@0x60000000")

    def test_no_kernel(self):
        self.refused(SLAVE.replace("${GUEST_DIR}/uImage", "${GUEST_DIR}/slave-initramfs.cpio.gz"),
                     "slave-initramfs.cpio.gz: is compressed with gzip; unpack it first")
        self.refused(SLAVE.replace("${GUEST_DIR}/uImage", "${FIRMWARE_DIR}/rpmsg-slave-a15.elf"), "is an ELF file; use the zImage")
        cut = self.directory / "uImage"
        cut.write_bytes((GUEST / "uImage").read_bytes()[:MIB])
        self.refused(SLAVE.replace("${GUEST_DIR}/uImage", str(cut)), r"was cut off: the uImage has \d+ bytes, of which 1048576 are")

    def test_gone_before_the_boot(self):
        initrd = self.directory / "initrd"
        initrd.write_bytes(b"x")
        self.define(SLAVE.replace("${GUEST_DIR}/slave-initramfs.cpio.gz", str(initrd))).start()
        initrd.unlink()
        self.assertRefused(INVALID_ARGS, "initrd: cannot be read: No such file", self.slave.boot)
        self.assertEqual(self.slave.state, "ready")


if __name__ == "__main__":
    need_guest()
    main()
