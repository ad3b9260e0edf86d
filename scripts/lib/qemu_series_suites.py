# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU's own test suites on the base and on the patched tree, case by case. Used by scripts/qemu-series."""

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

from qemu_series import SeriesError, cache_folder, run
from qemu_series_build import Work

SUITES = ("unit", "qapi-schema")        # and the qtests of each target
SLOW = 4                                # times longer than QEMU has it: this may run beside other things
DATA = "qemu-bundle/usr/local/share/qemu"


def network_roms():
    """The network cards' ROMs, which Debian has in a package of their own; some machines do not start without them"""
    folder = cache_folder() / "series" / "ipxe"
    roms = folder / "usr/lib/ipxe/qemu"
    if not roms.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        run("apt-get", "-q", "download", "ipxe-qemu", cwd=folder)
        run("dpkg-deb", "-x", next(folder.glob("ipxe-qemu_*.deb")), folder)
    return roms


def add_roms(work):
    """What --disable-install-blobs leaves out"""
    data = work.objects / DATA
    data.mkdir(parents=True, exist_ok=True)
    for rom in [*network_roms().iterdir(), *(work.folder / "src/pc-bios").glob("*.bin")]:
        if not (data / rom.name).exists():
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


def run_suites(repository, name, commit, targets):
    """Builds the tree and runs its suites; (programs, cases)"""
    with Work(repository, f"{name}-{'-'.join(targets)}").locked() as work:
        print(f"{name}: building", flush=True)
        work.switch(commit)
        environment = work.build(f"--targets={','.join(targets)}")
        add_roms(work)
        suites = [*SUITES, *(f"qtest-{target}" for target in targets)]
        print(f"{name}: running {', '.join(suites)}", flush=True)
        logs = work.objects / "meson-logs"
        (logs / "testlog.json").unlink(missing_ok=True)
        arguments = [word for suite in suites for word in ("--suite", suite)]
        with open(work.folder / "test.log", "w", encoding="utf-8") as log:
            subprocess.run([str(work.objects / "pyvenv/bin/meson"), "test", "--no-rebuild", "--timeout-multiplier", str(SLOW), *arguments],
                           cwd=work.objects, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False, env=environment)
        if not (logs / "testlog.json").exists():
            raise SeriesError(f"no test ran: see {work.folder / 'test.log'}")
        return programs(logs / "testlog.json"), cases(logs / "testlog.junit.xml")


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


def compare(project, repository, commits, targets):
    """Prints both; [what differs]"""
    base = run_suites(repository, "base", repository.base, targets)
    patched = run_suites(repository, "patched", commits[-1][2], targets)
    summary("base", base)
    summary("patched", patched)
    failed = sorted(name for name, result in base[0].items() if result not in ("OK", "SKIP"))
    if failed:
        print("fails on the base, too:", *failed, sep="\n    ")
    return differences(project, base, patched)
