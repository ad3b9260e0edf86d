#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Linux of 64 bits whose IDM is on PCI, as that of a PC would be: the driver finds the slaves by its registers, and has its interrupt
by MSI-X, or by INTA#, which it shares.
"""

from het_harness import main
from het_linux import ARM64, CLASS, RemoteprocTestCase, SLAVES, WINDOWS, need_guest


class Pci(RemoteprocTestCase):
    guest = ARM64
    example = "linux-master-arm64"
    changes = (("Memory=1G\n", "Memory=1G\nIDM=pci\n"),)

    interrupt = "MSI"

    def test_start_talk_crash_stop(self):
        self.check_memory(*WINDOWS.values())
        self.assertEqual(self.shell.ok("ls /proc/device-tree 2>/dev/null | grep -c '^idm@' || true"), "0")
        self.assertRegex(self.shell.ok("grep -F 0000:00: /proc/interrupts"), rf"{self.interrupt}.* 0000:00:[0-9a-f]{{2}}\.0$")
        for number in (0, 1):
            self.assertEqual(self.shell.read(f"{CLASS}{number}/name"), f"slave{number + 1}")
            self.write(number, "firmware", SLAVES[number])
            self.start(number)
            self.echo(self.tty(number), f"Hello, slave{number + 1}")
        for number in (0, 1):
            since = self.console.mark()
            self.shell.ok(f"echo crash >{self.tty(number)}")
            self.wait_recovered(number, since)
            self.echo(self.tty(number), "back again")
        for number, slave in enumerate((self.slave1, self.slave2)):
            self.stop(number)
            self.assertEqual((slave.state, slave.reason), ("ready", "stop"))

    def test_unload(self):
        """The driver goes and comes: the device is quiet in between."""
        self.shell.ok("rmmod idm_rproc && modprobe idm_rproc")
        self.write(1, "firmware", SLAVES[1])
        self.start(1)
        self.echo(self.tty(1), "after a while")


class Intx(Pci):
    changes = (*Pci.changes, ("CommandLine=", "CommandLine=pci=nomsi "))
    interrupt = "GIC-0"


if __name__ == "__main__":
    need_guest(ARM64)
    main()
