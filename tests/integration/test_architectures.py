#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Processors of different architectures in one platform: docs/examples/arm-and-riscv.platform and x86-and-arm.platform. (Linux of 64
bits with a Cortex-M is the business of test_linux_arm64.py.)
"""

import os
import pathlib
import unittest

from het_harness import EXAMPLE, FIRMWARE, QEMU, TestCase, main

UP = 0                  # the vector by which a slave says that it is up
GREETING = "Hello from the master, through shared memory"


def need(target, *programs):
    """Decorates tests that need QEMU's binary for this target, and programs of a compiler that may not be there."""
    binary = pathlib.Path(QEMU).parent / f"qemu-system-{target}"
    missing = [str(p) for p in (binary, *(FIRMWARE / p for p in programs)) if not p.exists()]
    return unittest.skipIf(missing, f"{missing and missing[0]} is not there")


class Architectures(TestCase):
    example = None      # the platform of all tests of a class; None: each test has one of its own

    def setUp(self):
        super().setUp()
        if self.example:
            self.use(self.hetd.load(self.example))

    def use(self, platform):
        self.platform = platform
        self.master = platform.processor("master")

    def start(self):
        self.platform.start()
        self.console = self.master.console()

    def check_talk(self, name, number, address, since, boot=1):
        """It has booted in its window, read what the master wrote there, and answered each vector."""
        console = self.platform.processor(name).console()
        console.expect(rf"^slave{number}: booted from the shared window at {address:#x}, boot {boot}$")
        console.expect(rf"^slave{number}: the master's greeting: {GREETING}$")
        for vector in (UP, 1, 2, 3):
            self.console.expect(rf"^master: received vector {vector} from slave {number}$", since)

    def boot(self, name, number, address, boot=1):
        self.console.expect(rf"^master: slave {number} is ready")       # its greeting is written then
        since = self.console.mark()
        self.platform.processor(name).boot()
        self.check_talk(name, number, address, since, boot)
        self.console.expect(rf"^master: slave {number} is running", since)

    def check_cycle(self, name, number, address):
        """Boot, stop, boot again: the window keeps what is in it; then the process is killed."""
        processor = self.platform.processor(name)
        self.boot(name, number, address)
        since = self.console.mark()
        processor.call("Stop")
        processor.wait_state("ready")
        self.console.expect(rf"^master: slave {number} is ready", since)
        self.boot(name, number, address, 2)
        since = self.console.mark()
        os.kill(processor.pid, 9)
        processor.wait_state("crashed")
        self.console.expect(rf"^master: slave {number} is crashed", since)


@need("riscv64", "first-light-slave-riscv64.elf", "first-light-slave-riscv32.elf")
class ArmAndRiscv(Architectures):
    example = "arm-and-riscv"

    def test_defined(self):
        for name in ("riscv64", "riscv32"):
            self.assertEqual(self.platform.processor(name).get("Machine"), "virt")

    def test_riscv64(self):
        self.start()
        self.check_cycle("riscv64", 1, 0x90000000)

    def test_riscv32(self):
        self.start()
        self.check_cycle("riscv32", 2, 0x92000000)

    def test_master_starts_them(self):
        """With the requests of its IDM, both at once."""
        self.start()
        self.console.expect(r"^master: first light on Cortex-A15$")     # it listens
        since = self.console.mark()
        for number in (1, 2):
            self.console.send(f"start {number}\n")
            self.console.expect(rf"^master: starting slave {number} with the platform's program$", since)
        for name, number, address in (("riscv64", 1, 0x90000000), ("riscv32", 2, 0x92000000)):
            self.check_talk(name, number, address, since)


@need("riscv32", "first-light-slave-riscv32.elf")
@need("riscv64")
class Riscv32(Architectures):
    """By QEMU's own target for 32 bits"""

    def test_riscv32(self):
        text = (EXAMPLE.parent / "arm-and-riscv.platform").read_text(encoding="utf-8")
        self.assertIn("CPU=rv32\n", text)
        self.use(self.hetd.define("riscv32", text.replace("CPU=rv32\n", "CPU=rv32\nTarget=riscv32\n")))
        self.start()
        self.check_cycle("riscv32", 2, 0x92000000)


@need("x86_64", "first-light-master-pc.rom", "first-light-slave-pc.elf")
class X86AndArm(Architectures):
    example = "x86-and-arm"

    def test_arm(self):
        """The master's guest puts the program there, and starts it."""
        self.start()
        self.check_talk("arm", 1, 0x60000000, 0)
        self.console.expect(r"^master: start of slave 1: done$")

    def test_pc(self):
        self.start()
        self.check_cycle("pc", 2, 0x70000000)


@need("x86_64", "first-light-master-pc32.rom", "first-light-slave-pc32.elf")
class PcOf32Bits(Architectures):
    """Masters and slaves on the boards of PCs, with CPUs that have no 64 bits"""

    def check(self, machine, cpu, more=""):
        text = (EXAMPLE.parent / "x86-and-arm.platform").read_text(encoding="utf-8")
        text = text.replace("Machine=q35\n", f"Machine={machine}\nCPU={cpu}\n{more}").replace("-pc.", "-pc32.")
        self.use(self.hetd.define("pc32", text))
        self.start()
        self.check_cycle("pc", 2, 0x70000000)

    def test_pc(self):
        self.check("pc", "pentium3")

    def test_q35(self):
        self.check("q35", "n270")

    def test_microvm(self):
        self.check("microvm,acpi=on,pcie=on", "qemu32")

    @need("i386")
    def test_target(self):
        """By QEMU's own target for 32 bits"""
        self.check("q35", "pentium3", "Target=i386\n")


if __name__ == "__main__":
    main()
