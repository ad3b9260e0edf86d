#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: Debian's Linux starts and stops the slaves through remoteproc, and talks with them through rpmsg.
"""

from het_harness import main
from het_linux import CLASS, CUT_OFF, DEBUG, RemoteprocTestCase, SLAVES, VIRTIO_SIZE, WINDOWS, need_guest


class Master(RemoteprocTestCase):
    shares_boot = True

    def test_one_instance_for_each_slave(self):
        self.assertEqual(self.shell.ok("ls /sys/class/remoteproc"), "remoteproc0  remoteproc1")
        for number, name in enumerate(self.firmware_names):
            self.assertEqual(self.shell.read(f"{CLASS}{number}/name"), f"slave{number + 1}")
            self.assertEqual(self.shell.read(f"{CLASS}{number}/firmware"), name)
            self.assertEqual(self.state(number), "offline")
        self.assertEqual((self.slave1.state, self.slave2.state), ("ready", "ready"))
        self.check_memory(*WINDOWS.values())

    def test_start_talk_stop(self):
        for number, slave in enumerate((self.slave1, self.slave2)):
            since = (console := slave.console()).mark()
            self.start(number)
            self.assertEqual(slave.state, "running")
            base, size = WINDOWS[number]
            console.expect(rf"^{CUT_OFF}slave{number + 1}: rpmsg firmware, booted at {base:#x}$", since)
            # What it writes into its trace buffer, and where the rings are that it was told of
            trace = self.shell.read(f"{DEBUG}{number}/trace0")
            rings = base + size - VIRTIO_SIZE
            self.assertIn(f"rings at {rings:#x} and {rings + 0x10000:#x}", trace)
            self.echo(self.tty(number), f"Hello, slave{number + 1}")
        # Both at once: no answer is that of the other one
        one, two = self.tty(0), self.tty(1)
        self.assertNotEqual(one, two)
        self.shell.ok(f"exec 3<>{one} 4<>{two} && stty raw -echo <&3 && stty raw -echo <&4")
        for n in range(20):
            self.assertEqual(self.shell.ok(f"echo one{n} >&3; echo two{n} >&4; timeout 120 head -n 1 <&4; timeout 120 head -n 1 <&3"),
                             f"two{n}\none{n}")
        self.shell.ok("exec 3>&- 4>&-")
        for number, slave in enumerate((self.slave1, self.slave2)):
            self.stop(number)
            self.assertEqual((slave.state, slave.reason), ("ready", "stop"))
        self.assertEqual(self.shell.ok("ls /sys/bus/rpmsg/devices"), "")
        # Stopped, other firmware, started again; and the first one again
        self.write(1, "firmware", "first-light.elf")
        since = self.console.mark()
        self.write(1, "state", "start")
        self.console.expect(self.no_table, since)
        self.console.expect("remote processor slave2 is now up", since)
        self.assertEqual(self.state(1), "running")
        self.stop(1)
        self.write(1, "firmware", SLAVES[1])
        self.start(1)
        self.echo(self.tty(1), "again")

    def test_driver_comes_and_goes(self):
        """It stops what it has started, and leaves nothing: the next one finds a slave that is ready."""
        maps = "grep -c ioremap /proc/vmallocinfo; true"
        # Pools of memory for buffers are made at the first start, and are the kernel's to keep
        self.start(0)
        self.start(1)
        self.shell.ok(f"rmmod {self.driver}")
        self.assertEqual(self.shell.ok("ls /sys/class/remoteproc"), "")
        before = self.shell.ok(maps)
        for _ in range(3):
            self.shell.ok(f"modprobe {self.driver}")
            self.start(0)
            self.start(1)
            self.shell.ok(f"rmmod {self.driver}")
            self.assertEqual((self.slave1.state, self.slave2.state), ("ready", "ready"))
        self.assertEqual(self.shell.ok(maps), before, "mappings are left")
        self.assertEqual(self.shell.ok(f"grep -c {self.interrupts} /proc/interrupts; true"), "0")


if __name__ == "__main__":
    need_guest()
    main()
