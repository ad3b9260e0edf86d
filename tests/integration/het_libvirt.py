# SPDX-License-Identifier: LGPL-2.1-or-later
"""
A libvirtd of a test's own: the real one, as the daemon of a user's session, with all of its folders in the test's. Root has no session
with libvirt; in a user namespace of its own libvirtd is another user, who has root's files.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from het_events import DEADLINE, Process, children_of
from het_harness import FIRMWARE, QEMU, TOP

BRIDGE = TOP / "clients/libvirt/het-libvirt"
DOMAINS = BRIDGE.parent
OTHER_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000") if os.geteuid() == 0 else ()


def find_obstacle():
    """Why libvirt cannot be used here, or nothing"""
    for program in ("libvirtd", "virsh"):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
            return f"{program} is not installed"
    for module in ("gi", "libvirt", "libvirt_qemu"):
        if not importlib.util.find_spec(module):
            return f"python3 has no module {module}"
    if OTHER_USER:
        result = subprocess.run([*OTHER_USER, "true"], capture_output=True, text=True, timeout=DEADLINE, check=False)
        if result.returncode != 0:
            return f"libvirtd of a session is not for root, and there are no user namespaces: {result.stderr.strip()}"
    return None


def start_ready(loop, directory, arguments, what, env, log):
    """A process that tells when it is ready, as systemd's services do"""
    path = directory / "notify"
    told = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path.unlink(missing_ok=True)
        notify.bind(str(path))
        loop.watch(notify.fileno(), lambda: told.append(notify.recv(4096).decode()))
        process = Process(loop, arguments, env={**env, "NOTIFY_SOCKET": str(path)}, stdout=log, stderr=log)
        end = process.watch_end()
        try:
            loop.wait(lambda: any("READY=1" in text for text in told) or end.seen, what)
        finally:
            end.close()
            loop.forget(notify.fileno())
    if end.seen:
        raise AssertionError(f"{what} has ended")
    return process


class Libvirtd:
    """Its QEMUs are orphans, and so children of the test, which is in init's place here: libvirt waits until they are reaped."""

    # What it finds out of an emulator takes seconds, and is the same for all tests
    cache = tempfile.TemporaryDirectory(prefix="het-libvirt-")

    def __init__(self, loop, directory):
        self.loop, self.directory = loop, directory
        for name in ("run", "config/libvirt"):
            (directory / name).mkdir(parents=True, mode=0o700)
        (directory / "config/libvirt/qemu.conf").write_text('stdio_handler = "file"\n', encoding="utf-8")
        self.environment = {**os.environ, "HOME": str(directory), "XDG_RUNTIME_DIR": str(directory / "run"),
                            "XDG_CONFIG_HOME": str(directory / "config"), "XDG_CACHE_HOME": self.cache.name,
                            "PATH": os.environ["PATH"] + ":/usr/sbin"}
        self.uri = f"qemu:///session?socket={directory}/run/libvirt/libvirt-sock"
        self.log = directory / "libvirtd.log"
        self.process = None
        signal.signal(signal.SIGCHLD, self.reap)

    def start(self):
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = start_ready(self.loop, self.directory, [*OTHER_USER, "libvirtd", "--timeout=0"], "libvirtd", self.environment, log)
        return self

    @staticmethod
    def reap(*_):
        """Also those that libvirt has started to see what they can do"""
        for pid in children_of(os.getpid()):
            try:
                with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                    if f.read().startswith("qemu-system"):
                        os.waitpid(pid, os.WNOHANG)
            except (FileNotFoundError, ProcessLookupError, ChildProcessError):
                pass            # the call that this one has interrupted has done it

    def virsh(self, *arguments, succeeds=True):
        """What it prints, or on failure what it says"""
        result = subprocess.run(["virsh", "--quiet", f"--connect={self.uri}", *map(str, arguments)], capture_output=True, text=True,
                                timeout=DEADLINE, env=self.environment, check=False)
        if (result.returncode == 0) != succeeds:
            raise AssertionError(f"virsh {' '.join(map(str, arguments))}: status {result.returncode}: {result.stdout}{result.stderr}")
        return result.stdout.strip() if succeeds else result.stderr

    def define(self, name, replaced=None, qemu=QEMU):
        """One of the files that are for users, with this machine's paths"""
        text = (DOMAINS / f"{name}.xml").read_text(encoding="utf-8")
        for what, by in {"/usr/lib/qemu-het/bin/qemu-system-arm": qemu, "/usr/lib/hetd/firmware": FIRMWARE,
                         "/var/lib/libvirt/qemu": self.directory, **(replaced or {})}.items():
            text = text.replace(str(what), str(by))
        path = self.directory / f"{name}.xml"
        path.write_text(text, encoding="utf-8")
        self.virsh("define", "--validate", path)

    def run(self, name):
        """virsh start; returns the process number of its QEMU."""
        self.virsh("start", name)
        return int((self.directory / f"run/libvirt/qemu/run/{name}.pid").read_text(encoding="ascii"))

    def active(self):
        return sorted(self.virsh("list", "--name").split())

    def end(self):
        for name in self.active():
            self.virsh("destroy", name)
        self.stop()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def stop(self, kill=False):
        """Of itself only: its domains go on."""
        if kill:
            self.process.popen.kill()
        self.process.end()
