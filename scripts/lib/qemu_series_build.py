# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds trees of the series in folders of its own in the cache, where objects stay for the next time. Used by scripts/qemu-series."""

import contextlib
import fcntl
import hashlib
import os
import subprocess

from qemu_series import PROJECT, Record, SeriesError, cache_folder, run

QTESTS = "tests/qtest/"
EACH = ["arm"]                           # the emulators that each patch is built for
TRIED = ["arm", "x86_64"]                # the emulators that another base is tried with


class Work:
    """A source tree, src, that is switched from commit to commit, and its objects"""

    def __init__(self, repository, name):
        self.repository = repository
        self.folder = cache_folder() / "series" / f"{name}-{repository.folder.stem}"
        self.objects = self.folder / "objects"
        (self.folder / "src").mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self):
        with open(self.folder / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self

    def switch(self, commit):
        """Only what differs gets a new time stamp, so that ninja builds only that"""
        self.repository.git(f"--work-tree={self.folder / 'src'}", "read-tree", "--reset", "-u", commit,
                            environment={"GIT_INDEX_FILE": str(self.folder / "index")})

    def build(self, *arguments):
        """Its progress goes to the terminal. The environment for meson"""
        result = subprocess.run([str(PROJECT / "scripts/lib/build-tree"), str(self.folder), *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, check=False, env={**os.environ, "HET_STEP_PREFIX": ""})
        if result.returncode:
            raise SeriesError("it does not build: what is said above is in " + str(self.folder / "build.log"))
        path = result.stdout.decode().strip()
        return {**os.environ, **({"PYTHONPATH": path} if path else {})}


def run_qtests(project, work, environment, target):
    """Those that the series adds, on one emulator; [what fails]"""
    failed = []
    for path in sorted((project.patches / "new/tests/qtest").glob("*-test.c")):
        result = subprocess.run([str(work.objects / QTESTS / path.stem), "--tap", "-k"], cwd=work.objects, stdin=subprocess.DEVNULL,
                                capture_output=True, check=False, timeout=1800,
                                env={**environment, "QTEST_QEMU_BINARY": str(work.objects / f"qemu-system-{target}")})
        bad = [line for line in result.stdout.decode(errors="replace").splitlines() if line.startswith("not ok")]
        failed += [f"{target}: {path.stem}: {line}" for line in bad or [f"exit status {result.returncode}"] * (result.returncode != 0)]
        print(f"{target}: {path.stem}: {'fails' if bad or result.returncode else 'passes'}", flush=True)
    return failed


def try_base(project, repository, commits, targets):
    """Builds emulators and our qtests on another base; [what fails]"""
    goals = [*(f"qemu-system-{target}" for target in targets),
             *(QTESTS + path.stem for path in (project.patches / "new/tests/qtest").glob("*-test.c"))]
    with Work(repository, "try" if targets == TRIED else f"try-{'-'.join(targets)}").locked() as work:
        work.switch(commits[-1][2])
        # Some of our qtests are only there where Arm is a target; its emulator is not built for that
        configured = dict.fromkeys([*targets, "arm"])
        environment = work.build(f"--targets={','.join(configured)}", *goals)
        return [line for target in targets for line in run_qtests(project, work, environment, target)]


def inputs_of(repository, commit):
    """What a build of a commit depends on, as a digest: its files but for those that none reads, the compiler, and how it is built"""
    digest = hashlib.sha256(run("gcc", "--version"))
    for name in ("build-tree", "qemu-objects.sh"):
        digest.update((PROJECT / "scripts/lib" / name).read_bytes())
    for line in repository.git("ls-tree", "-r", commit).splitlines(keepends=True):
        if not line.endswith((b".rst\n", b"\tMAINTAINERS\n")):
            digest.update(line)
    return digest.hexdigest()


def name_of_each(targets):
    """The folder where the series is built, commit by commit"""
    return "each" if targets == EACH else f"each-{'-'.join(targets)}"


def build_each(repository, commits, first, targets):
    """Each patch of the series, from a number on, builds by itself: everything there is for the targets, tools and tests, too; [what does
    not]. What was built from the same inputs before, and everything there built, is not built again."""
    failed = []
    with Work(repository, name_of_each(targets)).locked() as work:
        proven = Record(work.folder / "proven")
        for number, (entry, _, commit) in list(enumerate([(None, None, repository.base), *commits]))[first:]:
            name, inputs = entry.name if entry else "the base", inputs_of(repository, commit)
            before = proven.has(inputs)
            print(f"[{number}/{len(commits)}] {name}{': built before' if before else ''}", flush=True)
            if before:
                continue
            work.switch(commit)
            try:
                work.build(f"--targets={','.join(targets)}")
            except SeriesError as e:
                failed.append(f"{name}: {e}")
                continue
            proven.add(inputs)
    return failed
