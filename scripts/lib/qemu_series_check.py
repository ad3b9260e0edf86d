# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the series must be to be posted: it applies, is what is built here, and follows QEMU's rules. Used by scripts/qemu-series."""

import fnmatch
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import qemu_variant
from qemu_series import (MAINTAINERS, PROJECT, SCHEMA, SECTION, Record, Repository, Schema, SeriesError, build, cache_folder, cached_base,
                         checkout, identity_of, refused, run, section_of)
from qemu_series_mail import export, read_mails, take_back

WIDTH = 76                      # of a message's lines: QEMU's docs/devel/submitting-a-patch.rst
TESTER = ("Series Check", "check@localhost")            # who signs off where it is only checked
INCLUDE = re.compile(r'^#include "((?:hw|system)/[\w./-]+)"', re.MULTILINE)


def check_messages(repository, commits):
    found = []
    for entry, message, _ in commits:
        if not re.match(r"^[\w/.,* -]+: [^A-Z\s].*[^.\s]$", message.subject):
            found.append(f"{entry.name}: the subject is not 'subsystem: what the patch does', without a full stop: {message.subject}")
        if len(message.subject) > WIDTH:
            found.append(f"{entry.name}: the subject has more than {WIDTH} characters")
        if not message.body.strip():
            found.append(f"{entry.name}: its message does not say why")
        found += [f"{entry.name}: longer than {WIDTH} characters: {line}" for line in message.body.splitlines() if len(line) > WIDTH]
        if re.search(r"^[A-Z][\w-]+-by: ", message.body, re.MULTILINE):
            found.append(f"{entry.name}: who signs off or reviews says so when it is sent, not here")
    return found


def patterns_of(maintainers):
    span = section_of(maintainers)
    return re.findall(r"^F: (.*)$", maintainers[slice(*span)], re.MULTILINE) if span else []


def check_maintainers(repository, commits):
    """Each new file is found in MAINTAINERS from the patch on that it comes with"""
    found, before = [], repository.base
    for entry, _, commit in commits:
        patterns = patterns_of(repository.read(commit, MAINTAINERS).decode())
        for path in repository.changed(before, commit, "A"):
            if not any(fnmatch.fnmatchcase(path, pattern) and pattern.count("/") == path.count("/") for pattern in patterns):
                found.append(f"{entry.name}: {path} is matched by no F: line of '{SECTION}' in {MAINTAINERS}; let the patch add one")
        before = commit
    return found


COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)
FUNCTION = re.compile(r"^(?!static\b|typedef\b|extern\b)[A-Za-z_][^;{}()#]*?\b(\w+)\([^;{}]*\)\s*\{", re.MULTILINE)


def code_at(repository, commit, path):
    return COMMENT.sub(" ", repository.read(commit, path).decode(errors="replace"))


def defined_in(repository, commits):
    """{function: number of the patch that brings it}, of the new files but the tests', and those for hosts that have nothing of it"""
    found, before = {}, repository.base
    for number, (_, _, commit) in enumerate(commits):
        for path in repository.changed(before, commit, "A"):
            if path.endswith(".c") and not path.startswith("tests/") and not path.endswith("-stub.c"):
                found.update(dict.fromkeys(FUNCTION.findall(code_at(repository, commits[-1][2], path)), number))
        before = commit
    return found


def commands_of(repository, commit):
    """The functions that QAPI wants there to be"""
    if not repository.has(commit, SCHEMA):
        return []
    names = Schema(repository.read(commit, SCHEMA).decode()).names()
    return ["qmp_" + name.replace("-", "_") for name, kind in names if kind == "command"]


def check_symbols(repository, commits):
    """Nothing calls a function of ours that comes with a later patch: so each patch links"""
    functions, found, before = defined_in(repository, commits), [], repository.base
    for number, (entry, _, commit) in enumerate(commits):
        used = {name: SCHEMA for name in commands_of(repository, commit)}
        for path in repository.changed(before, commit, "AM"):
            if path.endswith(".c") and not path.endswith("-stub.c"):
                used.update(dict.fromkeys(re.findall(r"\b\w+\b", code_at(repository, commit, path)), path))
        found += [f"{entry.name}: {path} needs {name}(), which comes with {commits[functions[name]][0].name}"
                  for name, path in used.items() if functions.get(name, 0) > number]
        before = commit
    return found


def check_includes(repository, commits):
    """No file includes a header that comes with a later patch: so each patch compiles, as far as our headers go"""
    found, before = [], repository.base
    final = set(repository.changed(repository.base, commits[-1][2], "A"))
    for entry, _, commit in commits:
        there = set(repository.changed(repository.base, commit, "A"))
        for path in repository.changed(before, commit, "AM"):
            if path.endswith((".c", ".h")):
                for header in INCLUDE.findall(repository.read(commit, path).decode(errors="replace")):
                    if f"include/{header}" in final - there:
                        found.append(f"{entry.name}: {path} includes {header}, which comes with a later patch")
        before = commit
    return found


def check_built(repository, commits):
    """Each new file with code is named where QEMU is told to build it, in the folder's meson.build, from the patch on that brings it"""
    found, before = [], repository.base
    for entry, _, commit in commits:
        for path in repository.changed(before, commit, "A"):
            folder, _, name = path.rpartition("/")
            if name.endswith(".c") and not names_file(repository.read(commit, f"{folder}/meson.build").decode(), name):
                found.append(f"{entry.name}: {path} is not built: {folder}/meson.build does not name it")
        before = commit
    return found


def names_file(text, name):
    """As a source, or as a test, whose name is its program's"""
    return re.search(rf"'{re.escape(name)}'|'{re.escape(name[:-2])}'", text)


def check_versions(project):
    """The changes apply to those other versions of QEMU that they are said to be for, as far as they were fetched"""
    bases = {folder.name: cached_base(folder.name) for folder in qemu_variant.variants(project.patches)}
    return [f"{name}: {complaint}" for name, base in bases.items() if base for complaint in refused(project, Repository(base, TESTER))]


def compose(project, base, folder):
    """The overlay that scripts/build-qemu lays over the base; [names of its files]"""
    script = 'set -e; . "$1/scripts/lib/common.sh"; need_cache; . "$1/scripts/lib/qemu-tree.sh"; compose_overlay "$2" "$3"'
    run("bash", "-c", script, project.top / "scripts/qemu-series", project.top, base, folder, env={**os.environ, "HET_STEP_PREFIX": ""})
    return (pathlib.Path(folder) / "names.all").read_text().splitlines()


def check_tree(project, repository, commits):
    """The last commit's tree is what scripts/build-qemu composes"""
    final = commits[-1][2]
    with tempfile.TemporaryDirectory() as folder:
        names = compose(project, repository.source, folder)
        tree, found = pathlib.Path(folder) / "tree", []
        changed = set(repository.changed(repository.base, final))
        for name in names:
            file = tree / name
            if file.exists() != repository.has(final, name) or file.exists() and file.read_bytes() != repository.read(final, name):
                found.append(f"{name} differs from what scripts/build-qemu composes")
        found += [f"{name} is not what scripts/build-qemu composes" for name in sorted(changed - set(names))]
    return found


def check_am(repository, commits, mails, folder, whole):
    """git am takes the mails on a clean base, which is made in folder, as far as something there is changed; the tree is the series'"""
    touched = repository.changed(repository.base, commits[-1][2])
    checkout(repository, folder, repository.base, None if whole else [*touched, *FOR_MANUAL])
    environment = {**os.environ, **repository.environment}
    run("git", "-C", folder, "-c", "commit.gpgSign=false", "am", "--quiet", *mails[1:], env=environment)
    there = run("git", "-C", folder, "rev-parse", "HEAD^{tree}").decode().strip()
    dirty = run("git", "-C", folder, "status", "--porcelain").decode()
    wanted = repository.tree_of(commits[-1][2])
    found = [] if there == wanted else ["git am makes another tree than the series has"]
    return found + ([f"git am leaves this behind:\n{dirty}"] if dirty else [])


# --- QEMU's manual ---

FOR_MANUAL = ("docs/", "qapi/", "scripts/", "ui/icons/", "VERSION", "qemu-options.hx")      # what a manual of our pages is made from
QMP_REFERENCE = "docs/interop/qemu-qmp-ref.rst"
OUR_SCHEMA = "qapi/het-alone.json"


def pages_only(tree, pages):
    """A manual of the new pages, and of the part of the QMP reference that is ours: all of it would take ten times as long"""
    manual = tree / "docs-of-ours"
    manual.mkdir()
    for page in [*pages, QMP_REFERENCE]:
        copy = manual / pathlib.Path(page).relative_to("docs")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / page, copy)
    (tree / OUR_SCHEMA).write_text("".join(f"{{ 'include': '{name}.json' }}\n" for name in ("pragma", "het")))
    reference = manual / pathlib.Path(QMP_REFERENCE).relative_to("docs")
    reference.write_text(reference.read_text().replace("qapi/qapi-schema.json", OUR_SCHEMA))
    names = [str(pathlib.Path(page).relative_to("docs").with_suffix("")) for page in [*pages, QMP_REFERENCE]]
    (manual / "index.rst").write_text("\n".join(["Manual", "======", "", ".. toctree::", "", *(f"   {name}" for name in names), ""]))
    return manual


def check_manual(repository, commits, tree, whole):
    """Sphinx makes no complaint about it, and each new page is in a table of contents"""
    pages = [path for path in repository.changed(repository.base, commits[-1][2], "A") if re.match(r"docs/.*\.rst$", path)]
    found = []
    for page in pages:
        path = pathlib.Path(page)
        entry = re.compile(rf"^   (?:[\w/]*/)?{re.escape(path.stem)}(?:\.rst)?$", re.MULTILINE)
        if not any(entry.search((tree / other).read_text()) for other in repository.changed(repository.base, commits[-1][2], "M")
                   if other.endswith(".rst")):
            found.append(f"{page} is in no table of contents")
    manual = tree / "docs" if whole else pages_only(tree, pages)
    result = subprocess.run(["/usr/bin/python3", "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "dummy", "-j", "auto", "-c", tree / "docs",
                             "-d", tree / "doctrees", "-Dkerneldoc_werror=1", manual, tree / "manual"],
                            stdin=subprocess.DEVNULL, capture_output=True, check=False, env={**os.environ, "CONFDIR": "/etc/qemu"})
    said = (result.stdout + result.stderr).decode(errors="replace").replace(f"{tree}/", "").splitlines() if result.returncode else []
    return found + said


# --- checkpatch ---

def explained(project):
    """[(severity and message, pattern of the patch's or file's name, why)]"""
    file, rules = project.patches / "checkpatch-explained", []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            fields = [field.strip() for field in line.split("|")]
            if len(fields) != 3 or not all(fields):
                raise SeriesError(f"{file.name}:{number}: 'message | file | why' is wanted")
            rules.append(fields)
    return rules


def checkpatch(repository, mails):
    """[(mail, severity: message, file)] of QEMU's scripts/checkpatch.pl"""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        run("git", f"--git-dir={repository.folder}", f"--work-tree={folder}", "-c", "advice.detachedHead=false", "checkout", "--quiet", "base", "--",
            "scripts/checkpatch.pl", env={**os.environ, "GIT_INDEX_FILE": f"{folder}/index"})
        script = pathlib.Path(folder) / "scripts/checkpatch.pl"
        for mail in mails[1:]:
            result = subprocess.run(["perl", script, "--no-tree", "--no-summary", "--terse", mail], capture_output=True, check=False)
            for line in result.stdout.decode(errors="replace").splitlines():
                match = re.match(r"(?:.*?):(\d+): (ERROR|WARNING): (.*)$", line)
                if match:
                    found.append((mail.name, f"{match[2]}: {match[3]}", place_of(mail, int(match[1]))))
                elif "ERROR" in line or "WARNING" in line:
                    found.append((mail.name, line, "-"))
            if result.returncode not in (0, 1) or result.returncode and not result.stdout:
                raise SeriesError(f"checkpatch.pl failed on {mail.name}: {result.stderr.decode(errors='replace')}")
    return found


def place_of(mail, number):
    """The file that a line of a mail is about"""
    lines = mail.read_text(errors="replace").splitlines()[:number]
    return next((line.split(" b/")[-1] for line in reversed(lines) if line.startswith("diff --git ")), "-")


def check_checkpatch(project, repository, mails):
    rules, found, used = explained(project), [], set()
    for mail, message, file in checkpatch(repository, mails):
        match = next((number for number, (text, pattern, _) in enumerate(rules)
                      if message.startswith(text) and fnmatch.fnmatchcase(file, pattern)), None)
        if match is None:
            found.append(f"checkpatch: {mail}: {file}: {message}")
        used.add(match)
    return found + [f"checkpatch-explained: nothing is like '{text}' in {pattern} any more"
                    for number, (text, pattern, _) in enumerate(rules) if number not in used]


# --- the way there and back ---

def copy_of(project, folder):
    """A project of its own with the same patches"""
    run("cp", "-a", project.patches, folder)
    pathlib.Path(folder, "qapi").mkdir()
    run("cp", "-a", project.top / SCHEMA, pathlib.Path(folder, SCHEMA))
    return type(project)(folder)


def check_round_trip(project, repository, commits, mails):
    """What is taken back from the mails makes the same series"""
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_of(project, folder)
        take_back(copy, repository, *read_mails(mails[0].parent))
        again = build(copy, repository)
        found = []
        if [entry for entry, _, _ in again] != [entry for entry, _, _ in commits]:
            found.append("what is taken back from the mails has other patches, or other new files with them")
        found += [f"{entry.name}: taken back from its mail it is another patch" for (entry, message, commit), (_, new, other) in zip(commits, again)
                  if repository.tree_of(commit) != repository.tree_of(other) or message.text() != new.text()]
        if copy.new_files() != project.new_files():
            found.append("new/ is not the same when it is taken back from the mails")
        if copy.cover.read_text() != project.cover.read_text():
            found.append("the cover letter is not the same when it is taken back")
    return found


def inputs_of(project, repository, whole_manual=False):
    """All that the checks read, as a digest: the series, the bases, the code that checks, and the programs that it asks"""
    digest = hashlib.sha256(f"{whole_manual} {repository.folder.name}".encode())
    for folder in qemu_variant.variants(project.patches):
        base = cached_base(folder.name)
        digest.update(f"{folder.name} {base and identity_of(base)}\n".encode())
    for program in ("git", "perl"):
        digest.update(run(program, "--version"))
    digest.update(run("/usr/bin/python3", "-m", "sphinx", "--version") + sys.version.encode())
    code = [file for file in PROJECT.glob("scripts/**/*") if file.is_file() and not file.name.endswith(".pyc")]
    for file in sorted([*code, *(file for file in project.patches.rglob("*") if file.is_file()), project.top / SCHEMA]):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(project.top if file.is_relative_to(project.top) else PROJECT)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def passed():
    """The inputs for which no check has complained"""
    return Record(cache_folder() / "series/passed")


def checks(project, repository, commits, whole_manual=False):
    """Yields (what, [complaints]) of everything that needs no compiler"""
    yield "manifest", project.complaints()
    yield "messages", check_messages(repository, commits)
    yield "MAINTAINERS", check_maintainers(repository, commits)
    yield "headers come first", check_includes(repository, commits)
    yield "functions come first", check_symbols(repository, commits)
    yield "each file is built", check_built(repository, commits)
    yield "other versions", check_versions(project)
    yield "the same tree as scripts/build-qemu composes", check_tree(project, repository, commits)
    with tempfile.TemporaryDirectory() as folder:
        mails = export(project, repository, folder, signoff=True)
        tree = pathlib.Path(folder) / "qemu"
        yield "git am on a clean base", check_am(repository, commits, mails, tree, whole_manual)
        yield "manual", check_manual(repository, commits, tree, whole_manual)
        yield "checkpatch.pl", check_checkpatch(project, repository, mails)
        yield "taken back from the mails", check_round_trip(project, repository, commits, mails)
