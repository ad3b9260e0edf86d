#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Huge pages as the memory of a slave, as a window and as the memory of a master. Most hosts have none until somebody asks for them; as root
this does, runs QEMU's test of them in a mount namespace of its own where hugetlbfs is there, and gives them back.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

from het_harness import QEMU, main, skip_all

PAGES = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
NEEDED = 16             # twice what each of its cases takes
TEST = pathlib.Path(QEMU).parent / "qtests/het-huge-test"
CASES = ("slave", "window", "master")

# The mount is gone with the namespace
SCRIPT = 'mount -t hugetlbfs -o pagesize=2M none "$0" && exec "$1" --tap -k'


def read(name):
    return int((PAGES / name).read_text(encoding="ascii"))


def free():
    return read("free_hugepages") - read("resv_hugepages")


def add(count):
    """More of them, or fewer; the kernel gives as many as it has memory for"""
    (PAGES / "nr_hugepages").write_text(str(max(0, read("nr_hugepages") + count)), encoding="ascii")


class HugePages(unittest.TestCase):
    def reserve(self):
        before = read("nr_hugepages")
        try:
            add(NEEDED - free())
        except OSError as e:
            self.skipTest(f"there are only {free()} huge pages free, and {PAGES}/nr_hugepages cannot be written: {e.strerror}")
        self.addCleanup(lambda: add(-added))
        added = read("nr_hugepages") - before
        if free() < NEEDED:
            self.skipTest(f"the kernel gives only {added} huge pages")

    def test_all(self):
        if free() < NEEDED:
            self.reserve()
        mount = self.enterContext(tempfile.TemporaryDirectory(prefix="het-huge-"))
        result = subprocess.run(["unshare", "--mount", "sh", "-c", SCRIPT, mount, TEST], capture_output=True, text=True, timeout=600,
                                env={**os.environ, "QTEST_QEMU_BINARY": QEMU}, check=False)
        if "1.." not in result.stdout and "mount" in result.stderr + result.stdout or "unshare" in result.stderr:
            self.skipTest(f"hugetlbfs cannot be mounted: {result.stderr.strip()}")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        for case in CASES:              # and was not skipped
            self.assertRegex(result.stdout, rf"(?m)^ok \d+ \S*/het/huge/{case}$")


if __name__ == "__main__":
    if not PAGES.is_dir():
        skip_all("this kernel has no huge pages of 2 MiB")
    if not TEST.exists():
        skip_all(f"{TEST} is not there")
    main()
