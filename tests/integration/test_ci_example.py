#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""contrib/ci: the script that a CI job runs, and whether the jobs can be read."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from hetctl_fixture import DEADLINE, FILE, FIRMWARE, HETCTL, HETD, QEMU, TIMED_OUT, TOP, main

CI = TOP / "contrib/ci"
FAIL_WAS_PRINTED = 8


class RunPlatform(unittest.TestCase):
    def run_platform(self, processor, text, *options, file=FILE):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DBUS_")}
        environment["PATH"] = f"{HETD.parent}:{HETCTL.parent}:{environment['PATH']}"
        return subprocess.run([CI / "run-platform", "--qemu", f"arm={QEMU}", "--set", f"FIRMWARE_DIR={FIRMWARE}", *options, file, processor,
                               text], env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False)

    def test_passes(self):
        with tempfile.TemporaryDirectory() as directory:
            artifacts = pathlib.Path(directory, "logs")
            result = self.run_platform("master", "received vector 3 from slave 1", "--artifacts", str(artifacts), "--fail", "PANIC")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("first light on Cortex-A15", (artifacts / "run/first-light/master.log").read_text(encoding="utf-8"))
            self.assertIn("org.hetd1", (artifacts / "hetd.log").read_text(encoding="utf-8"))
        self.assertRegex(result.stdout, r"(?m)^master \| master: first light on Cortex-A15")

    def test_fails(self):
        result = self.run_platform("master", "never printed", "--fail", "slave1: received vector 3")
        self.assertEqual(result.returncode, FAIL_WAS_PRINTED, result.stderr)
        self.assertRegex(result.stderr, "(?m)^run-platform: .* was printed")
        result = self.run_platform("master", "never printed", "--timeout", "2s")
        self.assertEqual(result.returncode, TIMED_OUT)
        self.assertIn("REASON", result.stderr)                  # the states, for who reads the job's log

    def test_mistakes(self):
        self.assertEqual(self.run_platform("master", "x", file="/nowhere.platform").returncode, 3)
        self.assertEqual(self.run_platform("master", "x", "--what").returncode, 2)


class Jobs(unittest.TestCase):
    def load(self, name):
        try:
            import yaml
        except ImportError:
            self.skipTest("python3 has no module yaml")
        return yaml.safe_load((CI / name).read_text(encoding="utf-8"))

    def scripts(self, text):
        """What they run is there."""
        for word in text.split():
            if (path := word.partition("$(")[2] or word).startswith("qemu-het/"):
                self.assertTrue((TOP / path.removeprefix("qemu-het/")).exists(), path)

    def test_github(self):
        steps = self.load("github-actions.yml")["jobs"]["platform"]["steps"]
        self.scripts("\n".join(step.get("run", "") for step in steps))

    def test_gitlab(self):
        job = self.load("gitlab-ci.yml")["platform"]
        self.scripts("\n".join(job["before_script"] + job["script"]))


if __name__ == "__main__":
    main()
