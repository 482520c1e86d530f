"""The base image and the build context that every case starts from. Deterministic; times lie in 2021, so that "kept" and "now" differ."""

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import tarfile
from pathlib import Path

from images import BUSYBOX, digest_of

OLD = 1_620_000_000  # 2021-05-03
APPLETS = ("sh cat echo ls mkdir rm rmdir ln chmod chown sleep true false env id test stat sha256sum seq head tail touch mv cp grep tr "
           "printf find sort pwd dd mknod mkfifo tar readlink wc hostname").split()
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/home/app:/bin/sh\nnohome:x:1002:1002::/missing:/bin/sh\n"
GROUP = "root:x:0:\nteam:x:1001:\nextra:x:2000:app\n"

FOLDER, LINK, HARD = "folder", "link", "hard"


def base_files():
    """Two layers; {path: (content or (kind, target), mode, uid, gid)}."""
    system = {
        "bin": (FOLDER, 0o755, 0, 0), "bin/busybox": (BUSYBOX.read_bytes(), 0o755, 0, 0),
        "dev": (FOLDER, 0o755, 0, 0), "proc": (FOLDER, 0o755, 0, 0), "sys": (FOLDER, 0o755, 0, 0),
        "etc": (FOLDER, 0o755, 0, 0), "etc/passwd": (PASSWD, 0o644, 0, 0), "etc/group": (GROUP, 0o644, 0, 0),
        "home": (FOLDER, 0o755, 0, 0), "home/app": (FOLDER, 0o750, 1000, 1001), "root": (FOLDER, 0o700, 0, 0),
        "tmp": (FOLDER, 0o1777, 0, 0),
    }
    system.update({f"bin/{name}": ((LINK, "busybox"), 0o777, 0, 0) for name in APPLETS})
    things = {
        "opt": (FOLDER, 0o755, 0, 0), "opt/tree": (FOLDER, 0o750, 1000, 1001), "opt/tree/a": ("a\n", 0o640, 1000, 1001),
        "opt/tree/b": ("b\n", 0o644, 0, 0), "opt/tree/sub": (FOLDER, 0o755, 0, 0), "opt/tree/sub/c": ("c\n", 0o644, 0, 0),
        "opt/tree/link": ((LINK, "sub/c"), 0o777, 0, 0), "opt/setuid": ("s\n", 0o4755, 0, 0), "opt/setgid": (FOLDER, 0o2775, 0, 1001),
        "opt/hard1": ("hard\n", 0o644, 0, 0), "opt/hard2": ((HARD, "opt/hard1"), 0o644, 0, 0),
        "opt/closed": (FOLDER, 0o555, 1000, 1001), "opt/closed/file": ("closed\n", 0o444, 1000, 1001),
        "real": (FOLDER, 0o755, 0, 0), "real/old": ("old\n", 0o644, 0, 0), "linked": ((LINK, "real"), 0o777, 0, 0),
        "absolute": ((LINK, "/real"), 0o777, 0, 0), "dangling": ((LINK, "/not/there"), 0o777, 0, 0),
        "filelink": ((LINK, "real/old"), 0o777, 0, 0), "up": ((LINK, "../../../real"), 0o777, 0, 0),
    }
    return [system, things]


def layer_tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, (content, mode, uid, gid) in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.uid, entry.gid, entry.mtime = mode, uid, gid, OLD
            data = None
            if content == FOLDER:
                entry.type = tarfile.DIRTYPE
            elif isinstance(content, tuple):
                entry.type, entry.linkname = (tarfile.SYMTYPE if content[0] == LINK else tarfile.LNKTYPE), content[1]
            else:
                data = content.encode() if isinstance(content, str) else content
                entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


def write_base_archive(path, name):
    """A `docker save` tar that both sides load."""
    layers = [layer_tar(files) for files in base_files()]
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "created": "2021-05-03T00:00:00Z",
        "config": {"Env": ["PATH=/bin", "FROM_BASE=yes"], "Cmd": ["sh"], "Labels": {"base": "oracle"}},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        "history": [{"created": "2021-05-03T00:00:00Z", "created_by": "oracle base"} for _ in layers]}).encode()
    names = [f"{index}/layer.tar" for index in range(len(layers))]
    config_name = digest_of(config).removeprefix("sha256:") + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [f"{name}:latest"], "Layers": names}]).encode()
    with tarfile.open(path, "w") as tar:
        for member, content in [(config_name, config), *zip(names, layers), ("manifest.json", manifest)]:
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def write_context(root):
    """What most cases need; a case's context.sh adds to it."""
    files = {"file": ("file\n", 0o644), "file2": ("two\n", 0o600), "script.sh": ("#!/bin/sh\necho run\n", 0o755),
             "setuid": ("setuid\n", 0o4755), "setgid": ("setgid\n", 0o2755), "sticky-file": ("t\n", 0o1644),
             "dir/one.txt": ("1\n", 0o644), "dir/two.txt": ("2\n", 0o664), "dir/three.md": ("3\n", 0o644),
             "dir/sub/four.txt": ("4\n", 0o644), "dir/sub/deep/five.txt": ("5\n", 0o400), "dir/.hidden": ("h\n", 0o644),
             "other/one.txt": ("other 1\n", 0o644), "other/six": ("6\n", 0o644),
             "with space": ("space\n", 0o644), "[odd]": ("brackets\n", 0o644), "not-an-archive.tar.gz": ("no archive\n", 0o644)}
    for name, (content, mode) in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
    for name, mode in {"dir/empty": 0o755, "sticky": 0o1777, "private": 0o700}.items():
        (root / name).mkdir()
        (root / name).chmod(mode)
    for name, target in {"link-to-file": "file", "link-to-dir": "dir", "dir/inner-link": "sub/four.txt", "broken": "nowhere",
                         "absolute-link": "/file", "escaping": "../../../file"}.items():
        (root / name).symlink_to(target)
    os.link(root / "dir/one.txt", root / "dir/one-again.txt")


def write_archives(root):
    """Archives that ADD unpacks, named archive.tar, .tgz, .txz and .tbz, and one with a misleading name."""
    plain = layer_tar({"packed": (FOLDER, 0o750, 7, 8), "packed/file": ("packed\n", 0o640, 7, 8), "packed/link": ((LINK, "file"), 0o777, 7, 8),
                       "packed/hard": ((HARD, "packed/file"), 0o640, 7, 8), "top": ("top\n", 0o4755, 0, 0), "no/parent/entry": ("deep\n", 0o644, 3, 4)})
    (root / "archive.tar").write_bytes(plain)
    (root / "archive.tgz").write_bytes(gzip.compress(plain, mtime=0))
    (root / "archive.txz").write_bytes(lzma.compress(plain))
    (root / "archive.tbz").write_bytes(bz2.compress(plain))
    (root / "looks-like.txt").write_bytes(gzip.compress(plain, mtime=0))
    (root / "only.gz").write_bytes(gzip.compress(b"just text\n", mtime=0))


def age(root):
    """Sets every time below `root` to one in 2021."""
    for parent, folders, files in os.walk(os.fsencode(root)):
        for name in folders + files:
            os.utime(os.path.join(parent, name), (OLD, OLD), follow_symlinks=False)
    os.utime(root, (OLD, OLD))


def copy_case_context(case, root):
    if (case / "context").is_dir():
        shutil.copytree(case / "context", root, symlinks=True, dirs_exist_ok=True)
