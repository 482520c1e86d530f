#!/usr/bin/python3
"""Stands in for Bazel's Java merger: turns the gcov JSON of one test into the LCOV file that `bazel coverage` wants.

Called by Bazel with --coverage_dir, --output_file and flags that do not matter here.
"""

import argparse
import gzip
import json
from pathlib import Path


def lines_by_file(coverage_dir):
    """Source file to {line: executions}, of every *.gcov.json.gz below the folder."""
    found = {}
    for report in Path(coverage_dir).glob("**/*.gcov.json.gz"):
        for file in json.loads(gzip.decompress(report.read_bytes()))["files"]:
            lines = found.setdefault(file["file"].removeprefix("./"), {})
            for line in file["lines"]:
                number = line["line_number"]
                lines[number] = lines.get(number, 0) + line["count"]
    return found


def write_lcov(found, output_file):
    with open(output_file, "w") as out:
        for source in sorted(found):
            if source.startswith(("/", "external/", "bazel-out/")):
                continue
            lines = found[source]
            out.write(f"SF:{source}\n")
            out.writelines(f"DA:{number},{lines[number]}\n" for number in sorted(lines))
            out.write(f"LH:{sum(count > 0 for count in lines.values())}\nLF:{len(lines)}\nend_of_record\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coverage_dir", required=True)
    parser.add_argument("--output_file", required=True)
    options, _ = parser.parse_known_args()
    write_lcov(lines_by_file(options.coverage_dir), options.output_file)


if __name__ == "__main__":
    main()
