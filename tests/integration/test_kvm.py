#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
PCs under KVM, with their IDM on PCI: doorbells go from kernel to kernel, by ioeventfd and irqfd; where there is no irqfd, no control page,
or the other side is emulated, they go another way, which query-het names. The programs are those of the benchmark, which count. How often a
CPU leaves its virtual machine for an interrupt is counted beside ivshmem-doorbell: how long one takes is for the benchmark.
"""

import pathlib
import sys

import test_architectures
from het_harness import BUILD, FIRMWARE, QEMU, TOP, TestCase, main, skip_all
from het_kvm import what_is_missing_for_kvm
from het_qmp import Qmp

sys.path.append(str(TOP / "tests/bench"))
import ipi
from lab import Lab

KVM = "q35,accel=kvm"
ROUNDS, WARM_UP = 10000, 10                     # one in so many more is not measured
ROUND_TRIPS = r"^bench: result transport=idm label=\w+ n={} "
IVSHMEM_SERVER = pathlib.Path(QEMU).parent / "ivshmem-server"
PROGRAMS = ("bench-ivshmem-pc.rom", "bench-idm-pc-master.rom", "bench-idm-pc-slave.elf", "first-light-master-pc.rom", "first-light-slave-pc.elf")

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


class PairTestCase(TestCase):
    def start(self, master=KVM, slave=KVM, more=""):
        platform = self.hetd.define("kvm", PAIR.format(master=master, slave=slave, directory=self.directory, more=more))
        platform.start()
        platform.processor("slave").boot()
        self.console = platform.processor("master").console()
        self.console.expect(ROUND_TRIPS.format(ROUNDS))
        self.measure(ROUNDS // 10)              # it is told to by an interrupt of the old kind

    def measure(self, rounds=ROUNDS):
        since = self.console.mark()
        self.console.send(f"run again {rounds}\n")
        self.console.expect(ROUND_TRIPS.format(rounds), since)


class RoundTrips(PairTestCase):
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


def count(monitor, run):
    """What the only CPU of the answering side has counted meanwhile, for each round trip; KVM's names"""
    def read():
        with Qmp(monitor) as qmp:
            providers = qmp.call("query-stats", target="vcpu", providers=[{"provider": "kvm"}])
        return {s["name"]: s["value"] for s in providers[0]["stats"] if isinstance(s["value"], int)}

    before = read()
    run()
    return {name: (value - before[name]) / (ROUNDS + ROUNDS / WARM_UP) for name, value in read().items()}


class Exits(PairTestCase):
    def count_idm(self, more=""):
        self.start(more=more)
        return count(self.directory / "slave.qmp", self.measure)

    def count_ivshmem(self):
        with Lab(BUILD, QEMU, IVSHMEM_SERVER) as lab:
            pair, _ = ipi.start_ivshmem(lab, ipi.PC_KVM)
            return count(lab.directory / "ivshmem0-1.qmp", lambda: pair.measure(ROUNDS, 0))

    def test_beside_ivshmem(self):
        ours, peer = self.count_idm(), self.count_ivshmem()
        for name in ("mmio_exits", "io_exits"):         # those that end in QEMU
            self.assertLess(ours[name], 0.1, name)
        for name in ("halt_exits", "irq_injections"):
            self.assertLess(ours[name], peer[name] + 0.1, name)
        # The host may interrupt the CPU at any time; an access to a register is one more in each round trip
        self.assertLess(ours["exits"], peer["exits"] + 0.9)
        # What KVM had to emulate: with virtualization by the processor the doorbell, without it the whole program
        self.assertLess(ours["insn_emulation"], peer["insn_emulation"] + 16)

    def test_without_pages(self):
        self.assertGreater(self.count_idm("-global idm_ipi-pci.pages=off")["mmio_exits"], 1.9)


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
    for missing in (p for p in (pathlib.Path(QEMU).parent / "qemu-system-x86_64", IVSHMEM_SERVER, *(FIRMWARE / p for p in PROGRAMS)) if not p.exists()):
        skip_all(f"{missing} is not there")
    main()
