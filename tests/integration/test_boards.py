#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Slaves on the boards with a Cortex-M that are in no example: Cortex-M7 and M33, and the other ones with an M3 and M4."""

import test_architectures
from het_harness import MASTER, SLAVE2, TestCase, main, platform_text


class Boards(test_architectures.Architectures):
    def setUp(self):
        TestCase.setUp(self)

    def check(self, machine, program="first-light-slave-m3"):
        slave = SLAVE2.replace("mps2-an385", machine).replace("first-light-slave-m3", program)
        self.platform = self.hetd.define("boards", platform_text(MASTER, slave))
        self.master = self.platform.processor("master")
        self.start()
        self.check_cycle("slave2", 2, 0x70000000)

    def test_cortex_m4(self):
        self.check("mps2-an386")

    def test_cortex_m7(self):
        self.check("mps2-an500")

    def test_cortex_m3_design_start(self):
        self.check("mps2-an511")

    def test_cortex_m33(self):
        self.check("mps2-an505", "first-light-slave-m33")


if __name__ == "__main__":
    main()
