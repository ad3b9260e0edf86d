#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
The demo of the RFC from its own command lines, docs/examples/rfc-master.sh and rfc-slave.sh: Linux boots another Linux, and there
is nothing but the two QEMUs. QEMU_HET_GUEST is what scripts/build-guest has made.
"""

import os
import shutil
import signal
import subprocess

from het_events import Console
from het_harness import BUILD, MIB, QEMU, TOP, main, skip_all
from het_linux import ARMHF, Shell, need_guest
from het_standalone import StandaloneTestCase
from het_qmp import Qmp

import guest_image         # of scripts/lib

GUEST = ARMHF.directory
EXAMPLES = TOP / "docs/examples"
DEVICE_TREE = BUILD / "clients/het-device-tree/het-device-tree"
SHM = "/dev/shm"


class Terminal(Console):
    """A QEMU with -nographic: its console is its standard input and output."""

    def __init__(self, test, name, *arguments):
        self.errors = test.directory / f"{name}.stderr"
        log = test.directory / f"{name}.log"
        with open(log, "wb") as output, open(self.errors, "wb") as errors:
            self.process = test.start_process(*arguments, stdin=subprocess.PIPE, stdout=output, stderr=errors)
        self.monitor = test.directory / f"{name}.qmp"
        super().__init__(test.loop, str(log), "")
        test.addCleanup(self.close)

    def send(self, text):
        self.process.popen.stdin.write(text.encode())
        self.process.popen.stdin.flush()

    def close(self):
        super().close()
        self.process.popen.stdin.close()

    def query(self):
        with Qmp(self.monitor) as qmp:
            return qmp.call("query-het")

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Demo(StandaloneTestCase):
    def setUp(self):
        super().setUp()
        root = {"zImage": GUEST / "zImage", "uImage": GUEST / "uImage", "initrd": GUEST / "slave-initramfs.cpio.gz"}
        files = {f"root/{name}": (path.read_bytes(), 0o755) for name, path in root.items()}
        files["root/slave.dtb"] = (self.device_tree(), 0o644)
        initramfs = (GUEST / "initramfs.cpio.gz").read_bytes()
        (self.directory / "initrd").write_bytes(guest_image.append(initramfs, files))
        (self.directory / "zImage").symlink_to(GUEST / "zImage")
        for disk in ("disk.img", "slave-disk.img"):
            with open(self.directory / disk, "wb") as f:
                f.truncate(16 * MIB)
        self.count = 0
        os.environ["QEMU"] = QEMU

    def device_tree(self):
        text = (EXAMPLES / "rfc.platform").read_text(encoding="utf-8").replace("virt,highmem=off", "virt")
        platform = self.directory / "rfc.platform"
        platform.write_text(text, encoding="utf-8")
        return subprocess.run([DEVICE_TREE, f"--qemu=arm={QEMU}", "--set", f"GUEST_DIR={GUEST}", platform, "slave1"],
                              check=True, capture_output=True, timeout=120).stdout

    def start(self, name):
        self.count += 1
        unique = f"{name}{self.count}"
        return Terminal(self, unique, EXAMPLES / f"rfc-{name}.sh", "-qmp", f"unix:{unique}.qmp,server=on,wait=off")

    def slave_is_up(self, slave, since=0):
        slave.expect(r"^init: Linux .* is up$", since)
        slave.send("echo $((6 * 7)) is the answer\n")
        slave.expect("^42 is the answer$", since)

    def test_the_demo(self):
        slave = self.start("slave")                         # there is no master yet
        master = self.start("master")
        shell = Shell(master)
        shell.ok("set +m")
        shell.ok("insmod idm_test_mod.ko")
        self.assertEqual(shell.ok("load_bin_app --list"), "slave 1: ready, window 0x60000000-0x7fffffff (524288 KiB)")
        self.assertIn("slave 1 is running", shell.ok("load_bin_app 1 ./zImage ./slave.dtb ./initrd"))
        self.slave_is_up(slave)
        self.assertTrue(slave.find("Memory: .*K/524288K available"))
        info = slave.query()
        self.assertEqual((info["id"], info["state"], info["boots"]), (1, "running", 1))
        couple, = master.query()["couples"]
        self.assertEqual((couple["id"], couple["peer-state"], couple["request"]), (1, "running", "done"))
        self.assertEqual(couple["window"], {"address": 0x60000000, "size": 512 * MIB, "offset": 512 * MIB})

        # The disk that the command line gives it is there: it was not to be used before the boot
        slave.send("grep -c . /proc/partitions; echo partitions\n")
        slave.expect("^partitions$")

        # Stopped and started; killed, and another one in its place. Linux sees each of it.
        self.assertEqual(shell.ok("load_bin_app --stop 1"), "slave 1 is ready")
        shell.ok(">events; (load_bin_app --listen 1 2 >events 2>&1 &); until grep -q . events; do :; done")
        slave.kill()
        shell.ok("until load_bin_app --status 1 | grep -q crashed; do :; done")
        slave = self.start("slave")
        shell.ok("until load_bin_app --status 1 | grep -q ready; do :; done")
        shell.ok("until [ $(wc -l <events) -gt 2 ]; do :; done")
        self.assertIn("slave 1 is crashed", shell.ok("cat events"))
        self.assertIn("slave 1 is running", shell.ok("load_bin_app 1 ./uImage ./slave.dtb ./initrd"))
        self.slave_is_up(slave)

        # The very words of the RFC. Without a RAM disk it gets as far as looking for a disk
        shell.ok("load_bin_app --stop 1")
        since = slave.mark()
        shell.ok("load_bin_app 1 ./zImage ./slave.dtb")
        slave.expect("Kernel panic - not syncing: VFS: Unable to mount root fs", since)


if __name__ == "__main__":
    need_guest(ARMHF)
    if shutil.disk_usage(SHM).free < 1100 * MIB:
        skip_all(f"{SHM} has no room for the master's 1 GiB")
    main()
