#!/usr/bin/python3
"""Runs the end-to-end tests and ends with "e2e: N passed, N failed".

    tests/e2e/run.py                 every test_*.py beside this file
    tests/e2e/run.py skopeo docker   the tests whose name contains one of the words

A skipped test counts as failed: a client that is missing proves nothing.
"""

import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.passed = 0
        self.failed = 0

    def startTest(self, test):
        super().startTest(test)
        self.started_at = time.monotonic()

    def _report(self, verdict, test, details=""):
        seconds = time.monotonic() - getattr(self, "started_at", time.monotonic())
        print(f"{verdict:4}  {seconds:7.2f} s  {test.id()}", flush=True)
        if details:
            print(details, flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self._report("ok", test)

    def _add_failure(self, test, details):
        self.failed += 1
        self._report("FAIL", test, details)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._add_failure(test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._add_failure(test, self.errors[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._add_failure(test, f"skipped: {reason}")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            kept = self.failures if issubclass(err[0], test.failureException) else self.errors
            self._add_failure(subtest, kept[-1][1])


def each_test(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from each_test(item)
        else:
            yield item


def main(words):
    sys.path.insert(0, str(HERE))
    suite = unittest.defaultTestLoader.discover(str(HERE), pattern="test_*.py", top_level_dir=str(HERE))
    if words:
        wanted = [test for test in each_test(suite) if any(word in test.id() for word in words)]
        suite = unittest.TestSuite(wanted)
    result = Result()
    suite.run(result)
    print(f"e2e: {result.passed} passed, {result.failed} failed", flush=True)
    return 0 if result.failed == 0 and result.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
