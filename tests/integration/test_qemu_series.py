#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
The changes to QEMU as a series that can be posted: scripts/qemu-series finds nothing to complain about, finds what is wrong where
something is, and takes edits back; and QEMU itself tells what each option of ours is for.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import types
import unittest

from het_harness import QEMU, TOP, main
import qemu_series                      # of scripts/lib
import qemu_series_build
import qemu_series_check
import qemu_series_mail
import qemu_series_suites
import qemu_variant
from qemu_series import SCHEMA, Project, Repository, SeriesError

AUTHOR = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "Some One"), ("EMAIL", "one@localhost"))}
DEVICES = ("idm_ipi", "idm_ipi-flat", "idm_stm32", "idm_stm32-flat")
# These do nothing that their callers do not trace, or are called for each vector
UNTRACED = {"backends/hostmem-shared.c", "backends/multi-socket-memory.c", "backends/multi-socket.c", "hw/core/het-attach.c",
            "hw/core/het-eventfd.c", "hw/core/het-export-stub.c", "hw/core/het-hmp-cmds.c", "hw/core/het-listen.c",
            "hw/core/het-qmp-stub.c", "hw/core/het-qmp.c", "hw/core/het-stub.c", "hw/core/het.c", "hw/i386/het-boot.c",
            "hw/misc/idm-flat.c", "hw/misc/idm-options.c", "hw/misc/idm-stm32-flat.c", "hw/misc/idm-stm32-sysbus.c",
            "hw/misc/idm-sysbus.c", "hw/riscv/het-boot.c"}


def has_base():
    """Nothing is downloaded for a test"""
    current = qemu_series.cache_folder() / "base/current"
    return "QEMU_SOURCE" in os.environ or current.exists() and (current.parent / current.read_text().strip()).is_dir()


@unittest.skipUnless(has_base(), "QEMU's source is not in the cache: scripts/fetch-qemu gets it")
class Series(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # It remembers which steps of the series it has made: each test makes only those that it changes
        cls.repository = Repository(qemu_series.base_folder(), qemu_series_check.TESTER)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "project").mkdir()
        self.project = qemu_series_check.copy_of(Project(), self.folder / "project")

    def git(self, *arguments, **options):
        return subprocess.run(["git", "-C", self.folder / "qemu", "-c", "commit.gpgSign=false", *arguments], check=True, capture_output=True,
                              env={**os.environ, **AUTHOR}, stdin=subprocess.DEVNULL, **options).stdout.decode()

    def checkout(self):
        """A developer's tree with the series on the branch work, on top of base"""
        commits = qemu_series.build(self.project, self.repository)
        qemu_series.checkout(self.repository, self.folder / "qemu", commits[-1][2], ["qapi/"])
        return commits

    def take_back(self, **options):
        mails = qemu_series_mail.mails_of_range(self.folder / "qemu", "origin/base..work")
        return {str(file.relative_to(self.project.top)) for file in
                qemu_series_mail.take_back(self.project, self.repository, None, mails, **options)}

    def write(self, path, text):
        file = self.folder / "qemu" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.git("add", "--force", "--sparse", path)

    def complaints(self, check):
        return "\n".join(check(self.repository, qemu_series.build(self.project, self.repository)))

    def test_check(self):
        """All that needs no compiler"""
        result = subprocess.run([TOP / "scripts/qemu-series", "check"], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual((result.returncode, result.stderr), (0, b""), result.stdout.decode())
        lines = result.stdout.decode().splitlines()
        if lines != ["everything: fine, as before"]:
            self.assertEqual([line for line in lines if not line.endswith(": fine")], [])
            self.assertGreaterEqual(len(lines), 10)

    def test_checked_before(self):
        """What was checked need not be again, as long as nothing has changed that is looked at"""
        def inputs(**options):
            return qemu_series_check.inputs_of(self.project, self.repository, **options)
        before = inputs()
        self.assertEqual(inputs(), before)
        self.assertNotEqual(inputs(whole_manual=True), before)
        for file in (self.project.cover, self.project.manifest, self.project.place("docs/specs/idm.rst"), self.project.place(SCHEMA)):
            text = file.read_text()
            file.write_text(text + "\n")
            self.assertNotEqual(inputs(), before, file)
            file.write_text(text)
        self.assertEqual(inputs(), before)

    def test_export(self):
        """What is asked for is in the mails, and nothing else"""
        mails = qemu_series_mail.export(self.project, self.repository, self.folder / "mails", signoff=True, maintainer=True, since="98.1",
                                        version=3, rfc=True)
        self.assertEqual(self.versions(mails), {"98.1"})
        commits = len(self.project.entries())
        self.assertEqual(len(mails), commits + 1)
        self.assertRegex(mails[0].read_text(), r"Subject: \[RFC PATCH v3 0+/\d+\] Heterogeneous platforms: ")
        self.assertNotIn("***", mails[0].read_text())
        who = "{} <{}>".format(*qemu_series_check.TESTER)
        for mail in mails[1:]:
            self.assertIn(f"\nSigned-off-by: {who}\n", mail.read_text())
        self.assertIn(f"\n+M: {who}\n+S: Maintained\n", mails[1].read_text())
        plain = qemu_series_mail.export(self.project, self.repository, self.folder / "plain")
        for mail in plain:
            self.assertNotRegex(mail.read_text(), r"(?m)^(Signed-off-by:|\+M: )")
        self.assertIn("\n+S: Orphan\n", plain[1].read_text())
        self.assertEqual(self.versions(plain), {qemu_series.SINCE})
        with self.assertRaisesRegex(SeriesError, "not empty"):
            qemu_series_mail.export(self.project, self.repository, self.folder / "plain")
        qemu_series_mail.take_back(self.project, self.repository, *qemu_series_mail.read_mails(self.folder / "mails"))
        self.assertEqual(qemu_series_check.check_messages(self.repository, qemu_series.build(self.project, self.repository)), [])
        self.assertNotIn("+M: ", "".join(file.read_text() for file in self.project.patches.glob("*.patch")))

    @staticmethod
    def versions(mails):
        """Since when there is what they add to QAPI modules"""
        return {version for mail in mails for version in re.findall(r"(?mi)^\+#.*\bsince:? ([\d.]+)", mail.read_text())}

    def test_since(self):
        """The release that a posting can come with; our tree says what it says, whatever the mails do"""
        for version, release in (("10.0.13", "10.1"), ("10.2.2", "11.0"), ("10.1.50", "10.2"), ("10.2.91", "11.1"), ("11.1.90", "12.0")):
            self.assertEqual(qemu_series.next_release(version), release)
        before = self.project.new_files()
        release = qemu_series.next_release(self.repository.version())
        mails = qemu_series_mail.export(self.project, self.repository, self.folder / "mails", since=release)
        self.assertEqual(self.versions(mails), {release})
        qemu_series_mail.take_back(self.project, self.repository, *qemu_series_mail.read_mails(self.folder / "mails"))
        self.assertEqual(self.project.new_files(), before)
        self.assertEqual(self.versions(self.project.patches.glob("*.patch")), {qemu_series.SINCE})

    def test_built_before(self):
        """What was built, or tested, need not be again, as long as nothing has changed that a build reads"""
        def inputs():
            return qemu_series_build.inputs_of(self.repository, qemu_series.build(self.project, self.repository)[-1][2])
        before = inputs()
        for path, same in (("docs/specs/idm.rst", True), ("hw/misc/idm.c", False)):
            file = self.project.place(path)
            file.write_text(file.read_text() + "\n")
            self.assertEqual(inputs() == before, same, path)

        work, results = types.SimpleNamespace(folder=self.folder), ({"unit/test-a": "OK"}, {("unit/test-a", "/a/b"): "ok"})
        qemu_series_suites.Kept(work, "unit", before).store(results)
        self.assertEqual(qemu_series_suites.Kept(work, "unit", before).load(), results)
        self.assertIsNone(qemu_series_suites.Kept(work, "unit", inputs()).load())
        self.assertIsNone(qemu_series_suites.Kept(work, "qtest", before).load())

    def take_nothing_back(self):
        """git may write a header otherwise than who made the patch; what it does is the same"""
        changed = self.take_back()
        self.assertEqual({name for name in changed if not name.endswith(".patch")}, set())
        self.assertEqual(self.take_back(), set())

    def edit(self):
        """A new file, an old one, a message, a patch more, and one more with a definition; returns what the new file had"""
        before = (self.project.patches / "new/hw/misc/idm.c").read_text()
        self.write("hw/misc/idm.c", before + "/* edited */\n")
        self.git("commit", "--quiet", "--amend", "-m", "docs: another subject\n\nAnother body.\n")
        self.write("hw/misc/idm-more.c", "/* more */\n")
        self.write("VERSION", "10.0.99\n")
        self.git("commit", "--quiet", "-m", "hw/misc: add more\n\nThat is why.\n")
        schema = self.folder / "qemu/qapi/het.json"
        self.write("qapi/het.json", schema.read_text() + "\n##\n# @het-more:\n#\n# More.\n#\n# Since: 10.0\n##\n{ 'command': 'het-more' }\n")
        self.git("commit", "--quiet", "-m", "hw/core: add het-more\n\nThat is why.\n")
        return before

    def test_edits(self):
        """They come back to their places, where there was nothing to take back before. A checkout takes long, so all of them have one"""
        self.checkout()
        self.take_nothing_back()
        self.assertTrue(self.repository.has(qemu_series.build(self.project, self.repository)[-1][2], "roms/Makefile"))
        before = self.edit()
        changed = self.take_back()
        self.assertEqual((self.project.patches / "new/hw/misc/idm.c").read_text(), before + "/* edited */\n")
        self.assertEqual((self.project.patches / "new/hw/misc/idm-more.c").read_text(), "/* more */\n")
        *_, old, new, schema = self.project.entries()
        self.assertRegex(old.name, r"^\d{4}-docs-another-subject\.patch$")
        self.assertRegex(new.name, r"^\d{4}-hw-misc-add-more\.patch$")
        self.assertEqual(new.parts, {"hw/misc/idm-more.c": None})
        self.assertIn("+10.0.99\n", (self.project.patches / new.name).read_text())
        self.assertNotIn("idm-more", (self.project.patches / new.name).read_text())
        self.assertIn("qemu-patches/new/hw/misc/idm.c", changed)
        # A definition comes back to the patch that brings it
        self.assertEqual(schema.parts, {"qapi/het.json": ["het-more"]})
        self.assertIn("'het-more'", (self.project.top / "qapi/het.json").read_text())
        self.assertEqual(self.project.complaints(), [])
        *_, before, last = [commit for _, _, commit in qemu_series.build(self.project, self.repository)]
        self.assertNotIn(b"het-more", self.repository.read(before, "qapi/het.json"))
        self.assertIn(b"het-more", self.repository.read(last, "qapi/het.json"))
        self.assertEqual(self.repository.tree_of(last), self.git("rev-parse", "HEAD^{tree}").strip())

    def test_file_of_no_patch(self):
        (self.project.patches / "new/hw/misc/idm-stray.c").write_text("/* */\n")
        self.assertEqual(len(self.project.complaints()), 1)
        self.assertRegex(self.project.complaints()[0], "hw/misc/idm-stray.c belongs to no patch")
        with self.assertRaisesRegex(SeriesError, "idm-stray"):
            qemu_series.build(self.project, self.repository)

    def test_wrong_manifest(self):
        text = self.project.manifest.read_text()
        for change, pattern in (("9999-no.patch\n", "9999-no.patch is named, but not there"),
                                ("    hw/misc/none.c\n", "hw/misc/none.c, of .*, is not there"),
                                ("    hw/misc/idm.c\n", "hw/misc/idm.c comes with .* and .*")):
            self.project.manifest.write_text(text + change)
            self.assertRegex("\n".join(self.project.complaints()), pattern)
        self.project.manifest.write_text(text.replace("qapi/het.json: command", "qapi/het.json: het-slave-boot"))
        self.assertRegex("\n".join(self.project.complaints()), "query-het belongs to no patch")
        self.project.manifest.write_text("    hw/misc/idm.c\n" + text)
        with self.assertRaisesRegex(SeriesError, "needs the patch that it comes with"):
            self.project.complaints()

    def test_rules(self):
        """What QEMU's rules forbid is found"""
        file = self.project.patches / next(entry.name for entry in self.project.entries() if "docs/specs/idm.rst" in entry.parts)
        text = file.read_text()
        subject = re.search(r"Subject: \[PATCH\] (.*(?:\n .*)*)", text)[1]
        for new, pattern in (("Docs describe it", "not 'subsystem: what"), ("docs: a full stop.", "not 'subsystem: what"),
                             ("docs: " + 80 * "x", "more than 76")):
            file.write_text(text.replace(subject, new, 1))
            self.assertRegex(self.complaints(qemu_series_check.check_messages), pattern)
        file.write_text(text.replace("\n---\n", "\n\nSigned-off-by: Nobody <n@localhost>\n---\n", 1))
        self.assertRegex(self.complaints(qemu_series_check.check_messages), "who signs off")
        file.write_text(text)
        # Later patches have the line beside theirs
        for each in self.project.patches.glob("*.patch"):
            each.write_text(each.read_text().replace("F: docs/specs/idm*.rst", "F: docs/specs/none*.rst"))
        self.assertRegex(self.complaints(qemu_series_check.check_maintainers), "docs/specs/idm.rst is matched by no F: line")

    def test_header_too_late(self):
        manifest = self.project.manifest.read_text()
        line = "    include/hw/het.h\n"
        self.assertIn(line, manifest)
        self.project.manifest.write_text(manifest.replace(line, "") + line)
        self.assertRegex(self.complaints(qemu_series_check.check_includes), "includes hw/het.h, which comes with a later patch")

    def test_not_built(self):
        (self.project.patches / "new/hw/misc/idm-stray.c").write_text("/* */\n")
        self.project.manifest.write_text(self.project.manifest.read_text() + "    hw/misc/idm-stray.c\n")
        self.assertRegex(self.complaints(qemu_series_check.check_built), "hw/misc/idm-stray.c is not built: hw/misc/meson.build")

    def test_variant(self):
        """What is different for a newer QEMU comes back from a branch as it is; that something does not apply there is told"""
        folder = qemu_variant.variants(self.project.patches)[0]
        base = qemu_series.cached_base(folder.name)
        if not base:
            self.skipTest(f"QEMU {folder.name} is not in the cache: scripts/fetch-qemu --series={folder.name} gets it")
        repository = Repository(base, qemu_series_check.TESTER)
        commits = qemu_series.build(self.project, repository)
        qemu_series.checkout(repository, self.folder / "qemu", commits[-1][2], ["VERSION"])
        mails = qemu_series_mail.mails_of_range(self.folder / "qemu", "origin/base..work")
        self.assertEqual(qemu_series_mail.take_variant(self.project, repository, mails), [])
        self.assertEqual(qemu_series.refused(self.project, repository), [])

        part = folder / next(entry.name for entry in self.project.entries() if "hw/misc/idm.h" in str(entry.parts))
        part.unlink()
        self.assertEqual(sorted(qemu_series_mail.take_variant(self.project, repository, mails)), [part])
        self.project.place("include/hw/misc/idm.h").write_text("/* another one */\n")
        self.assertRegex("\n".join(qemu_series.refused(self.project, repository)), f"{part.name}: include/hw/misc/idm.h: error: ")
        part.rename(folder / "9999-no.patch")
        self.assertEqual(self.project.complaints(), [f"qemu-patches/{folder.name}/9999-no.patch: the series has no such patch"])

    def test_function_too_late(self):
        manifest = self.project.manifest.read_text()
        for path, pattern in (("hw/core/het-fd.c", r"hw/core/het-\w+.c needs het_take_memory_fd\(\), which comes with"),
                              ("hw/core/het-qmp.c", r"qapi/het.json needs qmp_query_het\(\), which comes with")):
            line = f"    {path}\n"
            self.assertIn(line, manifest)
            self.project.manifest.write_text(manifest.replace(line, "") + line)
            self.assertRegex(self.complaints(qemu_series_check.check_symbols), pattern)

    def test_bad_arguments(self):
        """They are told before anything is done, and what they mean is not passed over"""
        last = len(Project().entries())
        for arguments, error in ((["nonsense"], "invalid choice: 'nonsense'"), (["check", "--from=3"], "--from is for --build"),
                                 (["check", "--build", f"--from={last + 1}"], f"the patches are 1 to {last}"),
                                 (["check", "--build", "--targets=vax"], "no target 'vax'"), (["compare", "--targets=arm,vax"], "no target 'vax'"),
                                 (["compare", "--suite=none"], "no suite none"), (["try", "/dev"], "not a QEMU source tree"),
                                 (["import", "nowhere"], "neither a folder with mails nor a range")):
            result = subprocess.run([TOP / "scripts/qemu-series", *arguments], capture_output=True, text=True, check=False)
            self.assertIn(result.returncode, (1, 2), arguments)
            self.assertRegex(result.stderr, rf"\Aerror: .*{re.escape(error)}", arguments)
            self.assertEqual(result.stdout, "", arguments)


class Help(unittest.TestCase):
    def say(self, *arguments):
        return subprocess.run([QEMU, *arguments], capture_output=True, check=True, stdin=subprocess.DEVNULL).stdout.decode()

    def test_properties(self):
        """Each property has a help text, but for those that no user sets"""
        for option, name in [("-device", name) for name in DEVICES] + [("-object", "memory-backend-shared")]:
            lines = self.say(option, f"{name},help").splitlines()
            self.assertGreater(len(lines), 3, name)
            bare = [line for line in lines[1:] if " - " not in line and not re.search(r"<(child|link<irq>)|x-", line)]
            self.assertEqual(bare, [], name)
        # Most of this one's are those of any PCI device
        ours = [line for line in self.say("-device", "idm_ipi-pci,help").splitlines() if re.match(r"\s+(halt-poll|auto-ack)", line)]
        self.assertEqual([" - " in line for line in ours], [True] * 3, ours)

    def test_lists(self):
        self.assertIn("memory-backend-shared", self.say("-object", "help"))
        listed = self.say("-device", "help")
        for name in (*DEVICES, "idm_ipi-pci"):
            self.assertRegex(listed, rf'name "{name}".*, desc "\w')

    def test_trace_events(self):
        """Each file that does something has them"""
        new, without = TOP / "qemu-patches/new", set()
        for file in [*new.glob("hw/**/*.c"), *new.glob("backends/*.c")]:
            if not re.search(r"\btrace_\w+\(", file.read_text()):
                without.add(str(file.relative_to(new)))
        self.assertEqual(without, UNTRACED)

    def test_specifications(self):
        """They are what scripts/qemu-doc makes of our pages"""
        result = subprocess.run([TOP / "scripts/qemu-doc", "--check"], capture_output=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, b""))


if __name__ == "__main__":
    main()
