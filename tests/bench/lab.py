# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benchmarks share: processes, QMP, a hetd on a private bus, consoles, and the table of results."""

import fcntl
import os
import pathlib
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import dbus
import dbus.lowlevel

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "integration"))
from het_bus import processor_path
from het_qmp import DEADLINE, Qmp     # also for those who import this file

F_ADD_SEALS = 1033
F_SEAL_SHRINK_GROW = 0x2 | 0x4


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


class Result:
    """Samples of one measurement, in seconds."""

    def __init__(self, name, p50, p99, n):
        self.name, self.p50, self.p99, self.n = name, p50, p99, n

    @classmethod
    def of(cls, name, samples):
        return cls(name, percentile(samples, 0.50), percentile(samples, 0.99), len(samples))

    @classmethod
    def of_rounds(cls, name, rounds):
        """Rounds are (p50, p99, n): the median of each."""
        return cls(name, statistics.median(r[0] for r in rounds), statistics.median(r[1] for r in rounds),
                   sum(r[2] for r in rounds))


def microseconds(seconds):
    return f"{seconds * 1e6:,.1f} µs" if seconds < 0.01 else f"{seconds * 1e3:,.1f} ms"


class Table:
    def __init__(self):
        self.rows = []

    def compare(self, ours, peer, goal=None):
        """One line for each; goal is the largest ratio of the medians that is good, if there is one."""
        ratio = ours.p50 / peer.p50
        verdict = f"≤ {goal:g}: {'met' if ratio <= goal else 'MISSED'}" if goal else ""
        self.rows.append((peer.name, microseconds(peer.p50), microseconds(peer.p99), peer.n, "1", ""))
        self.rows.append((ours.name, microseconds(ours.p50), microseconds(ours.p99), ours.n, f"{ratio:.3g}", verdict))

    def show(self, result, ratio="", goal=""):
        self.rows.append((result.name, microseconds(result.p50), microseconds(result.p99), result.n, ratio, goal))

    def note(self, name, value, ratio="", goal=""):
        self.rows.append((name, value, "", "", ratio, goal))

    def markdown(self):
        head = ("measurement", "p50", "p99", "n", "× peer", "goal")
        rows = [head] + [tuple(str(cell) for cell in row) for row in self.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(lines)


def memfd(name, size):
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK_GROW)
    return fd


class Console:
    """A serial port on a UNIX socket."""

    def __init__(self, path=None, listener=None):
        if listener:
            self.socket = listener.accept()[0]
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(str(path))
        self.socket.settimeout(DEADLINE)
        self.buffer = b""

    def send(self, text):
        self.socket.sendall(text.encode())

    def first_byte(self):
        """Waits for one byte and returns when it came."""
        if not self.socket.recv(1):
            raise RuntimeError("the console was closed")
        return time.perf_counter()

    def expect(self, word):
        """Returns the first line with the word in it."""
        while True:
            while b"\n" in self.buffer:
                line, self.buffer = self.buffer.split(b"\n", 1)
                if word in (text := line.decode(errors="replace").strip()):
                    return text
            data = self.socket.recv(65536)
            if not data:
                raise RuntimeError(f"the console was closed before it said {word}")
            self.buffer += data


def parse_result(line):
    """Of a line "bench: result transport=… n=… p50_ns=… p99_ns=…": (p50, p99, n), in seconds."""
    fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
    return int(fields["p50_ns"]) / 1e9, int(fields["p99_ns"]) / 1e9, int(fields["n"])


class Lab:
    """A temporary folder, a private bus with hetd on it, and everything else that is started; all is gone at the end."""

    def __init__(self, build, qemu, ivshmem_server):
        self.build, self.qemu, self.ivshmem_server = pathlib.Path(build), pathlib.Path(qemu), ivshmem_server
        self.firmware = self.build / "guest/firmware"
        self.processes = []
        self.background = []    # pids of what has left us

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="het-bench-")
        self.directory = pathlib.Path(self.temporary.name)
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.end(process)
        for pid in self.background:
            process = os.pidfd_open(pid)
            signal.pidfd_send_signal(process, signal.SIGTERM)
            select.select([process], [], [], DEADLINE)      # until it has ended
            os.close(process)
        self.temporary.cleanup()

    def start(self, arguments, **options):
        process = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, **options)
        self.processes.append(process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def listen(self, name):
        """A socket that a QEMU connects its console to."""
        listener = socket.socket(socket.AF_UNIX)
        listener.settimeout(DEADLINE)
        listener.bind(str(self.directory / name))
        listener.listen()
        return listener

    def start_hetd(self):
        bus = self.start(["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True)
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ready.settimeout(DEADLINE)
        ready.bind(str(self.directory / "notify"))
        log = open(self.directory / "hetd.log", "w", encoding="utf-8")
        self.hetd = self.start([self.build / "hetd/hetd", "--user", f"--runtime-dir={self.directory}/run", f"--qemu=arm={self.qemu}",
                                f"--qemu=aarch64={self.target('aarch64')}", f"--qemu=x86_64={self.target('x86_64')}"],
                               env={**os.environ, "NOTIFY_SOCKET": str(self.directory / "notify")}, stderr=log)
        while b"READY=1" not in ready.recv(4096):
            pass
        ready.close()
        self.bus = dbus.bus.BusConnection(os.environ["DBUS_SESSION_BUS_ADDRESS"])

    def interface(self, path, name):
        return dbus.Interface(self.bus.get_object("org.hetd1", path), f"org.hetd1.{name}")

    def get(self, path, interface, name):
        return self.bus.get_object("org.hetd1", path).Get(f"org.hetd1.{interface}", name, dbus_interface="org.freedesktop.DBus.Properties")

    def prepare_call(self, path, interface, member, signature="", *arguments):
        """Of a call with no options behind its arguments; what it returns sends it, and returns what block() waits for the reply of."""
        message = dbus.lowlevel.MethodCallMessage("org.hetd1", path, f"org.hetd1.{interface}", member)
        message.append(*arguments, dbus.Dictionary({}, signature="sv"), signature=signature + "a{sv}")

        def send():
            pending = self.bus.send_message_with_reply(message, lambda reply: None, DEADLINE, require_main_loop=False)
            self.bus.flush()
            return pending
        return send

    def hetctl(self, *arguments):
        result = subprocess.run([self.build / "clients/hetctl/hetctl", "--user", *arguments], capture_output=True, text=True,
                                timeout=DEADLINE, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"hetctl {' '.join(arguments)}: {result.stderr}")
        return result.stdout

    def start_platform(self, path, **variables):
        self.hetctl("start", *[f"--set={key}={value}" for key, value in variables.items()], str(path))

    def start_bench(self, master, slave):
        """tests/bench/bench.platform, with these programs"""
        self.start_platform(HERE / "bench.platform", MASTER=self.firmware / f"{master}.elf", SLAVE=self.firmware / f"{slave}.elf",
                            MONITOR=self.directory / "bench.qmp")

    def target(self, name):
        """QEMU's binary for another target, of the same build"""
        return self.qemu.parent / f"qemu-system-{name}"

    def stop_platform(self, name):
        self.hetctl("stop", name)
        self.hetctl("remove", name)

    def processor(self, platform, name):
        return processor_path(platform, name)

    def console(self, platform, name):
        return Console(self.get(self.processor(platform, name), "Processor", "Console"))

    def start_qemu(self, name, *arguments, cpu="cortex-a15", qemu=None):
        """Returns the process; its QMP socket is listening already: NAME.qmp in the folder."""
        monitor = self.listen(f"{name}.qmp")
        process = self.start([qemu or self.qemu, "-nodefaults", "-display", "none", "-cpu", cpu,
                              "-chardev", f"socket,id=qmp,fd={monitor.fileno()},server=on,wait=off", "-mon", "chardev=qmp,mode=control",
                              *arguments], pass_fds=[monitor.fileno()])
        monitor.close()
        return process

    def start_ivshmem_server(self):
        """It goes to the background when it listens; returns the path of its socket."""
        name = f"ivshmem{len(self.background)}"
        path, memory, pid = self.directory / name, self.directory / f"{name}-memory", self.directory / f"{name}.pid"
        memory.mkdir()
        subprocess.run([self.ivshmem_server, "-S", path, "-M", f"het-bench-{name}", "-m", memory, "-l", "1M", "-n", "1", "-p", pid],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=DEADLINE)
        # It goes to the background before it writes that
        end = time.monotonic() + DEADLINE
        while not pid.exists() or not pid.read_text(encoding="ascii").strip():
            if time.monotonic() > end:
                raise RuntimeError("the ivshmem-server does not start")
            time.sleep(0.01)
        self.background.append(int(pid.read_text(encoding="ascii")))
        return path
