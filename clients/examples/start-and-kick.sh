#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Starts a platform, boots one of its slaves, sends it an interrupt, and ends it all: org.hetd1 with nothing but busctl.
#
# Usage: start-and-kick.sh [--system] FILE SLAVE [NAME=VALUE...]
#
# hetd opens FILE itself; NAME=VALUE are its variables.
set -euo pipefail

bus=--user
if [[ ${1:-} == --system ]]; then
        bus=--system
        shift
fi
(($# >= 2)) || { sed -n '3,7s/^# \?//p' "$0"; exit 2; }
file=$(realpath "$1") slave=$2
shift 2

# call PATH INTERFACE METHOD [SIGNATURE ARGUMENT...]: prints the result as JSON
call() {
        busctl "$bus" --json=short call org.hetd1 "$@"
}

# The first value of a result, which is a string or an object path: {"type":"o","data":["/org/hetd1/job/1"]}
first_of() {
        sed -E 's/.*"data":\["?([^",]*)"?[],].*/\1/'
}

get() {
        busctl "$bus" get-property org.hetd1 "$1" "org.hetd1.$2" "$3" | cut -d' ' -f2- | tr -d '"'
}

# Everything that ends, from now on; the first line says that it listens. Before anything is called: what ends at once is not missed
exec {ends}< <(exec busctl "$bus" --json=short \
        --match="type='signal',sender='org.hetd1',interface='org.hetd1.Manager',member='JobRemoved'" monitor 2>&1)
listener=$!
trap 'kill "$listener" 2>/dev/null || true' EXIT
read -r -u "$ends" _

# run_job PATH INTERFACE METHOD: what starts or ends processes is a job, and its end is a signal
run_job() {
        local job line
        job=$(call "$@" 'a{sv}' 0 | first_of)
        while read -r -u "$ends" line; do
                [[ $line == *"\"$job\""* ]] || continue
                [[ $line == *'"done"'* ]] || { echo "$line" >&2; exit 1; }
                return
        done
        exit 1
}

variables=()
for assignment; do
        variables+=("${assignment%%=*}" "${assignment#*=}")
done
platform=$(call /org/hetd1 org.hetd1.Manager LoadPlatform 'sa{sv}' "$file" 1 Variables 'a{ss}' "$#" "${variables[@]}" | first_of)
name=$(get "$platform" Platform Name)
run_job "$platform" org.hetd1.Platform Start
echo "$name: $(get "$platform" Platform State)"

processor=$(call /org/hetd1 org.hetd1.Manager GetProcessor ss "$name" "$slave" | first_of)
call "$processor" org.hetd1.Processor Boot 'a{sv}' 0 >/dev/null
echo "$slave: $(get "$processor" Processor State)"
call "$processor" org.hetd1.Processor Kick 'ua{sv}' 3 0 >/dev/null
echo "$slave: it was sent $(get "$processor" Processor Interrupts | cut -d' ' -f1)"

run_job "$platform" org.hetd1.Platform Stop
echo "$name: $(get "$platform" Platform State)"
call "$platform" org.hetd1.Platform Remove >/dev/null
