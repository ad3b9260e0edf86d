#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/two-microcontrollers.platform: a thermometer and a motor controller, each with an rpmsg service of its own, which Linux
uses by /dev/rpmsgN.
"""

import os
import re
import signal

from het_harness import main
from het_linux import LinuxTestCase, need_guest

CLASS = "/sys/class/remoteproc/remoteproc"
DRIVER = "/sys/bus/rpmsg/drivers/rpmsg_chrdev"
SERVICES = ("thermometer", "motor")             # those of remoteproc0 and remoteproc1
READING = re.compile(r"(\d\d)\.(\d)$")


class TwoMicrocontrollers(LinuxTestCase):
    example = "two-microcontrollers"
    firmware = ("thermometer.elf", "motor.elf")

    def begin_start(self, number):
        """Returns a function that waits until its service has been announced."""
        since, service = self.console.mark(), SERVICES[number]
        self.shell.ok(f"echo start >{CLASS}{number}/state")
        return lambda: self.console.expect(rf"creating channel {service} addr", since)

    def device(self, number):
        """The device file of its service, which is bound to the driver that has one. The kernel names it at its own pace."""
        channel = f"$(basename {CLASS}{number}/rproc-virtio.*/virtio*/virtio*.{SERVICES[number]}.*)"
        self.shell.ok(f"c={channel}; echo rpmsg_chrdev >/sys/bus/rpmsg/devices/$c/driver_override && echo $c >{DRIVER}/bind")
        return "/dev/" + self.shell.ok(f"ls /sys/bus/rpmsg/devices/$c/rpmsg")

    def start(self):
        for wait in [self.begin_start(number) for number in (0, 1)]:
            wait()
        thermometer, motor = (self.device(number) for number in (0, 1))
        self.shell.ok(f"exec 3<>{thermometer} 4<>{motor}")

    def ask(self, fd, command):
        return self.shell.ok(f"echo '{command}' >&{fd} && timeout 120 head -n 1 <&{fd}")

    def assertReading(self, text):
        self.assertRegex(text, READING)
        whole, tenth = READING.match(text).groups()
        self.assertTrue(180 <= int(whole) * 10 + int(tenth) <= 280, text)

    def wait_speed(self, speed):
        """The motor gets there, one turn a second more or less each 10 ms."""
        last, wanted = None, f"speed {speed} of {speed}"
        while (answer := self.ask(4, "status")) != wanted:
            self.assertRegex(answer, rf"^speed \d+ of {speed}$")
            distance = abs(int(answer.split()[1]) - speed)
            self.assertTrue(last is None or distance <= last, f"{answer}, and before it was {last} away")
            last = distance

    def test_services(self):
        self.start()
        for number, name in enumerate(SERVICES):
            self.assertEqual(self.shell.read(f"{CLASS}{number}/name"), name)
            self.assertRegex(self.platform.processor(name).console().expect(r"^slave\d: .*, booted").string,
                             (r"^slave1: thermometer, booted at 0x70000000$", r"^slave2: motor controller, booted at 0x71000000$")[number])
        self.assertReading(self.ask(3, "read"))
        self.assertEqual(self.ask(4, "status"), "speed 0 of 0")
        self.assertEqual(self.ask(4, "speed 40"), "ok")
        self.wait_speed(40)
        self.assertEqual(self.ask(4, "speed 5"), "ok")
        self.wait_speed(5)
        # What is no command is answered, and changes nothing
        for command in ("speed 101", "speed 4294967301", "speed", "speed 7 8", "speed x", "status now", "read", "", "speedy 4"):
            with self.subTest(command=command):
                self.assertEqual(self.ask(4, command), "error: speed 0 to 100, status, or jam")
        for command in ("watch", "watch 1001", "read 1", "speed 40", "rea"):
            with self.subTest(command=command):
                self.assertEqual(self.ask(3, command), "error: read, or watch 0 to 1000")
        self.assertEqual(self.ask(4, "status"), "speed 5 of 5")
        self.assertReading(self.ask(3, "  read  "))

    def test_traffic_does_not_mix(self):
        """Readings come by themselves while the motor is asked; each device file has its own only."""
        self.start()
        # Whoever opens the pipe to read waits for the end. A job of the shell itself would be reported on the console.
        self.shell.ok("mkfifo /tmp/end; echo watch 30 >&3; ( (head -n 30 <&3 >/tmp/readings; echo end >/tmp/end) & )")
        for n in range(100):
            self.assertEqual(self.ask(4, f"speed {n}"), "ok")
            self.assertRegex(self.ask(4, "status"), rf"^speed \d+ of {n}$")
        self.shell.ok("cat /tmp/end")
        readings = self.shell.read("/tmp/readings").splitlines()
        self.assertEqual(len(readings), 30)
        for reading in readings:
            self.assertReading(reading)
        # A day has 20 seconds, and goes a tenth of a degree each tick
        values = [int(reading.replace(".", "")) for reading in readings]
        self.assertEqual({abs(b - a) for a, b in zip(values, values[1:])}, {1})

    def test_one_crashes(self):
        """Linux starts it again, at rest; the other one is read all the while."""
        self.start()
        thermometer, motor = (self.platform.processor(name) for name in SERVICES)
        boots = int(thermometer.get("Boots"))
        self.shell.ok("echo watch 1000 >&3")
        self.assertEqual(self.ask(4, "speed 3"), "ok")
        for n in range(1, 4):
            since = self.console.mark()
            self.shell.ok("echo jam >&4; exec 4>&-")
            self.console.expect("crash detected in motor: type fatal error", since)
            motor.console().expect("^fatal: the motor takes too much current$")
            self.console.expect("creating channel motor addr", since)
            self.assertReading(self.shell.ok("timeout 120 head -n 1 <&3"))
            self.assertEqual(self.shell.read(f"{CLASS}1/state"), "running")
            device = self.device(1)
            self.shell.ok(f"exec 4<>{device}")
            self.assertEqual(self.ask(4, "status"), "speed 0 of 0")
            self.assertEqual(int(motor.get("Boots")), n + 1)
        # Its process dies: the same, once hetd has another one
        since = self.console.mark()
        self.shell.ok("exec 4>&-")
        os.kill(motor.pid, signal.SIGKILL)
        self.console.expect("creating channel motor addr", since)
        self.shell.ok(f"exec 4<>{self.device(1)}")
        self.assertEqual(self.ask(4, "status"), "speed 0 of 0")
        self.assertReading(self.shell.ok("timeout 120 head -n 1 <&3"))
        self.assertEqual((thermometer.state, int(thermometer.get("Boots"))), ("running", boots))
        self.shell.ok("exec 3>&- 4>&-")
        for number in (0, 1):
            self.shell.ok(f"echo stop >{CLASS}{number}/state")
        self.assertEqual((thermometer.state, motor.state), ("ready", "ready"))


if __name__ == "__main__":
    need_guest()
    main()
