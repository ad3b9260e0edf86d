#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domains of the real libvirtd that are processors of a platform. What happens to them is done with virsh."""

import os
import signal

from het_bus import platform_path, processor_path
from het_harness import QEMU, Platform, Processor, TestCase, main, skip_all
from het_libvirt import BRIDGE, DOMAINS, Libvirtd, find_obstacle, start_ready

PLATFORM = "first-light-libvirt"


class LibvirtTest(TestCase):
    hetd_arguments = (f"--platform-dir={DOMAINS}",)

    def setUp(self):
        super().setUp()
        directory = self.directory / "l"
        directory.mkdir()
        self.libvirtd = Libvirtd(self.loop, directory)
        self.libvirtd.start()
        for name in ("master", "slave"):
            self.libvirtd.define(name)
        self.bridge_log = directory / "bridge.log"
        self.start_bridge()
        self.master, self.slave2 = (Processor(self.hetd, processor_path(PLATFORM, name)) for name in ("master", "slave2"))

    def start_bridge(self):
        with open(self.bridge_log, "a", encoding="utf-8") as log:
            self.bridge = start_ready(self.loop, self.directory / "l", [BRIDGE, "--user", f"--connect={self.libvirtd.uri}"], "het-libvirt",
                                      self.bus.environment(), log)

    def tearDown(self):
        if not self.has_failed():
            self.libvirtd.end()
            self.bridge.end()
        super().tearDown()

    def show_logs(self):
        super().show_logs()
        for name in ("bridge.log", "libvirtd.log"):
            lines = (self.directory / "l" / name).read_text(encoding="utf-8").splitlines()[-40:]
            print(f"# --- {name}", *("# " + line for line in lines), sep="\n")

    def platform(self):
        return Platform(self.hetd, platform_path(PLATFORM))

    def console(self, name):
        """Of the log that libvirt keeps"""
        return self.open_console(str(self.directory / f"l/het-{name}.log"), str(self.directory / f"l/het-{name}.console"))

    def open_consoles(self):
        self.master_console, self.slave_console = self.console("master"), self.console("slave2")

    def virsh(self, *arguments, **options):
        return self.libvirtd.virsh(*arguments, **options)

    def start_both(self):
        """They come together, whoever is first; the slave is booted by AutoBoot=."""
        since = self.bus.mark()
        pids = {name: self.libvirtd.run(name) for name in ("slave2", "master")}
        self.bus.signal("PlatformNew", since)
        self.master.wait_state("running")
        self.slave2.wait_state("running")
        self.open_consoles()
        self.master_console.expect("received vector 3 from slave 2")
        self.slave_console.expect("^slave2: booted from the shared window at 0x70000000")
        return pids

    def assert_talks(self, vector):
        since, master_since = self.slave_console.mark(), self.master_console.mark()
        self.slave2.kick(vector)
        self.slave_console.expect(f"received vector {vector} from the master", since)
        self.master_console.expect(f"received vector {vector} from slave 2", master_since)


class Domains(LibvirtTest):
    def test_together(self):
        self.start_both()
        self.assert_talks(19)
        self.assertEqual(self.libvirtd.active(), ["master", "slave2"])
        self.assertEqual((self.platform().state, self.platform().reason), ("running", "master-running"))
        # libvirt's own monitor goes on as it was
        self.assertIn('"role":"slave"', self.virsh("qemu-monitor-command", "slave2", '{"execute":"query-het"}').replace(" ", ""))

    def test_suspend_and_resume(self):
        self.start_both()
        for name, p in (("slave2", self.slave2), ("master", self.master)):
            self.virsh("suspend", name)
            p.wait_state("paused")
            self.virsh("resume", name)
            p.wait_state("running")
        self.assert_talks(20)

    def test_slave_is_destroyed(self):
        """And started again: it is a part of the platform as before, and the master's guest has seen all of it."""
        self.start_both()
        for vector in (3, 4):
            since, bus_since = self.master_console.mark(), self.bus.mark()
            self.virsh("destroy", "slave2")
            self.slave2.wait_state("stopped")
            self.assertEqual(self.slave2.reason, "host-shutdown")
            self.master_console.expect("^master: slave 2 is offline", since)
            self.assertEqual(self.platform().state, "running")
            since = self.master_console.mark()
            self.libvirtd.run("slave2")
            self.slave2.wait_state("running")
            self.master_console.expect("received vector 3 from slave 2", since)
            self.bus.mark()
            self.assertEqual(self.bus.values(self.slave2.path, "State", bus_since),
                             ["lost", "stopped", "starting", "waiting", "ready", "running"])
            self.assert_talks(vector + 10)

    def test_slave_is_killed(self):
        pids = self.start_both()
        since = self.master_console.mark()
        os.kill(pids["slave2"], signal.SIGKILL)
        self.slave2.wait_state("crashed")
        self.master_console.expect("^master: slave 2 is crashed", since)
        self.bus.mark()
        self.assertEqual(self.virsh("domstate", "--reason", "slave2"), "shut off (crashed)")
        self.libvirtd.run("slave2")
        self.slave2.wait_state("running")
        self.assert_talks(21)

    def test_master_is_destroyed(self):
        """The platform ends, the slave's process lives on; with the next master it is a part of the platform again."""
        self.start_both()
        self.virsh("destroy", "master")
        self.platform().wait_state("stopped")
        self.slave2.wait_state("defined")
        self.assertEqual(self.platform().reason, "host-shutdown")
        self.assertEqual(self.libvirtd.active(), ["slave2"])
        since, slave_since = self.master_console.mark(), self.slave_console.mark()
        self.libvirtd.run("master")
        self.slave2.wait_state("running")
        self.master_console.expect("received vector 3 from slave 2", since)
        self.slave_console.expect("^slave2: booted from the shared window", slave_since)
        self.assert_talks(22)

    def test_reset(self):
        self.start_both()
        since = self.bus.mark()
        self.virsh("reset", "slave2")
        self.slave2.wait_state("ready")
        self.assertEqual(self.slave2.reason, "host-reset")
        self.slave2.boot()
        self.assert_talks(23)
        master_since, since = self.master_console.mark(), self.bus.mark()
        self.virsh("reset", "master")
        self.slave2.wait_state("ready")
        self.assertEqual(self.slave2.reason, "master-reset")
        self.master_console.expect("^master: first light", master_since)
        self.bus.mark()
        self.assertEqual(self.bus.values(self.master.path, "Reason", since), ["host-reset"])
        self.slave2.boot()
        self.master_console.expect("received vector 3 from slave 2", master_since)

    def test_stopped_by_hetctl(self):
        """What somebody wants of hetd is not undone; the domains go on."""
        self.start_both()
        platform = self.platform()
        platform.stop()
        self.assertEqual((self.slave2.state, platform.state), ("defined", "stopped"))
        self.assertEqual(self.libvirtd.active(), ["master", "slave2"])
        platform.start()
        self.slave2.wait_state("running")
        self.master.wait_state("running")
        self.slave2.call("Detach")
        self.libvirtd.virsh("destroy", "slave2")
        self.libvirtd.run("slave2")
        self.slave2.wait_state("running")


class Daemons(LibvirtTest):
    def test_libvirtd_is_killed(self):
        """The platform notices nothing; the next libvirtd has its domains, and the next bridge what is started from then on."""
        self.start_both()
        self.libvirtd.stop(kill=True)
        self.assertEqual(self.bridge.wait(), os.EX_TEMPFAIL)
        self.assert_talks(5)
        self.libvirtd.start()
        self.assertEqual(self.libvirtd.active(), ["master", "slave2"])
        self.start_bridge()
        self.assert_talks(6)
        self.assertEqual(self.slave2.boots, 1)
        self.virsh("destroy", "slave2")
        self.slave2.wait_state("stopped")
        self.libvirtd.run("slave2")
        self.slave2.wait_state("running")

    def test_bridge_comes_late(self):
        self.bridge.end()
        pids = {name: self.libvirtd.run(name) for name in ("master", "slave2")}
        self.assertEqual(len(pids), 2)
        since = self.bus.mark()
        self.start_bridge()
        self.bus.signal("PlatformNew", since)
        self.slave2.wait_state("running")

    def test_bridge_comes_while_a_domain_starts(self):
        """libvirt has it active before there is a QEMU; what libvirt tells then is waited for"""
        gate, emulator = self.directory / "l/gate", self.directory / "l/qemu"
        os.mkfifo(gate)
        emulator.write_text(f"#!/bin/sh\ncase \"$*\" in *guest=slave2*) read -r go <{gate} ;; esac\nexec {QEMU} \"$@\"\n", encoding="utf-8")
        emulator.chmod(0o755)
        self.virsh("undefine", "slave2")
        self.libvirtd.define("slave", qemu=emulator)
        self.bridge.end()
        starting = self.start_process("virsh", "--quiet", f"--connect={self.libvirtd.uri}", "start", "slave2")
        with open(gate, "w", encoding="ascii") as go:           # it is there
            self.assertIn("starting up", self.virsh("domstate", "--reason", "slave2"))
            since = self.bus.mark()
            self.start_bridge()
            self.libvirtd.run("master")
            self.bus.signal("PlatformNew", since)
            self.master.wait_state("running")
            print("go", file=go)
        starting.wait()
        self.slave2.wait_state("running")
        self.assertNotIn("Cannot", self.bridge_log.read_text(encoding="utf-8"))

    def test_hetd_is_killed(self):
        self.start_both()
        self.hetd.kill()
        self.hetd.take_over()
        self.open_consoles()
        self.slave2.wait_state("running")
        self.master.wait_state("running")
        self.assert_talks(7)
        self.assertEqual(self.slave2.boots, 1)
        self.virsh("destroy", "slave2")
        self.slave2.wait_state("stopped")
        self.libvirtd.run("slave2")
        self.slave2.wait_state("running")
        self.assert_talks(8)

    def test_hetd_begins_anew(self):
        """It has let go of all, and has forgotten the platform."""
        self.start_both()
        self.assertEqual(self.hetd.end(), 0)
        since = self.bus.mark()
        self.hetd.start()
        self.bus.signal("PlatformNew", since)
        self.slave2.wait_state("running")
        self.master.wait_state("running")


class Mistakes(LibvirtTest):
    def redefine_slave(self, replaced):
        self.virsh("undefine", "slave2")
        self.libvirtd.define("slave", replaced)

    def expect_in_log(self, text, function):
        """What the bridge says, as it says it"""
        console = self.open_console(str(self.bridge_log), "")
        function()
        console.expect(text)

    def test_no_such_platform(self):
        self.redefine_slave({"platform='first-light-libvirt'": "platform='none'"})
        self.expect_in_log("none: .*none.platform", lambda: self.libvirtd.run("slave2"))

    def test_no_such_processor(self):
        self.redefine_slave({"name='slave2'": "name='slave7'"})
        self.expect_in_log("slave2: .*has no processor slave7", lambda: self.libvirtd.run("slave2"))

    def test_no_monitor(self):
        self.redefine_slave({"id=het,": "id=other,", "chardev=het,": "chardev=other,"})
        self.expect_in_log("slave2: it has a het:processor in its metadata, and", lambda: self.libvirtd.run("slave2"))

    def test_not_for_hetd(self):
        self.redefine_slave({"urn:qemu-het:libvirt:1": "urn:example:other"})
        since = self.bus.mark()
        self.libvirtd.run("slave2")
        self.libvirtd.run("master")
        self.bus.signal("PlatformNew", since)
        self.master.wait_state("running")
        self.assertEqual(self.slave2.state, "defined")


if __name__ == "__main__":
    if obstacle := find_obstacle():
        skip_all(obstacle)
    main()
