#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMUs that offer their monitor and their console on D-Bus, and that hetd finds there."""

import os
import resource
import signal
import socket
import subprocess

import dbus

from het_bus import ERROR, INVALID_ARGS, Bus
from het_events import DEADLINE
from het_harness import HETCTL, MASTER, SLAVE1, SLAVE2, TestCase, main, memory_maps, options, platform_text
from het_qemu import SLAVE1_ARGUMENTS, SLAVE2_ARGUMENTS, Qemu, stop_while_attached

EXTERNAL = "Start=external\n"
NOT_SUPPORTED = "org.freedesktop.DBus.Error.NotSupported"
TIMEOUT = "org.freedesktop.DBus.Error.Timeout"
MONITOR, CONSOLE = "org.qemu.monitor.qmp.0", "org.qemu.console.serial.0"
CHARDEV = "org.qemu.Display1.Chardev"


def state_of(pid):
    """R, S and so on, as ps(1) has it"""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return f.read().rpartition(")")[2].split()[0]


class BusQemu(Qemu):
    """It has a socket for the test's own monitor, too."""

    def __init__(self, test, name, *arguments, bus=None, monitor=MONITOR, display=None):
        bus = bus or test.bus
        since = bus.mark()
        super().__init__(test, name, "-name", name, "-display", display or f"dbus,addr={bus.address}",
                         "-chardev", f"dbus,id=bus,name={monitor}", "-mon", "chardev=bus,mode=control", *arguments,
                         console=f"dbus,id=console,name={CONSOLE}")
        if not display:
            # It asks for its name last, and has the same as all QEMUs
            call = bus.find(lambda m: m.member == "RequestName" and m.data[0] == "org.qemu", since, f"{name} on the bus")[1]
            bus.find(lambda m: m.reply_cookie == call.cookie and m.destination == call.sender, since, "its name")
            self.unique = call.sender


class OnBus(TestCase):
    def setUp(self):
        super().setUp()
        self.platform = self.hetd.define("p", platform_text(MASTER, SLAVE1, SLAVE2 + EXTERNAL))
        self.platform.start()
        self.slave2 = self.platform.processor("slave2")
        self.master_console = self.platform.processor("master").console()

    def hetctl(self, status, *arguments):
        """What it says"""
        result = subprocess.run([HETCTL, "--user", *arguments], capture_output=True, text=True, timeout=DEADLINE, check=False,
                                env=self.bus.environment())
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stderr

    def check_good(self, since=0):
        self.assertEqual((self.slave2.state, self.slave2.reason), ("ready", "granted"))
        self.slave2.boot()
        self.master_console.expect("received vector 3 from slave 2", since)


class Attached(OnBus):
    def test_by_name(self):
        """With its console; and again after it was detached."""
        qemu = BusQemu(self, "slave", *SLAVE2_ARGUMENTS)
        hetd_fds = None
        for boot in (1, 2):
            since = self.master_console.mark()
            self.slave2.attach("dbus:org.qemu")
            self.assertEqual(self.slave2.get("Monitor"), f"dbus:{qemu.unique}")
            self.assertEqual((self.slave2.get("Console"), self.slave2.get("ConsoleLog")),
                             tuple(str(self.hetd.runtime / f"p/slave2.{suffix}") for suffix in ("console", "log")))
            self.check_good(since)
            console = self.slave2.console()
            console.expect(f"^slave2: booted from the shared window at 0x70000000, boot {boot}$")
            console_since, since = console.mark(), self.master_console.mark()
            self.slave2.kick(19)
            console.expect("received vector 19 from the master", console_since)
            self.slave2.call("Detach")
            self.assertEqual((self.slave2.state, self.slave2.get("Monitor"), self.slave2.get("Console")), ("defined", "", ""))
            self.assertFalse((self.hetd.runtime / "p/slave2.console").exists())
            console.expect("received vector 19")                        # the log stays
            self.assertEqual(qemu.query()["state"], "waiting")
            self.assertEqual(memory_maps(qemu.pid, "memfd:het"), [])
            # The window stays, and the couple of slave 1
            hetd_fds = hetd_fds or self.hetd.fds()
            self.assertEqual(self.hetd.fds(), hetd_fds)

    def test_typed_at_its_console(self):
        """What is typed arrives, in order and whole; a second user waits until the first has left."""
        BusQemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.slave2.attach("dbus:org.qemu")
        self.check_good()
        console = self.slave2.console()
        path = str(self.slave2.get("Console"))
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            first.settimeout(DEADLINE)
            second.settimeout(DEADLINE)
            first.connect(path)
            second.connect(path)
            since = console.mark()
            self.slave2.kick(5)
            console.expect("received vector 5 from the master", since)
            seen = b""
            while b"vector 5" not in seen:
                seen += first.recv(4096)
            # More than is taken at once; the guest does not read it, QEMU's UART does as far as it has room
            first.sendall(b"x" * 20000)
            first.shutdown(socket.SHUT_WR)
            first.close()
            since = console.mark()
            self.slave2.kick(6)
            console.expect("received vector 6 from the master", since)
        self.slave2.call("Detach")

    def test_no_fd_for_a_user_of_its_console(self):
        """He waits until there is one, and hetd sleeps meanwhile."""
        BusQemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.slave2.attach("dbus:org.qemu")
        self.check_good()
        before = self.hetd.fds()
        limits = resource.prlimit(self.hetd.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.hetd.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        with socket.socket(socket.AF_UNIX) as user:
            user.settimeout(DEADLINE)
            user.connect(str(self.slave2.get("Console")))
            self.hetd.settle()
            self.loop.wait(lambda: state_of(self.hetd.pid) == "S", "hetd sleeps", meanwhile=lambda: None)
            resource.prlimit(self.hetd.pid, resource.RLIMIT_NOFILE, limits)
            self.loop.wait(lambda: len(self.hetd.fds()) > len(before), "he is let in")
            self.slave2.kick(5)
            seen = b""
            while b"vector 5" not in seen:
                seen += user.recv(4096)
        self.slave2.call("Detach")

    def test_one_of_several(self):
        """All QEMUs on a bus want the same name: which one is said by its own, or by -name."""
        others = [BusQemu(self, "other", *SLAVE1_ARGUMENTS), BusQemu(self, "slave", *SLAVE2_ARGUMENTS)]
        self.assertRefused(INVALID_ARGS, r"2 on the bus want .* vm=", self.slave2.attach, "dbus:org.qemu")
        self.assertRefused(ERROR + "MonitorLost", "-name nobody", self.slave2.attach, "dbus:org.qemu,vm=nobody")
        self.assertIn("vm=VM", self.hetctl(1, "attach", "p/slave2", "dbus:org.qemu"))
        self.assertIn("--connect is for paths", self.hetctl(2, "attach", "--connect", "p/slave2", "dbus:org.qemu"))
        self.hetctl(0, "attach", "p/slave2", "dbus:org.qemu,vm=slave")
        self.assertEqual(self.slave2.get("Monitor"), f"dbus:{others[1].unique}")
        self.hetctl(0, "detach", "p/slave2")
        self.slave2.attach(f"dbus:{others[1].unique}")
        self.check_good()

    def test_by_platform_file(self):
        """Monitor= says where; one that is not there when the platform starts is attached as without it."""
        text = platform_text(MASTER, SLAVE1, SLAVE2 + EXTERNAL + "Monitor=dbus:org.qemu,vm=slave\nAutoBoot=yes\n")
        other = self.hetd.define("other", text)
        slave2 = other.processor("slave2")
        other.start()
        slave2.wait_state("defined")
        other.stop()
        BusQemu(self, "another", *SLAVE1_ARGUMENTS)
        qemu = BusQemu(self, "slave", *SLAVE2_ARGUMENTS)
        other.start()
        slave2.wait_state("running")
        self.assertEqual(slave2.get("Monitor"), f"dbus:{qemu.unique}")
        slave2.console().expect("^slave2: booted")
        # It is let go, and found again
        other.stop()
        self.assertEqual(slave2.state, "defined")
        other.start()
        slave2.wait_state("running")

    def test_other_names(self):
        qemu = BusQemu(self, "slave", *SLAVE2_ARGUMENTS, monitor="org.example.second")
        self.assertRefused(NOT_SUPPORTED, f"offers no {MONITOR}: start it with", self.slave2.attach, "dbus:org.qemu")
        self.assertRefused(NOT_SUPPORTED, "offers no org.example.none", self.slave2.attach,
                           "dbus:org.qemu,monitor=org.example.second,console=org.example.none")
        self.slave2.attach("dbus:org.qemu,monitor=org.example.second")
        self.assertEqual(self.slave2.get("Monitor"), f"dbus:{qemu.unique},monitor=org.example.second")
        self.check_good()

    def test_another_bus(self):
        directory = self.directory / "other"
        directory.mkdir()
        other = Bus(self.loop, directory)
        qemu = BusQemu(self, "slave", *SLAVE2_ARGUMENTS, bus=other)
        self.assertRefused(ERROR + "MonitorLost", "not on the bus", self.slave2.attach, "dbus:org.qemu")
        self.slave2.attach(f"dbus:org.qemu,address={other.address}")
        self.assertEqual(self.slave2.get("Monitor"), f"dbus:{qemu.unique},address={other.address}")
        self.check_good()
        self.slave2.call("Detach")
        other.close()
        self.assertRefused(ERROR + "MonitorLost", "Cannot connect", self.slave2.attach, f"dbus:org.qemu,address={other.address}")

    def test_peer_to_peer(self):
        """With no bus: over a connection that QEMU was given by QMP."""
        qemu = BusQemu(self, "slave", *SLAVE2_ARGUMENTS, display="dbus,p2p=on")
        ours, theirs = socket.socketpair()
        with ours, theirs:
            with qemu.qmp() as qmp:
                qmp.call("add_client", protocol="@dbus-display", fdname=qmp.name_fd("peer", theirs.fileno()))
            self.slave2.attach_fd(ours.fileno(), Bus="dbus:")
        self.assertEqual(self.slave2.get("Monitor"), "")
        self.check_good()
        self.slave2.console().expect("^slave2: booted")

    def test_hetd_is_killed(self):
        """The next one finds the same QEMU, by the name that no other one will ever have."""
        qemu = BusQemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.slave2.attach("dbus:org.qemu")
        self.check_good()
        BusQemu(self, "another", *SLAVE1_ARGUMENTS)
        self.hetd.kill()
        self.hetd.take_over()
        self.slave2.wait_state("running")
        self.assertEqual(self.slave2.get("Monitor"), f"dbus:{qemu.unique}")
        console = self.slave2.console()
        console.expect("^slave2: booted")                               # of before, in the log
        since = console.mark()
        self.slave2.kick(7)
        console.expect("received vector 7 from the master", since)
        self.slave2.call("Detach")

    def test_qemu_is_killed(self):
        """Another one with its name is not taken for it."""
        qemu = BusQemu(self, "slave", *SLAVE2_ARGUMENTS)
        self.slave2.attach("dbus:org.qemu")
        self.check_good()
        BusQemu(self, "another", *SLAVE2_ARGUMENTS)
        since = self.master_console.mark()
        qemu.process.popen.kill()
        self.slave2.wait_state("crashed")
        self.master_console.expect("^master: slave 2 is crashed", since)
        self.assertEqual(self.slave2.get("Console"), "")
        since = self.master_console.mark()
        self.slave2.attach("dbus:org.qemu")
        self.check_good(since)


class Refused(OnBus):
    def check_still_good(self):
        self.assertEqual((self.slave2.state, self.slave2.reason), ("defined", "attach-failed"))
        BusQemu(self, "good", *SLAVE2_ARGUMENTS)
        self.slave2.attach("dbus:org.qemu,vm=good")
        self.check_good()

    def test_addresses(self):
        for address, why in (("dbus:", "neither a name nor an address"), ("dbus:no_dots", "no name"), ("dbus:..", "no name"),
                             ("dbus:org.qemu,colour=red", "not known"), ("dbus:org.qemu,vm=", "empty"),
                             ("dbus:org.qemu,vm=a,vm=b", "twice"), ("dbus:org.qemu,vm", "not known"), ("dbus:org.qemu,,", "not known"),
                             ("dbus:org.qemu,address=", "unix:"), ("dbus:org.qemu,address=unixexec:path=/bin/true", "unix:"),
                             ("dbus:org.qemu,address=unix:path=/a;unixexec:path=/bin/true", "unix:"),
                             ("dbus:org.qemu,address=tcp:host=localhost,port=1", "unix:")):
            self.assertRefused(INVALID_ARGS, why, self.slave2.attach, address)
        self.assertRefused(ERROR + "MonitorLost", "Cannot connect", self.slave2.attach, "dbus:org.qemu,address=unix:path=/nowhere")
        with socket.socket(socket.AF_UNIX) as alone:
            self.assertRefused(INVALID_ARGS, "option Bus", self.slave2.attach_fd, alone.fileno(), Bus="org.qemu")
            self.assertRefused(INVALID_ARGS, "no name", self.slave2.attach_fd, alone.fileno(), Bus="dbus:org.qemu")
        self.assertEqual(self.slave2.state, "defined")

    def test_nobody_there(self):
        for name in ("org.qemu", ":1.4711"):
            self.assertRefused(ERROR + "MonitorLost", f"{name} is not on the bus", self.slave2.attach, f"dbus:{name}")
        self.check_still_good()

    def test_no_qemu(self):
        """hetd itself, the bus, and somebody who answers nothing of this"""
        for name in ("org.hetd1", "org.freedesktop.DBus"):
            self.assertRefused(NOT_SUPPORTED, "no QEMU that was started with -display dbus", self.slave2.attach, f"dbus:{name}")
        self.check_still_good()

    def test_not_a_slave(self):
        BusQemu(self, "plain", "-machine", "none")
        self.assertRefused(NOT_SUPPORTED, "slave=on", self.slave2.attach, "dbus:org.qemu")
        self.check_still_good()

    def test_dies_while_it_is_asked(self):
        qemu = BusQemu(self, "slave", *SLAVE2_ARGUMENTS)
        os.kill(qemu.pid, signal.SIGSTOP)
        since = self.bus.mark()
        pending = self.slave2.begin("Attach", "sa{sv}", "dbus:org.qemu", options())
        self.bus.find(lambda m: m.member == "GetManagedObjects" and m.destination == qemu.unique, since, "QEMU is asked")
        qemu.process.popen.kill()
        self.assertRefused(ERROR + "MonitorLost", "not on the bus", pending.wait)
        self.check_still_good()

    def test_never_answers(self):
        """hetd serves others meanwhile, and gives up in the end; what QEMU was asked does no harm when it goes on."""
        qemu = BusQemu(self, "slave", *SLAVE2_ARGUMENTS)
        os.kill(qemu.pid, signal.SIGSTOP)
        pending = self.slave2.begin("Attach", "sa{sv}", f"dbus:{qemu.unique}", options())
        self.slave2.wait_state("starting")
        self.assertRefused(ERROR + "WrongState", "", self.slave2.attach, f"dbus:{qemu.unique}")
        self.assertRefused(TIMEOUT, "does not answer", pending.wait)
        os.kill(qemu.pid, signal.SIGCONT)
        self.slave2.attach(f"dbus:{qemu.unique}")
        self.check_good()

    def test_stopped_while_it_is_asked(self):
        qemu = BusQemu(self, "slave", *SLAVE2_ARGUMENTS)
        stop_while_attached(self, qemu, "dbus:org.qemu")

    def test_peer_never_answers(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.assertRefused(TIMEOUT, "does not answer", self.slave2.attach_fd, ours.fileno(), Bus="dbus:")
        ours, theirs = socket.socketpair()
        with ours:
            theirs.close()
            self.assertRefused(ERROR + "MonitorLost", "", self.slave2.attach_fd, ours.fileno(), Bus="dbus:")
        self.check_still_good()

    def test_somebody_else_uses_it(self):
        """It is tried again as long as there is hope."""
        qemu = BusQemu(self, "slave", *SLAVE2_ARGUMENTS)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            chardev = self.bus.connect().get_object(qemu.unique, "/org/qemu/Display1/Chardev_bus", introspect=False)
            chardev.Register(dbus.types.UnixFd(theirs.fileno()), dbus_interface=CHARDEV)
            self.assertRefused(ERROR + "MonitorBusy", "Somebody else uses", self.slave2.attach, "dbus:org.qemu")
            self.assertEqual((self.slave2.state, self.slave2.reason), ("defined", "attach-failed"))
            since = self.bus.mark()
            pending = self.slave2.begin("Attach", "sa{sv}", "dbus:org.qemu", options())
            self.bus.find(lambda m: m.member == "Register" and m.destination == qemu.unique, since, "it is tried")
        pending.wait()
        self.check_good()


if __name__ == "__main__":
    main()
