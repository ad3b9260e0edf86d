# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether there is KVM; for tests and benchmarks."""

import fcntl
import os
import platform

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
