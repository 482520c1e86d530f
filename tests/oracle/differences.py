"""Differences from BuildKit 20.10 that are meant, each with its reason. A row that no longer differs fails its case, so that it goes."""

import re

# What the frontend of 20.10 (of 2020) writes or does and the current one, whose language Strata speaks, does not.
OLDER = "the current frontend does as Strata does"

# (case or "*", what the difference looks like, why it is right)
MEANT = [
    ("*", r"^history \d+ created_by: strata has 'EXPOSE \[", f"EXPOSE map[80/tcp:{{}}] then, EXPOSE [80/tcp] now: {OLDER}"),
    ("*", r"^history \d+ created_by: strata has 'HEALTHCHECK ", f"the fields have no names in 20.10: {OLDER}"),
    ("*", r"^history \d+ created_by: strata has '(COPY|ADD) --ch(own|mod)=", f"the flags that change files are missing in 20.10: {OLDER}"),
    ("arg-scopes", r"^history \d+ created_by: strata has 'RUN \|", f"20.10 forgets the ARGs of the stage that a stage is built on: {OLDER}"),
    ("arg-build-args", r"^history \d+ created_by: strata has 'RUN \|", f"20.10 forgets the ARGs of the stage that a stage is built on: {OLDER}"),
    ("*", r"^tree 'etc' folder time: strata has \d+, buildkit has 'now'", "20.10 makes /etc/resolv.conf for RUN and leaves the folder's time changed"),
    ("*", r"^tree .* folder time: strata has 1620000000, buildkit has 'now'", f"20.10 loses the times of the context's folders on the way: {OLDER}"),
    ("*", r"^history \d+ created_by: strata has 'ARG [^']*=", f"20.10 writes the default of an ARG, not its value: {OLDER}"),
    ("expand-same-line", r"from_y=", f"a later ARG of one line sees the earlier ones: {OLDER}"),
    ("lexical-json-fallbacks", r"(Entrypoint|ENTRYPOINT)", f"20.10 overlooks what follows a JSON array: {OLDER}"),
    ("workdir-spaces-quotes", r"(/trailing|double)", f"20.10 keeps the path as written: {OLDER}"),
    ("add-archive-chown", r"owner", f"20.10 forgets --chown for what it unpacks: {OLDER}"),
    ("add-url", r"^tree 'e/f' mode", f"20.10 forgets --chmod for what it fetches: {OLDER}"),
    ("copy-chmod", r"^tree 'a' mode: strata has '0o4711'", f"20.10 drops set-id bits of --chmod: {OLDER}"),
    ("copy-chmod-links", r"^tree 'x/y/z' mode: strata has '0o1755'", f"20.10 drops the sticky bit of --chmod: {OLDER}"),
    ("copy-from-stage", r"(fifo|/null')", "20.10 skips pipes and makes files of devices; a copy should be one"),
    ("copy-special-files", r"fifo", "20.10 skips pipes; a copy should have them"),
    ("run-mount-bind", r"('ctx'|'x'|'mnt')", f"20.10 leaves mount points behind: {OLDER}"),
    ("run-mount-cache-tmpfs", r"('cache'|'t'|'t/mp'|'w/rel')", f"20.10 leaves mount points behind: {OLDER}"),
    ("run-mount-from-stage", r"'s'", f"20.10 leaves mount points behind: {OLDER}"),
    ("run-mount-readonly", r"'ctx'", f"20.10 leaves mount points behind: {OLDER}"),
    ("history-copy-from", r"'c2'", f"20.10 leaves mount points behind: {OLDER}"),
    ("copy-xattrs", r"^tree 'caps/x' xattrs", "the client of 20.10 sends no attributes; set capabilities are part of a program"),
    ("*", r"one(-again)?\.txt' names: strata", "the build context is sent without hard links: the same content, in files of their own"),
    ("*", r"^tree '(.*/)?no(/parent)?' folder time: strata has 0, buildkit has 'now'",
     "folders that an archive implies but does not hold are of 1970, so that equal archives give equal layers"),
]


def explained(case, found):
    """What of `found` (lines of compare.differences) nobody explained, and which rows of this case explain nothing any more."""
    rows = [row for row in MEANT if row[0] in (case, "*")]
    left = [line for line in found if not any(re.search(pattern, line) for _, pattern, _ in rows)]
    stale = [f"differences.py: {pattern!r} does not differ any more ({reason})" for name, pattern, reason in rows
             if name != "*" and not any(re.search(pattern, line) for line in found)]
    return left + stale
