# SPDX-License-Identifier: LGPL-2.1-or-later
"""In which order the tests of a program run, and what it prints of them. Used by het_harness.main()."""

import sys
import traceback
import unittest


class Result(unittest.TestResult):
    """TAP"""

    def __init__(self):
        super().__init__()
        self.number = 0

    def point(self, test, good, more=""):
        self.number += 1
        print(f"{'ok' if good else 'not ok'} {self.number} - {test.id().split('.', 1)[1]}{more}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.point(test, True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.point(test, True, f" # SKIP {reason}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.tell(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.tell(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.tell(subtest, err)

    def tell(self, test, err):
        self.point(test, False)
        for line in "".join(traceback.format_exception(*err)).splitlines():
            print("#", line)
        if hasattr(test, "show_logs"):
            test.show_logs()
        sys.stdout.flush()


def all_tests(suite):
    return [test for part in suite for test in (all_tests(part) if isinstance(part, unittest.TestSuite) else [part])]


def ordered(tests):
    """Those of a kind together, where the first of them is; the others as they are"""
    first, last, places = {}, {}, []
    for i, test in enumerate(tests):
        kind = test.kind() if hasattr(test, "kind") else None
        places.append(i if kind is None else first.setdefault(kind, i))
        if kind is not None:
            if kind in last:
                last[kind].is_last_of_kind = False
            # Its own, for it takes over what the one before it has
            test.is_last_of_kind = True
            last[kind] = test
    return [tests[i] for i in sorted(range(len(tests)), key=lambda i: (places[i], i))]
