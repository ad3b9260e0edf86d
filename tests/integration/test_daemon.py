#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hetd as a process: what it is started with, what is sent to it, and what must not end it."""

import os
import resource
import signal
import subprocess

from het_bus import ERROR
from het_harness import HETD, MASTER, SLAVE1, TestCase, main, platform_text


class Daemon(TestCase):
    def limit(self, pid):
        return resource.prlimit(pid, resource.RLIMIT_NOFILE)

    def test_text_that_is_cut(self):
        """A line too long to be quoted, with a character of two bytes where it is cut: hetd stays on the bus."""
        line = "x" * 59 + "ä" * 20
        text = self.assertRefused(ERROR + "InvalidPlatform", "is neither a group", self.hetd.define, "p", f"[Processor m]\n{line}\n")
        self.assertIn("x" * 59 + "ä'", text)
        self.assertEqual(self.hetd.platforms(), [])

    def test_reader_of_the_log_is_gone(self):
        self.assertEqual(self.hetd.end(), 0)
        read, write = os.pipe()
        self.hetd.start(stderr=write)
        os.close(write)
        os.close(read)
        platform = self.hetd.define("p", platform_text(MASTER, SLAVE1)).start()
        self.assertEqual(platform.state, "running")

    def test_sighup_ends_in_order(self):
        """The terminal was closed: no QEMU is left."""
        platform = self.hetd.define("p", platform_text(MASTER, SLAVE1)).start()
        self.assertEqual(platform.state, "running")
        os.kill(self.hetd.pid, signal.SIGHUP)
        self.assertEqual(self.hetd.process.wait(), 0)

    def test_limit_of_open_files(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 512:
            self.skipTest("the hard limit of open files is below 512")
        self.assertEqual(self.hetd.end(), 0)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        try:
            self.hetd.start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        platform = self.hetd.define("p", platform_text(MASTER, SLAVE1)).start()
        self.assertEqual(self.limit(self.hetd.pid), (hard, hard))
        self.assertEqual(self.limit(platform.processor("master").pid), (hard, hard))

    def refused(self, *arguments):
        """Runs hetd, which must refuse to start; returns what it says."""
        done = subprocess.run([HETD, "--user", *arguments], env=self.bus.environment(), stderr=subprocess.PIPE, check=False, timeout=60)
        self.assertIn(done.returncode, (1, 2))
        return done.stderr.decode("utf-8", "replace")

    def test_runtime_directory_of_everybody(self):
        everybody = self.directory / "everybody"
        everybody.mkdir()
        everybody.chmod(0o1777)
        self.assertRegex(self.refused(f"--runtime-dir={everybody}"), "nobody else can write to.*--runtime-dir=")
        self.assertEqual(os.listdir(everybody), [])

    def test_path_that_is_no_text(self):
        for option in (b"--platform-dir=", b"--runtime-dir=", b"--firmware-dir=", b"--qemu=arm="):
            self.assertRegex(self.refused(option + os.fsencode(self.directory) + b"/\xff"), "is not UTF-8")


if __name__ == "__main__":
    main()
