#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: the same again and again, and nothing leaks.

QEMU_HET_CYCLES  how often the slaves are started and stopped (default: 20); half as many crashes
"""

import os

from het_harness import main
from het_linux import RemoteprocTestCase, need_guest

CYCLES = int(os.environ.get("QEMU_HET_CYCLES", "20"))


class Long(RemoteprocTestCase):
    def leaks(self):
        return self.shell.ok("grep -c ioremap /proc/vmallocinfo; grep -c . /proc/interrupts; ls /sys/bus/rpmsg/devices | wc -l")

    def test_start_stop(self):
        """Many times, with traffic each time"""
        self.start(0)
        self.stop(0)
        before = self.leaks(), self.hetd.fds()
        for n in range(CYCLES):
            for number in (0, 1):
                self.start(number)
                self.echo(self.tty(number), f"cycle {n}")
                self.stop(number)
        self.assertEqual((self.leaks(), self.hetd.fds()), before)

    def test_crashes(self):
        self.start(0)
        before = None
        for n in range(CYCLES):
            since = self.console.mark()
            self.shell.ok(f"echo crash >{self.tty(0)}")
            self.wait_recovered(0, since)
            self.echo(self.tty(0), f"crash {n}")
            before = before or (self.leaks(), self.hetd.fds())
        self.assertEqual((self.leaks(), self.hetd.fds()), before)


if __name__ == "__main__":
    need_guest()
    main()
