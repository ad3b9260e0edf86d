# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU's own test suites on the base and on the patched tree, case by case. Used by scripts/qemu-series."""

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

from qemu_series import SeriesError, cache_folder, run
from qemu_series_build import QTESTS, Work, inputs_of, name_of_each

SUITES = ("unit", "qapi-schema", "qtest")                               # all that QEMU has
INTROSPECTION = ("device-introspect-test", "qmp-cmd-test", "qom-test", "test-hmp")      # of the qtests, on each target
SLOW = 4                                # times longer than QEMU has it: this may run beside other things
FIRMWARE = ("ipxe-qemu", "opensbi", "qemu-system-data", "seabios")      # packages
DATA = "qemu-bundle/usr/local/share/qemu"


def firmware():
    """What Debian has in packages of its own, and some machines do not start without: [files]"""
    folder = cache_folder() / "series" / "firmware"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        run("apt-get", "-q", "download", *FIRMWARE, cwd=folder)
        for package in folder.glob("*.deb"):
            run("dpkg-deb", "-x", package, folder)
        (folder / "complete").touch()
    share = folder / "usr/share"
    return [file for file in [*(folder / "usr/lib/ipxe/qemu").iterdir(), *(share / "seabios").iterdir(), *(share / "qemu").glob("*.bin")]
            if file.exists()]           # it may be a link to what another package has


def add_roms(work):
    """What --disable-install-blobs leaves out"""
    data = work.objects / DATA
    data.mkdir(parents=True, exist_ok=True)
    for rom in [*(work.folder / "src/pc-bios").glob("*.bin"), *firmware()]:
        if not os.path.lexists(data / rom.name):
            (data / rom.name).symlink_to(rom)


def programs(log):
    """{test program: result}"""
    found = {}
    for line in log.read_text().splitlines():
        test = json.loads(line)
        found[test["name"].split(":", 1)[-1]] = test["result"]
    return found


def cases(log):
    """{(test program, case): result} of those that have cases"""
    found = {}
    for suite in ElementTree.parse(log).getroot():
        for case in suite:
            if case.tag == "testcase" and case.get("classname") != "qemu":
                name = re.sub(r"^\d+ ", "", case.get("name"))
                bad = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "ok")
                found[case.get("classname").split(":", 1)[-1], name] = bad
    return found


def tests_of(suite, targets):
    """What meson test is told, for a suite"""
    if suite == "introspection":
        return [f"qtest-{target}/{name}" for target in targets for name in INTROSPECTION]
    names = [f"qtest-{target}" for target in targets] if suite == "qtest" else [suite]
    return [word for name in names for word in ("--suite", name)]


def goals_of(suites, targets):
    """What ninja is told: nothing, which is all there is, but for what needs less"""
    if list(suites) != ["introspection"]:
        return []
    return [*(f"qemu-system-{target}" for target in targets), *(QTESTS + name for name in INTROSPECTION)]


def run_suite(work, environment, suite, targets):
    """(programs, cases)"""
    logs = work.objects / "meson-logs"
    (logs / "testlog.json").unlink(missing_ok=True)
    with open(work.folder / f"{suite}.log", "w", encoding="utf-8") as log:
        subprocess.run([str(work.objects / "pyvenv/bin/meson"), "test", "--no-rebuild", "--timeout-multiplier", str(SLOW),
                        *tests_of(suite, targets)],
                       cwd=work.objects, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False, env=environment)
    if not (logs / "testlog.json").exists():
        raise SeriesError(f"no test ran: see {work.folder / f'{suite}.log'}")
    return programs(logs / "testlog.json"), cases(logs / "testlog.junit.xml")


class Kept:
    """Results of a suite, which are good for as long as nothing that was built changes"""

    def __init__(self, work, suite, inputs):
        self.file, self.inputs = work.folder / f"{suite}.results", inputs

    def load(self):
        try:
            kept = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return None
        if kept["inputs"] != self.inputs:
            return None
        return kept["programs"], {(program, case): result for program, case, result in kept["cases"]}

    def store(self, results):
        kept = {"inputs": self.inputs, "programs": results[0], "cases": [[*names, result] for names, result in results[1].items()]}
        temporary = self.file.with_suffix(".tmp")
        temporary.write_text(json.dumps(kept))
        temporary.replace(self.file)


def run_suites(repository, name, folder, commit, targets, suites, keep=False):
    """Builds the tree and runs its suites; {suite: (programs, cases)}. keep: what is known of them already is taken"""
    found, inputs = {}, inputs_of(repository, commit)
    with Work(repository, folder).locked() as work:
        if keep:
            found = {suite: results for suite in suites if (results := Kept(work, suite, inputs).load())}
        left = [suite for suite in suites if suite not in found]
        if left:
            print(f"{name}: building", flush=True)
            work.switch(commit)
            environment = work.build(f"--targets={','.join(targets)}", *goals_of(left, targets))
            add_roms(work)
        for suite in left:
            print(f"{name}: running {suite}", flush=True)
            found[suite] = run_suite(work, environment, suite, targets)
            if keep:
                Kept(work, suite, inputs).store(found[suite])
    return found


def ours(project):
    """The test programs that the series adds"""
    return {path.stem for path in (project.patches / "new/tests/qtest").glob("*-test.c")}


def differences(project, base, patched):
    """[what is not as on the base]"""
    found, new = [], ours(project)
    for old, now, kind in zip(base, patched, ("", "case ")):
        for name in sorted(set(old) | set(now)):
            text = name if isinstance(name, str) else " ".join(name)
            program = name if isinstance(name, str) else name[0]
            is_ours = program.rsplit("/", 1)[-1].strip() in new
            if name in old and old[name] != now.get(name):
                found.append(f"{kind}{text}: {old[name]} on the base, {now.get(name, 'not there')} with our changes")
            elif name not in old and now[name].lower() not in ("ok", "skip", "skipped"):
                found.append(f"{kind}{text}: {now[name]}, new with our changes")
            elif name not in old and not is_ours:
                print(f"new, and fine: {kind}{text}")
    return found


def summary(name, results):
    tests, subtests = results
    counts = [f"{sum(value == result for value in tests.values())} {result}" for result in sorted(set(tests.values()))]
    print(f"{name}: {len(tests)} tests ({', '.join(counts)}) with {len(subtests)} cases "
          f"({sum(value == 'ok' for value in subtests.values())} ok)")


def compare(project, repository, commits, targets, suites):
    """Prints both; [what differs]. The base's results are kept. Where each patch was built, the last is there"""
    base = run_suites(repository, "base", f"base-{'-'.join(targets)}", repository.base, targets, suites, keep=True)
    patched = run_suites(repository, "patched", name_of_each(targets), commits[-1][2], targets, suites)
    found = []
    for suite in suites:
        summary(f"{suite} on the base", base[suite])
        summary(f"{suite} with our changes", patched[suite])
        failed = sorted(name for name, result in base[suite][0].items() if result not in ("OK", "SKIP"))
        if failed:
            print("fails on the base, too:", *failed, sep="\n    ")
        found += differences(project, base[suite], patched[suite])
    return found
