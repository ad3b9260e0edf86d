#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: the files of remoteproc in sysfs and debugfs, as Documentation/ABI/testing has them, and what is refused.
"""

from het_harness import main
from het_linux import CLASS, RemoteprocTestCase, SLAVES, bad_images, need_guest


class Abi(RemoteprocTestCase):
    def test_abi_refusals(self):
        """As Documentation/ABI/testing/sysfs-class-remoteproc has it"""
        self.refused(0, "state", "stop", "Invalid argument")
        self.refused(0, "state", "jump", "Invalid argument")
        self.refused(0, "state", "detach", "Invalid argument")
        self.write(0, "firmware", "missing.elf")
        self.refused(0, "state", "start", "No such file")
        self.assertEqual((self.state(0), self.slave1.state), ("offline", "ready"))
        self.write(0, "firmware", SLAVES[0])
        self.start(0)
        self.refused(0, "firmware", SLAVES[1], "busy")
        self.assertEqual(self.state(0), "running")


class Images(RemoteprocTestCase):
    def more_firmware(self):
        return bad_images()

    def test_bad_images(self):
        maps = "grep -c ioremap /proc/vmallocinfo; true"
        before = self.shell.ok(maps)
        for name in bad_images():
            with self.subTest(image=name):
                self.write(1, "firmware", name)
                self.shell.fails(f"echo start >{CLASS}1/state")
                self.assertEqual((self.state(1), self.slave2.state), ("offline", "ready"))
        self.assertEqual(self.shell.ok(maps), before, "mappings are left")
        self.write(1, "firmware", SLAVES[1])
        self.start(1)
        self.echo(self.tty(1), "still well")


if __name__ == "__main__":
    need_guest()
    main()
