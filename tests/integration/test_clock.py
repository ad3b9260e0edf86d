#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wall clock is set, forward and back by years: nothing that hetd waits for or counts by depends on it."""

import mmap
import os
import signal
import struct
import time

import test_watchdog
from het_harness import BUILD, Hetd, main

SHIFT_CLOCK = BUILD / "tests/integration/libshift-clock.so"
YEAR = 365 * 24 * 3600


class ShiftedHetd(Hetd):
    """A hetd, and QEMUs of it, whose wall clock can be set"""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.file = self.directory / "clock"
        self.file.write_bytes(bytes(16))
        with open(self.file, "r+b") as f:
            self.clock = mmap.mmap(f.fileno(), 16)

    def environment(self):
        sanitizer = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
        return {"LD_PRELOAD": str(SHIFT_CLOCK), "SHIFT_CLOCK": str(self.file), "ASAN_OPTIONS": sanitizer}

    def set_ahead(self, seconds):
        self.clock[:8] = struct.pack("<q", seconds * 10**9)

    def wall_timers(self):
        return struct.unpack_from("<Q", self.clock, 8)[0]


class Jumps(test_watchdog.Watchdog):
    watchdog = "WatchdogSec=3s\nRestart=on-failure\nStartLimitBurst=2\nStartLimitIntervalSec=1h\n"

    def setUp(self):
        super().setUp()
        self.assertEqual(self.hetd.end(), 0)
        self.hetd = ShiftedHetd(self.loop, self.bus, self.directory)
        self.addCleanup(self.hetd.close)
        self.hetd.start()

    def tearDown(self):
        super().tearDown()
        if not self.has_failed():
            self.assertEqual(self.hetd.wall_timers(), 0, "timers of hetd that go by the wall clock")

    def assert_ahead(self, seconds):
        """Of what hetd takes for the wall clock, within a month"""
        told = int(self.slave3.get("StateChangeTimestamp")) / 10**6
        self.assertLess(abs(told - time.time() - seconds), YEAR / 12)

    def test_while_it_watches(self):
        self.start()
        for years in (10, -20, 0, 30):
            self.boot_program()
            self.wait_heartbeat()
            since = self.bus.mark()
            self.hetd.set_ahead(years * YEAR)
            for _ in range(5):
                self.wait_heartbeat()
            self.assertEqual(self.changes(since)[0], [])
            master_since = self.console.mark()
            self.set_alive(0)
            self.wait_hung(master_since)
            self.assert_ahead(years * YEAR)
            self.slave3.call("Stop")

    def kill_slave(self):
        os.kill(self.slave3.pid, signal.SIGKILL)

    def test_while_it_counts(self):
        """Restarts within an hour, by the clock that tells how long that is"""
        self.start()
        for n, years in ((1, 10), (2, -20)):
            self.hetd.set_ahead(years * YEAR)
            self.kill_slave()
            self.bus.wait_property(self.slave3.path, "Processor", "Restarts", n)
            self.slave3.wait_state("ready")
            self.assert_ahead(years * YEAR)
        self.hetd.set_ahead(30 * YEAR)
        self.kill_slave()
        self.slave3.wait_state("crashed")
        self.bus.wait_property(self.slave3.path, "Processor", "Reason", "restart-limit")

    def test_while_there_is_none(self):
        """What an earlier hetd has counted counts on."""
        self.start()
        self.kill_slave()
        self.bus.wait_property(self.slave3.path, "Processor", "Restarts", 1)
        self.slave3.wait_state("ready")
        self.boot_program()
        self.wait_heartbeat()
        self.hetd.settle()
        self.hetd.kill()
        self.hetd.set_ahead(-20 * YEAR)
        self.hetd.take_over()
        self.assertEqual(self.slave3.state, "running")
        self.wait_heartbeat()
        for n in (2, 3):
            self.kill_slave()
            self.bus.wait_property(self.slave3.path, "Processor", "Reason", "granted" if n == 2 else "restart-limit")


if __name__ == "__main__":
    main()
