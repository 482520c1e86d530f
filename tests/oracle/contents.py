"""What an image holds, read from `docker save` or from a registry: its config, its layers, and the tree that the layers make together."""

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field

KINDS = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "symlink",
         tarfile.LNKTYPE: "hardlink", tarfile.CHRTYPE: "char-device", tarfile.BLKTYPE: "block-device", tarfile.FIFOTYPE: "fifo"}
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
XATTR = "SCHILY.xattr."


@dataclass
class Inode:
    """A file of the tree; hard links of one layer share it."""

    facts: dict
    mtime: int
    names: list = field(default_factory=list)


class Layer:
    """One layer as its tar has it: {path: (kind, TarInfo, content hash)}; paths without a slash at either end."""

    def __init__(self, tar_bytes):
        self.entries = {}
        self.repeated = []
        with tarfile.open(fileobj=io.BytesIO(tar_bytes), mode="r:*", encoding="utf-8", errors="surrogateescape") as tar:
            for member in tar:
                path = clean(member.name)
                if not path:
                    continue
                if path in self.entries:
                    self.repeated.append(path)
                content = hashlib.sha256(tar.extractfile(member).read()).hexdigest()[:16] if member.isreg() else ""
                self.entries[path] = (KINDS[member.type], member, content)

    def whiteouts(self):
        return sorted(path for path in self.entries if path.rpartition("/")[2].startswith(WHITEOUT))

    def paths(self):
        return sorted(path for path in self.entries if not path.rpartition("/")[2].startswith(WHITEOUT))


class Contents:
    """An image: `config` (the whole document), `layers` in order, and `tree`: {path: Inode}."""

    def __init__(self, config, layer_blobs):
        self.config = config
        self.layers = [Layer(blob) for blob in layer_blobs]
        self.tree = {}
        for layer in self.layers:
            self._apply(layer)
        for path, inode in sorted(self.tree.items()):
            inode.names.append(path)

    def _apply(self, layer):
        for path in layer.whiteouts():
            parent, _, name = path.rpartition("/")
            doomed = parent if name == OPAQUE else "/".join(filter(None, [parent, name.removeprefix(WHITEOUT)]))
            if name != OPAQUE:
                self.tree.pop(doomed, None)
            self._drop_below(doomed)
        for path in layer.paths():
            kind, member, content = layer.entries[path]
            if kind == "hardlink":
                continue
            if kind != "folder":
                self._drop_below(path)
            self.tree[path] = Inode(facts_of(kind, member, content), int(member.mtime))
        for path in layer.paths():
            kind, member, _ = layer.entries[path]
            if kind == "hardlink":
                target = clean(member.linkname)
                if target not in self.tree:
                    raise AssertionError(f"the hard link {path!r} leads to {target!r}, which its image does not have")
                self._drop_below(path)
                self.tree[path] = self.tree[target]

    def _drop_below(self, folder):
        for below in [path for path in self.tree if path.startswith(folder + "/")]:
            del self.tree[below]


def clean(name):
    return name.removeprefix("./").strip("/").removeprefix("./") if name != "." else ""


def facts_of(kind, member, content):
    facts = {"kind": kind, "mode": oct(member.mode & 0o7777), "owner": f"{member.uid}:{member.gid}"}
    if kind == "file":
        facts.update(size=member.size, content=content)
    if kind == "symlink":
        facts.update(target=member.linkname, mode="")
    if kind.endswith("device"):
        facts.update(device=f"{member.devmajor}:{member.devminor}")
    xattrs = {key.removeprefix(XATTR): value for key, value in member.pax_headers.items() if key.startswith(XATTR)}
    if xattrs:
        facts.update(xattrs=xattrs)
    return facts


def from_docker_save(tar_path):
    with tarfile.open(tar_path) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        config = json.load(tar.extractfile(manifest["Config"]))
        blobs = []
        for name in manifest["Layers"]:
            member = tar.getmember(name)
            if member.issym():  # equal layers are stored once
                member = tar.getmember(member.linkname.removeprefix("../"))
            blobs.append(tar.extractfile(member).read())
    return Contents(config, blobs)


def from_registry(http, repository, tag="latest"):
    manifest = http.get_json(f"/v2/{repository}/manifests/{tag}")
    return Contents(http.get_json(f"/v2/{repository}/blobs/{manifest['config']['digest']}"),
                    [http.request("GET", f"/v2/{repository}/blobs/{layer['digest']}").content for layer in manifest["layers"]])
