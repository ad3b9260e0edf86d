#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""het-device-tree: it makes the device trees that hetd makes, and says what is wrong where it cannot."""

import os
import subprocess

from het_harness import BUILD, FIRMWARE, IDLE_MASTER, MASTER, MIB, QEMU, SLAVE1, SLAVE2, TestCase, main, platform_text
from device_tree import MAGIC, DeviceTree       # of scripts/lib

PROGRAM = BUILD / "clients/het-device-tree/het-device-tree"
LINUX = "Protocol=linux\nEntry=0x60000000\nCommandLine=console=ttyAMA0 quiet\n"
LOOP = b"\xfe\xff\xff\xea"              # b .


class Program(TestCase):
    def setUp(self):
        super().setUp()
        self.file = self.directory / "p.platform"

    def run_program(self, *arguments, qemu=QEMU):
        return subprocess.run([PROGRAM, f"--qemu=arm={qemu}", "--set", f"FIRMWARE_DIR={FIRMWARE}", *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False,
                              env={**os.environ, "TMPDIR": str(self.directory)})

    def tree(self, processor, *arguments):
        result = self.run_program(self.file, processor, *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result.stdout

    def assert_fails(self, status, pattern, *arguments, **values):
        result = self.run_program(*arguments, **values)
        self.assertEqual((result.returncode, result.stdout), (status, b""))
        self.assertRegex(result.stderr.decode(), pattern)
        self.assertEqual(list(self.directory.glob("het-device-tree-*")), [])


class Trees(Program):
    def boot(self):
        """The tree that hetd gives slave 1, out of its window"""
        platform = self.hetd.define("p", self.file.read_text())
        platform.start()
        slave = platform.processor("slave1")
        fd, offset, size = slave.get_memory()
        try:
            os.pwrite(fd, LOOP, offset)
            slave.boot()
            window = os.pread(fd, size, offset)
        finally:
            os.close(fd)
        position = window.rindex(MAGIC.to_bytes(4, "big"))
        self.assertEqual(position, size - MIB - 64 * 1024)
        return DeviceTree(window[position:])

    def test_slave(self):
        """The tree that the slave has at a boot differs in nothing but the seeds that QEMU throws each time."""
        self.file.write_text(platform_text(IDLE_MASTER, SLAVE1 + LINUX))
        made = DeviceTree(self.tree("slave1"))
        self.assertEqual(made.cells("/memory@60000000", "reg"), (0, 0x60000000, 0, 64 * MIB))
        self.assertEqual(made.string("/chosen", "bootargs"), "console=ttyAMA0 quiet")
        booted = self.boot()
        self.assertEqual(booted.without_seeds(), made.without_seeds())
        self.assertNotEqual(booted["/chosen"]["rng-seed"], made["/chosen"]["rng-seed"])

    def test_given(self):
        """DeviceTree= is what hetd takes, whatever it is"""
        blob = self.directory / "given.dtb"
        self.file.write_text(platform_text(MASTER, SLAVE1))
        blob.write_bytes(self.tree("slave1"))
        self.file.write_text(platform_text(MASTER, SLAVE1 + LINUX + "DeviceTree=given.dtb\n"))
        self.assertEqual(self.tree("slave1"), blob.read_bytes())

    def test_master(self):
        self.file.write_text(platform_text(MASTER, SLAVE1, SLAVE2))
        output = self.directory / "master.dtb"
        self.assertEqual(self.tree("master", "-o", output), b"")
        made = DeviceTree(output.read_bytes())
        self.assertEqual(made.cells("/memory@40000000", "reg"), (0, 0x40000000, 0, 1024 * MIB))
        self.assertEqual(made.cells("/reserved-memory/slave1@60000000", "reg"), (0, 0x60000000, 0, 64 * MIB))
        self.assertEqual(made.cells("/reserved-memory/slave2@70000000", "reg"), (0, 0x70000000, 0, 16 * MIB))
        idm = next(path for path in made if made[path].get("compatible", b"").startswith(b"het,idm-"))
        self.assertEqual(made.string(f"{idm}/slave@2", "label"), "slave2")


class Failures(Program):
    def setUp(self):
        super().setUp()
        self.file.write_text(platform_text(MASTER, SLAVE1, SLAVE2))

    def test_arguments(self):
        self.assert_fails(2, "A platform file and the name of a processor in it are needed.*--help", self.file)
        self.assert_fails(2, "more arguments", self.file, "slave1", "slave2")
        self.assert_fails(2, "--set=NAME: it must be NAME=VALUE", "--set=NAME", self.file, "slave1")
        self.assert_fails(2, "--qemu==x: it must be TARGET=PATH", "--qemu==x", self.file, "slave1")
        self.assert_fails(1, "Cannot read /nonexistent", "/nonexistent", "slave1")
        self.assert_fails(1, "There is no processor slave3 in p; there are master, slave1, slave2", self.file, "slave3")
        self.assert_fails(1, "slave1: There is no program /nonexistent: set QEMU= .* --qemu=arm=", self.file, "slave1",
                          qemu="/nonexistent")

    def test_output(self):
        self.assert_fails(1, "/nonexistent/x", "-o", "/nonexistent/x", self.file, "slave1")

    def test_platform(self):
        self.file.write_text(platform_text(MASTER, SLAVE1 + "Entri=5\n"))
        self.assert_fails(1, r"p.platform:\d+: \[Processor slave1\] Entri=: is not known here; did you mean Entry=",
                          self.file, "slave1")

    def test_board(self):
        self.assert_fails(1, r"slave2 \(mps2-an385\) has no device tree", self.file, "slave2")

    def test_qemu(self):
        self.assert_fails(1, "slave1: The QEMU that was asked for its device tree failed: it ended with status 1", self.file,
                          "slave1", qemu="/bin/false")
        self.assert_fails(1, "slave1: Cannot read the board's device tree: .*No such file", self.file, "slave1", qemu="/bin/true")
        self.file.write_text(platform_text(MASTER, SLAVE1.replace("cortex-a15", "cortex-a15000")))
        self.assert_fails(1, "it said: .*cortex-a15000", self.file, "slave1")


if __name__ == "__main__":
    main()
