#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Over and over, many at once, given up half-way, and the end: nothing may stay behind."""

import os
import signal

from het_bus import ERROR, ROOT, options, platform_path
from het_harness import FIRMWARE, MASTER, SLAVE1, SLAVE2, TestCase, main, platform_text

ROUNDS = 20
SLAVES = 16


def hanging(directory):
    """A program that starts, and then says nothing for ever: hetd must wait for it"""
    path = directory / "hanging"
    path.write_text("#!/bin/sh\nexec sleep infinity\n", encoding="utf-8")
    path.chmod(0o755)
    return path


class Rounds(TestCase):
    def test_start_and_stop(self):
        platform = self.hetd.load("first-light")
        platform.start()
        platform.stop()
        first = None
        for _ in range(ROUNDS):
            platform.start()
            running = self.hetd.fds()
            platform.stop()
            now = self.hetd.fds()
            first = first or (running, now)
            self.assertEqual((running, now), first)
        self.assertEqual(self.hetd.manager("ListJobs"), [])

    def test_define_start_remove(self):
        """Everything anew, with slaves that run, and the platform removed"""
        for _ in range(5):
            platform = self.hetd.load("first-light")
            platform.start()
            platform.processor("slave2").boot()
            platform.processor("master").console().expect("received vector 3 from slave 2")
            platform.stop()
            platform.remove()
            self.hetd.check_nothing_left()
        self.assertEqual(self.bus.get(ROOT, "Manager", "NPlatforms"), 0)

    def test_boot_and_stop(self):
        platform = self.hetd.load("first-light").start()
        slave, master = platform.processor("slave2"), platform.processor("master").console()
        master.expect("received vector 3 from slave 1")
        console = slave.console()
        fds = None
        for boot in range(1, ROUNDS + 1):
            since = master.mark()
            slave.boot()
            console.expect(f"boot {boot}$")
            master.expect("received vector 3 from slave 2", since)
            slave.call("Stop")
            now = self.hetd.fds(), len(os.listdir(f"/proc/{slave.pid}/fd"))
            fds = fds or now
            self.assertEqual(now, fds)
        self.assertEqual(slave.get("Boots"), ROUNDS)


class Many(TestCase):
    def test_slaves(self):
        """A master with 16 slaves, of both kinds"""
        slaves = []
        for i in range(1, SLAVES + 1):
            kind = SLAVE1 if i % 2 else SLAVE2.split("Firmware=")[0]
            slaves.append(kind.replace("slave1", f"slave{i}").replace("slave2", f"slave{i}").replace("Id=1", f"Id={i}")
                          .replace("Id=2", f"Id={i}").replace("64M@0x60000000", f"16M@0x{0x60000000 + i * 0x1000000:x}")
                          .replace("16M@0x70000000", f"16M@0x{0x60000000 + i * 0x1000000:x}"))
        platform = self.hetd.define("many", platform_text(MASTER, *slaves))
        platform.start()
        processors = platform.processors()
        self.assertEqual(len(processors), SLAVES + 1)
        self.assertEqual({p.state for p in processors[1:]}, {"ready"})
        master = processors[0].console()
        for i in range(1, SLAVES + 1):
            master.expect(f"^master: slave {i} is ready, window of 16384 KiB at 0x{0x60000000 + i * 0x1000000:x}$")
        # Each hears its own vector: what the master is sent for one comes from that one
        for i in range(1, SLAVES + 1):
            processors[i].kick(i, FromSlave=True)
        for i in range(1, SLAVES + 1):
            master.expect(f"^master: received vector {i} from slave {i}$")
        os.kill(processors[7].pid, signal.SIGKILL)
        master.expect("^master: slave 7 is crashed")
        self.assertEqual({p.state for p in processors[1:] if p is not processors[7]}, {"ready"})
        platform.stop()

    def test_platforms_at_once(self):
        platforms = [self.hetd.define(f"p{i}", platform_text(MASTER, SLAVE1, SLAVE2)) for i in range(4)]
        jobs = [p.begin("Start") for p in platforms]
        self.assertEqual([wait() for wait, _ in jobs], [("done", "")] * 4)
        for p in platforms:
            p.processor("slave2").boot()
            p.processor("master").console().expect("received vector 3 from slave 2")
        jobs = [p.begin("Stop") for p in platforms]
        self.assertEqual([wait() for wait, _ in jobs], [("done", "")] * 4)

    def test_auto_boot(self):
        platform = self.hetd.define("auto", platform_text(MASTER, SLAVE1, SLAVE2 + "AutoBoot=yes\n"))
        platform.start()
        self.assertEqual(platform.processor("slave2").state, "running")
        platform.processor("slave2").console().expect("booted")

    def test_kernel_instead_of_firmware(self):
        """A master with a kernel is given a device tree that tells of the platform; it is gone with the job."""
        platform = self.hetd.define("kernel", platform_text(MASTER.replace("Firmware=${FIRMWARE_DIR}", f"Kernel={FIRMWARE}"), SLAVE1,
                                                            SLAVE2))
        platform.start()
        with open(f"/proc/{platform.processor('master').pid}/cmdline", encoding="utf-8") as f:
            arguments = f.read().split("\0")
        self.assertEqual(arguments[arguments.index("-dtb") + 1], f"{self.hetd.runtime}/kernel/master.dtb")
        self.assertEqual([path for path in self.hetd.files() if path.endswith(".dtb")], [])
        platform.processor("master").console().expect("received vector 3 from slave 1")


# As long as the platform is defined
KEPT = (".log", ".config", ".state")


class Cancel(TestCase):
    def assert_undone(self, platform, since):
        self.assertEqual((platform.state, platform.reason), ("stopped", "start-canceled"))
        self.assertEqual({(p.pid, bool(p.get("MemoryGranted"))) for p in platform.processors()}, {(0, False)})
        self.bus.mark()
        self.assertEqual(self.bus.values(platform.path, "State", since), ["starting", "stopping", "stopped"])
        self.hetd.settle()
        self.assertEqual([path for path in self.hetd.files() if not path.endswith(KEPT) and os.path.isfile(path)], [])

    def test_while_a_process_is_waited_for(self):
        platform = self.hetd.define("p", platform_text(MASTER, SLAVE1, SLAVE2 + f"QEMU={hanging(self.directory)}\n"))
        since = self.bus.mark()
        wait, job = platform.begin("Start")
        platform.processor("slave1").wait_state("ready")        # it was waiting only until its master was ready
        platform.processor("master").wait_state("ready")
        self.assertEqual([(row[1], row[2], row[3]) for row in self.hetd.manager("ListJobs")], [("start", "p", job)])
        self.assertEqual((self.bus.get(job, "Job", "Type"), self.bus.get(job, "Job", "Platform")), ("start", platform.path))
        self.assertRefused(ERROR + "WrongState", "starting", platform.call, "Start", "a{sv}", options())
        self.assertRefused(ERROR + "WrongState", "starting", platform.call, "Stop", "a{sv}", options())
        self.assertRefused(ERROR + "WrongState", "starting", platform.remove)
        self.bus.call(job, "org.hetd1.Job", "Cancel")
        self.assertEqual(wait()[0], "canceled")
        self.assert_undone(platform, since)

    def test_at_once(self):
        platform = self.hetd.load("first-light")
        for _ in range(3):
            since = self.bus.mark()
            wait, job = platform.begin("Start")
            self.bus.call(job, "org.hetd1.Job", "Cancel")
            self.assertEqual(wait()[0], "canceled")
            self.assert_undone(platform, since)
        platform.start()

    def test_at_each_step(self):
        """Whenever hetd tells of a step: whatever was done until then is undone, or the job was done already."""
        platform = self.hetd.load("first-light")
        seen = set()
        for step in range(1, 12):
            since = self.bus.mark()
            wait, job = platform.begin("Start")
            self.loop.wait(lambda: len(self.bus.values(job, "Step", since)) >= step or
                           self.bus.search(lambda m: m.member == "JobRemoved", since), "a step of the job")
            try:
                self.bus.call(job, "org.hetd1.Job", "Cancel")
            except Exception as e:
                self.assertRegex(str(e), "UnknownObject")
            result = wait()[0]
            seen.add(result)
            if result == "done":
                platform.stop()
            else:
                self.assertEqual(result, "canceled")
                self.assert_undone(platform, since)
        self.assertIn("canceled", seen)
        platform.start()

    def test_stop_goes_on(self):
        platform = self.hetd.define("p", platform_text(MASTER, SLAVE1, SLAVE2))
        platform.start()
        pid = platform.processor("slave2").pid
        os.kill(pid, signal.SIGSTOP)            # so that it takes a while
        wait, job = platform.begin("Stop")
        self.assertRefused(ERROR + "WrongState", "cannot be canceled", self.bus.call, job, "org.hetd1.Job", "Cancel")
        self.assertRefused(ERROR + "WrongState", "stopping", platform.call, "Start", "a{sv}", options())
        self.assertEqual(wait(), ("done", ""))
        # hetd tells of a process's end before it reaps it, and answers when it has
        self.assertEqual(platform.state, "stopped")
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_caller_goes_away(self):
        """The job goes on."""
        platform = self.hetd.load("first-light")
        pending = self.bus.begin(platform.path, "org.hetd1.Platform", "Start", "a{sv}", options())
        pending.wait()
        self.bus.connections.pop().close()
        platform.wait_state("running")


class Sigterm(TestCase):
    def end(self, *processes):
        pids = [p.pid for p in processes]
        self.assertEqual(self.hetd.end(), 0)
        self.assertEqual([pid for pid in pids if pid and os.path.exists(f"/proc/{pid}")], [])
        self.assertIn("STOPPING=1", self.hetd.told)
        # What the consoles have printed is kept for a look; nothing else
        self.assertEqual([path for path in self.hetd.files() if not path.endswith(".log") and not os.path.isdir(path)], [])

    def test_while_platforms_run(self):
        one, two = self.hetd.load("first-light"), self.hetd.define("two", platform_text(MASTER, SLAVE1, SLAVE2))
        one.start()
        two.start()
        one.processor("slave2").boot()
        two.call("Pause")
        self.end(*one.processors(), *two.processors())
        self.assertTrue((self.hetd.runtime / "first-light/slave2.log").exists())

    def test_with_nothing(self):
        self.hetd.load("first-light")
        self.end()
        self.assertEqual(self.hetd.files(), [])

    def test_while_a_platform_starts(self):
        platform = self.hetd.define("p", platform_text(MASTER, SLAVE1, SLAVE2 + f"QEMU={hanging(self.directory)}\n"))
        platform.begin("Start")
        platform.processor("slave1").wait_state("ready")
        self.end(*platform.processors())

    def test_while_a_platform_stops(self):
        platform = self.hetd.load("first-light").start()
        os.kill(platform.processor("slave2").pid, signal.SIGSTOP)
        platform.begin("Stop")
        self.end(*platform.processors())

    def test_twice(self):
        platform = self.hetd.load("first-light").start()
        os.kill(platform.processor("slave2").pid, signal.SIGSTOP)
        processors = platform.processors()
        pids = [p.pid for p in processors]
        since = self.bus.mark()
        self.hetd.process.popen.send_signal(signal.SIGTERM)
        self.bus.signal("PropertiesChanged", since, platform.path, lambda data: data[1].get("State", {}).get("data") == "stopping")
        self.hetd.process.popen.send_signal(signal.SIGINT)
        self.assertEqual(self.hetd.end(), 0)
        self.assertEqual([pid for pid in pids if os.path.exists(f"/proc/{pid}")], [])

    def test_tells_what_happens(self):
        platform = self.hetd.load("first-light").start()
        since = self.bus.mark()
        self.end(*platform.processors())
        self.bus.mark()
        self.assertEqual(self.bus.values(platform.path, "State", since), ["stopping", "stopped"])
        self.assertEqual(self.bus.values(platform.path, "Reason", since)[-1], "hetd-exit")

    def test_files_of_an_earlier_one(self):
        """What was left does not get in the way, whatever it is."""
        directory = self.hetd.runtime / "first-light"
        directory.mkdir()
        for name in ("master.qmp", "master.console", "slave2.console", "slave2.log"):
            (directory / name).write_text("left\n", encoding="utf-8")
        platform = self.hetd.load("first-light").start()
        platform.processor("slave2").boot()
        console = platform.processor("slave2").console()
        console.expect("booted")
        self.assertEqual(console.count("left"), 0)


class Remove(TestCase):
    def test_signals(self):
        since = self.bus.mark()
        platform = self.hetd.load("first-light")
        objects = {platform.path, *(p.path for p in platform.processors())}
        self.assertEqual(self.bus.signal("PlatformNew", since), ["first-light", platform.path])
        self.bus.mark()
        added = [m.data[0] for m in self.bus.messages[since:] if m.member == "InterfacesAdded"]
        self.assertEqual(sorted(added), sorted(objects))
        since = self.bus.mark()
        platform.remove()
        self.assertEqual(self.bus.signal("PlatformRemoved", since), ["first-light", platform_path("first-light")])
        self.bus.mark()
        removed = [m.data[0] for m in self.bus.messages[since:] if m.member == "InterfacesRemoved"]
        self.assertEqual(sorted(removed), sorted(objects))
        self.assertEqual(set(self.bus.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")) - {ROOT}, set())
        self.assertRefused(ERROR + "NoSuchPlatform", "first-light", self.hetd.manager, "GetPlatform", "s", "first-light")

    def test_after_a_stop(self):
        platform = self.hetd.load("first-light").start()
        platform.stop()
        self.assertTrue((self.hetd.runtime / "first-light/master.log").exists(), "what it printed is kept for a look")
        platform.remove()
        self.assertEqual(self.hetd.files(), [])


if __name__ == "__main__":
    main()
