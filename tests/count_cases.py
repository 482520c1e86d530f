#!/usr/bin/python3
"""Counts the test cases of a `bazel test` run.

    tests/count_cases.py TARGETS EVENTS TESTLOGS

TARGETS: a file with one label a line, every target that was asked for.  EVENTS: what --build_event_json_file wrote.
TESTLOGS: `bazel info bazel-testlogs`.  Prints what failed, and as its last line "PASSED FAILED".

Cases are those of the test.xml files, of all shards. A target that failed without a failed case there (it did not build, crashed,
ran out of time) counts as one failure. Skipped cases are named and counted as neither.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def statuses(events_file):
    """Label to overall status, as Bazel saw it."""
    found = {}
    for line in Path(events_file).read_text(errors="replace").splitlines():
        event = json.loads(line)
        label = event.get("id", {}).get("testSummary", {}).get("label")
        if label:
            found[label] = event.get("testSummary", {}).get("overallStatus", "NO_STATUS")
    return found


def cases(target_logs):
    """(suite.name, "passed" | "failed" | "skipped") of each case in a target's test.xml files."""
    for xml in sorted(target_logs.glob("**/test.xml")):
        try:
            tree = ElementTree.parse(xml)
        except ElementTree.ParseError as error:
            yield f"{xml}: {error}", "failed"
            continue
        for case in tree.iter("testcase"):
            name = f"{case.get('classname') or ''}.{case.get('name')}".lstrip(".")
            if case.find("failure") is not None or case.find("error") is not None:
                yield name, "failed"
            elif case.find("skipped") is not None or case.get("result") in ("skipped", "suppressed") or case.get("status") == "notrun":
                yield name, "skipped"
            else:
                yield name, "passed"


def count(targets, status_of, testlogs):
    passed = failed = 0
    for label in targets:
        status = status_of.get(label, "NOT BUILT")
        package, name = label.removeprefix("//").split(":")
        # Logs of an earlier run may lie there; they say nothing about a target that did not run now.
        verdicts = list(cases(testlogs / package / name)) if status not in ("NOT BUILT", "NO_STATUS") else []
        failures = [case for case, verdict in verdicts if verdict == "failed"]
        for case, verdict in verdicts:
            if verdict != "passed":
                print(f"{verdict}: {label} {case}")
        passed += sum(verdict == "passed" for _, verdict in verdicts)
        failed += len(failures)
        if status != "PASSED" and not failures:
            print(f"failed: {label} ({status})")
            failed += 1
    return passed, failed


def main(targets_file, events_file, testlogs):
    targets = Path(targets_file).read_text().split()
    passed, failed = count(targets, statuses(events_file), Path(testlogs))
    print(f"bazel test: {len(targets)} programs, {passed} cases passed, {failed} failed")
    print(passed, failed)


if __name__ == "__main__":
    main(*sys.argv[1:])
