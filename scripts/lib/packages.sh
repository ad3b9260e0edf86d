# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The Debian packages that building and testing need: the one place, read by scripts/setup.

# shellcheck disable=SC2034  # used by scripts/setup
het_packages=(
        # building anything
        build-essential pkg-config meson ninja-build ccache git ca-certificates

        # fetching, patching and composing QEMU's source; python3-venv: its configure makes a virtual environment
        dpkg-dev patch rsync xz-utils python3 python3-venv

        # QEMU's libraries
        libglib2.0-dev zlib1g-dev libfdt-dev libslirp-dev libseccomp-dev libpixman-1-dev

        # what QEMU's boards have besides QEMU: the network card of the RFC's machines, a PC's firmware
        ipxe-qemu seabios qemu-system-data

        # QEMU's manual, which our pages must fit into
        python3-sphinx python3-sphinx-rtd-theme

        # hetd's libraries
        libsystemd-dev libjson-c-dev libelf-dev

        # the guests' firmware, and looking at their device trees
        gcc-arm-none-eabi gcc-riscv64-unknown-elf device-tree-compiler

        # tests: unit tests, a private bus, busctl, the D-Bus descriptions, core files, the scripts themselves
        libcmocka-dev dbus python3-dbus python3-gi python3-yaml systemd libxml2-utils gdb-multiarch shellcheck

        # manual pages, and looking at them
        lowdown groff man-db

        # Debian packages, and the system that they are tried on
        debhelper dh-dkms lintian debootstrap systemd-container

        # tests and benchmarks with libvirt: its daemon for domains of QEMU, virsh, and what the bridge is written with
        libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients python3-libvirt python3-gi

        # tests of hetctl: its completions, its graphs
        zsh fish graphviz tmux
)

# shellcheck disable=SC2034
het_module_packages=(
        # the Linux guests' modules and programs; the kernel's headers and libfdt come with scripts/build-guest.
        gcc-arm-linux-gnueabihf gcc-aarch64-linux-gnu gcc-i686-linux-gnu
        libc6-dev-armhf-cross libc6-dev-arm64-cross libc6-dev-i386-cross

        # tests of the modules and their binding
        sparse dt-schema
)
