"""Images for tests, written as OCI layouts without any image tool. Deterministic: the same call gives the same digests."""

import gzip
import hashlib
import io
import json
import random
import tarfile
from dataclasses import dataclass
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
APPLETS = ("sh", "cat", "echo", "ls", "mkdir", "sha256sum", "sleep", "true", "false", "env", "id", "wc")

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass
class Image:
    """What a layout holds; `reference` is what skopeo takes."""

    folder: Path
    tag: str
    manifest_digest: str
    manifest: dict

    @property
    def reference(self):
        return f"oci:{self.folder}:{self.tag}"

    @property
    def layer_digests(self):
        return [layer["digest"] for layer in self.manifest["layers"]]


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def random_bytes(size, seed):
    return random.Random(seed).randbytes(size)


def make_busybox_oci_layout(folder, tag="latest", payload_bytes=0, payload_layers=1, seed=1, files=None):
    """An image that runs: busybox with its usual names, and `files` (path: text) in a layer of their own.

    `payload_bytes` adds that much incompressible content, in `payload_layers` more layers, for tests that need time.
    """
    if not BUSYBOX.exists():
        raise AssertionError(f"{BUSYBOX} is missing; install the package busybox-static")
    layers = [_layer(_busybox_files())]
    if files:
        layers.append(_layer({name.lstrip("/"): text.encode() for name, text in files.items()}))
    if payload_bytes:
        part = payload_bytes // payload_layers
        layers += [_layer({f"payload/{i}": random_bytes(part, (seed << 8) + i)}) for i in range(payload_layers)]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar, _ in layers]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "strata tests"} for _ in layers],
    }
    return _write_layout(Path(folder), tag, config, [blob for _, blob in layers])


def _busybox_files():
    files = {"bin/busybox": BUSYBOX.read_bytes(), "etc/passwd": b"root:x:0:0:root:/:/bin/sh\n", "tmp/": None, "proc/": None,
             "sys/": None, "dev/": None}
    files.update({f"bin/{applet}": "busybox" for applet in APPLETS})
    return files


def _layer(files):
    """(tar, gzip of it). A value of None is a folder, text a symbolic link, bytes a file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.mode = 0o755
            if content is None:
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    tar_bytes = out.getvalue()
    # Level 1 for what compresses; random content would only cost time.
    return tar_bytes, gzip.compress(tar_bytes, compresslevel=1 if len(tar_bytes) < 16 << 20 else 0, mtime=0)


def _write_layout(folder, tag, config, layers):
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def put(content, media_type):
        digest = digest_of(content)
        (blobs / digest.removeprefix("sha256:")).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": put(json.dumps(config).encode(), CONFIG_TYPE),
        "layers": [put(layer, LAYER_TYPE) for layer in layers],
    }
    descriptor = put(json.dumps(manifest).encode(), MANIFEST_TYPE)
    descriptor["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [descriptor]}))
    return Image(folder, tag, descriptor["digest"], manifest)
