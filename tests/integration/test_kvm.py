#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
PCs under KVM, with their IDM on PCI: doorbells go from kernel to kernel, by ioeventfd and irqfd; where there is no irqfd, no control page,
or the other side is emulated, they go another way, which query-het names. The programs are those of the benchmark, which count.
"""

import pathlib

import test_architectures
from het_harness import FIRMWARE, QEMU, TestCase, main, skip_all
from het_kvm import what_is_missing_for_kvm
from het_qmp import Qmp

KVM = "q35,accel=kvm"
ROUND_TRIPS = r"^bench: result transport=idm label=\w+ n=10000 "
PROGRAMS = ("bench-idm-pc-master.rom", "bench-idm-pc-slave.elf", "first-light-master-pc.rom", "first-light-slave-pc.elf")

PAIR = """[Processor master]
Role=master
Machine={master}
Memory=256M
Firmware=${{FIRMWARE_DIR}}/bench-idm-pc-master.rom
ExtraArguments=-chardev socket,id=test,path={directory}/master.qmp,server=on,wait=off -mon chardev=test,mode=control {more}

[Processor slave]
Role=slave
Id=1
Machine={slave}
Window=64M@0x60000000
Firmware=${{FIRMWARE_DIR}}/bench-idm-pc-slave.elf
ExtraArguments=-chardev socket,id=test,path={directory}/slave.qmp,server=on,wait=off -mon chardev=test,mode=control {more}
"""


class RoundTrips(TestCase):
    def start(self, master=KVM, slave=KVM, more=""):
        platform = self.hetd.define("kvm", PAIR.format(master=master, slave=slave, directory=self.directory, more=more))
        platform.start()
        platform.processor("slave").boot()
        console = platform.processor("master").console()
        console.expect(ROUND_TRIPS)
        since = console.mark()
        console.send("run again\n")             # an interrupt of the old kind, too
        console.expect(ROUND_TRIPS, since)

    def assertPath(self, name, doorbell, ioeventfd):
        """Which way the doorbells come that this processor gets, and whether it rings those of the other by ioeventfd"""
        with Qmp(self.directory / f"{name}.qmp") as qmp:
            couple = qmp.call("query-het")["couples"][0]
            text = qmp.call("human-monitor-command", command_line="info het")
        self.assertEqual((couple["doorbell"], couple["ioeventfd"]), (doorbell, ioeventfd), name)
        self.assertRegex(text, rf"(?m)^  doorbells by {doorbell}{', kicks by ioeventfd' if ioeventfd else ''}\r?$")

    def test_kernel_to_kernel(self):
        self.start()
        for name in ("master", "slave"):
            self.assertPath(name, "irqfd", True)

    def test_no_irqfd(self):
        self.start(more="-global idm_ipi-pci.irqfd=off")
        for name in ("master", "slave"):
            self.assertPath(name, "thread", True)

    def test_no_pages(self):
        self.start(more="-global idm_ipi-pci.pages=off")
        for name in ("master", "slave"):
            self.assertPath(name, "irqfd", False)

    def test_emulated_slave(self):
        self.start(slave="q35,accel=tcg")
        self.assertPath("master", "irqfd", True)
        self.assertPath("slave", "thread", False)

    def test_emulated_master(self):
        self.start(master="q35,accel=tcg")
        self.assertPath("master", "thread", False)
        self.assertPath("slave", "irqfd", True)


class Life(test_architectures.Architectures):
    """What the other side's states are reaches a guest under KVM as well."""

    def setUp(self):
        TestCase.setUp(self)
        text = (test_architectures.EXAMPLE.parent / "x86-and-arm.platform").read_text(encoding="utf-8")
        self.platform = self.hetd.define("kvm", text.replace("Machine=q35", f"Machine={KVM}"))
        self.master = self.platform.processor("master")

    def test_pc(self):
        self.start()
        self.check_cycle("pc", 2, 0x70000000)


if __name__ == "__main__":
    if reason := what_is_missing_for_kvm():
        skip_all(reason)
    for missing in (p for p in (pathlib.Path(QEMU).parent / "qemu-system-x86_64", *(FIRMWARE / p for p in PROGRAMS)) if not p.exists()):
        skip_all(f"{missing} is not there")
    main()
