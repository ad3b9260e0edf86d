#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each option, key, register, error and member that there is stands in its manual page, and the pages are well formed. What the README counts."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest
import xml.etree.ElementTree

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("QEMU_HET_BUILD", TOP / "build"))
DEADLINE = 60
WRITTEN, MADE = TOP / "docs/man", BUILD / "docs/man"


def read(path):
    return path.read_text(encoding="utf-8")


def help_of(*command):
    return subprocess.run([*map(str, command), "--help"], capture_output=True, text=True, timeout=DEADLINE, check=True).stdout


def options_in(text):
    return set(re.findall(r"(?m)^ +(?:-\w, )?--([a-z][a-z-]+)", text))


def rendered(page):
    """As a reader sees it, without bold and underlined text, and without hyphenation"""
    result = subprocess.run(["man", "--warnings", "--no-hyphenation", "--no-justification", "-l", page], capture_output=True, text=True,
                            timeout=DEADLINE, check=True, env=os.environ | {"MANWIDTH": "200", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""})
    assert not result.stderr, result.stderr
    return re.sub(r".\x08|\x1b\[[0-9;]*m", "", result.stdout)


class Commands(unittest.TestCase):
    def check(self, page, *texts):
        text = rendered(WRITTEN / page)
        for option in set.union(*map(options_in, texts)):
            self.assertRegex(text, rf"(?<!\w)--?{option}(?![\w-])", f"{page}: --{option}")

    def test_hetd(self):
        self.check("hetd.8", help_of(BUILD / "hetd/hetd"))

    def test_hetctl(self):
        program = BUILD / "clients/hetctl/hetctl"
        overview = help_of(program)
        verbs = re.findall(r"(?m)^  ([a-z]+) .*  [A-Z]", overview)
        self.assertIn("verify", verbs)
        self.check("hetctl.1", overview, *(help_of(program, verb) for verb in verbs))
        page = read(WRITTEN / "hetctl.1")
        for verb in verbs:
            self.assertRegex(page, rf"(?m)^\.It Ic {verb}\b", verb)

    def test_het_device_tree(self):
        self.check("het-device-tree.1", help_of(BUILD / "clients/het-device-tree/het-device-tree"))

    def test_het_libvirt(self):
        try:
            self.check("het-libvirt.8", help_of(TOP / "clients/libvirt/het-libvirt"))
        except subprocess.CalledProcessError as e:
            if "ModuleNotFoundError" in e.stderr:
                self.skipTest(e.stderr.splitlines()[-1])
            raise

    def test_load_bin_app(self):
        # It is built for the guests, so its help is read where it is written
        source = read(TOP / "guest/tools/load_bin_app/main.c")
        lines = re.findall(r'(?m)^"(.*)\\n"', source)
        self.assertTrue(lines[0].startswith("Usage: load_bin_app"))
        self.check("load_bin_app.1", "\n".join(lines))


@unittest.skipUnless(shutil.which("lowdown"), "there is no lowdown")
class Made(unittest.TestCase):
    def test_platform_file(self):
        page = rendered(MADE / "het.platform.5")
        source = read(TOP / "hetd/platform-keys.c")
        keys = re.findall(r'\[KEY_\w+\] *= \{ "(\w+)"', source)
        self.assertIn("Window", keys)
        in_page = re.findall(r"(?m)^ {3,7}(\w+)= +\(", page)
        self.assertEqual(sorted(set(keys) - set(in_page)), [])
        self.assertEqual(sorted(set(in_page) - set(keys) - {"Name", "Description"}), [])

    def test_bus(self):
        page = rendered(MADE / "org.hetd1.5")
        for path in (TOP / "hetd/dbus").glob("*.xml"):
            for member in xml.etree.ElementTree.parse(path).getroot().find("interface"):
                if member.tag in ("method", "signal", "property"):
                    self.assertRegex(page, rf"(?m)^ +{member.get('name')} ?\(", path.name)
        errors = re.findall(r'"org\.hetd1\.Error\.(\w+)"', read(TOP / "hetd/util/error.c"))
        self.assertTrue(errors)
        for error in errors:
            self.assertRegex(page, rf"\.{error}\b")

    def test_registers(self):
        page = rendered(MADE / "idm.7")
        names = re.findall(r"(?m)^#define IDM_(\w+?)(?:_LO|\(\w+\))? +\(?0x[0-9a-f]+(?: \+|\)| |$)",
                           read(TOP / "qemu-patches/new/include/hw/misc/idm-regs.h"))
        # Sizes, blocks and PCI's numbers are no registers, and the text has its own words for values
        names = {re.sub(r"_(HI|LO)$", "", name) for name in names if not re.search("^(COUPLE|EXTENSION|PCI_.*)$|_(SIZE|VALUE|NONE)$", name)}
        self.assertIn("DOORBELL", names)
        for name in names:
            self.assertRegex(page, rf"\b{name}(_LO|_HI)?\b")


class Pages(unittest.TestCase):
    def test_written_pages(self):
        for page in sorted(WRITTEN.glob("*.[1-8]")):
            self.assertIn("DESCRIPTION", rendered(page))


class Readme(unittest.TestCase):
    def test_lines_in_files_of_qemu(self):
        patches = b"".join(patch.read_bytes() for patch in (TOP / "qemu-patches").glob("*.patch"))
        numbers = subprocess.run(["git", "apply", "--numstat", "-"], input=patches, capture_output=True, check=True).stdout.decode()
        changed = sum(int(n) for line in numbers.splitlines() for n in line.split("\t")[:2])
        promised = re.search(r"fewer than (\d+) lines in files of its own", read(TOP / "README.md"))
        self.assertLess(changed, int(promised[1]))


if __name__ == "__main__":
    if not shutil.which("man"):
        print("1..0 # SKIP there is no man")
        sys.exit(77)
    unittest.main(verbosity=2)
