# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# QEMU's configure wants a newer meson than Debian 12 has. Used by scripts/build-qemu.

het_python=/usr/bin/python3             # not the first in PATH: QEMU's configure needs Debian's modules beside it

meson_is_enough() {
        PYTHONPATH=${1:-} "$het_python" - <<'END' 2>/dev/null
import importlib.metadata, re, sys
version = importlib.metadata.version("meson")
sys.exit([int(n) for n in re.findall(r"\d+", version)[:2]] < [1, 5])
END
}

# Sets meson_path: what to put into PYTHONPATH so that a good meson is found, empty if the system's (or QEMU's own) is one.
need_meson_for() {
        local source=$1 suite codename
        meson_path=
        meson_is_enough && return
        compgen -G "$source/python/wheels/meson-*.whl" >/dev/null && return
        meson_path=$HET_CACHE/meson/usr/lib/python3/dist-packages
        meson_is_enough "$meson_path" && return
        codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
        info "QEMU needs meson 1.5; getting a copy of it beside the system's"
        for suite in "$codename-backports" trixie; do
                apt_private_open deb "$suite" && fetch_meson && return
        done
        die "No meson 1.5 or newer could be downloaded." "What apt said is in $HET_CACHE/log; or install one that $het_python finds."
}

fetch_meson() {
        local folder=$HET_CACHE/meson.tmp
        rm -rf "$folder"
        mkdir -p "$folder"
        (cd "$folder" && logged download-meson apt_private apt-get -q download meson) || return
        logged unpack-meson dpkg-deb -x "$folder"/meson_*.deb "$folder" || return
        meson_is_enough "$folder/usr/lib/python3/dist-packages" || return
        rm -rf "$HET_CACHE/meson"
        mv "$folder" "$HET_CACHE/meson"
}
