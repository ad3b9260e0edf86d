#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""scripts/lib/count-tests: nothing that failed or was not run is counted as passed, and what fails only beside others is told."""

import json
import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "scripts/lib/count-tests"
PLAN = "1..2\nok 1 first\n"


class CountTests(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.results = self.file("results", "")

    def file(self, name, text):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def run_it(self, *arguments, status=0):
        result = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (status, ""))
        return result.stdout

    def tap(self, name, status, output, errors="", results=None):
        """Adds to the results; returns (result, test, reason) of each line."""
        self.log = self.directory / f"{name}.log"
        text = self.run_it("tap", "suite", name, status, self.file("output", output), self.file("errors", errors), self.log)
        with open(results or self.results, "a", encoding="utf-8") as file:
            file.write(text)
        return [(fields[0], fields[3], fields[4]) for fields in (line.split("\t") for line in text.splitlines())]

    def summary(self, status):
        return self.run_it("summary", self.results, status=status).splitlines()


class Programs(CountTests):
    def test_points(self):
        self.assertEqual(self.tap("t", 0, PLAN + "ok 2 - second # SKIP no time\n"), [("pass", "first", ""), ("skip", "second", "no time")])
        self.assertEqual(self.tap("t", 1, PLAN + "not ok 2 second\n"), [("pass", "first", ""), ("fail", "second", "")])

    def test_no_points(self):
        self.assertEqual(self.tap("t", 0, "fine\n"), [("pass", "", "")])
        self.assertEqual(self.tap("t", 77, "no QEMU\n"), [("skip", "", "no QEMU")])
        self.assertEqual(self.tap("t", 3, "fine\n", "no, bad\n"), [("fail", "", "exit status 3: no, bad")])

    def test_ended_too_early(self):
        self.assertEqual(self.tap("t", 0, PLAN)[1:], [("fail", "the program", "ended before its last test point")])
        self.assertEqual(self.tap("t", 134, PLAN)[1:], [("fail", "the program", "exit status 134")])

    def test_errors_are_no_points(self):
        """A child that is ended while it complains leaves a line with no end, which the next test point must not come behind."""
        self.assertEqual(len(self.tap("t", 0, PLAN + "ok 2 second\n", "qemu: failed to save: -5")), 2)
        self.assertIn("qemu: failed to save: -5", self.log.read_text())

    def test_meson(self):
        tests = [{"name": "p:unit / good", "result": "OK", "returncode": 0, "stdout": "fine\n"},
                 {"name": "p:unit / bad", "result": "FAIL", "returncode": 1, "stdout": PLAN + "not ok 2 second\n", "stderr": "a stack\n"},
                 {"name": "p:unit / slow", "result": "TIMEOUT", "returncode": -15, "stdout": "begun\n"}]
        text = self.run_it("meson", "tests", self.file("testlog.json", "".join(json.dumps(t) + "\n" for t in tests)), self.directory)
        self.assertEqual([line.split("\t")[0] for line in text.splitlines()], ["pass", "pass", "fail", "fail"])
        self.results.write_text(text)
        failed = [line.split("\t") for line in self.run_it("failed", self.results).splitlines()]
        self.assertEqual([f[:2] for f in failed], [["tests", "p:unit / bad"], ["tests", "p:unit / slow"]])
        self.assertIn("not ok 2 second\n--- what it wrote to stderr ---\na stack", pathlib.Path(failed[0][2]).read_text())
        self.assertTrue(text.splitlines()[-1].split("\t")[4].endswith("timed out"))


class SecondRun(CountTests):
    """Of a program that failed beside others"""

    def setUp(self):
        super().setUp()
        self.tap("other", 0, "fine\n")
        self.tap("t", 1, PLAN + "not ok 2 second\n# the reason\n")
        self.first = self.log.rename(self.directory / "t.first.log")
        self.second = self.directory / "again"

    def again(self):
        self.run_it("again", self.results, "suite", "t", self.first, self.second)

    def test_what_failed(self):
        with open(self.results, "a", encoding="utf-8") as file:
            file.write("fail\tcheck\tmeson test\t\texit status 2\t\n")
        self.assertEqual(self.run_it("failed", self.results), f"suite\tt\t{self.log}\n")

    def test_passed(self):
        self.tap("t", 0, PLAN + "ok 2 second\n", results=self.second)
        self.again()
        lines = self.summary(0)
        self.assertEqual(lines[0], f"flaky     suite: t (failed beside others, passed alone; log of the failure: {self.first})")
        self.assertIn("    # the reason", lines)
        self.assertEqual(lines[-2:], ["1 flaky: passed when run once more, alone", "3 passed, 0 failed, 0 skipped"])

    def test_failed(self):
        self.tap("t", 1, "1..2\nnot ok 1 first\n", results=self.second)
        self.again()
        self.assertEqual(self.summary(1)[-1], "2 passed, 1 failed, 0 skipped")

    def test_skipped(self):
        """That is no proof."""
        self.tap("t", 77, "no QEMU\n", results=self.second)
        self.again()
        self.assertEqual(self.summary(1)[-1], "2 passed, 1 failed, 0 skipped")


class Summary(CountTests):
    def test_nothing_ran(self):
        self.assertEqual(self.summary(1)[-1], "0 passed, 0 failed, 0 skipped")
        self.tap("t", 77, "no QEMU\n")
        lines = self.summary(1)
        self.assertEqual((lines[0], lines[-1]), ("skipped   suite: t (no QEMU)", "0 passed, 0 failed, 1 skipped"))

    def test_log_of_a_failure(self):
        """How it began, and how it ended"""
        self.tap("t", 1, "".join(f"# {n} before\n" for n in range(90)) + "not ok 1 first\n" + "".join(f"# {n} after\n" for n in range(90)))
        lines = self.summary(1)
        self.assertLess(len(lines), 60)
        at = lines.index("FAILED    suite: t: first")
        self.assertEqual(lines[at + 1:at + 3], ["    not ok 1 first", "    # 0 after"])
        self.assertIn("    # 89 after", lines)


if __name__ == "__main__":
    unittest.main(verbosity=2)
