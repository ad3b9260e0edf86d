# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Asks the Debian archive that apt is configured for about other suites and architectures of it, with lists of our own, so that the
# system's apt configuration stays as it is. Used by scripts/fetch-qemu, scripts/build-guest and lib/meson-for-qemu.sh.

# The archive's addresses, one a line: of all that apt knows, those whose signed release file says Origin and Label Debian.
debian_archives() {
        # shellcheck disable=SC2016  # apt fills these in
        apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
                awk -F'|' '$1 == "Debian" && $2 == "Debian" && $3 == "main" && !seen[$4]++ { print $4 }'
}

# The same where the system has no package lists, as in many containers: they are loaded into a folder of ours.
debian_archives_afresh() {
        local dir=$HET_CACHE/apt/system
        mkdir -p "$dir"/{lists/partial,cache/archives/partial}
        {
                apt-config dump | grep -vE '^(APT::Update::(Pre|Post)|DPkg::(Pre|Post))'
                printf 'Dir::Etc::main "/dev/null";\nDir::Etc::parts "/dev/null";\n'
                printf 'Dir::State::Lists "%s/lists";\nDir::Cache "%s/cache";\n' "$dir" "$dir"
                printf 'Acquire::Languages "none";\nAPT::Sandbox::User "%s";\n' "$(id -un)"
        } >"$dir/apt.conf"
        info "the system has no package lists; reading the archive's"
        APT_CONFIG=$dir/apt.conf logged apt-system apt-get -q update || true
        APT_CONFIG=$dir/apt.conf debian_archives
}

# The key ring that the configuration names for an address, or else the one of Debian.
archive_keyring() {
        local uri=${1%/} file keyring
        shopt -s nullglob
        for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
                [[ -r $file ]] || continue
                if [[ $file == *.sources ]]; then
                        keyring=$(awk -v RS= -v uri="$uri" 'index($0, uri) { print }' "$file" |
                                sed -n 's/^Signed-By:[[:space:]]*\(\/[^[:space:]]*\).*/\1/p' | head -n 1)
                else
                        keyring=$(grep -F -- "$uri" "$file" |
                                sed -n 's/^deb.*[][ ]signed-by=\(\/[^],[:space:]]*\).*/\1/p' | head -n 1) || true
                fi
                [[ -z $keyring ]] || break
        done
        shopt -u nullglob
        for file in "${keyring:-}" /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
                if [[ -n $file && -r $file ]]; then
                        echo "$file"
                        return
                fi
        done
}

# apt_private_open TYPE SUITE…: loads the lists of these suites into a folder of ours; afterwards apt_private COMMAND… asks them.
# TYPE is deb or deb-src. Fails if none of the configured addresses has all of the suites. If apt_private_architectures is set, the
# lists are those of these architectures (a name without one means the first), else the system's.
apt_private_architectures=()
apt_private_open() {
        local type=$1 archives uri
        shift
        local suites=$*
        local name=$type-${suites// /-}
        ((${#apt_private_architectures[@]} == 0)) || name+=$(printf -- '-%s' "${apt_private_architectures[@]}")
        apt_private_dir=$HET_CACHE/apt/$name
        mkdir -p "$apt_private_dir"/{parts,lists/partial,cache/archives/partial}
        archives=$(debian_archives)
        [[ -n $archives ]] || archives=$(debian_archives_afresh)
        [[ -n $archives ]] ||
                die "apt knows no Debian archive." \
                        "Configure Debian's own archive for apt (it need not have deb-src), then run this again," \
                        "or name a QEMU 10.0 source tree of yours: QEMU_SOURCE=/path/to/qemu"
        apt_private_settings >"$apt_private_dir/apt.conf"
        while IFS= read -r uri; do
                apt_private_source "$type" "$uri" "$suites" >"$apt_private_dir/archive.sources"
                logged "apt-$name" apt_private apt-get -q -o APT::Update::Error-Mode=any update && return
        done <<<"$archives"
        return 1
}

apt_private_source() {
        local keyring
        keyring=$(archive_keyring "$2")
        printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "$2" "$3"
        [[ -z $keyring ]] || printf 'Signed-By: %s\n' "$keyring"
}

# The system's settings (proxies, times, certificates) but for its hooks, which are about the system's own lists; then ours.
apt_private_settings() {
        apt-config dump | grep -vE '^(APT::Update::(Pre|Post)|DPkg::(Pre|Post))'
        cat <<END
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "$apt_private_dir/archive.sources";
Dir::Etc::sourceparts "$apt_private_dir/parts";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$apt_private_dir/parts";
Dir::State::Lists "$apt_private_dir/lists";
Dir::Cache "$apt_private_dir/cache";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "$(id -un)";
END
        ((${#apt_private_architectures[@]})) || return 0
        printf 'Dir::State::status "/dev/null";\nAPT::Architecture "%s";\n#clear APT::Architectures;\n' "${apt_private_architectures[0]}"
        printf 'APT::Architectures:: "%s";\n' "${apt_private_architectures[@]}"
}

apt_private() {
        local tool=$1
        shift
        APT_CONFIG=$apt_private_dir/apt.conf "$tool" "$@"
}
