"""Where two images differ, as lines "aspect: strata has ..., buildkit has ..."."""

from bases import OLD

SETTINGS = ("Env", "Cmd", "Entrypoint", "WorkingDir", "User", "ExposedPorts", "Volumes", "Labels", "StopSignal", "Healthcheck", "Shell",
            "OnBuild", "ArgsEscaped")
NOW = OLD + 86400 * 365 * 3  # what is younger was made by the build


def differences(ours, theirs):
    return [*_settings(ours, theirs), *_history(ours, theirs), *_tree(ours, theirs), *_layers(ours, theirs)]


def _line(aspect, ours, theirs):
    return f"{aspect}: strata has {ours!r}, buildkit has {theirs!r}"


def _settings(ours, theirs):
    mine, other = ours.config.get("config") or {}, theirs.config.get("config") or {}
    for key in SETTINGS:
        if (mine.get(key) or None) != (other.get(key) or None):
            yield _line(f"config {key}", mine.get(key), other.get(key))
    for key in ("architecture", "os", "author"):
        if ours.config.get(key) != theirs.config.get(key):
            yield _line(key, ours.config.get(key), theirs.config.get(key))


def _history(ours, theirs):
    mine, other = ours.config.get("history", []), theirs.config.get("history", [])
    if len(mine) != len(other):
        yield _line("history", [step.get("created_by") for step in mine], [step.get("created_by") for step in other])
        return
    for number, (left, right) in enumerate(zip(mine, other)):
        for key in ("created_by", "empty_layer", "comment", "author"):
            if (left.get(key) or None) != (right.get(key) or None):
                yield _line(f"history {number} {key}", left.get(key), right.get(key))


def _tree(ours, theirs):
    for path in sorted(set(ours.tree) | set(theirs.tree)):
        mine, other = ours.tree.get(path), theirs.tree.get(path)
        if mine is None or other is None:
            yield _line(f"tree {path!r}", mine and mine.facts, other and other.facts)
            continue
        for key in sorted(set(mine.facts) | set(other.facts)):
            if mine.facts.get(key) != other.facts.get(key):
                yield _line(f"tree {path!r} {key}", mine.facts.get(key), other.facts.get(key))
        if mine.names != other.names:
            yield _line(f"tree {path!r} names", mine.names, other.names)
        if _time(mine) != _time(other):
            yield _line(f"tree {path!r} {mine.facts['kind']} time", _time(mine), _time(other))


def _time(inode):
    return "now" if inode.mtime > NOW else inode.mtime


def _layers(ours, theirs):
    if len(ours.layers) != len(theirs.layers):
        yield _line("layers", len(ours.layers), len(theirs.layers))
        return
    for number, (mine, other) in enumerate(zip(ours.layers, theirs.layers)):
        if mine.whiteouts() != other.whiteouts():
            yield _line(f"layer {number} whiteouts", mine.whiteouts(), other.whiteouts())
        if mine.paths() != other.paths():
            yield _line(f"layer {number} paths", sorted(set(mine.paths()) - set(other.paths())), sorted(set(other.paths()) - set(mine.paths())))
        if mine.repeated:
            yield _line(f"layer {number} repeated paths", mine.repeated, other.repeated)


def against_golden(image, golden):
    """Where an image is not what a case's expect.json says: "config" and "tree" (path to facts, null for absent)."""
    settings = image.config.get("config") or {}
    for key, want in golden.get("config", {}).items():
        if (settings.get(key) or None) != want:
            yield f"config {key}: strata has {settings.get(key)!r}, wanted is {want!r}"
    for path, want in golden.get("tree", {}).items():
        have = image.tree.get(path)
        if want is None or have is None:
            if (want is None) != (have is None):
                yield f"tree {path!r}: strata has {have and have.facts}, wanted is {want}"
            continue
        for key, value in want.items():
            if have.facts.get(key) != value:
                yield f"tree {path!r} {key}: strata has {have.facts.get(key)!r}, wanted is {value!r}"
    by = [step.get("created_by") for step in image.config.get("history", [])]
    for want in golden.get("history", []):
        if want not in by:
            yield f"history: strata has {by}, wanted is {want!r}"
