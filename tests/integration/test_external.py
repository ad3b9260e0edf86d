#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMUs that somebody else has started, and that hetd takes over and lets go again."""

import os
import signal
import socket

from het_bus import ERROR, INVALID_ARGS
from het_events import children_of
from het_harness import MASTER, SLAVE1, SLAVE2, TestCase, main, memory_maps, options, platform_text
from het_qemu import MASTER_ARGUMENTS, SLAVE1_ARGUMENTS, SLAVE2_ARGUMENTS, Proxy, Qemu, stop_while_attached

EXTERNAL = "Start=external\n"
EXTERNAL_MASTER = "".join(line for line in MASTER.splitlines(True) if not line.startswith("Firmware")) + EXTERNAL
NOT_SUPPORTED = "org.freedesktop.DBus.Error.NotSupported"


class External(TestCase):
    def define(self, *processors):
        self.platform = self.hetd.define("p", platform_text(*processors))
        self.master, self.slave1, self.slave2 = (self.platform.processor(n) for n in ("master", "slave1", "slave2"))

    def start(self, *processors):
        """A platform whose slave 2 is external by default, and is not there yet"""
        self.define(*(processors or (MASTER, SLAVE1, SLAVE2 + EXTERNAL)))
        self.platform.start()
        self.console = self.master.console()
        self.console.expect("received vector 3 from slave 1")

    def assert_talks(self, slave, number, console, vector):
        since, master_since = console.mark(), self.console.mark()
        slave.kick(vector)
        console.expect(f"received vector {vector} from the master", since)
        self.console.expect(f"received vector {vector} from slave {number}", master_since)


class Slaves(External):
    def test_joins_a_running_platform(self):
        self.start()
        self.assertEqual(self.slave2.state, "defined")
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.assertEqual(qemu.query()["state"], "waiting")
        since, bus_since = self.console.mark(), self.bus.mark()
        self.slave2.attach(qemu.monitor)
        self.assertEqual((self.slave2.state, self.slave2.reason, bool(self.slave2.get("MemoryGranted"))), ("ready", "granted", True))
        self.bus.mark()
        self.assertEqual(self.bus.values(self.slave2.path, "State", bus_since), ["starting", "waiting", "ready"])
        self.assertEqual((self.slave2.pid, self.slave2.get("Monitor"), self.slave2.get("Console")), (0, str(qemu.monitor), ""))
        self.assertEqual(self.platform.describe()["processors"][2]["start"], "external")
        self.console.expect("^master: slave 2 is ready, window of 16384 KiB at 0x70000000", since)
        self.slave2.boot()
        console = qemu.console()
        console.expect("^slave2: booted from the shared window at 0x70000000, boot 1$")
        console.expect("^slave2: the master's greeting: Hello")
        self.console.expect("received vector 3 from slave 2", since)
        self.assert_talks(self.slave2, 2, console, 19)

    def test_detached_and_attached_again(self):
        self.start()
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        fds, master_fds = qemu.count_fds(), len(os.listdir(f"/proc/{self.master.pid}/fd"))
        console = qemu.console()
        with_fd = False
        for boot in (1, 2, 3):
            since, console_since, bus_since = self.console.mark(), console.mark(), self.bus.mark()
            if with_fd:
                with socket.socket(socket.AF_UNIX) as monitor:
                    monitor.connect(str(qemu.monitor))
                    self.slave2.attach_fd(monitor.fileno())
                self.assertEqual(self.slave2.get("Monitor"), "")
            else:
                self.slave2.attach(qemu.monitor)
            with_fd = not with_fd
            self.assertEqual(self.slave2.state, "ready")
            self.slave2.boot()
            console.expect("^slave2: booted from the shared window", console_since)
            self.console.expect("received vector 3 from slave 2", since)

            since = self.console.mark()
            self.slave2.call("Detach")
            self.assertEqual((self.slave2.state, self.slave2.reason, bool(self.slave2.get("MemoryGranted"))),
                             ("defined", "detached", False))
            self.bus.mark()
            self.assertEqual(self.bus.values(self.slave2.path, "State", bus_since),
                             ["starting", "waiting", "ready", "running", "ready", "waiting", "defined"])
            self.console.expect("^master: slave 2 has left$", since)
            self.assertTrue(qemu.process.is_running())
            # Nothing is left of the platform, in both QEMUs
            state = qemu.query()
            self.assertEqual((state["state"], state["boots"]), ("waiting", boot))
            self.assertEqual(memory_maps(qemu.pid, "memfd:het"), [])
            self.assertEqual(qemu.count_fds(), fds)
            self.assertEqual(memory_maps(self.master.pid, "memfd:het:p/slave2"), [])
            self.assertEqual(len(os.listdir(f"/proc/{self.master.pid}/fd")), master_fds)
            self.assertRefused(ERROR + "WrongState", "not attached", self.slave2.call, "Detach")
            self.assertRefused(ERROR + "WrongState", "", self.slave2.boot)
        self.assertEqual(self.platform.state, "running")

    def test_attached_before_the_start(self):
        self.define(MASTER, SLAVE1, SLAVE2 + EXTERNAL)
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.slave2.attach(qemu.monitor)
        self.assertEqual(self.slave2.state, "waiting")
        since = self.bus.mark()
        self.platform.start()
        self.bus.mark()
        self.assertEqual(self.bus.values(self.slave2.path, "State", since), ["ready"])
        self.platform.stop()
        self.assertEqual((self.platform.state, self.slave2.state, self.slave2.reason), ("stopped", "defined", "platform-stop"))
        self.assertTrue(qemu.process.is_running())
        self.assertEqual(memory_maps(qemu.pid, "memfd:het"), [])
        # It can be used by another platform
        other = self.hetd.define("other", platform_text(MASTER, SLAVE1, SLAVE2 + EXTERNAL))
        other.start()
        other.processor("slave2").attach(qemu.monitor)
        other.processor("slave2").boot()
        qemu.console().expect("^slave2: booted")

    def test_remove_lets_go(self):
        self.define(MASTER, SLAVE1, SLAVE2 + EXTERNAL)
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.slave2.attach(qemu.monitor)
        self.platform.remove()
        self.assertEqual(qemu.query()["state"], "waiting")

    def test_sigterm_of_hetd_lets_go(self):
        self.start()
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.slave2.attach(qemu.monitor)
        self.slave2.boot()
        self.assertEqual(self.hetd.end(), 0)
        state = qemu.query()
        self.assertEqual(state["state"], "waiting")
        self.assertEqual(memory_maps(qemu.pid, "memfd:het"), [])

    def free(self, qemu):
        """Takes away what a QEMU was given, as one can do without hetd."""
        with qemu.qmp() as qmp:
            qmp.call("het-slave-stop")
            qmp.call("het-memory-revoke", id="late")
            qmp.call("het-master-detach")

    def test_owner_crashed(self):
        """What a hetd that we know nothing of has left in a QEMU is not taken for ours; the guest goes on until it is taken away."""
        self.start()
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.slave2.attach(qemu.monitor)
        self.slave2.boot()
        os.kill(self.hetd.pid, signal.SIGKILL)
        self.hetd.process.wait()
        for child in set(children_of(os.getpid())) - {qemu.pid, self.bus.daemon.pid, self.bus.monitor.pid}:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self.hetd.close()
        for file in self.hetd.runtime.glob("p.*"):
            file.unlink()
        self.hetd.start()
        self.start()
        self.assertRefused(ERROR + "WrongState", "has given this QEMU memory", self.slave2.attach, qemu.monitor)
        self.assertEqual((self.slave2.state, self.slave2.reason), ("defined", "attach-failed"))
        self.assertEqual(qemu.query()["state"], "running")
        self.free(qemu)
        since = self.console.mark()
        self.slave2.attach(qemu.monitor)
        self.slave2.boot()
        self.console.expect("received vector 3 from slave 2", since)

    def test_dies_and_another_takes_its_place(self):
        self.start()
        first = Qemu(self, "first", *SLAVE2_ARGUMENTS)
        self.slave2.attach(first.monitor)
        self.slave2.boot()
        first.console().expect("booted")
        since, bus_since = self.console.mark(), self.bus.mark()
        first.process.popen.kill()
        self.slave2.wait_state("crashed")
        self.bus.mark()
        self.assertIn(self.bus.values(self.slave2.path, "State", bus_since), (["lost", "crashed"], ["crashed"]))
        self.console.expect("^master: slave 2 is crashed", since)
        self.assertEqual(self.platform.state, "running")
        second = Qemu(self, "second", *SLAVE2_ARGUMENTS)
        since = self.console.mark()
        self.slave2.attach(second.monitor)
        self.assertEqual((self.slave2.state, self.slave2.reason), ("ready", "granted"))
        self.slave2.boot()
        second.console().expect("^slave2: booted")
        self.console.expect("received vector 3 from slave 2", since)
        self.assert_talks(self.slave2, 2, second.console(), 21)

    def test_auto_boot(self):
        self.start(MASTER, SLAVE1, SLAVE2 + EXTERNAL + "AutoBoot=yes\n")
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.slave2.attach(qemu.monitor)
        self.slave2.wait_state("running")
        self.console.expect("received vector 3 from slave 2")
        # What somebody has stopped stays so
        self.slave2.call("Stop")
        self.assertEqual(self.slave2.state, "ready")

    def test_ends_in_order(self):
        self.start()
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.slave2.attach(qemu.monitor)
        self.slave2.boot()
        qemu.console().expect("booted")
        qemu.process.popen.terminate()
        self.slave2.wait_state("stopped")
        self.assertEqual(self.slave2.reason, "host-shutdown")
        self.assertEqual(self.platform.state, "running")

    def test_another_at_its_path(self):
        """One that was started in its place, before hetd has noticed the end of the first, is not taken for it."""
        self.start()
        first, second = Qemu(self, "first", *SLAVE2_ARGUMENTS), Qemu(self, "second", *SLAVE2_ARGUMENTS)
        self.slave2.attach(first.monitor)
        self.slave2.boot()
        first.console().expect("booted")
        since = self.console.mark()
        os.rename(second.monitor, first.monitor)
        first.process.popen.kill()
        self.slave2.wait_state("crashed")
        self.console.expect("^master: slave 2 is crashed", since)
        self.slave2.attach(first.monitor)
        self.assertEqual((self.slave2.state, self.slave2.reason), ("ready", "granted"))
        self.slave2.boot()
        second.console().expect("^slave2: booted")
        self.assert_talks(self.slave2, 2, second.console(), 22)

    def test_connection_is_lost(self):
        """By its path hetd connects again: the guest does not notice."""
        self.start()
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        proxy = Proxy(qemu.monitor, self.directory / "proxy")
        self.addCleanup(proxy.close)
        self.slave2.attach(proxy.path)
        self.slave2.boot()
        console = qemu.console()
        self.console.expect("received vector 3 from slave 2")
        for vector in (4, 5):
            since = self.bus.mark()
            proxy.cut()
            self.bus.signal("PropertiesChanged", since, self.slave2.path,
                            lambda data: data[1].get("State", {}).get("data") == "lost")
            self.slave2.wait_state("running")
            self.bus.mark()
            self.assertEqual(self.bus.values(self.slave2.path, "State", since), ["lost", "running"])
            self.assertEqual(self.bus.values(self.slave2.path, "Reason", since), ["monitor-lost", "boot"])
            self.assertEqual((bool(self.slave2.get("MemoryGranted")), self.slave2.get("Boots")), (True, 1))
            self.assert_talks(self.slave2, 2, console, vector)
        self.slave2.call("Stop")
        self.slave2.boot()
        console.expect("boot 2$")
        self.slave2.call("Detach")

    def test_connection_by_fd_is_lost(self):
        """It cannot return by itself; meanwhile the guest goes on, and the master's too."""
        self.start()
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(qemu.monitor))
            self.slave2.attach_fd(monitor.fileno())
            self.slave2.boot()
            self.console.expect("received vector 3 from slave 2")
            monitor.shutdown(socket.SHUT_RDWR)          # of the connection itself, which hetd has too
            self.slave2.wait_state("lost")
        self.assertEqual(self.slave2.reason, "monitor-lost")
        console = qemu.console()
        self.assert_talks(self.slave2, 2, console, 6)
        self.assertRefused(ERROR + "WrongState", "", self.slave2.boot)
        self.assertRefused(ERROR + "MonitorLost", "", self.slave2.kick, 6, FromSlave=True)
        self.slave2.call("Detach")
        self.assertEqual(self.slave2.state, "defined")
        self.free(qemu)
        self.slave2.attach(qemu.monitor)
        self.slave2.boot()
        self.console.expect("slave 2 is running")

    def test_two_external_slaves(self):
        self.define(MASTER, SLAVE1 + EXTERNAL, SLAVE2 + EXTERNAL)
        self.platform.start()
        self.console = self.master.console()
        qemus = [Qemu(self, "slave1", *SLAVE1_ARGUMENTS), Qemu(self, "slave2", *SLAVE2_ARGUMENTS)]
        calls = [p.begin("Attach", "sa{sv}", str(q.monitor), options()) for p, q in zip((self.slave1, self.slave2), qemus)]
        for call in calls:
            call.wait()
        self.console.expect("received vector 3 from slave 1")           # which the master's guest has started by itself
        self.slave2.boot()
        self.console.expect("received vector 3 from slave 2")


class Masters(External):
    def test_comes_last(self):
        self.define(EXTERNAL_MASTER, SLAVE1, SLAVE2)
        self.platform.start()
        self.assertEqual((self.platform.state, self.platform.reason), ("running", "master-absent"))
        self.assertEqual((self.slave1.state, self.slave2.state), ("waiting", "waiting"))
        self.assertRefused(ERROR + "WrongState", "", self.slave2.kick, 1)
        self.assertRefused(ERROR + "WrongState", "memory", self.slave2.boot)
        qemu = Qemu(self, "master", *MASTER_ARGUMENTS)
        self.master.attach(qemu.monitor)
        self.console = qemu.console()
        self.master.wait_state("running")
        self.console.expect("received vector 3 from slave 1")
        self.slave2.boot()
        self.console.expect("received vector 3 from slave 2")
        self.assertEqual((self.platform.state, self.platform.reason), ("running", "master-running"))

    def test_auto_boot(self):
        self.define(EXTERNAL_MASTER, SLAVE1, SLAVE2 + "AutoBoot=yes\n")
        self.platform.start()
        self.assertEqual(self.slave2.state, "waiting")
        qemu = Qemu(self, "master", *MASTER_ARGUMENTS)
        self.master.attach(qemu.monitor)
        self.slave2.wait_state("running")
        qemu.console().expect("received vector 3 from slave 2")

    def test_is_detached(self):
        self.define(EXTERNAL_MASTER, SLAVE1, SLAVE2)
        qemu = Qemu(self, "master", *MASTER_ARGUMENTS)
        self.master.attach(qemu.monitor)
        self.platform.start()
        self.console = qemu.console()
        self.console.expect("received vector 3 from slave 1")
        since = self.console.mark()
        self.master.call("Detach")
        self.assertEqual((self.master.state, self.platform.state), ("defined", "running"))
        self.console.expect("slave 1 has left", since)
        self.assertEqual(memory_maps(qemu.pid, "memfd:het"), [])
        self.slave1.wait_state("waiting")
        since = self.console.mark()
        self.master.attach(qemu.monitor)
        self.console.expect("received vector 3 from slave 1", since)

    def test_dies(self):
        self.define(EXTERNAL_MASTER, SLAVE1, SLAVE2)
        qemu = Qemu(self, "master", *MASTER_ARGUMENTS)
        self.master.attach(qemu.monitor)
        self.platform.start()
        since = self.bus.mark()
        qemu.process.popen.kill()
        self.platform.wait_state("crashed")
        self.bus.mark()
        self.assertIn(self.bus.values(self.master.path, "State", since), (["lost", "crashed"], ["crashed"]))
        self.assertEqual((self.slave1.state, self.slave2.state), ("stopped", "stopped"))
        # It is not the end of another one's
        self.platform.start()
        self.assertEqual((self.platform.state, self.platform.reason, self.master.state), ("running", "master-absent", "defined"))
        qemu = Qemu(self, "another", *MASTER_ARGUMENTS)
        self.master.attach(qemu.monitor)
        qemu.console().expect("received vector 3 from slave 1")

    def test_stop_lets_it_run(self):
        self.define(EXTERNAL_MASTER, SLAVE1, SLAVE2)
        qemu = Qemu(self, "master", *MASTER_ARGUMENTS)
        self.master.attach(qemu.monitor)
        self.platform.start()
        console = qemu.console()
        console.expect("received vector 3 from slave 1")
        self.platform.stop()
        console.expect("slave 1 has left")
        self.assertTrue(qemu.process.is_running())
        with qemu.qmp() as qmp:
            self.assertEqual(qmp.call("query-status")["status"], "running")
            self.assertEqual(qmp.call("query-het")["role"], "master")
        self.assertEqual(memory_maps(qemu.pid, "memfd:het"), [])


class Refused(External):
    def assert_still_good(self):
        qemu = Qemu(self, "good", *SLAVE2_ARGUMENTS)
        self.slave2.attach(qemu.monitor)
        self.assertEqual((self.slave2.state, self.slave2.reason), ("ready", "granted"))

    def test_not_a_slave(self):
        self.start()
        plain = Qemu(self, "plain", "-machine", "none")
        self.assertRefused(NOT_SUPPORTED, "slave=on", self.slave2.attach, plain.monitor)
        self.assertEqual((self.slave2.state, self.slave2.reason), ("defined", "attach-failed"))
        self.assertTrue(plain.process.is_running())
        self.assert_still_good()

    def test_knows_nothing_of_platforms(self):
        self.start()
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS, "-compat", "unstable-input=reject")
        self.assertRefused(NOT_SUPPORTED, "query-het", self.slave2.attach, qemu.monitor)
        self.assert_still_good()

    def test_a_slave_as_master(self):
        self.define(EXTERNAL_MASTER, SLAVE1, SLAVE2)
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.assertRefused(NOT_SUPPORTED, "is a slave", self.master.attach, qemu.monitor)

    def test_window_of_another_size(self):
        self.start()
        qemu = Qemu(self, "large", *SLAVE1_ARGUMENTS)                   # 64 MiB, and the window has 16
        with self.assertRaises(Exception):
            self.slave2.attach(qemu.monitor)
        self.assertEqual((self.slave2.state, self.slave2.reason), ("defined", "attach-failed"))
        self.assertEqual(memory_maps(qemu.pid, "memfd:het"), [])
        self.assert_still_good()

    def test_monitor_is_busy(self):
        self.start()
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        with qemu.qmp():
            self.assertRefused(ERROR + "MonitorBusy", "", self.slave2.attach, qemu.monitor)
        self.assertEqual(self.slave2.state, "defined")
        self.slave2.attach(qemu.monitor)
        self.assertEqual(self.slave2.state, "ready")

    def test_nobody_listens(self):
        self.start()
        self.assertRefused(ERROR + "MonitorLost", "", self.slave2.attach, self.directory / "nobody")
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(self.directory / "left"))
        self.assertRefused(ERROR + "MonitorLost", "", self.slave2.attach, self.directory / "left")
        left.close()
        self.assertRefused(INVALID_ARGS, "absolute", self.slave2.attach, "relative")
        with self.assertRaises(Exception):
            self.slave2.attach("/" + "x" * 200)
        self.assertEqual(self.slave2.state, "defined")
        self.assert_still_good()

    def test_not_qmp(self):
        self.start()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(b"220 mail.example ready\r\n")
            self.assertRefused(ERROR + "ProtocolError", "", self.slave2.attach_fd, theirs.fileno())
        reader, writer = os.pipe()
        self.assertRefused(INVALID_ARGS, "", self.slave2.attach_fd, reader)
        os.close(reader)
        os.close(writer)
        datagram, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with datagram, other:
            self.assertRefused(INVALID_ARGS, "", self.slave2.attach_fd, datagram.fileno())
        with socket.socket(socket.AF_UNIX) as alone:
            with self.assertRaises(Exception):
                self.slave2.attach_fd(alone.fileno())
        self.assertEqual(self.slave2.state, "defined")
        self.assert_still_good()

    def test_wrong_processors(self):
        self.start()
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        for p in (self.master, self.slave1):
            self.assertRefused(ERROR + "WrongState", "Start=external", p.attach, qemu.monitor)
            self.assertRefused(ERROR + "WrongState", "hetd has started it", p.call, "Detach")
        self.slave2.attach(qemu.monitor)
        self.assertRefused(ERROR + "WrongState", "attached already", self.slave2.attach, qemu.monitor)

    def test_stopped_while_it_is_attached(self):
        self.start()
        qemu = Qemu(self, "slave", *SLAVE2_ARGUMENTS)
        qemu.query()
        stop_while_attached(self, qemu, str(qemu.monitor))
        self.platform.start()
        self.slave2.attach(qemu.monitor)


if __name__ == "__main__":
    main()
