#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of how to use org.hetd1: each language does the same to a real platform, and says the same."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import unittest

from het_events import DEADLINE
from het_harness import EXAMPLE, FIRMWARE, TOP, TestCase, main

EXAMPLES = TOP / "clients/examples"
BUILT = pathlib.Path(os.environ.get("QEMU_HET_BUILD", TOP / "build")) / "clients/examples/start-and-kick"
# Its master may have sent it some, too
SAID = r"^first-light: running\nslave2: running\nslave2: it was sent [1-9]\d*\nfirst-light: stopped\n$"


class Examples(TestCase):
    def run_example(self, program, *arguments):
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, env=self.bus.environment(),
                              timeout=DEADLINE)

    def check(self, program):
        result = self.run_example(program, EXAMPLE, "slave2", f"FIRMWARE_DIR={FIRMWARE}")
        self.assertRegex(result.stdout, SAID, result.stderr)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        # It has left nothing, and can be done again
        self.assertRegex(self.run_example(program, EXAMPLE, "slave2", f"FIRMWARE_DIR={FIRMWARE}").stdout, SAID)
        # What hetd says is against it comes through
        result = self.run_example(program, EXAMPLE, "slave2", "FIRMWARE_DIR=/nowhere")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("name a file that is there", result.stderr)
        self.assertNotEqual(self.run_example(program, EXAMPLE).returncode, 0)

    def test_busctl(self):
        self.check(EXAMPLES / "start-and-kick.sh")

    @unittest.skipUnless(importlib.util.find_spec("gi"), "there is no python3-gi")
    def test_python(self):
        self.check(EXAMPLES / "start-and-kick.py")

    @unittest.skipUnless(shutil.which("gdbus-codegen") and BUILT.exists(), "there is no gdbus-codegen, so it was not built")
    def test_c(self):
        self.check(BUILT)


if __name__ == "__main__":
    main()
