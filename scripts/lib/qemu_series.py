# SPDX-License-Identifier: LGPL-2.1-or-later
"""
qemu-patches/ as a series of commits: which new file goes with which patch, and each commit's tree, message and author. Used by
scripts/qemu-series, for all that it does.

qemu-patches/series names the patches to existing files in order. The new files that come with a patch are named below it, indented,
as QEMU's tree has them. A QAPI module can be shared out to several patches:

    0001-qapi-….patch
        qapi/het.json: enum struct event
    0005-hw-core-….patch
        hw/core/het-qmp.c
        qapi/het.json: command

A definition goes with the patch that names it, else with the one that names its kind.

Commits are made with git's plumbing in a bare repository in the cache, which holds nothing but the base: no work tree is needed.
"""

import dataclasses
import fnmatch
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import weakref

import qemu_variant

JUNK = ("*~", "*.orig", "*.rej", ".*.sw?")
KINDS = ("alternate", "command", "enum", "event", "include", "pragma", "struct", "union")
SCHEMA = "qapi/het.json"
NOT_SOURCE = (".git", ".pc", "debian", "build*", "__pycache__")         # at the top of a base; the last one anywhere
ASIDE = b"roms"                 # two thirds of a base's files, of other projects: submodules of QEMU's, which no patch of a series is about
TREE_ENTRY = re.compile(rb"(\d+) ([^\0]+)\0(.{20})", re.DOTALL)
MAINTAINERS, SECTION = "MAINTAINERS", "Heterogeneous platforms"
SINCE = "10.0"                  # what our tree says of its QAPI definitions: the base that it is made for
PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent


class SeriesError(Exception):
    """What a user can do something about"""


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(os.environ.get("QEMU_HET_CACHE") or pathlib.Path(base) / "qemu-het")


class Record:
    """Digests of what was found good, in a file; each is there at once, so that what is interrupted can go on"""

    def __init__(self, file):
        self.file = file

    def has(self, digest):
        return self.file.exists() and digest in self.file.read_text(encoding="ascii").split()

    def add(self, digest):
        with open(self.file, "a", encoding="ascii") as file:
            file.write(f"{digest}\n")


def run(*command, **options):
    """Its output; SeriesError with what it said on stderr"""
    result = subprocess.run([str(word) for word in command], capture_output=True, check=False, **{"stdin": subprocess.DEVNULL, **options})
    if result.returncode:
        said = (result.stderr or result.stdout).decode(errors="replace").strip()
        raise SeriesError(f"{' '.join(str(word) for word in command[:6])} failed:\n{said}")
    return result.stdout


# --- the manifest ---

@dataclasses.dataclass
class Entry:
    """A patch of the series; parts: {new file: words, or None where the whole file comes with the patch}"""
    name: str
    parts: dict = dataclasses.field(default_factory=dict)


def parse_manifest(text):
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].rstrip()
        if not line:
            continue
        if not line[0].isspace():
            entries.append(Entry(line))
            continue
        if not entries:
            raise SeriesError(f"qemu-patches/series:{number}: a new file needs the patch that it comes with in a line above it")
        path, colon, words = line.strip().partition(":")
        if path in entries[-1].parts:
            raise SeriesError(f"qemu-patches/series:{number}: {path} is named twice for {entries[-1].name}")
        entries[-1].parts[path] = words.split() if colon else None
    return entries


def manifest_text(entries, head):
    lines = [head] if head else []
    for entry in entries:
        lines.append(entry.name + "\n")
        lines += [f"    {path}{': ' + ' '.join(words) if words else ''}\n" for path, words in sorted(entry.parts.items())]
    return "".join(lines)


class Project:
    """The folders of a work tree of ours"""

    def __init__(self, top=PROJECT):
        self.top = pathlib.Path(top)
        self.patches = self.top / "qemu-patches"
        self.manifest = self.patches / "series"
        self.cover = self.patches / "cover-letter"

    def entries(self):
        return parse_manifest(self.manifest.read_text())

    def head(self):
        """The comment at the beginning of the manifest"""
        return "".join(re.match(r"(?:#.*\n|\n)*", self.manifest.read_text())[0])

    def place(self, path):
        """Where a new file of QEMU's tree is in ours"""
        return self.top / path if path == SCHEMA else self.patches / "new" / path

    def new_files(self):
        """{path in QEMU's tree: its content}"""
        new = self.patches / "new"
        files = {str(file.relative_to(new)): file for file in new.rglob("*") if file.is_file()}
        files[SCHEMA] = self.top / SCHEMA
        return {path: file.read_bytes() for path, file in sorted(files.items())
                if "__pycache__" not in path and not any(fnmatch.fnmatch(file.name, pattern) for pattern in JUNK) and file.exists()}

    def complaints(self):
        """What is wrong with the manifest"""
        entries, files = self.entries(), self.new_files()
        names = [entry.name for entry in entries]
        found = [f"{name} is named twice" for name in sorted(set(names)) if names.count(name) > 1]
        found += [f"{name} is named, but not there" for name in names if not (self.patches / name).is_file()]
        found += [f"{file.name} is there, but no line names it" for file in sorted(self.patches.glob("*.patch")) if file.name not in names]
        for path, content in files.items():
            users = [entry for entry in entries if path in entry.parts]
            if not users:
                found.append(f"{path} belongs to no patch: name it, indented, below the one that it comes with")
            elif any(entry.parts[path] is None for entry in users):
                if len(users) > 1:
                    found.append(f"{path} comes with {' and '.join(entry.name for entry in users)}")
            else:
                found += [f"{path}: {name} belongs to no patch: neither it nor its kind, {kind}, is named"
                          for name, kind in Schema(content.decode()).names() if owner(entries, path, name, kind) is None]
        found += [f"{path}, of {entry.name}, is not there" for entry in entries for path in entry.parts if path not in files]
        return [f"qemu-patches/series: {text}" for text in found] + qemu_variant.complaints(self.patches, entries)

    def patch_for(self, entry, version):
        """A patch as it is for a version of QEMU"""
        return qemu_variant.patch_for(self.patches, qemu_variant.variant_for(self.patches, version), entry.name, entry.parts)

    def edits_for(self, entry, version):
        """What is different in the new files that come with it"""
        return qemu_variant.edits_for(qemu_variant.variant_for(self.patches, version), entry.name, entry.parts)


def owner(entries, path, name, kind):
    """Number of the patch that a definition comes with"""
    for word in (name, kind):
        for number, entry in enumerate(entries):
            if word in (entry.parts.get(path) or ()):
                return number
    return None


class Schema:
    """A QAPI module in pieces: its head, and each definition with its documentation"""

    def __init__(self, text):
        self.pieces, piece, depth, documented = [], "", 0, False
        lines = text.splitlines(keepends=True)
        start = next((n for n, line in enumerate(lines) if re.match(r"# @[\w-]+:", line)), 1) - 1
        self.head = "".join(lines[:start])
        for line in lines[start:]:
            piece += line
            if line.startswith("#"):
                continue
            code = re.sub(r"'[^']*'|#.*", lambda match: "x" if match[0][0] == "'" else "", line)
            depth += sum(code.count(c) for c in "{[") - sum(code.count(c) for c in "}]")
            documented = documented or "{" in code
            if documented and depth == 0:
                match = re.search(r"^\{ *'(\w+)': *'([\w-]+)'", piece, re.MULTILINE)
                if not match or match[1] not in KINDS:
                    raise SeriesError(f"{SCHEMA}: what is this?\n{piece.strip()}")
                self.pieces.append((match[2], match[1], piece))
                piece, documented = "", False
        self.tail = piece

    def names(self):
        return [(name, kind) for name, kind, _ in self.pieces]

    def part(self, wanted):
        """The module with those definitions only for which wanted(name, kind)"""
        kept = "".join(piece for name, kind, piece in self.pieces if wanted(name, kind))
        return self.head.rstrip("\n") + "\n\n" + kept.lstrip("\n") + self.tail


def content_at(entries, number, path, content):
    """A new file as it is after patch number; None: not there yet"""
    users = [n for n, entry in enumerate(entries) if path in entry.parts]
    if not users or number < users[0]:
        return None
    if entries[users[0]].parts[path] is None or number >= users[-1]:
        return content
    return Schema(content.decode()).part(lambda name, kind: owner(entries, path, name, kind) <= number).encode()


# --- commits ---

@dataclasses.dataclass
class Message:
    author: str
    email: str
    date: str
    subject: str
    body: str
    has_changes: bool

    def environment(self):
        return {"GIT_AUTHOR_NAME": self.author, "GIT_AUTHOR_EMAIL": self.email, "GIT_AUTHOR_DATE": self.date, "GIT_COMMITTER_DATE": self.date}

    def text(self):
        return f"{self.subject}\n\n{self.body}".rstrip("\n") + "\n"


def base_folder(*options):
    return pathlib.Path(run(PROJECT / "scripts/fetch-qemu", "--print-path", *options).decode().strip())


def cached_base(series=None):
    """That of another series, or the base, if it was fetched before; else None"""
    bases = cache_folder() / "base"
    name = bases / (f"current-{series}" if series else "current")
    folder = bases / name.read_text().strip() if name.exists() else None
    return folder if folder and folder.is_dir() else None


def identity_of(folder):
    """Of names, sizes and times, as scripts/build-qemu tells a tree that can change at any time"""
    digest = hashlib.sha256()
    for path, folders, files in os.walk(folder):
        top = pathlib.Path(path) == folder
        folders[:] = sorted(name for name in folders if name != "__pycache__" and
                            not (top and any(fnmatch.fnmatch(name, pattern) for pattern in NOT_SOURCE)))
        for name in sorted(files):
            state = os.lstat(os.path.join(path, name))
            digest.update(f"{os.path.join(path, name)} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


class Repository:
    """A bare repository with the base as its one commit; what else is made in it is garbage once its names are forgotten"""

    def __init__(self, base, identity=None):
        self.source = pathlib.Path(base)
        self.environment = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
        if identity:
            self.environment.update({f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                                     for what, value in zip(("NAME", "EMAIL"), identity)})
        self.folder = cache_folder() / "series" / f"{self.source.name}-{identity_of(self.source)}.git"
        if not self.folder.exists():
            self.create()
        self.base = self.git("rev-parse", "refs/heads/base").decode().strip()
        self.objects = None             # a git that is asked for objects
        self.known = {}                 # of once()
        self.steps = {}                 # what build() has made: {parent and all that comes with a patch: (message, commit)}
        self.applied = {}               # of apply_mails(): {tree, mail, sign-off: (message, tree, tree without what only mails say)}
        self.texts = {}                 # of with_since()

    def once(self, make, *arguments):
        """What make(repository, …) returns, which depends on the arguments alone: names of objects, and texts"""
        key = (make.__name__, *arguments)
        if key not in self.known:
            self.known[key] = make(self, *arguments)
        return self.known[key]

    def find(self, name):
        """(hash, content) of an object, or None: there is no such one. One git finds them all; it ends when nobody can ask it any more"""
        if not self.objects:
            self.objects = subprocess.Popen(["git", f"--git-dir={self.folder}", "cat-file", "--batch"],  # pylint: disable=consider-using-with
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **self.environment})
            weakref.finalize(self, self.objects.communicate)
        self.objects.stdin.write(f"{name}\n".encode())
        self.objects.stdin.flush()
        head = self.objects.stdout.readline().split()
        if not head or not head[-1].isdigit():
            return None
        return head[0].decode(), self.objects.stdout.read(int(head[-1]) + 1)[:-1]

    def git(self, *arguments, environment=None, **options):
        return run("git", "-c", "core.abbrev=8", "-c", "core.quotePath=false", "-c", "commit.gpgSign=false", "-c", "core.autocrlf=false",
                   f"--git-dir={self.folder}", *arguments,
                   env={**os.environ, **self.environment, **(environment or {})}, **options)

    def create(self):
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        final, self.folder = self.folder, pathlib.Path(tempfile.mkdtemp(dir=self.folder.parent, suffix=".tmp"))
        try:
            run("git", "init", "--quiet", "--bare", "--initial-branch=base", self.folder)
            self.git(f"--work-tree={self.source}", "add", "--force", "--all", "--", ".", *(f":(exclude){name}" for name in NOT_SOURCE[:3]))
            tree = self.git("write-tree").decode().strip()
            who = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                   for what, value in (("NAME", "base"), ("EMAIL", "base@localhost"), ("DATE", "@0 +0000"))}
            commit = self.git("commit-tree", "-m", f"QEMU {self.version()}", tree, environment=who).decode().strip()
            self.git("update-ref", "refs/heads/base", commit)
            try:
                self.folder.rename(final)
            except OSError:             # another run was quicker
                shutil.rmtree(self.folder)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self.folder = final

    def version(self):
        return (self.source / "VERSION").read_text().strip()

    def store(self, content, kind="blob"):
        """Most are there already, which git need not be asked for"""
        name = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(content)) + content, usedforsecurity=False).hexdigest()
        if not (self.folder / "objects" / name[:2] / name[2:]).exists():
            self.git("hash-object", "-t", kind, "-w", "--stdin", stdin=None, input=content)
        return name

    def top_of(self, tree):
        """{name: (mode, hash)} of what is at the top of it"""
        return {name: (mode, binary) for mode, name, binary in TREE_ENTRY.findall(self.find(f"{tree}^{{tree}}")[1])}

    def store_top(self, entries):
        order = sorted(entries, key=lambda name: name + (b"/" if entries[name][0] == b"40000" else b""))
        return self.store(b"".join(b"%s %s\0%s" % (entries[name][0], name, entries[name][1]) for name in order), "tree")

    def read(self, tree, path):
        found = self.find(f"{tree}:{path}")
        if not found:
            raise SeriesError(f"{path} is not in {tree}")
        return found[1]

    def has(self, tree, path):
        return self.find(f"{tree}:{path}") is not None

    def tree_of(self, commit):
        return self.find(f"{commit}^{{tree}}")[0]

    def changed(self, old, new, only=""):
        """Names of the files that differ; only: letters of git's --diff-filter"""
        return self.once(Repository.compare, old, new, only)

    def compare(self, old, new, only):
        options = [f"--diff-filter={only}"] if only else []
        return self.git("diff-tree", "-r", "--name-only", "--no-renames", *options, old, new).decode().splitlines()

    def modules(self, tree):
        """[(blob, path)] of the QAPI modules that are new in a tree, or changed"""
        lines = self.git("diff-tree", "-r", "--no-renames", "--diff-filter=AM", self.base, tree, "--", "qapi").decode().splitlines()
        return [(line.split()[3], line.split()[5]) for line in lines if line.endswith(".json")]

    def added(self, old, new, path):
        """The lines of a file, from 0, that are new"""
        hunks = re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", self.git("diff-tree", "-p", "-U0", old, new, "--", path).decode(), re.MULTILINE)
        return [number - 1 for first, count in hunks for number in range(int(first), int(first) + int(count or 1))]

    def commit(self, tree, parent, message):
        return self.git("commit-tree", "-F", "-", "-p", parent, tree, stdin=None, input=message.text().encode(),
                        environment=message.environment()).decode().strip()

    def message_of(self, mail):
        """What git am would take from a mail"""
        return self.once(Repository.parse, mail)

    def parse(self, mail):
        with tempfile.TemporaryDirectory() as folder:
            body, patch = pathlib.Path(folder, "body"), pathlib.Path(folder, "patch")
            info = self.git("mailinfo", "-b", body, patch, stdin=None, input=mail).decode()
            values = dict(line.split(": ", 1) for line in info.splitlines() if ": " in line)
            if "Subject" not in values or "Author" not in values:
                raise SeriesError(f"this is no mail with a patch:\n{mail[:300].decode(errors='replace')}")
            subject = re.sub(r"^\[[^]]*PATCH[^]]*\]\s*", "", values["Subject"])
            return Message(values["Author"], values["Email"], values.get("Date", ""), subject, body.read_text().strip("\n"),
                           b"\ndiff --git " in b"\n" + patch.read_bytes())


def checkout(repository, folder, commit, paths=None):
    """A clone with a commit in its work tree: all of it, or these paths only, since all is tens of thousands of files"""
    run("git", "clone", "--quiet", "--shared", "--no-checkout", repository.folder, folder)
    if paths is not None:
        run("git", "-C", folder, "sparse-checkout", "set", "--no-cone", *(f"/{path}" for path in paths))
    run("git", "-C", folder, "fetch", "--quiet", "origin", commit)
    run("git", "-C", folder, "checkout", "--quiet", "-B", "work", commit)


class Index:
    """A temporary index of a repository. ASIDE is in its trees as it was, but not in itself: each git reads and writes all of it"""

    def __init__(self, repository, tree):
        self.repository, self.folder, self.aside = repository, tempfile.TemporaryDirectory(), {}
        self.read(tree)

    def read(self, tree):
        entries = self.repository.top_of(tree)
        self.aside = {name: entries.pop(name) for name in [ASIDE] if name in entries}
        self.git("read-tree", self.repository.store_top(entries))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def git(self, *arguments, **options):
        return self.repository.git(*arguments, environment={"GIT_INDEX_FILE": f"{self.folder.name}/index"}, **options)

    def apply(self, mail):
        self.git("apply", "--cached", "--whitespace=nowarn", "-", stdin=None, input=mail)

    def put(self, files):
        """{path: content}; None removes it"""
        lines = "".join(f"100644 {self.repository.store(content)}\t{path}\n" if content is not None else f"0 {'0' * 40}\t{path}\n"
                        for path, content in files.items())
        self.git("update-index", "--add", "--index-info", stdin=None, input=lines.encode())

    def tree(self):
        entries = self.repository.top_of(self.git("write-tree").decode().strip())
        if self.aside.keys() & entries.keys():
            raise SeriesError(f"there is something new in {ASIDE.decode()}/, which is what others have made: leave it as it is")
        return self.repository.store_top(entries | self.aside)


# --- who looks after it ---

def section_of(maintainers):
    """(start, end) of our section's lines in MAINTAINERS; None: not there"""
    match = re.search(rf"^{SECTION}\n(?:\w: .*\n)*", maintainers, re.MULTILINE)
    return match and match.span()


def with_maintainer(maintainers, who):
    """who, a name with an address, looks after it; None: nobody, which is what our tree says"""
    span = section_of(maintainers)
    if not span:
        return maintainers
    section = re.sub(r"^(?:M: .*\n)*S: .*\n", f"M: {who}\nS: Maintained\n" if who else "S: Orphan\n", maintainers[slice(*span)],
                     count=1, flags=re.MULTILINE)
    return maintainers[:span[0]] + section + maintainers[span[1]:]


# --- since when ---

def next_release(version):
    """That which a posting for this tree can come with: there are three a year, and a tree from N.N.90 on is about to be one"""
    major, minor, micro = (qemu_variant.numbers(version) + [0, 0])[:3]
    for _ in range(2 if micro >= 90 else 1):
        major, minor = (major, minor + 1) if minor < 2 else (major + 1, 0)
    return f"{major}.{minor}"


def with_since(repository, tree, old, new):
    """{QAPI module: its text} with another version in what we have added"""
    pattern, files = re.compile(rf"\b(since:? ){re.escape(old)}\b", re.IGNORECASE), {}
    for name, path in repository.modules(tree):
        if (name, old, new) not in repository.texts:
            lines = repository.read(tree, path).decode().splitlines(keepends=True)
            changed = lines.copy()
            for number in repository.added(repository.base, tree, path):
                changed[number] = pattern.sub(rf"\g<1>{new}", lines[number])
            repository.texts[name, old, new] = "".join(changed).encode() if changed != lines else None
        if repository.texts[name, old, new]:
            files[path] = repository.texts[name, old, new]
    return files


# --- the series ---

def build(project, repository, maintainer=None, since=None):
    """The commits of the series, the first on the base; [(entry, message, commit)]. maintainer, since: only where they are posted"""
    complaints = project.complaints()
    if complaints:
        raise SeriesError("\n".join(complaints))
    entries, files = project.entries(), project.new_files()
    commits, parent, version = [], repository.base, repository.version()
    with Index(repository, repository.base) as index:
        at = parent                     # what the index has; a step that was made before leaves it behind
        for number, entry in enumerate(entries):
            mail, edits = project.patch_for(entry, version), b"".join(project.edits_for(entry, version).values())
            new = {path: content_at(entries, number, path, files[path]) for path in entry.parts}
            key, posted = (maintainer, since, parent, mail, edits, tuple(new.items())), maintainer or since
            if posted or key not in repository.steps:
                if at != parent and not posted:
                    index.read(parent)
                message = make_step(repository, index, entry, mail, edits, new)
                tree = posted_tree(repository, index, maintainer, since)
                at = repository.commit(tree, parent, message)
                repository.steps[key] = message, at
            message, parent = repository.steps[key]
            commits.append((entry, message, parent))
    return commits


def make_step(repository, index, entry, mail, edits, new):
    """Takes a patch and what comes with it into the index; its message"""
    message = repository.message_of(mail)
    try:
        if message.has_changes:
            index.apply(mail)
        index.put(new)
        if edits:
            index.apply(edits)
    except SeriesError as e:
        raise SeriesError(f"{entry.name} does not apply to QEMU {repository.version()}\n{e}") from e
    return message


def refused(project, repository):
    """[what does not apply], where each patch is tried on its own, whatever became of those before it"""
    found, version = [], repository.version()
    entries, files = project.entries(), project.new_files()
    with Index(repository, repository.base) as index:
        for number, entry in enumerate(entries):
            index.put({path: content_at(entries, number, path, files[path]) for path in entry.parts})
            parts = {**qemu_variant.split(project.patch_for(entry, version))[1], **project.edits_for(entry, version)}
            for name, part in parts.items():
                try:
                    index.apply(part)
                except SeriesError as e:
                    found.append(f"{entry.name}: {name}: {str(e).splitlines()[-1]}")
    return found


def tree_with(index, other):
    """The index's tree with some files otherwise, which the index itself has as before"""
    plain = {path: index.git("cat-file", "blob", f":{path}") for path in other}
    index.put(other)
    tree = index.tree()
    index.put(plain)
    return tree


def posted_tree(repository, index, maintainer, since):
    """With what only the mails say; the patches that follow see none of it"""
    other = with_since(repository, index.tree(), SINCE, since) if since else {}
    if maintainer:
        other[MAINTAINERS] = with_maintainer(index.git("cat-file", "blob", f":{MAINTAINERS}").decode(), maintainer).encode()
    return tree_with(index, other) if other else index.tree()
