# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds trees of the series in folders of its own in the cache, where objects stay for the next time. Used by scripts/qemu-series."""

import contextlib
import fcntl
import os
import subprocess

from qemu_series import PROJECT, SeriesError, cache_folder

QTESTS = "tests/qtest/"
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
        environment = work.build(f"--targets={','.join(targets)}", *goals)
        return [line for target in targets for line in run_qtests(project, work, environment, target)]


def build_each(repository, commits):
    """Each patch of the series builds by itself: everything there is for the arm target, tools and tests, too"""
    with Work(repository, "each").locked() as work:
        for number, (entry, _, commit) in enumerate([(None, None, repository.base), *commits]):
            name = entry.name if entry else "the base"
            print(f"[{number}/{len(commits)}] {name}", flush=True)
            work.switch(commit)
            try:
                work.build()
            except SeriesError as e:
                raise SeriesError(f"{name}: {e}") from e
    print(f"each of the {len(commits)} patches builds")
