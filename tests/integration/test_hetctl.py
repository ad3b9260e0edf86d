#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hetctl: every verb against hetd and real QEMUs, with pipes and on a terminal; what it prints, and its statuses."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import termios
import unittest

from hetctl_fixture import (DEADLINE, DENIED, FAILED, FILE, FIRMWARE, HETCTL, NO_HETD, NOT_FOUND, OK, TIMED_OUT, TOP,
                            USAGE, WRONG_STATE, HetctlTest, main)

PLATFORM = "first-light"
SHORT = "--timeout=3s"          # to wait for what does not come; each call of hetctl is answered in that time
FIRST_WORDS = "slave2: received vector 3 from the master"         # the last of what a slave prints by itself

EXTERNAL = """
[Processor master]
Role=master
Machine=virt
CPU=cortex-a15
Memory=1G
Firmware=${FIRMWARE_DIR}/first-light-master.elf

[Processor m3]
Role=slave
Id=2
Machine=mps2-an385
Window=16M@0x70000000
Firmware=${FIRMWARE_DIR}/first-light-slave-m3.elf
Start=external
"""

# Its QEMU never answers
HANGING = """
[Processor master]
Role=master
Machine=virt
CPU=cortex-a15
Memory=1G
QEMU={program}
"""


class CommandLine(HetctlTest):
    """What needs no hetd."""

    def test_usage(self):
        self.fails(USAGE, "A verb is wanted")
        self.fails(USAGE, "no verb 'frobnicate'", "frobnicate")
        self.fails(USAGE, "kick wants PROCESSOR VECTOR.\n.*hetctl kick --help", "kick", "slave1")
        self.fails(USAGE, "list takes none", "list", "x")
        self.fails(USAGE, "VECTOR: 32 is too large, the largest is 31", "kick", "a/b", "32")
        self.fails(USAGE, "'-1' is not a number", "kick", "a/b", "--", "-1")
        self.fails(USAGE, "Unknown option --frob", "status", "--frob")
        self.fails(USAGE, "Unknown option --history", "status", "--history")
        self.fails(USAGE, "--json=xml", "--json=xml", "list")
        self.fails(USAGE, "--timeout=0", "list", "--timeout=0")
        self.fails(USAGE, "exclude", "--system", "list")
        self.fails(USAGE, "NAME=VALUE", "start", "x.platform", "--set", "X")
        self.fails(USAGE, "PLATFORM/PROCESSOR", "boot", "a/b/c")
        self.fails(USAGE, "exclude", "boot", "a/b", "--no-load", "--firmware=x")
        self.fails(USAGE, "--lines=-1", "console", "a/b", "--lines=-1")

    def test_help(self):
        verbs = ["start", "define", "reconfigure", "stop", "pause", "resume", "remove", "boot", "halt", "reset", "restart", "kick", "attach",
                 "detach", "list", "status", "describe", "version", "console", "log", "monitor", "top", "graph", "verify"]
        text = self.ok("--help")
        for verb in verbs:
            self.assertRegex(text, rf"(?m)^  {verb} ")
            help_text = self.ok(verb, "--help")
            self.assertTrue(help_text.startswith(f"Usage: hetctl {verb}"), help_text)
            self.assertIn("--timeout", help_text)
            self.assertEqual(self.ok("help", verb), help_text)
        self.assertNotIn("__complete", text)
        self.assertRegex(self.ok("--version"), r"^hetctl \d+\.\d+")

    def test_no_bus(self):
        for name in ("user", "system"):
            nowhere = {**self.environment, "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
                       "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"}
            result = subprocess.run([HETCTL, f"--{name}", "list"], env=nowhere, capture_output=True, text=True,
                                    timeout=DEADLINE, check=False)
            self.assertEqual(result.returncode, NO_HETD)
            self.assertRegex(result.stderr, "There is no (session|system) bus")

    def test_no_hetd(self):
        self.assertIn("hetd --user", self.fails(NO_HETD, "hetd does not run on the session bus", "list"))
        self.fails(NO_HETD, "hetd does not run", "start", FILE)
        result = self.run_hetctl("version")
        self.assertEqual(result.returncode, NO_HETD)
        self.assertIn("hetctl ", result.stdout)

    def complete(self, *words):
        script = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hetctl; printf "%s\\n" "${COMPREPLY[@]}"'
        result = subprocess.run(["bash", "-c", script, TOP / "contrib/completion/bash/hetctl", HETCTL, *words],
                                env=self.environment, capture_output=True, text=True, timeout=DEADLINE, check=True)
        self.assertEqual(result.stderr, "")
        return result.stdout.split()

    def test_completion(self):
        self.assertEqual(self.complete("--user", "st"), ["start", "stop", "status"])
        self.assertEqual(self.complete("--user", "boot", ""), [])         # no hetd, no names, no error
        self.assertEqual(self.complete("console", "--h"), ["--host", "--help", "--history"])
        self.assertEqual(self.complete("--json", "=", "s"), ["short"])

        self.start_hetd()
        self.assertEqual(self.complete("--user", "start", "first"), [PLATFORM])
        self.ok("define", FILE)
        self.assertEqual(self.complete("--user", "stop", ""), [PLATFORM])
        self.assertEqual(self.complete("--user", "boot", ""), [f"{PLATFORM}/slave1", f"{PLATFORM}/slave2"])
        self.assertEqual(self.complete("--user", "console", f"{PLATFORM}/m"), [f"{PLATFORM}/master"])


class Define(HetctlTest):
    def setUp(self):
        super().setUp()
        self.start_hetd()

    def write(self, name, text):
        path = self.directory / f"{name}.platform"
        path.write_text(text, encoding="utf-8")
        return path

    def test_list(self):
        self.assertRegex(self.ok("list"), "^No platforms.")
        self.assertEqual(self.json("list"), [])
        self.assertRegex(self.ok("list", "--all"), rf"{PLATFORM} +available .*{FILE}")

        self.ok("define", PLATFORM)
        self.assertRegex(self.ok("list"), rf"{PLATFORM} +defined +3  First light: ")
        description = self.json("describe", PLATFORM)["description"]
        shown = [platform for platform in self.json("list", "--all") if platform["name"] == PLATFORM]
        self.assertEqual(shown, [{"name": PLATFORM, "state": "defined", "processors": 3,
                                  "description": description, "source": str(FILE)}])
        self.assertEqual(self.ok("remove", PLATFORM), f"{PLATFORM}: removed\n")
        self.assertEqual(self.json("list"), [])
        self.fails(NOT_FOUND, "There is no platform", "remove", PLATFORM)
        self.assertEqual(self.ok("remove", "--if-stopped", PLATFORM), "")

    def test_names(self):
        self.assertEqual(self.json("define", FILE), {"platform": PLATFORM, "result": "defined"})
        self.assertEqual(self.json("define", FILE, "--name=second"), {"platform": "second", "result": "defined"})
        self.assertEqual([p["name"] for p in self.json("list")], [PLATFORM, "second"])

        self.assertEqual(self.json("status", "second/slave1")["name"], "slave1")
        self.assertEqual(self.json("status", "second")["name"], "second")
        self.fails(USAGE, f"{PLATFORM}/slave1, second/slave1", "status", "slave1")
        self.fails(USAGE, "is a platform", "boot", "second")
        self.fails(NOT_FOUND, "no platform or processor 'nobody'", "status", "nobody")
        self.fails(NOT_FOUND, "no platform 'nobody'", "status", "nobody/slave1")
        self.fails(NOT_FOUND, "no processor 'nobody'", "describe", "second/nobody")
        self.fails(NOT_FOUND, "nobody", "boot", "second/nobody")
        self.fails(NOT_FOUND, "nobody", "stop", "nobody")

    def test_files(self):
        path = self.write("mine", EXTERNAL.replace("${FIRMWARE_DIR}", "${WHERE}"))
        self.fails(NOT_FOUND, "No such file", "define", "./nothing.platform")
        self.fails(FAILED, r"mine\.platform:7: .*WHERE(.|\n)*--set NAME=VALUE", "define", path)
        self.ok("define", path, f"--set=WHERE={FIRMWARE}")

        # the file is read anew, also by the name that the platform has
        path.write_text("[Platform]\nDescription=Changed\n" + EXTERNAL, encoding="utf-8")
        self.ok("define", path)
        self.assertEqual(self.json("status", "mine")["description"], "Changed")
        path.write_text("[Platform]\nDescription=${TEXT}\n" + EXTERNAL, encoding="utf-8")
        self.ok("define", "mine", "--set", "TEXT=a=b")
        self.assertEqual(self.json("status", "mine")["description"], "a=b")

        # a mistake in the file does not cost what was there
        path.write_text("[Platform]\nDescription=Wrong\n" + EXTERNAL + "Nonsense=yes\n", encoding="utf-8")
        self.fails(FAILED, "Nonsense", "define", path)
        self.assertEqual(self.json("status", "mine")["description"], "a=b")

        # another file with a platform of the same name
        other = self.directory / "other"
        other.mkdir()
        (other / "mine.platform").write_text(EXTERNAL, encoding="utf-8")
        self.fails(WRONG_STATE, "mine(.|\n)*--name=NAME", "define", other / "mine.platform")

        # all mistakes at once, a line each
        path.write_text(EXTERNAL.replace("Id=2", "Id=999").replace("Memory=1G", "Memory=x"), encoding="utf-8")
        error = self.fails(FAILED, r"mine\.platform:6: ", "define", path)
        self.assertRegex(error, r"(?m)^ +\S*mine\.platform:11: ")

    def test_unreadable(self):
        path = self.write("secret", EXTERNAL)
        path.chmod(0)
        if os.geteuid() == 0:           # without its capabilities root may read no more than others
            self.wrapper = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        self.fails(DENIED, "Permission denied", "define", path)

    def test_waiting(self):
        """A start that takes longer than one wants to wait: the wait ends, the job does not"""
        program = self.directory / "hanging"
        program.write_text("#!/bin/sh\nexec sleep 1000\n", encoding="utf-8")
        program.chmod(0o755)
        path = self.write("hang", HANGING.format(program=program))

        self.fails(TIMED_OUT, "hetd goes on", "start", path, SHORT)
        self.assertEqual(self.json("status", "hang")["state"], "starting")
        self.fails(WRONG_STATE, "'hang' is starting already", "start", path)

        path = self.write("hang2", HANGING.format(program=program))
        terminal = self.terminal("start", path)
        terminal.output.expect(r"\r\x1b\[K\[ *\d+%\] \w+")
        terminal.popen.send_signal(signal.SIGINT)
        status, rest, _ = terminal.finish()
        self.assertEqual(status, 128 + signal.SIGINT)
        self.assertIn("hetd goes on", rest)
        self.assertEqual(self.json("status", "hang2")["state"], "starting")


class FirstLight(HetctlTest):
    def setUp(self):
        super().setUp()
        self.start_hetd()
        self.assertRegex(self.ok("start", FILE), rf"^{PLATFORM}: started \(\d+\.\d\d s\)\n$")
        self.until("master", "received vector 3 from slave 1")

    def processor(self, name):
        return self.json("status", f"{PLATFORM}/{name}")

    def test_status(self):
        text = self.ok("status")
        self.assertRegex(text, rf"^{PLATFORM}: running - ")
        self.assertRegex(text, r"(?m)^  master +master +0 +running +virt +- +\d+ +1 +- +- +\w+")
        self.assertRegex(text, r"(?m)^  slave1 +slave +1 +running +virt +64M@0x60000000 +\d+ +1 +3 +4 +\w+")
        self.assertRegex(text, r"(?m)^  slave2 +slave +2 +ready +mps2-an385 +16M@0x70000000 +\d+ +0 +0 +0 +\w+")
        self.assertEqual(self.ok("status", PLATFORM), text)

        text = self.ok("status", "slave1")
        self.assertRegex(text, rf"^{PLATFORM}/slave1\n +State: running for \d+ m?s - ")
        self.assertRegex(text, "Window: 64M at 0x60000000, has its memory")
        self.assertRegex(text, "Machine: virt with cortex-a15")
        self.assertRegex(text, r"IPIs to it: 3 \(\d of them coalesced\)")
        self.assertRegex(text, r"Console log: /.*slave1\.log")

        self.assertEqual(self.json("status"), self.json("describe"))
        self.assertEqual(self.json("status")["platforms"], [self.json("status", PLATFORM)])
        self.assertEqual(self.json("status", "slave1"), self.json("status", PLATFORM)["processors"][1])
        self.assertEqual(json.loads(self.ok("--json", "status")), self.json("status"))
        self.assertIn("\n  ", self.ok("describe", PLATFORM))
        self.assertEqual(self.json("version")["bus"], "session")
        self.assertRegex(self.ok("version"), r"^hetctl \S+\nhetd +\S+ on the session bus\n$")
        self.assertEqual(self.ok("list", "--quiet").count("\n"), 2)

    def test_terminal(self):
        terminal = self.terminal("status", columns=60)
        status, text, _ = terminal.finish()
        self.assertEqual(status, OK)
        self.assertIn("\x1b[32mrunning\x1b[0m", text)
        terminal = self.terminal("status", columns=60, NO_COLOR="1")
        _, plain, _ = terminal.finish()
        self.assertNotIn("\x1b", plain)
        table = plain.replace("\r", "").splitlines()[2:]
        self.assertEqual(len(table), 4)
        self.assertTrue(all(len(line) <= 60 for line in table), plain)
        self.assertNotIn("MACHINE", plain)
        self.assertIn("STATE", plain)
        self.assertRegex(plain, r"(?m)^  master .*\n  ├─slave1 .*\n  └─slave2 ")
        _, colored, _ = self.terminal("status", NO_COLOR="1", SYSTEMD_COLORS="1").finish()
        self.assertIn("\x1b[32m", colored)
        self.assertNotIn("\x1b", self.terminal("status", SYSTEMD_COLORS="no").finish()[1])

    def test_pager(self):
        """It gets what a terminal would have got, with its width; the exit status is hetctl's."""
        status, text, _ = self.terminal("status", columns=60, SYSTEMD_PAGER="sed s/^/page:/").finish()
        self.assertEqual(status, OK)
        self.assertRegex(text, rf"(?m)^page:\S*{PLATFORM}")
        self.assertRegex(text, r"(?m)^page:  └─slave2 ")
        self.assertNotIn("MACHINE", text)
        status, text, _ = self.terminal("help", "start", PAGER="sed s/^/other:/", SYSTEMD_PAGER="sed s/^/page:/").finish()
        self.assertIn("page:Usage: hetctl start", text)
        for arguments, environment in ((("status", "--no-pager"), {"SYSTEMD_PAGER": "sed s/^/page:/"}),
                                       (("status",), {"SYSTEMD_PAGER": "no-such-program"}), (("status",), {"SYSTEMD_PAGER": "cat"})):
            status, text, _ = self.terminal(*arguments, **environment).finish()
            self.assertEqual(status, OK)
            self.assertRegex(text, r"(?m)^  ├─slave1 ")
        status, text, _ = self.terminal("status", "nobody", SYSTEMD_PAGER="sed s/^/page:/").finish()
        self.assertEqual(status, NOT_FOUND)
        self.assertIn("There is no platform or processor", text)
        # Who has seen enough is no failure
        self.assertEqual(self.terminal("describe", SYSTEMD_PAGER="head -n 1").finish()[0], OK)

    def test_interval(self):
        text = self.ok("status", "--interval=100ms")
        self.assertRegex(text, r"(?m)^  PROCESSOR .* IN/S +OUT/S ")
        self.assertRegex(text, r"(?m)^  slave1 +slave .* \d+ +\d+ +\d+ +\d+ +\w+")
        self.assertRegex(self.ok("status", "slave1", "--interval=10ms"), r"IPIs/s: \d+ to it, \d+ from it")
        self.fails(USAGE, "not infinite", "status", "--interval=infinity")

    def test_start_wait(self):
        """It stays until the platform has ended, also while hetd does not live."""
        self.ok("stop", PLATFORM)
        for end, status, text in (("stop", OK, "stopped: "), ("crash", FAILED, "crashed: ")):
            notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.addCleanup(notify.close)
            notify.bind(str(self.directory / f"notify-{end}"))
            notify.settimeout(DEADLINE)
            waiting = self.spawn([HETCTL, "--user", "start", "--wait", PLATFORM], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 env={**self.environment, "NOTIFY_SOCKET": str(self.directory / f"notify-{end}")})
            self.wait_notified(notify, "READY=1")
            self.wait_notified(notify, "STATUS=running: ")
            if end == "stop":
                self.ok("stop", PLATFORM)
            else:
                os.kill(self.processor("master")["pid"], signal.SIGKILL)
            self.assertEqual(waiting.wait(DEADLINE), status)
            self.assertIn(text, waiting.stdout.read().decode())

    def wait_notified(self, notify, beginning):
        while not notify.recv(4096).decode().startswith(beginning):
            pass

    def gdb(self, core, *commands):
        program = shutil.which("gdb-multiarch")
        if not program:
            self.skipTest("gdb-multiarch is not installed")
        arguments = [a for command in commands for a in ("-ex", command)]
        return subprocess.run([program, "-nx", "-batch", *arguments, FIRMWARE / "first-light-slave-m3.elf", core], check=True,
                              capture_output=True, text=True, timeout=DEADLINE).stdout

    def test_coredump(self):
        core, again = self.directory / "slave2.core", self.directory / "again"
        self.ok("boot", "slave2")
        self.until("slave2", FIRST_WORDS)
        self.assertRegex(self.ok("coredump", "slave2", "-o", core), rf"^{PLATFORM}/slave2: {core} has its window of 16M, \d+K of it")
        header = struct.unpack_from("<16sHHIIIIIHHHHHH", (data := core.read_bytes()))
        self.assertEqual((header[0][:7], header[1:4], header[8:11]), (b"\x7fELF\1\1\1", (4, 40, 1), (52, 32, 1)))
        kind, offset, *place = struct.unpack_from("<8I", data, header[5])
        self.assertEqual((kind, place[:4], len(data)), (1, [0x70000000, 0x70000000, 16 << 20, 16 << 20], offset + (16 << 20)))
        self.assertLess(core.stat().st_blocks * 512, 1 << 20, "zeros have no place on the disk")
        self.assertEqual(core.stat().st_mode & 0o777, 0o600)
        # It can be taken of a slave that does not run any more, too; and no file is written over
        self.ok("halt", "slave2")
        self.assertIn("again has its window", self.ok("coredump", f"{PLATFORM}/slave2", f"--output={again}"))
        self.assertEqual(again.read_bytes(), data)
        self.fails(WRONG_STATE, "is there already, and is not written over", "coredump", "slave2", "-o", again)
        self.assertEqual(self.json("coredump", "slave1", "-o", self.directory / "1"),
                         {"processor": f"{PLATFORM}/slave1", "result": "dumped", "file": str(self.directory / "1"), "registers": False})
        self.fails(WRONG_STATE, "is a master, and has no window", "coredump", "master", "-o", self.directory / "master")
        self.fails(NOT_FOUND, "no/such/place", "coredump", "slave1", "-o", "/no/such/place")
        self.assertFalse((self.directory / "master").exists())
        terminal = self.terminal("coredump", "slave2", "-o", self.directory / "3")
        self.assertEqual(terminal.finish()[0], OK)
        said = self.gdb(core, "info files", "x/s (char *) &mailbox + 4")
        self.assertIn("0x70000000 - 0x71000000 is load", said)
        self.assertIn("Hello from the master, through shared memory", said)

    def test_coredump_with_registers(self):
        """A slave that stands still: gdb knows where, and how it came there."""
        core = self.directory / "slave2.core"
        self.ok("boot", "slave2")
        self.until("slave2", FIRST_WORDS)
        self.assertIn("not zero, no registers", self.ok("coredump", "slave2", "-o", self.directory / "running"))
        self.ok("pause", PLATFORM)
        self.assertIn("not zero, and its registers", self.ok("coredump", "slave2", "-o", core))
        self.assertRegex(self.gdb(core, "backtrace", "print/x (unsigned) $sp >> 24", "x/s (char *) &mailbox + 4"),
                         r"(?s)#0 .* irq_wait .*main .*= 0x70.*Hello from the master")
        # Those of another kind of processor, too
        self.assertTrue(self.json("coredump", "slave1", "-o", self.directory / "slave1")["registers"])
        self.assertRegex(self.gdb(self.directory / "slave1", "print/x (unsigned) $pc >> 24"), "= 0x60")
        self.ok("resume", PLATFORM)
        self.fails(WRONG_STATE, "is a master, and has no window", "coredump", "master", "-o", self.directory / "master")

    def test_coredump_on_a_full_disk(self):
        mount = self.directory / "small"
        mount.mkdir()
        self.wrapper = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size=8k small {mount} && \"$@\"; status=$?; ls {mount}; exit $status",
                        "sh"]
        if subprocess.run([*self.wrapper, "true"], capture_output=True, check=False).returncode:
            self.skipTest("no tmpfs can be mounted here")
        result = self.run_hetctl("coredump", "slave1", "-o", mount / "core")
        self.assertEqual((result.returncode, result.stdout), (FAILED, ""))
        self.assertRegex(result.stderr, "There is no room for the window of first-light/slave1: No space left on device")

    def test_coredump_beyond_the_limit(self):
        """Of the size of files: as on a full disk"""
        core = self.directory / "core"
        self.wrapper = ["prlimit", "--fsize=1048576", "--"]
        result = self.run_hetctl("coredump", "slave1", "-o", core)
        self.assertEqual((result.returncode, result.stdout), (FAILED, ""))
        self.assertRegex(result.stderr, "There is no room for the window of first-light/slave1: File too large")
        self.assertFalse(core.exists())

    def test_start_again(self):
        pid = self.processor("master")["pid"]
        self.fails(WRONG_STATE, "is running already", "start", FILE)
        self.fails(WRONG_STATE, "running", "start", PLATFORM)
        self.assertEqual(self.ok("start", "--if-stopped", PLATFORM), f"{PLATFORM}: is running already\n")
        self.fails(USAGE, "name of a platform", "start", "--if-stopped", FILE)
        self.fails(WRONG_STATE, "running", "remove", PLATFORM)
        self.assertEqual(self.ok("remove", "--if-stopped", PLATFORM), "")
        self.assertEqual(self.processor("master")["pid"], pid)

        self.assertRegex(self.ok("stop", PLATFORM), rf"^{PLATFORM}: stopped ")
        self.fails(WRONG_STATE, "stopped", "stop", PLATFORM)
        self.assertEqual(self.json("start", FILE, f"--set=FIRMWARE_DIR={FIRMWARE}"),
                         {"platform": PLATFORM, "result": "started"})
        self.assertEqual(self.ok("--quiet", "stop", PLATFORM), "")

        monitor = self.monitor("--json")
        job = self.json("start", PLATFORM, "--no-wait")["job"]
        ended = json.loads(monitor.expect('.*"job-removed".*').group())
        self.assertEqual((ended["path"], ended["Result"]), (job, "done"))

    def test_boot_halt_reset(self):
        self.assertEqual(self.ok("boot", "slave2"), f"{PLATFORM}/slave2: booted\n")
        self.until("slave2", FIRST_WORDS)
        self.fails(WRONG_STATE, "running", "boot", "slave2")
        self.fails(WRONG_STATE, "master", "boot", f"{PLATFORM}/master")
        self.fails(WRONG_STATE, "master", "halt", f"{PLATFORM}/master")

        self.assertEqual(self.json("halt", f"{PLATFORM}/slave2"),
                         {"processor": f"{PLATFORM}/slave2", "result": "halted"})
        self.assertEqual(self.processor("slave2")["state"], "ready")
        self.fails(FAILED, "aligned", "boot", "slave2", "--no-load", "--entry=0x70000001")
        self.fails(FAILED, "no protocol", "boot", "slave2", "--protocol=smoke-signals")
        self.fails(NOT_FOUND, "No such file", "boot", "slave2", "--firmware=./nothing.elf")

        self.ok("boot", "slave2", "--firmware", FIRMWARE / "first-light-slave-m3.elf", "--argument=0x5",
                "--protocol=vector-table")
        self.until("slave2", "boot 2")
        self.assertEqual(self.processor("slave2")["boots"], 2)
        self.ok("halt", "slave2")
        self.ok("boot", "slave2", "--no-load", "--entry=0x70000000")
        self.until("slave2", "boot 3")

        self.ok("reset", "slave2")
        self.assertEqual(self.processor("slave2")["state"], "ready")
        self.ok("boot", "slave2")
        self.assertNotIn("Restarts", self.ok("status", "slave2"))
        self.assertEqual(self.ok("restart", "slave2"), f"{PLATFORM}/slave2: restarted\n")
        self.assertEqual((self.processor("slave2")["state"], self.processor("slave2")["restarts"]), ("ready", 1))
        self.assertIn("Restarts: 1\n", self.ok("status", "slave2"))
        self.assertEqual(self.ok("restart", "master"), f"{PLATFORM}/master: restarted\n")
        self.assertEqual((self.processor("master")["state"], self.processor("master")["restarts"]), ("running", 1))

        self.ok("reset", "master")
        self.assertEqual(self.processor("master")["state"], "running")

    def test_kick(self):
        self.ok("boot", "slave2")
        self.until("slave2", FIRST_WORDS)
        self.assertEqual(self.ok("kick", f"{PLATFORM}/slave2", "21"), f"{PLATFORM}/slave2: vector 21 sent to it\n")
        self.until("slave2", "slave2: received vector 21 from the master")
        self.ok("kick", f"{PLATFORM}/slave2", "0x16", "--from-slave")
        self.until("master", "master: received vector 22 from slave 2")
        self.assertGreaterEqual(self.processor("slave2")["couple"]["master"]["sent"], 4)
        self.fails(WRONG_STATE, "master", "kick", f"{PLATFORM}/master", "1")

    def test_pause(self):
        self.assertEqual(self.ok("pause", PLATFORM), f"{PLATFORM}: paused\n")
        self.assertEqual(self.processor("slave1")["state"], "paused")
        self.assertEqual(self.ok("resume", PLATFORM), f"{PLATFORM}: resumed\n")
        self.assertEqual(self.processor("slave1")["state"], "running")

    def test_monitor(self):
        events = self.monitor("--json", f"{PLATFORM}/slave2")
        lines = self.monitor()
        lines.expect(r"^\d\d:\d\d:\d\d\.\d{3} hetd .*Version=")
        self.ok("pause", PLATFORM)
        self.ok("resume", PLATFORM)
        self.ok("boot", "slave2")

        event = json.loads(events.expect('.*"State":"running".*').group())
        self.assertEqual((event["event"], event["name"]), ("processor", f"{PLATFORM}/slave2"))
        self.assertGreater(event["time"], 1.6e15)
        lines.expect(rf"^\S+ processor {PLATFORM}/slave1 .*State=paused Reason=")
        lines.expect(rf"^\S+ platform {PLATFORM} .*State=running")
        lines.expect(rf"^\S+ processor {PLATFORM}/slave2 .*State=running")

        for output in (events, lines):
            output.child.send_signal(signal.SIGTERM)
            self.assertEqual(output.child.wait(DEADLINE), OK)
        events.rest()
        self.assertEqual({json.loads(line)["name"] for line in events.text.splitlines()}, {f"{PLATFORM}/slave2"})

    def test_hetd_ends(self):
        monitor = self.monitor("--json")
        self.hetd.send_signal(signal.SIGTERM)
        monitor.expect('"hetd-gone"')
        self.assertEqual(self.hetd.wait(DEADLINE), 0)
        self.fails(NO_HETD, "does not run", "status")

    def test_console_pipe(self):
        # what is typed arrives, whole, though the guest reads byte by byte
        commands = "".join(f"ping 1 {vector}\n" for vector in range(8, 30))
        self.ok("console", "master", stdin=commands)
        self.until("slave1", "slave1: received vector 29 from the master")
        log = self.ok("console", "slave1", "--lines=0")
        for vector in range(8, 30):
            self.assertEqual(log.count(f"slave1: received vector {vector} from the master"), 1)

        self.assertIn("master: help: show this", self.ok("console", "master", "--until=show this", stdin="help\n"))
        self.assertEqual(len(self.ok("console", "slave1", "--history", "--lines=2").splitlines()), 2)
        self.fails(NOT_FOUND, "nobody", "console", f"{PLATFORM}/nobody")

        result = self.run_hetctl("console", "slave1", "--until=never", SHORT)
        self.assertEqual(result.returncode, TIMED_OUT)

    def test_console_ends(self):
        follower = self.spawn([HETCTL, "--user", "console", "slave1", "--lines=0", "--follow"], env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.ok("kick", "slave1", "30")
        self.until("slave1", "received vector 30")
        self.ok("stop", PLATFORM)
        text = follower.communicate(timeout=DEADLINE)[0].decode()
        self.assertEqual(follower.returncode, OK)
        self.assertEqual(text.count("received vector 30"), 1)

        # what it printed can still be read, the console cannot be opened
        past = self.run_hetctl("console", "slave1", "--lines=0")
        self.assertEqual((past.returncode, past.stdout), (OK, text))
        self.assertIn("has no console now", past.stderr)
        self.fails(WRONG_STATE, "stopped", "console", "slave1")

    def test_console_terminal(self):
        terminal = self.terminal("console", "master", "--history")
        terminal.output.expect("Ctrl-] leaves")
        terminal.output.expect("received vector 3 from slave 1")
        self.assertFalse(terminal.mode()[3] & (termios.ICANON | termios.ECHO | termios.ISIG))
        terminal.type("help\r")
        terminal.output.expect("help: show this\r\n")
        terminal.type("\x03")           # Ctrl-C is the guest's
        terminal.type("\rping 1 31\r")
        terminal.output.expect("received vector 31 from slave 1")
        terminal.type("\x1d")
        status, _, mode = terminal.finish()
        self.assertEqual(status, OK)
        self.assertEqual(mode, terminal.before)

    @unittest.skipUnless(shutil.which("tmux"), "there is no tmux")
    def test_console_of_all(self):
        terminal = self.terminal("console", PLATFORM, columns=200, TMUX_TMPDIR=str(self.directory))
        for name in ("master", "slave1", "slave2"):
            terminal.output.position = 0
            terminal.output.expect(f"{PLATFORM}/{name}")
        terminal.output.position = 0
        terminal.output.expect("slave1: booted from the shared window")
        # Ctrl-] leaves one after the other; the last one ends it. One that is not connected yet does not hear it.
        for _ in range(60):
            terminal.type("\x1d")
            if terminal.wait(2):
                break
        self.assertEqual(terminal.finish()[0], OK)
        self.fails(USAGE, "for a terminal", "console", PLATFORM)
        self.ok("stop", PLATFORM)
        self.fails(WRONG_STATE, "No processor of", "console", PLATFORM)

    def test_console_terminal_killed(self):
        terminal = self.terminal("console", "master")
        terminal.output.expect("Ctrl-] leaves")
        terminal.popen.send_signal(signal.SIGTERM)
        status, _, mode = terminal.finish()
        self.assertEqual(status, 128 + signal.SIGTERM)
        self.assertEqual(mode, terminal.before)


class External(HetctlTest):
    def setUp(self):
        super().setUp()
        self.start_hetd()
        path = self.directory / "ext.platform"
        path.write_text(EXTERNAL, encoding="utf-8")
        self.ok("start", path)
        self.qemu, self.qmp = self.start_qemu(
            "-object", "memory-backend-shared,id=mem,size=16M", "-machine", "mps2-an385,slave=on,memory-backend=mem",
            "-m", "16M", "-device", "idm_ipi-flat,id=idm,addr=0x50000000,irq=31")

    def check(self, *arguments):
        self.assertEqual(self.ok("attach", "ext/m3", self.qmp, *arguments), "ext/m3: attached\n")
        self.assertEqual(self.json("status", "m3")["state"], "ready")
        self.ok("boot", "m3")
        self.until("master", "received vector 3 from slave 2")
        self.fails(WRONG_STATE, "running", "attach", "m3", self.qmp)
        self.fails(WRONG_STATE, "no console that hetd knows of", "console", "m3")
        self.assertEqual(self.ok("detach", "m3"), "ext/m3: detached\n")
        self.assertIsNone(self.qemu.poll())

    def test_attach_path(self):
        self.fails(NOT_FOUND, "No such file", "attach", "m3", self.directory / "nothing")
        self.check()

    def test_attach_connection(self):
        self.check("--connect")


if __name__ == "__main__":
    main()
