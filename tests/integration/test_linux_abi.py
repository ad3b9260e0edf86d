#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: the files of remoteproc in sysfs and debugfs, as Documentation/ABI/testing/sysfs-class-remoteproc
has them, and what is refused.
"""

from het_harness import main
from het_linux import CLASS, DEBUG, RemoteprocTestCase, SLAVES, bad_images, need_guest
from test_linux_attach import AttachTestCase

INVALID, BUSY, MISSING = "Invalid argument", "busy", "No such file"


class Abi(AttachTestCase):
    shares_boot = True

    def read(self, number, name):
        return self.shell.read(f"{CLASS}{number}/{name}")

    def test_name(self):
        for number in (0, 1):
            self.assertEqual(self.read(number, "name"), f"slave{number + 1}")
            self.shell.fails(f"echo other >{CLASS}{number}/name")
            self.assertEqual(self.read(number, "name"), f"slave{number + 1}")

    def test_firmware(self):
        self.assertEqual(self.read(1, "firmware"), self.firmware_names[1])
        self.write(1, "firmware", "first-light.elf")
        self.assertEqual(self.read(1, "firmware"), "first-light.elf")
        self.refused(1, "firmware", "", INVALID)
        self.assertEqual(self.read(1, "firmware"), "first-light.elf")
        self.write(1, "firmware", SLAVES[1])
        # Neither while it runs, nor while it is somebody else's, nor when it has failed
        self.start(1)
        self.refused(1, "firmware", "first-light.elf", BUSY)
        self.assertEqual((self.state(1), self.read(1, "firmware")), ("running", SLAVES[1]))
        self.write(1, "recovery", "disabled")
        self.shell.ok(f"echo crash >{self.tty(1)}; until grep -q crashed {CLASS}1/state; do :; done")
        self.refused(1, "firmware", "first-light.elf", BUSY)
        self.boot(0)
        self.refused(0, "firmware", SLAVES[1], BUSY)
        self.assertEqual(self.read(0, "firmware"), self.firmware_names[0])

    def test_missing_firmware(self):
        self.write(0, "firmware", "missing.elf")
        self.refused(0, "state", "start", MISSING)
        self.assertEqual((self.state(0), self.slave1.state), ("offline", "ready"))
        # The directory above is not where firmware comes from
        self.write(0, "firmware", "../modules.dep")
        self.shell.fails(f"echo start >{CLASS}0/state")
        self.write(0, "firmware", SLAVES[0])
        self.start(0)

    def test_no_resource_table(self):
        self.write(1, "firmware", "first-light.elf")
        since = self.console.mark()
        self.write(1, "state", "start")
        self.console.expect(self.no_table, since)
        self.assert_runs(1)
        self.assertEqual(self.shell.ok("ls /sys/bus/rpmsg/devices"), "")
        self.stop(1)

    def test_state(self):
        for word in ("stop", "detach", "jump", "", "running", "START", "startx"):
            self.refused(0, "state", word, INVALID)
            self.assertEqual((self.state(0), self.slave1.state), ("offline", "ready"))
        self.start(0)
        for word in ("detach", "jump", "", "offline"):
            self.refused(0, "state", word, INVALID)
            self.assertEqual(self.state(0), "running")
        # The core counts its users: what was started twice is stopped twice
        self.write(0, "state", "start")
        self.write(0, "state", "stop")
        self.assertEqual((self.state(0), self.slave1.state), ("running", "running"))
        self.echo(self.tty(0), "one user is left")
        self.stop(0)
        self.assertEqual(self.slave1.state, "ready")
        self.refused(0, "state", "stop", INVALID)

    def test_recovery(self):
        self.assertEqual(self.read(1, "recovery"), "enabled")
        for word in ("sometimes", "", "1"):
            self.refused(1, "recovery", word, INVALID)
            self.assertEqual(self.read(1, "recovery"), "enabled")
        self.write(1, "recovery", "disabled")
        self.assertEqual((self.read(1, "recovery"), self.read(0, "recovery")), ("disabled", "enabled"))
        self.start(1)
        self.shell.ok(f"echo crash >{self.tty(1)}; until grep -q crashed {CLASS}1/state; do :; done")
        # One that has crashed can neither be stopped nor attached to
        self.refused(1, "state", "stop", INVALID)
        self.refused(1, "state", "detach", INVALID)
        # "It will be automatically recovered as soon as recovery is enabled"
        since = self.console.mark()
        self.write(1, "recovery", "enabled")
        self.console.expect("creating channel rpmsg-ping addr", since)
        self.assertEqual((self.state(1), self.read(1, "recovery")), ("running", "enabled"))
        self.echo(self.tty(1), "back again")

    def test_coredump(self):
        self.assertEqual(self.read(0, "coredump"), "disabled")
        for word in ("enabled", "inline", "disabled"):
            self.write(0, "coredump", word)
            # The same in both places
            self.assertEqual((self.read(0, "coredump"), self.shell.read(f"{DEBUG}0/coredump")), (word, word))
            for bad in ("default", "", "2"):
                self.refused(0, "coredump", bad, INVALID)
                self.assertEqual(self.read(0, "coredump"), word)
        self.assertEqual(self.read(1, "coredump"), "disabled")
        self.write(0, "recovery", "disabled")
        self.start(0)
        self.shell.ok(f"echo crash >{self.tty(0)}; until grep -q crashed {CLASS}0/state; do :; done")
        self.refused(0, "coredump", "enabled", BUSY)
        self.assertEqual(self.read(0, "coredump"), "disabled")


class Images(RemoteprocTestCase):
    not_noticed = ()                    # what a driver starts though something is wrong with it

    def images(self):
        return bad_images()

    def more_firmware(self):
        return self.images()

    def test_bad_images(self):
        maps = "grep -c ioremap /proc/vmallocinfo; true"
        # What a driver maps at the first start, it may keep
        self.start(1)
        self.stop(1)
        before = self.shell.ok(maps)
        for name in self.images():
            with self.subTest(image=name):
                self.write(1, "firmware", name)
                if name in self.not_noticed:
                    self.write(1, "state", "start")
                    self.stop(1)
                else:
                    self.shell.fails(f"echo start >{CLASS}1/state")
                self.assertEqual((self.state(1), self.slave2.state), ("offline", "ready"))
        self.assertEqual(self.shell.ok(maps), before, "mappings are left")
        self.write(1, "firmware", SLAVES[1])
        self.start(1)
        self.echo(self.tty(1), "still well")


if __name__ == "__main__":
    need_guest()
    main()
