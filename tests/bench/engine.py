"""engine: the ways to keep large blobs, measured by a program of its own (tests/bench/engine)."""

import subprocess

from harness import BAZEL_BIN
from peers import Failed

PROGRAM = BAZEL_BIN / "tests/bench/engine/engine_bench"


def engine(scratch, rounds, scale, only, json_path):
    """Runs the program, which prints its own tables."""
    if not PROGRAM.exists():
        raise Failed(f"{PROGRAM} is missing; build it first: bazel build //tests/bench/engine:engine_bench")
    command = [str(PROGRAM), "--dir", str(scratch), "--scale", str(scale), "--rounds", str(rounds)]
    for name in only:
        command += ["--only", name]
    if json_path:
        command += ["--json", str(json_path)]
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    if code != 0:
        raise Failed(f"engine_bench ended with exit code {code}; its message is above")
