# SPDX-License-Identifier: LGPL-2.1-or-later
"""The series as mails: written for QEMU's list, and taken back with what was edited in them. Used by scripts/qemu-series."""

import dataclasses
import pathlib
import re
import tempfile

import qemu_variant
from qemu_series import (MAINTAINERS, SCHEMA, SINCE, Entry, Index, Schema, SeriesError, build, content_at, manifest_text, next_release,
                         owner, run, tree_with, with_maintainer, with_since)

ORDER = "scripts/git.orderfile"         # QEMU's: headers and documentation come first in a mail


def user_of(repository):
    """Name and address of who runs this, as git knows them"""
    who = repository.git("var", "GIT_COMMITTER_IDENT").decode()
    return re.match(r".*>", who)[0]


def export(project, repository, folder, *, signoff=False, maintainer=False, since=None, version=1, rfc=False):
    """Writes the mails; returns their paths, the cover letter first"""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SeriesError(f"{folder} is not empty: name a folder that is, or that is not there yet")
    commits = build(project, repository, user_of(repository) if maintainer else None, since)
    with tempfile.NamedTemporaryFile() as order:
        order.write(repository.read(repository.base, ORDER) if repository.has(repository.base, ORDER) else b"")
        order.flush()
        repository.git("format-patch", "--quiet", "--cover-letter", "--no-signature", "--no-renames", "--stat=72,52", f"-O{order.name}",
                       f"--subject-prefix={'RFC ' if rfc else ''}PATCH", *([f"-v{version}"] if version > 1 else []),
                       *(["--signoff"] if signoff else []), "-o", folder.resolve(), f"{repository.base}..{commits[-1][2]}")
    mails = sorted(folder.glob("*.patch"))
    write_cover(project, repository, mails[0])
    return mails


def write_cover(project, repository, mail):
    subject, _, body = project.cover.read_text().partition("\n\n")
    text = mail.read_text().replace("*** SUBJECT HERE ***", subject).replace("*** BLURB HERE ***", body.strip("\n"))
    mail.write_text(f"{text.rstrip()}\n\nMade for and tested with QEMU {repository.version()}.\n")


# --- taking edits back ---

def read_mails(folder):
    """(cover letter or None, the mails with patches)"""
    files = sorted(pathlib.Path(folder).glob("*.patch"))
    if not files:
        raise SeriesError(f"{folder} has no *.patch in it")
    covers = [file for file in files if re.match(r"(v\d+-)?0000-", file.name)]
    return (covers[0].read_text() if covers else None), [file.read_bytes() for file in files if file not in covers]


def mails_of_range(checkout, commits):
    """The mails of a range of commits in a user's own checkout"""
    with tempfile.TemporaryDirectory() as folder:
        run("git", "-C", checkout, "-c", "core.abbrev=8", "format-patch", "--quiet", "--no-signature", "--no-renames", "-o", folder, commits)
        return read_mails(folder)[1] if any(pathlib.Path(folder).iterdir()) else []


def own_signoff(repository):
    try:
        return f"Signed-off-by: {user_of(repository)}"
    except SeriesError:
        return None


def without_line(message, line):
    return dataclasses.replace(message, body="\n".join(text for text in message.body.split("\n") if text != line).rstrip("\n"))


def apply_mails(repository, mails):
    """[(message, tree)] of a whole series on the base, with no maintainer in it. What was applied to the same before need not be again"""
    steps, before, signoff = [], repository.tree_of(repository.base), own_signoff(repository)
    with Index(repository, repository.base) as index:
        at = before                     # what the index has
        for mail in mails:
            key = (before, mail, signoff)
            if key not in repository.applied:
                if at != before:
                    index.read(before)
                message = apply_mail(repository, index, mail, signoff)
                at = index.tree()
                repository.applied[key] = message, at, plain_tree(repository, index, at)
            message, before, plain = repository.applied[key]
            steps.append((message, plain))
    return steps


def apply_mail(repository, index, mail, signoff):
    message = without_line(repository.message_of(mail), signoff)
    try:
        index.apply(mail)
    except SeriesError as e:
        raise SeriesError(f"'{message.subject}' does not apply: is the series whole, and made for QEMU {repository.version()}?\n{e}") from e
    return message


def plain_tree(repository, index, tree):
    other = with_since(repository, tree, next_release(repository.version()), SINCE)
    text = repository.read(tree, MAINTAINERS).decode()
    other.update({MAINTAINERS: nobodys.encode()} if (nobodys := with_maintainer(text, None)) != text else {})
    return tree_with(index, other) if other else tree


def existing_only(repository, tree):
    """A step's tree without the new files"""
    new = repository.changed(repository.base, tree, "A")
    with Index(repository, tree) as index:
        if new:
            index.put({path: None for path in new})
        return index.tree()


def patch_of(repository, commit):
    return repository.git("format-patch", "--stdout", "--zero-commit", "--no-signature", "--no-numbered", "--no-renames", "--always", "-1", commit)


def file_name(number, subject):
    slug = re.sub(r"[^\w.]+", "-", subject, flags=re.ASCII).strip("-.")[:52]
    return f"{number:04}-{slug}.patch"


def names_of(project, repository, messages, renumber):
    """A file name for each: that which has this subject already; else a number that is free, near its place"""
    if len({message.subject for message in messages}) < len(messages):
        raise SeriesError("two patches have the same subject")
    if renumber:
        return [file_name(number, message.subject) for number, message in enumerate(messages, 1)]
    known = {repository.message_of((project.patches / entry.name).read_bytes()).subject: entry.name for entry in project.entries()}
    names = [known.get(message.subject) for message in messages]
    used, last = {int(name[:4]) for name in names if name}, 0
    for place, name in enumerate(names):
        if name is None:
            last = next(number for number in range(last + 1, 10000) if number not in used)
            used.add(last)
            names[place] = file_name(last, messages[place].subject)
        else:
            last = int(name[:4])
    return names


def parts_of(repository, before, after, old):
    """The new files that a step brings. old: the entry that the patch had."""
    parts = {path: None for path in repository.changed(before, after, "A")}
    parts = {path: words for path, words in parts.items() if not repository.has(repository.base, path)}
    if SCHEMA in parts or repository.has(before, SCHEMA) and repository.read(before, SCHEMA) != repository.read(after, SCHEMA):
        came = Schema(repository.read(after, SCHEMA).decode()).names()
        had = Schema(repository.read(before, SCHEMA).decode()).names() if SCHEMA not in parts else []
        new = [(name, kind) for name, kind in came if (name, kind) not in had]
        words = (old.parts.get(SCHEMA) if old else None) or []
        if new:
            parts[SCHEMA] = words + [name for name, kind in new if name not in words and kind not in words]
    return parts


def take_back(project, repository, cover, mails, renumber=False):
    """Writes what the mails say into qemu-patches/; returns the names of the files of ours that changed"""
    steps = apply_mails(repository, mails)
    if not steps:
        raise SeriesError("there is no patch to take back")
    names = names_of(project, repository, [message for message, _ in steps], renumber)
    old = {entry.name: entry for entry in project.entries()}
    entries, contents, parent, before = [], {}, repository.base, repository.tree_of(repository.base)
    for (message, tree), name in zip(steps, names):
        commit = repository.commit(repository.once(existing_only, tree), parent, message)
        contents[project.patches / name] = repository.once(patch_of, commit)
        entries.append(Entry(name, parts_of(repository, before, tree, old.get(name))))
        parent, before = commit, tree
    shared_out = [entry for entry in entries if SCHEMA in entry.parts]
    if len(shared_out) == 1:            # no definition comes later
        shared_out[0].parts[SCHEMA] = None
    contents.update({project.place(path): repository.read(before, path) for path in repository.changed(repository.base, before, "A")})
    check_split(repository, entries, steps)
    contents[project.manifest] = manifest_text(entries, project.head()).encode()
    if cover:
        contents[project.cover] = cover_of(cover).encode()
    gone = [project.patches / name for name in old if name not in names]
    gone += [project.place(path) for path in project.new_files() if project.place(path) not in contents]
    return store(contents, gone)


def variant_parts(repository, entry, before, after, contents, mail):
    """What is different in a step from a patch of ours. contents: those of its new files"""
    _, parts = qemu_variant.split(mail)
    failed = []
    with Index(repository, before) as index:
        index.put(contents)
        for path, part in parts.items():
            try:
                index.apply(part)
            except SeriesError:         # it stays as it was before, and so differs, if it is changed there
                failed.append(path)
        ours = index.tree()
    wanted = repository.changed(ours, after)
    if SCHEMA in wanted:
        raise SeriesError(f"{entry.name}: {SCHEMA} is the same for all versions: edit it, not the branch")
    return b"".join(repository.git("diff-tree", "-p", "--no-renames", ours if path in contents else before, after, "--", path)
                    for path in wanted) + b"".join(qemu_variant.leave_alone(path) for path in failed if path not in wanted)


def take_variant(project, repository, mails):
    """Writes what is different in mails that have the series on another base into qemu-patches/N.N; what of it changed"""
    entries, files, steps = project.entries(), project.new_files(), apply_mails(repository, mails)
    ours = [(project.patches / entry.name).read_bytes() for entry in entries]
    if [repository.message_of(mail).subject for mail in ours] != [message.subject for message, _ in steps]:
        raise SeriesError("the branch has other patches than the series, or in another order: take it from a branch that has just them")
    folder = project.patches / ".".join(repository.version().split(".")[:2])
    contents, before = {}, repository.base
    for number, (entry, mail, (_, tree)) in enumerate(zip(entries, ours, steps)):
        new = {path: content_at(entries, number, path, files[path]) for path in entry.parts}
        different = variant_parts(repository, entry, before, tree, new, mail)
        if different:
            contents[folder / entry.name] = different
        before = tree
    return store(contents, [file for file in folder.glob("*") if file not in contents])


def check_split(repository, entries, steps):
    """A new file is kept whole: what a later patch changes in it cannot be told apart from what an earlier one made"""
    final = steps[-1][1]
    for entry, (message, tree) in zip(entries, steps):
        for path, words in entry.parts.items():
            if words is None and not repository.has(final, path):
                raise SeriesError(f"{path} comes with '{message.subject}' and is removed again later")
    if repository.has(final, SCHEMA):
        for name, kind in Schema(repository.read(final, SCHEMA).decode()).names():
            if any(SCHEMA in entry.parts and entry.parts[SCHEMA] is None for entry in entries):
                return
            if owner(entries, SCHEMA, name, kind) is None:
                raise SeriesError(f"{SCHEMA}: no patch brings {name}")


def cover_of(mail):
    """Subject and text of a cover letter, without what git and we add to it"""
    head, _, rest = mail.partition("\n\n")
    subject = re.sub(r"\s+", " ", re.search(r"^Subject: (?:\[[^]]*\] )?(.*(?:\n[ \t].*)*)", head, re.MULTILINE)[1])
    text = re.split(r"\n\n[^\n]+ \(\d+\):\n", rest)[0]
    return f"{subject}\n\n{text.strip()}\n"


def store(contents, gone):
    changed = []
    for file, content in contents.items():
        if not file.exists() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            changed.append(file)
    for file in gone:
        if file.exists():
            file.unlink()
            changed.append(file)
    return changed
