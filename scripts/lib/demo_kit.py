# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the demos share: a private bus with hetd on it, hetctl, the consoles of the guests as they come, and steps that count only when
they were seen.

Environment: QEMU_HET_QEMU  the patched qemu-system-arm
             QEMU_HET_BUILD the build folder
"""

import argparse
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# What a guest of scripts/build-guest says before it gives a shell. A message of the kernel may come into the middle of each of these lines.
LINUX_IS_UP = r"^init: (Linux .* is up|remoteproc\d+ is \w+, \w+)$|^Enter 'help' for a list of built-in commands\.$"
COLOURS = {"master": "\033[36m", "slave1": "\033[32m", "slave2": "\033[33m", "hetd": "\033[90m", "step": "\033[1m"}


class Failed(Exception):
    """A step that was not seen."""


class Event:
    """A line of a console, or something that hetd told (data is then what hetctl monitor printed)."""

    def __init__(self, source, text, data=None):
        self.source, self.text, self.data, self.time = source, text, data or {}, time.monotonic()


class Screen:
    """What the user reads: one labelled line at a time."""

    def __init__(self):
        self.begin = time.monotonic()
        self.colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def line(self, label, text, at=None):
        colour, end = (COLOURS.get(label, ""), "\033[0m") if self.colour else ("", "")
        print(f"{(at or time.monotonic()) - self.begin:8.3f}  {colour}{label:<6} | {text}{end}", flush=True)

    def step(self, text):
        print(flush=True)
        self.line("step", text)

    def seen(self, text):
        self.line("seen", f"✓ {text}")


class Processes:
    """Everything we start, so that all of it can be ended."""

    def __init__(self, events):
        self.events, self.running = events, []

    def start(self, arguments, **options):
        process = subprocess.Popen(arguments, stdin=options.pop("stdin", subprocess.DEVNULL), text=True, **options)
        self.running.append(process)
        return process

    def follow(self, source, arguments, parse, **options):
        """Starts a program and makes an event of each line that it prints."""
        process = self.start(arguments, stdout=subprocess.PIPE, bufsize=1, errors="replace", **options)

        def read():
            for line in process.stdout:
                if line := line.strip():
                    self.events.put(parse(source, line))

        threading.Thread(target=read, daemon=True).start()
        return process

    def end_all(self):
        for process in reversed(self.running):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def console_line(source, line):
    return Event(source, line)


def monitor_line(source, line):
    data = json.loads(line)
    text = []
    if "State" in data:
        text.append(f"{data['State']}: {data['ReasonText']}" if data.get("ReasonText") else data["State"])
    if "MemoryGranted" in data:
        text.append("has memory" if data["MemoryGranted"] else "has no memory")
    if "Result" in data:
        text.append(f"job {data['Result']} {data.get('Message', '')}".strip())
    return Event(source, f"{data.get('name', '')} {', '.join(text)}".strip() if text else "", data)


class Demo:
    """A platform that is driven by hetctl; each demo is a subclass with its run()."""

    platform = ""           # its name
    title = ""              # of the summary
    deadline = 60           # seconds for one step, which takes much less: a loaded machine is given time

    @staticmethod
    def add_options(parser):
        """Those that only this demo has"""

    def __init__(self, directory, options):
        self.directory, self.options = directory, options
        self.screen = Screen()
        self.queue = queue.Queue()
        self.processes = Processes(self.queue)
        self.history = []
        self.times = []         # (what, seconds) for the summary
        self.pids = []
        build = pathlib.Path(os.environ.get("QEMU_HET_BUILD", TOP / "build"))
        self.hetctl_path, self.hetd_path = build / "clients/hetctl/hetctl", build / "hetd/hetd"
        self.firmware = build / "guest/firmware"
        self.qemu = os.environ.get("QEMU_HET_QEMU") or sys.exit("QEMU_HET_QEMU is not set. Run scripts/demo.")

    # --- what was seen ---

    def pump(self, deadline):
        """Takes one event and shows it; False when there was none in time."""
        try:
            event = self.queue.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            return False
        self.history.append(event)
        if event.text:
            self.screen.line(event.source, event.text, event.time)
        return True

    def expect(self, text, matches, since=0):
        """Waits until an event matches; those since `since` (a position in the history) count. Returns it."""
        position, deadline = since, time.monotonic() + self.deadline
        while True:
            while position < len(self.history):
                if matches(self.history[position]):
                    self.screen.seen(text)
                    return self.history[position]
                position += 1
            if not self.pump(deadline):
                raise Failed(f"not seen within {self.deadline} s: {text}")

    def expect_line(self, source, pattern, text, since=0):
        return self.expect(text, lambda e: e.source == source and re.search(pattern, e.text), since)

    def expect_property(self, name, key, value, text, since=0):
        return self.expect(text, lambda e: e.data.get("name") == f"{self.platform}/{name}" and e.data.get(key) == value, since)

    def drain(self):
        """Shows what is there already."""
        while self.pump(time.monotonic()):
            pass

    def mark(self):
        self.drain()
        return len(self.history)

    # --- commands ---

    def hetctl(self, *arguments):
        """Runs hetctl and returns what it printed; its time is that of the whole process."""
        shown = " ".join(str(a) for a in arguments)
        if "--json=short" not in arguments:
            self.screen.line("shell", f"$ hetctl {shown}")
        begin = time.monotonic()
        process = self.processes.start([self.hetctl_path, "--user", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        ended = Event("", "")

        def wait():
            ended.output, ended.errors = process.communicate()
            ended.time = time.monotonic()
            self.queue.put(ended)

        threading.Thread(target=wait, daemon=True).start()
        while not self.history or self.history[-1] is not ended:        # what happens meanwhile is shown
            if not self.pump(begin + self.deadline):
                raise Failed(f"hetctl {shown}: no end within {self.deadline} s")
        self.took = ended.time - begin
        if process.returncode != 0:
            raise Failed(f"hetctl {shown}: exit status {process.returncode}: {ended.errors.strip()}")
        return ended.output

    def status(self):
        return json.loads(self.hetctl("--json=short", "status", self.platform))

    def pid(self, name):
        return next(p["pid"] for p in self.status()["processors"] if p["name"] == name)

    def open_console(self, name):
        """A pipe into a guest's console: what is written to it is typed there."""
        self.screen.line("shell", f"$ hetctl console {self.platform}/{name}")
        return self.processes.start([self.hetctl_path, "--user", "console", f"{self.platform}/{name}"], stdin=subprocess.PIPE,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, bufsize=1)

    # --- the steps that every demo has ---

    def start_services(self):
        self.screen.step("A private D-Bus bus, and hetd on it")
        bus = self.processes.start(["dbus-daemon", "--session", "--nofork", "--print-address"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        os.environ["XDG_RUNTIME_DIR"] = str(self.directory)

        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.settimeout(self.deadline)
        notify.bind(str(self.directory / "notify"))
        with open(self.directory / "hetd.log", "w", encoding="utf-8") as log:
            self.hetd = self.processes.start([self.hetd_path, "--user", f"--runtime-dir={self.directory}/hetd",
                                              f"--qemu=arm={self.qemu}"],
                                             env={**os.environ, "NOTIFY_SOCKET": str(self.directory / "notify")}, stderr=log)
        while b"READY=1" not in notify.recv(4096):
            pass
        notify.close()
        (self.directory / "notify").unlink()
        self.screen.seen("hetd says that it is ready")

        monitor = self.processes.follow("hetd", [self.hetctl_path, "--user", "--json=short", "monitor"], monitor_line,
                                        stderr=subprocess.PIPE)
        self.screen.line("hetctl", monitor.stderr.readline().strip())           # it says when it watches

    def platform_file(self):
        return TOP / f"docs/examples/{self.platform}.platform"

    def start_platform(self, **variables):
        self.hetctl("start", *(f"--set={name}={value}" for name, value in variables.items()), str(self.platform_file()))
        self.start_took = self.took
        for processor in self.status()["processors"]:
            self.pids.append(processor["pid"])
            self.processes.follow(processor["name"], ["tail", "-n", "+1", "-F", processor["console-log"]],
                                  console_line, stderr=subprocess.DEVNULL)

    def show_status(self):
        self.drain()
        for line in self.hetctl("status", self.platform).splitlines():
            self.screen.line("hetctl", line)

    def is_ours(self, pid):
        """Numbers of processes that have ended are used again: ours have files in our folder on their command line."""
        try:
            return str(self.directory).encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False

    def tear_down(self):
        self.screen.step("Tear down")
        self.hetctl("stop", self.platform)
        self.times.append(("everything stopped", self.took))
        since = self.mark()
        alive = [pid for pid in self.pids if self.is_ours(pid)]
        if alive:
            raise Failed(f"still there: QEMU processes {alive}")
        self.screen.seen(f"no QEMU process is left (there were {', '.join(map(str, self.pids))})")
        self.hetctl("remove", self.platform)
        self.expect("the platform is gone", lambda e: e.data.get("event") == "platform-removed", since - 1)
        self.hetd.send_signal(signal.SIGTERM)
        if status := self.hetd.wait(self.deadline):
            raise Failed(f"hetd ended with status {status}")
        self.screen.seen("hetd ended cleanly")
        left = [str(p.relative_to(self.directory)) for p in self.directory.rglob("*") if p.is_socket()]
        if left:
            raise Failed(f"sockets are left: {', '.join(left)}")
        self.screen.seen("no socket is left")

    def summary(self):
        print(f"\n{self.title:<64}{time.monotonic() - self.screen.begin:9.3f} s in all")
        for what, seconds in self.times:
            print(f"  {what:<62}{seconds * 1000:9.1f} ms")

    def run(self):
        raise NotImplementedError


def main(demo_class, description):
    """Parses the command line, runs the demo, and returns the exit status."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep-logs", metavar="DIR", help="copy the logs of hetd and the consoles there at the end")
    demo_class.add_options(parser)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix=f"{demo_class.platform}-") as name:
        directory = pathlib.Path(name)
        demo = demo_class(directory, options)
        try:
            demo.run()
            status = 0
        except (Failed, subprocess.TimeoutExpired, OSError, KeyboardInterrupt) as error:
            demo.drain()
            log = directory / "hetd.log"
            if log.exists():
                print("\nThe end of hetd's log:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-20:]), file=sys.stderr)
            print(f"\nFAILED: {error or 'interrupted'}", file=sys.stderr)
            status = 1
        finally:
            demo.processes.end_all()
        if options.keep_logs:
            shutil.copytree(directory, options.keep_logs, dirs_exist_ok=True,
                            ignore=lambda folder, names: [n for n in names if (pathlib.Path(folder) / n).is_socket()])
    return status
