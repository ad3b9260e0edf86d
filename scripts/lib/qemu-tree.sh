# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Composes the QEMU tree that is built: base source + qemu-patches/series + qemu-patches/new/ + qapi/het.json; for newer bases also what
# qemu-patches/N.N says to be different there. Used by
# scripts/build-qemu, which says by $patched whether our changes are wanted at all.
#
# Everything that differs from the base is first put together in an overlay folder, then base and overlay are synchronised
# into the work tree by content: a file that stays the same keeps its time stamp, so ninja rebuilds only what changed, and a run
# that was killed half-way is repaired by the next one, whatever it left.

het_junk=(--exclude='*~' --exclude='*.orig' --exclude='*.rej' --exclude='.*.sw?' --exclude='__pycache__')

# Indented lines name the new files that come with a patch, for scripts/qemu-series.
qemu_series() {
        [[ ${patched:-yes} == no || ! -f $HET_ROOT/qemu-patches/series ]] ||
                sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]/d' -e '/^$/d' "$HET_ROOT/qemu-patches/series"
}

# qemu_variant BASE [DIR]: see scripts/lib/qemu-variant.
qemu_variant() {
        local base=$1
        shift
        "${het_python:-python3}" "$HET_ROOT/scripts/lib/qemu-variant" "$(<"$base/VERSION")" "$@"
}

# qemu_changes_digest BASE: what the composed tree depends on beside the base, as lines of digest and name.
qemu_changes_digest() {
        local patch variant
        variant=$(qemu_variant "$1") || die "It cannot be told which of our changes are for $1."
        cd "$HET_ROOT" || return
        while IFS= read -r patch; do
                [[ -f qemu-patches/$patch ]] || die "qemu-patches/series names $patch, which is not there."
                sha256sum "qemu-patches/$patch"
        done < <(qemu_series)
        [[ ${patched:-yes} == yes ]] || return 0
        find qemu-patches/new ${variant:+"qemu-patches/$variant"} qapi/het.json -type f ! -name '*~' ! -name '*.orig' ! -name '*.rej' ! -name '.*.sw?' \
                ! -path '*/__pycache__/*' -print0 2>/dev/null | LC_ALL=C sort -z | xargs -0r sha256sum
}

# The files that a patch touches, as it names them.
touched_by() {
        sed -n -E -e 's/^(---|\+\+\+) [ab]\/([^\t]*).*/\2/p' -e 's/^(rename|copy) (from|to) (.*)/\3/p' "$1" | sort -u
}

apply_patch_to_overlay() {
        local patch=$1 base=$2 overlay=$3 seen=$4 file
        grep -q '^diff --git ' "$patch" || return 0             # it brings new files only
        while IFS= read -r file; do
                if [[ -e $base/$file ]] && ! grep -qxF -- "$file" "$seen"; then
                        mkdir -p "$overlay/$(dirname "$file")"
                        cp -p "$base/$file" "$overlay/$file"
                fi
                echo "$file" >>"$seen"
        done < <(touched_by "$patch")
        logged "patch-$(basename "$patch" .patch)" \
                patch --directory="$overlay" --strip=1 --fuzz=0 --batch --forward --no-backup-if-mismatch --input="$patch"
}

# compose_overlay BASE OVERLAY: OVERLAY/tree gets the files, OVERLAY/names their names (with those that patches delete).
compose_overlay() {
        local base=$1 overlay=$2 patch file
        rm -rf "$overlay"
        mkdir -p "$overlay/tree" "$overlay/variant"
        [[ ${patched:-yes} == no ]] || qemu_variant "$base" "$overlay/variant" >/dev/null ||
                die "It cannot be told which of our changes are for $base."
        : >"$overlay/names"
        while IFS= read -r patch; do
                file=$overlay/variant/$patch
                [[ -f $file ]] || file=$HET_ROOT/qemu-patches/$patch
                apply_patch_to_overlay "$file" "$base" "$overlay/tree" "$overlay/names" ||
                        die "$patch does not apply to the base $base." \
                                "The changes are made for the versions that docs/qemu-series.md names; see the end of the log above."
        done < <(qemu_series)
        [[ ${patched:-yes} == no || ! -d $HET_ROOT/qemu-patches/new ]] || rsync -rlp "${het_junk[@]}" "$HET_ROOT/qemu-patches/new/" "$overlay/tree/"
        [[ ${patched:-yes} == no || ! -f $HET_ROOT/qapi/het.json ]] || install -D -m 644 "$HET_ROOT/qapi/het.json" "$overlay/tree/qapi/het.json"
        for file in "$overlay"/variant/*.new; do
                [[ ! -s $file ]] || logged "patch-$(basename "$file" .patch.new)" \
                        patch --directory="$overlay/tree" --strip=1 --fuzz=0 --batch --forward --no-backup-if-mismatch --input="$file" ||
                        die "What is different for the base $base does not apply to qemu-patches/new: $(basename "$file" .new)." \
                                "Take it from a branch that has the series there: scripts/qemu-series import --for"
        done
        (cd "$overlay/tree" && find . -type f -o -type l) | sed 's,^\./,,' | sort -u - "$overlay/names" >"$overlay/names.all"
        sed 's,^,/,' "$overlay/names.all" >"$overlay/exclude"
}

# compose_tree BASE WORK: WORK/src becomes the composed tree.
compose_tree() {
        local base=$1 work=$2 overlay=$2/overlay file
        compose_overlay "$base" "$overlay"
        mkdir -p "$work/src"
        rsync -rlp --checksum --delete --exclude-from="$overlay/exclude" --exclude=/.git --exclude='/build*/' --exclude=/.pc \
                --exclude=/debian --exclude='__pycache__' "$base/" "$work/src/"
        rsync -rlp --checksum "$overlay/tree/" "$work/src/"
        while IFS= read -r file; do
                [[ -e $overlay/tree/$file || -L $overlay/tree/$file ]] || rm -f "$work/src/$file"
        done <"$overlay/names.all"
}

# The qtests that are built and run: ours, and QEMU's own about all commands and devices there are. scripts/qemu-series compare is for
# the others.
qtest_names() {
        local file
        [[ ${patched:-yes} == yes ]] || return 0
        for file in "$HET_ROOT"/qemu-patches/new/tests/qtest/*-test.c; do
                [[ ! -f $file ]] || basename "$file" .c
        done
        printf '%s\n' device-introspect-test qmp-cmd-test
}
