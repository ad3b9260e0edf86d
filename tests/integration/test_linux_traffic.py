#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
docs/examples/linux-master.platform: traffic with both slaves at once, on all of their services. Each message says whose it is and which
one; none is lost, doubled, overtaken or somebody else's.
"""

from het_harness import main
from het_linux import CLASS, RemoteprocTestCase, need_guest

MESSAGES = 100

# $1 is a device, $2 what each message begins with, $3 what each answer begins with
FUNCTIONS = f"""
channel() {{ basename {CLASS}$1/rproc-virtio.*/virtio*/*.$2.-1.*; }}
numbered() {{ i=0; while [ $i -lt {MESSAGES} ]; do i=$((i + 1)); echo "$1 $i"; done; }}
stream() {{ exec 3<>/dev/$1; numbered "$3" >/tmp/$1.want; (numbered "$2" | while read -r m; do until echo "$m" >&3; do :; done 2>/dev/null; done) & head -n {MESSAGES} <&3 >/tmp/$1.got; }}
"""


class Traffic(RemoteprocTestCase):
    shares_boot = True

    def setUp(self):
        super().setUp()
        for line in FUNCTIONS.strip().splitlines():
            self.console.send(line + "\n")
        for number in (0, 1):
            self.start(number)

    def bind(self, number, service):
        """The device file of a service that no driver has taken yet; a terminal's has its driver"""
        name = self.shell.ok(f"channel {number} {service}")
        path = f"/sys/bus/rpmsg/devices/{name}"
        if service != "rpmsg-raw":
            self.shell.ok(f"echo rpmsg_chrdev >{path}/driver_override; echo {name} >/sys/bus/rpmsg/drivers/rpmsg_chrdev/bind")
        return self.shell.ok(f"ls {path}/rpmsg")

    def test_streams_do_not_mix(self):
        streams = []
        for number in (0, 1):
            word = f"slave{number + 1}"
            tty = self.tty(number).removeprefix("/dev/")
            self.shell.ok(f"stty raw -echo -F /dev/{tty}")
            streams += [(tty, f"{word} terminal", f"{word} terminal"),
                        (self.bind(number, "rpmsg-raw"), f"{word} raw", f"{word} raw"),
                        (self.bind(number, "rpmsg-ping"), f"ping {word}", f"pong {word}")]
        self.assertEqual(len({device for device, *_ in streams}), 6)
        for _ in range(3):
            self.shell.ok(" ".join(f"((stream {d} '{sent}' '{back}'; echo {d} >>/tmp/ended) &);" for d, sent, back in streams) +
                          f" while [ \"$(cat /tmp/ended 2>/dev/null | wc -l)\" -lt {len(streams)} ]; do sleep 0.1; done; rm /tmp/ended")
            for device, *_ in streams:
                self.assertEqual(self.shell.ok(f"diff /tmp/{device}.want /tmp/{device}.got"), "")
            self.assertEqual(self.shell.ok(f"wc -l </tmp/{streams[0][0]}.got").strip(), str(MESSAGES))


if __name__ == "__main__":
    need_guest()
    main()
