#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/examples/first-light.platform, and everything that may be done with it while nothing goes wrong."""

import json
import mmap
import os
import signal

from het_bus import ERROR, INVALID_ARGS, ROOT
from het_harness import EXAMPLE, FIRMWARE, MIB, TestCase, main, memfd, memory_maps
from het_qmp import Qmp

UP = 0                  # the vector by which a slave says that it is up
GREETING = b"Hello from the master, through shared memory"


class FirstLight(TestCase):
    def setUp(self):
        super().setUp()
        self.platform = self.hetd.load("first-light")
        self.master, self.slave1, self.slave2 = (self.platform.processor(n) for n in ("master", "slave1", "slave2"))

    def start(self):
        """And waits until slave 1, which the master's guest starts, has answered all that it was sent, and the guest has its answer, too."""
        self.platform.start()
        self.consoles = {n: self.platform.processor(n).console() for n in ("master", "slave1", "slave2")}
        self.consoles["master"].expect(r"received vector 3 from slave 1")
        self.consoles["master"].expect(r"^master: start of slave 1: done$")

    def boot_slave2(self, boot=1, **values):
        """Returns once it has talked with the master, and nothing more of that is on its way."""
        master, slave = self.consoles["master"], self.consoles["slave2"]
        since, slave_since = master.mark(), slave.mark()
        self.slave2.boot(**values)
        slave.expect(rf"^slave2: booted from the shared window at 0x70000000, boot {boot}$", slave_since)
        slave.expect(rf"^slave2: the master's greeting: {GREETING.decode()}$", slave_since)
        for vector in (UP, 1, 2, 3):
            master.expect(rf"^master: received vector {vector} from slave 2$", since)


class Start(FirstLight):
    def test_defined(self):
        self.assertEqual((self.platform.name, self.platform.state), ("first-light", "defined"))
        self.assertTrue(os.path.samefile(self.platform.get("SourcePath"), "/".join((os.path.dirname(__file__), "../../docs/examples",
                                                                                     "first-light.platform"))))
        for p in self.platform.processors():
            self.assertEqual((p.state, p.pid, p.get("Console"), p.get("Monitor"), p.get("MemoryGranted"), p.get("Boots")),
                             ("defined", 0, "", "", False, 0))

    def test_states_in_order(self):
        since = self.bus.mark()
        self.platform.start()
        self.slave1.wait_state("running")
        self.bus.mark()

        self.assertEqual(self.bus.values(self.platform.path, "State", since), ["starting", "running"])
        self.assertEqual(self.bus.values(self.platform.path, "Reason", since), ["start", "master-running"])
        self.assertEqual(self.bus.values(self.master.path, "State", since), ["starting", "ready", "running"])
        self.assertEqual(self.bus.values(self.slave1.path, "State", since), ["starting", "waiting", "ready", "running"])
        self.assertEqual(self.bus.values(self.slave2.path, "State", since), ["starting", "waiting", "ready"])
        self.assertEqual(self.bus.values(self.slave1.path, "Reason", since), ["platform-start", "connected", "granted", "boot"])

        runs = next(i for i, c in self.bus.changes(self.master.path, since) if c.get("State") == "running")
        for slave in (self.slave1, self.slave2):
            self.assertEqual(self.bus.values(slave.path, "MemoryGranted", since), [True])
            changes = self.bus.changes(slave.path, since)
            waiting = next(i for i, c in changes if c.get("State") == "waiting")
            granted = next(i for i, c in changes if c.get("MemoryGranted"))
            ready = next(i for i, c in changes if c.get("State") == "ready")
            self.assertLess(waiting, granted, "it waits, with no memory, before it is granted its window")
            self.assertLessEqual(granted, ready)
            self.assertLess(ready, runs, "the master's guest finds them ready when it begins")

        # Each transition is a line of the log, in the same words
        for states in ("defined -> starting", "starting -> waiting", "waiting -> ready"):
            self.assertIn(f"first-light/slave2: {states}", self.hetd.log())

    def test_order_of_a_job(self):
        since = self.bus.mark()
        self.platform.start()
        self.bus.mark()
        messages = self.bus.messages[since:]
        new = next(i for i, m in enumerate(messages) if m.member == "JobNew")
        job = messages[new].data[1]
        reply = next(i for i, m in enumerate(messages) if m.kind == "method_return" and m.data == [job])
        removed = next(i for i, m in enumerate(messages) if m.member == "JobRemoved")
        changes = [(i, m.path, m.data[1]) for i, m in enumerate(messages) if m.member == "PropertiesChanged"]
        steps = [(i, properties) for i, path, properties in changes if path == job]
        self.assertLess(new, reply)
        self.assertTrue(steps)
        self.assertGreater(min(i for i, _, _ in changes), reply, "nothing happens before the reply")
        self.assertLess(steps[-1][0], removed)
        progress = [properties["Progress"]["data"] for _, properties in steps]
        self.assertEqual(progress, sorted(progress))
        self.assertEqual(progress[-1], 1.0)
        self.assertEqual(messages[removed].data[2:], ["done", ""])
        self.assertRefused("org.freedesktop.DBus.Error.UnknownObject", "job", self.bus.get, job, "Job", "Step")

    def test_master_boots_slave1(self):
        self.start()
        master, slave = self.consoles["master"], self.consoles["slave1"]
        master.expect(r"^master: IDM version 1\.4, couples: 2$")
        master.expect(r"^master: slave 1 is ready, window of 65536 KiB at 0x60000000$")
        master.expect(r"^master: copied \d+ bytes of program to 0x60000000, starting slave 1$")
        master.expect(r"^master: start of slave 1: done$")
        slave.expect(r"^slave1: booted from the shared window at 0x60000000, boot 1$")
        slave.expect(rf"^slave1: the master's greeting: {GREETING.decode()}$")
        for vector in (1, 2, 3):
            slave.expect(rf"^slave1: received vector {vector} from the master$")
        self.assertEqual((self.slave1.state, self.slave1.reason, self.slave1.get("Boots")), ("running", "boot", 1))
        self.assertEqual(self.consoles["slave2"].lines, [], "nobody has booted slave 2")

    def test_properties(self):
        self.start()
        processors = self.platform.processors()
        self.assertEqual([p.path for p in processors], [self.master.path, self.slave1.path, self.slave2.path])
        self.assertEqual([p.get("Role") for p in processors], ["master", "slave", "slave"])
        self.assertEqual([p.get("Id") for p in processors], [0, 1, 2])
        self.assertEqual([p.get("CPU") for p in processors], ["cortex-a15", "cortex-a15", "cortex-m3"])
        self.assertEqual([p.get("Machine") for p in processors], ["virt", "virt", "mps2-an385"])
        self.assertEqual([tuple(p.get("Window")) for p in processors],
                         [(0, 0), (0x60000000, 64 * MIB), (0x70000000, 16 * MIB)])
        self.assertEqual({p.get("Platform") for p in processors}, {self.platform.path})
        for p in processors:
            self.assertTrue(os.path.exists(f"/proc/{p.pid}"))
            for name in ("Console", "ConsoleLog", "Monitor"):
                self.assertTrue(os.path.exists(p.get(name)), name)


class Run(FirstLight):
    def setUp(self):
        super().setUp()
        self.start()

    def test_stop_and_boot_again(self):
        self.boot_slave2(1)
        since = self.consoles["master"].mark()
        self.slave2.call("Stop")
        self.assertEqual((self.slave2.state, self.slave2.reason), ("ready", "stop"))
        self.consoles["master"].expect(r"^master: slave 2 is ready", since)
        self.boot_slave2(2)
        self.assertEqual((self.slave2.state, self.slave2.get("Boots")), ("running", 2))

    def test_boot_refused(self):
        self.boot_slave2()
        self.assertRefused(ERROR + "WrongState", "booted already", self.slave2.boot)
        self.assertRefused(ERROR + "WrongState", "master", self.master.boot)
        self.assertRefused(ERROR + "WrongState", "master", self.master.call, "Stop")
        self.slave1.call("Stop")
        self.assertRefused(INVALID_ARGS, "Firmware=, Kernel= or Entry=", self.slave1.boot)
        self.assertRefused(INVALID_ARGS, "protocol", self.slave1.boot, Entry=0x60000000, Protocol="magic")
        self.assertEqual(self.slave1.state, "ready")

    def test_boot_by_entry(self):
        """What the master's guest has loaded is booted by hetd."""
        self.slave1.call("Stop")
        since = self.consoles["slave1"].mark()
        self.slave1.boot(Entry=0x60000000, Protocol="raw")
        self.consoles["slave1"].expect("booted from the shared window at 0x60000000, boot 2$", since)

    def test_boot_another_firmware(self):
        """The same program, in another file; and then what is there already"""
        other = self.directory / "other.elf"
        other.write_bytes((FIRMWARE / "first-light-slave-m3.elf").read_bytes())
        self.boot_slave2(1, Firmware=str(other))
        self.slave2.call("Stop")
        other.unlink()
        self.boot_slave2(2, Load=False)

    def test_commands_of_the_guest(self):
        master, slave = self.consoles["master"], self.consoles["slave1"]
        since = master.mark()
        master.send("stop 1\n")
        master.expect("^master: stop of slave 1: done$", since)
        self.slave1.wait_state("ready")
        master.expect("^master: slave 1 is ready", since)       # it hears that in its own time
        since = slave.mark()
        master.send("start 1\n")
        slave.expect("boot 2$", since)
        self.slave1.wait_state("running")
        # Its program is hetd's to load: the guest gives no entry
        since = master.mark()
        master.send("start 2\n")
        master.expect("^master: start of slave 2: done$", since)
        self.consoles["slave2"].expect("boot 1$")
        # One that is not ready is refused by the guest itself, which sees the state
        since = master.mark()
        master.send("start 2\n")
        master.expect("slave 2 is running, only one that is ready can be started", since)

    def test_requests_overtake_the_news(self):
        """The guest sees a state in the control page before hetd hears of it: what it asks for then is not refused."""
        self.platform.stop()
        self.platform.remove()
        monitor = self.directory / "second.qmp"
        text = EXAMPLE.read_text(encoding="utf-8").replace(
            "[Processor slave2]", f"[Processor slave2]\nExtraArguments=-chardev socket,id=second,path={monitor},server=on,wait=off "
                                  "-mon chardev=second,mode=control")
        self.platform = self.hetd.define("first-light", text)
        self.start()
        master, slave = self.consoles["master"], self.consoles["slave2"]
        self.boot_slave2(1)
        with Qmp(monitor) as qmp:
            for boot in range(2, 8):
                since, slave_since = master.mark(), slave.mark()
                os.kill(self.hetd.pid, signal.SIGSTOP)
                # Another request, so that the master's monitor has something to read before the slave's
                master.send("stop 1\n" if boot % 2 == 0 else "start 1\n")
                master.expect("stopping slave 1|starting slave 1", since)
                qmp.call("het-slave-stop")
                master.expect("^master: slave 2 is ready", since)
                master.send("start 2\n")
                master.expect("starting slave 2", since)
                os.kill(self.hetd.pid, signal.SIGCONT)
                master.expect("^master: (stop|start) of slave 1: done$", since)
                master.expect("^master: start of slave 2: done$", since)
                slave.expect(f"boot {boot}$", slave_since)
                master.expect("received vector 3 from slave 2", since)

    def test_vectors_both_ways(self):
        self.boot_slave2()
        master, slave = self.consoles["master"], self.consoles["slave2"]
        before = self.slave2.get("Interrupts")
        for vector in (31, 7):
            since, slave_since = master.mark(), slave.mark()
            self.slave2.kick(vector)
            slave.expect(rf"^slave2: received vector {vector} from the master$", slave_since)
            master.expect(rf"^master: received vector {vector} from slave 2$", since)
        since, slave_since = master.mark(), slave.mark()
        self.slave2.kick(9, FromSlave=True)
        master.expect(r"^master: received vector 9 from slave 2$", since)
        # By the guest; and what the slave has not seen until now it was never sent
        master.send("ping 2 12\n")
        slave.expect(r"^slave2: received vector 12 from the master$", slave_since)
        master.expect(r"^master: received vector 12 from slave 2$", since)
        self.assertIsNone(slave.find("vector 9", slave_since))
        after = self.slave2.get("Interrupts")
        self.assertEqual((after[0] - before[0], after[2] - before[2]), (3, 4))

    def test_kick_refused(self):
        self.assertRefused(INVALID_ARGS, "0 to 31", self.slave1.kick, 32)
        self.assertRefused(ERROR + "WrongState", "master", self.master.kick, 1)
        self.assertRefused(INVALID_ARGS, "FromSlaves", self.slave1.kick, 1, FromSlaves=True)

    def test_reset_of_a_slave(self):
        self.boot_slave2()
        since = self.consoles["master"].mark()
        self.slave2.call("Reset")
        self.assertEqual((self.slave2.state, self.slave2.reason), ("ready", "host-reset"))
        self.consoles["master"].expect("^master: slave 2 is ready", since)
        self.boot_slave2(2)

    def test_pause_and_resume(self):
        """Of those that run: slave 2 stays ready"""
        since = self.bus.mark()
        self.platform.call("Pause")
        self.platform.wait_state("paused")
        self.master.wait_state("paused")
        self.slave1.wait_state("paused")
        self.assertEqual(self.slave2.state, "ready")
        self.assertRefused(ERROR + "WrongState", "booted already", self.slave1.boot)
        slave, slave_since = self.consoles["slave1"], self.consoles["slave1"].mark()
        self.slave1.kick(5)
        self.platform.call("Resume")
        self.platform.wait_state("running")
        slave.expect("received vector 5 from the master", slave_since)          # was kept for it
        self.consoles["master"].expect("received vector 5 from slave 1")
        for p in (self.master, self.slave1):
            p.wait_state("running")
            self.bus.mark()
            self.assertEqual(self.bus.values(p.path, "State", since), ["paused", "running"])
        self.assertEqual(self.bus.values(self.platform.path, "State", since), ["paused", "running"])
        self.boot_slave2()

    def test_stop_while_paused(self):
        self.platform.call("Pause")
        self.platform.wait_state("paused")
        self.platform.stop()
        self.assertEqual(self.platform.state, "stopped")
        self.assertRefused(ERROR + "WrongState", "stopped", self.platform.call, "Pause")
        self.assertRefused(ERROR + "WrongState", "stopped", self.platform.call, "Resume")

    def test_start_again(self):
        self.boot_slave2()
        pids = [p.pid for p in self.platform.processors()]
        self.platform.stop()
        for p in self.platform.processors():
            self.assertEqual((p.state, p.reason, p.pid, p.get("Monitor"), p.get("Console")), ("stopped", "platform-stop", 0, "", ""))
        self.assertEqual([pid for pid in pids if os.path.exists(f"/proc/{pid}")], [])
        self.start()
        self.boot_slave2(1)             # its window is a new one
        self.assertEqual(self.slave2.get("Boots"), 1)

    def quiet(self):
        """Nobody sends anything any more"""
        self.boot_slave2()
        self.slave1.call("Stop")

    def test_describe(self):
        self.quiet()
        told = self.platform.describe()
        names = {"name": "Name", "description": "Description", "path": "SourcePath", "state": "State", "reason": "Reason",
                 "reason-text": "ReasonText"}
        properties = self.bus.get_all(self.platform.path, "Platform")
        self.assertEqual({key: told[key] for key in names}, {key: properties[name] for key, name in names.items()})
        self.assertEqual([p["object"] for p in told["processors"]], list(properties["Processors"]))
        names = {"name": "Name", "role": "Role", "id": "Id", "machine": "Machine", "cpu": "CPU", "state": "State", "reason": "Reason",
                 "reason-text": "ReasonText", "boots": "Boots", "pid": "Pid", "monitor": "Monitor", "console": "Console",
                 "console-log": "ConsoleLog", "state-changed-usec": "StateChangeTimestamp"}
        for p in told["processors"]:
            properties = self.bus.get_all(p["object"], "Processor")
            self.assertEqual({key: p[key] for key in names}, {key: properties[name] for key, name in names.items()})
            self.assertEqual(p["start"], "hetd")
            self.assertTrue(p["qemu-version"])
            if p["role"] == "master":
                continue
            self.assertEqual((p["window"]["address"], p["window"]["size"]), tuple(properties["Window"]))
            self.assertEqual(p["window"]["granted"], properties["MemoryGranted"])
            self.assertEqual([p["couple"][side][what] for side in ("master", "slave") for what in ("sent", "coalesced")],
                             list(properties["Interrupts"]))
            self.assertGreater(p["couple"]["slave"]["last-sent-ns"], 0)
        everything = json.loads(self.hetd.manager("Describe"))
        self.assertEqual(everything["platforms"], [told])
        self.assertEqual(everything["version"], self.bus.get(ROOT, "Manager", "Version"))

    def test_managed_objects(self):
        self.quiet()
        objects = self.bus.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        wanted = {self.platform.path: "Platform", self.master.path: "Processor", self.slave1.path: "Processor",
                  self.slave2.path: "Processor"}
        self.assertEqual(set(objects) - {ROOT}, set(wanted))
        for path, interface in wanted.items():
            self.assertEqual(objects[path][f"org.hetd1.{interface}"], self.bus.get_all(path, interface))

    def test_names(self):
        manager = self.hetd.manager
        self.assertEqual(manager("GetPlatform", "s", "first-light"), self.platform.path)
        self.assertEqual(manager("GetProcessor", "ss", "first-light", "slave2"), self.slave2.path)
        self.assertEqual([tuple(row) for row in manager("ListPlatforms")],
                         [("first-light", "running", self.platform.get("Description"), self.platform.path)])
        self.assertEqual(self.bus.get(ROOT, "Manager", "NPlatforms"), 1)
        self.assertRefused(ERROR + "NoSuchPlatform", "second-light", manager, "GetPlatform", "s", "second-light")
        self.assertRefused(ERROR + "NoSuchProcessor", "slave9", manager, "GetProcessor", "ss", "first-light", "slave9")


class Memory(FirstLight):
    def setUp(self):
        super().setUp()
        self.start()

    def map(self, fd, size, offset):
        m = mmap.mmap(fd, size, offset=offset)
        self.addCleanup(m.close)
        return m

    def test_look_at_a_window(self):
        self.boot_slave2()
        fd, offset, size = self.slave2.get_memory()
        self.assertEqual((offset, size), (0, 16 * MIB))
        window = self.map(fd, size, offset)
        os.close(fd)
        self.assertNotEqual(window.find(GREETING), -1)
        self.assertRefused(ERROR + "WrongState", "no memory", self.master.get_memory)

    def test_own_memory(self):
        since = self.bus.mark()
        self.slave2.call("RevokeMemory")
        self.assertEqual((self.slave2.state, self.slave2.reason, bool(self.slave2.get("MemoryGranted"))), ("waiting", "revoked", False))
        self.assertRefused(ERROR + "WrongState", "memory", self.slave2.boot)
        self.assertRefused(ERROR + "WrongState", "memory", self.slave2.get_memory)
        self.assertRefused(ERROR + "WrongState", "memory", self.slave2.call, "RevokeMemory")

        ours, begin = memfd(18 * MIB), MIB
        window = self.map(ours, 16 * MIB, begin)
        window[0x1000:0x1005] = b"ours!"
        master, master_since = self.consoles["master"], self.consoles["master"].mark()
        self.slave2.grant(ours, Offset=begin)
        self.assertEqual((self.slave2.state, self.slave2.reason), ("ready", "granted"))
        self.bus.mark()
        self.assertEqual(self.bus.values(self.slave2.path, "State", since), ["waiting", "ready"])
        self.assertEqual(self.bus.values(self.slave2.path, "MemoryGranted", since), [False, True])
        master.expect("^master: slave 2 is ready, window of 16384 KiB at 0x70000000", master_since)

        fd, offset, size = self.slave2.get_memory()
        self.assertEqual((offset, size), (begin, 16 * MIB))
        self.assertEqual(os.fstat(fd).st_ino, os.fstat(ours).st_ino)
        theirs = self.map(fd, size, offset)
        os.close(fd)
        self.assertEqual(theirs[0x1000:0x1005], b"ours!")
        theirs[0x2000:0x2007] = b"theirs!"
        self.assertEqual(window[0x2000:0x2007], b"theirs!")

        # The master's guest writes its greeting into it, hetd the program, and the slave reads both
        self.boot_slave2(1)
        self.assertNotEqual(window.find(GREETING), -1)
        self.assertNotEqual(window[:8], bytes(8))
        self.assertEqual(os.pread(ours, begin, 0), bytes(begin), "what is before the offset is not touched")
        self.assertEqual(os.pread(ours, MIB, begin + 16 * MIB), bytes(MIB), "nor what is behind the window")
        os.close(ours)
        self.slave2.call("Stop")
        self.boot_slave2(2)

    def test_memory_is_the_slaves_only(self):
        """A slave's process has its own window, and no other"""
        self.boot_slave2()
        self.assertEqual([memory_maps(p.pid, "/memfd:het:first-light/") for p in self.platform.processors()],
                         [["/memfd:het:first-light/slave1", "/memfd:het:first-light/slave2"],
                          ["/memfd:het:first-light/slave1"], ["/memfd:het:first-light/slave2"]])

    def test_revoke_refused(self):
        self.boot_slave2()
        self.assertRefused(ERROR + "WrongState", "stop it first", self.slave2.call, "RevokeMemory")
        self.assertRefused(ERROR + "WrongState", "master", self.master.call, "RevokeMemory")
        fd = memfd(16 * MIB)
        self.addCleanup(os.close, fd)
        self.assertRefused(ERROR + "WrongState", "waits for memory", self.slave2.grant, fd)
        self.assertRefused(ERROR + "WrongState", "master", self.master.grant, fd)
        # Nothing was changed by that
        since = self.consoles["slave2"].mark()
        self.slave2.kick(8)
        self.consoles["slave2"].expect("received vector 8", since)

    def test_revoke_leaves_nothing(self):
        """Neither a mapping nor a file descriptor, in both QEMUs"""
        def maps(pid):
            return memory_maps(pid, "memfd:het:first-light/slave2") + memory_maps(pid, "memfd:test")

        pids = [self.master.pid, self.slave2.pid]
        self.assertTrue(all(maps(pid) for pid in pids))
        before = [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]
        for _ in range(5):
            self.slave2.call("RevokeMemory")
            self.assertEqual([maps(pid) for pid in pids], [[], []])
            ours = memfd(16 * MIB)
            self.slave2.grant(ours)
            os.close(ours)
            self.assertEqual([maps(pid) for pid in pids], [["/memfd:test"], ["/memfd:test"]])
        self.assertEqual([len(os.listdir(f"/proc/{pid}/fd")) for pid in pids], before)


if __name__ == "__main__":
    main()
