# SPDX-License-Identifier: LGPL-2.1-or-later
"""
What is different in our changes for another QEMU than the base: the folders qemu-patches/N.N. Used by qemu_series.py and
scripts/lib/qemu-variant.

A folder counts from its version on. A patch in it has the name of one of the series, and of that only what is different: the part
about a file takes the place of that patch's part about it, and a part about one of our new files changes that file. A part without
hunks leaves that file alone: what the patch is about is in another file there. So everything else, messages too, is in one place only.
"""

import re

PART = re.compile(rb"(?m)^(?=diff --git )")


def numbers(version):
    return [int(number) for number in re.findall(r"\d+", version)]


def variants(patches):
    """The folders, the newest first"""
    found = [folder for folder in patches.iterdir() if folder.is_dir() and re.fullmatch(r"\d+\.\d+", folder.name)]
    return sorted(found, key=lambda folder: numbers(folder.name), reverse=True)


def variant_for(patches, version):
    """The folder for a version; None: there nothing is different"""
    return next((folder for folder in variants(patches) if numbers(folder.name) <= numbers(version)), None)


def split(mail):
    """(what comes before the first part, {path: part})"""
    head, *parts = PART.split(mail)
    return head, {re.match(rb"diff --git a/(\S+)", part)[1].decode(): part for part in parts}


def own_parts(folder, name):
    """What a variant has for a patch"""
    file = folder and folder / name
    return split(file.read_bytes())[1] if file and file.is_file() else {}


def patch_for(patches, folder, name, new):
    """A patch of the series as it is there. new: the new files that come with it"""
    head, parts = split((patches / name).read_bytes())
    parts.update({path: part for path, part in own_parts(folder, name).items() if path not in new})
    return head + b"".join(part for part in parts.values() if b"\n@@ " in part)


def leave_alone(path):
    """The part of a variant that says that a patch does not change that file there"""
    return f"diff --git a/{path} b/{path}\n".encode()


def edits_for(folder, name, new):
    """{new file that comes with a patch: what is different in it}"""
    return {path: part for path, part in own_parts(folder, name).items() if path in new}


def complaints(patches, entries):
    """What is wrong with the folders"""
    found = []
    for folder in variants(patches):
        names = {entry.name: entry for entry in entries}
        for file in sorted(folder.iterdir()):
            place = f"qemu-patches/{folder.name}/{file.name}"
            if file.name not in names:
                found.append(f"{place}: the series has no such patch")
            elif not split(file.read_bytes())[1]:
                found.append(f"{place}: nothing is different in it")
            else:
                shared_out = [path for path in own_parts(folder, file.name) if names[file.name].parts.get(path)]
                found += [f"{place}: {path} is shared out to several patches, and the same for all versions" for path in shared_out]
    return found
