#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hetd is killed, or left, and another one takes its platforms over."""

import json
import os
import signal

from het_bus import ERROR
from het_harness import FIRMWARE, MASTER, SLAVE1, SLAVE2, TestCase, main, platform_text
from het_qemu import CONTROL, RESULT_DONE, RESULT_PENDING, START, STOP, Registers


class Readopt(TestCase):
    def start(self, slave1="", slave2="", master=""):
        self.platform = self.hetd.define("p", platform_text(MASTER + master, SLAVE1 + slave1, SLAVE2 + slave2)).start()
        self.master, self.slave1, self.slave2 = (self.platform.processor(n) for n in ("master", "slave1", "slave2"))
        self.console = self.master.console()
        self.console.expect("received vector 3 from slave 1")
        # Else the next hetd carries out what the guest has asked for, and nobody has answered
        self.console.expect("start of slave 1: done")

    def consoles(self):
        """hetd's end takes those of the harness along"""
        self.console, self.console1, self.console2 = (p.console() for p in (self.master, self.slave1, self.slave2))

    def kill_and_take_over(self):
        self.hetd.kill()
        ends = self.hetd.take_over()
        self.consoles()
        return ends

    def pids(self):
        return [p.pid for p in (self.master, self.slave1, self.slave2)]

    def states(self):
        return [o.state for o in (self.platform, self.master, self.slave1, self.slave2)]

    def assert_works(self, slave, number):
        """The guests hear each other, and hetd is obeyed."""
        console = slave.console()
        since, master_since = console.mark(), self.console.mark()
        slave.kick(17)
        console.expect("received vector 17 from the master", since)
        self.console.expect(f"received vector 17 from slave {number}", master_since)


class Killed(Readopt):
    def test_while_it_runs(self):
        self.start()
        self.slave2.boot()
        self.console.expect("received vector 3 from slave 2")
        before = self.pids(), self.states(), self.slave1.boots, self.slave2.boots
        self.hetd.kill()
        # Nobody has noticed
        for pid in before[0]:
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                self.assertNotEqual(f.read().rsplit(")", 1)[1].split()[0], "Z")
        ends = self.hetd.take_over()
        self.assertEqual([end[2:] for end in ends], [["done", ""]])
        self.consoles()
        self.assertEqual((self.pids(), self.states(), self.slave1.boots, self.slave2.boots), before)
        self.assert_works(self.slave1, 1)
        self.assert_works(self.slave2, 2)
        # All that can be done is done
        since = self.console2.mark()
        self.slave2.call("Stop")
        self.slave2.boot()
        self.console2.expect("booted from the shared window at 0x70000000, boot 2", since)
        self.slave2.call("Stop")
        self.slave2.call("RevokeMemory")
        self.assertEqual(self.slave2.state, "waiting")
        self.platform.call("Pause")
        self.platform.wait_state("paused")
        self.platform.call("Resume")
        self.platform.wait_state("running")
        self.platform.stop()
        self.platform.start()

    def test_again_and_again(self):
        self.start()
        pids = self.pids()
        for _ in range(5):
            self.kill_and_take_over()
            self.assertEqual(self.pids(), pids)
            self.assert_works(self.slave1, 1)

    def test_idle_platforms(self):
        """Also those that were never started, and what they were made of"""
        self.hetd.define("a", platform_text(MASTER, SLAVE2))
        self.start()
        self.platform.stop()
        self.hetd.kill()
        self.hetd.take_over()
        self.assertEqual({p.name: (p.state, p.reason) for p in self.hetd.platforms()},
                         {"a": ("defined", "defined"), "p": ("stopped", "platform-stop")})
        self.platform.start()

    def test_a_slave_that_ends_meanwhile(self):
        self.start(slave2="Restart=on-failure\nRestartSec=1ms\n")
        pid = self.slave2.pid
        self.hetd.kill()
        os.kill(pid, signal.SIGKILL)
        self.hetd.take_over()
        self.consoles()
        self.console.expect("^master: slave 2 is crashed")
        self.bus.wait_property(self.slave2.path, "Processor", "Restarts", 1)
        self.slave2.wait_state("ready")
        self.assertNotEqual(self.slave2.pid, pid)
        self.slave2.boot()
        self.assert_works(self.slave2, 2)

    def test_a_slave_that_ends_before_it_was_heard(self):
        """Its end is told when there is a way to tell it: the master has the couple."""
        self.start()
        pid, master, fds = self.slave2.pid, self.master.pid, self.hetd.first_fds
        for stopped in (pid, master):
            os.kill(stopped, signal.SIGSTOP)
        self.hetd.kill()
        self.hetd.start()
        self.hetd.first_fds = fds
        self.consoles()
        self.assertEqual(self.slave2.state, "lost")
        os.kill(pid, signal.SIGKILL)
        os.kill(master, signal.SIGCONT)
        self.assertEqual(self.slave2.wait_state("crashed"), "crashed")
        self.console.expect("^master: slave 2 is crashed")
        self.assertEqual(self.master.wait_state("running"), "running")
        self.assert_works(self.slave1, 1)
        self.slave2.call("Restart")
        self.slave2.boot()
        self.assert_works(self.slave2, 2)

    def test_the_master_ends_meanwhile(self):
        self.start()
        pid = self.master.pid
        self.hetd.kill()
        os.kill(pid, signal.SIGKILL)
        self.hetd.take_over()
        self.platform.wait_state("crashed")
        self.assertEqual((self.platform.reason, self.master.state, self.slave1.state), ("master-crashed", "crashed", "stopped"))
        self.platform.start()

    def test_a_qemu_that_hangs(self):
        """It is lost, nobody waits for it, and it is back when it goes on."""
        self.start()
        pid = self.slave2.pid
        os.kill(pid, signal.SIGSTOP)
        self.hetd.kill()
        self.hetd.take_over()
        self.consoles()
        self.assertEqual((self.slave2.state, self.slave2.reason), ("lost", "hetd-restart"))
        self.assert_works(self.slave1, 1)
        os.kill(pid, signal.SIGCONT)
        self.slave2.wait_state("ready")
        self.slave2.boot()
        self.assert_works(self.slave2, 2)

    def test_a_master_that_hangs(self):
        """A slave's own QEMU gives the couple back as well."""
        self.start()
        os.kill(self.master.pid, signal.SIGSTOP)
        self.hetd.kill()
        self.hetd.take_over()
        self.consoles()
        self.assertEqual((self.platform.state, self.master.state, self.slave1.state), ("running", "lost", "running"))
        os.kill(self.master.pid, signal.SIGCONT)
        self.master.wait_state("running")
        self.assert_works(self.slave1, 1)
        self.slave2.boot()
        self.assert_works(self.slave2, 2)

    def test_the_end_of_one_that_was_taken_over(self):
        """It is no child, so nobody knows how it ended; all else is as usual."""
        self.start(slave2="Restart=on-failure\nRestartSec=1ms\n")
        self.kill_and_take_over()
        since = self.console.mark()
        os.kill(self.slave1.pid, signal.SIGKILL)
        self.slave1.wait_state("crashed")
        self.assertEqual((self.slave1.reason, self.slave1.pid), ("process-exit", 0))
        self.assertIn("how it ended is not known", self.slave1.get("ReasonText"))
        self.console.expect("^master: slave 1 is crashed", since)
        os.kill(self.slave2.pid, signal.SIGKILL)
        self.bus.wait_property(self.slave2.path, "Processor", "Restarts", 1)
        self.slave2.wait_state("ready")
        self.slave2.boot()
        self.assert_works(self.slave2, 2)
        self.slave1.call("Restart")
        self.assertEqual(self.slave1.state, "ready")

    def test_a_restart_that_was_planned(self):
        self.start(slave2="Restart=on-failure\nRestartSec=1h\n")
        os.kill(self.slave2.pid, signal.SIGKILL)
        self.slave2.wait_state("crashed")
        self.kill_and_take_over()
        self.assertEqual(self.slave2.state, "crashed")
        self.assertIn("it is started again in ", self.slave2.get("ReasonText"))
        self.slave2.call("Restart")
        self.slave2.boot()
        self.assert_works(self.slave2, 2)

    def test_what_qemu_prints(self):
        """It is heard again, and not waited for in between."""
        self.start(slave2="ExtraArguments=-d guest_errors,unimp\n")
        self.hetd.kill()
        self.hetd.take_over()
        self.consoles()
        since = len(self.hetd.log())
        os.kill(self.slave2.pid, signal.SIGTERM)
        self.slave2.wait_state("stopped", "crashed")
        self.assertRegex(self.hetd.log()[since:], "p/slave2: QEMU says: .*terminating on signal 15")

    def test_another_couple_than_ours(self):
        """What a QEMU gives back is taken only if hetd has made it: the slave is made a part of the platform anew."""
        self.start()
        self.hetd.kill()
        state = self.hetd.runtime / "p.state"
        content = json.loads(state.read_text(encoding="utf-8"))
        saved = next(p for p in content["processors"] if p["name"] == "slave1")
        saved["couple"]["eventfds"][0] += 1000000
        pid = saved["pid"]
        state.write_text(json.dumps(content), encoding="utf-8")
        self.hetd.take_over()
        self.consoles()
        self.assertIn("What was given back is not the couple of slave 1", self.hetd.log())
        self.bus.wait_property(self.slave1.path, "Processor", "Restarts", 1)
        self.slave1.wait_state("ready")
        self.assertNotEqual(self.slave1.pid, pid)
        self.slave2.boot()
        self.assert_works(self.slave2, 2)

    def test_files_that_are_gone(self):
        """A platform is taken over though what it was made of is not there any more."""
        firmware = self.directory / "slave.elf"
        firmware.write_bytes((FIRMWARE / "first-light-slave-m3.elf").read_bytes())
        self.platform = self.hetd.define("p", platform_text(MASTER, SLAVE1, SLAVE2.replace("${FIRMWARE_DIR}/first-light-slave-m3.elf",
                                                                                           str(firmware)))).start()
        self.master, self.slave1, self.slave2 = (self.platform.processor(n) for n in ("master", "slave1", "slave2"))
        self.slave2.boot()
        firmware.unlink()
        self.kill_and_take_over()
        self.assert_works(self.slave2, 2)
        self.slave2.call("Stop")
        with self.assertRaisesRegex(Exception, "slave.elf: cannot be read: No such file"):
            self.slave2.boot()

    def test_a_number_that_somebody_else_has(self):
        """hetd does not end what is not its own."""
        self.start()
        self.hetd.kill()
        state = self.hetd.runtime / "p.state"
        other = self.start_process("sleep", "1000")
        content = json.loads(state.read_text(encoding="utf-8"))
        saved = next(p for p in content["processors"] if p["name"] == "slave2")
        os.kill(saved["pid"], signal.SIGKILL)
        saved["pid"] = other.pid
        state.write_text(json.dumps(content), encoding="utf-8")
        self.hetd.take_over()
        self.slave2.wait_state("crashed")
        self.assertEqual(self.slave2.pid, 0)
        self.platform.stop()
        self.assertTrue(other.is_running())

    def test_a_file_that_is_none(self):
        """It is put aside, and said so; what can be understood is taken over."""
        self.start()
        (self.hetd.runtime / "q.state").write_text("{", encoding="utf-8")
        self.hetd.kill()
        self.hetd.take_over()
        self.consoles()
        self.assert_works(self.slave1, 1)
        self.assertIn("q: It is lost: it cannot be taken over", self.hetd.log())
        (self.hetd.runtime / "q.state.broken").unlink()

    def test_a_file_of_another_version(self):
        """It is left for the hetd that has written it, and no other platform takes its place meanwhile."""
        self.start()
        pids = self.pids()
        self.hetd.kill()
        state, config = (self.hetd.runtime / f"p.{suffix}" for suffix in ("state", "config"))
        text = state.read_text(encoding="utf-8")
        newer = text.replace('"version":', '"version":1')
        state.write_text(newer, encoding="utf-8")
        files = newer, config.read_text(encoding="utf-8")
        self.hetd.start()
        self.assertEqual(self.hetd.platforms(), [])
        self.assertRegex(self.hetd.log(), f"p: It is lost: .*has the version 1.*start hetd again, or remove {state}")
        for values in ({}, {"Replace": True}):
            self.assertRefused(ERROR + "PlatformExists", f"hetd's log says why.*remove {state}", self.hetd.define, "p", platform_text(MASTER),
                               **values)
        self.assertEqual((state.read_text(encoding="utf-8"), config.read_text(encoding="utf-8")), files)
        self.assertEqual(self.hetd.end(), 0)
        state.write_text(text, encoding="utf-8")
        self.hetd.take_over()
        self.consoles()
        self.assertEqual(self.pids(), pids)
        self.assert_works(self.slave1, 1)

    def test_an_earlier_boot(self):
        self.hetd.define("a", platform_text(MASTER, SLAVE2))
        self.hetd.kill()
        state = self.hetd.runtime / "a.state"
        text = state.read_text(encoding="utf-8")
        self.assertIn('"boot":"', text)
        state.write_text(text.replace('"boot":"', '"boot":"x'), encoding="utf-8")
        self.hetd.start()
        self.assertEqual(self.hetd.platforms(), [])
        self.assertEqual(self.hetd.files(), [])


class Requests(Readopt):
    """Of the master's guest, while there is nobody"""

    def setUp(self):
        super().setUp()
        self.registers = Registers(self)
        self.start(master=self.registers.arguments)
        self.registers.connect()

    def wait_done(self):
        self.console.expect("request of slave 2: done")
        self.assertEqual(self.registers.read(CONTROL) & 0xff, RESULT_DONE)

    def test_start_and_stop(self):
        self.hetd.kill()
        self.registers.write(CONTROL, START)
        self.assertEqual(self.registers.read(CONTROL) & 0xff, RESULT_PENDING)
        self.hetd.take_over()
        self.consoles()
        self.wait_done()
        self.assertEqual((self.slave2.wait_state("running"), self.slave2.boots), ("running", 1))
        self.assert_works(self.slave2, 2)
        self.hetd.kill()
        self.registers.write(CONTROL, STOP)
        self.hetd.take_over()
        self.consoles()
        self.assertEqual(self.slave2.wait_state("ready"), "ready")
        self.assertEqual(self.slave2.reason, "stop")

    def test_carried_out_and_not_answered(self):
        """hetd was killed between the boot and its answer: it is not refused because it was done."""
        self.slave2.boot()
        self.hetd.kill()
        self.registers.write(CONTROL, START)            # as if it had been asked for by that
        self.hetd.take_over()
        self.consoles()
        self.wait_done()
        self.assertEqual(self.slave2.boots, 1)


class Kept(Readopt):
    hetd_arguments = ("--keep",)

    def tearDown(self):
        if not self.has_failed():
            self.hetd.remove_everything()
        super().tearDown()

    def test_asked_to_end(self):
        self.start()
        pids = self.pids()
        self.assertEqual(self.hetd.end(), 0)
        self.hetd.take_over()
        self.consoles()
        self.assertEqual(self.pids(), pids)
        self.assert_works(self.slave1, 1)
        self.assertRefused(ERROR + "WrongState", "running", self.platform.remove)


if __name__ == "__main__":
    main()
