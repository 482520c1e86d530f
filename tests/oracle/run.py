#!/usr/bin/python3
"""Builds the same Dockerfiles with Strata and with dockerd's BuildKit, and compares the images to the last bit that users can see.

    tests/oracle/run.py [--filter WORD] [--show] [--jobs N] [--keep]

A case is a folder of cases/:  Dockerfile;  args: more arguments of `build`, one a line ({server} is a web server on loopback);
context.sh: run in the context, after what bases.write_context() puts there;  parent.Dockerfile: built first, as <case>-parent;
expect.json: {"fails": TEXT} when both must refuse, with TEXT in what Strata says; {"golden": {...}, "why": ...} when BuildKit 20.10
cannot serve as the judge (see compare.against_golden).  differences.py has what may differ and why.

Needs root, docker.io and busybox-static. STRATA_BAZEL_BIN names the folder of the programs. Ends with "oracle: N passed, N failed".
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import bases  # noqa: E402
import compare  # noqa: E402
from builders import BuildFailed, BuildKit, Strata, WebServer  # noqa: E402
from differences import explained  # noqa: E402

BASE = "oracle-base"


class Case:
    def __init__(self, folder, scratch, server):
        self.folder = folder
        self.name = folder.name
        self.scratch = scratch / self.name
        self.context = self.scratch / "context"
        self.dockerfile = self.context / "Dockerfile"
        expect = folder / "expect.json"
        self.expect = json.loads(expect.read_text()) if expect.exists() else {}
        arguments = folder / "args"
        self.arguments = arguments.read_text().replace("{server}", server).splitlines() if arguments.exists() else []

    def prepare(self):
        self.context.mkdir(parents=True)
        bases.write_context(self.context)
        bases.write_archives(self.context)
        bases.copy_case_context(self.folder, self.context)
        shutil.copy(self.folder / "Dockerfile", self.dockerfile)
        if (self.folder / "context.sh").exists():
            subprocess.run(["sh", "-eu", self.folder / "context.sh"], cwd=self.context, check=True)
        bases.age(self.context)

    def build(self, side):
        parent = self.folder / "parent.Dockerfile"
        if parent.exists():
            side.build(self.context, parent, f"{self.name}-parent", [], self.scratch)
        return side.build(self.context, self.dockerfile, self.name, self.arguments, self.scratch)

    def problems(self, strata, buildkit):
        """Lines that say what is wrong; none when the case passes."""
        self.prepare()
        ours, our_error = self._try(strata)
        if "golden" in self.expect:
            return [our_error] if ours is None else list(compare.against_golden(ours, self.expect["golden"]))
        theirs, their_error = self._try(buildkit)
        if "fails" in self.expect:
            return self._not_refused(our_error, their_error)
        if ours is None or theirs is None:
            return [f"strata: {our_error or 'built it'}", f"buildkit: {their_error or 'built it'}"]
        return explained(self.name, compare.differences(ours, theirs))

    def _try(self, side):
        try:
            return self.build(side), None
        except BuildFailed as failed:
            return None, str(failed)

    def _not_refused(self, our_error, their_error):
        problems = []
        if their_error is None and not self.expect.get("why"):
            problems.append("buildkit built it")
        if our_error is None:
            problems.append("strata built it")
        elif self.expect["fails"] not in our_error:
            problems.append(f"strata does not say {self.expect['fails']!r}, but: {our_error}")
        if problems:
            problems.append(f"buildkit says: {(their_error or '')[-600:]}")
        return problems


def run_case(case, strata, buildkit, show):
    started = time.monotonic()
    try:
        problems = case.problems(strata, buildkit)
    except Exception as error:  # a case that cannot be judged has failed, the others go on
        problems = [f"{type(error).__name__}: {error}"]
    print(f"{'FAILED' if problems else 'ok    '} {case.name} ({time.monotonic() - started:.1f} s)", flush=True)
    for problem in problems if show else problems[:12]:
        print("         " + problem.strip().replace("\n", "\n         ").encode(errors="backslashreplace").decode(), flush=True)
    return not problems


def answer(path):
    """What ADD fetches."""
    if path.startswith("/missing"):
        return 404, b"nothing here"
    if path.endswith(".tar"):
        return 200, bases.layer_tar({"inside": ("inside\n", 0o644, 0, 0)})
    return 200, b"fetched\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filter", default="", help="only cases whose name contains this")
    parser.add_argument("--show", action="store_true", help="print all differences of a case, not the first twelve")
    parser.add_argument("--jobs", type=int, default=3, help="cases at the same moment")
    parser.add_argument("--keep", action="store_true", help="keep the scratch folder, and say where it is")
    options = parser.parse_args()
    folders = [folder for folder in sorted((HERE / "cases").iterdir()) if options.filter in folder.name]
    scratch = Path(tempfile.mkdtemp(prefix="strata-oracle-"))
    server, sides, passed = WebServer(answer), [Strata(scratch), BuildKit(scratch)], 0
    try:
        archive = scratch / "base.tar"
        bases.write_base_archive(archive, BASE)
        for side in sides:
            side.start()
            side.load(archive)
        cases = [Case(folder, scratch, f"http://{server.address}") for folder in folders]
        with ThreadPoolExecutor(options.jobs) as pool:
            passed = sum(pool.map(lambda case: run_case(case, *sides, options.show), cases))
    finally:
        for side in sides:
            side.stop()
        server.close()
        if options.keep:
            print(f"kept {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    print(f"oracle: {passed} passed, {len(folders) - passed} failed")
    return 0 if passed == len(folders) else 1


if __name__ == "__main__":
    sys.exit(main())
