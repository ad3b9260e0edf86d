# SPDX-License-Identifier: LGPL-2.1-or-later
"""
What the integration tests share: hetd on a bus of its own with real QEMUs, and the check that nothing is left behind.

Environment: QEMU_HET_QEMU   the patched qemu-system-arm
             QEMU_HET_BUILD  the build folder
A test program ends with `het_harness.main()`: it prints TAP, and its exit status is 77 where something is missing.
"""

import fcntl
import json
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import unittest
from collections import Counter


def skip_all(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(77)


try:
    import dbus
    from het_bus import Bus, BusError, ROOT, options, processor_path
    from het_events import Console, Loop, Process, become_subreaper, children_of
    from het_tap import Result, all_tests, ordered
except ImportError as e:
    skip_all(f"python3 has no module {e.name}")

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "scripts/lib"))            # what scripts and tests share is there
BUILD = pathlib.Path(os.environ.get("QEMU_HET_BUILD", TOP / "build"))
QEMU = os.environ.get("QEMU_HET_QEMU", "")
HETD = BUILD / "hetd/hetd"
HETCTL = BUILD / "clients/hetctl/hetctl"
FIRMWARE = BUILD / "guest/firmware"
EXAMPLE = TOP / "docs/examples/first-light.platform"

MIB = 1 << 20
F_ADD_SEALS, F_SEAL_SHRINK, F_SEAL_GROW = 1033, 0x2, 0x4

MASTER = """[Processor master]
Role=master
Machine=virt
CPU=cortex-a15
Memory=1G
Firmware=${FIRMWARE_DIR}/first-light-master.elf
"""
IDLE_MASTER = MASTER.replace("Firmware=${FIRMWARE_DIR}/first-light-master.elf\n", "")
SLAVE1 = """[Processor slave1]
Role=slave
Id=1
Machine=virt
CPU=cortex-a15
Window=64M@0x60000000
"""
SLAVE2 = """[Processor slave2]
Role=slave
Id=2
Machine=mps2-an385
Window=16M@0x70000000
Firmware=${FIRMWARE_DIR}/first-light-slave-m3.elf
"""


def platform_text(*processors):
    return "[Platform]\nDescription=A test\n\n" + "\n".join(processors)


def memfd(size, name="test", seals=F_SEAL_SHRINK | F_SEAL_GROW):
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    if seals:
        fcntl.fcntl(fd, F_ADD_SEALS, seals)
    return fd


def text_fd(text):
    fd = os.memfd_create("text", os.MFD_CLOEXEC)
    os.write(fd, text.encode())
    return fd


def open_fds(pid):
    """
    What a process has open, as a sorted list of what the links say, without the numbers that differ each time. hetd may be about to
    write a state file, which it closes before it does anything else.
    """
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(re.sub(r":\[\d+\]", "", os.readlink(f"/proc/{pid}/fd/{fd}")))
        except FileNotFoundError:
            pass
    return sorted(name for name in found if not name.endswith((".state.new", ".config.new")))


def without_timers(fds):
    """Without what the event loop makes once and keeps: its timers and signals"""
    return [fd for fd in fds if fd not in ("anon_inode:[timerfd]", "anon_inode:[signalfd]")]


def memory_maps(pid, word):
    """The names of what a process has mapped, if the word is in them"""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
        names = {line.split(maxsplit=5)[5].strip() for line in f if word in line}
    return sorted(name.removesuffix(" (deleted)") for name in names)


def resident_kib(pid):
    """None where it says nothing: AddressSanitizer keeps what was freed."""
    if memory_maps(pid, "libasan"):
        return None
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", f.read(), re.M)[1])


class Processor:
    """org.hetd1.Processor"""

    def __init__(self, hetd, path):
        self.hetd, self.bus, self.path = hetd, hetd.bus, path

    def get(self, name):
        return self.bus.get(self.path, "Processor", name)

    def call(self, member, signature="a{sv}", *arguments):
        """By default: with no options"""
        return self.bus.call(self.path, "org.hetd1.Processor", member, signature, *(arguments or ((options(),) if signature else ())))

    def begin(self, member, signature="a{sv}", *arguments):
        """Like call(), answered later: Pending.wait()"""
        return self.bus.begin(self.path, "org.hetd1.Processor", member, signature, *(arguments or (options(),)))

    def boot(self, **values):
        return self.call("Boot", "a{sv}", options(**values))

    def kick(self, vector, **values):
        return self.call("Kick", "ua{sv}", dbus.UInt32(vector), options(**values))

    def grant(self, fd, **values):
        return self.call("GrantMemory", "ha{sv}", dbus.types.UnixFd(fd), options(**values))

    def get_memory(self):
        """(an fd that is the caller's, offset, size)"""
        fd, offset, size = self.call("GetMemory", "")
        return fd.take(), int(offset), int(size)

    def attach(self, path):
        return self.call("Attach", "sa{sv}", str(path), options())

    def attach_fd(self, fd, **values):
        return self.call("AttachFd", "ha{sv}", dbus.types.UnixFd(fd), options(**values))

    @property
    def state(self):
        return str(self.get("State"))

    @property
    def reason(self):
        return str(self.get("Reason"))

    @property
    def pid(self):
        return int(self.get("Pid"))

    @property
    def boots(self):
        return int(self.get("Boots"))

    def wait_state(self, *states):
        return self.bus.wait_property(self.path, "Processor", "State", frozenset(states))

    def console(self):
        return self.hetd.console(str(self.get("ConsoleLog")), str(self.get("Console")))


class Platform:
    """org.hetd1.Platform"""

    def __init__(self, hetd, path):
        self.hetd, self.bus, self.path = hetd, hetd.bus, path
        self.name = str(self.get("Name"))

    def get(self, name):
        return self.bus.get(self.path, "Platform", name)

    def call(self, member, signature="", *arguments):
        return self.bus.call(self.path, "org.hetd1.Platform", member, signature, *arguments)

    @property
    def state(self):
        return str(self.get("State"))

    @property
    def reason(self):
        return str(self.get("Reason"))

    def wait_state(self, *states):
        return self.bus.wait_property(self.path, "Platform", "State", frozenset(states))

    def processor(self, name):
        return Processor(self.hetd, processor_path(self.name, name))

    def processors(self):
        return [Processor(self.hetd, str(path)) for path in self.get("Processors")]

    def describe(self):
        return json.loads(self.call("Describe"))

    def begin(self, verb):
        """Start or Stop: a function that waits for the job and returns (result, message), and the job's object"""
        since = self.bus.mark()
        job = str(self.call(verb, "a{sv}", options()))

        def wait():
            _, _, result, message = self.bus.signal("JobRemoved", since, where=lambda data: data[1] == job)
            return result, message

        return wait, job

    def job(self, verb):
        return self.begin(verb)[0]()

    def start(self):
        if (result := self.job("Start")) != ("done", ""):
            raise AssertionError(f"{self.name} was not started: {result}")
        return self

    def stop(self):
        if (result := self.job("Stop")) != ("done", ""):
            raise AssertionError(f"{self.name} was not stopped: {result}")

    def remove(self):
        self.call("Remove")


def set_limits(limits):
    for kind, values in limits.items():
        resource.setrlimit(kind, values)


class Hetd:
    """A daemon on the bus of a test."""

    def __init__(self, loop, bus, directory, *arguments, runtime=None):
        self.loop, self.bus = loop, bus
        self.directory = directory
        self.runtime = runtime or directory / "run"
        self.log_path = directory / "hetd.log"
        self.arguments = arguments
        self.consoles = []
        self.process = self.notify = None

    def listen(self):
        """As its service manager"""
        path = self.directory / "notify"
        path.unlink(missing_ok=True)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path))
        self.told = []
        self.loop.watch(self.notify.fileno(), self.on_notify)
        return path

    def stop_listening(self):
        if self.notify:
            self.loop.forget(self.notify.fileno())
            self.notify.close()
            self.notify = None

    def launch(self, stderr=None, limits=None):
        """Starts the process, and returns without waiting for anything. What it says goes to its log, or to stderr if given."""
        notify = self.listen()
        defaults = [] if any(a.startswith("--qemu=") for a in self.arguments) else [f"--qemu=arm={QEMU}"]
        with open(self.log_path, "a", encoding="utf-8") as log:
            self.process = Process(self.loop, [*self.prefix(), HETD, "--user", f"--runtime-dir={self.runtime}", f"--firmware-dir={FIRMWARE}",
                                               f"--platform-dir={EXAMPLE.parent}", "--log-level=debug", *defaults, *self.arguments],
                                   env={**self.bus.environment(), "NOTIFY_SOCKET": str(notify), **self.environment()},
                                   stderr=stderr or log, pass_fds=self.inherited_fds(),
                                   preexec_fn=limits and (lambda: set_limits(limits)))
        self.pid = self.process.pid
        return self

    def prefix(self):
        """A command that executes hetd"""
        return []

    def environment(self):
        return {}

    def inherited_fds(self):
        return ()

    def kill(self):
        """As the kernel does it when memory is short: nobody is asked."""
        if self.process.is_running():
            self.process.popen.send_signal(signal.SIGKILL)
        self.process.wait()
        self.take_last_words()
        self.close()

    def take_over(self):
        """Another hetd in the place of this one, which is gone; returns the ends of the jobs that have taken platforms over."""
        fds, since = self.first_fds, self.bus.mark()
        self.start()
        self.first_fds = fds
        n = len(self.platforms())
        return self.loop.wait(lambda: (ends := self.bus.signals("JobRemoved", since)) and len(ends) >= n and ends or n == 0 and [None],
                              "the end of taking over")

    def on_notify(self):
        self.told += self.notify.recv(4096).decode().split("\n")

    def start(self, stderr=None):
        self.launch(stderr)
        self.wait_ready()
        self.first_fds = open_fds(self.pid)
        return self

    def wait_ready(self):
        end = self.process.watch_end()
        self.loop.wait(lambda: "READY=1" in self.told or end.seen, "hetd is ready")
        end.close()
        if end.seen:
            raise AssertionError(f"hetd did not start:\n{self.log()}")
        self.settle()

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def console(self, log, path):
        self.consoles.append(console := Console(self.loop, log, path))
        return console

    # --- platforms ---

    def manager(self, member, signature="", *arguments):
        return self.bus.call(ROOT, "org.hetd1.Manager", member, signature, *arguments)

    def load(self, path, **variables):
        values = options(Variables=variables) if variables else options()
        return Platform(self, str(self.manager("LoadPlatform", "sa{sv}", str(path), values)))

    def define(self, name, text, **values):
        fd = text_fd(text)
        try:
            return Platform(self, str(self.manager("DefinePlatform", "sha{sv}", name, dbus.types.UnixFd(fd), options(**values))))
        finally:
            os.close(fd)

    def platforms(self):
        return [Platform(self, str(path)) for _, _, _, path in self.manager("ListPlatforms")]

    def remove_everything(self):
        for platform in self.platforms():
            if platform.state in ("running", "paused"):
                platform.stop()
            platform.wait_state("defined", "stopped", "crashed", "failed")
            platform.remove()

    # --- what may be left ---

    def settle(self):
        """hetd has finished what it was doing when the last call was answered."""
        self.bus.call(ROOT, "org.freedesktop.DBus.Peer", "Ping")

    def fds(self):
        """Nor with the watch of the consoles' logs: there is none for a second after each of them was printed to."""
        self.settle()
        return [fd for fd in without_timers(open_fds(self.pid)) if fd != "anon_inode:inotify"]

    def check_nothing_left(self):
        first = without_timers(self.first_fds)
        self.settle()
        left = without_timers(open_fds(self.pid))
        # Somebody may have called already when it had started, so that it had some more then
        if Counter(left) - Counter(first):
            raise AssertionError(f"hetd has file descriptors left:\n{left}\nat its start it had:\n{first}")
        kept = len(open_fds(self.pid)) - len(left)
        if kept > 8:
            raise AssertionError(f"hetd has {kept} timers and signals open")
        if maps := memory_maps(self.pid, "memfd:het"):
            raise AssertionError(f"hetd has shared memory mapped: {maps}")
        if children := children_of(self.pid):
            raise AssertionError(f"hetd has processes left: {children}")
        if files := self.files():
            raise AssertionError(f"hetd has left files: {files}")

    def files(self):
        return sorted(str(p) for p in self.runtime.rglob("*"))

    def end(self):
        """SIGTERM; returns the exit status."""
        if self.process.is_running():
            self.process.popen.send_signal(signal.SIGTERM)
        status = self.process.wait()
        self.take_last_words()
        self.close()
        return status

    def take_last_words(self):
        """What hetd told before it ended may not have been read yet."""
        while self.notify and select.select([self.notify], [], [], 0)[0]:
            self.on_notify()

    def close(self):
        for console in self.consoles:
            console.close()
        self.consoles = []
        self.stop_listening()
        if self.process:
            self.process.end()


def bury_orphans(known):
    """Those that hetd has taken over are no children of it, but ours, when they end."""
    for pid in set(children_of(os.getpid())) - known:
        os.waitpid(pid, os.WNOHANG)


def show_log(path, title, most=150):
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-most:]
        print(f"# --- {title}", *("# " + line for line in lines), sep="\n")


def reap():
    """Whatever a test has left, so that one failure does not make others."""
    for pid in children_of(os.getpid()):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


class BareTestCase(unittest.TestCase):
    """Nothing but processes of the test's own; at its end they are taken down."""

    maxDiff = None
    time_limit = 600            # seconds; each wait has its own, this is for what goes on without end
    is_last_of_kind = True

    def kind(self):
        """What a test leaves is for the next one of the same kind: they are run one after the other. None: it leaves nothing"""
        return None

    def run(self, result=None):
        self.result = result
        self.failed_before = len(result.failures) + len(result.errors)
        signal.signal(signal.SIGALRM, self.on_time_limit)
        signal.alarm(self.time_limit)
        try:
            return super().run(result)
        finally:
            signal.alarm(0)

    def on_time_limit(self, *_):
        """Raised in whatever is being done."""
        raise AssertionError(f"it is not over after {self.time_limit} s")

    def has_failed(self):
        return len(self.result.failures) + len(self.result.errors) > self.failed_before

    def setUp(self):
        self.loop = Loop()
        self.addCleanup(self.loop.close)
        temporary = tempfile.TemporaryDirectory(prefix="het-")
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        self.directory.chmod(0o755)             # other users get as far as the bus
        self.addCleanup(reap)
        self.processes = []

    def tearDown(self):
        """What a test that has failed leaves is no second failure."""
        if not self.has_failed():
            self.check_processes(set())

    def check_processes(self, others):
        """Ends those of the test; nothing but the others is left then."""
        for process in self.processes:
            process.end()
        bury_orphans(others)
        self.assertEqual(set(children_of(os.getpid())), others, "processes that were left")

    def start_process(self, *arguments, **more):
        self.processes.append(process := Process(self.loop, arguments, **more))
        return process

    def open_console(self, log, path):
        console = Console(self.loop, log, path)
        self.addCleanup(console.close)
        return console

    def show_logs(self):
        for path in sorted(self.directory.glob("*.stderr")):
            show_log(path, path.name)


class TestCase(BareTestCase):
    """One hetd on one bus for each test; at its end everything is taken down, and looked at for what is left."""

    hetd_arguments = ()

    def setUp(self):
        super().setUp()
        self.bus = Bus(self.loop, self.directory)
        self.addCleanup(self.bus.close)
        self.hetd = Hetd(self.loop, self.bus, self.directory, *self.hetd_arguments)
        self.addCleanup(self.hetd.close)
        self.hetd.start()

    def tearDown(self):
        if self.has_failed():
            return
        if self.hetd.process.is_running():
            self.hetd.remove_everything()
            self.hetd.check_nothing_left()
            self.assertEqual(self.hetd.end(), 0, "the exit status of hetd")
            self.assertEqual(self.hetd.files(), [], "files that hetd has left")
        self.assertEqual([path for path in self.hetd.files() if not path.endswith(".log") and os.path.isfile(path)], [])
        self.check_processes({self.bus.daemon.pid, self.bus.monitor.pid})

    def open_console(self, log, path):
        return self.hetd.console(log, path)

    def assertRefused(self, name, pattern, function, *arguments, **values):
        """The call is answered with that error, and a text in which the pattern (empty: any) is found; returns the text."""
        with self.assertRaises(BusError) as caught:
            function(*arguments, **values)
        self.assertEqual(caught.exception.name, name, caught.exception.message)
        if pattern:
            self.assertRegex(caught.exception.message, pattern)
        return caught.exception.message

    def show_logs(self):
        for name in ("dbus-daemon.log", "hetd.log"):
            show_log(self.directory / name, name)
        for path in sorted((self.directory / "run").glob("*/*.log")):
            show_log(path, f"the console of {path.parent.name}/{path.stem}", 40)


def main():
    if not os.access(QEMU, os.X_OK):
        skip_all(f"no patched QEMU: QEMU_HET_QEMU is {QEMU!r} (scripts/build sets it)")
    for path in (HETD, HETCTL, FIRMWARE / "first-light-master.elf"):
        if not path.exists():
            skip_all(f"{path} is not built")
    for program in ("dbus-daemon", "busctl"):
        if not shutil.which(program):
            skip_all(f"{program} is not installed")

    become_subreaper()
    module = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:] else loader.loadTestsFromModule(module)
    suite = unittest.TestSuite(ordered(all_tests(suite)))
    result = Result()
    print(f"1..{suite.countTestCases()}", flush=True)
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
