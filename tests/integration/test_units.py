#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where no systemd starts QEMUs: what is said of units and limits then, and that nothing is left. With one it is tests/system."""

from het_harness import MASTER, SLAVE1, TestCase, main, platform_text

LIMIT = "MemoryMax=1G\n"


class Children(TestCase):
    def test_limits_are_not_kept(self):
        platform = self.hetd.define("limited", platform_text(MASTER, SLAVE1 + LIMIT)).start()
        said = "limited/slave1: Its QEMU is no unit of systemd: the limits of its platform file are not kept"
        self.assertEqual(self.hetd.log().count(said), 1)
        self.assertNotIn("limited/master: Its QEMU is no unit", self.hetd.log())
        self.assertEqual(platform.describe()["processors"][1]["limits"], {"MemoryMax": "1G"})
        self.assertEqual(platform.processor("slave1").get("Unit"), "")

    def test_unit_is_wanted(self):
        platform = self.hetd.define("wanted", platform_text(MASTER, SLAVE1 + "Unit=yes\n"))
        result, message = platform.job("Start")
        self.assertEqual((result, platform.state), ("failed", "failed"))
        self.assertIn("slave1: Unit=yes: this hetd has no systemd start its QEMUs: start hetd with --units", message)


class NoSystemd(TestCase):
    hetd_arguments = ("--units",)

    def test_start(self):
        platform = self.hetd.define("units", platform_text(MASTER, SLAVE1 + LIMIT))
        for _ in range(3):
            result, message = platform.job("Start")
            self.assertEqual((result, platform.state), ("failed", "failed"))
            self.assertRegex(message, "There is no systemd on this bus to start het-processor@units-[a-z0-9]+.service: start hetd without --units, "
                             "or write Unit=no")

    def test_without_units(self):
        platform = self.hetd.define("children", platform_text(MASTER + "Unit=no\n", SLAVE1 + "Unit=no\n")).start()
        self.assertEqual(platform.state, "running")


if __name__ == "__main__":
    main()
