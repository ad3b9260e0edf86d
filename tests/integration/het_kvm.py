# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether there is KVM; for tests and benchmarks."""

import fcntl
import os
import pathlib
import platform
import re

KVM_GET_API_VERSION, KVM_CREATE_VM = 0xAE00, 0xAE01


def what_is_missing_for_kvm():
    """None: a PC can be made"""
    if platform.machine() != "x86_64":
        return f"this host is no PC but {platform.machine()}"
    try:
        kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError as e:
        return f"/dev/kvm: {e.strerror}"
    try:
        fcntl.ioctl(kvm, KVM_GET_API_VERSION)
        os.close(fcntl.ioctl(kvm, KVM_CREATE_VM, 0))
    except OSError as e:
        return f"/dev/kvm is there, but makes no machine: {e.strerror}"
    finally:
        os.close(kvm)
    return None


def what_is_missing_for_a_bios():
    """None: a PC can be made, and begins in real mode. KVM also exists for hosts that are virtual themselves, where it cannot."""
    if reason := what_is_missing_for_kvm():
        return reason
    if not re.search(r"^flags\b.* (vmx|svm)\b", pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii"), re.M):
        return "this host's processor does not virtualize, and its KVM runs no BIOS"
    return None
