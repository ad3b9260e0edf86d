# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# TAP of the tests in the container. Sourced, never run.

set -uo pipefail
export LC_ALL=C.UTF-8 PAGER=cat SYSTEMD_PAGER=cat DEBIAN_FRONTEND=noninteractive
count=0 failed=0
output=$(mktemp)

# check NAME COMMAND…: the command succeeds
check() {
        local name=$1
        shift
        count=$((count + 1))
        if "$@" >"$output" 2>&1 </dev/null; then
                echo "ok $count - $name"
                return
        fi
        failed=$((failed + 1))
        echo "not ok $count - $name"
        echo "# $*"
        sed 's/^/# /' "$output"
}

# refused COMMAND…: it fails, and polkit is why
refused() {
        ! "$@" >"$output.refused" 2>&1 && cat "$output.refused" && grep -q "org.hetd1\.[a-z]*-platforms" "$output.refused"
}

# told TEXT COMMAND…: the command fails with that in what it prints
told() {
        local text=$1
        shift
        ! "$@" >"$output.told" 2>&1 && cat "$output.told" && grep -qF -- "$text" "$output.told"
}

# says TEXT COMMAND…: the command succeeds with that in what it prints
says() {
        local text=$1
        shift
        "$@" >"$output.says" 2>&1
        local status=$?
        cat "$output.says"
        ((status == 0)) && grep -qF -- "$text" "$output.says"
}

fails() {
        ! "$@"
}

silent() {
        "$@" >"$output.silent" 2>&1
        local status=$?
        cat "$output.silent"
        ((status == 0)) && [[ ! -s $output.silent ]]
}

as() {
        local user=$1
        shift
        runuser -u "$user" -- env "XDG_RUNTIME_DIR=/run/user/$(id -u "$user")" "$@"
}

# with_password PASSWORD COMMAND…: on a terminal, where it is asked for one
with_password() {
        local password=$1 seen='' character from to shell
        shift
        coproc TERMINAL { exec timeout 60 script -qec "$*" /dev/null 2>&1; }
        local pid=$TERMINAL_PID
        exec {from}<&"${TERMINAL[0]}" {to}>&"${TERMINAL[1]}"
        while [[ $seen != *assword:* ]] && IFS= read -r -N 1 -u "$from" character; do
                seen+=$character
        done
        echo "$seen"
        if [[ $seen == *assword:* ]]; then
                # Who asks switches echo off after that, and drops what has come until then
                shell=$(pgrep -P "$(pgrep -P "$pid")")
                while [[ -n $shell && -e /proc/$shell ]] && ! stty -F "/proc/$shell/fd/0" -a 2>/dev/null | grep -q -- ' -echo '; do
                        :
                done
                echo "$password" >&"$to"
        fi
        cat <&"$from"
        exec {from}<&- {to}>&-
        wait "$pid"
}

# waits_for TEXT COMMAND…: a command that goes on printing
waits_for() {
        local text=$1 follower status=0
        shift
        exec 3< <(exec timeout 120 "$@" 2>/dev/null)
        follower=$!
        grep -qm1 -F -- "$text" <&3 || status=1
        exec 3<&-
        kill "$follower" 2>/dev/null
        return "$status"
}

# has_printed FILE TEXT: waits for it
has_printed() {
        waits_for "$2" tail -n +1 -F "$1"
}

# has_logged TEXT FIELD…: hetd or systemd has, or will
has_logged() {
        local text=$1
        shift
        waits_for "$text" journalctl -f -n all -o cat "$@"
}

# kept_or_told PID BYTES: the memory of a process is limited; where cgroups cannot do that hetd says so
kept_or_told() {
        local file value
        for file in "/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' "/proc/$1/cgroup")/memory.limit_in_bytes" \
                "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")/memory.max"; do
                value=$(cat "$file" 2>/dev/null) || continue
                echo "$file: $value"
                [[ $value != "$2" ]] || return 0
        done
        has_logged "cannot be kept: cgroups" PLATFORM=limited
}

# has_adopted: hetd, as it was started last, has taken over what the one before it left
has_adopted() {
        waits_for "(adopt) is done" journalctl -f -n all -o cat "_SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID hetd)"
}

# kill_hetd [PID…]: and those, at once; hetd is gone when this returns. It is killed more often here than systemd starts most services again.
kill_hetd() {
        local old
        old=$(systemctl show -P MainPID hetd)
        kill -KILL "$old" "$@"
        timeout 60 tail --pid="$old" -f /dev/null
}

qemus() {
        pgrep -f /usr/lib/qemu-het/bin/qemu-system | sort -n | tr '\n' ' '
}

is() {
        [[ $1 == "$2" ]] || { echo "it is '$1', not '$2'"; return 1; }
}

# What the command writes: systemd forgets a unit only some time after it has stopped
gets_empty() {
        local end=$((SECONDS + 60)) rest
        while rest=$("$@") || return 1; [[ $rest ]]; do
                ((SECONDS < end)) || { echo "it is '$rest', not ''"; return 1; }
        done
}

finish() {
        echo "1..$count"
        exit $((failed > 0))
}
