#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""With nothing but busctl: the whole of first light, and the interfaces as the daemon shows them."""

import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree

from het_bus import ROOT, platform_path, processor_path
from het_events import Console
from het_harness import EXAMPLE, FIRMWARE, TOP, TestCase, main

PLATFORM = platform_path("first-light")
MASTER, SLAVE1, SLAVE2 = (processor_path("first-light", name) for name in ("master", "slave1", "slave2"))
NO_OPTIONS = ("a{sv}", "0")


class Busctl(TestCase):
    def run_busctl(self, *arguments):
        return subprocess.run(["busctl", "--user", *arguments], capture_output=True, text=True, check=False, env=self.bus.environment(),
                              timeout=600)

    def busctl(self, *arguments):
        result = self.run_busctl(*arguments)
        self.assertEqual(result.returncode, 0, f"busctl {arguments}: {result.stderr}")
        return result.stdout.strip()

    def call(self, path, interface, *arguments):
        return self.busctl("call", "org.hetd1", path, f"org.hetd1.{interface}", *arguments)

    def get(self, path, interface, name):
        return json.loads(self.busctl("--json=short", "get-property", "org.hetd1", path, f"org.hetd1.{interface}", name))["data"]

    def load(self):
        self.assertEqual(self.call(ROOT, "Manager", "LoadPlatform", "sa{sv}", str(EXAMPLE), "1", "Variables", "a{ss}", "1",
                                   "FIRMWARE_DIR", str(FIRMWARE)), f'o "{PLATFORM}"')


class Demo(Busctl):
    def job_ended(self, since, job):
        """What `busctl monitor` shows"""
        number, path, result, message = self.bus.signal("JobRemoved", since)
        self.assertEqual((job, result, message), (f'o "{path}"', "done", ""))
        self.assertEqual(path, f"{ROOT}/job/{number}")

    def console(self, path):
        console = Console(self.loop, self.get(path, "Processor", "ConsoleLog"), self.get(path, "Processor", "Console"))
        self.addCleanup(console.close)
        return console

    def test_first_light(self):
        self.load()
        since = self.bus.mark()
        self.job_ended(since, self.call(PLATFORM, "Platform", "Start", *NO_OPTIONS))
        states = self.bus.values(SLAVE2, "State", since)
        self.assertEqual(states, ["starting", "waiting", "ready"])
        consoles = {path: self.console(path) for path in (MASTER, SLAVE1, SLAVE2)}
        consoles[SLAVE1].expect("^slave1: booted from the shared window at 0x60000000, boot 1$")
        consoles[MASTER].expect("^master: received vector 3 from slave 1$")

        shown = self.busctl("get-property", "org.hetd1", SLAVE2, "org.hetd1.Processor", "State", "Reason", "Window", "MemoryGranted")
        self.assertEqual(shown.splitlines(), ['s "ready"', 's "granted"', "(tt) 1879048192 16777216", "b true"])
        self.call(SLAVE2, "Processor", "Boot", *NO_OPTIONS)
        consoles[SLAVE2].expect("^slave2: booted from the shared window at 0x70000000, boot 1$")
        consoles[MASTER].expect("^master: received vector 3 from slave 2$")
        self.call(SLAVE2, "Processor", "Kick", "ua{sv}", "13", "0")
        consoles[SLAVE2].expect("^slave2: received vector 13 from the master$")
        consoles[MASTER].expect("^master: received vector 13 from slave 2$")
        self.call(SLAVE2, "Processor", "Kick", "ua{sv}", "14", "1", "FromSlave", "b", "true")
        consoles[MASTER].expect("^master: received vector 14 from slave 2$")
        self.call(SLAVE2, "Processor", "Stop", *NO_OPTIONS)
        self.assertEqual(self.get(SLAVE2, "Processor", "State"), "ready")
        self.call(SLAVE2, "Processor", "Boot", "a{sv}", "1", "Load", "b", "true")
        consoles[SLAVE2].expect("^slave2: booted from the shared window at 0x70000000, boot 2$")
        self.call(SLAVE2, "Processor", "Reset", *NO_OPTIONS)
        self.call(SLAVE2, "Processor", "RevokeMemory", *NO_OPTIONS)
        self.assertEqual(self.get(SLAVE2, "Processor", "State"), "waiting")

        told = json.loads(json.loads(self.busctl("--json=short", "call", "org.hetd1", PLATFORM, "org.hetd1.Platform", "Describe"))["data"][0])
        self.assertEqual([p["state"] for p in told["processors"]], ["running", "running", "waiting"])
        self.call(PLATFORM, "Platform", "Pause")
        self.bus.wait_property(PLATFORM, "Platform", "State", "paused")
        self.call(PLATFORM, "Platform", "Resume")
        self.bus.wait_property(PLATFORM, "Platform", "State", "running")

        since = self.bus.mark()
        self.job_ended(since, self.call(ROOT, "Manager", "StopPlatform", "sa{sv}", "first-light", "0"))
        self.assertEqual(self.get(PLATFORM, "Platform", "State"), "stopped")
        self.call(PLATFORM, "Platform", "Remove")
        self.assertEqual(self.call(ROOT, "Manager", "ListPlatforms"), "a(ssso) 0")

    def test_errors_can_be_read(self):
        self.load()
        refused = self.run_busctl("call", "org.hetd1", SLAVE2, "org.hetd1.Processor", "Boot", *NO_OPTIONS)
        self.assertNotEqual(refused.returncode, 0)
        self.assertRegex(refused.stderr, r"slave2 is defined: .+")
        refused = self.run_busctl("call", "org.hetd1", ROOT, "org.hetd1.Manager", "LoadPlatform", "sa{sv}", "/nonexistent.platform", "0")
        self.assertIn("/nonexistent.platform", refused.stderr)

    def test_tree(self):
        self.load()
        shown = set(self.busctl("--list", "tree", "org.hetd1").split())
        self.assertLessEqual({ROOT, PLATFORM, MASTER, SLAVE1, SLAVE2}, shown)


def described(node):
    """An interface as plain data, so that two of them can be compared: members with their arguments, names, types and annotations"""
    members = {}
    for member in node:
        if member.tag == "annotation":
            continue
        arguments = [(a.get("name"), a.get("type"), a.get("direction", "out" if member.tag == "signal" else "in"))
                     for a in member if a.tag == "arg"]
        notes = {a.get("name"): a.get("value") for a in member if a.tag == "annotation"}
        # The bus library does not say what is the rule anyway
        if notes.get("org.freedesktop.DBus.Property.EmitsChangedSignal") == "true":
            del notes["org.freedesktop.DBus.Property.EmitsChangedSignal"]
        notes.pop("org.freedesktop.systemd1.Privileged", None)
        members[(member.tag, member.get("name"))] = (arguments, member.get("type"), member.get("access"), notes)
    return members


class Introspection(Busctl):
    def shown(self, path, interface):
        root = ElementTree.fromstring(self.busctl("--xml-interface", "introspect", "org.hetd1", path))
        return next(i for i in root if i.tag == "interface" and i.get("name") == interface)

    def compare(self, path, name):
        interface = f"org.hetd1.{name}"
        written = ElementTree.parse(TOP / f"hetd/dbus/{interface}.xml").getroot().find("interface")
        self.assertEqual(written.get("name"), interface)
        self.assertEqual(described(self.shown(path, interface)), described(written))

    def test_is_what_is_written(self):
        self.load()
        self.compare(ROOT, "Manager")
        self.compare(PLATFORM, "Platform")
        for path in (MASTER, SLAVE1, SLAVE2):
            self.compare(path, "Processor")

    def test_job_is_what_is_written(self):
        hanging = self.directory / "hanging"
        hanging.write_text("#!/bin/sh\nexec sleep infinity\n", encoding="utf-8")
        hanging.chmod(0o755)
        text = EXAMPLE.read_text(encoding="utf-8").replace("[Processor slave2]", f"[Processor slave2]\nQEMU={hanging}")
        platform = self.hetd.define("p", text)
        wait, job = platform.begin("Start")
        self.compare(job, "Job")
        self.busctl("call", "org.hetd1", job, "org.hetd1.Job", "Cancel")
        self.assertEqual(wait()[0], "canceled")

    def test_arguments_have_names(self):
        """In the description that busctl shows, and in that of each member"""
        self.load()
        for path, interface in ((ROOT, "Manager"), (PLATFORM, "Platform"), (SLAVE2, "Processor")):
            for member in self.shown(path, f"org.hetd1.{interface}"):
                for argument in member:
                    if argument.tag == "arg":
                        self.assertTrue(argument.get("name"), f"{interface}.{member.get('name')}")
        lines = self.busctl("introspect", "org.hetd1", SLAVE2).splitlines()
        kick = next(line.split() for line in lines if line.startswith(".Kick"))
        self.assertEqual(kick[1:4], ["method", "ua{sv}", "-"])

    def test_standard_interfaces(self):
        self.load()
        for path in (ROOT, PLATFORM, SLAVE2):
            root = ElementTree.fromstring(self.busctl("--xml-interface", "introspect", "org.hetd1", path))
            names = {i.get("name") for i in root if i.tag == "interface"}
            self.assertLessEqual({"org.freedesktop.DBus.Peer", "org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Properties"},
                                 names)
            self.assertEqual("org.freedesktop.DBus.ObjectManager" in names, path == ROOT)

    def test_every_interface_is_written(self):
        written = {name.removesuffix(".xml") for name in os.listdir(TOP / "hetd/dbus")}
        self.assertEqual(written, {f"org.hetd1.{name}" for name in ("Manager", "Platform", "Processor", "Job")})


if __name__ == "__main__":
    main()
