#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Linux on a PC as the master, of docs/examples/linux-master-pc.platform: Debian's kernels for amd64 and i386, with what they leave out
of remoteproc and rpmsg, drive slaves of another architecture. test_linux_master.py and others have what else remoteproc does.
"""

import unittest

from het_harness import main
from het_kvm import what_is_missing_for_a_bios
from het_linux import PC, PC32, SLAVES, need_guest, what_is_missing
import test_linux_attach
import test_linux_pci

NO_KVM = what_is_missing_for_a_bios()
NO_PC32 = what_is_missing(PC32)


class Pc(test_linux_pci.Pci, test_linux_attach.AttachTestCase):
    guest = PC
    example = "linux-master-pc"
    changes = ()
    interrupt = "PCI-MSI"
    shares_boot = True

    def test_attach(self):
        """To a slave that hetd has booted"""
        self.assertEqual(self.shell.ok("uname -m"), self.guest.machine)
        self.boot(1)
        self.attach(1)
        self.echo(self.tty(1), "attached")
        self.detach(1)
        self.attach(1)
        self.stop(1)


class Intx(Pc):
    changes = (("CommandLine=", "CommandLine=pci=nomsi "),)
    interrupt = "IO-APIC"


class Microvm(Pc):
    changes = (("Machine=q35", "Machine=microvm,acpi=on,pcie=on"), ("CommandLine=", "CommandLine=tsc_early_khz=2300000 "))


class I440fx(Pc):
    changes = (("Machine=q35", "Machine=pc"),)


@unittest.skipIf(NO_PC32, NO_PC32)
class ThirtyTwoBits(Pc):
    """A Pentium III has no 64 bits; what Debian's kernel needs, it has."""
    guest = PC32
    changes = (("Machine=q35\n", "Machine=q35\nCPU=pentium3\n"),)


@unittest.skipIf(NO_KVM, NO_KVM)
class Kvm(Pc):
    changes = (("Machine=q35", "Machine=q35,accel=kvm"),)


if __name__ == "__main__":
    need_guest(PC)
    main()
