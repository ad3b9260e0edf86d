# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# How a QEMU tree is configured and compiled: the same for scripts/build-qemu and for scripts/lib/build-tree. WORK is a folder with the
# source in src; objects is made beside it. Needs common.sh and meson-for-qemu.sh.

# shellcheck disable=SC2034  # used by those that source this
qemu_flags=(
        --without-default-features --enable-system --enable-tcg --enable-kvm
        --enable-fdt=system --enable-slirp --enable-seccomp --enable-gio --enable-pixman --enable-dbus-display
        --enable-tools          # defines the ivshmem-server target; the other tools are not built
        --disable-docs --disable-guest-agent --disable-install-blobs --enable-trace-backends=log
        -Dbuildtype=release -Dqom_cast_debug=false
)

need_tools() {
        local tool
        for tool in gcc ninja ccache rsync patch pkg-config; do
                command -v "$tool" >/dev/null || die "$tool is missing." "Run scripts/setup first."
        done
}

use_compiler_cache() {
        export CCACHE_DIR=${CCACHE_DIR:-$HET_CACHE/ccache} CCACHE_BASEDIR=$HET_CACHE CCACHE_NOHASHDIR=1 CCACHE_COMPILERCHECK=content
}

# configure_tree WORK FLAG…
configure_tree() {
        local work=$1
        shift
        [[ ! -f $work/configured ]] || return 0
        step "QEMU: configuring"
        rm -rf "$work/objects"
        mkdir -p "$work/objects"
        # shellcheck disable=SC2154  # of meson-for-qemu.sh
        (cd "$work/objects" && logged configure-qemu ../src/configure --python="$het_python" --cc='ccache gcc' "$@") ||
                die "QEMU's configure failed." "The whole log: $HET_CACHE/log/configure-qemu.log" "Was scripts/setup run?"
        touch "$work/configured"
}
