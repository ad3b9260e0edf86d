# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Builds our own part with meson. Used by scripts/build and scripts/check.

# One run at a time in a clone; others need not wait for it.
lock_project() {
        lock "project-$(echo "$HET_ROOT" | short_hash)"
}

# Whether a folder was made by build_project, and so is ours to remove.
is_our_build() {
        [[ -f $1/het-source || ($1 == "$HET_ROOT"/build* && -d $1/meson-private) ]]
}

# The Linux guests, by the names of scripts/build --guests
# shellcheck disable=SC2034  # used by scripts/build
het_guests='plain armhf arm64 next pc pc32'

# add_guest NAME WANTED OPTION ARGUMENT…: has it made, or takes it if it is there; appends to options. Everything else is built and
# tested without a guest, too, which needs the archive.
add_guest() {
        local name=$1 wanted=$2 option=$3 guest_dir=''
        shift 3
        if [[ " $wanted " != *" $name "* ]]; then
                guest_dir=$("$HET_ROOT/scripts/build-guest" "$@" --if-built --print-dir 2>/dev/null) || true
        elif ! guest_dir=$("$HET_ROOT/scripts/build-guest" "$@" --print-dir); then
                warn "there is no Linux guest $name: its tests will be skipped"
        fi
        options+=("-D$option=$guest_dir")
}

# build_project DIR QEMU-DIR GUESTS OPTION…: configures DIR if its options are not these, and brings it up to date.
build_project() {
        local dir=$1 qemu_dir=$2 wanted=$3 log options
        shift 3
        log=$HET_CACHE/log/$(basename "$dir").log
        options=(-Dqemu="$(qemu_program "$qemu_dir")" "$@")
        # meson takes ccache where there is one. Another clone of the same source is not compiled again: a debugger is told of the first
        export CCACHE_DIR=${CCACHE_DIR:-$HET_CACHE/ccache} CCACHE_BASEDIR=$HET_ROOT CCACHE_NOHASHDIR=1
        add_guest plain "$wanted" guest_plain --plain
        add_guest armhf "$wanted" guest
        add_guest arm64 "$wanted" guest_arm64 --arch arm64
        add_guest next "$wanted" guest_next --plain --suite trixie
        add_guest pc "$wanted" guest_pc --arch amd64
        add_guest pc32 "$wanted" guest_pc32 --arch i386
        [[ ! -x $qemu_dir/ivshmem-server ]] || options+=(-Divshmem_server="$qemu_dir/ivshmem-server")
        options+=("-Dqemu_python=$(qemu_python)")
        # What a copied folder builds are the original's sources; what an interrupted set-up left is half a folder
        if is_our_build "$dir" && [[ ! -f $dir/build.ninja || $(cat "$dir/het-source" 2>/dev/null) != "$HET_ROOT $dir" ]]; then
                rm -rf "$dir"
        fi
        if [[ ! -f $dir/build.ninja ]]; then
                [[ -z $(ls -A "$dir" 2>/dev/null) ]] ||
                        die "$dir has something else in it than a build of ours." "Name an empty folder, or one that is not there yet."
                mkdir -p "$dir"
                echo "$HET_ROOT $dir" >"$dir/het-source"
                logged "$(basename "$dir")-setup" meson setup "$dir" "$HET_ROOT" "${options[@]}" ||
                        die "meson could not set up $dir." "Was scripts/setup run?"
        elif [[ $(cat "$dir/het-options" 2>/dev/null) != "${options[*]}" ]]; then
                logged "$(basename "$dir")-setup" meson setup --reconfigure "$dir" "$HET_ROOT" "${options[@]}" ||
                        die "meson could not change the options of $dir." "Remove the folder and run this again."
        fi
        echo "${options[*]}" >"$dir/het-options"
        run_ninja "$log" -C "$dir" || die "The build in $dir failed." "The whole log: $log"
}

# Of the source that is there; where QEMU_BINARY is used there is none
qemu_python() {
        [[ -n ${QEMU_BINARY:-} ]] || echo "$("$HET_ROOT/scripts/fetch-qemu" --print-path)/python"
}

# QEMU_BINARY can have any name; what scripts/build-qemu makes has this one.
qemu_program() {
        if [[ -n ${QEMU_BINARY:-} ]]; then
                echo "$1/$(basename "$QEMU_BINARY")"
        else
                echo "$1/qemu-system-arm"
        fi
}
