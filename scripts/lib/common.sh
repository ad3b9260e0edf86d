# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What every script here shares: messages, the cache folder, locks, and how long commands run. Sourced, never run.
#
# Messages go to stderr, so that stdout stays free for what a script is asked to print (--print-path).

set -euo pipefail
umask 022

# shellcheck disable=SC2034  # used by those that source this
HET_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
HET_STEP=0
export HET_T0=${HET_T0:-$(date +%s)}            # nested scripts count time from the first one's start
HET_OUTER_STEPS=${HET_STEP_PREFIX:-}            # "2." in a script that is step 2 of another

if [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
        het_bold=$'\e[1m' het_red=$'\e[31m' het_dim=$'\e[2m' het_off=$'\e[0m'
else
        het_bold='' het_red='' het_dim='' het_off=''
fi

elapsed() {
        local s=$(($(date +%s) - HET_T0))
        printf '%d:%02d' $((s / 60)) $((s % 60))
}

# step TEXT: a numbered step begins.
step() {
        HET_STEP=$((HET_STEP + 1))
        export HET_STEP_PREFIX=$HET_OUTER_STEPS$HET_STEP.
        printf '%s[%s %s]%s %s\n' "$het_bold" "$HET_OUTER_STEPS$HET_STEP" "$(elapsed)" "$het_off" "$*" >&2
}

info() {
        printf '    %s\n' "$*" >&2
}

warn() {
        printf '%swarning:%s %s\n' "$het_bold" "$het_off" "$*" >&2
}

# die WHAT [WHAT-TO-DO-NEXT…]
die() {
        printf '%serror:%s %s\n' "$het_red" "$het_off" "$1" >&2
        shift
        local line
        for line in "$@"; do
                printf '       %s\n' "$line" >&2
        done
        exit 1
}

# The comment at the top of the script is its help text.
show_help() {
        awk 'NR > 2 && !/^#/ { exit } NR > 2 { sub(/^# ?/, ""); print }' "$0"
}

usage_error() {
        die "$1" "See '$(basename "$0") --help'."
}

# Sets HET_CACHE and creates it. Everything that is fetched or built for QEMU lives there, outside the work tree.
need_cache() {
        local home=${HOME:-}
        [[ -n $home ]] || home=$(getent passwd "$(id -u)" | cut -d: -f6) || true
        HET_CACHE=${QEMU_HET_CACHE:-${XDG_CACHE_HOME:-${home:-/var/tmp}/.cache}/qemu-het}
        mkdir -p "$HET_CACHE" 2>/dev/null ||
                die "Cannot create the cache folder $HET_CACHE." "Name a folder you may write to: QEMU_HET_CACHE=/path $0"
        HET_CACHE=$(cd "$HET_CACHE" && pwd -P)
        [[ $HET_CACHE != *[[:space:]:]* ]] ||
                die "QEMU cannot be built below a path with a space or a colon: $HET_CACHE" "Name another one with QEMU_HET_CACHE."
        [[ -w $HET_CACHE ]] || die "The cache folder $HET_CACHE is not writable." "Name another one: QEMU_HET_CACHE=/path $0"
        mkdir -p "$HET_CACHE/log"
}

# lock NAME: only one script at a time. The children inherit the descriptor on purpose: if this script is killed, the next
# run waits until what it left running is gone.
lock() {
        local file=$HET_CACHE/$1.lock
        exec 9<>"$file"
        if ! flock -n 9; then
                info "another run is at work, waiting for it: $(cat "$file")"
                flock -w 7200 9 || die "Waited two hours for another run." "See what holds it: fuser -v $file"
        fi
        echo "$0, process $$, since $(date +%T)" >"$file"
}

unlock() {
        exec 9>&-
}

# logged NAME COMMAND…: runs it with its output in a log file; on failure shows the end of that.
logged() {
        local log=$HET_CACHE/log/$1.log status=0
        shift
        { printf '# %s\n' "$(date)"; printf '+'; printf ' %q' "$@"; echo; } >"$log"
        set -m
        "$@" >>"$log" 2>&1 </dev/null &
        set +m
        wait_child $! || status=$?
        ((status == 0)) && return
        show_log_end "$log"
        return "$status"
}

show_log_end() {
        printf '%s--- the end of %s ---%s\n' "$het_dim" "$1" "$het_off" >&2
        tail -n 25 "$1" >&2
        printf '%s---%s\n' "$het_dim" "$het_off" >&2
}

# Waits for a background command that has a process group of its own (set -m), and ends that group, and those of others, on a
# signal: bash would not look at one before a command in the foreground is through.
wait_child() {
        local pid=$1 status=0
        trap 'stop_children' INT TERM HUP
        wait "$pid" || status=$?
        trap - INT TERM HUP
        return "$status"
}

stop_children() {
        local pid
        trap '' INT TERM HUP
        for pid in $(jobs -p); do
                kill -TERM -- "-$pid" 2>/dev/null || true
        done
        wait 2>/dev/null || true
        printf '\ninterrupted; run it again to go on from here\n' >&2
        exit 130
}

# nested COMMAND…: another script as a step of this one, which a signal ends, too. It cannot ask anything.
nested() {
        local status=0
        set -m
        "$@" </dev/null &
        set +m
        wait_child $! || status=$?
        return "$status"
}

# Reads lines that begin with "[n/m]": one updating line on a terminal, a line every tenth of the way elsewhere.
show_progress() {
        local line n m next=10
        while IFS= read -r line; do
                [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
                n=${BASH_REMATCH[1]} m=${BASH_REMATCH[2]}
                if [[ -t 2 ]]; then
                        printf '\r\e[K    [%s] %3d %%  %s of %s' "$(elapsed)" $((n * 100 / m)) "$n" "$m" >&2
                elif ((n * 100 / m >= next)); then
                        info "$((n * 100 / m)) % ($n of $m) after $(elapsed)"
                        next=$(((n * 100 / m) / 10 * 10 + 10))
                fi
        done
        [[ ! -t 2 ]] || printf '\r\e[K' >&2
}

# sha256 of what comes in, 16 digits: short enough for a file name, long enough not to collide here.
short_hash() {
        sha256sum | cut -c1-16
}

# run_ninja LOG ARGUMENT…: ninja with progress; on failure shows the end of the log.
run_ninja() {
        local log=$1 status=0
        shift
        set -m
        (
                set -o pipefail
                NINJA_STATUS='[%f/%t] ' ninja "$@" 2>&1 </dev/null | tee "$log" | show_progress
        ) &
        set +m
        wait_child $! || status=$?
        ((status == 0)) || show_first_error "$log"
        return "$status"
}

# What ninja was at when it first failed; later lines are what it was still doing, or consequences.
show_first_error() {
        local line
        line=$(grep -n '^FAILED:' "$1" | grep -v -m 1 'FAILED: build.ninja' | cut -d: -f1) || true
        if [[ -z $line ]]; then
                show_log_end "$1"
                return
        fi
        printf '%s--- the first failure in %s ---%s\n' "$het_dim" "$1" "$het_off" >&2
        tail -n "+$line" "$1" | cut -c1-300 | head -n 30 >&2
        printf '%s---%s\n' "$het_dim" "$het_off" >&2
}
